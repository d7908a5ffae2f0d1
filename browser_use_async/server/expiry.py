"""Files that are deleted when they have become old."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from browser_use_async.server.backend import Backend
from browser_use_async.server.failure_log import log_failure

__all__ = ["FILE_LIFETIME", "Sweeper", "expire"]

FILE_LIFETIME = timedelta(days=30)
"""How long files can be downloaded after the end of their task, and uploads included in tasks."""

_SWEEP_SECONDS = 24 * 60 * 60.0
_logger = logging.getLogger(__name__)


def expire(backend: Backend, now: datetime) -> None:
    """Delete screenshots, output files and uploads that are too old.

    Uploads that an active schedule includes stay.
    """
    before = now - FILE_LIFETIME
    included = (
        record.request.included_file_names
        for record in backend.schedules.records
        if record.is_active
    )
    needed = {name for names in included if isinstance(names, Sequence) for name in names}
    backend.uploads.expire(before, needed)
    backend.store.expire(before)


class Sweeper:
    """Deletes what is too old, now and once a day."""

    def __init__(self, backend: Backend, now: Callable[[], datetime]) -> None:
        self._backend = backend
        self._now = now
        self._work = asyncio.get_running_loop().create_task(self._sweep(), name="expiry")

    async def aclose(self) -> None:
        """Sweep no more."""
        self._work.cancel()
        await asyncio.gather(self._work, return_exceptions=True)

    async def _sweep(self) -> None:
        while True:
            try:
                expire(self._backend, self._now())
            except Exception as error:  # noqa: BLE001 - what is left over goes tomorrow
                log_failure(_logger, "deleting old files", error)
            await asyncio.sleep(_SWEEP_SECONDS)
