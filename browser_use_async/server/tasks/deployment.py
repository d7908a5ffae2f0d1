"""The deployment of a server: alone on its database, or with others."""

from abc import ABC, abstractmethod

import attrs

from browser_use_async.server.errors import TooManyError
from browser_use_async.server.records import Assignment
from browser_use_async.server.storage import SqliteDatabase, TaskRecord
from browser_use_async.server.storage.account import TOO_MANY_TASKS
from browser_use_async.server.tasks.changes import Changes
from browser_use_async.server.tasks.runner import TaskRunner
from browser_use_async.server.webhooks import WebhookSender


class Deployment(ABC):
    """The servers of one database."""

    most_at_work: int | None = None
    """How many tasks may run, counted in the database; None for any number."""
    slots: int | None = None
    """How many tasks this server carries out at once, or None for any number."""
    schedules = True
    """Whether this server starts the runs of schedules."""
    continues_tasks = False
    """Whether tasks that had not begun when the last server ended are this server's."""
    keeps_keys = True
    """Whether the other servers keep submission keys, as far as this one knows."""
    longest_sleep: float | None = None
    """Seconds after which it looks for schedules of others; None without other servers."""

    @abstractmethod
    async def open(self) -> None:
        """Receive announcements from now on."""

    @abstractmethod
    def require_room(self) -> None:
        """Refuse a task while the maximum runs here."""

    @abstractmethod
    def begin(self, record: TaskRecord, assignment: Assignment) -> None:
        """Arrange that a new task is carried out."""

    @abstractmethod
    def work(self) -> None:
        """Take work from now on."""

    @abstractmethod
    async def drain(self) -> None:
        """Take no more work, and wait for running tasks."""

    @abstractmethod
    async def aclose(self) -> None:
        """End everything except the tasks."""


@attrs.define(eq=False, repr=False)
class SingleServer(Deployment):
    """One server, which carries out its tasks itself."""

    continues_tasks = True

    _database: SqliteDatabase
    _runner: TaskRunner
    _changes: Changes
    _webhooks: WebhookSender
    _most: int | None  # tasks at work

    def __attrs_post_init__(self) -> None:
        self.slots = self._runner.slots

    async def open(self) -> None:
        """Receive announcements from now on."""
        self._database.heard = self._hear
        self._database.gather()

    def require_room(self) -> None:
        """Refuse a task while the maximum runs here."""
        if self._most is not None and self._runner.count >= self._most:
            raise TooManyError(TOO_MANY_TASKS)

    def begin(self, record: TaskRecord, assignment: Assignment) -> None:
        """Start the task."""
        self._runner.start(record, assignment)

    def work(self) -> None:
        """Do nothing: tasks run from their creation on."""

    async def drain(self) -> None:
        """Wait for nothing: the runner cancels running tasks."""

    async def aclose(self) -> None:
        """Do nothing: the parts close themselves."""

    def _hear(self, task_id: str, news: str) -> None:
        if self._changes.hear(task_id, news) is not None:
            self._webhooks.send(task_id)
