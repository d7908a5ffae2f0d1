"""The mark by which a task is found again when the answer to its creation was lost. Pure."""

import hashlib
import re
import uuid
from datetime import UTC, datetime

import attrs

from browser_use_async.errors import InvalidRequestError

# The reserved metadata pair. It takes one of the ten pairs of a task.
TOKEN_KEY = "bu_async.token"  # noqa: S105 - the name of a metadata pair, no secret

# A second reserved pair, of sessions that write spans: which trace the submission belongs to. Not a
# part of the first one: searches compare that with the mark, in earlier versions too, and a task
# that they do not find is paid for twice.
TRACE_KEY = "bu_async.traceparent"

# A third one, of the tasks of a batch: the beginning of their submission keys, by which the pages
# of a server show them together. Left out where a task's own pairs leave no room for it.
BATCH_KEY = "bu_async.batch"

RESERVED_KEYS = (TOKEN_KEY, TRACE_KEY, BATCH_KEY)

# Settle windows are shorter than this many seconds.
MAX_WINDOW = 1e7

# The time is in milliseconds. An "s" before it says that it is the service's; without
# it, it is this machine's.
_TEXT = r"bu1\.([0-9a-f]{32})\.([0-9a-f]{16})\.(s?)(\d{1,14})\.(\d{1,8}(?:\.\d{1,6})?)"


TRACEPARENT = r"00-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}"


@attrs.frozen
class SubmissionToken:
    """Everything that another process needs to look for a task."""

    mark: str  # the value of the reserved metadata pair; random, and derived from nothing
    digest: str  # a digest of the task's text, to compare candidates without the text
    sent_at: datetime  # when the first attempt was made
    settle_window: float  # seconds after which a task that did not appear is taken never to appear
    # Whether `sent_at` is the service's time, and the machine's clock agreed. Else it may be
    # wrong by any amount, and nothing is derived from it.
    by_service: bool = False

    @classmethod
    def new(
        cls, task: str, settle_window: float, now: datetime, *, by_service: bool = False
    ) -> "SubmissionToken":
        """A fresh token for one submission."""
        return cls(uuid.uuid4().hex, digest_of(task), now, settle_window, by_service)

    @classmethod
    def parse(cls, text: str) -> "SubmissionToken":
        """Read what `str()` wrote."""
        match = re.fullmatch(_TEXT, str(text), re.ASCII)
        if match is None:
            raise InvalidRequestError(
                "this is no submission token; they come from SubmissionUnknownError and start "
                "with 'bu1.'",
                field="submission_token",
            )
        mark, digest, service, milliseconds, window = match.groups()
        sent_at = datetime.fromtimestamp(int(milliseconds) / 1000, UTC)
        return cls(mark, digest, sent_at, float(window), bool(service))

    def extended(self, seconds: float) -> "SubmissionToken":
        """The same token with a longer settle window."""
        window = min(self.settle_window + max(seconds, 0.0), MAX_WINDOW - 1)
        return attrs.evolve(self, settle_window=window)

    def __str__(self) -> str:
        milliseconds = int(self.sent_at.timestamp() * 1000)
        time = f"{'s' if self.by_service else ''}{milliseconds}"
        return f"bu1.{self.mark}.{self.digest}.{time}.{self.settle_window:.6f}"


def is_traceparent(text: object) -> bool:
    """Whether something is a W3C `traceparent` of version 00, with ids that are not zero."""
    found = re.fullmatch(TRACEPARENT, text, re.ASCII) if isinstance(text, str) else None
    return found is not None and found[1].strip("0") != "" and found[2].strip("0") != ""


def digest_of(task: str) -> str:
    """A short digest of a task's text."""
    return hashlib.sha256(task.encode("utf-8", "surrogatepass")).hexdigest()[:16]
