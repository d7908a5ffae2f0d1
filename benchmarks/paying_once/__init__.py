"""Whether a task is paid once, whatever breaks on the way: `make paying-once`."""
