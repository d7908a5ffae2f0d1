"""Jobs of procrastinate, written in the transaction of their tasks and events."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import procrastinate
import psycopg
from procrastinate.exceptions import ConnectorException

from browser_use_async.postgres.connection import PASSING
from browser_use_async.server.storage.postgres.connection import ServerPool

_LOGGER = logging.getLogger("browser_use_async")
_PAUSE = 0.3
_CONNECTIONS = 6

QUEUES = {"task": "tasks", "delivery": "webhooks"}
"""The queue of each job."""


def new_app(parameters: dict[str, Any]) -> procrastinate.App:
    """Return the app of the jobs in a database; a server that does jobs opens it."""
    return procrastinate.App(connector=SteadyConnector(parameters))


async def defer(
    app: procrastinate.App,
    connection: psycopg.AsyncConnection,
    job: str,
    lock: str | None,
    behind: int,
    **arguments: Any,
) -> None:
    """Write a job, in the transaction of a connection."""
    options = {
        "queue": QUEUES[job],
        "lock": lock,
        "priority": -behind,
        "connection": connection,
    }
    try:
        await app.configure_task(job, **options, allow_unknown=True).defer_async(**arguments)
    except ConnectorException as error:
        # The transaction recognises outages by psycopg's errors, and is then repeated.
        raise error.__cause__ or error from None


class SteadyConnector(procrastinate.PsycopgConnector):
    """Waits for an unavailable database, instead of ending the worker."""

    def __init__(self, parameters: dict[str, Any]) -> None:
        super().__init__(
            kwargs=parameters,
            min_size=1,
            max_size=_CONNECTIONS,
            configure=_use_autocommit,
            pool_factory=_pool,
        )

    async def _again(self, call: Callable[..., Awaitable[Any]], *given: Any, **named: Any) -> Any:
        while True:
            try:
                return await call(*given, **named)
            except ConnectorException as error:
                if not isinstance(error.__cause__, PASSING):
                    raise
            await asyncio.sleep(_PAUSE)

    async def execute_query_async(self, query: Any, **arguments: Any) -> None:
        """Execute a statement, such as the end of a job."""
        try:
            await self._again(super().execute_query_async, query, **arguments)
        except ConnectorException as error:
            # Another process has taken over the job meanwhile, and ended it.
            if not isinstance(error.__cause__, psycopg.errors.RaiseException):
                raise
            _LOGGER.debug("a job was ended elsewhere: %s", error.__cause__)

    async def execute_query_one_async(self, query: Any, **arguments: Any) -> dict[str, Any]:
        """Fetch one row."""
        row: dict[str, Any] = await self._again(super().execute_query_one_async, query, **arguments)
        return row

    async def execute_query_all_async(self, query: Any, **arguments: Any) -> list[dict[str, Any]]:
        """Fetch all rows."""
        rows: list[dict[str, Any]] = await self._again(
            super().execute_query_all_async, query, **arguments
        )
        return rows

    async def listen_notify(self, on_notification: Any, channels: Iterable[str]) -> None:
        """Listen for notifications, and connect again after outages."""
        names = list(channels)
        while True:
            try:
                await super().listen_notify(on_notification, names)
            except ConnectorException as error:
                _LOGGER.debug("listening again after %r", error.__cause__)
            await asyncio.sleep(_PAUSE)


async def _use_autocommit(connection: psycopg.AsyncConnection) -> None:
    # Each statement of procrastinate is its own transaction. Without BEGIN and COMMIT, it is one
    # round trip instead of three.
    await connection.set_autocommit(True)


def _pool(**options: Any) -> ServerPool:
    # No check before each statement, which is another round trip: the connector repeats failures.
    options["check"] = None
    return ServerPool(**options)
