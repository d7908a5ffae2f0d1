"""What the service and the network may do with the requests of one item."""

import attrs

from tests.model.layout import (
    ASK,
    DELAYS,
    FINISHED,
    FORGOTTEN_KEYS,
    FOUND,
    HIDDEN,
    KEY,
    LATE,
    LOSSES,
    NEW,
    NO_OWNER,
    OWNER,
    PROGRESS,
    REFUSALS,
    REPEATS,
    REQUESTS,
    ROW,
    RUNNING,
    SIZE,
    WIRE,
    WORKERS,
    changed,
)
from tests.model.steps import Steps
from tests.model.terms import ALWAYS

MOST_TASKS = 3  # of an item that are counted


@attrs.define(eq=False)
class ServiceSteps(Steps):
    """The steps of the service."""

    item: int  # where its block begins

    def add(self) -> None:
        """Add what may happen to the item."""
        state, item = self.state, self.item
        name = f"item {item // SIZE}:"
        if state[item + RUNNING]:
            ended = changed(state, item + RUNNING, state[item + RUNNING] - 1)
            ended[item + FINISHED] += 1
            self.new(ended, name, "the task ends")
        if state[item + KEY] and self.may_happen(FORGOTTEN_KEYS):
            self.new(self.after(FORGOTTEN_KEYS, item + KEY, 0), name, "the server forgets the key")
        for request in REQUESTS:
            if state[item + request]:
                self._add_request(item + request, name)

    def _add_request(self, request: int, name: str) -> None:
        state, item = self.state, self.item
        age, sender = state[request], state[request + 1]
        progress = item + PROGRESS + 3 * sender
        has_sender = sender < WORKERS and state[progress] == WIRE
        if age == self.terms.delay + 1 and self.may_happen(DELAYS):
            self.new(self.after(DELAYS, request, LATE), name, "run-task is late")
        if self.may_happen(LOSSES):
            self.new(self._without(self.after(LOSSES), request), name, "run-task is lost")
        if has_sender and self.may_happen(REFUSALS):
            refused = self.after(REFUSALS, progress, ASK, progress + 1, 0)
            if state[item + OWNER] == sender or not self.terms.asks_for_owner:
                refused[item + ROW] = NEW
            after = self._without(refused, request)
            self.new(after, name, f"run-task is refused (429), and w{sender} will try again")
        self._carry_out(self._without(changed(state), request), progress, sender, has_sender)
        if self.may_happen(REPEATS):
            repeated = self.after(REPEATS, request + 1, NO_OWNER)
            self._carry_out(repeated, progress, sender, has_sender)

    def _carry_out(self, before: bytearray, progress: int, sender: int, has_sender: bool) -> None:
        terms, state, item = self.terms, self.state, self.item
        knows_keys = terms.has_keys and not terms.strips_keys
        for writes_key in (True, False) if knows_keys and not terms.key_in_transaction else (True,):
            after = changed(before)
            if not (knows_keys and state[item + KEY]):
                if not state[item + RUNNING] + state[item + FINISHED]:
                    after[item + HIDDEN] = terms.lag
                after[item + RUNNING] = min(state[item + RUNNING] + 1, MOST_TASKS)
                after[item + KEY] = knows_keys and writes_key
            self._answer(after, progress, sender, has_sender, is_half_written=not writes_key)

    def _answer(
        self,
        after: bytearray,
        progress: int,
        sender: int,
        has_sender: bool,
        *,
        is_half_written: bool,
    ) -> None:
        what = f"item {self.item // SIZE}: run-task makes a task"
        what += " without its key" if is_half_written else ""
        if not has_sender:
            self.new(after, what, "and no worker hears of it")
            return
        answered = changed(after, progress, FOUND, progress + 1, 0)
        self.new(answered, what, f"and w{sender} gets the answer")
        if self.may_happen(LOSSES):
            losses = self.workers_at + 2 * WORKERS + LOSSES
            lost = changed(after, losses, after[losses] - (after[losses] < ALWAYS))
            self.doubt(lost, self.item, progress)
            self.new(lost, what, f"and the answer to w{sender} is lost")

    def _without(self, after: bytearray, request: int) -> bytearray:
        """The state without a request, of which the older one stands first."""
        first, second = (self.item + each for each in REQUESTS)
        if request == first:
            after[first : first + 2] = after[second : second + 2]
        after[second], after[second + 1] = 0, NO_OWNER
        return after
