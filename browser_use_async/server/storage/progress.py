"""The progress of a task: its state machine, its status, and its numbered steps.

Every transition that exists stands in the table. In a transaction a status is compared and set.
"""

import uuid
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from functools import cache
from typing import Any

import attrs

from browser_use_async.prices import step_cents
from browser_use_async.server.records import Step
from browser_use_async.server.storage.account import charge
from browser_use_async.server.storage.database import Database
from browser_use_async.server.storage.files import Files
from browser_use_async.server.storage.records import TaskRecord, screenshot_key, screenshot_name
from browser_use_async.server.storage.rows import from_json, to_json, to_moment
from browser_use_async.server.storage.table import Table
from browser_use_async.types import TaskStatus, TaskStep

_MOST = 8000  # characters: about 140 pauses; further ones are not written
_PAUSE, _RESUME = "p", "r"


def noting(is_pause: bool) -> str:
    """In SQL, the change of a row whose task is paused, or goes on, at `:now`."""
    mark, most = (_PAUSE, _MOST) if is_pause else (_RESUME, _MOST + 100)
    added = f"pauses || '{mark}' || :now || ' '"
    return f", pauses = CASE WHEN LENGTH(pauses) < {most} THEN {added} ELSE pauses END"


def paused_seconds(pauses: str, until: datetime) -> float:
    """How long a task was paused until a moment: that of its end, or now."""
    seconds, since = 0.0, None
    for each in pauses.split():
        moment = datetime.fromisoformat(each[1:])
        if each[0] == _PAUSE:
            since = since or moment
        elif since is not None:
            seconds += (moment - since).total_seconds()
            since = None
    if since is not None:
        seconds += (until - since).total_seconds()
    return max(0.0, seconds)


class TaskEvent(StrEnum):
    """The events of a task."""

    START = "start"
    PAUSE = "pause"
    RESUME = "resume"
    STOP = "stop"
    FINISH = "finish"
    FAIL = "fail"


_CREATED, _RUNNING, _PAUSED = TaskStatus.CREATED, TaskStatus.RUNNING, TaskStatus.PAUSED

TRANSITIONS: dict[tuple[TaskStatus, TaskEvent], TaskStatus] = {
    (_CREATED, TaskEvent.START): _RUNNING,
    (_CREATED, TaskEvent.STOP): TaskStatus.STOPPED,
    (_CREATED, TaskEvent.FAIL): TaskStatus.FAILED,
    (_RUNNING, TaskEvent.PAUSE): _PAUSED,
    (_RUNNING, TaskEvent.STOP): TaskStatus.STOPPED,
    (_RUNNING, TaskEvent.FINISH): TaskStatus.FINISHED,
    (_RUNNING, TaskEvent.FAIL): TaskStatus.FAILED,
    (_PAUSED, TaskEvent.RESUME): _RUNNING,
    (_PAUSED, TaskEvent.STOP): TaskStatus.STOPPED,
    (_PAUSED, TaskEvent.FAIL): TaskStatus.FAILED,
}

TARGETS = {event: status for (_, event), status in TRANSITIONS.items()}
"""The status of a task after an event."""

FENCE = " AND COALESCE(worker, :worker) = :worker"
"""The end of each statement of a worker: it changes no task of another worker."""

STEP = "step"
"""The announcement for a task that has taken a step, in place of its status."""

_STEPS = Table("steps", TaskStep, renamed={"step": "number"})


class TransitionRefusedError(Exception):
    """The event is not possible in the status of the task."""

    def __init__(self, status: TaskStatus, event: TaskEvent) -> None:
        super().__init__(f"a task that is {status} cannot {event}")
        self.status = status  # of the task
        self.event = event  # the refused event


@cache
def _statement(event: TaskEvent, *, is_worker: bool) -> str:
    """The change of a task by an event, if its status allows that."""
    before = ", ".join(f"'{status}'" for status, each in TRANSITIONS if each is event)
    target, fence = TARGETS[event], FENCE if is_worker else ""
    changes = ", finished_at = :now" if target.is_terminal else ""
    if event is TaskEvent.START:
        # The worker that begins a task owns it.
        changes, fence = ", started = 1" + (", worker = :worker" if is_worker else ""), ""
    elif not target.is_terminal:
        changes = noting(event is TaskEvent.PAUSE)
    return (
        f"UPDATE tasks SET status = '{target}', assignment = NULL{changes} "
        f"WHERE id = :id AND status IN ({before}){fence} RETURNING id"
    )


async def advance(
    at: Database, task_id: str, event: TaskEvent, now: datetime, worker: str | None
) -> None:
    """Apply an event to a task, in a transaction; of two concurrent ones the second is refused."""
    statement = _statement(event, is_worker=worker is not None)
    if not await at.rows(statement, id=task_id, now=to_moment(now), worker=worker):
        status = await at.value("SELECT status FROM tasks WHERE id = :id", id=task_id)
        raise TransitionRefusedError(TaskStatus(status or TaskStatus.STOPPED), event)


async def read_steps(at: Database, task_id: str) -> list[TaskStep]:
    """The steps of a task, in their order."""
    return await _STEPS.find(at, "task_id = :id ORDER BY number", id=task_id)


@attrs.frozen
class StepFacts:
    """What is known of a step beside what the API returns."""

    taken_at: str  # when it was reported; it lasts from the step before until then
    cents: Decimal
    problems: int | None  # errors and failed requests behind it; None if they were not noted

    def as_json(self) -> dict[str, Any]:
        """The facts in the form for pages."""
        cents = f"{self.cents:f}"
        return {"taken_at": self.taken_at, "cost_cents": cents, "problems": self.problems}


async def step_facts(at: Database, record: TaskRecord) -> list[StepFacts]:
    """The facts of each step of a task, in their order."""
    statement = "SELECT taken_at, problems FROM steps WHERE task_id = :id ORDER BY number"
    rows = await at.rows(statement, id=record.id)
    return [
        StepFacts(taken_at, cents_of_step(record, number), problems)
        for number, (taken_at, problems) in enumerate(rows, 1)
    ]


async def trace_of_step(at: Database, task_id: str, number: int) -> dict[str, Any] | None:
    """The trace of a step; None if there is none."""
    statement = "SELECT trace FROM steps WHERE task_id = :id AND number = :number"
    trace = await at.value(statement, id=task_id, number=number)
    return None if trace is None else dict(from_json(trace))


def cents_of_step(record: TaskRecord, number: int) -> Decimal:
    """What a step costs in US cents."""
    return step_cents(record.llm_model) if number <= record.max_agent_steps else Decimal(0)


async def insert_step(
    at: Database, record: TaskRecord, number: int, step: Step, now: datetime
) -> Decimal:
    """Store a step with its picture and charge it, in a transaction; only the first time.

    The step that says that no more may be taken is free. Returns what was charged.
    """
    picture = step.screenshot if record.takes_screenshots else None
    taken = TaskStep(
        str(uuid.uuid4()), number, step.evaluation_previous_goal, step.next_goal, step.url
    )
    once = "ON CONFLICT (task_id, number) DO NOTHING RETURNING number"
    trace = step.trace
    more: dict[str, Any] = {"task_id": record.id, "taken_at": now}
    if trace is not None:
        more |= {"trace": to_json(attrs.asdict(trace)), "problems": trace.problems}
    inserted = await _STEPS.insert(at, taken, once, **more)
    if not inserted:
        return Decimal(0)
    if picture is not None:
        await Files(at).put(screenshot_key(screenshot_name(record.id, number)), picture)
    cents = cents_of_step(record, number)
    if cents:
        await charge(at, record.owner, cents)
    return cents
