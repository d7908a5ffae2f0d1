"""Wakes whoever waits for something to happen to a task."""

import asyncio
from collections import defaultdict
from collections.abc import Generator
from contextlib import contextmanager


class Changes:
    """Who listens to which task. A task that nobody listens to costs nothing."""

    def __init__(self) -> None:
        self._listeners: defaultdict[str, set[asyncio.Event]] = defaultdict(set)

    @contextmanager
    def listening(self, task_id: str) -> Generator[asyncio.Event]:
        """An event that is set whenever the task has changed; whoever waits for it clears it."""
        event = asyncio.Event()
        self._listeners[task_id].add(event)
        try:
            yield event
        finally:
            self._listeners[task_id].discard(event)
            if not self._listeners[task_id]:
                del self._listeners[task_id]

    def note(self, task_id: str) -> None:
        """Wake those who listen to a task."""
        for event in self._listeners.get(task_id, ()):
            event.set()
