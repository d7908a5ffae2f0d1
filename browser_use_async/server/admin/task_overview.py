"""The tasks as the server's own pages list them, with what is asked of all of them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import attrs

from browser_use_async.api.submission_token import BATCH_KEY
from browser_use_async.prices import task_cents
from browser_use_async.server.records import EVERY_OWNER
from browser_use_async.server.storage import Database
from browser_use_async.server.storage.progress import paused_seconds
from browser_use_async.server.storage.records import (
    output_key,
    recording_key,
    screenshot_name,
)
from browser_use_async.server.storage.rows import beginning, to_json, to_text
from browser_use_async.server.storage.table import RecordT, Table
from browser_use_async.types import FieldKind, FieldRule, TaskStatus
from browser_use_async.types.base import ruled

# The most tasks in one answer.
MAX_ROWS = 1000
SORTED = 1000
"""Of how many of the latest tasks that match the first ones are found by another order."""

_LONGEST_TEXT = 1000  # characters to seek
_TEXT = FieldRule(FieldKind.TEXT, nullable=False, max_length=_LONGEST_TEXT)
_MOMENT = FieldRule(FieldKind.DATETIME, blank_is_null=True)
_LIMIT = FieldRule(FieldKind.INTEGER, nullable=False, minimum=1, maximum=MAX_ROWS, default=50)
_BOUNDS = {"since": "created_at >=", "until": "created_at <"}
# What a list shows of an output; the task itself has the rest.
_SHOWN_CHARACTERS = 300


@attrs.frozen
class OverviewRow:
    """A task as the page lists it; moments are in the form in which they are stored."""

    position: int
    owner: str
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

    @property
    def screenshot(self) -> str | None:
        """The name of the picture of the last step, if there is one."""
        has_one = self.steps and self.takes_screenshots and not self.files_expired
        return screenshot_name(self.id, self.steps) if has_one else None

    @property
    def cost_cents(self) -> Decimal:
        """What the task has cost so far, in US cents."""
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


_ORDERS: dict[str, Callable[[OverviewRow, datetime], Any]] = {
    "created": lambda row, _: (row.created_at, row.position),
    "took": OverviewRow.seconds,
    "steps": lambda row, _: row.steps,
    "cost": lambda row, _: row.cost_cents,
}
_SORTS = frozenset({*_ORDERS, *(f"-{name}" for name in _ORDERS)})  # with `-` the greatest is first


def _unknown_status(given: list[str]) -> str | None:
    unknown = set(given) - {str(each) for each in TaskStatus}
    return f"{min(unknown)!r} is not the status of a task" if unknown else None


def _unknown_order(given: str) -> str | None:
    known = ", ".join(sorted(_SORTS))
    return None if given in _SORTS or not given else f"{given!r} is no order; it can be {known}"


@attrs.frozen
class OverviewQuery:
    """Which tasks are listed.

    Attributes:
        status: A status that they may have; it can be given several times.
        text: A part of the text of the task, in either case.
        metadata: The name of a pair of metadata, or `name=value`.
        schedule: The id of the schedule that started them.
        batch: The beginning of the submission keys of the batch that they belong to.
        since: The moment from which on they were created.
        until: The moment before which they were created.
        before: `next` of the page before this one.
        limit: How many tasks.
        sort: `created`, `took`, `steps` or `cost`, with `-` the greatest first; the newest task is
            first if it is not given.
    """

    status: list[str] = ruled(
        FieldRule(FieldKind.TEXT_LIST, nullable=False, check=_unknown_status), default=()
    )
    text: str = ruled(_TEXT, default="")
    metadata: str = ruled(_TEXT, default="")
    schedule: str = ruled(_TEXT, default="")
    batch: str = ruled(_TEXT, default="")
    since: datetime | None = ruled(_MOMENT, default=None)
    until: datetime | None = ruled(_MOMENT, default=None)
    before: int | None = ruled(
        FieldRule(FieldKind.INTEGER, nullable=False, minimum=1, maximum=2**62), default=None
    )
    limit: int = ruled(_LIMIT, default=50)
    sort: str = ruled(FieldRule(FieldKind.TEXT, nullable=False, check=_unknown_order), default="")

    def restrict(self, conditions: list[str]) -> dict[str, Any]:
        """Add the conditions of each row, in SQL; returns the values of its parameters."""
        values: dict[str, Any] = {}
        if self.status:
            values = {f"status{number}": each for number, each in enumerate(self.status)}
            conditions.append(f"status IN ({', '.join(':' + name for name in values)})")
        for name, column in _BOUNDS.items():
            if (value := getattr(self, name)) is not None:
                conditions.append(f"{column} :{name}")
                values[name] = value
        name, is_pair, value = (each.strip() for each in self.metadata.partition("="))
        if name:
            pair = pair_of(name, value if is_pair else None)
            conditions.append("LOWER(metadata) LIKE :metadata ESCAPE '!'")
            values["metadata"] = _pattern(pair.lower())
        if self.batch:
            conditions.append(HAS_PAIR)
            values["pair"] = pair_of(BATCH_KEY, self.batch)
        if self.schedule:
            runs = "SELECT task_id FROM schedule_runs WHERE schedule_id = :schedule"
            conditions.append(f"id IN ({runs})")
            values["schedule"] = self.schedule
        if text := self.text.strip():
            conditions.append("LOWER(task) LIKE LOWER(:text) ESCAPE '!'")
            values["text"] = _pattern(to_text(text))
        return values


# LIKE would take letters of either case for the same in one of the databases.
HAS_PAIR = "REPLACE(metadata, :pair, '') <> metadata"
"""SQL for the tasks whose stored metadata have what `pair_of` returns."""


def pair_of(name: str, value: str | None) -> str:
    """A pair as it is stored, or the beginning of each pair with this name."""
    # Nothing else in the JSON reads the same: within a text quotation marks are escaped.
    return f"{to_json(name)}:" + ("" if value is None else to_json(value))


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
SOME = "owner = :owner AND position BETWEEN :first AND :last"
"""SQL for some of the tasks of an owner."""
_AT_WORK = "SELECT status, COUNT(*) FROM tasks WHERE finished_at IS NULL{} GROUP BY status"


async def find_task_row(at: Database, owner: str, task_id: str) -> OverviewRow | None:
    """The row of one task in the list of its owner, or None."""
    return await _OVERVIEW.first(at, "id = :id AND owner = :owner", id=task_id, owner=owner)


async def find_tasks_of_all(
    at: Database, owners: Iterable[str], query: OverviewQuery, now: datetime
) -> tuple[list[OverviewRow], int | None]:
    """The first tasks of all owners, and among how many. Positions are of one owner: no page."""
    first = attrs.evolve(query, before=None)
    rows, looked_at = list[OverviewRow](), 0
    for owner in owners:
        found, among = await find_tasks(at, owner, first, now)
        rows += found
        looked_at += len(found) if among is None else among
    return _sorted(rows, attrs.evolve(first, sort=query.sort or "-created"), now), looked_at


async def find_tasks(
    at: Database, owner: str, query: OverviewQuery, now: datetime
) -> tuple[list[OverviewRow], int | None]:
    """One page of an owner's tasks; of another order the first ones, and among how many.

    By position and not by page number: rows that come meanwhile move no other row.
    """
    conditions: list[str] = []
    values = query.restrict(conditions)
    limit = SORTED if query.sort else query.limit
    rows = await _newest(at, _OVERVIEW, owner, conditions, limit, query.before, **values)
    if not query.sort:
        return rows, None
    return _sorted(rows, query, now), len(rows)


def _sorted(rows: list[OverviewRow], query: OverviewQuery, now: datetime) -> list[OverviewRow]:
    key = _ORDERS[query.sort.removeprefix("-")]
    rows.sort(key=lambda row: key(row, now), reverse=query.sort.startswith("-"))
    return rows[: query.limit]


async def latest_with_files(at: Database, owner: str, limit: int) -> list[TaskWithFiles]:
    """The latest tasks of an owner that made files which are still there, newest first."""
    has_files = "(output_files <> '[]' OR recordings <> '[]')"
    conditions = ["finished_at IS NOT NULL", "files_expired = 0", has_files]
    return await _newest(at, _WITH_FILES, owner, conditions, limit)


async def _newest(
    at: Database,
    table: Table[RecordT],
    owner: str,
    conditions: Sequence[str],
    limit: int,
    before: int | None = None,
    **values: Any,
) -> list[RecordT]:
    condition = f"{' AND '.join((SOME, *conditions))} ORDER BY position DESC LIMIT :most"

    async def find(first: int, last: int, most: int) -> list[RecordT]:
        given = {"owner": owner, "first": first, "last": last, "most": most}
        return await table.find(at, condition, **given, **values)

    if before is None:
        statement = "SELECT tasks FROM accounts WHERE owner = :owner"
        before = int(await at.value(statement, owner=owner) or 0) + 1
    return await at.newest(before - 1, limit, find)


async def count_at_work(at: Database, owner: str) -> Mapping[str, int]:
    """How many tasks of an owner have not ended, by status; an index has no others."""
    whose = "" if owner == EVERY_OWNER else " AND owner = :owner"
    rows = await at.rows(_AT_WORK.format(whose), owner=owner)
    return {str(status): int(count) for status, count in rows}
