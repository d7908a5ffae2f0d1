"""The servers that carry out tasks, and where others reach them."""

from collections.abc import Callable
from datetime import datetime, timedelta

import attrs

from browser_use_async.server.storage.database import Database
from browser_use_async.server.storage.rows import to_moment
from browser_use_async.server.storage.table import Table

_KEPT = timedelta(hours=1)
"""How long a silent server is remembered: its tasks were taken from it long before."""


@attrs.frozen
class Node:
    """A server that carries out tasks, as it last said."""

    worker: str
    slots: int | None  # None of a server of an older version
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
            "DELETE FROM nodes WHERE seen_at < :oldest", oldest=to_moment(now - _KEPT)
        )

    async def withdraw(self, worker: str) -> None:
        """Forget a server that ends."""
        await self._database.delete("nodes", worker=worker)

    async def all(self) -> list[Node]:
        """The servers that have said so within the hour."""
        return await _NODES.find(self._database, "1 = 1 ORDER BY worker")

    async def of_task(self, task_id: str) -> tuple[str | None, str | None]:
        """Which server has a task, and where it is reached; None for what nobody said."""
        found = await self._database.first(
            "SELECT tasks.worker, NULLIF(nodes.url, '') FROM tasks "
            "LEFT JOIN nodes ON nodes.worker = tasks.worker "
            "WHERE tasks.id = :id AND tasks.finished_at IS NULL",
            id=task_id,
        )
        worker, url = found or (None, None)
        return worker, url
