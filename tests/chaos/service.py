"""The look-alike: which tasks exist, how each of them lives, and what the calls say about them.

Written from the API's specification alone. The life of each task is drawn when it is created, so
that what a wait returned can be compared with what was true.
"""

import json
import random
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs

from tests.chaos.laws import Laws

__all__ = ["EPOCH", "PREFIX", "Answer", "LookAlike", "ScriptedTask"]

EPOCH = datetime(2025, 6, 1, tzinfo=UTC)  # the service's time when the loop's clock shows 0
PREFIX = "/api/v1"
MAX_LIMIT = 100

Answer = tuple[int, Any]


@attrs.define(eq=False)
class ScriptedTask:
    """One task, and all that will happen to it unless it is stopped. Times are the loop's."""

    id: str
    text: str
    metadata: dict[str, str]
    born: float
    runs: float
    ends: float
    end: str  # "finished" or "failed"
    steps: int
    stopped_at: float | None = None

    @property
    def job(self) -> str | None:
        """The name that a client of the bench gave it; tasks of others have none."""
        return self.metadata.get("job")

    @property
    def ended_at(self) -> float:
        """When it really ends."""
        return self.ends if self.stopped_at is None else self.stopped_at

    def has_ended(self, now: float) -> bool:
        """Whether it is over."""
        return now >= self.ended_at

    def status(self, now: float) -> str:
        """What is true of it."""
        if not self.has_ended(now):
            return "created" if now < self.runs else "running"
        return self.end if self.stopped_at is None else "stopped"

    def steps_by(self, now: float) -> int:
        """How many steps it has taken."""
        part = (min(now, self.ended_at) - self.born) / (self.ends - self.born)
        return self.steps if part >= 1.0 else int(self.steps * part)


class LookAlike:
    """The tasks, and the calls that create, show and stop them."""

    def __init__(self, now: Callable[[], float], rng: random.Random, laws: Laws) -> None:
        self._now = now
        self._rng = rng
        self._lying_rng = random.Random(rng.getrandbits(64))  # the same lives with and without
        self._laws = laws
        self._in_order: list[ScriptedTask] = []  # oldest first
        self.tasks: dict[str, ScriptedTask] = {}
        self.by_job: defaultdict[str, list[ScriptedTask]] = defaultdict(list)

    # --- what happens without a call ----------------------------------------------------------

    def create(self, text: str, metadata: dict[str, str]) -> ScriptedTask:
        """Create a task, whoever asked for it."""
        now, life, rng = self._now(), self._laws.life, self._rng
        if life.steps:
            steps = rng.choice(life.steps)
            seconds = life.created_seconds + steps * life.step_seconds
        else:
            seconds, steps = rng.uniform(*life.seconds), rng.randrange(1, 6)
        task_id = f"{rng.getrandbits(32):08x}-0000-4000-8000-{len(self.tasks):012x}"
        end = "failed" if rng.random() < life.failing else "finished"
        runs = now + life.created_seconds
        task = ScriptedTask(task_id, text, metadata, now, runs, now + seconds, end, steps)
        self.tasks[task_id] = task
        if task.job is not None:
            self.by_job[task.job].append(task)
        self._in_order.append(task)
        return task

    # --- the calls ----------------------------------------------------------------------------

    def run_task(self, body: bytes) -> Answer:
        """POST run-task."""
        now, slots = self._now(), self._laws.slots
        if slots is not None and sum(not task.has_ended(now) for task in self._in_order) >= slots:
            return 429, {"detail": "Too many concurrent active sessions. Please wait for one."}
        asked = json.loads(body)
        return 200, {"id": self.create(asked["task"], asked.get("metadata") or {}).id}

    def get_task(self, task_id: str) -> Answer:
        """GET task/{task_id}."""
        task = self.tasks.get(task_id)
        if task is None:
            return 404, {"detail": "Task not found"}
        return 200, {**self._row(task), "metadata": task.metadata, "steps": self._steps(task)}

    def get_status(self, task_id: str) -> Answer:
        """GET task/{task_id}/status."""
        task = self.tasks.get(task_id)
        if task is None:
            return 404, {"detail": "Task not found"}
        return 200, self._status(task)

    def stop_task(self, task_id: str) -> Answer:
        """PUT stop-task."""
        task, now = self.tasks.get(task_id), self._now()
        if task is None:
            return 404, {"detail": "Task not found"}
        if task.has_ended(now):
            return 400, {"detail": "Agent session already stopped"}
        task.stopped_at = now
        return 200, None

    def list_tasks(self, page: int, limit: int) -> Answer:
        """GET tasks: newest first."""
        limit = min(max(limit, 1), MAX_LIMIT)
        count = self._listed()
        last = count - (page - 1) * limit
        shown = self._in_order[max(last - limit, 0) : max(last, 0)][::-1]
        rows = [self._list_row(task) for task in shown]
        rows = self._laws.lies.rows(rows, self._lying_rng)
        total = self._laws.lies.total(count, self._lying_rng)
        return 200, {
            "tasks": rows,
            "total_pages": -(-total // limit),
            "page": page,
            "limit": limit,
            "total_count": total,
        }

    def _listed(self) -> int:
        if not self._laws.list_lag:
            return len(self._in_order)
        return bisect_right(
            self._in_order, self._now() - self._laws.list_lag, key=lambda task: task.born
        )

    # --- what a task looks like ---------------------------------------------------------------

    def _status(self, task: ScriptedTask) -> str:
        return "finished" if self._laws.false_ends else task.status(self._now())

    def _steps(self, task: ScriptedTask) -> list[dict[str, Any]]:
        return [
            {
                "id": f"{task.id[:8]}-step-{number}",
                "step": number,
                "evaluation_previous_goal": "Done.",
                "next_goal": f"Goal {number}",
                "url": "https://site.example/",
            }
            for number in range(1, task.steps_by(self._now()) + 1)
        ]

    def _row(self, task: ScriptedTask) -> dict[str, Any]:
        status = self._status(task)
        ended = status in {"finished", "failed", "stopped"}
        return {
            "id": task.id,
            "task": task.text,
            "output": "It is done." if status == "finished" else None,
            "status": status,
            "created_at": _timestamp(task.born),
            "finished_at": _timestamp(task.ended_at) if ended else None,
            "live_url": None if ended else f"https://live.example/{task.id}",
        }

    def _list_row(self, task: ScriptedTask) -> dict[str, Any]:
        row = self._row(task)
        if self._laws.rows_tell_metadata:
            row["metadata"] = task.metadata
        return row


def _timestamp(seconds: float) -> str:
    return (EPOCH + timedelta(seconds=seconds)).isoformat(timespec="microseconds")
