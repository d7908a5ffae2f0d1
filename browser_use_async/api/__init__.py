"""The API as data, and the thin layer: one method per call."""
