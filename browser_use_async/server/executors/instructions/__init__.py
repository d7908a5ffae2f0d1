"""Instructions for executors without a language model, read by strict patterns."""
