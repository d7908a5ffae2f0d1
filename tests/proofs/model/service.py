"""The steps of the service and the network with the requests of one item."""

import attrs

from tests.proofs.model.layout import (
    ASK,
    CLOCK,
    DELAYS,
    FAILURES,
    FINISHED_BADLY,
    FINISHED_WELL,
    FORGOTTEN_KEYS,
    FOUND,
    HAS_KEY,
    HELD_BY_SERVER,
    HIDDEN,
    LATE,
    LOSSES,
    MARK,
    NEW,
    NOT_HELD,
    OUTCOME,
    PLACE,
    REFUSALS,
    REPEATS,
    REQUESTS,
    ROW,
    RUNS,
    TASKS,
    WIRE,
    changed,
)
from tests.proofs.model.steps import KNOWN, Steps


@attrs.define(eq=False)
class ServiceSteps(Steps):
    """The steps of the service."""

    def add(self) -> None:
        """Add the possible steps of the item."""
        state = self.state
        for task in TASKS:
            if state[task] & OUTCOME == RUNS:
                kept = state[task] - RUNS
                self.new(changed(state, task, kept + FINISHED_WELL), "item {}: the task ends")
                if self.left(FAILURES):
                    failed = self.after(FAILURES, task, kept + FINISHED_BADLY)
                    self.new(failed, "item {}: the task fails")
            if state[task] & HAS_KEY and self.left(FORGOTTEN_KEYS):
                forgotten = self.after(FORGOTTEN_KEYS, task, state[task] - HAS_KEY)
                self.new(forgotten, "item {}: the server forgets the key")
        for request in REQUESTS:
            if state[request]:
                self._add_request(request)

    def _add_request(self, request: int) -> None:
        state = self.state
        is_awaited = bool(state[request + 1]) and state[PLACE] == WIRE
        if state[request] == self.terms.delay + 1 and self.left(DELAYS):
            self.new(self.after(DELAYS, request, LATE), "item {}: run-task is late")
        if self.left(LOSSES):
            lost = self._without(self.after(LOSSES), request)
            self.new(lost, "item {}: run-task is lost")
        if is_awaited and self.left(REFUSALS):
            refused = self.after(REFUSALS, PLACE, ASK, CLOCK, 0, ROW, NEW)
            label = "item {}: run-task is refused (429), and will be tried again"
            self.new(self._without(refused, request), label)
        # The executed request is gone, unless the network repeats it.
        self._carry_out(self._without(changed(state), request), request, is_awaited=is_awaited)
        if self.left(REPEATS):
            repeated = self.after(REPEATS, request + 1, False)
            self._carry_out(repeated, request, is_awaited=is_awaited)

    def _carry_out(self, before: bytearray, request: int, *, is_awaited: bool) -> None:
        """Execute a request, and answer it if somebody waits for that."""
        terms, token = self.terms, self.state[request + 2]
        knows = self.knows_keys and terms.strips_keys == "never"
        for is_known in (True, False) if knows and terms.has_old_nodes else (knows,):
            if is_known and self.has_key(self.state, token):
                self._answer(changed(before), "run-task is replayed", is_awaited, is_echoed=True)
            elif is_known and not terms.key_in_transaction:
                self._make(before, token, is_awaited, is_echoed=True, has_key=True)
                self._make(before, token, is_awaited, is_echoed=True, has_key=False)
            else:
                self._make(before, token, is_awaited, is_echoed=is_known, has_key=is_known)

    def _make(
        self, before: bytearray, token: int, is_awaited: bool, *, is_echoed: bool, has_key: bool
    ) -> None:
        after = changed(before)
        if not any(self.state[task] for task in TASKS):
            after[HIDDEN] = self.terms.lag
        free = [task for task in TASKS if not self.state[task]]
        if free:  # more are not counted
            after[free[0]], after[free[0] + 1] = RUNS + HAS_KEY * has_key, token
        what = " without its key" if is_echoed and not has_key else ""
        self._answer(after, f"run-task makes a task{what}", is_awaited, is_echoed=is_echoed)

    def _answer(self, after: bytearray, what: str, is_awaited: bool, *, is_echoed: bool) -> None:
        what = f"item {{}}: {what}"
        if not is_awaited:
            self.new(after, f"{what} and nobody hears of it")
            return
        answered = changed(after, PLACE, FOUND, CLOCK, 0, MARK, 0)
        self._learn(answered, is_echoed=is_echoed)
        self.new(answered, f"{what} and the answer comes")
        if self.left(LOSSES):
            lost = self.again(changed(after), LOSSES)
            self.look(lost)
            self.new(lost, f"{what} and the answer is lost")

    def _learn(self, after: bytearray, *, is_echoed: bool) -> None:
        if not self.terms.has_keys:
            return
        if self.says_supported and (is_echoed or self.terms.compares_echo == "never"):
            after[KNOWN] = HELD_BY_SERVER
        elif not is_echoed:
            after[KNOWN] = NOT_HELD

    def _without(self, after: bytearray, request: int) -> bytearray:
        """The state without a request, of which the older one stands first."""
        first, second = REQUESTS
        if request == first:
            after[first : first + 3] = after[second : second + 3]
        after[second : second + 3] = bytes(3)
        return after
