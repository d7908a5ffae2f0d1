"""Timed work: the runs of schedules, and the deletion of old files."""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from browser_use_async.server.backend import Backend
from browser_use_async.server.jobs.launch import start_task
from browser_use_async.server.responses import RefusalError, log_failure
from browser_use_async.server.storage.schedules import ScheduleRecord
from browser_use_async.types import LlmModel

FILE_LIFETIME = timedelta(days=30)
"""Age at which files of ended tasks, and uploads, are deleted."""

SCHEDULE_MODEL = LlmModel.GPT_4O
"""The default model of schedules, which differs from that of run-task."""

_EXPIRY_SECONDS = 24 * 60 * 60.0
_LONGEST_SLEEP = 60.0  # seconds; a wall clock that was set, or jumped in sleep mode, is noticed
_logger = logging.getLogger(__name__)


def expire(backend: Backend, now: datetime) -> None:
    """Delete screenshots, output files and uploads that are too old.

    Uploads that a schedule includes stay, also while it is switched off, until it has ended.
    """
    before = now - FILE_LIFETIME
    included = (
        record.request.included_file_names
        for record in backend.schedules.records
        if record.end_at > now
    )
    needed = {name for names in included if isinstance(names, Sequence) for name in names}
    backend.uploads.expire(before, needed)
    backend.store.expire(before)


class FileExpiry:
    """Deletes old files at once and then daily."""

    def __init__(self, backend: Backend, now: Callable[[], datetime]) -> None:
        self._backend = backend
        self._now = now
        self._work = asyncio.get_running_loop().create_task(self._expire_daily(), name="expiry")

    async def aclose(self) -> None:
        """Stop deleting."""
        self._work.cancel()
        await asyncio.gather(self._work, return_exceptions=True)

    async def _expire_daily(self) -> None:
        while True:
            try:
                expire(self._backend, self._now())
            except Exception as error:  # noqa: BLE001 - what is left over goes tomorrow
                log_failure(_logger, "deleting old files", error)
            await asyncio.sleep(_EXPIRY_SECONDS)


class Scheduler:
    """Starts the runs of schedules when they are due.

    Runs that were missed while the server was down or busy are made up by a single one.
    """

    def __init__(self, backend: Backend, now: Callable[[], datetime]) -> None:
        self._backend = backend
        self._now = now
        self._changed = asyncio.Event()
        self._work: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start to wait for due schedules."""
        self._backend.schedules.changed = self._changed.set
        self._work = asyncio.get_running_loop().create_task(self._run(), name="scheduler")

    async def aclose(self) -> None:
        """Start no more runs; those under way continue."""
        if self._work is not None:
            self._work.cancel()
            await asyncio.gather(self._work, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            # Cleared before the schedules are read, so that no change in between is missed.
            self._changed.clear()
            due = [each for each in self._active() if each[0] <= self._now()]
            for _moment, record in sorted(due, key=lambda each: each[0]):
                self._start_run(record)
            seconds = min(
                ((moment - self._now()).total_seconds() for moment, _record in self._active()),
                default=None,
            )
            with contextlib.suppress(TimeoutError):
                limit = None if seconds is None else min(max(seconds, 0.0), _LONGEST_SLEEP)
                async with asyncio.timeout(limit):
                    await self._changed.wait()

    def _active(self) -> list[tuple[datetime, ScheduleRecord]]:
        return [
            (record.next_run_at, record)
            for record in self._backend.schedules.records
            if record.is_active and record.next_run_at is not None
        ]

    def _start_run(self, record: ScheduleRecord) -> None:
        # Advanced first: if the server crashes in between, one run is missing, which costs nothing,
        # instead of one too many.
        # The server was down when the schedule ended. A run at its very end may be a little late.
        ended = self._now() > record.end_at + timedelta(seconds=_LONGEST_SLEEP)
        self._backend.schedules.advance(record)
        if ended:
            return
        try:
            start_task(self._backend, record.request, SCHEDULE_MODEL)
        except RefusalError as refusal:
            _logger.warning("schedule %s could not run: %s", record.id, refusal.body["detail"])
