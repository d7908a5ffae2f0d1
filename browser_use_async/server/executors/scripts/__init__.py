"""Scripts: what a task did once, kept as steps that are played again without a model."""
