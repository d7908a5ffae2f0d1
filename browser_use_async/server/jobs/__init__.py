"""Running tasks: their start, pause and stop."""

from browser_use_async.server.jobs.runner import TaskRunner

__all__ = ["TaskRunner"]
