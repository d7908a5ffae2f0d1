"""From a request to an executor at work: settings, pause and stop, steps as they come."""

from browser_use_async.server.running.runner import TaskRunner
from browser_use_async.server.running.settings import resolve_settings

__all__ = ["TaskRunner", "resolve_settings"]
