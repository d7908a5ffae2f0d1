"""All stores of one server, and a view of its tasks for synchronous programs."""

from collections.abc import Callable, Coroutine
from copy import copy
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Any, Self, TypeVar

from browser_use_async.server import checks
from browser_use_async.server.faults.task_lists import LateTaskStore
from browser_use_async.server.keys.api_keys import ApiKeys
from browser_use_async.server.storage.account import Account
from browser_use_async.server.storage.database import Database, Owned, immediate
from browser_use_async.server.storage.files import FileFacts, Files, StoredFile, Uploads
from browser_use_async.server.storage.outbox import Outbox
from browser_use_async.server.storage.pictures import WHITE_PAGE
from browser_use_async.server.storage.profiles import Profiles
from browser_use_async.server.storage.records import TaskRecord
from browser_use_async.server.storage.schedules import Schedules
from browser_use_async.server.storage.scripts import ScriptStore
from browser_use_async.server.storage.secret_documents import Secrets
from browser_use_async.server.storage.submission_keys import SubmissionKeys
from browser_use_async.server.storage.tasks import TaskStore
from browser_use_async.server.storage.webhooks import WebhookRegistry
from browser_use_async.server.tasks.changes import ChangeLog, Changes

ResultT = TypeVar("ResultT")


class Stores:
    """All stores of one server, for one owner.

    Raises:
        ConfigurationError: The database has secrets under another key.
    """

    def __init__(
        self,
        database: Database,
        now: Callable[[], datetime],
        balance_cents: Decimal,
    ) -> None:
        self.database = database
        self._balance_cents = balance_cents
        self.sealed = Secrets(database)
        self.account = Account(database)
        self.schedules = Schedules(database, self.sealed, now)
        self.api_keys = ApiKeys(database, now)
        self.changes = Changes()
        self.outbox = Outbox(database, WebhookRegistry(database, self.sealed), now)
        given = (database, self.sealed, self.outbox, now)
        self.tasks = LateTaskStore(*given)
        self.profiles = Profiles(database, self.sealed)
        self.submission_keys = SubmissionKeys(database, now)
        self.scripts = ScriptStore(database, now)
        self.uploads = Uploads(database, now)

    def of(self, owner: str) -> Self:
        """Return the stores of another owner."""
        view = copy(self)
        for name, store in vars(self).items():
            if isinstance(store, Owned):
                setattr(view, name, store.of(owner))
        return view

    async def open(self) -> None:
        """Open the stores; a new account gets its credit.

        Raises:
            ConfigurationError: The stored data cannot be used here.
        """
        await self.sealed.open()
        await self.account.open(self._balance_cents)
        await self.schedules.check_packages()
        await self.submission_keys.open()


class Store:
    """The stored tasks of a server. Each record is a snapshot from the time of the read.

    Attributes:
        change_log: The latest changes of status, new tasks included.
    """

    def __init__(self, database: Database, tasks: TaskStore, changes: Changes) -> None:
        self._database = database
        self._tasks = tasks
        self.change_log: ChangeLog = changes.log(tasks.owner)

    @property
    def tasks(self) -> tuple[TaskRecord, ...]:
        """All tasks, oldest first."""
        return tuple(self._read(self._tasks.all))

    @property
    def task_count(self) -> int:
        """The number of created tasks."""
        return self._read(self._tasks.created)

    def task(self, task_id: str) -> TaskRecord | None:
        """Return the task of any owner with this id, or None."""
        checks.text("task_id", task_id)
        return self._read(lambda: self._tasks.of_any_owner(id=task_id))

    def file(self, task_id: str, name: str) -> bytes | None:
        """Return the content of an output file, a screenshot or a recording, or None."""
        checks.text("task_id", task_id)
        checks.text("name", name)

        async def read() -> bytes | None:
            record = await self._tasks.of_any_owner(id=task_id)
            found = record and await find_file(self._database, record, name)
            return await found.read(range(found.facts.size)) if found else None

        return self._read(read)

    def _read(self, work: Callable[[], Coroutine[Any, Any, ResultT]]) -> ResultT:
        return immediate(work())


async def find_file(database: Database, record: TaskRecord, name: str) -> StoredFile | None:
    """A file whose bytes are still to be read, or None if the task has no file of this name."""
    key, files = record.files.get(name, ""), Files(database)
    facts = await files.facts(key)
    if facts is not None:
        return StoredFile(facts, partial(files.get, key))
    if name not in record.screenshots:
        return None

    async def read(wanted: range) -> bytes:
        return WHITE_PAGE[wanted.start : wanted.stop]

    return StoredFile(FileFacts.of(WHITE_PAGE), read)
