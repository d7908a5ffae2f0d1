"""What goes wrong with requests: by chance, by a script, or by rules about single calls."""

import math
import random
from collections import Counter, deque
from collections.abc import Callable, Sequence
from enum import Enum, auto

import attrs

from tests.support.network import Admission

__all__ = ["ATTEMPT_SECONDS", "Call", "Ending", "Fault", "Faults", "Kind", "Rule", "Work", "mixed"]

ATTEMPT_SECONDS = 10.0
"""After so many seconds without a whole answer, the clients of the simulation give up."""


class Call(Enum):
    """The kinds of calls in rules and reports."""

    RUN = "run"
    GET = "get"
    STATUS = "status"
    LIST = "list"
    STOP = "stop"
    OTHER = "other"


class Work(Enum):
    """Whether a request is executed."""

    NOW = auto()
    NEVER = auto()
    LATE = auto()  # some time after the client has given up


class Ending(Enum):
    """The end of the connection."""

    KEPT = auto()
    IDLE_FIN = auto()  # closed a moment after the answer, while it waits for the next request
    FIN = auto()
    RST = auto()
    STALL = auto()


@attrs.frozen
class Fault:
    """One fault of a request or its response.

    Attributes:
        kind: Its name in the table.
        request_bytes: The connection breaks after so many bytes of the request.
        work: Whether the request is executed.
        late: Seconds after which late work is done; None leaves that to chance.
        status: The status of the answer; None keeps the true answer.
        retry_after: The header of that name.
        garbage: Bytes that come instead of the answer.
        body: The body of the answer instead of its own.
        content_type: Its type.
        replays: Whether the answer to run-task names an earlier task, though it is executed.
        share: How much of the answer is sent, from 0 to 1.
        delay: Seconds between the work and the answer.
        drip: Seconds between two bytes of the answer.
        ending: The end of the connection.
    """

    kind: str
    request_bytes: int | None = None
    work: Work = Work.NOW
    late: float | None = None
    status: int | None = None
    retry_after: float | None = None
    garbage: bytes | None = None
    body: bytes | None = None
    content_type: str = "application/json"
    replays: bool = False
    share: float = 1.0
    delay: float = 0.0
    drip: float = 0.0
    ending: Ending = Ending.KEPT


GARBAGE = (
    b"SSH-2.0-OpenSSH_9.6\r\n",
    b"\x00\xff" * 40,
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 9\r\n\r\n{}",
    b"HTTP/1.1 200 OK\r\nX: " + b"a" * 9000 + b"\r\n\r\n{}",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>",
    b'HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n{"id":null}',
    b'HTTP/1.1 200 OK\r\n\r\n{"id":"task',
)
BROKEN = (500, 502, 503, 504, 520, 524)
ENDINGS = (Ending.FIN, Ending.RST)


def _cut_request(rng: random.Random) -> Fault:
    ending = rng.choice(ENDINGS)
    # Mostly inside; beyond the end means that the whole request was read, and not acted upon.
    count = rng.randrange(500)
    return Fault(f"request cut, {ending.name}", count, Work.NEVER, ending=ending)


def _cut_answer(rng: random.Random) -> Fault:
    ending = rng.choice(ENDINGS)
    return Fault(f"answer cut, {ending.name}", share=rng.random(), ending=ending)


def _late(rng: random.Random) -> Fault:
    ending = rng.choice((*ENDINGS, Ending.STALL))
    return Fault(f"carried out late, {ending.name}", work=Work.LATE, share=0.0, ending=ending)


def _stall(rng: random.Random) -> Fault:
    work, share = rng.choice((Work.NOW, Work.NEVER)), rng.choice((0.0, 0.5))
    return Fault("stall", work=work, share=share, ending=Ending.STALL)


def _broken(rng: random.Random) -> Fault:
    work = rng.choice(tuple(Work))
    name = {Work.NOW: "after", Work.NEVER: "instead of", Work.LATE: "before"}[work]
    return Fault(f"5xx {name} the work", work=work, status=rng.choice(BROKEN))


def _limited(rng: random.Random) -> Fault:
    retry_after = rng.choice((None, 0, 1, 3))
    return Fault("429", work=Work.NEVER, status=429, retry_after=retry_after)


def _garbage(rng: random.Random) -> Fault:
    work = rng.choice(tuple(Work))
    garbage = rng.choice(GARBAGE)
    return Fault("garbage", work=work, garbage=garbage, ending=rng.choice(ENDINGS))


def _drip(rng: random.Random) -> Fault:
    # The slow ones take longer than an attempt may.
    return Fault("drip", drip=rng.choice((0.005, 0.1)))


def _slow(rng: random.Random) -> Fault:
    return Fault("slow answer", delay=rng.uniform(0.0, 1.5 * ATTEMPT_SECONDS))


def _idle(_rng: random.Random) -> Fault:
    return Fault("idle connection closed", ending=Ending.IDLE_FIN)


KINDS: tuple[Callable[[random.Random], Fault], ...] = (
    _cut_request,
    _cut_answer,
    _cut_answer,
    _late,
    _late,
    _stall,
    _broken,
    _broken,
    _limited,
    _garbage,
    _drip,
    _slow,
    _idle,
)


class Kind(Enum):
    """The effect of a rule on a reply."""

    CUT = "cut"  # the connection ends before it or in the middle of it, by FIN or RST
    HANG = "hang"  # none comes, until the client gives up
    SLOW = "slow"
    SERVER_ERROR = "5xx"
    RATE_LIMIT = "429"
    HTML = "html"  # a proxy's page, with 200 or 502
    GARBAGE = "nonsense"  # 200, and no JSON, or JSON of another shape
    REPLAY = "replay"  # run-task is executed and answered with an earlier task's id


PAGE = b"<html><head><title>Gateway</title></head><body>Please try again.</body></html>"
NONSENSE = (b"\x00\xff\xfe", b"{", b"[[[[", b'{"unexpected": true}', b"NaN", b"")


@attrs.frozen
class Rule:
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

    def fault(self, call: Call, rng: random.Random) -> Fault:
        """The fault of a call that it affects; all other calls than run-task are executed."""
        name = self.kind.value
        lost = Fault(name, delay=self.seconds, work=Work.NEVER if call is Call.RUN else Work.NOW)
        match self.kind:
            case Kind.SLOW | Kind.REPLAY:
                return attrs.evolve(lost, work=Work.NOW, replays=self.kind is Kind.REPLAY)
            case Kind.SERVER_ERROR:
                return attrs.evolve(lost, status=rng.choice((500, 502, 503, 504)))
            case Kind.RATE_LIMIT:
                return attrs.evolve(lost, status=429, retry_after=self.retry_after)
            case Kind.HTML:
                status = rng.choice((200, 502))
                return attrs.evolve(lost, status=status, body=PAGE, content_type="text/html")
            case Kind.GARBAGE:
                return attrs.evolve(lost, status=200, body=rng.choice(NONSENSE))
            case Kind.CUT | Kind.HANG:
                if call is Call.RUN and rng.random() < self.done:
                    late = rng.uniform(0.0, self.done_after)
                    lost = attrs.evolve(lost, work=Work.LATE, late=late)
                if self.kind is Kind.HANG:
                    return attrs.evolve(lost, share=0.0, ending=Ending.STALL)
                share = rng.random() if rng.random() < 0.5 else 0.0
                return attrs.evolve(lost, share=share, ending=rng.choice(ENDINGS))


def mixed(share: float) -> tuple[Rule, ...]:
    """All kinds of faults for a share of all calls."""
    kinds = (
        Rule(Kind.CUT),
        Rule(Kind.SERVER_ERROR),
        Rule(Kind.HTML),
        Rule(Kind.GARBAGE),
        Rule(Kind.RATE_LIMIT),
        Rule(Kind.RATE_LIMIT, retry_after=1.0),
        Rule(Kind.HANG),
        Rule(Kind.SLOW, seconds=5.0),
    )
    return tuple(attrs.evolve(each, share=share / len(kinds)) for each in kinds)


@attrs.define(eq=False)
class Faults:
    """The faults of one world.

    Attributes:
        rng: The source of random numbers.
        rate: The probability that something goes wrong with a request.
        rules: What goes wrong with single calls instead; the first that matches counts.
        script: The faults of the first run-task requests, before all others.
        fired: How often each kind did.
    """

    rng: random.Random
    rate: float = 0.0
    rules: Sequence[Rule] = ()
    script: deque[Fault] = attrs.field(factory=deque)
    fired: Counter[str] = attrs.field(factory=Counter)
    _hits: dict[int, list[float]] = attrs.field(factory=dict)  # by the number of the rule

    def next(self, call: Call, page: int | None, now: float) -> Fault:
        """The fault of the next request.

        Args:
            call: Those that cost money are fewer, and fail twice as often.
            page: The page of the task list that it asks for.
            now: The virtual time.
        """
        if call is Call.RUN and self.script:
            return self.script.popleft()
        for number, rule in enumerate(self.rules):
            hits = self._hits.setdefault(number, [])
            is_due = not hits or (now - hits[-1] >= rule.every and len(hits) < rule.times)
            if not (is_due and rule.matches(call, page, now)):
                continue
            if rule.share >= 1.0 or self.rng.random() < rule.share:
                hits.append(now)
                return rule.fault(call, self.rng)
        rate = self.rate * (2.0 if call is Call.RUN else 1.0)
        if self.rules or self.rng.random() >= rate:
            return Fault("none")
        return self.rng.choice(KINDS)(self.rng)

    def count(self, fault: Fault) -> None:
        """Count a fault that fired.

        Args:
            fault: Which one.
        """
        if fault.kind != "none":
            self.fired[fault.kind] += 1

    def admit(self) -> Admission:
        """The outcome of the next attempt to connect."""
        chance = self.rng.random()
        if chance >= self.rate / 8:
            return Admission.ACCEPTED
        admission = Admission.HANGING if chance < self.rate / 32 else Admission.REFUSED
        self.fired["connection refused" if admission is Admission.REFUSED else "connect hangs"] += 1
        return admission
