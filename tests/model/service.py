"""The steps of the service and the network with the requests of one item."""

import attrs

from tests.model.layout import (
    A_REFUSAL,
    ASK,
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
    NEW,
    NO_OWNER,
    NOT_HELD,
    OUTCOME,
    OWNER,
    PROGRESS,
    REFUSALS,
    REPEATS,
    REQUESTS,
    ROW,
    RUNS,
    STRIDE,
    TASKS,
    TOKEN,
    WIRE,
    WORKERS,
    changed,
)
from tests.model.steps import Steps


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
        age, sender = state[request], state[request + 1]
        has_sender = sender < WORKERS and state[PROGRESS + STRIDE * sender] == WIRE
        waits = sender if has_sender else NO_OWNER
        if age == self.terms.delay + 1 and self.left(DELAYS):
            self.new(self.after(DELAYS, request, LATE), "item {}: run-task is late")
        if self.left(LOSSES):
            lost = self._without(self.after(LOSSES), request)
            self.new(lost, "item {}: run-task is lost")
        if has_sender and self.left(REFUSALS):
            self._refuse(request, sender)
        # The executed request is gone, unless the network repeats it.
        self._carry_out(self._without(changed(state), request), request, waits)
        if self.left(REPEATS):
            repeated = self.after(REPEATS, request + 1, NO_OWNER)
            self._carry_out(repeated, request, waits)

    def _refuse(self, request: int, sender: int) -> None:
        progress = PROGRESS + STRIDE * sender
        refused = self.after(REFUSALS, progress, ASK, progress + 1, 0)
        is_written = self.state[OWNER] == sender or not self.terms.asks_for_owner
        if is_written:
            refused[ROW] = NEW
        after = self._without(refused, request)
        label = f"item {{}}: run-task is refused (429), and w{sender} will try again"
        if is_written:
            self.write(after, label, A_REFUSAL, sender, self.state[TOKEN])
        else:
            self.new(after, label)

    def _carry_out(self, before: bytearray, request: int, sender: int) -> None:
        """Answer a request for which a worker waits, or none."""
        terms, token = self.terms, self.state[request + 2]
        knows = self.knows_keys and terms.strips_keys == "never"
        for is_known in (True, False) if knows and terms.has_old_nodes else (knows,):
            if is_known and self.has_key(self.state, token):
                self._answer(changed(before), "run-task is replayed", sender, is_echoed=True)
            elif is_known and not terms.key_in_transaction:
                self._make(before, token, sender, is_echoed=True, has_key=True)
                self._make(before, token, sender, is_echoed=True, has_key=False)
            else:
                self._make(before, token, sender, is_echoed=is_known, has_key=is_known)

    def _make(
        self, before: bytearray, token: int, sender: int, *, is_echoed: bool, has_key: bool
    ) -> None:
        after = changed(before)
        if not any(self.state[task] for task in TASKS):
            after[HIDDEN] = self.terms.lag
        free = [task for task in TASKS if not self.state[task]]
        if free:  # more are not counted
            after[free[0]], after[free[0] + 1] = RUNS + HAS_KEY * has_key, token
        what = " without its key" if is_echoed and not has_key else ""
        self._answer(after, f"run-task makes a task{what}", sender, is_echoed=is_echoed)

    def _answer(self, after: bytearray, what: str, sender: int, *, is_echoed: bool) -> None:
        what = f"item {{}}: {what}"
        if sender == NO_OWNER:
            self.new(after, f"{what} and no worker hears of it")
            return
        progress = PROGRESS + STRIDE * sender
        answered = changed(after, progress, FOUND, progress + 1, 0, progress + 3, 0)
        self._learn(answered, sender, is_echoed=is_echoed)
        self.new(answered, f"{what} and w{sender} gets the answer")
        if self.left(LOSSES):
            lost = self.again(changed(after), LOSSES)
            self.doubt(lost, sender)
            self.new(lost, f"{what} and the answer to w{sender} is lost")

    def _learn(self, after: bytearray, worker: int, *, is_echoed: bool) -> None:
        if not self.terms.has_keys:
            return
        if self.says_supported and (is_echoed or self.terms.compares_echo == "never"):
            after[self.knows_at(worker)] = HELD_BY_SERVER
        elif not is_echoed:
            after[self.knows_at(worker)] = NOT_HELD

    def _without(self, after: bytearray, request: int) -> bytearray:
        """The state without a request, of which the older one stands first."""
        first, second = REQUESTS
        if request == first:
            after[first : first + 3] = after[second : second + 3]
        after[second], after[second + 1], after[second + 2] = 0, NO_OWNER, 0
        return after
