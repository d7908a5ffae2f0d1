"""What may happen to a process: it is killed, sleeps, is not heard, ends, and rescues items."""

import attrs

from tests.model.layout import (
    ASLEEP,
    GONE,
    HANDED_OUT,
    KILLED,
    KILLS,
    LIVE,
    MUTE,
    NO_OWNER,
    OWNER,
    PROGRESS,
    QUEUE,
    REQUESTS,
    SEND,
    SILENCES,
    SIZE,
    STOPPED,
    WAITING,
    changed,
)
from tests.model.steps import Steps

AWAKE = frozenset({LIVE, MUTE, STOPPED})


@attrs.define(eq=False)
class ProcessSteps(Steps):
    """The steps of one process."""

    worker: int

    def add(self) -> None:
        """Add what may happen to the process."""
        state, place, name = self.state, self.workers_at + 2 * self.worker, f"w{self.worker}:"
        mode = state[place]
        if mode == GONE:
            return
        if mode == KILLED:
            self.new(changed(state, place, LIVE, place + 1, 0), name, "a new process begins")
            return
        at_work = [state[each] for each in self._own_places()]
        if mode == STOPPED and not any(at_work):
            self.new(self._ended(changed(state, place, GONE)), name, "ends")
        if self.may_happen(KILLS):
            killed = self._ended(self.after(KILLS, place, KILLED, place + 1, 0))
            self.new(killed, name, "is killed")
        if mode in {LIVE, MUTE} and self.may_happen(SILENCES):
            self._fall_silent(place, name, is_sending=SEND in at_work)
        if mode == ASLEEP:
            self.new(changed(state, place, MUTE), name, "wakes up")
        if mode == MUTE:
            self.new(changed(state, place, LIVE, place + 1, 0), name, "is heard again")
        if mode in AWAKE:
            self._rescue(name)

    def _fall_silent(self, place: int, name: str, *, is_sending: bool) -> None:
        if self.terms.may_sleep_before_sending or not is_sending:
            self.new(self.after(SILENCES, place, ASLEEP), name, "falls asleep")
        if self.state[place] == LIVE:
            self.new(self.after(SILENCES, place, MUTE), name, "is heard no more")

    def _own_places(self) -> range:
        return range(PROGRESS + 3 * self.worker, self.workers_at, SIZE)

    def _rescue(self, name: str) -> None:
        state = self.state
        for item in range(0, self.workers_at, SIZE):
            owner = state[item + OWNER]
            is_silent = owner == NO_OWNER or (
                owner != self.worker and state[self.workers_at + 2 * owner + 1] >= self.terms.lease
            )
            if state[item + QUEUE] == HANDED_OUT and is_silent:
                rescued = changed(state, item + QUEUE, WAITING)
                self.new(rescued, name, f"rescues item {item // SIZE}")

    def _ended(self, after: bytearray) -> bytearray:
        """The state without the process: no row is its own, and it waits for no answer."""
        for place in self._own_places():
            after[place : place + 3] = bytes(3)
        for item in range(0, self.workers_at, SIZE):
            for place in (item + OWNER, *(item + request + 1 for request in REQUESTS)):
                if after[place] == self.worker:
                    after[place] = NO_OWNER
        return after
