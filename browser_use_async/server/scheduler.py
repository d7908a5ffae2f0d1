"""Starts the runs of schedules when they are due."""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from datetime import datetime

from browser_use_async.server.answers import RefusalError
from browser_use_async.server.backend import Backend
from browser_use_async.server.running.launching import launch
from browser_use_async.server.storage.schedules import ScheduleRecord
from browser_use_async.types import LlmModel

__all__ = ["SCHEDULE_MODEL", "Scheduler"]

_logger = logging.getLogger(__name__)

SCHEDULE_MODEL = LlmModel.GPT_4O
"""The model of schedules that name none, which differs from that of run-task."""

_LONGEST_SLEEP = 60.0  # seconds; the wall clock of a machine that slept or was set is seen soon


class Scheduler:
    """One coroutine that sleeps until the next run.

    A run that was missed, because the server was down or busy, is made once and not for each
    time that was missed.
    """

    def __init__(self, backend: Backend, now: Callable[[], datetime]) -> None:
        self._backend = backend
        self._now = now
        self._news = asyncio.Event()
        self._work: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to watch the clock."""
        self._backend.schedules.changed = self._news.set
        self._work = asyncio.get_running_loop().create_task(self._run(), name="scheduler")

    async def aclose(self) -> None:
        """Stop starting runs; those under way go on."""
        if self._work is not None:
            self._work.cancel()
            await asyncio.gather(self._work, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            self._news.clear()
            due = [each for each in self._active() if each[0] <= self._now()]
            for _moment, record in sorted(due, key=lambda each: each[0]):
                self._fire(record)
            seconds = min(
                ((moment - self._now()).total_seconds() for moment, _record in self._active()),
                default=None,
            )
            with contextlib.suppress(TimeoutError):
                limit = None if seconds is None else min(max(seconds, 0.0), _LONGEST_SLEEP)
                async with asyncio.timeout(limit):
                    await self._news.wait()

    def _active(self) -> list[tuple[datetime, ScheduleRecord]]:
        return [
            (record.next_run_at, record)
            for record in self._backend.schedules.records
            if record.is_active and record.next_run_at is not None
        ]

    def _fire(self, record: ScheduleRecord) -> None:
        # Moved on first: a server that dies in between has made one run too few, which costs
        # nothing, rather than one too many.
        self._backend.schedules.advance(record)
        try:
            launch(self._backend, record.request, SCHEDULE_MODEL)
        except RefusalError as refusal:
            _logger.warning("schedule %s could not run: %s", record.id, refusal.body["detail"])
