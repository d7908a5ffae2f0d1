"""Events of the service, each of which wakes whoever waits for the task that it is about."""

import asyncio
import logging
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager, suppress

from browser_use_async.errors import WebhookVerificationError
from browser_use_async.webhooks import TaskStatusUpdate, unwrap

_logger = logging.getLogger(__name__)


class WebhookEvents:
    """Who waits for which remote task.

    Args:
        secret: The secret of the service's webhook.
    """

    def __init__(self, secret: str | None) -> None:
        self._secret = secret
        self._waiting: dict[str, set[asyncio.Event]] = {}

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
    def watch(self, names: Iterable[str]) -> Generator[asyncio.Event]:
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


async def pause(event: asyncio.Event, seconds: float) -> None:
    """Return after some seconds, or at once when the event is set."""
    with suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), seconds)
