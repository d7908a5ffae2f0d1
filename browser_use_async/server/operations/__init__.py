"""The operations of the endpoint table, as `api` has them: the small sections are in `services`."""

from browser_use_async.server.backend import OPERATIONS, Operation, operation
from browser_use_async.server.operations import (
    browser_profiles,
    scheduled_tasks,
    services,
    tasks,
)

__all__ = [
    "OPERATIONS",
    "Operation",
    "browser_profiles",
    "operation",
    "scheduled_tasks",
    "services",
    "tasks",
]
