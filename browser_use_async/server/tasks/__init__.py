"""Tasks: what is done while they run, what happens to them, and which server has them."""

from browser_use_async.server.tasks.runner import TaskRunner

__all__ = ["TaskRunner"]
