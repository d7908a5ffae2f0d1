"""The tasks of one server as they are looked up: one by one, and page by page."""

from typing import NamedTuple

from browser_use_async.server.storage.database import Database, Owned
from browser_use_async.server.storage.records import TASK_COLUMNS, TaskRecord, read_task
from browser_use_async.server.storage.secret_documents import Secrets
from browser_use_async.server.storage.steps import read_steps
from browser_use_async.types import TaskStatus

_ROW = "id, task, status, created_at, finished_at, output, metadata, live_token, started, remote"


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


class TaskReader(Owned):
    """Reads the tasks of one owner in the order of their creation; others are not found."""

    def __init__(self, database: Database, sealed: Secrets) -> None:
        self._database = database
        self._sealed = sealed
        self._hidden: set[str] = set()

    async def status(self, task_id: str) -> TaskStatus | None:
        """Where a task stands, or None if there is no such task."""
        found = await self._database.rows(
            "SELECT status FROM tasks WHERE id = :id AND owner = :owner",
            id=task_id,
            owner=self.owner,
        )
        return TaskStatus(found[0][0]) if found else None

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
        found = await self._database.rows(
            f"SELECT {TASK_COLUMNS} FROM tasks ORDER BY created_at, owner, position"
        )
        return [await self._completed(read_task(row)) for row in found]

    async def created(self) -> int:
        """How many tasks of all owners were created."""
        found = await self._database.rows("SELECT COALESCE(SUM(tasks), 0) FROM accounts")
        return int(found[0][0])

    async def page(self, page: int, limit: int) -> tuple[int, list[TaskRow]]:
        """How many tasks lists tell about, and one page of them, newest first."""
        statement = "SELECT tasks, expired_tasks FROM accounts WHERE owner = :owner"
        found = await self._database.rows(statement, owner=self.owner)
        newest, expired = found[0] if found else (0, 0)
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
        count = await self._database.rows(f"SELECT COUNT(*) {shown}", **values)
        rows = await self._database.rows(
            f"SELECT {_ROW} {shown} ORDER BY position DESC LIMIT :limit OFFSET :offset", **values
        )
        return int(count[0][0]), [TaskRow._make(row) for row in rows]

    async def _one(self, condition: str, value: str) -> TaskRecord | None:
        found = await self._database.rows(
            f"SELECT {TASK_COLUMNS} FROM tasks WHERE {condition}", value=value, owner=self.owner
        )
        return await self._completed(read_task(found[0])) if found else None

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
