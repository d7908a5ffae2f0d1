"""A gate that the service can shut for a while, and that one probe opens again. Pure."""

import math

__all__ = ["Gate"]

REOPENING_SECONDS = 4.0  # so 100 ms let at most 2.5 % of a long queue through
LONGEST_GAP = 0.05  # seconds between two of a short queue


class Gate:
    """Lets calls pass, or not yet.

    Open, it lets everybody pass. Shut, it lets nobody pass until the time is up; then one call,
    the probe, and nobody else until that one is answered. If the answer is good, those who queue
    follow one by one and spread over a few seconds; then the gate is open.

    Attributes:
        round: How often it was shut. Who passes keeps the number, so that an answer to a call
            that passed before the gate was shut does not open it.
    """

    __slots__ = ("_gap", "_next", "_paced", "_probe_out", "_probing", "_until", "round")

    def __init__(self) -> None:
        self.round = 0
        self._until = -math.inf
        self._probing = False
        self._probe_out = False
        self._paced = 0
        self._gap = 0.0
        self._next = -math.inf

    @property
    def is_open(self) -> bool:
        """Whether everybody may pass at any time."""
        return not self._probing and not self._paced

    @property
    def opens_at(self) -> float:
        """The moment from which one more may pass; infinite while a probe is out."""
        if self._probe_out:
            return math.inf
        return max(self._until, self._next)

    @property
    def is_shut(self) -> bool:
        """Whether nobody may pass but a probe."""
        return self._probing

    @property
    def shut_until(self) -> float:
        """The moment until which the service wants to be left alone; minus infinity if not."""
        return self._until if self._probing else -math.inf

    def let_pass(self, now: float) -> int:
        """Let one pass who may, and give the round in which it did."""
        if self._probing:
            self._probe_out = True
        elif self._paced:
            self._paced -= 1
            self._next = now + self._gap if self._paced else -math.inf
        return self.round

    def shut(self, passed_in: int, until: float) -> bool:
        """Shut it."""
        is_news = passed_in == self.round
        if is_news:
            self.round += 1
            self._probe_out = False
        self._until = max(self._until, until)
        self._probing = True
        self._paced, self._next = 0, -math.inf
        return is_news

    def next_round(self, passed_in: int) -> bool:
        """Note a refusal that asks for no pause, of a call that passed an open gate."""
        is_news = passed_in == self.round
        self.round += is_news
        return is_news

    def hurry(self, now: float) -> None:
        """Let the probe go now."""
        self._until = min(self._until, now)

    def answered(self, passed_in: int, now: float, waiting: int) -> None:
        """Note a good answer; that of the probe begins to open the gate."""
        if not self._probing or passed_in != self.round:
            return
        self._probing = self._probe_out = False
        self._paced = waiting
        if waiting:
            self._gap = min(REOPENING_SECONDS / waiting, LONGEST_GAP)
            self._next = now + self._gap

    def queue_is_empty(self) -> None:
        """Note that nobody queues, so that there is nobody left to spread out."""
        self._paced, self._next = 0, -math.inf

    def came_back(self, passed_in: int) -> None:
        """Note a call that ended without an answer, as one that is cancelled does."""
        if passed_in == self.round:
            self._probe_out = False
