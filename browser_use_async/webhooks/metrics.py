"""What a receiver has counted."""

from collections import Counter

import attrs

from browser_use_async.webhooks.events import Event, TaskStatusUpdate, TestEvent

__all__ = ["ReceiverMetrics", "label_of"]


@attrs.define(eq=False)
class ReceiverMetrics:
    """Counts since the receiver was made. Events are counted by what `label_of` calls them.

    Each call ends as one of `delivered`, `duplicates`, `queue_full` and `refused`.

    Attributes:
        received: Authentic events, the repeated ones among them.
        delivered: Events that were taken: once each.
        duplicates: Events that had been taken before.
        queue_full: Events that were put off with 503, because too many are being handled.
        refused: Calls that told nothing, by reason: `method`, `path`, `content_type`, `encoding`,
            `header`, `stale`, `signature`, `body`, `too_large`, `too_slow`, `gone` and `closed`.
        handled: Events whose handlers have all ended well.
        handler_failures: Handlers that raised, took too long or were cut off by closing.
    """

    received: "Counter[str]" = attrs.field(factory=Counter)
    delivered: "Counter[str]" = attrs.field(factory=Counter)
    duplicates: "Counter[str]" = attrs.field(factory=Counter)
    queue_full: "Counter[str]" = attrs.field(factory=Counter)
    refused: "Counter[str]" = attrs.field(factory=Counter)
    handled: "Counter[str]" = attrs.field(factory=Counter)
    handler_failures: "Counter[str]" = attrs.field(factory=Counter)

    @property
    def calls(self) -> int:
        """How many calls came, whatever became of them."""
        ends = (self.delivered, self.duplicates, self.queue_full, self.refused)
        return sum(end.total() for end in ends)


def label_of(event: Event) -> str:
    """What an event is counted as: its status, `test`, `other status` or `unknown`.

    Args:
        event: The event.
    """
    if isinstance(event, TaskStatusUpdate):
        # Words that the sender makes up do not make more counters.
        return str(event.status) if event.status.is_known else "other status"
    return "test" if isinstance(event, TestEvent) else "unknown"
