"""Where a session hears of events."""

from collections.abc import Callable
from typing import Protocol

from browser_use_async.webhooks.events import Event

__all__ = ["EventSource"]


class EventSource(Protocol):
    """Whatever receives webhooks and has verified them."""

    def subscribe(self, hear: Callable[[Event], None], /) -> None:
        """Call something with each event from now on."""
        ...
