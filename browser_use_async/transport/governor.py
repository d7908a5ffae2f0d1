"""When a call may begin: how many at once, how fast, and not while the service wants a rest.

One for the whole session, so that a service that says "slow down" to one call has said it to all.
"""

import asyncio
import itertools
import math
import random
from bisect import insort
from collections import deque
from operator import attrgetter
from typing import NamedTuple

from browser_use_async.api.endpoint_table import RUN_TASK, Endpoint
from browser_use_async.transport.gate import Gate
from browser_use_async.transport.limits import CallLimits
from browser_use_async.transport.response import (
    Outcome,
    OutcomeKind,
    Reply,
    says_no_free_slot,
)
from browser_use_async.transport.retry_after import retry_after_seconds

__all__ = ["LONGEST_PAUSE", "Governor", "Pass", "Patience"]

LONGEST_PAUSE = 600.0  # one absurd Retry-After must not end every wait of the session
SMALLEST_PAUSE = 1.0  # seconds after a probe that was refused without a word about when
FIRST_SLOT_PAUSE, LONGEST_SLOT_PAUSE = 1.0, 30.0
_SLOWING = frozenset({429, 503})


_arrived = attrgetter("arrived")


class Pass(NamedTuple):
    """Leave to make one call."""

    in_round: int  # the round of the gate for everybody
    in_slot_round: int  # the round of the gate for run-task


class Patience(NamedTuple):
    """How long a call lets itself be held back."""

    one_pause: float = math.inf  # seconds of a single pause that the service asks for
    all_pauses: float = math.inf  # seconds of all of them together


class _Waiter:
    __slots__ = ("admitted", "arrived", "patience", "since")

    def __init__(
        self,
        admitted: "asyncio.Future[Pass | float]",
        patience: Patience,
        since: float,
        arrived: int,
    ) -> None:
        self.arrived = arrived
        self.admitted = admitted  # a float: held back for so many seconds too long
        self.patience = patience
        self.since = since

    def gives_up(self, now: float, shut_until: float) -> bool:
        left = shut_until - now
        return left > self.patience.one_pause or shut_until - self.since > self.patience.all_pauses


class Governor:
    """Admits calls in turn.

    Each operation has a queue of its own and the queues take turns, so that a stop never waits
    behind a thousand reads.

    Attributes:
        loop: The same loop.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, limits: CallLimits, draw: random.Random
    ) -> None:
        self.loop = loop
        self._draw = draw
        self._most = limits.max_in_flight
        self._window = float(limits.max_in_flight)
        self._spacing = 0.0 if limits.calls_per_second is None else 1 / limits.calls_per_second
        self._next_start = -math.inf
        self._everyone = Gate()
        self._slots = Gate()
        self._pass = Pass(self._everyone.round, self._slots.round)  # of all that need not queue
        self._slot_refusals = 0
        self._slot_pause_is_asked = False
        self._in_flight = 0
        self._waiting = 0
        self._closed = False
        self._queues: dict[str, list[_Waiter]] = {}  # each in the order of arrival
        self._turns: deque[str] = deque()
        self._numbers = itertools.count()
        self._alarm: asyncio.TimerHandle | None = None

    def next_number(self) -> int:
        """A number for a call, by which it keeps its place if it is sent back."""
        return next(self._numbers)

    # --- asking ---------------------------------------------------------------------------

    @property
    def is_held(self) -> bool:
        """Whether nobody may call but one probe, because the service asked for a pause."""
        return self._everyone.is_shut

    def admit_now(self, endpoint: Endpoint) -> Pass | None:
        """Leave to call at once, or None if the call has to queue."""
        if (
            self._waiting
            or self._in_flight >= self._window
            or self._spacing
            or not self._everyone.is_open
            or (endpoint is RUN_TASK and not self._slots.is_open)
        ) and not self._closed:
            return None
        self._in_flight += 1
        admitted, everyone, slots = self._pass, self._everyone.round, self._slots.round
        if admitted.in_round != everyone or admitted.in_slot_round != slots:
            admitted = self._pass = Pass(everyone, slots)
        return admitted

    async def admit(
        self, endpoint: Endpoint, patience: Patience, *, arrived: int | None = None
    ) -> Pass | float:
        """Queue until the call may be made."""
        now = self.loop.time()
        number = self.next_number() if arrived is None else arrived
        waiter = _Waiter(self.loop.create_future(), patience, now, number)
        shut_until = self._everyone.shut_until
        if waiter.gives_up(now, shut_until):
            return shut_until - now
        self._enqueue(endpoint.name, waiter)
        self._pump()
        try:
            return await waiter.admitted
        except asyncio.CancelledError:
            if not waiter.admitted.cancelled():
                # Admitted and cancelled in one turn of the loop: somebody else can use the leave.
                admitted = waiter.admitted.result()
                if isinstance(admitted, Pass):
                    self.leave(admitted, endpoint, None)
            else:
                self._remove(endpoint.name, waiter)
                # Perhaps it was the one whose leaving makes room for a spread-out queue.
                self._pump()
            raise

    def leave(self, admitted: Pass, endpoint: Endpoint, outcome: Outcome | None) -> None:
        """Note the end of a call and learn from it."""
        self._in_flight -= 1
        if outcome is None:
            self._everyone.came_back(admitted.in_round)
            if endpoint is RUN_TASK:
                self._slots.came_back(admitted.in_slot_round)
        elif (
            outcome.reply is None
            or outcome.reply.status not in _SLOWING
            or not self._refused(admitted, endpoint, outcome.reply)
        ):
            self._answered(admitted, endpoint, outcome)
        if self._waiting:
            self._pump()

    def slot_freed(self) -> None:
        """A task of the account has ended, so that run-task may be tried again at once."""
        if not self._slot_pause_is_asked:
            self._slots.hurry(self.loop.time())
            self._pump()

    def close(self) -> None:
        """Let everybody through: what they meet there is a closed session."""
        self._closed = True
        if self._alarm is not None:
            self._alarm.cancel()
        for queue in self._queues.values():
            for waiter in queue:
                if not waiter.admitted.done():
                    self._in_flight += 1
                    waiter.admitted.set_result(Pass(self._everyone.round, self._slots.round))
        self._queues.clear()
        self._turns.clear()
        self._waiting = 0

    # --- learning -------------------------------------------------------------------------

    def _answered(self, admitted: Pass, endpoint: Endpoint, outcome: Outcome) -> None:
        if self._window < self._most and outcome.kind is OutcomeKind.ACCEPTED:
            self._window = min(self._window + 1 / self._window, self._most)
        if not self._everyone.is_open:
            self._everyone.answered(admitted.in_round, self.loop.time(), self._waiting)
        if endpoint is RUN_TASK and not self._slots.is_open:
            self._slot_refusals = 0
            queued = len(self._queues.get(endpoint.name, ()))
            self._slots.answered(admitted.in_slot_round, self.loop.time(), queued)

    def _refused(self, admitted: Pass, endpoint: Endpoint, reply: Reply) -> bool:
        """Slow down if the reply asks for it, and tell whether it does."""
        asked = retry_after_seconds(reply.headers)
        if reply.status == 503 and asked is None:
            return False
        now = self.loop.time()
        pause = None if asked is None else min(asked, LONGEST_PAUSE)
        if endpoint is RUN_TASK:
            if says_no_free_slot(reply):
                self._refused_slot(admitted, now, pause)
                self._everyone.answered(admitted.in_round, now, self._waiting)
                return True
            self._slots.came_back(admitted.in_slot_round)
        if pause is None and self._everyone.is_shut:
            pause = SMALLEST_PAUSE
        if pause is None:
            is_news = self._everyone.next_round(admitted.in_round)
        else:
            is_news = self._everyone.shut(admitted.in_round, now + pause)
            self._refuse_the_impatient(now)
        if is_news and reply.status == 429:
            self._window = max(self._window / 2, 1.0)
        return True

    def _refused_slot(self, admitted: Pass, now: float, pause: float | None) -> None:
        self._slot_pause_is_asked = pause is not None
        seconds = self._slot_pause() if pause is None else pause
        if self._slots.shut(admitted.in_slot_round, now + seconds):
            self._slot_refusals += 1

    def _slot_pause(self) -> float:
        longest = min(FIRST_SLOT_PAUSE * 1.5 ** min(self._slot_refusals, 20), LONGEST_SLOT_PAUSE)
        return longest * self._draw.uniform(0.5, 1.0)

    def _refuse_the_impatient(self, now: float) -> None:
        shut_until = self._everyone.shut_until
        for name in tuple(self._queues):
            for waiter in tuple(self._queues[name]):
                if waiter.gives_up(now, shut_until):
                    self._remove(name, waiter)
                    if not waiter.admitted.done():
                        waiter.admitted.set_result(shut_until - now)

    # --- the queues -----------------------------------------------------------------------

    def _enqueue(self, name: str, waiter: _Waiter) -> None:
        queue = self._queues.get(name)
        if queue is None:
            queue = self._queues[name] = []
            self._turns.append(name)
        insort(queue, waiter, key=_arrived)
        self._waiting += 1

    def _remove(self, name: str, waiter: _Waiter) -> None:
        queue = self._queues.get(name)
        if queue is None or waiter not in queue:
            return
        queue.remove(waiter)
        self._waiting -= 1
        if not queue:
            del self._queues[name]
            self._turns.remove(name)

    def _pump(self) -> None:
        """Admit as many as may begin now, and set the alarm for the next one."""
        now = self.loop.time()
        while self._waiting and self._in_flight < self._window:
            moment = max(self._everyone.opens_at, self._next_start)
            if moment > now:
                self._wake_at(moment)
                return
            chosen = self._next_in_turn(now)
            if chosen is None:
                self._wake_at(self._slots.opens_at)
                return
            name, waiter = chosen
            self._remove(name, waiter)
            if waiter.admitted.done():
                continue  # cancelled in this turn of the loop
            self._in_flight += 1
            self._next_start = max(now, self._next_start) + self._spacing
            slot_round = self._slots.let_pass(now) if name == RUN_TASK.name else self._slots.round
            waiter.admitted.set_result(Pass(self._everyone.let_pass(now), slot_round))
        if not self._waiting:
            self._everyone.queue_is_empty()
        if RUN_TASK.name not in self._queues:
            self._slots.queue_is_empty()

    def _next_in_turn(self, now: float) -> tuple[str, _Waiter] | None:
        for _turn in range(len(self._turns)):
            name = self._turns[0]
            self._turns.rotate(-1)
            if name != RUN_TASK.name or self._slots.opens_at <= now:
                return name, self._queues[name][0]
        return None

    def _wake_at(self, moment: float) -> None:
        if math.isinf(moment):
            return  # an answer will
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm = self.loop.call_at(moment, self._pump)
