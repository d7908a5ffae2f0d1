"""The search operations, by rules on live pages, without a language model."""
