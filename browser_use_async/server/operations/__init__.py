"""The operations of the endpoint table, one file per API section."""

from browser_use_async.server.backend import OPERATIONS, Operation, operation
from browser_use_async.server.operations import (
    account,
    browser_profiles,
    files,
    scheduled_tasks,
    search,
    tasks,
)

__all__ = [
    "OPERATIONS",
    "Operation",
    "account",
    "browser_profiles",
    "files",
    "operation",
    "scheduled_tasks",
    "search",
    "tasks",
]
