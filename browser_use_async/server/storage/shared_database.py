"""The database that a server is given: one of its own, or one that others share.

Servers that share one announce themselves to each other in it.
"""

import os
from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from browser_use_async.errors import ConfigurationError
from browser_use_async.postgres.address import is_postgres, require_packages
from browser_use_async.server.storage import Database, SqliteDatabase
from browser_use_async.server.storage.rows import to_moment
from browser_use_async.server.storage.table import Table

if TYPE_CHECKING:
    from browser_use_async.server.storage.postgres.database import PostgresDatabase

LONGEST_INTERVAL = 30.0
"""Seconds from one announcement of a server to the next, at most."""
_SILENT_SECONDS = int(3 * LONGEST_INTERVAL)
"""Seconds after its last announcement for which a server counts as live."""
_UNLIKE = (
    "this server {this} submission keys and the other servers of {place} {others}, so a call that "
    "is repeated at another server could be paid twice: start it {how} --no-submission-keys, or "
    "end the other servers first (one that was killed counts for {seconds} seconds)"
)
_REMEMBERED = timedelta(hours=1)
"""How long a silent server is remembered: its tasks were taken from it long before."""


def open_database(
    database: str | os.PathLike[str],
) -> "SqliteDatabase | PostgresDatabase":
    """SQLite in a file or in memory, or PostgreSQL; not opened yet.

    Raises:
        ConfigurationError: It cannot be used, or a package for it is missing.
    """
    if isinstance(database, str) and is_postgres(database):
        require_packages("a database", "psycopg", "psycopg_pool", "procrastinate")
        from browser_use_async.server.storage.postgres.database import (  # noqa: PLC0415
            PostgresDatabase,
        )

        return PostgresDatabase(database)
    return SqliteDatabase(None if database == ":memory:" else Path(database))


async def examine_database(address: str) -> AsyncIterator[tuple[str, str]]:
    """The checks of a server at its start: the names of what is right, each with a sentence.

    Raises:
        ConfigurationError: A server would not start; the text says why.
    """
    if not is_postgres(address):
        raise ConfigurationError("servers share a database in PostgreSQL, postgresql://…")
    require_packages("a database", "psycopg", "psycopg_pool", "procrastinate")
    from browser_use_async.server.storage.postgres.diagnosis import examine  # noqa: PLC0415

    async for found in examine(address):
        yield found


# --- the servers that share it --------------------------------------------------------------


@attrs.frozen
class Node:
    """A server, by its last announcement."""

    worker: str
    url: str  # empty if it has none
    slots: int  # 0 if it carries out no tasks
    keeps_keys: bool  # whether it keeps submission keys
    seen_at: datetime


_NODES = Table("nodes", Node)


def _unlike_others(place: str, *, keeps_keys: bool) -> str:
    this, others, how = ("keeps", "keep none", "with")
    if not keeps_keys:
        this, others, how = ("keeps no", "keep them", "without")
    return _UNLIKE.format(this=this, place=place, others=others, how=how, seconds=_SILENT_SECONDS)


class Nodes:
    """The servers of one database, as they announce themselves to each other."""

    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        self._database = database
        self._now = now

    async def join(self, worker: str, url: str | None, slots: int, *, keeps_keys: bool) -> None:
        """Announce a server that starts.

        Raises:
            ConfigurationError: It keeps submission keys and a live server does not, or the other
                way round.
        """

        async def work(at: Database) -> None:
            # Of two servers that start at once, the second one waits here, and then sees the first.
            await at.rows("LOCK TABLE nodes IN SHARE ROW EXCLUSIVE MODE")
            if await self._is_live(at, keeps_keys=not keeps_keys):
                raise ConfigurationError(_unlike_others(at.place, keeps_keys=keeps_keys))
            await self._put(at, Node(worker, url or "", slots, keeps_keys, self._now()))

        await self._database.transact(work)

    async def announce(self, worker: str, url: str | None, slots: int, *, keeps_keys: bool) -> None:
        """Announce a server and its address again, and delete servers that were silent for long."""
        now = self._now()
        await self._put(self._database, Node(worker, url or "", slots, keeps_keys, now))
        await self._database.rows(
            "DELETE FROM nodes WHERE seen_at < :oldest", oldest=to_moment(now - _REMEMBERED)
        )

    async def withdraw(self, worker: str) -> None:
        """Delete a server that ends."""
        await self._database.delete("nodes", worker=worker)

    async def all(self) -> list[Node]:
        """The servers that carry out tasks, and were announced within an hour."""
        return await _NODES.find(self._database, "slots > 0 ORDER BY worker")

    async def all_keep_keys(self) -> bool:
        """Whether all live servers keep submission keys.

        One that stood still may come back to servers that have started without keys.
        """
        return not await self._is_live(self._database, keeps_keys=False)

    async def url(self, worker: str) -> str | None:
        """The address of a server for people's browsers, or None if it has none."""
        node = await _NODES.first(self._database, worker=worker)
        return (node and node.url) or None

    async def _put(self, at: Database, node: Node) -> None:
        await at.put("nodes", "worker", _NODES.values(node))

    async def _is_live(self, at: Database, *, keeps_keys: bool) -> bool:
        """Whether a live server keeps submission keys, or keeps none."""
        condition = "keeps_keys = :keeps_keys AND seen_at >= :since"
        since = self._now() - timedelta(seconds=_SILENT_SECONDS)
        found = await _NODES.first(at, condition, keeps_keys=keeps_keys, since=since)
        return found is not None
