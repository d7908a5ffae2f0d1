"""What goes wrong with single calls: which calls, how often, when, and how."""

import math
import random
from collections import Counter
from collections.abc import Sequence
from enum import Enum

import attrs

__all__ = ["ALL_CALLS", "Call", "Fault", "FaultInjector", "Kind", "mixed"]


class Call(Enum):
    """The calls that the scenarios tell apart."""

    RUN = "run"
    GET = "get"
    STATUS = "status"
    LIST = "list"
    STOP = "stop"
    OTHER = "other"


ALL_CALLS = frozenset(Call)


class Kind(Enum):
    """What becomes of the reply."""

    CUT = "cut"  # the connection ends before the reply, or in the middle of it
    HANG = "hang"  # no reply, until the client gives up
    SLOW = "slow"  # a late reply
    SERVER_ERROR = "5xx"
    RATE_LIMIT = "429"
    HTML = "html"  # a proxy's page, with 200 or 502
    GARBAGE = "garbage"  # 200, and a body that is no JSON, or JSON of another shape
    REPLAY = "replay"  # run-task is carried out, and answered with the id of an earlier task


@attrs.frozen
class Fault:
    """One kind of trouble.

    Attributes:
        kind: What becomes of the reply.
        share: The probability that a matching call is hit.
        calls: Which calls match.
        page: The page number that a list call asks for, or None for any.
        since: The virtual second from which on calls match.
        until: The virtual second from which on they do not.
        every: At most one hit in so many seconds, or None for no such limit.
        times: At most so many hits, or None.
        seconds: How late a slow reply is.
        retry_after: Seconds that a 429 asks for, or None.
        done: The probability that a paying call is carried out although its reply is lost.
        done_after: The most seconds after which it is, beginning now.
    """

    kind: Kind
    share: float = 1.0
    calls: frozenset[Call] = ALL_CALLS
    page: int | None = None
    since: float = 0.0
    until: float = math.inf
    every: float | None = None
    times: int | None = None
    seconds: float = 0.0
    retry_after: float | None = None
    done: float = 1.0
    done_after: float = 0.0

    def matches(self, call: Call, page: int | None, now: float) -> bool:
        """Whether a call can be hit by it."""
        if call not in self.calls or not self.since <= now < self.until:
            return False
        return self.page is None or self.page == page


def mixed(share: float, calls: frozenset[Call] = ALL_CALLS) -> tuple[Fault, ...]:
    """Every kind of trouble, each with the same part of a share."""
    kinds = (
        Fault(Kind.CUT),
        Fault(Kind.SERVER_ERROR),
        Fault(Kind.HTML),
        Fault(Kind.GARBAGE),
        Fault(Kind.RATE_LIMIT),
        Fault(Kind.RATE_LIMIT, retry_after=1.0),
        Fault(Kind.SLOW, seconds=40.0),
        Fault(Kind.SLOW, seconds=5.0),
    )
    return tuple(attrs.evolve(each, share=share / len(kinds), calls=calls) for each in kinds)


class FaultInjector:
    """Decides over each call.

    Args:
        faults: What can go wrong; the first that hits counts.
        rng: The source of chance.
    """

    def __init__(self, faults: Sequence[Fault], rng: random.Random) -> None:
        self._faults = faults
        self._rng = rng
        self._last = [-math.inf] * len(faults)
        self._hits = [0] * len(faults)
        self.fired: Counter[str] = Counter()

    def choose(self, call: Call, page: int | None, now: float) -> Fault | None:
        """The fault that hits a call, if any does."""
        for number, fault in enumerate(self._faults):
            if not fault.matches(call, page, now) or not self._may_hit(number, fault, now):
                continue
            if fault.share >= 1.0 or self._rng.random() < fault.share:
                self._last[number] = now
                self._hits[number] += 1
                self.fired[fault.kind.value] += 1
                return fault
        return None

    def _may_hit(self, number: int, fault: Fault, now: float) -> bool:
        if fault.times is not None and self._hits[number] >= fault.times:
            return False
        return fault.every is None or now - self._last[number] >= fault.every
