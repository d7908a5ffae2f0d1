"""The batches of an owner: the tasks that have the same reserved pair of metadata."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime
from decimal import Decimal
from typing import Any

import attrs

from browser_use_async.api.submission_token import BATCH_KEY
from browser_use_async.prices import task_cents
from browser_use_async.server.admin.summary import (
    AT_ONCE,
    MOST_TASKS,
    Sums,
    add_reason,
    largest_reasons,
)
from browser_use_async.server.admin.task_overview import HAS_PAIR, SOME, pair_of
from browser_use_async.server.http.responses import Json
from browser_use_async.server.http.routes import admin_operation
from browser_use_async.server.keys.api_key import Scope
from browser_use_async.server.running_server import RunningServer
from browser_use_async.server.storage import Database
from browser_use_async.server.storage.rows import to_moment
from browser_use_async.server.storage.table import Table
from browser_use_async.types import FieldKind, FieldRule
from browser_use_async.types.base import ruled

MOST_BATCHES = 100
"""The latest batches in one answer."""

_LONGEST = 1000  # characters of a value of metadata


@attrs.frozen
class BatchName:
    """Which batch is asked for.

    Attributes:
        name: The beginning of the submission keys of its tasks.
    """

    name: str = ruled(FieldRule(FieldKind.TEXT, nullable=False, required=True, max_length=_LONGEST))


@attrs.frozen
class BatchTask:
    """What is asked of one task of a batch."""

    id: str
    metadata: dict[str, str]
    status: str
    created_at: datetime
    finished_at: datetime | None
    llm_model: str
    max_agent_steps: int
    steps: int
    judgement: str | None  # of its last step, if it failed

    @property
    def cents(self) -> Decimal:
        """What it has cost so far."""
        return task_cents(self.steps, self.llm_model, self.max_agent_steps)

    @property
    def milliseconds(self) -> int | None:
        """How long it took, if it has ended."""
        if self.finished_at is None:
            return None
        return round((self.finished_at - self.created_at).total_seconds() * 1000)


@attrs.define
class BatchSums(Sums):
    """What the tasks of one batch came to, added newest first."""

    name: str = ""
    begun_at: datetime | None = None
    ended_at: datetime | None = None  # the last end so far
    ended: int = 0
    ended_cents: Decimal = Decimal(0)
    reasons: dict[str, Sums] = attrs.field(factory=dict)

    def add_task(self, task: BatchTask) -> None:
        """Add a task."""
        self.add(task.status, 1, task.cents, task.milliseconds)
        self.begun_at = task.created_at
        if task.finished_at is not None:
            self.ended += 1
            self.ended_cents += task.cents
            self.ended_at = max(self.ended_at or task.finished_at, task.finished_at)
        if task.status == "failed":
            add_reason(
                *(self.reasons, task.judgement or "", task.id, task.cents, task.milliseconds)
            )

    def as_json(self) -> dict[str, Any]:
        """The sums as the pages read them."""
        return {
            "name": self.name,
            **super().as_json(),
            "at_work": self.tasks - self.ended,
            "begun_at": to_moment(self.begun_at),
            "ended_at": to_moment(self.ended_at),
        }

    def outlook(self, now: datetime) -> dict[str, Any]:
        """The pace of the ends, and what the tasks at work may still take, of the mean of those."""
        rest = self.tasks - self.ended
        until = now if rest else self.ended_at
        if not self.ended or self.begun_at is None or until is None:
            return {"per_minute": None, "rest": None}
        seconds = max(0.001, (until - self.begun_at).total_seconds())
        spent = self.cents - self.ended_cents
        coming = max(Decimal(0), self.ended_cents / self.ended * rest - spent)
        about = {"seconds": seconds / self.ended * rest, "cost_cents": f"{coming:.4f}"}
        return {"per_minute": 60 * self.ended / seconds, "rest": about if rest else None}


_STEPS = "(SELECT COUNT(*) FROM steps WHERE steps.task_id = tasks.id)"
_TASKS = Table(
    "tasks",
    BatchTask,
    renamed={
        "steps": _STEPS,
        "judgement": "CASE WHEN status = 'failed' THEN (SELECT evaluation_previous_goal FROM steps "
        "WHERE steps.task_id = tasks.id ORDER BY number DESC LIMIT 1) END",
    },
)


@admin_operation("admin_batches", "GET /admin/batches", Scope.READ)
async def show_batches(server: RunningServer) -> Json:
    """Lists the latest batches, of the latest 20,000 tasks."""
    found: dict[str, BatchSums] = {}
    async for task in _tasks(server.stores.database, server.owner, None):
        name = task.metadata[BATCH_KEY]
        if name in found or len(found) < MOST_BATCHES:
            found.setdefault(name, BatchSums(name=name)).add_task(task)
    return Json(batches=[each.as_json() for each in found.values()])


@admin_operation("admin_batch", "GET /admin/batch", Scope.READ, query=BatchName)
async def show_batch(server: RunningServer, query: BatchName) -> Json:
    """Sums up one batch, of the latest 20,000 tasks: ends, reasons, pace, and about the rest."""
    sums = BatchSums(name=query.name)
    async for task in _tasks(server.stores.database, server.owner, query.name):
        sums.add_task(task)
    reasons, others = largest_reasons(sums.reasons)
    return Json(
        **sums.as_json(),
        **sums.outlook(server.settings.now()),
        reasons=reasons,
        other_reasons=others,
    )


async def _tasks(at: Database, owner: str, name: str | None) -> AsyncIterator[BatchTask]:
    """The tasks of a batch, or of all of them, newest first and a thousand at a time."""
    statement = "SELECT tasks FROM accounts WHERE owner = :owner"
    newest = int(await at.value(statement, owner=owner) or 0)
    condition = f"{SOME} AND {HAS_PAIR} ORDER BY position DESC"
    for last in range(newest, max(0, newest - MOST_TASKS), -AT_ONCE):
        values = {
            "owner": owner,
            "first": last - AT_ONCE + 1,
            "last": last,
            "pair": pair_of(BATCH_KEY, name),
        }
        for task in await _TASKS.find(at, condition, **values):
            yield task
        await asyncio.sleep(0)
