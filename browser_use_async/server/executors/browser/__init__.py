"""Executor that works in a real browser, by rules and without a language model."""
