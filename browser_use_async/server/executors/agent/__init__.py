"""Executor that runs the open-source browser-use agent with your own language model."""
