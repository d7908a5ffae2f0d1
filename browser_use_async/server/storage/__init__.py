"""What the server stores, as rows of a database: tasks, their steps and files, and all else."""

from browser_use_async.server.storage.database import DEFAULT_OWNER, Database
from browser_use_async.server.storage.progress import TransitionRefusedError
from browser_use_async.server.storage.records import TaskRecord
from browser_use_async.server.storage.sqlite import SqliteDatabase
from browser_use_async.server.storage.stores import Store
from browser_use_async.server.storage.tasks import Tasks

__all__ = [
    "DEFAULT_OWNER",
    "Database",
    "SqliteDatabase",
    "Store",
    "TaskRecord",
    "Tasks",
    "TransitionRefusedError",
]
