"""The `output_type` of a task: its JSON schema, and parsing the output into it."""
