"""Whether a task is paid once, for every fault: `make proof-paying-once`."""
