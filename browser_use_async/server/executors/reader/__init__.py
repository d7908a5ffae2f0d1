"""Executor that reads pages by rules, without a browser or a language model."""
