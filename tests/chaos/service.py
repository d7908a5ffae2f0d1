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

from tests.chaos.lies import HONEST, ListLies

__all__ = ["EPOCH", "PREFIX", "Life", "LookAlike", "ScriptedTask"]

EPOCH = datetime(2025, 6, 1, tzinfo=UTC)  # the service's time when the loop's clock shows 0
PREFIX = "/api/v1"
MAX_LIMIT = 100

Answer = tuple[int, Any]


@attrs.frozen
class Life:
    """How tasks live, unless they are stopped.

    Attributes:
        seconds: The shortest and the longest time from creation to end; ignored with `steps`.
        failing: The share of tasks that fail instead of finishing.
        steps: The numbers of steps to draw from; None draws no more than a few.
        step_seconds: How long a step takes, with `steps`.
        created: Seconds for which a task is `created` before it is `running`.
    """

    seconds: tuple[float, float] = (20.0, 90.0)
    failing: float = 0.1
    steps: tuple[int, ...] | None = None
    step_seconds: float = 4.0
    created: float = 1.0


@attrs.define(eq=False)
class ScriptedTask:
    """One task.

    Attributes:
        id: Its id.
        text: Its instructions.
        metadata: Its pairs.
        born: When it was created, in seconds of the loop.
        ends: When it ends by itself.
        end: How: "finished" or "failed".
        steps: How many steps it takes to its end.
        stopped_at: When it was stopped before, or None.
        running_after: Seconds for which it is `created`.
    """

    id: str
    text: str
    metadata: dict[str, str]
    born: float
    ends: float
    end: str
    steps: int
    stopped_at: float | None = None
    running_after: float = 1.0

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
            return "created" if now < self.born + self.running_after else "running"
        return self.end if self.stopped_at is None else "stopped"

    def steps_by(self, now: float) -> int:
        """How many steps it has taken."""
        part = (min(now, self.ended_at) - self.born) / (self.ends - self.born)
        return self.steps if part >= 1.0 else int(self.steps * part)


class LookAlike:
    """The tasks, and the calls that create, show and stop them.

    Args:
        now: The loop's clock.
        rng: The source of chance.
        life: How tasks live.
        lies: In what the list differs from the truth.
        rows_tell_metadata: Whether list rows carry metadata.
        list_lag: Seconds after which the list shows a new task.
        slots: How many tasks may run at once, or None for any number.
        false_ends: Whether status and task say "finished" of what still runs.
    """

    def __init__(
        self,
        now: Callable[[], float],
        rng: random.Random,
        *,
        life: Life,
        lies: ListLies = HONEST,
        rows_tell_metadata: bool = True,
        list_lag: float = 0.0,
        slots: int | None = None,
        false_ends: bool = False,
    ) -> None:
        self._now = now
        self._rng = rng
        self._lying_rng = random.Random(rng.getrandbits(64))  # the same lives with and without
        self._life = life
        self._lies = lies
        self._rows_tell_metadata = rows_tell_metadata
        self._list_lag = list_lag
        self._slots = slots
        self._false_ends = false_ends
        self.tasks: dict[str, ScriptedTask] = {}
        self.by_job: defaultdict[str, list[ScriptedTask]] = defaultdict(list)
        self._in_order: list[ScriptedTask] = []  # oldest first

    # --- what happens without a call ----------------------------------------------------------

    def create(self, text: str, metadata: dict[str, str]) -> ScriptedTask:
        """Create a task, whoever asked for it."""
        now, life, rng = self._now(), self._life, self._rng
        if life.steps is None:
            seconds, steps = rng.uniform(*life.seconds), rng.randrange(1, 6)
        else:
            steps = rng.choice(life.steps)
            seconds = life.created + steps * life.step_seconds
        task_id = f"{rng.getrandbits(32):08x}-0000-4000-8000-{len(self.tasks):012x}"
        end = "failed" if rng.random() < life.failing else "finished"
        task = ScriptedTask(task_id, text, metadata, now, now + seconds, end, steps)
        task.running_after = life.created
        self.tasks[task_id] = task
        if task.job is not None:
            self.by_job[task.job].append(task)
        self._in_order.append(task)
        return task

    def running(self) -> int:
        """How many tasks have not ended."""
        now = self._now()
        return sum(not task.has_ended(now) for task in self._in_order)

    # --- the calls ----------------------------------------------------------------------------

    def run_task(self, body: bytes) -> Answer:
        """POST run-task."""
        if self._slots is not None and self.running() >= self._slots:
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
        rows = self._lies.rows(rows, self._lying_rng)
        total = self._lies.total(count, self._lying_rng)
        return 200, {
            "tasks": rows,
            "total_pages": -(-total // limit),
            "page": page,
            "limit": limit,
            "total_count": total,
        }

    def _listed(self) -> int:
        if not self._list_lag:
            return len(self._in_order)
        return bisect_right(
            self._in_order, self._now() - self._list_lag, key=lambda task: task.born
        )

    # --- what a task looks like ---------------------------------------------------------------

    def _status(self, task: ScriptedTask) -> str:
        return "finished" if self._false_ends else task.status(self._now())

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
        if self._rows_tell_metadata:
            row["metadata"] = task.metadata
        return row


def _timestamp(seconds: float) -> str:
    return (EPOCH + timedelta(seconds=seconds)).isoformat(timespec="microseconds")
