"""Jobs of procrastinate, which are written in the transaction that writes what they are about."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import procrastinate
import psycopg
from procrastinate.exceptions import ConnectorException

from browser_use_async.postgres.connection import PASSING, POOL_SECONDS, AsyncPool

_LOGGER = logging.getLogger("browser_use_async")
_PAUSE = 0.3


QUEUES = {"task": "tasks", "delivery": "webhooks"}
"""The queue of each job."""


def new_app(parameters: dict[str, Any]) -> procrastinate.App:
    """The jobs in a database; it is opened by a server that does them."""
    return procrastinate.App(connector=SteadyConnector(parameters, 6))


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
        # An outage is what the transaction knows by psycopg's errors, and is done again after.
        raise error.__cause__ or error from None


class SteadyConnector(procrastinate.PsycopgConnector):
    """Waits for a database that is away, instead of ending the worker."""

    def __init__(self, parameters: dict[str, Any], size: int) -> None:
        super().__init__(
            kwargs=parameters,
            min_size=1,
            max_size=size,
            timeout=POOL_SECONDS,
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
        """Execute a statement, such as that a job has ended."""
        try:
            await self._again(super().execute_query_async, query, **arguments)
        except ConnectorException as error:
            # The job was handed to another process meanwhile, which has ended it.
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
        """Listen for notifications, again and again."""
        names = list(channels)
        while True:
            try:
                await super().listen_notify(on_notification, names)
            except ConnectorException as error:
                _LOGGER.debug("listening again after %r", error.__cause__)
            await asyncio.sleep(_PAUSE)


async def _use_autocommit(connection: psycopg.AsyncConnection) -> None:
    # A statement of procrastinate's is a transaction: without BEGIN and COMMIT it is one round trip
    # instead of three.
    await connection.set_autocommit(True)


def _pool(**options: Any) -> AsyncPool:
    # Not checked before each statement, another round trip: the connector repeats what fails.
    options["check"] = None
    # No pauses that double: a server whose heartbeat comes back late would be believed lost.
    options["reconnect_timeout"] = 0.0
    return AsyncPool(**options)
