"""What the page of the fleet asks: the queue, who works on what, and how old it all is."""

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from aiohttp import web

from browser_use_async.api.scalars import parse_timestamp
from browser_use_async.server.backend import Backend
from browser_use_async.server.keys.authorization import Authorization, Call
from browser_use_async.server.responses import json_response
from browser_use_async.types import TaskStatus

# By the index of the tasks that have not ended. More would say no more about ages.
_AT_WORK = (
    "SELECT status, COALESCE(worker, ''), created_at FROM tasks WHERE finished_at IS NULL "
    "ORDER BY created_at LIMIT 10000"
)
_DELIVERIES = "SELECT state, COUNT(*) FROM outbox GROUP BY state"

AGES = (10, 60, 300, 900, 3600)
"""Seconds at which one bar of the ages ends and the next one begins."""


def add_fleet_overview(
    application: web.Application,
    backend: Backend,
    authorization: Authorization,
    worker: str,
    slots: int | None,
    now: Callable[[], datetime],
) -> None:
    """Add the route, which tells of the tasks of all owners, but of none what it is.

    Args:
        application: Where to add it.
        backend: The server.
        authorization: Lets keys with the scope `admin` in.
        worker: By which name this server begins tasks.
        slots: How many tasks it carries out at once, or None for any number.
        now: The time, by which ages are told.
    """

    async def show_fleet(_request: web.Request, _call: Call) -> web.Response:
        """Tell of the servers that carry out tasks, the queue, ages and deliveries."""
        rows = await backend.database.rows(_AT_WORK)
        ages = [(status, node, _age(created_at, now())) for status, node, created_at in rows]
        deliveries = dict(map(tuple, await backend.database.rows(_DELIVERIES)))
        count = backend.runner.count
        answer = {
            "is_shared": backend.database.is_shared,
            "nodes": _nodes(ages, worker),
            "slots": slots,
            "slots_free": None if slots is None else max(0, slots - count),
            "statuses": Counter(status for status, _, _ in ages),
            "queued": _histogram([age for status, _, age in ages if status == TaskStatus.CREATED]),
            "begun": _histogram([age for status, _, age in ages if status != TaskStatus.CREATED]),
            "ends": AGES,
            "deliveries": deliveries,
        }
        return json_response(answer)

    guarded = authorization.guard("admin_fleet", show_fleet)
    application.router.add_get("/admin/fleet", guarded, name="admin_fleet")


def _age(created_at: str, now: datetime) -> float:
    created = parse_timestamp(created_at)
    return 0.0 if created is None else max(0.0, (now - created).total_seconds())


def _nodes(ages: Sequence[tuple[str, str, float]], worker: str) -> list[dict[str, Any]]:
    """Each server that has begun tasks, and this one, with the age of its oldest task."""
    found: dict[str, list[float]] = {worker: []}
    for _, node, age in ages:
        if node:
            found.setdefault(node, []).append(age)
    return [
        {"id": node, "is_this": node == worker, "tasks": len(some), "oldest": max(some, default=0)}
        for node, some in found.items()
    ]


def _histogram(ages: Sequence[float]) -> list[int]:
    """How many are younger than each of `AGES`, and than nothing."""
    bars = [0] * (len(AGES) + 1)
    for age in ages:
        bars[sum(age >= end for end in AGES)] += 1
    return bars
