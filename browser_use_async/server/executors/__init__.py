"""Executors, which carry out tasks for the bundled server."""
