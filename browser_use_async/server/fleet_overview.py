"""What the page of the fleet asks: the queue, who works on what, and how old it all is."""

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from aiohttp import web

from browser_use_async.api.scalars import parse_timestamp
from browser_use_async.server.backend import Backend
from browser_use_async.server.keys.authorization import Authorization, Call
from browser_use_async.server.responses import json_response
from browser_use_async.server.shared_database import Node, Nodes
from browser_use_async.types import TaskStatus

# By the index of the tasks that have not ended. More would say no more about ages.
_AT_WORK = (
    "SELECT status, COALESCE(worker, ''), created_at FROM tasks WHERE finished_at IS NULL "
    "ORDER BY created_at LIMIT 10000"
)
_SILENCE = timedelta(minutes=2)
"""How long after its last word a server counts as there: it says so twice a minute."""

_DELIVERIES = "SELECT state, COUNT(*) FROM outbox GROUP BY state"

AGES = (10, 60, 300, 900, 3600)
"""Seconds at which one bar of the ages ends and the next one begins."""


def add_fleet_overview(
    application: web.Application,
    backend: Backend,
    authorization: Authorization,
    nodes: Nodes,
    worker: str,
    slots: int | None,
    now: Callable[[], datetime],
) -> None:
    """Add the route, which tells of the tasks of all owners, but of none what it is.

    Args:
        application: Where to add it.
        backend: The server.
        authorization: Lets keys with the scope `admin` in.
        nodes: What the servers say of themselves.
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
            "nodes": _nodes(ages, [Node(worker, slots, now()), *await nodes.all()], now()),
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


def _nodes(
    ages: Sequence[tuple[str, str, float]], said: Sequence[Node], now: datetime
) -> list[dict[str, Any]]:
    """This server, which is the first one, those that are there, and those that have tasks."""
    this = said[0]
    tasks: dict[str, list[float]] = {}
    for _, worker, age in ages:
        if worker:
            tasks.setdefault(worker, []).append(age)
    known = {each.worker: each for each in reversed(said)}
    here = [each for each, node in known.items() if now - node.seen_at <= _SILENCE]
    others = sorted({*here, *tasks} - {this.worker})
    return [
        {
            "id": worker,
            "is_this": worker == this.worker,
            "tasks": len(tasks.get(worker, ())),
            "slots": known[worker].slots if worker in known else None,
            "is_silent": worker not in here,
            "oldest": max(tasks.get(worker, ()), default=0),
        }
        for worker in (this.worker, *others)
    ]


def _histogram(ages: Sequence[float]) -> list[int]:
    """How many are younger than each of `AGES`, and than nothing."""
    bars = [0] * (len(AGES) + 1)
    for age in ages:
        bars[sum(age >= end for end in AGES)] += 1
    return bars
