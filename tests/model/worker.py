"""The steps of a worker with one item, in the order of the code."""

import attrs

from tests.model.layout import (
    A_TASK,
    ABOUT,
    AN_INTENT,
    ASK,
    AT_REST,
    CLAIMED,
    COMMITTED,
    DONE,
    ENDED,
    FAILED,
    FINISHED_BADLY,
    FINISHED_WELL,
    FOLLOW,
    FOUND,
    FREED,
    HANDED_OUT,
    HELD,
    HELD_BY_SERVER,
    HIDDEN,
    IDLE,
    INTENT,
    IS_FORMER,
    IS_OLD,
    KEYED,
    LATE_STATEMENT,
    LIST,
    LIVE,
    LOSSES,
    MAXIMUM,
    MODE,
    MUTE,
    NO_OWNER,
    NO_ROOM,
    OUTCOME,
    OWNER,
    PROGRESS,
    QUEUE,
    REQUESTS,
    RESERVE,
    ROUND,
    ROW,
    ROWS,
    SEARCH,
    SEND,
    SENT,
    SILENCE,
    SIZE,
    STOPPED,
    STRIDE,
    SUBMITTED,
    TASKS,
    TOKEN,
    UNKNOWN,
    WAITING,
    WIRE,
    changed,
    outcomes,
)
from tests.model.steps import Steps

COST = 1  # of a task
AWAKE = frozenset({LIVE, MUTE, STOPPED})
NEEDS_ROW = frozenset({RESERVE, NO_ROOM, ASK, FOUND, ENDED, FREED})
IN_DOUBT = frozenset({INTENT, UNKNOWN})


def used(block: bytes | bytearray) -> int:
    """The spent and reserved money of an item, by its row."""
    return block[HELD] * MAXIMUM + COST * (block[ROW] == DONE)


@attrs.define(eq=False)
class WorkerSteps(Steps):
    """The steps of one worker with one item."""

    worker: int
    at: int = attrs.field(init=False)  # the place in the state for the worker's progress

    def __attrs_post_init__(self) -> None:
        self.at = PROGRESS + STRIDE * self.worker

    @property
    def place(self) -> int:
        """The worker's progress with the item."""
        return self.state[self.at]

    @property
    def mode(self) -> int:
        """The state of the process."""
        return self.state[SIZE + ABOUT * self.worker + MODE]

    def add(self) -> None:
        """Add the possible steps of the worker."""
        if self.mode in AWAKE:
            if self.place:
                self._work()
            self._claim()
            self._rescue()

    def _new(self, after: bytearray, label: str) -> None:
        self.new(after, self._label(label))

    def _label(self, label: str) -> str:
        return f"w{self.worker} item {{}}: {label}"

    def _write(self, after: bytearray, label: str, statement: int) -> None:
        token = after[self.at + 3] or self.state[self.at + 3]
        self.write(after, self._label(label), statement, self.worker, token)

    def _changed(self, place: int, *places_and_values: int) -> bytearray:
        """The state with the worker at another place."""
        return changed(self.state, self.at, place, *places_and_values)

    def _left(self, *places_and_values: int, of: bytearray | None = None) -> bytearray:
        """The state without the worker's progress."""
        before, at = self.state if of is None else of, self.at
        kept = before[at + 2] & CLAIMED
        return changed(before, *places_and_values, at, IDLE, at + 1, 0, at + 2, kept, at + 3, 0)

    # --- working --------------------------------------------------------------------------

    @property
    def _is_own(self) -> bool:
        is_owner = self.state[OWNER] == self.worker or not self.terms.asks_for_owner
        is_old = self.state[self.at + 2] & IS_OLD
        return is_owner and not (self.terms.asks_for_claim and is_old)

    def _work(self) -> None:
        if not self._is_own and self.place in NEEDS_ROW:
            self._new(self._left(), "is refused: the row is another's")
        else:
            _STEPS[self.place](self)

    def reserve(self) -> None:
        """Reserve money, if there is room."""
        terms, state = self.terms, self.state
        assert terms.budget is not None
        if self.mode == STOPPED:
            self._new(self._left(QUEUE, WAITING), "gives the item back: it was stopped")
        elif self.place == RESERVE and (state[HELD] or self._has_room()):
            held = state[HELD] or 1
            self._new(self._changed(ASK, HELD, held), "reserves the maximum")
        elif self.place == RESERVE and not terms.decides_at_once:
            self._new(self._changed(NO_ROOM), "finds no room in the budget")
        else:
            self._find_no_room()

    def _find_no_room(self) -> None:
        terms, holders = self.terms, set(self.others.holders)
        if self.state[HELD]:
            holders.add(self.state[QUEUE])
        counted = {HANDED_OUT, WAITING} if terms.counts_waiting else {HANDED_OUT}
        if terms.gives_place and WAITING in holders and HANDED_OUT not in holders:
            given = self._left(QUEUE, WAITING)
            self._new(given, "gives its place to an item with money")
        elif not counted.isdisjoint(holders):
            if self.place == NO_ROOM:  # else nothing changes
                self._new(self._changed(RESERVE), "waits for money of others")
        else:
            stopped = self._left(QUEUE, WAITING, SIZE + ABOUT * self.worker + MODE, STOPPED)
            self._new(stopped, "is refused: no item has money, so it stops")

    def _has_room(self) -> bool:
        budget = self.terms.budget
        total = self.others.used + used(self.state)
        return budget is None or total + MAXIMUM <= budget

    def ask(self) -> None:
        """Record that run-task is about to be sent, and its token."""
        after = changed(self.state)
        is_retried = after[ROW] == FAILED
        if is_retried:
            self._begin_round(after)
        token = after[self.at + 3] or after[TOKEN] or self.unused_token()
        after[self.at + 3] = token
        if not self.terms.writes_intent:
            after[self.at] = SEND
            self._new(after, "writes nothing down")
            return
        after[self.at], after[ROW] = COMMITTED, INTENT
        if self.terms.writes_token:
            after[TOKEN] = token
        if self.terms.writes_whether_keyed:
            after[KEYED] = self.state[self.knows_at(self.worker)] == HELD_BY_SERVER
        if is_retried:  # several statements: if their connection breaks, none is executed
            self._new(after, "commits the intent of another round")
        else:
            self._write(after, "commits the intent", AN_INTENT)

    def _begin_round(self, after: bytearray) -> None:
        """Move the task that failed to the history, in the transaction of the intent."""
        for task in TASKS:
            if after[task] & OUTCOME == FINISHED_BADLY:
                after[task] |= IS_FORMER
        after[ROUND] += 1
        after[SENT] = 0
        if self.terms.has_token_of_round:
            after[TOKEN] = after[self.at + 3] = 0

    def hear_of_commit(self) -> None:
        """Get the answer to that."""
        clock = self.at + 1
        if self.state[clock] > self.terms.lease and self.terms.asks_again:
            late = self._changed(ASK, clock, 0)
            self._new(late, "hears of its commit after a lease, and asks again")
        else:
            self._new(self._changed(SEND, clock, 0), "hears of its commit")

    def send(self) -> None:
        """Send run-task."""
        state = self.state
        free = [each for each in REQUESTS if not state[each]]
        if free:  # three requests at once are beyond the scope
            request, sent = free[0], min(state[SENT] + 1, self.terms.sends)
            values = (request, 1, request + 1, self.worker, request + 2, state[self.at + 3])
            self._new(self._changed(WIRE, *values, SENT, sent), "sends run-task")

    def wire(self) -> None:
        """Get no answer."""
        state = self.state
        sent = [each for each in REQUESTS if state[each] and state[each + 1] == self.worker]
        if sent and not self.left(LOSSES):
            return
        after = self.after(LOSSES) if sent else changed(state)
        for request in sent:
            after[request + 1] = NO_OWNER
        self.doubt(after, self.worker)
        then = "repeats it" if after[self.at] == ASK else "looks for the task"
        self._new(after, f"gets no answer and {then}")

    def ask_list(self) -> None:
        """Read a page of the list, with the key."""
        terms, knows = self.terms, self.knows_at(self.worker)
        is_echoed = terms.strips_keys != "everywhere" or terms.compares_echo != "before"
        after = changed(self.state)
        if self._is_listed():
            self._new(self._changed(FOUND, self.at + 3, 0), "finds the task")
        elif self.says_supported and is_echoed:
            after[knows] = HELD_BY_SERVER
            self.doubt(after, self.worker)
            self._new(after, "hears that keys are known")
        else:
            after[self.at], after[self.at + 1] = SEARCH, terms.window
            self._new(after, "hears nothing of keys, and looks for the task")

    def search(self) -> None:
        """Search for the task, during the window."""
        state, clock = self.state, self.at + 1
        if self._is_listed():
            self._new(self._changed(FOUND, clock, 0, self.at + 3, 0), "finds the task")
        elif not state[clock]:
            self._send_again()

    def _is_listed(self) -> bool:
        """Whether the list shows a task with the worker's token."""
        state, token = self.state, self.state[self.at + 3]
        is_made = any(state[each] and state[each + 1] == token for each in TASKS)
        return not state[HIDDEN] and (is_made or bool(self.others.tasks))

    def _send_again(self) -> None:
        """The window has passed, and nothing was found."""
        terms, state = self.terms, self.state
        in_doubt = self._left(ROW, UNKNOWN, QUEUE, AT_REST)
        if not self._is_own:
            self._new(self._left(), "finds nothing: the row is another's")
        elif state[SENT] >= terms.sends:
            self._new(in_doubt, "finds nothing and leaves it in doubt")
        elif self.mode == STOPPED:
            self._new(self._left(QUEUE, WAITING), "finds nothing, and was stopped")
        else:
            self._new(self._changed(ASK), "finds nothing and sends it again")

    def record_task(self) -> None:
        """Write down the task."""
        self._write(self._changed(FOLLOW, ROW, SUBMITTED), "records the task", A_TASK)

    def follow(self) -> None:
        """Wait for the end of the task."""
        if self._ends():
            self._new(self._changed(ENDED), "sees the end")

    def _ends(self) -> list[int]:
        """The possible ends of the tasks."""
        found = {*outcomes(self.state), *(each & OUTCOME for each in self.others.tasks)}
        return sorted(found & {FINISHED_WELL, FINISHED_BADLY})

    def record_end(self) -> None:
        """Record the end, and the cost instead of the reservation."""
        if self.place == ENDED and not self.terms.frees_at_end:
            self._new(self._changed(FREED, HELD, 0), "releases the reservation")
            return
        for end in self._ends():
            row = DONE if end == FINISHED_WELL else FAILED
            self._new(self._left(HELD, 0, ROW, row, QUEUE, AT_REST), "records the end")

    # --- claiming -------------------------------------------------------------------------

    def _claim(self) -> None:
        state, claim = self.state, self.at + 2
        if state[claim] & CLAIMED:
            self._start(bytearray(state), (state[claim] & CLAIMED) - 1)
            return
        # One claim comes after the other.
        has_room = self.others.at_work[self.worker] + (self.place > 0) < self.terms.concurrency
        if not has_room or self.others.claims[self.worker]:
            return
        if state[QUEUE] != WAITING or self.mode not in {LIVE, MUTE}:
            return
        after = changed(state, OWNER, self.worker, QUEUE, HANDED_OUT)
        if self.terms.asks_for_claim:  # a late statement can write nothing any more
            self.without_statement(after)
        if not self.terms.has_slow_claims:
            self._start(after, state[ROW])
            return
        after[claim] = (1 + state[ROW]) | (IS_OLD if self.place else 0)
        self._new(after, "claims it, and the answer is on its way")

    def _start(self, after: bytearray, row: int) -> None:
        """The answer to a claim has come, with the row of that time."""
        at = self.at
        after[at + 2] = 0
        if after[at]:
            self._give_back(after)
            return
        if row in IN_DOUBT:
            after[at + 3] = after[TOKEN] or self.unused_token()
            self.doubt(after, self.worker)
        elif row == SUBMITTED:
            after[at] = FOLLOW
        else:
            after[at] = ASK if self.terms.budget is None else RESERVE
            after[at + 3] = after[TOKEN]
        self._new(after, f"starts from the row {ROWS[row]}")

    def _give_back(self, after: bytearray) -> None:
        """The process works on it, for an earlier claim."""
        is_writing = after[self.at] == ASK and self.terms.has_slow_intents
        given = self._left(of=after)
        if given[OWNER] == self.worker and given[QUEUE] == HANDED_OUT:
            given[QUEUE] = WAITING
        if is_writing and not (given[LATE_STATEMENT] or self.terms.asks_for_claim):
            late = (AN_INTENT, self.worker, after[self.at + 3] or self.unused_token())
            given[LATE_STATEMENT : LATE_STATEMENT + 3] = late
        self._new(given, "gets its own item, and gives it back")

    def _rescue(self) -> None:
        """Make the items of a silent process free again."""
        state, owner = self.state, self.state[OWNER]
        if state[QUEUE] != HANDED_OUT or owner == self.worker:
            return
        silence = SIZE + ABOUT * owner + SILENCE
        if owner == NO_OWNER or state[silence] >= self.terms.lease:
            self.new(changed(state, QUEUE, WAITING), f"w{self.worker}: rescues item {{}}")


# From each place but the first one, in the order of the code
_STEPS = {
    RESERVE: WorkerSteps.reserve,
    NO_ROOM: WorkerSteps.reserve,
    ASK: WorkerSteps.ask,
    COMMITTED: WorkerSteps.hear_of_commit,
    SEND: WorkerSteps.send,
    WIRE: WorkerSteps.wire,
    LIST: WorkerSteps.ask_list,
    SEARCH: WorkerSteps.search,
    FOUND: WorkerSteps.record_task,
    FOLLOW: WorkerSteps.follow,
    ENDED: WorkerSteps.record_end,
    FREED: WorkerSteps.record_end,
}
