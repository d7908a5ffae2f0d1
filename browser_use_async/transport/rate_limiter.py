"""Decides when a call may begin: how many at once, how fast, and not during a pause."""

# One for the whole session: if the service slows one call down, all calls slow down.

import asyncio
import itertools
import math
import random
from bisect import insort
from collections import OrderedDict
from operator import attrgetter
from typing import NamedTuple

import attrs

from browser_use_async.api.endpoint_table import RUN_TASK, Endpoint
from browser_use_async.logs import LOGGER
from browser_use_async.transport.call_quotas import RATE_LIMIT, CallQuotas
from browser_use_async.transport.circuit_breaker import CircuitBreaker
from browser_use_async.transport.config import CallLimits
from browser_use_async.transport.response import Outcome, OutcomeKind, Reply, says_no_free_slot
from browser_use_async.transport.retry import retry_after_seconds

LONGEST_PAUSE = 600.0  # a wrong Retry-After must not end all waits of the session
SMALLEST_PAUSE = 1.0  # seconds after a refused probe whose answer has no Retry-After
FIRST_SLOT_PAUSE, LONGEST_SLOT_PAUSE = 1.0, 30.0
_SLOWING = frozenset({429, 503})
_arrived = attrgetter("arrived")


class Permit(NamedTuple):
    """Permission to make one call."""

    generation: int  # of the circuit breaker for all calls
    slot_generation: int  # of the circuit breaker for run-task


class AcquireTimeout(NamedTuple):
    """How long a call waits for pauses."""

    one_pause: float = math.inf  # seconds of a single pause that the service asks for
    all_pauses: float = math.inf  # seconds of all of them together


NO_TIMEOUT = AcquireTimeout()


@attrs.define(eq=False, repr=False)
class _Waiter:
    permit: "asyncio.Future[Permit | float]"  # a float: the rest of a pause that is too long
    timeout: AcquireTimeout
    since: float
    arrived: int

    def is_expired(self, now: float, open_until: float) -> bool:
        left = open_until - now
        return left > self.timeout.one_pause or open_until - self.since > self.timeout.all_pauses


class RateLimiter:
    """Admits calls by a concurrency window, a rate, the service's quotas and two breakers."""

    # Each operation has its own queue and the queues are served round robin, so a stop never waits
    # behind a thousand reads.

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        limits: CallLimits,
        rng: random.Random,
        longest_wait: float,
    ) -> None:
        self.loop = loop
        self._rng = rng
        self._max_window = limits.max_in_flight
        # Additive increase, multiplicative decrease, as in TCP: a 429 halves the window, and each
        # window of accepted calls adds one. It is a float since each call adds a fraction.
        self._window = float(limits.max_in_flight)
        self._spacing = 0.0 if limits.calls_per_second is None else 1 / limits.calls_per_second
        self._next_start = -math.inf
        self._breaker = CircuitBreaker()  # of all calls
        self._slots = CircuitBreaker()  # of run-task alone, while no agent slot is free
        self._quotas = CallQuotas(min(longest_wait, LONGEST_PAUSE))
        # One permit serves all calls of a generation, which saves making one for each call.
        self._permit = Permit(self._breaker.generation, self._slots.generation)
        self._slot_refusals = 0
        self._slot_pause_is_asked = False
        self._in_flight = 0
        self._waiting = 0
        self._closed = False
        # Each in the order of arrival; the queue that was served longest ago is the first.
        self._queues: OrderedDict[str, list[_Waiter]] = OrderedDict()
        self._numbers = itertools.count()
        self._timer: asyncio.TimerHandle | None = None

    def next_number(self) -> int:
        """An arrival number; a call that is queued again keeps its place by it."""
        return next(self._numbers)

    # --- acquiring ------------------------------------------------------------------------

    @property
    def is_paused(self) -> bool:
        """Whether only a probe is admitted, because the service asked for a pause."""
        return self._breaker.is_open

    def acquire_now(self, endpoint: Endpoint) -> Permit | None:
        """A permit at once, or None if the call has to queue."""
        if (
            self._waiting
            or self._in_flight >= self._window
            or self._spacing
            or not self._breaker.is_closed
            or (endpoint is RUN_TASK and not self._slots.is_closed)
            or (self._quotas.by_call and not self._begin_within_quotas(endpoint.name))
        ) and not self._closed:
            return None
        self._in_flight += 1
        permit, everyone, slots = self._permit, self._breaker.generation, self._slots.generation
        if permit.generation != everyone or permit.slot_generation != slots:
            permit = self._permit = Permit(everyone, slots)
        return permit

    async def acquire(
        self,
        endpoint: Endpoint,
        timeout: AcquireTimeout = NO_TIMEOUT,
        *,
        arrived: int | None = None,
    ) -> Permit | float:
        """Queue for a permit; a float is the rest of a pause that exceeds the timeout."""
        now = self.loop.time()
        number = self.next_number() if arrived is None else arrived
        waiter = _Waiter(self.loop.create_future(), timeout, now, number)
        open_until = self._breaker.open_until
        if waiter.is_expired(now, open_until):
            return open_until - now
        self._enqueue(endpoint.name, waiter)
        self._dispatch()
        try:
            return await waiter.permit
        except asyncio.CancelledError:
            if not waiter.permit.cancelled():
                # Admitted and cancelled in one step of the loop: another call can use the permit.
                permit = waiter.permit.result()
                if isinstance(permit, Permit):
                    self.release(permit, endpoint, None)
            else:
                self._remove(endpoint.name, waiter)
                # It may have been the next one of a ramp, for which the others wait.
                self._dispatch()
            raise

    def release(self, permit: Permit, endpoint: Endpoint, outcome: Outcome | None) -> None:
        """End a call, and adapt to its outcome; None: the call was cancelled."""
        self._in_flight -= 1
        self.record(permit, endpoint, outcome)

    def record(self, permit: Permit, endpoint: Endpoint, outcome: Outcome | None) -> None:
        """Adapt to the outcome of a call, whose permit may already be released."""
        reply = None if outcome is None else outcome.reply
        said = None if reply is None else reply.headers.get(RATE_LIMIT)
        if said is not None:
            self._learn_quotas(endpoint, said)
        elif outcome is not None and self._quotas.by_call:
            self._quotas.record_silence(endpoint.name, self.loop.time())
        if outcome is None:
            self._breaker.record_no_answer(permit.generation)
            if endpoint is RUN_TASK:
                self._slots.record_no_answer(permit.slot_generation)
        elif (
            reply is None
            or reply.status not in _SLOWING
            or not self._record_refusal(permit, endpoint, reply)
        ):
            self._record_success(permit, endpoint, outcome)
        if self._waiting:
            self._dispatch()

    def release_slot(self) -> None:
        """Record that a task of the account has ended: run-task may be tried again at once."""
        # A pause that the service asked for goes on.
        if not self._slot_pause_is_asked:
            self._slots.probe_now(self.loop.time())
            self._dispatch()

    def close(self) -> None:
        """Admit every waiting call: each then fails, because the session is closed."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        for queue in self._queues.values():
            for waiter in queue:
                if not waiter.permit.done():
                    self._in_flight += 1
                    permit = Permit(self._breaker.generation, self._slots.generation)
                    waiter.permit.set_result(permit)
        self._queues.clear()
        self._waiting = 0

    # --- adapting -------------------------------------------------------------------------

    def _record_success(self, permit: Permit, endpoint: Endpoint, outcome: Outcome) -> None:
        if self._window < self._max_window and outcome.kind is OutcomeKind.ACCEPTED:
            self._window = min(self._window + 1 / self._window, self._max_window)
        if not self._breaker.is_closed:
            self._breaker.record_success(permit.generation, self.loop.time(), self._waiting)
        if endpoint is RUN_TASK and not self._slots.is_closed:
            self._slot_refusals = 0
            queued = len(self._queues.get(endpoint.name, ()))
            self._slots.record_success(permit.slot_generation, self.loop.time(), queued)

    def _learn_quotas(self, endpoint: Endpoint, said: str) -> None:
        seconds = self._quotas.learn(endpoint.name, said, self.loop.time())
        if seconds is not None:
            text = "the service has no calls left for this key: there will be more in %.0f s"
            LOGGER.info(text, seconds)

    def _record_refusal(self, permit: Permit, endpoint: Endpoint, reply: Reply) -> bool:
        """Slow down if the reply asks for it; returns whether it did."""
        asked = retry_after_seconds(reply.headers)
        # A 503 without a pause is one failed call, and says nothing about other calls.
        if reply.status == 503 and asked is None:
            return False
        now = self.loop.time()
        pause = None
        if asked is not None:
            pause = min(asked, LONGEST_PAUSE)
            self._quotas.clear()  # the requested pause replaces what they predict
        if endpoint is RUN_TASK:
            if says_no_free_slot(reply):
                self._pause_slots(permit, now, pause)
                # For all other calls this is a good answer: the service works.
                self._breaker.record_success(permit.generation, now, self._waiting)
                return True
            # Says nothing about slots; if it was their probe, run-task must not wait for ever.
            self._slots.record_no_answer(permit.slot_generation)
        if pause is None and self._breaker.is_open:
            pause = SMALLEST_PAUSE
        if pause is None:
            is_news = self._breaker.start_generation(permit.generation)
        else:
            is_news = self._breaker.trip(permit.generation, now + pause)
            if is_news and asked is not None:
                text = "the service asked for a pause of %.0f s: every call of this session waits"
                LOGGER.info(text, pause)
            # The pause may now be longer than the timeout of some waiting calls.
            self._expire_waiters(now)
        # Once for each generation: a hundred calls that are refused together log one line.
        if is_news and reply.status == 429:
            self._window = max(self._window / 2, 1.0)
        return True

    def _pause_slots(self, permit: Permit, now: float, pause: float | None) -> None:
        self._slot_pause_is_asked = pause is not None
        if pause is None:
            # The exponent is bounded, so that the power cannot overflow.
            grown = FIRST_SLOT_PAUSE * 1.5 ** min(self._slot_refusals, 20)
            pause = min(grown, LONGEST_SLOT_PAUSE) * self._rng.uniform(0.5, 1.0)
        if self._slots.trip(permit.slot_generation, now + pause):
            self._slot_refusals += 1

    def _expire_waiters(self, now: float) -> None:
        open_until = self._breaker.open_until
        for name in tuple(self._queues):
            for waiter in tuple(self._queues[name]):
                if waiter.is_expired(now, open_until):
                    self._remove(name, waiter)
                    if not waiter.permit.done():
                        waiter.permit.set_result(open_until - now)

    # --- the queues -----------------------------------------------------------------------

    def _enqueue(self, name: str, waiter: _Waiter) -> None:
        insort(self._queues.setdefault(name, []), waiter, key=_arrived)
        self._waiting += 1

    def _remove(self, name: str, waiter: _Waiter) -> None:
        queue = self._queues.get(name)
        if queue is None or waiter not in queue:
            return
        queue.remove(waiter)
        self._waiting -= 1
        if not queue:
            del self._queues[name]

    def _dispatch(self) -> None:
        """Admit all calls that may begin now, and set the timer for the next one."""
        now = self.loop.time()
        while self._waiting and self._in_flight < self._window:
            moment = max(self._breaker.admits_at, self._next_start)
            if moment > now:
                self._dispatch_at(moment)
                return
            chosen = self._next_waiter(now)
            if not isinstance(chosen, tuple):
                self._dispatch_at(chosen)
                return
            name, waiter = chosen
            self._remove(name, waiter)
            if waiter.permit.done():
                continue  # cancelled in this step of the loop
            self._in_flight += 1
            # Not before now: no burst follows an idle time.
            self._next_start = max(now, self._next_start) + self._spacing
            self._quotas.record_begin(name, now)
            is_run = name == RUN_TASK.name
            slot_generation = self._slots.admit(now) if is_run else self._slots.generation
            waiter.permit.set_result(Permit(self._breaker.admit(now), slot_generation))
        if not self._waiting:
            self._breaker.end_ramp()
        if RUN_TASK.name not in self._queues:
            self._slots.end_ramp()

    def _next_waiter(self, now: float) -> tuple[str, _Waiter] | float:
        """The next waiting call, or the time at which one may begin."""
        # One round over the queues: a call that may not begin is skipped, as run-task is while no
        # agent slot is free, so that no other call waits behind it.
        earliest = math.inf
        for name in tuple(self._queues):
            self._queues.move_to_end(name)
            moment = self._quotas.admits_at(name, self._in_flight, now)
            if name == RUN_TASK.name:
                moment = max(moment, self._slots.admits_at)
            if moment <= now:
                return name, self._queues[name][0]
            earliest = min(earliest, moment)
        return earliest

    def _begin_within_quotas(self, name: str) -> bool:
        """Whether the quotas admit a call now, which then counts as begun."""
        now = self.loop.time()
        if self._quotas.admits_at(name, self._in_flight, now) > now:
            return False
        self._quotas.record_begin(name, now)
        return True

    def _dispatch_at(self, moment: float) -> None:
        if math.isinf(moment):
            return  # a probe is in flight, and its answer dispatches
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self.loop.call_at(moment, self._dispatch)
