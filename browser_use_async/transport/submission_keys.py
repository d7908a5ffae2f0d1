"""Whether the service keeps one task for each submission key, as its answers show."""

from browser_use_async.api.endpoint_table import Effect
from browser_use_async.api.submission_key import (
    KEY_HEADER,
    REPLAYED_HEADER,
    TRUE,
    are_same,
)
from browser_use_async.events import KeyIgnored
from browser_use_async.observing.observers import Observers
from browser_use_async.transport.request import PreparedRequest
from browser_use_async.transport.response import Outcome, OutcomeKind, Reply, says_supported


class SubmissionKeys:
    """Whether the service supports keys, as far as one session knows.

    A server may be behind a proxy that removes the header. So only an answer that sends the key
    back counts.
    """

    def __init__(self, observers: Observers) -> None:
        self._observers = observers
        # None until an answer shows it: one that echoes the key, or one about something that was
        # created, without the key.
        self._kept: bool | None = None

    @property
    def are_kept(self) -> bool:
        """Whether a creating call can be repeated with its key without a risk of paying twice."""
        return self._kept is True

    @property
    def are_unknown(self) -> bool:
        """Whether no answer has shown yet if the service keeps keys."""
        return self._kept is None

    def record(self, prepared: PreparedRequest, outcome: Outcome, *, is_repeated: bool) -> None:
        """Record the answer to a call with a key; `is_repeated` after a lost answer to it."""
        reply, key = outcome.reply, prepared.key
        if reply is None or key is None or self._kept is False:
            return
        if echoes(reply, key):
            self._kept = True
        elif prepared.endpoint.effect is Effect.CREATES and outcome.kind is OutcomeKind.ACCEPTED:
            was_kept, self._kept = self.are_kept, False
            if was_kept:
                task_id = getattr(outcome.value, "id", None)
                event = KeyIgnored(prepared.endpoint.name, task_id, is_repeated)
                self._observers.notify(event, prepared.about)


def echoes(reply: Reply, key: str) -> bool:
    """Whether an answer sends this key back, as servers that keep keys do."""
    return says_supported(reply) and are_same(reply.headers.get(KEY_HEADER, ""), key)


def is_replayed(reply: Reply | None) -> bool:
    """Whether an answer is the one of an earlier call with the same key."""
    return reply is not None and reply.headers.get(REPLAYED_HEADER, "").strip() == TRUE
