"""The contract with the service as data, and the thin layer: one method per call."""
