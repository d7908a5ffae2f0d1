"""What the server remembers: tasks, their steps and their files."""

from browser_use_async.server.storage.records import TaskRecord
from browser_use_async.server.storage.store import Store, TransitionRefusedError

__all__ = ["Store", "TaskRecord", "TransitionRefusedError"]
