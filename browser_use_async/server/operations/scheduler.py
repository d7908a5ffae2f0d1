"""The runs of schedules, each started once when its time has come."""

import asyncio
import contextlib
import logging
import random
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

import attrs

from browser_use_async.server.errors import NoKeyError, RefusedError, StorageUnavailableError
from browser_use_async.server.loops import log_waiting
from browser_use_async.server.operations.task_start import start_task
from browser_use_async.server.records import DEFAULT_OWNER
from browser_use_async.server.running_server import RunningServer
from browser_use_async.server.storage.schedule import SCHEDULE_MODEL, ScheduleRecord
from browser_use_async.server.storage.schedules import RunTakenError

_LONGEST_SLEEP = 60.0  # seconds, after which a changed wall clock is noticed
_STORAGE_SECONDS = 1.0  # until an unavailable database is tried again
_logger = logging.getLogger(__name__)


@attrs.frozen(eq=False, repr=False)
class Scheduler:
    """Starts the runs of schedules when they are due.

    One run replaces all runs that were missed while the server was down or busy.
    """

    _server: RunningServer
    _now: Callable[[], datetime]
    _changed: asyncio.Event = attrs.field(factory=asyncio.Event, init=False)

    async def run(self) -> None:
        """Wait for due schedules; cancelled it starts no more runs, and those under way go on."""
        self._server.stores.schedules.changed = self._changed.set
        while True:
            # Cleared before the schedules are read, so that no change in between is missed.
            self._changed.clear()
            try:
                seconds = await self._start_due()
            except StorageUnavailableError as error:
                log_waiting(_logger, "schedules wait for the database", error)
                seconds = _STORAGE_SECONDS
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._changed.wait()

    async def _start_due(self) -> float | None:
        """Start due runs; returns the seconds until the next one, or None without schedules."""
        schedules = self._server.stores.schedules
        due = await schedules.due()
        longest = self._server.deployment.longest_sleep
        if longest is not None:
            random.shuffle(due)  # so that concurrent servers do not compete for each of them
        failure = None
        for record in due:
            try:
                await self._start_run(record)
            except Exception as error:  # noqa: BLE001 - other schedules must run
                failure = error
        if failure is not None:
            raise failure
        moment = await schedules.next_moment()
        if moment is None:
            return longest
        seconds = max((moment - self._now()).total_seconds(), 0.0)
        return min(seconds, longest or _LONGEST_SLEEP)

    async def _start_run(self, record: ScheduleRecord) -> None:
        schedules = self._server.stores.schedules
        claim = partial(schedules.claim_run, record)
        # After a downtime, no run starts past the end of the schedule, except a minute late.
        if self._now() <= record.end_at + timedelta(seconds=_LONGEST_SLEEP):
            owner, keys = record.owner, self._server.stores.api_keys
            server = self._server.of(owner)
            try:
                if owner != DEFAULT_OWNER and not await keys.has_valid(owner):
                    raise NoKeyError(f"{owner} has no valid key")
                # In one transaction: each run is started exactly once.
                await start_task(server, record.request, SCHEDULE_MODEL, claim)
            except RunTakenError:
                return
            except StorageUnavailableError:
                raise
            except RefusedError as refused:
                _logger.warning("schedule %s could not run: %s", record.id, refused)
            else:
                return
        await self._server.stores.database.transact(partial(schedules.advance, record=record))
