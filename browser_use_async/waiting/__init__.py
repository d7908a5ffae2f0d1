"""Waiting for tasks: one watcher per session, and the waits and streams that follow it."""
