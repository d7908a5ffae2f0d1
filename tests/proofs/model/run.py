"""The steps of a run with one item, in the order of the code."""

import attrs

from tests.proofs.model.layout import (
    ASK,
    AT_REST,
    CLOCK,
    DONE,
    ENDED,
    FAILED,
    FINISHED_BADLY,
    FINISHED_WELL,
    FOLLOW,
    FOUND,
    FREED,
    HELD,
    HELD_BY_SERVER,
    HIDDEN,
    INTENT,
    IS_FORMER,
    KEYED,
    LIST,
    LOSSES,
    MARK,
    MAXIMUM,
    MAY_RESEND,
    MODE,
    NEW,
    OUTCOME,
    OVER,
    PLACE,
    QUEUE,
    REQUESTS,
    RESERVE,
    ROUND,
    ROW,
    ROWS,
    SEARCH,
    SEND,
    SENT,
    SIZE,
    STOPPED,
    SUBMITTED,
    TASKS,
    TOKEN,
    UNANSWERED,
    UNDER_WAY,
    UNKNOWN,
    WAITING,
    WIRE,
    changed,
    outcomes,
    used,
)
from tests.proofs.model.steps import KNOWN, Steps


@attrs.define(eq=False)
class RunSteps(Steps):
    """The steps of a run with one item."""

    def add(self) -> None:
        """Add the possible steps."""
        mode = self.state[SIZE + MODE]
        if mode == OVER:
            return
        if self.state[PLACE]:
            _STEPS[self.state[PLACE]](self)
        elif self.state[QUEUE] == WAITING and self.others.at_work < self.terms.concurrency:
            self._begin(is_stopped=mode == STOPPED)

    def _new(self, after: bytearray, label: str) -> None:
        self.new(after, f"item {{}}: {label}")

    def _at(self, place: int, *places_and_values: int) -> bytearray:
        """The state with the run at another place."""
        return changed(self.state, PLACE, place, *places_and_values)

    def _left(self, *places_and_values: int) -> bytearray:
        """The state in which this run does nothing more with the item."""
        left = changed(self.state, QUEUE, AT_REST, *places_and_values)
        left[PLACE:SIZE] = bytes(SIZE - PLACE)
        return left

    def _begin(self, *, is_stopped: bool) -> None:
        """Read the row."""
        row, after = self.state[ROW], changed(self.state, QUEUE, UNDER_WAY)
        if row in UNANSWERED:
            after[MARK], after[MAY_RESEND] = after[TOKEN] or self.unused_token(), True
            self.look(after)
        elif row == SUBMITTED:
            after[PLACE] = FOLLOW
        elif is_stopped:  # what has begun is finished, and nothing else
            self._new(self._left(), "is left for the next run")
            return
        else:
            after[PLACE] = ASK if self.terms.budget is None else RESERVE
            after[MARK] = after[TOKEN]
        self._new(after, f"starts from the row {ROWS[row]}")

    def reserve(self) -> None:
        """Reserve money, if there is room."""
        terms, state = self.terms, self.state
        assert terms.budget is not None
        if state[SIZE + MODE] == STOPPED:
            self._new(self._left(), "is left for the next run")
        elif self.others.used + used(state) + MAXIMUM <= terms.budget:
            self._new(self._at(ASK, HELD, 1), "reserves the maximum")
        elif not self.others.holders and terms.leaves_out:
            left = self._left(SIZE + MODE, STOPPED)
            self._new(left, "is left out: no task runs that could make room")

    def ask(self) -> None:
        """Record that run-task is about to be sent, and its token."""
        after = changed(self.state, PLACE, SEND)
        is_retried = after[ROW] == FAILED
        if is_retried:
            self._begin_round(after)
        after[MARK] = after[MARK] or after[TOKEN] or self.unused_token()
        if not self.terms.writes_intent:
            after[ROW] = NEW
            self._new(after, "writes nothing down")
            return
        after[ROW] = INTENT
        if self.terms.writes_token:
            after[TOKEN] = after[MARK]
        if self.terms.writes_whether_keyed:
            after[KEYED] = self.state[KNOWN] == HELD_BY_SERVER
        self._new(after, f"commits the intent{' of another round' if is_retried else ''}")

    def _begin_round(self, after: bytearray) -> None:
        """Move the task that failed to the history, in the transaction of the intent."""
        for task in TASKS:
            if after[task] & OUTCOME == FINISHED_BADLY:
                after[task] |= IS_FORMER
        after[ROUND] += 1
        after[SENT] = 0
        if self.terms.has_token_of_round:
            after[TOKEN] = after[MARK] = 0

    def send(self) -> None:
        """Send run-task."""
        state = self.state
        free = [each for each in REQUESTS if not state[each]]
        if free:  # three requests at once are beyond the scope
            request, sent = free[0], min(state[SENT] + 1, self.terms.sends)
            values = (request, 1, request + 1, True, request + 2, state[MARK])
            after = self._at(WIRE, *values, SENT, sent, MAY_RESEND, False)
            self._new(after, "sends run-task")

    def wire(self) -> None:
        """Get no answer."""
        awaited = [each for each in REQUESTS if self.state[each] and self.state[each + 1]]
        if awaited and not self.left(LOSSES):
            return
        after = self.after(LOSSES) if awaited else changed(self.state)
        for request in awaited:
            after[request + 1] = False
        self.look(after)
        then = "repeats it" if after[PLACE] == ASK else "looks for the task"
        self._new(after, f"gets no answer and {then}")

    def ask_list(self) -> None:
        """Read a page of the list, with the key."""
        terms = self.terms
        is_echoed = terms.strips_keys != "everywhere" or terms.compares_echo != "before"
        after = changed(self.state)
        if self._is_listed():
            self._new(self._at(FOUND, MARK, 0), "finds the task")
        elif self.says_supported and is_echoed:
            after[KNOWN] = HELD_BY_SERVER
            self.look(after)
            self._new(after, "hears that keys are known")
        else:
            after[PLACE], after[CLOCK] = SEARCH, terms.window
            self._new(after, "hears nothing of keys, and looks for the task")

    def search(self) -> None:
        """Search for the task, during the window."""
        state = self.state
        if self._is_listed():
            self._new(self._at(FOUND, CLOCK, 0, MARK, 0), "finds the task")
            return
        if state[CLOCK]:
            return
        self._new(self._left(ROW, UNKNOWN), "finds nothing and leaves it unknown")
        # What an earlier run has left, if `retry_unknown` is given, and once.
        is_stopped = state[SIZE + MODE] == STOPPED
        if state[MAY_RESEND] and state[SENT] < self.terms.sends and not is_stopped:
            self._new(self._at(ASK), "finds nothing and sends it again")

    def _is_listed(self) -> bool:
        """Whether the list shows a task with the item's token."""
        state, token = self.state, self.state[MARK]
        is_made = any(state[each] and state[each + 1] == token for each in TASKS)
        return not state[HIDDEN] and (is_made or bool(self.others.tasks))

    def record_task(self) -> None:
        """Write down the task."""
        self._new(self._at(FOLLOW, ROW, SUBMITTED), "records the task")

    def follow(self) -> None:
        """Wait for the end of the task."""
        if self._ends():
            self._new(self._at(ENDED), "sees the end")

    def _ends(self) -> list[int]:
        """The possible ends of the tasks."""
        found = {*outcomes(self.state), *(each & OUTCOME for each in self.others.tasks)}
        return sorted(found & {FINISHED_WELL, FINISHED_BADLY})

    def record_end(self) -> None:
        """Record the end, and the cost instead of the reservation."""
        if self.state[PLACE] == ENDED and not self.terms.frees_at_end:
            self._new(self._at(FREED, HELD, 0), "releases the reservation")
            return
        for end in self._ends():
            row = DONE if end == FINISHED_WELL else FAILED
            self._new(self._left(HELD, 0, ROW, row), "records the end")


# From each place but the first one, in the order of the code
_STEPS = {
    RESERVE: RunSteps.reserve,
    ASK: RunSteps.ask,
    SEND: RunSteps.send,
    WIRE: RunSteps.wire,
    LIST: RunSteps.ask_list,
    SEARCH: RunSteps.search,
    FOUND: RunSteps.record_task,
    FOLLOW: RunSteps.follow,
    ENDED: RunSteps.record_end,
    FREED: RunSteps.record_end,
}
