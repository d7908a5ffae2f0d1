"""The log of changes of tasks, for callers that wait for them or read them later."""

import asyncio
import secrets
from collections import defaultdict, deque
from collections.abc import Generator
from contextlib import contextmanager

from browser_use_async.server.storage.progress import STEP
from browser_use_async.types import TaskStatus

# How many of the latest changes of status can be read again.
MAX_LOGGED = 10_000


class ChangeLog:
    """The latest changes of status of all tasks, in their order.

    A cursor is a place between two of them. It is good for one life of the server: which changes
    came before a restart is not stored.
    """

    def __init__(self) -> None:
        self._life = secrets.token_hex(6)
        self._count = 0
        self._changes: deque[tuple[str, TaskStatus]] = deque(maxlen=MAX_LOGGED)
        self._readers: set[asyncio.Event] = set()

    @property
    def position(self) -> int:
        """The place after the newest change."""
        return self._count

    def cursor(self, position: int) -> str:
        """The cursor of a place, for clients."""
        return f"{self._life}-{position}"

    def position_of(self, cursor: str) -> int | None:
        """The place of a cursor, or None if later changes can no longer be read."""
        life, _, number = cursor.partition("-")
        if life != self._life or not (number.isascii() and number.isdigit()):
            return None
        # Compared as a text first: a number of a million digits takes long to read.
        position = int(number) if len(number) <= len(str(self._count)) else self._count + 1
        return position if self.has(position) else None

    def has(self, position: int) -> bool:
        """Whether all changes after a place can be read."""
        return self._count - len(self._changes) <= position <= self._count

    def since(self, position: int) -> list[tuple[str, TaskStatus]]:
        """Ids and statuses of the tasks that changed after a place, oldest change first."""
        # By indices from the end, since a deque finds those at once.
        return [self._changes[index] for index in range(position - self._count, 0)]

    def record(self, task_id: str, status: TaskStatus) -> None:
        """Record a change, and wake the readers."""
        self._count += 1
        self._changes.append((task_id, status))
        for event in self._readers:
            event.set()

    def skip(self) -> None:
        """Mark a gap: readers must read the list again."""
        self._count += 1
        self._changes.clear()
        for event in self._readers:
            event.set()

    @contextmanager
    def reading(self) -> Generator[asyncio.Event]:
        """An event that is set whenever any task has changed; its reader clears it."""
        event = asyncio.Event()
        self._readers.add(event)
        try:
            yield event
        finally:
            self._readers.discard(event)


class Changes:
    """The listeners of each task, and the latest changes of each owner's tasks.

    A task without a listener costs nothing.
    """

    def __init__(self) -> None:
        self._logs: defaultdict[str, ChangeLog] = defaultdict(ChangeLog)
        self._listeners: defaultdict[str, set[asyncio.Event]] = defaultdict(set)

    @contextmanager
    def listening(self, task_id: str) -> Generator[asyncio.Event]:
        """An event that is set whenever the task has changed; its reader clears it."""
        event = asyncio.Event()
        self._listeners[task_id].add(event)
        try:
            yield event
        finally:
            self._listeners[task_id].discard(event)
            if not self._listeners[task_id]:
                del self._listeners[task_id]

    def note(self, task_id: str) -> None:
        """Wake the listeners of a task."""
        for event in self._listeners.get(task_id, ()):
            event.set()

    def log(self, owner: str) -> ChangeLog:
        """The latest changes of status of the tasks of an owner, new ones included."""
        return self._logs[owner]

    def record(self, owner: str, task_id: str, status: TaskStatus) -> None:
        """Record a change of status, and wake listeners and readers."""
        self._logs[owner].record(task_id, status)
        self.note(task_id)

    def miss(self) -> None:
        """Wake all listeners and readers, because a change may have been missed."""
        for log in self._logs.values():
            log.skip()
        for task_id in [*self._listeners]:
            self.note(task_id)

    def hear(self, task_id: str, news: str) -> TaskStatus | None:
        """Handle an announcement of a server about a task; returns its new status, if any."""
        word, _, owner = news.partition(" ")
        if word == STEP:
            self.note(task_id)
            return None
        status = TaskStatus(word)
        self.record(owner, task_id, status)
        return status
