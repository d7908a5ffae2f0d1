"""Polls tasks of the hosted service until they end, sooner if its webhooks tell of them."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Generator, Iterable, Mapping
from contextlib import contextmanager, suppress

from browser_use_async.errors import WebhookVerificationError
from browser_use_async.server.executors.remote.client import RefusedError
from browser_use_async.server.executors.remote.run import News, RemoteRun
from browser_use_async.server.executors.remote.settings import CloudSettings
from browser_use_async.webhooks import TaskStatusUpdate, unwrap

_logger = logging.getLogger(__name__)

_GONE_SECONDS = 10.0  # for which the service may not know a task that it has created


class TaskPoller:
    """Polls remote tasks; an event of the service about one of them wakes whoever waits for it."""

    def __init__(self, settings: CloudSettings) -> None:
        self._secret = settings.webhook_secret
        self._seconds = settings.poll_seconds
        self._waiting: dict[str, set[asyncio.Event]] = {}

    async def news(self, run: RemoteRun) -> AsyncGenerator[News]:
        """Look at the task again and again, until it has ended."""
        loop = asyncio.get_running_loop()
        gone_since = None
        with self._woken(run.identity.values()) as event:
            while True:
                event.clear()  # what comes from here on may be newer than the look
                try:
                    news = await run.look()
                except RefusedError as error:
                    if error.status != 404:
                        raise
                    gone_since = gone_since or loop.time()
                    if loop.time() - gone_since > _GONE_SECONDS:
                        raise
                else:
                    gone_since = None
                    yield news
                    if news.status.is_terminal:
                        return
                with suppress(TimeoutError):
                    await asyncio.wait_for(event.wait(), self._seconds)

    def receive(self, body: bytes, headers: Mapping[str, str]) -> int:
        """Take a webhook call, and return the status of the answer."""
        try:
            event = unwrap(body, headers, self._secret or "")
        except WebhookVerificationError as error:
            _logger.warning("a webhook call of the hosted service is refused: %s", error)
            return error.status
        if isinstance(event, TaskStatusUpdate):
            for name in (event.task_id, event.session_id):
                for each in self._waiting.get(name, ()):
                    each.set()
        return 200

    @contextmanager
    def _woken(self, names: Iterable[str]) -> Generator[asyncio.Event]:
        """An event that is set whenever the service tells of one of the names."""
        event, known = asyncio.Event(), list(names)
        for name in known:
            self._waiting.setdefault(name, set()).add(event)
        try:
            yield event
        finally:
            for name in known:
                self._waiting[name].discard(event)
                if not self._waiting[name]:
                    del self._waiting[name]
