"""What a worker may do with one item: a step of the code, in the order of the code."""

import attrs

from tests.model.layout import (
    ASK,
    AT_REST,
    CLAIMED,
    COMMITTED,
    DONE,
    ENDED,
    FINISHED,
    FOLLOW,
    FOUND,
    FREED,
    HANDED_OUT,
    HELD,
    HIDDEN,
    IDLE,
    INTENT,
    IS_OLD,
    IS_WRITTEN_LATER,
    LIVE,
    LOSSES,
    MAXIMUM,
    MUTE,
    NO_OWNER,
    NO_ROOM,
    OWNER,
    PROGRESS,
    QUEUE,
    REQUESTS,
    RESERVE,
    ROW,
    ROWS,
    RUNNING,
    SEARCH,
    SEND,
    SENT,
    SIZE,
    STOPPED,
    SUBMITTED,
    UNDONE,
    UNKNOWN,
    WAITING,
    WIRE,
    changed,
)
from tests.model.processes import AWAKE
from tests.model.steps import Steps

COST = 1  # of a task
NEEDS_ROW = frozenset({RESERVE, NO_ROOM, ASK, FOUND, ENDED, FREED})


def used(state: bytes | bytearray, end: int) -> int:
    """What is spent and reserved, as the rows up to a place say."""
    return sum(
        state[item + HELD] * MAXIMUM + COST * (state[item + ROW] == DONE)
        for item in range(0, end, SIZE)
    )


@attrs.define(eq=False)
class WorkerSteps(Steps):
    """The steps of one worker with one item."""

    item: int  # where its block begins
    worker: int

    @property
    def progress(self) -> int:
        """Where it stands in the state how far the worker is."""
        return self.item + PROGRESS + 3 * self.worker

    @property
    def place(self) -> int:
        """How far the worker is with the item."""
        return self.state[self.progress]

    @property
    def is_sending(self) -> bool:
        """Whether it is about to send a request, before which no time passes."""
        return self.place == SEND and self.mode in AWAKE

    @property
    def mode(self) -> int:
        """How the process is."""
        return self.state[self.workers_at + 2 * self.worker]

    def add(self) -> None:
        """Add what the worker may do."""
        if self.mode in AWAKE:
            if self.place:
                self._work()
            self._claim()
        if self.state[self.progress + 2] & IS_WRITTEN_LATER:
            self._write_later()

    def _new(self, after: bytearray, *label: object) -> None:
        self.new(after, f"w{self.worker} item {self.item // SIZE}:", *map(str, label))

    def _changed(self, place: int, *places_and_values: int) -> bytearray:
        """The state with the worker at another place."""
        return changed(self.state, self.progress, place, *places_and_values)

    def _left(self, *places_and_values: int, of: bytearray | None = None) -> bytearray:
        """The state without the worker's progress."""
        before, at = self.state if of is None else of, self.progress
        kept = before[at + 2] & (CLAIMED | IS_WRITTEN_LATER)
        return changed(before, *places_and_values, at, IDLE, at + 1, 0, at + 2, kept)

    # --- working --------------------------------------------------------------------------

    @property
    def _is_own(self) -> bool:
        is_owner = self.state[self.item + OWNER] == self.worker or not self.terms.asks_for_owner
        is_old = self.state[self.progress + 2] & IS_OLD
        return is_owner and not (self.terms.asks_for_claim and is_old)

    def _work(self) -> None:
        if not self._is_own and self.place in NEEDS_ROW:
            self._new(self._left(), "is refused: the row is another's")
        else:
            _STEPS[self.place](self)

    def reserve(self) -> None:
        """Set money aside, if there is room."""
        terms, state, item = self.terms, self.state, self.item
        assert terms.budget is not None
        if self.mode == STOPPED:
            self._new(self._left(item + QUEUE, WAITING), "gives the item back: it was stopped")
        elif self.place == RESERVE and (state[item + HELD] or self._has_room()):
            held = state[item + HELD] or 1
            self._new(self._changed(ASK, item + HELD, held), "reserves the maximum")
        elif self.place == RESERVE and not terms.decides_at_once:
            self._new(self._changed(NO_ROOM), "finds no room in the budget")
        else:
            self._find_no_room()

    def _find_no_room(self) -> None:
        terms, state, item = self.terms, self.state, self.item
        holders = [
            state[each + QUEUE] for each in range(0, self.workers_at, SIZE) if state[each + HELD]
        ]
        counted = {HANDED_OUT, WAITING} if terms.counts_waiting else {HANDED_OUT}
        if terms.gives_place and WAITING in holders and HANDED_OUT not in holders:
            given = self._left(item + QUEUE, WAITING)
            self._new(given, "gives its place to an item with money")
        elif not counted.isdisjoint(holders):
            if self.place == NO_ROOM:  # else nothing changes
                self._new(self._changed(RESERVE), "waits for money of others")
        else:
            stopped = self._left(
                *(item + QUEUE, WAITING, self.workers_at + 2 * self.worker, STOPPED)
            )
            self._new(stopped, "is refused: no item holds money, so it stops")

    def _has_room(self) -> bool:
        budget = self.terms.budget
        return budget is None or used(self.state, self.workers_at) + MAXIMUM <= budget

    def ask(self) -> None:
        """Write down that run-task is about to be sent."""
        if self.terms.writes_intent:
            committed = self._changed(COMMITTED, self.item + ROW, INTENT)
            self._new(committed, "commits the intent")
        else:
            self._new(self._changed(SEND), "writes nothing down")

    def hear_of_commit(self) -> None:
        """Get the answer to that."""
        clock = self.progress + 1
        if self.state[clock] > self.terms.lease and self.terms.asks_again:
            late = self._changed(ASK, clock, 0)
            self._new(late, "hears of its commit after a lease, and asks again")
        else:
            self._new(self._changed(SEND, clock, 0), "hears of its commit")

    def send(self) -> None:
        """Send run-task."""
        state, item = self.state, self.item
        free = [item + each for each in REQUESTS if not state[item + each]]
        if free:  # three requests at once are beyond the scope
            sent = min(state[item + SENT] + 1, self.terms.sends)
            request = (free[0], 1, free[0] + 1, self.worker)
            self._new(self._changed(WIRE, *request, item + SENT, sent), "sends run-task")

    def wire(self) -> None:
        """Get no answer."""
        state, item = self.state, self.item
        sent = [
            item + each
            for each in REQUESTS
            if state[item + each] and state[item + each + 1] == self.worker
        ]
        if sent and not self.may_happen(LOSSES):
            return
        after = self.after(LOSSES) if sent else changed(state)
        for request in sent:
            after[request + 1] = NO_OWNER
        self.doubt(after, item, self.progress)
        then = "and looks for the task" if after[self.progress] == SEARCH else "and repeats it"
        self._new(after, "gets no answer", then)

    def search(self) -> None:
        """Look for the task, for as long as the window."""
        state, item, clock = self.state, self.item, self.progress + 1
        if state[item + RUNNING] + state[item + FINISHED] and not state[item + HIDDEN]:
            self._new(self._changed(FOUND, clock, 0), "finds the task")
        elif not state[clock]:
            self._send_again()

    def _send_again(self) -> None:
        """The window has passed, and nothing was found."""
        terms, state, item = self.terms, self.state, self.item
        in_doubt = self._left(item + ROW, UNKNOWN, item + QUEUE, AT_REST)
        if not self._is_own:
            self._new(self._left(), "finds nothing: the row is another's")
        elif state[item + SENT] >= terms.sends:
            self._new(in_doubt, "finds nothing and leaves it in doubt")
        elif self.mode == STOPPED:
            self._new(self._left(item + QUEUE, WAITING), "finds nothing, and was stopped")
        elif terms.budget is None or not terms.reserves_twice or state[item + HELD] == 2:
            self._new(self._changed(ASK), "finds nothing and sends it again")
        elif self._has_room():
            reserved = self._changed(ASK, item + HELD, state[item + HELD] + 1)
            self._new(reserved, "finds nothing, reserves once more and sends it again")
        else:
            self._new(in_doubt, "finds nothing, and has no money to send it again")

    def record_task(self) -> None:
        """Write down the task."""
        self._new(self._changed(FOLLOW, self.item + ROW, SUBMITTED), "records the task")

    def follow(self) -> None:
        """Wait for the end of the task."""
        if self.state[self.item + FINISHED]:
            self._new(self._changed(ENDED), "sees the end")

    def record_end(self) -> None:
        """Write down the end, and the cost instead of the reservation."""
        state, item = self.state, self.item
        if self.place == ENDED and not self.terms.frees_at_end:
            self._new(self._changed(FREED, item + HELD, 0), "releases the reservation")
            return
        # In doubt, the reservation of a first request stays: its task may still come.
        held = max(state[item + HELD] - 1, 0) if self.terms.reserves_twice else 0
        ended = (item + HELD, held, item + ROW, DONE, item + QUEUE, AT_REST)
        self._new(self._left(*ended), "records the end")

    def _write_later(self) -> None:
        """The intent of a run that was cancelled reaches its row."""
        state, item, claim = self.state, self.item, self.progress + 2
        after = changed(state, claim, state[claim] & ~IS_WRITTEN_LATER)
        if state[item + OWNER] == self.worker and not self.terms.asks_for_claim:
            after[item + ROW] = UNDONE if state[item + ROW] == DONE else INTENT
        self._new(after, "writes the intent of a run that was cancelled")

    # --- claiming -------------------------------------------------------------------------

    def _claim(self) -> None:
        state, item, claim = self.state, self.item, self.progress + 2
        if state[claim] & CLAIMED:
            self._start(bytearray(state), (state[claim] & CLAIMED) - 1)
            return
        mine = range(PROGRESS + 3 * self.worker, self.workers_at, SIZE)
        has_room = sum(state[each] > 0 for each in mine) < self.terms.concurrency
        asks = any(state[each + 2] & CLAIMED for each in mine)  # one claim comes after the other
        if state[item + QUEUE] != WAITING or self.mode not in {LIVE, MUTE} or not has_room or asks:
            return
        after = changed(state, item + OWNER, self.worker, item + QUEUE, HANDED_OUT)
        if not self.terms.has_slow_claims:
            self._start(after, state[item + ROW])
            return
        is_old = IS_OLD if self.place else 0
        after[claim] = (1 + state[item + ROW]) | is_old | (state[claim] & IS_WRITTEN_LATER)
        self._new(after, "claims it, and the answer is on its way")

    def _start(self, after: bytearray, row: int) -> None:
        """The answer to a claim is there, with what the row said then."""
        item, at = self.item, self.progress
        after[at + 2] &= IS_WRITTEN_LATER
        if after[at]:
            if after[at] == ASK and self.terms.has_slow_intents:
                after[at + 2] |= IS_WRITTEN_LATER
            given = self._left(of=after)
            if given[item + OWNER] == self.worker and given[item + QUEUE] == HANDED_OUT:
                given[item + QUEUE] = WAITING
            self._new(given, "gets its own item, and gives it back")
            return
        if row in {INTENT, UNKNOWN}:
            self.doubt(after, item, at)
        elif row == SUBMITTED:
            after[at] = FOLLOW
        else:
            after[at] = ASK if self.terms.budget is None else RESERVE
        self._new(after, "starts from the row", ROWS[row])


# From each place but the first one, in the order of the code
_STEPS = {
    RESERVE: WorkerSteps.reserve,
    NO_ROOM: WorkerSteps.reserve,
    ASK: WorkerSteps.ask,
    COMMITTED: WorkerSteps.hear_of_commit,
    SEND: WorkerSteps.send,
    WIRE: WorkerSteps.wire,
    SEARCH: WorkerSteps.search,
    FOUND: WorkerSteps.record_task,
    FOLLOW: WorkerSteps.follow,
    ENDED: WorkerSteps.record_end,
    FREED: WorkerSteps.record_end,
}
