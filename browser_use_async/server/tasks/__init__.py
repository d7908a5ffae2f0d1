"""Running tasks: their execution, their changes, and the deployment of servers."""

from browser_use_async.server.tasks.runner import TaskRunner

__all__ = ["TaskRunner"]
