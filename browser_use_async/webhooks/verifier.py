"""Verification of webhook requests, and their answers, from headers and bytes. No I/O."""

import hashlib
import json
import math
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from http import HTTPStatus

import attrs

from browser_use_async.errors import WebhookVerificationError
from browser_use_async.webhooks import signature
from browser_use_async.webhooks.events import Event, TestEvent
from browser_use_async.webhooks.standard import HEADERS

# A head is in memory while its body is read, so only the needed headers are copied.
_KEPT = frozenset(
    {
        "content-encoding",
        "content-length",
        "content-type",
        signature.SIGNATURE_HEADER.lower(),
        signature.TIMESTAMP_HEADER.lower(),
        *HEADERS,
    }
)


@attrs.frozen
class Answer:
    """The answer to a webhook call."""

    status: int  # the HTTP status: 200 if the event is accepted, 503 if it should be sent again
    body: bytes  # JSON
    # The headers, among them `Content-Type`
    headers: Mapping[str, str] = attrs.field(
        factory=lambda: {"Content-Type": "application/json"}, kw_only=True
    )

    @property
    def is_accepted(self) -> bool:
        """Whether the sender need not send it again."""
        return self.status == HTTPStatus.OK


# For accepted events, and for repetitions of them.
ACCEPTED = Answer(HTTPStatus.OK, json.dumps({"status": "success"}).encode())


def refusal(status: int, headers: Mapping[str, str] | None = None) -> Answer:
    """An answer that shows nothing but its status."""
    body = json.dumps({"detail": HTTPStatus(status).phrase}).encode()
    return Answer(status, body, headers={"Content-Type": "application/json", **(headers or {})})


@attrs.frozen
class RequestHead:
    """The method, path and headers of a request."""

    method: str  # the HTTP method
    # Several, since a framework that mounts the receiver may keep or remove its own prefix
    paths: tuple[str, ...]
    headers: Sequence[tuple[str, str]]  # the needed ones, with lower-case names, in order

    @classmethod
    def of(
        cls, method: str, paths: Iterable[str], headers: Iterable[tuple[str | bytes, str | bytes]]
    ) -> "RequestHead":
        """The head of a framework's request."""
        kept = [each for each in signature.header_pairs(headers) if each[0] in _KEPT]
        return cls(method, tuple(paths), kept)

    def first(self, name: str) -> str | None:
        """The first header of a name, or None."""
        return next((value.strip() for key, value in self.headers if key == name), None)


@attrs.frozen(kw_only=True, eq=False, repr=False)
class RequestVerifier:
    """Verifies requests; raises `WebhookVerificationError` for those that are refused."""

    secrets: Sequence[str]
    path: str | None
    tolerance: float | None
    now: Callable[[], datetime] | None
    max_body: int

    def check_head(self, head: RequestHead) -> None:
        """Refuse a request before its body is read."""
        # The texts are for the log, and have nothing from the request.
        if self.path is not None and self.path not in head.paths:
            raise _refused(404, "path", "there is nothing at this path")
        if head.method != "POST":
            raise _refused(405, "method", "the method is not POST")
        if not _is_json(head.first("content-type")):
            raise _refused(415, "content_type", "the content type is not JSON")
        if (head.first("content-encoding") or "identity").lower() != "identity":
            raise _refused(415, "encoding", "the body is compressed")
        signature.claims_of(head.headers, self.tolerance, self._moment())
        length = head.first("content-length") or "0"
        # A longer number is no length, and takes time to parse.
        is_number = length.isascii() and length.isdigit() and len(length) < 20
        self._check_size(int(length) if is_number else math.inf)

    def check(self, body: bytes, headers: signature.Headers) -> signature.VerifiedCall:
        """Verify a whole request."""
        self._check_size(len(body))
        return signature.verify(
            body, headers, self.secrets, tolerance=self.tolerance, now=self._moment()
        )

    def _check_size(self, size: float) -> None:
        if size > self.max_body:
            text = f"the body is longer than the {self.max_body} bytes allowed"
            raise _refused(413, "too_large", text)

    def _moment(self) -> datetime | None:
        return None if self.now is None else self.now()


class LatestEvents:
    """The latest events, by their digests and, if they have one, by their ids."""

    # Not by ids alone: the service's own signature does not cover an id, which could be changed.

    def __init__(self, most: int) -> None:
        self._most = most
        self._digests: OrderedDict[bytes, None] = OrderedDict()
        self._ids: OrderedDict[str | None, None] = OrderedDict()

    def knows(self, digest: bytes, message_id: str | None) -> bool:
        """Whether an event came before; if so, it is remembered longer."""
        if digest in self._digests:
            self._digests.move_to_end(digest)
            return True
        if message_id in self._ids:
            self._ids.move_to_end(message_id)
            return True
        return False

    def add(self, digest: bytes, message_id: str | None) -> None:
        """Remember an event."""
        self._digests[digest] = None
        if len(self._digests) > self._most:
            self._digests.popitem(last=False)
        if message_id is not None:
            self._ids[message_id] = None
            if len(self._ids) > self._most:
                self._ids.popitem(last=False)


def digest_of(call: signature.VerifiedCall, event: Event) -> bytes:
    """A digest of an event's content, whatever the layout of its JSON."""
    digest = hashlib.sha256(signature.canonical_json(call.body))
    if isinstance(event, TestEvent):
        # All test events have the same content; a new one has another time.
        digest.update(call.sent_at.isoformat().encode())
    return digest.digest()


def _refused(status: int, reason: str, problem: str) -> WebhookVerificationError:
    return WebhookVerificationError(problem, status=status, reason=reason)


def _is_json(content_type: str | None) -> bool:
    """Whether a body may be JSON; a missing content type is not refused."""
    if not content_type:
        return True
    kind = content_type.partition(";")[0].strip().lower()
    return kind == "application/json" or (kind.startswith("application/") and kind[-5:] == "+json")
