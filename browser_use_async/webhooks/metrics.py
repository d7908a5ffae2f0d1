"""What a receiver has counted."""

from collections import Counter

import attrs

from browser_use_async.webhooks.events import Event, TaskStatusUpdate, TestEvent

__all__ = ["ReceiverMetrics", "label_of"]


@attrs.define(eq=False)
class ReceiverMetrics:
    """Counts since the receiver was made. Events are counted by what `label_of` calls them.

    Each call ends as one of `delivered`, `duplicates`, `queue_full` and `refused`.
    """

    # Authentic events, the repeated ones among them
    received: "Counter[str]" = attrs.field(factory=Counter)
    delivered: "Counter[str]" = attrs.field(factory=Counter)  # events that were taken: once each
    duplicates: "Counter[str]" = attrs.field(factory=Counter)  # events that had been taken before
    # Events that were put off with 503, because too many are being handled
    queue_full: "Counter[str]" = attrs.field(factory=Counter)
    # Calls that told nothing, by reason: `method`, `path`, `content_type`, `encoding`,
    # `header`, `stale`, `signature`, `body`, `too_large`, `too_slow`, `gone` and `closed`
    refused: "Counter[str]" = attrs.field(factory=Counter)
    # Events whose handlers have all ended well
    handled: "Counter[str]" = attrs.field(factory=Counter)
    # Handlers that raised, took too long or were cut off by closing
    handler_failures: "Counter[str]" = attrs.field(factory=Counter)

    @property
    def calls(self) -> int:
        """How many calls came, whatever became of them."""
        ends = (self.delivered, self.duplicates, self.queue_full, self.refused)
        return sum(end.total() for end in ends)


def label_of(event: Event) -> str:
    """What an event is counted as: its status, `test`, `other status` or `unknown`."""
    if isinstance(event, TaskStatusUpdate):
        # Words that the sender makes up do not make more counters.
        return str(event.status) if event.status.is_known else "other status"
    return "test" if isinstance(event, TestEvent) else "unknown"
