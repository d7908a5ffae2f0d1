"""Bounds that the specification states in prose and more than one room needs."""

__all__ = ["MAX_METADATA_PAIRS", "MAX_TASK_PAGE"]

MAX_TASK_PAGE = 100
"""Rows on one page of the task list."""

MAX_METADATA_PAIRS = 10
"""Pairs of metadata on one task."""
