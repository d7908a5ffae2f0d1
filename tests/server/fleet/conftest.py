"""Servers that share a database, in the test's own loop."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import psycopg
import pytest

from browser_use_async.server.storage.postgres.connection import SCHEMA
from tests.server.calling import Caller
from tests.support.patience import PATIENCE


@pytest.fixture(autouse=True)
def shared_key(server_key):
    """Each server of these tests has the same key for secrets, in other processes too."""


async def eventually(look: Callable[[], Awaitable[bool]]) -> None:
    """Wait until a condition is true that only a call can check."""
    async with asyncio.timeout(PATIENCE):
        while not await look():  # noqa: ASYNC110 - no event for it
            await asyncio.sleep(0.05)


async def reached(caller: Caller, task_id: str, status: str) -> Any:
    """Wait until a server shows that a task is in a status; its JSON."""

    async def has_reached() -> bool:
        return bool((await caller.task(task_id))["status"] == status)

    await eventually(has_reached)
    return await caller.task(task_id)


def stored_rows(postgres: str, statement: str) -> list[Any]:
    """The rows of the servers' database."""
    with psycopg.connect(postgres, options=f"-c search_path={SCHEMA}") as connection:
        return connection.execute(statement).fetchall()  # type: ignore[call-overload]


@asynccontextmanager
async def locked(
    postgres: str, statement: str
) -> AsyncIterator[Callable[[int], Awaitable[list[int]]]]:
    """Lock the rows of a statement.

    Yields what waits until this many others wait for the lock, and returns their processes.
    """
    waiting = "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    found: list[int] = []

    async def queued(count: int) -> list[int]:
        def are_waiting() -> bool:
            found[:] = [pid for (pid,) in stored_rows(postgres, waiting)]
            return len(found) >= count

        await eventually(lambda: asyncio.to_thread(are_waiting))
        return found

    options = f"-c search_path={SCHEMA}"
    async with await psycopg.AsyncConnection.connect(postgres, options=options) as connection:
        await connection.execute(statement)  # type: ignore[call-overload]
        yield queued
