"""Creating tasks so that they are paid once, and handles to the tasks created."""
