"""The parts of one server that operations and pages work with, and which function answers a row."""

from collections.abc import Callable
from typing import Any, TypeVar

import attrs

from browser_use_async.contract.table import Endpoint
from browser_use_async.server.jobs import TaskRunner
from browser_use_async.server.search import SearchEngine
from browser_use_async.server.signed_links import Links
from browser_use_async.server.storage import Store
from browser_use_async.server.storage.account import Account
from browser_use_async.server.storage.profiles import Profiles
from browser_use_async.server.storage.schedules import Schedules
from browser_use_async.server.storage.uploads import Uploads

__all__ = ["OPERATIONS", "Backend", "Operation", "operation"]


@attrs.frozen
class Backend:
    """The parts of one running server."""

    store: Store  # what it remembers
    runner: TaskRunner  # the tasks at work
    links: Links  # addresses on this server
    executor_name: str  # what carries out the tasks
    account: Account  # who pays
    profiles: Profiles  # the browser profiles
    schedules: Schedules  # what runs again and again
    uploads: Uploads  # files for tasks to read
    search: SearchEngine  # reads websites for queries
    # How many tasks may be at work at once, or None for any number
    max_concurrent_tasks: int | None = None
    screenshots: bool = True  # whether pictures of the steps are kept
    recordings: bool = True  # whether recordings are kept


Operation = Callable[..., Any]
"""Takes the `Backend`, then the call's path, query and body objects, as far as it has them."""

OperationT = TypeVar("OperationT", bound=Operation)

OPERATIONS: dict[str, Operation] = {}
"""Operations by the name of their row."""


def operation(endpoint: Endpoint) -> Callable[[OperationT], OperationT]:
    """Let a function answer a row.

    Raises:
        ValueError: Another function answers it already.
    """

    def register(function: OperationT) -> OperationT:
        if endpoint.name in OPERATIONS:
            raise ValueError(f"two operations answer {endpoint}")
        OPERATIONS[endpoint.name] = function
        return function

    return register
