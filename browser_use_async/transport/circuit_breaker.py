"""The circuit breaker: admits no call during a pause, and one as a probe after it. No I/O."""

import math

import attrs

RAMP_SECONDS = 4.0  # so 100 ms admit at most 2.5 % of a long queue
LONGEST_GAP = 0.05  # seconds between two admissions from a short queue


@attrs.define(eq=False, repr=False)
class CircuitBreaker:
    """Opened by a requested pause, and closed by one successful probe."""

    # Closed, it admits every call. Open, it admits none until its time is up. Half-open, it admits
    # one call, the probe, and no other until the probe is answered. A successful probe starts a
    # ramp: the calls queued by then are admitted one by one over a few seconds; then it is closed.

    is_closed: bool = True  # an attribute, not a property, because each call reads it
    is_open: bool = False  # whether no call but a probe is admitted: open or half-open
    # How often it was opened. A call keeps the number with which it was admitted, so the answer to
    # a call from before the pause does not end the pause.
    generation: int = 0
    _open_until: float = -math.inf
    _probe_in_flight: bool = False
    _ramp_left: int = 0
    _ramp_gap: float = 0.0
    _next_at: float = -math.inf

    @property
    def open_until(self) -> float:
        """When the requested pause ends; minus infinity without one."""
        return self._open_until if self.is_open else -math.inf

    @property
    def admits_at(self) -> float:
        """When the next call may be admitted; infinite while a probe is in flight."""
        if self._probe_in_flight:
            return math.inf
        return max(self._open_until, self._next_at)

    def admit(self, now: float) -> int:
        """Count a call that is admitted, and return its generation."""
        if self.is_open:
            self._probe_in_flight = True
        elif self._ramp_left:
            self._set_ramp(self._ramp_left - 1, now)
        return self.generation

    def trip(self, generation: int, until: float) -> bool:
        """Open it until a time; returns whether the refused call was of this generation."""
        is_news = generation == self.generation
        if is_news:
            self.generation += 1
            # The probe was refused, and another one is due. A refusal of an older generation
            # leaves the probe in flight.
            self._probe_in_flight = False
        # A late refusal of an older generation may lengthen the pause, but never shorten it.
        self._open_until = max(self._open_until, until)
        self.is_open = True
        self._set_ramp(0)
        return is_news

    def start_generation(self, generation: int) -> bool:
        """Record a refusal that asks for no pause; returns whether it was of this generation."""
        # Calls that were sent together are refused together, which counts once.
        is_news = generation == self.generation
        self.generation += is_news
        return is_news

    def probe_now(self, now: float) -> None:
        """Admit the probe before the pause is over."""
        self._open_until = min(self._open_until, now)

    def record_success(self, generation: int, now: float, queued: int) -> None:
        """Record a good answer; that of the probe starts the ramp."""
        if not self.is_open or generation != self.generation:
            return
        self.is_open = self._probe_in_flight = False
        # If the queued calls were admitted at once, they would overload the service again.
        self._ramp_gap = min(RAMP_SECONDS / queued, LONGEST_GAP) if queued else 0.0
        self._set_ramp(queued, now)

    def record_no_answer(self, generation: int) -> None:
        """Record a call that ended without an answer, such as a cancelled one."""
        # Otherwise a cancelled probe would keep the breaker open for ever.
        if generation == self.generation:
            self._probe_in_flight = False

    def end_ramp(self) -> None:
        """Stop spacing admissions, because no call is queued any more."""
        self._set_ramp(0)

    def _set_ramp(self, left: int, now: float = -math.inf) -> None:
        self._ramp_left = left
        self._next_at = now + self._ramp_gap if left else -math.inf
        self.is_closed = not self.is_open and not left
