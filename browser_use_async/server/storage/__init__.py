"""The storage of the server: tasks and all that belongs to them, as rows of a database.

It stores rows and does nothing else. `Database` executes statements, and one repository for each
subject makes them; a `Table` takes its columns from the fields of a record, which is a row as it
stood when it was read. Repositories wait for nothing but the database, and a transaction takes the
row of the account last. Keys, deliveries, pages and nodes of a fleet have their rows in the rooms
of these subjects. `Stores` makes all repositories of a server.
"""

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
