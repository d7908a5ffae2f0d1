"""The tasks of one server as they are looked up: one by one, in pages, and by what is sought."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

import attrs

from browser_use_async.prices import task_cents
from browser_use_async.server.storage.database import Database, Owned
from browser_use_async.server.storage.progress import read_steps
from browser_use_async.server.storage.records import TASKS, TaskRecord, screenshot_name
from browser_use_async.server.storage.rows import beginning, to_json, to_text
from browser_use_async.server.storage.secret_documents import Secrets
from browser_use_async.server.storage.table import Table
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
    since: str | None = None  # created at this moment or later, as moments are stored
    until: str | None = None  # created before this moment
    before: int | None = None  # the position of the last row of the page before this one
    limit: int = 50

    def conditions(self) -> dict[str, dict[str, Any]]:
        """In SQL what holds for each row, with the values that stand in it."""
        found: dict[str, dict[str, Any]] = {}
        if self.statuses:
            names = {f"status{number}": each for number, each in enumerate(self.statuses)}
            found[f"status IN ({', '.join(':' + name for name in names)})"] = names
        if self.metadata is not None:
            # Nothing else in the JSON reads the same: within a text quotation marks are escaped.
            name, value = self.metadata
            pair = f"{to_json(name)}:" + ("" if value is None else to_json(value))
            found["LOWER(metadata) LIKE :metadata ESCAPE '!'"] = {
                "metadata": _pattern(pair.lower())
            }
        if self.since is not None:
            found["created_at >= :since"] = {"since": self.since}
        if self.until is not None:
            found["created_at < :until"] = {"until": self.until}
        if self.before is not None:
            found["position < :before"] = {"before": self.before}
        if self.text:
            found["LOWER(task) LIKE :text ESCAPE '!'"] = {
                "text": _pattern(to_text(self.text.lower()))
            }
        return found


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


_ROW = ", ".join(TaskRow._fields)
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
        """The task of the owner with this id, or None."""
        return await self.of_any_owner(id=task_id, owner=self.owner)

    async def of_any_owner(self, **values: str) -> TaskRecord | None:
        """The task with an id, or a token of its pages, for whoever has a signed link or token."""
        record = await TASKS.first(self._database, **values)
        return None if record is None else await self._completed(record)

    async def all(self) -> list[TaskRecord]:
        """All tasks of all owners, oldest first."""
        found = await TASKS.find(self._database, "1 = 1 ORDER BY created_at, owner, position")
        return [await self._completed(record) for record in found]

    async def created(self) -> int:
        """How many tasks of all owners were created."""
        return int(await self._database.value("SELECT COALESCE(SUM(tasks), 0) FROM accounts"))

    async def page(self, page: int, limit: int) -> tuple[int, list[TaskRow]]:
        """How many tasks lists tell about, and one page of them, newest first."""
        if self._hidden:
            return await self._page_of_shown(page, limit)
        statement = "SELECT tasks, expired_tasks FROM accounts WHERE owner = :owner"
        newest, expired = await self._database.first(statement, owner=self.owner) or (0, 0)
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
        marks = ", ".join(f":{name}" for name in hidden)
        shown = f"FROM tasks WHERE owner = :owner AND id NOT IN ({marks})"
        values = {"owner": self.owner, **hidden}
        count = await self._database.value(f"SELECT COUNT(*) {shown}", **values)
        most = f"LIMIT {limit} OFFSET {(page - 1) * limit}"
        statement = f"SELECT {_ROW} {shown} ORDER BY position DESC {most}"
        rows = await self._database.rows(statement, **values)
        return int(count), [TaskRow._make(row) for row in rows]

    async def find(self, sought: Sought) -> list[OverviewRow]:
        """One page of what is sought, newest first.

        By position and not by page number: rows that come meanwhile move no other row.
        """
        asked = {"owner = :owner": {"owner": self.owner}, **sought.conditions()}
        condition = f"{' AND '.join(asked)} ORDER BY position DESC LIMIT {sought.limit}"
        values = {name: value for each in asked.values() for name, value in each.items()}
        return await _OVERVIEW.find(self._database, condition, **values)

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
        condition = (
            "owner = :owner AND finished_at IS NOT NULL AND files_expired = 0 "
            "AND (output_files <> '[]' OR recordings <> '[]') ORDER BY position DESC LIMIT :limit"
        )
        return await _WITH_FILES.find(self._database, condition, owner=self.owner, limit=limit)

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
