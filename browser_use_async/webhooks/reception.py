"""What becomes of a call: decided from bytes and headers, without input, output or a loop."""

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

import attrs

from browser_use_async.errors import WebhookVerificationError
from browser_use_async.webhooks.answers import ACCEPTED, Answer, refusal
from browser_use_async.webhooks.bodies import canonical_json
from browser_use_async.webhooks.events import Event, TestEvent
from browser_use_async.webhooks.freshness import check_fresh, read_sent_at
from browser_use_async.webhooks.headers import Headers, header_pairs, signatures_of, timestamp_of
from browser_use_async.webhooks.signing import SIGNATURE_HEADER, TIMESTAMP_HEADER
from browser_use_async.webhooks.unwrapping import read_event
from browser_use_async.webhooks.verification import VerifiedCall, verify

__all__ = ["Decision", "Head", "Reception", "Refusal"]

RETRY_AFTER = "5"
"""Seconds after which a sender may try again when the queue is full."""

_KEPT = frozenset(
    {
        "content-encoding",
        "content-length",
        "content-type",
        SIGNATURE_HEADER.lower(),
        TIMESTAMP_HEADER.lower(),
    }
)


@attrs.frozen
class Head:
    """What comes before the body."""

    method: str  # the HTTP method
    # The path, in every way in which the receiver's own may be written: a framework that
    # mounts the receiver may or may not count its own part
    paths: tuple[str, ...]
    # Those that matter, names in lower case and values, in order
    headers: Sequence[tuple[str, str]]

    @classmethod
    def of(
        cls, method: str, paths: Iterable[str], headers: Iterable[tuple[str | bytes, str | bytes]]
    ) -> "Head":
        """A head as a framework gives it."""
        kept = [each for each in header_pairs(headers) if each[0] in _KEPT]
        return cls(method, tuple(paths), kept)

    def first(self, name: str) -> str | None:
        """The first header of a name, or None."""
        return next((value.strip() for key, value in self.headers if key == name), None)


@attrs.frozen
class Refusal:
    """A call that tells nothing."""

    answer: Answer  # what to answer
    reason: str  # why, in a word to count by
    problem: str  # why, in words for the log: without anything that the caller wrote


@attrs.frozen
class Decision:
    """An authentic call."""

    answer: Answer  # what to answer
    event: Event  # what it tells
    is_repeated: bool = False  # whether it was taken before
    is_put_off: bool = False  # whether it has to be sent again, because there is no room for it now


class Reception:
    """Judges calls, and remembers which events were taken."""

    def __init__(
        self,
        secrets: Sequence[str],
        *,
        path: str | None,
        max_body: int,
        tolerance: float | None,
        remember: int,
        now: Callable[[], datetime] | None,
    ) -> None:
        self._secrets = secrets
        self._path = path
        self._tolerance = tolerance
        self._remember = remember
        self._now = now
        self._taken: OrderedDict[bytes, None] = OrderedDict()
        self.max_body = max_body

    def look_at_head(self, head: Head) -> Refusal | None:
        """Refuse what need not be read, before any of the body is."""
        if self._path is not None and self._path not in head.paths:
            return Refusal(refusal(404), "path", "there is nothing at this path")
        if head.method != "POST":
            return Refusal(refusal(405, Allow="POST"), "method", "the method is not POST")
        if not _is_json(head.first("content-type")):
            return Refusal(refusal(415), "content_type", "the content type is not JSON")
        if (head.first("content-encoding") or "identity").lower() != "identity":
            return Refusal(refusal(415), "encoding", "the body is compressed")
        try:
            signatures_of(head.headers)
            check_fresh(read_sent_at(timestamp_of(head.headers)), self._tolerance, self._moment())
        except WebhookVerificationError as error:
            return _refused(error)
        length = head.first("content-length") or "0"
        # Longer numbers than that are no lengths, and cost time to read.
        is_number = length.isascii() and length.isdigit() and len(length) < 20
        return self.too_large() if not is_number or int(length) > self.max_body else None

    def too_large(self) -> Refusal:
        """The refusal of a body that is longer than allowed."""
        return Refusal(
            refusal(413), "too_large", f"the body is longer than the {self.max_body} bytes allowed"
        )

    def decide(self, body: bytes, headers: Headers, *, has_room: bool) -> Refusal | Decision:
        """Judge a whole call."""
        if len(body) > self.max_body:
            return self.too_large()
        try:
            call = verify(
                body, headers, self._secrets, tolerance=self._tolerance, now=self._moment()
            )
        except WebhookVerificationError as error:
            return _refused(error)
        event = read_event(call.body)
        digest = _digest(call, event)
        if digest in self._taken:
            self._taken.move_to_end(digest)
            return Decision(ACCEPTED, event, is_repeated=True)
        if not has_room:
            # Not remembered, so that it is taken when it comes again.
            return Decision(refusal(503, Retry_After=RETRY_AFTER), event, is_put_off=True)
        self._taken[digest] = None
        if len(self._taken) > self._remember:
            self._taken.popitem(last=False)
        return Decision(ACCEPTED, event)

    def _moment(self) -> datetime | None:
        return None if self._now is None else self._now()


def _digest(call: VerifiedCall, event: Event) -> bytes:
    """What tells events apart, however they are laid out."""
    digest = hashlib.sha256(canonical_json(call.body))
    if isinstance(event, TestEvent):
        # All test events have one content; a new one is sent at another time.
        digest.update(call.sent_at.isoformat().encode())
    return digest.digest()


def _refused(error: WebhookVerificationError) -> Refusal:
    return Refusal(refusal(error.status), error.reason, str(error))


def _is_json(content_type: str | None) -> bool:
    """Whether a body may be JSON; who says nothing about it is not refused."""
    if not content_type:
        return True
    kind = content_type.partition(";")[0].strip().lower()
    return kind == "application/json" or (kind.startswith("application/") and kind[-5:] == "+json")
