"""What tasks tell executors without a language model, read by strict patterns."""
