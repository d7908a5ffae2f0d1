"""What tasks tell executors without a language model, read by one small grammar."""
