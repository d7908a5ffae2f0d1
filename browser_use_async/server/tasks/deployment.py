"""The deployment of a server: alone on its database, or with others."""

import attrs

from browser_use_async.server.errors import TooManyError
from browser_use_async.server.records import Assignment
from browser_use_async.server.storage import SqliteDatabase, TaskRecord
from browser_use_async.server.storage.account import TOO_MANY_TASKS
from browser_use_async.server.tasks.changes import Changes
from browser_use_async.server.tasks.runner import TaskRunner
from browser_use_async.server.webhooks import WebhookSender


class Deployment:
    """What a server does with the other servers of its database: by default nothing."""

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
    sends_at_once = True
    """Whether it sends the events of its tasks itself; else each event has a job."""

    def require_alone(self, message: str) -> None:
        """Refuse what only a server with a database of its own has."""

    async def open(self) -> None:
        """Receive announcements from now on."""

    def require_room(self) -> None:
        """Refuse a task while the maximum runs here, unless the database counts them."""

    def begin(self, record: TaskRecord, assignment: Assignment) -> None:
        """Start a new task, unless it has a job, which some server takes."""

    def work(self) -> None:
        """Take work from now on."""

    async def drain(self) -> None:
        """Take no more work, and wait for running tasks; a single server cancels them."""

    async def aclose(self) -> None:
        """End everything except the tasks."""


@attrs.define(eq=False, repr=False)
class SingleServer(Deployment):
    """One server, which carries out its tasks itself, from their creation on."""

    continues_tasks = True

    _database: SqliteDatabase
    _runner: TaskRunner
    _changes: Changes
    _webhooks: WebhookSender
    _most: int | None  # tasks at work

    def __attrs_post_init__(self) -> None:
        self.slots = self._runner.slots

    async def open(self) -> None:
        """Receive announcements from now on, and commit together what one turn writes."""
        self._database.heard = self._hear
        self._database.gather()

    def require_room(self) -> None:
        """Refuse a task while the maximum runs here."""
        if self._most is not None and self._runner.count >= self._most:
            raise TooManyError(TOO_MANY_TASKS)

    def begin(self, record: TaskRecord, assignment: Assignment) -> None:
        """Start a task."""
        self._runner.start(record, assignment)

    def _hear(self, task_id: str, news: str) -> None:
        if self._changes.hear(task_id, news) is not None:
            self._webhooks.send(task_id)
