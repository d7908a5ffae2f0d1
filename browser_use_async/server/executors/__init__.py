"""The executors, which carry out tasks for the bundled server."""
