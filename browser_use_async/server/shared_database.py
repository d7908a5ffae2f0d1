"""The database that a server is given: one of its own, or one that others share.

Servers that share one announce themselves to each other in it.
"""

import os
import socket
from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import attrs
from yarl import URL

from browser_use_async.errors import ConfigurationError
from browser_use_async.postgres.address import is_postgres, require_packages
from browser_use_async.server.storage import Database, SqliteDatabase
from browser_use_async.server.storage.rows import to_moment
from browser_use_async.server.storage.table import Table

if TYPE_CHECKING:
    from browser_use_async.server.storage.postgres.database import PostgresDatabase

Role = Literal["api", "worker", "both"]

DEFAULT_SLOTS, DEFAULT_LEASE, DEFAULT_DRAIN = 10, 30, 600
LEAST_LEASE = 10
"""Seconds in which a busy machine still asks the database twice, before a worker gives up."""
_REMEMBERED = timedelta(hours=1)
"""How long a silent server is remembered: its tasks were taken from it long before."""


@attrs.frozen
class FleetSettings:
    """How a server takes part in what several with one database do."""

    role: Role = "both"
    slots: int = DEFAULT_SLOTS  # tasks that it carries out at once
    lease: float = DEFAULT_LEASE  # seconds after which a silent server has lost its tasks
    drain: float = DEFAULT_DRAIN  # seconds that its tasks have to end when it does
    node_url: str | None = None  # where people's browsers reach it

    @property
    def capacity(self) -> int:
        """Tasks that this server carries out at once; none if it leaves them to others."""
        return 0 if self.role == "api" else self.slots

    def __attrs_post_init__(self) -> None:
        if self.role not in get_args(Role):
            raise ConfigurationError(f"role must be api, worker or both, not {self.role!r}")
        if self.slots < 1:
            raise ConfigurationError("slots must be a whole number from 1")
        if not LEAST_LEASE <= self.lease <= 3600:
            raise ConfigurationError(
                f"lease must be a number of seconds from {LEAST_LEASE} to 3600; in less time a "
                "machine that is only busy could not be told from one that is lost"
            )
        if self.drain < 0:
            raise ConfigurationError("drain must be a number of seconds from 0")
        if self.node_url is not None and not _is_node_url(self.node_url):
            raise ConfigurationError(
                "node_url must be an address such as http://10.0.0.5:8765, without a path or user"
            )


def open_database(
    database: str | os.PathLike[str],
) -> "SqliteDatabase | PostgresDatabase":
    """SQLite in a file or in memory, or PostgreSQL, which is still to be opened.

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
    """What a server would find at its start: names of what is right, with a sentence about each.

    Raises:
        ConfigurationError: It would not start, for this reason.
    """
    if not is_postgres(address):
        raise ConfigurationError("servers share a database in PostgreSQL, postgresql://…")
    require_packages("a database", "psycopg", "psycopg_pool", "procrastinate")
    from browser_use_async.server.storage.postgres.diagnosis import examine  # noqa: PLC0415

    async for found in examine(address):
        yield found


def fleet_settings_of(
    database: object,
    api_key: str | None,
    role: str,
    slots: int | None,
    browsers: int | None,
    lease: float | None,
    drain: float | None,
    node_url: str | None,
) -> FleetSettings:
    """The settings that were given.

    Raises:
        ConfigurationError: They are wrong, or the database is of this server alone.
    """
    options: dict[str, Any] = {"slots": slots, "lease": lease, "drain": drain}
    if node_url is not None:
        options["node_url"] = node_url.replace("{hostname}", socket.gethostname())
    given = {name: value for name, value in options.items() if value is not None}
    defaults = {} if browsers is None else {"slots": browsers}
    settings = FleetSettings(role=role, **{**defaults, **given})  # type: ignore[arg-type]
    if not is_postgres(database):
        if given or role != "both":
            raise ConfigurationError(
                "role, slots, lease, drain and node_url are for servers that share a database, "
                "postgresql://…"
            )
        return settings
    if api_key is None:
        raise ConfigurationError(
            "servers that share a database need the same api_key, which has to be given"
        )
    return settings


def _is_node_url(text: str) -> bool:
    try:
        url = URL(text)
    except ValueError:
        return False
    is_plain = not (url.user or url.password or url.query_string or url.fragment)
    return url.scheme in {"http", "https"} and bool(url.host) and is_plain and url.path == "/"


# --- the servers that share it --------------------------------------------------------------


@attrs.frozen
class Node:
    """A server that carries out tasks, as it last said."""

    worker: str
    url: str  # empty if it has none
    slots: int
    seen_at: datetime


_NODES = Table("nodes", Node)


class Nodes:
    """What servers of one database announce to each other: that they are there, and where."""

    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        self._database = database
        self._now = now

    async def announce(self, worker: str, url: str | None, slots: int) -> None:
        """Say where a server is reached, if it is, and forget those that are silent for long."""
        now = self._now()
        node = {"worker": worker, "url": url or "", "slots": slots, "seen_at": now}
        await self._database.put("nodes", "worker", node)
        await self._database.rows(
            "DELETE FROM nodes WHERE seen_at < :oldest", oldest=to_moment(now - _REMEMBERED)
        )

    async def withdraw(self, worker: str) -> None:
        """Forget a server that ends."""
        await self._database.delete("nodes", worker=worker)

    async def all(self) -> list[Node]:
        """The servers that have said so within the hour."""
        return await _NODES.find(self._database, "1 = 1 ORDER BY worker")

    async def url(self, worker: str) -> str | None:
        """Where people's browsers reach a server, or None if it has not said so."""
        node = await _NODES.first(self._database, worker=worker)
        return (node and node.url) or None
