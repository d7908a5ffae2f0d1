"""The tasks of one server as they are looked up: one by one, in pages, and by what is sought."""

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

import attrs

from browser_use_async.prices import task_cents
from browser_use_async.server.storage.database import Database, Owned
from browser_use_async.server.storage.progress import read_steps
from browser_use_async.server.storage.records import TASKS, TaskRecord, screenshot_name
from browser_use_async.server.storage.rows import beginning, from_text, to_json, to_text
from browser_use_async.server.storage.secret_documents import Secrets
from browser_use_async.types import TaskStatus

# What a list shows of an output; the task itself has the rest.
_SHOWN_CHARACTERS = 300


class TaskRow(NamedTuple):
    """A task as lists tell it, in the form in which it is stored."""

    id: str
    task: str
    status: str
    created_at: str
    finished_at: str | None
    output: str | None
    metadata: str
    live_token: str
    started: int
    remote: str | None


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


_ROW = ", ".join(TaskRow._fields)
_LAST = "(SELECT {column} FROM steps WHERE steps.task_id = tasks.id ORDER BY number DESC LIMIT 1)"
_COLUMNS = (
    "position, id, task, status, created_at, finished_at, "
    f"{beginning('output', _SHOWN_CHARACTERS)}, live_token, started, llm_model, max_agent_steps, "
    "takes_screenshots, files_expired, "
    "(SELECT COUNT(*) FROM steps WHERE steps.task_id = tasks.id), "
    f"{_LAST.format(column='next_goal')}, {_LAST.format(column='evaluation_previous_goal')}"
)


class TaskReader(Owned):
    """Reads the tasks of one owner in the order of their creation; others are not found."""

    def __init__(self, database: Database, sealed: Secrets) -> None:
        self._database = database
        self._sealed = sealed
        self._hidden: set[str] = set()

    async def status(self, task_id: str) -> TaskStatus | None:
        """Where a task stands, or None if there is no such task."""
        statement = "SELECT status FROM tasks WHERE id = :id AND owner = :owner"
        status = await self._database.value(statement, id=task_id, owner=self.owner)
        return None if status is None else TaskStatus(status)

    async def get(self, task_id: str) -> TaskRecord | None:
        """The task with this id, or None."""
        return await self._one("id = :value AND owner = :owner", task_id)

    async def of_any_owner(self, task_id: str) -> TaskRecord | None:
        """The task with this id, for programs and for who has a signed link to one of its files."""
        return await self._one("id = :value", task_id)

    async def of_live_token(self, token: str) -> TaskRecord | None:
        """The task of any owner whose live page has this token, or None."""
        return await self._one("live_token = :value", token)

    async def of_share_token(self, token: str) -> TaskRecord | None:
        """The task of any owner whose public page has this token, or None."""
        return await self._one("share_token = :value", token)

    async def all(self) -> list[TaskRecord]:
        """All tasks of all owners, oldest first."""
        found = await TASKS.find(self._database, "1 = 1 ORDER BY created_at, owner, position")
        return [await self._completed(record) for record in found]

    async def created(self) -> int:
        """How many tasks of all owners were created."""
        return int(await self._database.value("SELECT COALESCE(SUM(tasks), 0) FROM accounts"))

    async def page(self, page: int, limit: int) -> tuple[int, list[TaskRow]]:
        """How many tasks lists tell about, and one page of them, newest first."""
        statement = "SELECT tasks, expired_tasks FROM accounts WHERE owner = :owner"
        newest, expired = await self._database.first(statement, owner=self.owner) or (0, 0)
        if self._hidden:
            return await self._page_of_shown(page, limit)
        # Past the end it may be a number that no database takes.
        top = max(0, newest - (page - 1) * limit)
        rows = await self._database.rows(
            f"SELECT {_ROW} FROM tasks WHERE owner = :owner AND position <= :top "
            "AND position > :bottom ORDER BY position DESC",
            owner=self.owner,
            top=top,
            bottom=top - limit,
        )
        return newest - expired, [TaskRow._make(row) for row in rows]

    async def _page_of_shown(self, page: int, limit: int) -> tuple[int, list[TaskRow]]:
        hidden = {f"hidden{number}": task_id for number, task_id in enumerate(self._hidden)}
        names = ", ".join(f":{name}" for name in hidden)
        shown = f"FROM tasks WHERE owner = :owner AND id NOT IN ({names})"
        values = {"owner": self.owner, "limit": limit, "offset": (page - 1) * limit, **hidden}
        count = await self._database.value(f"SELECT COUNT(*) {shown}", **values)
        rows = await self._database.rows(
            f"SELECT {_ROW} {shown} ORDER BY position DESC LIMIT :limit OFFSET :offset", **values
        )
        return int(count), [TaskRow._make(row) for row in rows]

    async def find(self, sought: Sought) -> list[OverviewRow]:
        """One page of what is sought, newest first.

        By position and not by page number: rows that come meanwhile move no other row.
        """
        conditions, values = ["owner = :owner"], {"owner": self.owner, "limit": sought.limit}
        values |= _restrict(conditions, sought)
        rows = await self._database.rows(
            f"SELECT {_COLUMNS} FROM tasks WHERE {' AND '.join(conditions)} "
            "ORDER BY position DESC LIMIT :limit",
            **values,
        )
        return [OverviewRow._make(row) for row in rows]

    async def count_at_work(self) -> Mapping[str, int]:
        """How many tasks have not ended, by status; an index has no others."""
        rows = await self._database.rows(
            "SELECT status, COUNT(*) FROM tasks WHERE owner = :owner AND finished_at IS NULL "
            "GROUP BY status",
            owner=self.owner,
        )
        return {str(status): int(count) for status, count in rows}

    async def latest_with_files(self, limit: int) -> list[TaskWithFiles]:
        """The latest tasks that made files which are still there, newest first."""
        rows = await self._database.rows(
            "SELECT id, task, finished_at, output_files, recordings FROM tasks "
            "WHERE owner = :owner AND finished_at IS NOT NULL AND files_expired = 0 "
            "AND (output_files <> '[]' OR recordings <> '[]') ORDER BY position DESC LIMIT :limit",
            owner=self.owner,
            limit=limit,
        )
        return [
            TaskWithFiles(task_id, from_text(task), at, json.loads(outputs), json.loads(films))
            for task_id, task, at, outputs, films in rows
        ]

    async def _one(self, condition: str, value: str) -> TaskRecord | None:
        record = await TASKS.first(self._database, condition, value=value, owner=self.owner)
        return None if record is None else await self._completed(record)

    async def _completed(self, record: TaskRecord) -> TaskRecord:
        record.steps = await read_steps(self._database, record.id)
        if record.save_browser_data and record.finished_at is not None:
            document = await self._sealed.get("task", record.id)
            record.cookies = [] if document is None else document["cookies"]
        return record

    def hide(self, task_id: str) -> None:
        """Keep a task out of lists; everything else goes on as if it were in them."""
        self._hidden.add(task_id)

    def show(self, task_id: str) -> None:
        """Let a task appear in lists, in its place."""
        self._hidden.discard(task_id)


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
