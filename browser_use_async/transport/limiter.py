"""Decides when a call may begin, by four rules for the whole session.

1. No more calls are in flight than the window admits. A 429 halves it, once for calls that were
   sent together, and each window of accepted calls adds one, as in TCP. So the pace is learned.
2. Calls begin at least `1 / calls_per_second` apart.
3. While the service asks for a pause with `Retry-After`, no call begins. Then one does, the probe.
   When it is answered, the others follow: 50 ms apart at first, and closer with each one.
4. While too many tasks run at once, run-task pauses in the same way, and no other call does.

Stops go first. Then each operation has its turn, so that no call waits behind a thousand others.
"""

import asyncio
import itertools
import math
import random
from bisect import insort
from collections import OrderedDict
from typing import NamedTuple, NewType

import attrs

from browser_use_async.api.endpoint_table import RUN_TASK, STOP_TASK, Endpoint
from browser_use_async.logs import LOGGER
from browser_use_async.transport.config import CallLimits
from browser_use_async.transport.response import Outcome, OutcomeKind, Reply, says_no_free_slot
from browser_use_async.transport.retry import retry_after_seconds

LONGEST_PAUSE = 600.0  # a wrong Retry-After must not end all waits of the session
SMALLEST_PAUSE = 1.0  # seconds after a refused probe whose answer has no Retry-After
FIRST_SLOT_PAUSE, LONGEST_SLOT_PAUSE = 1.0, 30.0
# Seconds between the calls that follow a probe: 25 begin in the first second, and 195 in 2.5 s.
FIRST_GAP, LAST_GAP, SHORTENING = 0.05, 0.001, 0.98
_SLOWING = frozenset({429, 503})

# The number of a call that has begun, by which its answer is older or newer than a refusal.
Permit = NewType("Permit", int)


class AcquireTimeout(NamedTuple):
    """How long a call waits for pauses."""

    one_pause: float = math.inf  # seconds of a single pause that the service asks for
    all_pauses: float = math.inf  # seconds of all of them together


class LongPause(NamedTuple):
    """A pause that exceeds the timeout of a call."""

    left: float  # seconds


@attrs.define(eq=False, repr=False)
class Pause:
    """A pause, which ends with the answer to one call, the probe; then calls follow one by one."""

    is_over: bool = True  # an attribute, not a property, because each call reads it
    until: float = -math.inf  # minus infinity if no probe is due
    _is_probing: bool = False
    _gap: float = 0.0  # between the calls that follow the probe
    _next_at: float = -math.inf
    # The last call that had begun when the service refused one. The answers to calls up to it say
    # nothing new: calls that were sent together are refused together.
    _heard: int = 0

    @property
    def is_open(self) -> bool:
        """Whether no call but the probe may begin."""
        return self.until > -math.inf

    @property
    def admits_at(self) -> float:
        """When the next call may begin; infinite while the probe is in flight."""
        return math.inf if self._is_probing else max(self.until, self._next_at)

    def admit(self, now: float) -> None:
        """Record that a call begins."""
        if self.is_open:
            self._is_probing = True
        elif not self.is_over:
            self._follow(self._gap * SHORTENING, now)

    def refuse(self, permit: Permit, last: int, until: float | None) -> bool:
        """Record a refusal, perhaps with a pause; returns whether it is news."""
        is_news = permit > self._heard
        if is_news:
            self._heard, self._is_probing = last, False
        if until is not None:
            # A late refusal may lengthen the pause, but never shorten it.
            self.until = max(self.until, until)
            self.is_over, self._next_at = False, -math.inf
        return is_news

    def end(self, permit: Permit, now: float) -> None:
        """Record a good answer, which ends the pause if it is that of the probe."""
        if self.is_open and permit > self._heard:
            self.until, self._is_probing = -math.inf, False
            self._follow(FIRST_GAP, now)

    def give_up(self, permit: Permit) -> None:
        """Record a call without an answer, such as a cancelled one: another may be the probe."""
        if permit > self._heard:
            self._is_probing = False

    def _follow(self, gap: float, now: float) -> None:
        self._gap, self._next_at = gap, now + gap
        self.is_over = gap < LAST_GAP


@attrs.define(eq=False, repr=False)
class _Waiter:
    permit: "asyncio.Future[Permit | LongPause]"
    timeout: AcquireTimeout
    since: float
    arrived: int

    def is_expired(self, now: float, until: float) -> bool:
        return until - now > self.timeout.one_pause or until - self.since > self.timeout.all_pauses


class RateLimiter:
    """Gives each call of a session a permit, by the rules of this module."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, limits: CallLimits, rng: random.Random
    ) -> None:
        self.loop = loop
        self._rng = rng
        self._max_window = limits.max_in_flight
        self._window = float(limits.max_in_flight)  # each accepted call adds a fraction
        self._spacing = 0.0 if limits.calls_per_second is None else 1 / limits.calls_per_second
        self._next_start = -math.inf
        self._pause = Pause()  # of all calls
        self._slots = Pause()  # of run-task alone
        self._slot_refusals = 0
        self._slot_pause_is_asked = False
        self._in_flight = 0
        self._begun = 0
        self._closed = False
        # Each in the order of arrival; the queue that was served longest ago is the first.
        self._queues: OrderedDict[str, list[_Waiter]] = OrderedDict()
        self._numbers = itertools.count()
        self._timer: asyncio.TimerHandle | None = None

    def next_number(self) -> int:
        """An arrival number; a call that is queued again keeps its place by it."""
        return next(self._numbers)

    @property
    def is_paused(self) -> bool:
        """Whether only a probe is admitted, because the service asked for a pause."""
        return self._pause.is_open

    # --- acquiring ------------------------------------------------------------------------

    def acquire_now(self, endpoint: Endpoint) -> Permit | None:
        """A permit at once, or None if the call has to queue."""
        if (
            self._queues
            or self._in_flight >= self._window
            or self._spacing
            or not self._pause.is_over
            or (endpoint is RUN_TASK and not self._slots.is_over)
        ) and not self._closed:
            return None
        self._in_flight += 1
        self._begun += 1
        return Permit(self._begun)

    async def acquire(
        self, endpoint: Endpoint, timeout: AcquireTimeout, arrived: int | None = None
    ) -> Permit | LongPause:
        """Queue for a permit."""
        now, until = self.loop.time(), self._pause.until
        number = self.next_number() if arrived is None else arrived
        waiter = _Waiter(self.loop.create_future(), timeout, now, number)
        if waiter.is_expired(now, until):
            return LongPause(until - now)
        insort(self._queues.setdefault(endpoint.name, []), waiter, key=lambda each: each.arrived)
        self._dispatch()
        try:
            return await waiter.permit
        except asyncio.CancelledError:
            if not waiter.permit.cancelled():
                # Admitted and cancelled in one step of the loop: another call can use the permit.
                permit = waiter.permit.result()
                if not isinstance(permit, LongPause):
                    self.release(permit, endpoint, None)
            else:
                self._remove(endpoint.name, waiter)
            raise

    def release(self, permit: Permit, endpoint: Endpoint, outcome: Outcome | None) -> None:
        """End a call, and adapt to its outcome; None: the call was cancelled."""
        self._in_flight -= 1
        self.record(permit, endpoint, outcome)

    def record(self, permit: Permit, endpoint: Endpoint, outcome: Outcome | None) -> None:
        """Adapt to the outcome of a call, whose permit may already be released."""
        if outcome is None:
            self._pause.give_up(permit)
            if endpoint is RUN_TASK:
                self._slots.give_up(permit)
        elif not self._record_refusal(permit, endpoint, outcome.reply):
            self._record_success(permit, endpoint, outcome)
        if self._queues:
            self._dispatch()

    def release_slot(self) -> None:
        """Record that a task of the account has ended: run-task may be tried again at once."""
        # A pause that the service asked for goes on.
        if not self._slot_pause_is_asked:
            self._slots.until = min(self._slots.until, self.loop.time())
            self._dispatch()

    def close(self) -> None:
        """Admit every waiting call: each then fails, because the session is closed."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        for name, queue in self._queues.items():
            for waiter in queue:
                if not waiter.permit.done():
                    waiter.permit.set_result(self._begin(name, self.loop.time()))
        self._queues.clear()

    # --- adapting -------------------------------------------------------------------------

    def _record_success(self, permit: Permit, endpoint: Endpoint, outcome: Outcome) -> None:
        if self._window < self._max_window and outcome.kind is OutcomeKind.ACCEPTED:
            self._window = min(self._window + 1 / self._window, self._max_window)
        if not self._pause.is_over:
            self._pause.end(permit, self.loop.time())
        if endpoint is RUN_TASK and not self._slots.is_over:
            self._slot_refusals = 0
            self._slots.end(permit, self.loop.time())

    def _record_refusal(self, permit: Permit, endpoint: Endpoint, reply: Reply | None) -> bool:
        """Slow down if the reply asks for it; returns whether it did."""
        if reply is None or reply.status not in _SLOWING:
            return False
        asked = retry_after_seconds(reply.headers)
        # A 503 without a pause is one failed call, and says nothing about other calls.
        if reply.status == 503 and asked is None:
            return False
        now, pause = self.loop.time(), None if asked is None else min(asked, LONGEST_PAUSE)
        if endpoint is RUN_TASK:
            if says_no_free_slot(reply):
                self._pause_slots(permit, now, pause)
                self._pause.end(permit, now)  # for all other calls this is a good answer
                return True
            # Says nothing about slots; if it was their probe, run-task must not wait for ever.
            self._slots.give_up(permit)
        if pause is None and self._pause.is_open:
            pause = SMALLEST_PAUSE
        is_news = self._pause.refuse(permit, self._begun, None if pause is None else now + pause)
        if is_news and asked is not None:
            text = "the service asked for a pause of %.0f s: every call of this session waits"
            LOGGER.info(text, pause)
        if is_news and reply.status == 429:
            self._window = max(self._window / 2, 1.0)
        # The pause may now be longer than the timeout of some waiting calls.
        self._expire_waiters(now)
        return True

    def _pause_slots(self, permit: Permit, now: float, pause: float | None) -> None:
        self._slot_pause_is_asked = pause is not None
        if pause is None:
            # The exponent is bounded, so that the power cannot overflow.
            grown = FIRST_SLOT_PAUSE * 1.5 ** min(self._slot_refusals, 20)
            pause = min(grown, LONGEST_SLOT_PAUSE) * self._rng.uniform(0.5, 1.0)
        self._slot_refusals += self._slots.refuse(permit, self._begun, now + pause)

    def _expire_waiters(self, now: float) -> None:
        until = self._pause.until
        for name, queue in tuple(self._queues.items()):
            for waiter in tuple(queue):
                if waiter.is_expired(now, until):
                    self._remove(name, waiter)
                    if not waiter.permit.done():
                        waiter.permit.set_result(LongPause(until - now))

    # --- the queues -----------------------------------------------------------------------

    def _remove(self, name: str, waiter: _Waiter) -> None:
        queue = self._queues.get(name, [])
        if waiter in queue:
            queue.remove(waiter)
            if not queue:
                del self._queues[name]

    def _dispatch(self) -> None:
        """Admit all calls that may begin now, and set the timer for the next one."""
        now = self.loop.time()
        while self._queues and self._in_flight < self._window:
            moment = max(self._pause.admits_at, self._next_start)
            name = self._next_queue(now) if moment <= now else None
            if name is None:  # it is too early, be it for run-task alone
                moment = moment if moment > now else self._slots.admits_at
                if self._timer is not None:
                    self._timer.cancel()
                # If a probe is in flight, its answer dispatches.
                is_set = not math.isinf(moment)
                self._timer = self.loop.call_at(moment, self._dispatch) if is_set else None
                return
            waiter = self._queues[name][0]
            self._remove(name, waiter)
            if not waiter.permit.done():  # else it was cancelled in this step of the loop
                waiter.permit.set_result(self._begin(name, now))

    def _next_queue(self, now: float) -> str | None:
        """The queue whose turn it is, if any call may begin."""
        if STOP_TASK.name in self._queues:
            return STOP_TASK.name
        for name in tuple(self._queues):
            self._queues.move_to_end(name)
            if name != RUN_TASK.name or self._slots.admits_at <= now:
                return name
        return None

    def _begin(self, name: str, now: float) -> Permit:
        self._in_flight += 1
        self._begun += 1
        # Not before now: no burst follows an idle time.
        self._next_start = max(now, self._next_start) + self._spacing
        self._pause.admit(now)
        if name == RUN_TASK.name:
            self._slots.admit(now)
        return Permit(self._begun)
