"""Which tasks webhooks or a long poll report on, so that polls of them are only a safety. No I/O.

Its states, which only the functions named here set:

    state            says                                     set by          cleared by
    webhooks_arrive  webhooks report ends                     record_webhook  record_end, at an end
                                                                              that none reported
    reported_ends    these tasks have ended, said a webhook;  record_webhook  the 10,001st of them
                     the oldest report comes first
    streaming_since  a stream reports each change since this  _begin_coverage stop_long_poll
                     loop time; infinite without one
    long_polled      the status call of this one task waits   _begin          stop_long_poll
                     for a change

Stream and status call exclude each other: a session has one long poll. `covers` asks all states
about one task; `can_cover` asks whether they could report what its subscribers need.
"""

import math

from browser_use_async.polling.watched_task import Interest, WatchedTask
from browser_use_async.types import TaskStatus

MAX_REPORTED_ENDS = 10_000  # remembered for waits that start later
_ANNOUNCED = frozenset({TaskStatus.FINISHED, TaskStatus.STOPPED})  # failures often are not


class Coverage:
    """What webhooks and the long poll report on."""

    def __init__(self) -> None:
        self.webhooks_arrive = False
        self.reported_ends: dict[str, None] = {}
        self.streaming_since = math.inf
        self.long_polled: WatchedTask | None = None

    @property
    def has_long_poll(self) -> bool:
        """Whether a long poll reports changes."""
        return self.long_polled is not None or self.is_streaming

    @property
    def is_streaming(self) -> bool:
        """Whether a stream reports the changes of all tasks."""
        return self.streaming_since < math.inf

    @property
    def is_any(self) -> bool:
        """Whether webhooks or a long poll report changes."""
        return self.webhooks_arrive or self.has_long_poll

    def can_cover(self, watched: WatchedTask) -> bool:
        """Whether webhooks or the long poll could report all that a task's subscribers need."""
        reported = Interest.STATUS if self.has_long_poll else Interest.END
        return watched.interest <= reported and not watched.needs_polling

    def covers(self, watched: WatchedTask) -> bool:
        """Whether the task's changes are reported, and none came before the reports began."""
        by_webhooks = self.webhooks_arrive and watched.interest is Interest.END
        by_stream = watched.answered_at >= self.streaming_since
        is_reported_on = by_webhooks or by_stream or watched is self.long_polled
        return is_reported_on and self.can_cover(watched)

    def record_webhook(self, task_id: str, *, has_ended: bool) -> None:
        """Record a webhook, perhaps about a task that is not watched yet."""
        self.webhooks_arrive = True
        if has_ended:
            self.reported_ends[task_id] = None
            if len(self.reported_ends) > MAX_REPORTED_ENDS:
                del self.reported_ends[next(iter(self.reported_ends))]

    def record_end(self, watched: WatchedTask, polls_before: int) -> bool:
        """Record an end that a poll has found; returns whether webhooks seem to have stopped."""
        # An end that the first poll finds may be older than this session: no webhook was due.
        was_watched = polls_before > 0 or watched.submitted_at is not None
        if watched.end_reported or not was_watched or watched.status not in _ANNOUNCED:
            return False
        did_arrive, self.webhooks_arrive = self.webhooks_arrive, False
        return did_arrive

    def stop_long_poll(self) -> WatchedTask | None:
        """Stop relying on a long poll; returns the task of its status call, if it was one."""
        watched, self.long_polled = self.long_polled, None
        self.streaming_since = math.inf
        return watched
