"""The tasks of a server for programs that read them without awaiting, such as tests."""

from browser_use_async.server.storage.changes import ChangeLog
from browser_use_async.server.storage.database import Database, immediate
from browser_use_async.server.storage.records import TaskRecord
from browser_use_async.server.storage.task_files import StoredFile, find_file
from browser_use_async.server.storage.tasks import Tasks


class Store:
    """What a server has stored of tasks. Each record is the task as it stood when it was read.

    Attributes:
        change_log: The latest changes of status, new tasks included.
    """

    def __init__(self, database: Database, tasks: Tasks) -> None:
        self._database = database
        self._tasks = tasks
        self.change_log: ChangeLog = tasks.change_log

    @property
    def tasks(self) -> tuple[TaskRecord, ...]:
        """All tasks, oldest first."""
        return tuple(immediate(self._tasks.all()))

    @property
    def task_count(self) -> int:
        """How many tasks were created."""
        return immediate(self._tasks.created())

    def task(self, task_id: str) -> TaskRecord | None:
        """The task with this id, of any owner, or None."""
        return immediate(self._tasks.of_any_owner(task_id))

    def file(self, task_id: str, name: str) -> bytes | None:
        """The content of an output file, a screenshot or a recording; None if there is none."""
        record = self.task(task_id)
        found = None if record is None else immediate(find_file(self._database, record, name))
        return None if found is None else immediate(_read_whole(found))


async def _read_whole(found: StoredFile) -> bytes:
    return await found.read(range(found.facts.size))
