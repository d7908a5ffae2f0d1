"""The faults of single calls: which calls, how often, when, and how."""

import math
import random
from collections.abc import Sequence
from enum import Enum

import attrs

__all__ = ["Call", "Fault", "FaultInjector", "Kind", "mixed"]


class Call(Enum):
    """The kinds of calls in faults and reports."""

    RUN = "run"
    GET = "get"
    STATUS = "status"
    LIST = "list"
    STOP = "stop"
    OTHER = "other"


class Kind(Enum):
    """The effect on a reply."""

    CUT = "cut"  # the connection ends before it or in the middle of it, by FIN or RST
    HANG = "hang"  # none comes, until the client gives up
    SLOW = "slow"
    SERVER_ERROR = "5xx"
    RATE_LIMIT = "429"
    HTML = "html"  # a proxy's page, with 200 or 502
    GARBAGE = "garbage"  # 200, and no JSON, or JSON of another shape
    REPLAY = "replay"  # run-task is executed and answered with an earlier task's id


@attrs.frozen
class Fault:
    """One kind of fault, and the calls that it affects."""

    kind: Kind
    share: float = 1.0  # the probability that a matching call is affected
    calls: frozenset[Call] = frozenset(Call)
    page: int | None = None  # of the task list; None for any
    since: float = 0.0  # virtual seconds
    until: float = math.inf
    every: float = 0.0  # seconds from one hit to the next, at least
    times: float = math.inf  # hits, at most
    seconds: float = 0.0  # the delay of a slow reply
    retry_after: float | None = None  # the pause in a 429
    done: float = 1.0  # the probability that run-task is executed though its reply is lost
    done_after: float = 0.0  # the most seconds until its execution

    def matches(self, call: Call, page: int | None, now: float) -> bool:
        """Whether it can affect a call."""
        if call not in self.calls or not self.since <= now < self.until:
            return False
        return self.page is None or self.page == page


def mixed(share: float) -> tuple[Fault, ...]:
    """All kinds of faults for a share of all calls."""
    kinds = (
        Fault(Kind.CUT),
        Fault(Kind.SERVER_ERROR),
        Fault(Kind.HTML),
        Fault(Kind.GARBAGE),
        Fault(Kind.RATE_LIMIT),
        Fault(Kind.RATE_LIMIT, retry_after=1.0),
        Fault(Kind.HANG),
        Fault(Kind.SLOW, seconds=5.0),
    )
    return tuple(attrs.evolve(each, share=share / len(kinds)) for each in kinds)


class FaultInjector:
    """Decides on each call; the first matching fault counts."""

    def __init__(self, faults: Sequence[Fault], rng: random.Random) -> None:
        self._faults = faults
        self._rng = rng
        self._last = [-math.inf] * len(faults)
        self._hits = [0] * len(faults)

    def choose(self, call: Call, page: int | None, now: float) -> Fault | None:
        """The fault of a call, if there is one."""
        for number, fault in enumerate(self._faults):
            is_due = now - self._last[number] >= fault.every and self._hits[number] < fault.times
            if not (is_due and fault.matches(call, page, now)):
                continue
            if fault.share >= 1.0 or self._rng.random() < fault.share:
                self._last[number] = now
                self._hits[number] += 1
                return fault
        return None
