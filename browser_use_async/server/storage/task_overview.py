"""The tasks of one owner as the page at `/` lists them: by what is sought, newest first."""

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

import attrs

from browser_use_async.prices import task_cents
from browser_use_async.server.storage.database import Database
from browser_use_async.server.storage.records import screenshot_name
from browser_use_async.server.storage.values import beginning, from_text, to_json, to_text

# What a list shows of an output; the task itself has the rest.
_SHOWN_CHARACTERS = 300

_LAST = "(SELECT {column} FROM steps WHERE steps.task_id = tasks.id ORDER BY number DESC LIMIT 1)"
_COLUMNS = (
    "position, id, task, status, created_at, finished_at, "
    f"{beginning('output', _SHOWN_CHARACTERS)}, live_token, started, llm_model, max_agent_steps, "
    "takes_screenshots, files_expired, "
    "(SELECT COUNT(*) FROM steps WHERE steps.task_id = tasks.id), "
    f"{_LAST.format(column='next_goal')}, {_LAST.format(column='evaluation_previous_goal')}"
)


class OverviewRow(NamedTuple):
    """A task as the page lists it, in the form in which it is stored."""

    position: int
    id: str
    task: str
    status: str
    created_at: str
    finished_at: str | None
    output: str | None
    live_token: str
    started: int
    llm_model: str
    max_agent_steps: int
    takes_screenshots: int
    files_expired: int
    steps: int
    goal: str | None
    judgement: str | None

    @property
    def screenshot(self) -> str | None:
        """The name of the picture of the last step, if there is one."""
        has_one = self.steps and self.takes_screenshots and not self.files_expired
        return screenshot_name(self.id, self.steps) if has_one else None

    @property
    def cost_cents(self) -> Decimal:
        """What the task has cost so far, in US cents."""
        return task_cents(self.steps, self.llm_model, self.max_agent_steps)

    @property
    def shown_output(self) -> str | None:
        """The beginning of the output."""
        return self.output and from_text(self.output)[:_SHOWN_CHARACTERS]

    @property
    def failure(self) -> str | None:
        """Why the task failed, which stands in its last step."""
        is_told = self.status == "failed" and self.judgement is not None
        return from_text(self.judgement or "") if is_told else None


@attrs.frozen
class Sought:
    """What a list is to show."""

    statuses: tuple[str, ...] = ()  # none stands for all
    text: str = ""  # a part of the task's text, in either case
    metadata: tuple[str, str | None] | None = None  # a name and its value, or any value
    since: str | None = None  # created at this moment or later, as moments are stored
    until: str | None = None  # created before this moment
    before: int | None = None  # the position of the last row of the page before this one
    limit: int = 50


@attrs.frozen
class TaskWithFiles:
    """A task that has made files which are still there."""

    id: str
    task: str
    finished_at: str
    output_files: Sequence[str]
    recordings: Sequence[str]


async def find_tasks_with_files(database: Database, owner: str, limit: int) -> list[TaskWithFiles]:
    """The latest tasks of an owner that made files, newest first."""
    rows = await database.rows(
        "SELECT id, task, finished_at, output_files, recordings FROM tasks WHERE owner = :owner "
        "AND finished_at IS NOT NULL AND files_expired = 0 "
        "AND (output_files <> '[]' OR recordings <> '[]') ORDER BY position DESC LIMIT :limit",
        owner=owner,
        limit=limit,
    )
    return [
        TaskWithFiles(task_id, from_text(task), at, json.loads(outputs), json.loads(films))
        for task_id, task, at, outputs, films in rows
    ]


async def find_tasks(database: Database, owner: str, sought: Sought) -> list[OverviewRow]:
    """One page of tasks, newest first.

    By position and not by page number: rows that come meanwhile move no other row.
    """
    conditions, values = ["owner = :owner"], {"owner": owner, "limit": sought.limit}
    values |= _restrict(conditions, sought)
    rows = await database.rows(
        f"SELECT {_COLUMNS} FROM tasks WHERE {' AND '.join(conditions)} "
        "ORDER BY position DESC LIMIT :limit",
        **values,
    )
    return [OverviewRow._make(row) for row in rows]


def _restrict(conditions: list[str], sought: Sought) -> dict[str, str | int]:
    values: dict[str, str | int] = {}
    if sought.before is not None:
        conditions.append("position < :before")
        values["before"] = sought.before
    if sought.statuses:
        names = {f"status{number}": each for number, each in enumerate(sought.statuses)}
        conditions.append(f"status IN ({', '.join(':' + name for name in names)})")
        values |= names
    if sought.metadata is not None:
        conditions.append("LOWER(metadata) LIKE :metadata ESCAPE '!'")
        values["metadata"] = f"%{_literal(_pair(*sought.metadata).lower())}%"
    for name, comparison in (("since", ">="), ("until", "<")):
        if (moment := getattr(sought, name)) is not None:
            conditions.append(f"created_at {comparison} :{name}")
            values[name] = moment
    if sought.text:
        conditions.append("LOWER(task) LIKE :text ESCAPE '!'")
        values["text"] = f"%{_literal(to_text(sought.text.lower()))}%"
    return values


def _pair(name: str, value: str | None) -> str:
    """How a pair is written in the JSON of metadata.

    Nothing else there reads the same: within a text the quotation marks are escaped.
    """
    return f"{to_json(name)}:" + ("" if value is None else to_json(value))


def _literal(text: str) -> str:
    """The text as a pattern of LIKE that matches nothing else."""
    for special in "!%_":
        text = text.replace(special, "!" + special)
    return text


async def count_at_work(database: Database, owner: str) -> Mapping[str, int]:
    """How many tasks have not ended, by status; an index has no others."""
    rows = await database.rows(
        "SELECT status, COUNT(*) FROM tasks WHERE owner = :owner AND finished_at IS NULL "
        "GROUP BY status",
        owner=owner,
    )
    return {str(status): int(count) for status, count in rows}
