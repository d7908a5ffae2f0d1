"""The faults of the simulation, and how likely each is."""

import random
from collections import Counter, deque
from collections.abc import Callable
from enum import Enum, auto

import attrs

from tests.support.network import Admission

__all__ = ["ATTEMPT_SECONDS", "Ending", "Fault", "Faults", "Work"]

ATTEMPT_SECONDS = 10.0
"""After so many seconds without a whole answer, the clients of the simulation give up."""


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
    retry_after: int | None = None
    garbage: bytes | None = None
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


@attrs.define(eq=False)
class Faults:
    """The faults of one world.

    Attributes:
        rng: The source of random numbers.
        rate: The probability that something goes wrong with a request.
        script: The faults of the first paying requests, before random ones.
        fired: How often each kind did.
    """

    rng: random.Random
    rate: float
    script: deque[Fault] = attrs.field(factory=deque)
    fired: Counter[str] = attrs.field(factory=Counter)

    def next(self, *, paying: bool) -> Fault:
        """The fault of the next request.

        Args:
            paying: Whether it costs money; these are fewer, and fail twice as often.
        """
        if paying and self.script:
            return self.script.popleft()
        if self.rng.random() >= self.rate * (2.0 if paying else 1.0):
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
