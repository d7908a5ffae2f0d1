"""What became of one attempt. Pure: from exceptions, statuses and bytes to one of four words."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import attrs

from browser_use_async.contract.endpoint import Effect
from browser_use_async.models.record import Record

__all__ = [
    "Outcome",
    "OutcomeKind",
    "Reply",
    "kind_of_status",
    "may_try_again",
    "says_no_free_slot",
]


class OutcomeKind(StrEnum):
    """Whether the service did what it was asked."""

    ACCEPTED = "accepted"
    NOT_SENT = "not sent"  # provably: nothing can have happened
    REJECTED = "rejected"  # the service refused before doing anything
    AMBIGUOUS = "ambiguous"  # it may or may not have happened


# Not frozen: that would double the price of one, and each attempt makes one.
@attrs.define(eq=False, repr=False)
class Reply(Record):
    """What came back.

    Attributes:
        status: The HTTP status.
        headers: Its headers, case-insensitive.
        body: The decoded body.
    """

    status: int
    headers: Mapping[str, str] = attrs.field(repr=False)
    body: bytes = attrs.field(repr=lambda body: f"<{len(body)} bytes>")


@attrs.define(eq=False, repr=False)  # not frozen, for the same reason
class Outcome(Record):
    """One attempt, judged.

    Attributes:
        kind: One of the four words.
        value: The decoded answer of an accepted attempt.
        reply: What came back, if anything whole did.
        problem: What went wrong, in words that hold no secret and no URL query.
        path: Where in the JSON the answer was wrong, if that was the problem.
        timed_out: Whether the problem was time.
        transient: Whether the same attempt may succeed a moment later.
        held: Seconds for which the service wants to be left alone, if that is why nothing was
            sent.
        doubted: Whether an earlier attempt of the same call may have been carried out.
    """

    kind: OutcomeKind
    value: Any = attrs.field(default=None, repr=False)
    reply: Reply | None = None
    problem: str = ""
    path: str | None = None
    timed_out: bool = False
    transient: bool = True
    held: float | None = None
    doubted: bool = False

    @property
    def status(self) -> int | None:
        """The HTTP status, if a whole reply came back."""
        return None if self.reply is None else self.reply.status


# Statuses with which a service says that it did nothing. Validation and rate limiting are taken
# to happen before creation. 521-523, 525 and 526 come from an edge that reached no origin.
_REJECTED = frozenset(
    {400, 401, 402, 403, 404, 405, 411, 413, 414, 415, 422, 429, 501, 505, 521, 522, 523, 525, 526}
)
_TRANSIENT = frozenset({408, 425, 429, 500, 502, 503, 504, *range(520, 531)})


def kind_of_status(status: int) -> OutcomeKind:
    """What a status alone says about the attempt.

    Args:
        status: The HTTP status.
    """
    if 200 <= status < 300:
        return OutcomeKind.ACCEPTED
    if 300 <= status < 400 or status in _REJECTED:
        return OutcomeKind.REJECTED
    return OutcomeKind.AMBIGUOUS


def may_try_again(effect: Effect, outcome: Outcome) -> bool:
    """Whether the same call may be sent once more without a risk to anybody's money.

    A server that says `X-Should-Retry: true` or `false` is heeded for reads and idempotent calls;
    for all others it could only be wrong at somebody's expense.

    Args:
        effect: What the call does, from its row.
        outcome: What became of the attempt.
    """
    match outcome.kind:
        case OutcomeKind.ACCEPTED:
            return False
        case OutcomeKind.NOT_SENT:
            return outcome.transient
        case _ if outcome.status == 429:
            return True
        case _ if effect not in {Effect.READS, Effect.IDEMPOTENT}:
            return False
        case _:
            if (wish := _wish(outcome)) is not None:
                return wish
            good = outcome.status is None or 200 <= outcome.status < 300
            return good or outcome.status in _TRANSIENT


def _wish(outcome: Outcome) -> bool | None:
    """What the server says itself about repeating a call that it did not accept."""
    if outcome.reply is None or 200 <= outcome.reply.status < 300:
        return None
    said = outcome.reply.headers.get("X-Should-Retry", "").strip().lower()
    return {"true": True, "false": False}.get(said)


def says_no_free_slot(reply: Reply) -> bool:
    """Whether a service that runs too many tasks at once says so.

    Args:
        reply: Its reply to run-task.
    """
    return reply.status == 429 and b"too many concurrent" in reply.body[:4096].lower()
