"""Whether a task is paid once, for every fault: `make paying-once`."""
