"""The storage of the server: tasks and all that belongs to them, as rows of a database."""

from browser_use_async.server.storage.database import Database
from browser_use_async.server.storage.progress import TransitionRefusedError
from browser_use_async.server.storage.records import TaskRecord
from browser_use_async.server.storage.sqlite import SqliteDatabase
from browser_use_async.server.storage.tasks import TaskStore

__all__ = [
    "Database",
    "SqliteDatabase",
    "TaskRecord",
    "TaskStore",
    "TransitionRefusedError",
]
