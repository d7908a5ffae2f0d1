"""The steps of a process: it is killed, sleeps, becomes mute, and ends."""

from collections.abc import Callable

import attrs

from tests.model.layout import (
    ABOUT,
    ASLEEP,
    FAULTS,
    GONE,
    KILLED,
    KILLS,
    KNOWS,
    LIVE,
    MODE,
    MUTE,
    NOT_ASKED,
    SILENCE,
    SILENCES,
    STOPPED,
    UPGRADES,
    changed,
)
from tests.model.terms import ALWAYS, Terms


@attrs.define(eq=False)
class ProcessSteps:
    """The steps of one process; the state is the common part."""

    terms: Terms
    state: bytes
    new: Callable[[bytearray, bool, str], None]  # with whether the process has ended
    worker: int
    is_at_work: bool
    is_sending: bool  # whether it is about to send a request, before which it does not sleep

    def add(self) -> None:
        """Add the possible steps of the process."""
        place = ABOUT * self.worker
        mode = self.state[place + MODE]
        if mode == KILLED:
            self._new("a new process begins", place + MODE, LIVE, place + SILENCE, 0)
        if mode in {KILLED, GONE}:
            return
        if mode == STOPPED and not self.is_at_work:
            self._new("ends", place + MODE, GONE, has_ended=True)
        if self._left(KILLS):
            values = (place + MODE, KILLED, place + SILENCE, 0, place + KNOWS, NOT_ASKED)
            self._new("is killed", *values, fault=KILLS, has_ended=True)
        if mode in {LIVE, MUTE} and self._left(SILENCES):
            if self.terms.may_sleep_before_sending or not self.is_sending:
                self._new("falls asleep", place + MODE, ASLEEP, fault=SILENCES)
            if mode == LIVE:
                self._new("is heard no more", place + MODE, MUTE, fault=SILENCES)
        if mode == ASLEEP:
            self._new("wakes up", place + MODE, MUTE)
        if mode == MUTE:
            self._new("is heard again", place + MODE, LIVE, place + SILENCE, 0)

    def _left(self, fault: int) -> int:
        return self.state[FAULTS + fault]

    def _new(
        self,
        label: str,
        *places_and_values: int,
        fault: int | None = None,
        has_ended: bool = False,
    ) -> None:
        after = changed(self.state, *places_and_values)
        if fault is not None:
            after[FAULTS + fault] -= after[FAULTS + fault] < ALWAYS
        self.new(after, has_ended, f"w{self.worker}: {label}")


def upgraded(state: bytes) -> bytearray | None:
    """The state once the server has been exchanged for one that knows keys, if it will be."""
    left = state[FAULTS + UPGRADES]
    return changed(state, FAULTS + UPGRADES, left - 1) if left else None
