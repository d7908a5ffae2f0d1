"""The tasks as the server's own pages list them, with what is asked of all of them."""

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

import attrs

from browser_use_async.prices import task_cents
from browser_use_async.server.storage import Database
from browser_use_async.server.storage.progress import paused_seconds
from browser_use_async.server.storage.records import (
    output_key,
    recording_key,
    remote_cents,
    screenshot_name,
)
from browser_use_async.server.storage.rows import beginning, to_json, to_text
from browser_use_async.server.storage.table import Table

_BOUNDS = {"since": "created_at >=", "until": "created_at <"}
# What a list shows of an output; the task itself has the rest.
_SHOWN_CHARACTERS = 300


@attrs.frozen
class OverviewRow:
    """A task as the page lists it; moments are in the form in which they are stored."""

    position: int
    id: str
    task: str
    status: str
    created_at: str
    finished_at: str | None
    output: str | None  # as much of it as is shown, or more
    llm_model: str
    max_agent_steps: int
    takes_screenshots: bool
    files_expired: bool
    steps: int
    goal: str | None
    judgement: str | None
    pauses: str
    remote: str | None

    @property
    def screenshot(self) -> str | None:
        """The name of the picture of the last step, if there is one."""
        has_one = self.steps and self.takes_screenshots and not self.files_expired
        return screenshot_name(self.id, self.steps) if has_one else None

    @property
    def cost_cents(self) -> Decimal:
        """What the task has cost so far, in US cents."""
        if self.remote is not None:
            return remote_cents(self.remote)
        return task_cents(self.steps, self.llm_model, self.max_agent_steps)

    def seconds(self, now: datetime) -> float:
        """How long the task was at work, or has been until now, without its pauses."""
        until = now if self.finished_at is None else datetime.fromisoformat(self.finished_at)
        whole = (until - datetime.fromisoformat(self.created_at)).total_seconds()
        return whole - self.paused_seconds(now)

    def paused_seconds(self, now: datetime) -> float:
        """For how long it was paused."""
        until = now if self.finished_at is None else datetime.fromisoformat(self.finished_at)
        return paused_seconds(self.pauses, until)

    @property
    def shown_output(self) -> str | None:
        """The beginning of the output."""
        return self.output and self.output[:_SHOWN_CHARACTERS]

    @property
    def failure(self) -> str | None:
        """Why the task failed, which stands in its last step."""
        return self.judgement if self.status == "failed" else None


@attrs.frozen
class Sought:
    """What a list is to show."""

    statuses: tuple[str, ...] = ()  # none stands for all
    text: str = ""  # a part of the task's text, in either case
    metadata: tuple[str, str | None] | None = None  # a name and its value, or any value
    schedule: str = ""  # the id of the schedule that started them
    since: str | None = None  # created at this moment or later, as moments are stored
    until: str | None = None  # created before this moment
    before: int | None = None  # the position of the last row of the page before this one
    limit: int = 50

    def restrict(self, conditions: list[str]) -> dict[str, Any]:
        """Add the conditions of each row, in SQL; returns the values of its parameters."""
        values: dict[str, Any] = {}
        if self.statuses:
            values = {f"status{number}": each for number, each in enumerate(self.statuses)}
            conditions.append(f"status IN ({', '.join(':' + name for name in values)})")
        for name, column in _BOUNDS.items():
            if (value := getattr(self, name)) is not None:
                conditions.append(f"{column} :{name}")
                values[name] = value
        if self.metadata is not None:
            # Nothing else in the JSON reads the same: within a text quotation marks are escaped.
            name, value = self.metadata
            pair = f"{to_json(name)}:" + ("" if value is None else to_json(value))
            conditions.append("LOWER(metadata) LIKE :metadata ESCAPE '!'")
            values["metadata"] = _pattern(pair.lower())
        if self.schedule:
            runs = "SELECT task_id FROM schedule_runs WHERE schedule_id = :schedule"
            conditions.append(f"id IN ({runs})")
            values["schedule"] = to_text(self.schedule)
        if self.text:
            conditions.append("LOWER(task) LIKE LOWER(:text) ESCAPE '!'")
            values["text"] = _pattern(to_text(self.text))
        return values


def _pattern(text: str) -> str:
    """A pattern of LIKE that matches where a text stands."""
    for special in "!%_":
        text = text.replace(special, "!" + special)
    return f"%{text}%"


@attrs.frozen
class TaskWithFiles:
    """A task that has made files which are still there."""

    id: str
    task: str
    finished_at: datetime
    output_files: list[str]
    recordings: list[str]

    @property
    def files(self) -> dict[str, str]:
        """The keys of the files, by their names."""
        named = enumerate(self.output_files)
        outputs = {name: output_key(self.id, place) for place, name in named}
        return outputs | {name: recording_key(name) for name in self.recordings}


_LAST = "(SELECT {column} FROM steps WHERE steps.task_id = tasks.id ORDER BY number DESC LIMIT 1)"
_OVERVIEW = Table(
    "tasks",
    OverviewRow,
    renamed={
        "output": beginning("output", _SHOWN_CHARACTERS),
        "steps": "(SELECT COUNT(*) FROM steps WHERE steps.task_id = tasks.id)",
        "goal": _LAST.format(column="next_goal"),
        "judgement": _LAST.format(column="evaluation_previous_goal"),
    },
)
_WITH_FILES = Table("tasks", TaskWithFiles)
_SOME = "owner = :owner AND position BETWEEN :first AND :last"
_NEWEST_FIRST = "ORDER BY position DESC LIMIT :most"


async def find_task_row(at: Database, owner: str, task_id: str) -> OverviewRow | None:
    """The row of one task in the list of its owner, or None."""
    return await _OVERVIEW.first(at, "id = :id AND owner = :owner", id=task_id, owner=owner)


async def find_tasks(at: Database, owner: str, sought: Sought) -> list[OverviewRow]:
    """One page of what is sought of an owner's tasks, newest first.

    By position and not by page number: rows that come meanwhile move no other row.
    """
    conditions = [_SOME]
    values = sought.restrict(conditions)
    condition = f"{' AND '.join(conditions)} {_NEWEST_FIRST}"

    async def find(first: int, last: int, most: int) -> list[OverviewRow]:
        given = {"owner": owner, "first": first, "last": last, "most": most}
        return await _OVERVIEW.find(at, condition, **given, **values)

    last = await _last_position(at, owner) if sought.before is None else sought.before - 1
    return await at.newest(last, sought.limit, find)


SORTED = 1000
"""Of how many of the latest tasks that match the first ones are found by another order."""

_ORDERS: dict[str, Callable[[OverviewRow, datetime], Any]] = {
    "created": lambda row, _: row.position,
    "took": OverviewRow.seconds,
    "steps": lambda row, _: row.steps,
    "cost": lambda row, _: row.cost_cents,
}
ORDERS = frozenset({*_ORDERS, *(f"-{name}" for name in _ORDERS)})
"""The orders of a list; with `-` the greatest is first."""


async def find_sorted(
    at: Database, owner: str, sought: Sought, order: str, now: datetime
) -> tuple[list[OverviewRow], int]:
    """The first tasks by an order, among the latest ones; and among how many."""
    rows = await find_tasks(at, owner, attrs.evolve(sought, limit=SORTED))
    key = _ORDERS[order.removeprefix("-")]
    rows.sort(key=lambda row: key(row, now), reverse=order.startswith("-"))
    return rows[: sought.limit], len(rows)


async def _last_position(at: Database, owner: str) -> int:
    statement = "SELECT tasks FROM accounts WHERE owner = :owner"
    return int(await at.value(statement, owner=owner) or 0)


async def count_at_work(at: Database, owner: str) -> Mapping[str, int]:
    """How many tasks of an owner have not ended, by status; an index has no others."""
    rows = await at.rows(
        "SELECT status, COUNT(*) FROM tasks WHERE owner = :owner AND finished_at IS NULL "
        "GROUP BY status",
        owner=owner,
    )
    return {str(status): int(count) for status, count in rows}


async def latest_with_files(at: Database, owner: str, limit: int) -> list[TaskWithFiles]:
    """The latest tasks of an owner that made files which are still there, newest first."""
    condition = (
        f"{_SOME} AND finished_at IS NOT NULL AND files_expired = 0 "
        f"AND (output_files <> '[]' OR recordings <> '[]') {_NEWEST_FIRST}"
    )

    async def find(first: int, last: int, most: int) -> list[TaskWithFiles]:
        given = {"owner": owner, "first": first, "last": last, "most": most}
        return await _WITH_FILES.find(at, condition, **given)

    return await at.newest(await _last_position(at, owner), limit, find)
