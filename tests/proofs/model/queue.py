"""The model of a queue: jobs that an engine gives out at least once, rows, money, and a service.

A job may be with a worker that was killed, that only seems to be silent, or that never heard of it:
then it is given out again. What is true stands in the row of its item, and the submission key makes
a second request for it free. Each statement may be executed although its answer is lost.
"""

import itertools
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import attrs

from tests.proofs.model.search import Step

# Of a row
NEW: Final = 0
BEGUN: Final = 1
ENDED: Final = 2
# Of a job; a larger number is that of the worker who has it
NO_JOB: Final = -2
TODO: Final = -1
# Of a worker and an item
IDLE: Final = 0
FETCHED: Final = 1  # it has the job
MAY_SEND: Final = 2  # the money is reserved
SENT: Final = 3
WAITING: Final = 4  # for the end of the task
KNOWS: Final = 5  # how the task has ended
RECORDED: Final = 6  # the end, and the job is left
HALF: Final = 7  # in weaker ones: a first statement of two is executed

MOST, COST = 2, 1  # what a task may cost, and what it costs
_ROWS = ("new", "begun", "ended")
_PHASES = ("idle", "fetched", "may send", "sent", "waiting", "knows", "recorded", "half")


@attrs.frozen(kw_only=True)
class QueueTerms:
    """The defaults are the queue as built, with two workers and one fault of each kind."""

    items: int = 2
    workers: int = 2
    slots: int = 2  # items at once for each worker
    budget: int | None = None
    per_key: int | None = None  # all items have the same limit key

    kills: int = 1
    silences: int = 1  # a worker that works counts as silent
    losses: int = 1  # of an answer, by the database or by the service
    lost_fetches: int = 0  # of the answer that brings a job

    same_key: bool = True  # in all workers
    remembers: bool = True  # an item, that it has a reservation
    asks_for_end: bool = True  # who records one
    records_at_once: bool = True  # the end, the cost, and the money that is free again
    releases_at_once: bool = True  # the next item of the limit key, with the end
    finishes_last: bool = True  # the job, after the end is recorded
    counts_begun: bool = True  # for the limit key, and not only jobs that wait
    gives_place: bool = True  # to an item that has begun, which waits
    gives_back: bool = True  # a job that came in an answer that was lost


class Item(NamedTuple):
    """One item: its row, its job, its tasks, and what each worker does with it."""

    row: int = NEW
    reserved: int = 0
    is_held: bool = False
    job: int = TODO
    tasks: int = 0
    running: int = 0
    late: int = 0  # requests of killed workers that are still under way
    phases: tuple[int, ...] = ()


class State(NamedTuple):
    """All items, the row of the batch, and the faults that may still happen."""

    items: tuple[Item, ...]
    reserved: int
    spent: int
    kills: int
    silences: int
    losses: int
    lost_fetches: int


Next = tuple[State, str]


@attrs.frozen(eq=False)
class QueueModel:
    """The states of one queue."""

    terms: QueueTerms

    @property
    def start(self) -> State:
        """All is enqueued: items beyond the limit of their key are held, without a job."""
        terms, idle = self.terms, (IDLE,) * self.terms.workers
        free = terms.items if terms.per_key is None else terms.per_key
        items = tuple(
            Item(
                phases=idle,
                is_held=number >= free,
                job=TODO if number < free else NO_JOB,
            )
            for number in range(terms.items)
        )
        faults = (terms.kills, terms.silences, terms.losses, terms.lost_fetches)
        return State(items, 0, 0, *faults)

    def broken(self, state: State) -> str | None:
        """What is wrong in a state."""
        items, terms = state.items, self.terms
        if any(item.tasks > 1 for item in items):
            return "an item is paid twice"
        ended = sum(item.row == ENDED for item in items)
        if terms.records_at_once and state.spent != ended * COST:
            return "the money that was spent is not that of the items that have ended"
        if terms.budget is not None:
            # What the service may bill: ended tasks, and all that running ones may cost.
            billed = sum(COST * (item.tasks - item.running) + MOST * item.running for item in items)
            if billed > terms.budget:
                return "more than the budget may be spent"
        if terms.per_key is not None and sum(i.running for i in items) > terms.per_key:
            return "more tasks of a limit key run than it allows"
        return None

    def is_good(self, state: State) -> bool:
        """Whether all items have ended, no job is left, and the money is exact."""
        done = all(item.row == ENDED and item.job == NO_JOB for item in state.items)
        return done and state.reserved == 0 and state.spent == len(state.items) * COST

    def show(self, state: State) -> str:
        """The state in words."""
        shown = [
            f"{_ROWS[item.row]}{' held' if item.is_held else ''}, job {item.job}, "
            f"{item.tasks} tasks, {item.running} running, "
            f"{'/'.join(_PHASES[phase] for phase in item.phases)}"
            for item in state.items
        ]
        return f"{'; '.join(shown)}; reserved {state.reserved}, spent {state.spent}"

    def trace(self, path: Sequence[State]) -> list[Step]:
        """The steps along states."""
        steps = [Step("start", self.show(path[0]))]
        for before, after in itertools.pairwise(path):
            label = next(label for state, label in self._steps(before) if state == after)
            steps.append(Step(label, self.show(after)))
        return steps

    def successors(self, state: State) -> list[State]:
        """The states after one step."""
        return [each for each, _label in self._steps(state)]

    # --- the steps ---------------------------------------------------------------------------

    def _steps(self, state: State) -> Iterator[Next]:
        for number, item in enumerate(state.items):
            yield from self._service(state, number, item)
            yield from self._rescue(state, number, item)
            for worker in range(self.terms.workers):
                yield from self._work(state, number, item, worker)
        for worker in range(self.terms.workers if state.kills else 0):
            yield self._killed(state, worker), f"worker {worker} is killed, and starts again"

    def _service(self, state: State, number: int, item: Item) -> Iterator[Next]:
        if item.running:
            yield _put(state, number, item._replace(running=item.running - 1)), "a task ends"
        if item.late:
            made = self._created(item._replace(late=item.late - 1))
            yield _put(state, number, made), "a late request is executed"

    def _created(self, item: Item) -> Item:
        """The item after its request is executed: a key that is known makes no second task."""
        if item.tasks and self.terms.same_key:
            return item
        return item._replace(tasks=item.tasks + 1, running=item.running + 1)

    def _rescue(self, state: State, number: int, item: Item) -> Iterator[Next]:
        if item.job < 0:
            return
        given = _put(state, number, item._replace(job=TODO))
        if item.phases[item.job] == IDLE:
            # Killed, or it never heard of the job.
            if self.terms.gives_back:
                yield given, f"the job of item {number} is given out again"
        elif state.silences:
            yield given._replace(silences=state.silences - 1), f"worker {item.job} counts as silent"

    def _killed(self, state: State, worker: int) -> State:
        items = tuple(
            item._replace(
                late=item.late + (item.phases[worker] == SENT),
                phases=_changed(item.phases, worker, IDLE),
            )
            for item in state.items
        )
        return state._replace(items=items, kills=state.kills - 1)

    def _work(  # noqa: C901, PLR0912 - a table of phases
        self, state: State, number: int, item: Item, worker: int
    ) -> Iterator[Next]:
        who, phase = f"worker {worker}, item {number}:", item.phases[worker]
        lossy = state._replace(losses=state.losses - 1)

        def at(then: int, **changes: int | bool) -> Item:
            return item._replace(phases=_changed(item.phases, worker, then), **changes)

        if phase == IDLE:
            busy = sum(each.phases[worker] != IDLE for each in state.items)
            if item.job == TODO and busy < self.terms.slots:
                yield _put(state, number, at(FETCHED, job=worker)), f"{who} fetches the job"
                if state.lost_fetches:
                    lost = state._replace(lost_fetches=state.lost_fetches - 1)
                    yield _put(lost, number, at(IDLE, job=worker)), f"{who} a fetch is lost"
        elif phase == FETCHED:
            yield from self._begin(state, number, item, worker)
        elif phase == MAY_SEND:
            yield _put(state, number, at(SENT)), f"{who} sends"
        elif phase == SENT:
            made = self._created(item)
            answered = made._replace(phases=_changed(item.phases, worker, WAITING))
            yield _put(state, number, answered), f"{who} the request is executed"
            if state.losses:
                again = made._replace(phases=_changed(item.phases, worker, MAY_SEND))
                yield _put(lossy, number, again), f"{who} the answer is lost"
        elif phase == WAITING:
            if not item.running:
                then = at(KNOWS) if self.terms.finishes_last else at(KNOWS, job=NO_JOB)
                yield _put(state, number, then), f"{who} sees the end"
        elif phase == KNOWS:
            recorded = self._record(state, number, item)
            done = self._moved(recorded, number, worker, RECORDED)
            if not self.terms.releases_at_once or not self.terms.records_at_once:
                done = self._moved(recorded, number, worker, HALF)
            yield done, f"{who} records the end"
            if state.losses:
                yield recorded._replace(losses=state.losses - 1), f"{who} that answer is lost"
        elif phase == HALF:
            second = self._released(state) if not self.terms.releases_at_once else state
            if not self.terms.records_at_once:
                second = second._replace(spent=state.spent + COST)
            yield self._moved(second, number, worker, RECORDED), f"{who} and the rest of it"
        else:
            yield _put(state, number, at(IDLE, job=NO_JOB)), f"{who} finishes the job"

    def _begin(self, state: State, number: int, item: Item, worker: int) -> Iterator[Next]:
        """Reserve the money, unless it is reserved; or give place to an item that has begun."""
        terms, who = self.terms, f"worker {worker}, item {number}:"
        if item.row == ENDED:
            yield self._moved(state, number, worker, RECORDED), f"{who} it has ended elsewhere"
            return
        if item.reserved and terms.remembers:
            yield self._moved(state, number, worker, MAY_SEND), f"{who} its money is reserved"
            return
        if terms.budget is None or state.spent + state.reserved + MOST <= terms.budget:
            begun = item._replace(row=BEGUN, reserved=MOST)
            after = _put(state._replace(reserved=state.reserved + MOST), number, begun)
            yield self._moved(after, number, worker, MAY_SEND), f"{who} reserves"
            if state.losses:
                yield after._replace(losses=state.losses - 1), f"{who} reserves, unheard"
            return
        waits = any(each.job == TODO and each.row == BEGUN for each in state.items)
        if waits and terms.gives_place:
            phases = _changed(item.phases, worker, IDLE)
            yield _put(state, number, item._replace(job=TODO, phases=phases)), f"{who} gives place"

    def _record(self, state: State, number: int, item: Item) -> State:
        if item.row == ENDED and self.terms.asks_for_end:
            return state
        after = _put(state, number, item._replace(row=ENDED, reserved=0))
        spent = state.spent + COST * self.terms.records_at_once
        after = after._replace(reserved=state.reserved - item.reserved, spent=spent)
        return self._released(after) if self.terms.releases_at_once else after

    def _released(self, state: State) -> State:
        """Make jobs of held items, as far as their limit key has room."""
        if self.terms.per_key is None:
            return state
        for number, item in enumerate(state.items):
            busy = sum(
                not each.is_held
                and (each.row != ENDED if self.terms.counts_begun else each.job == TODO)
                for each in state.items
            )
            if item.is_held and busy < self.terms.per_key:
                state = _put(state, number, item._replace(is_held=False, job=TODO))
        return state

    def _moved(self, state: State, number: int, worker: int, phase: int) -> State:
        item = state.items[number]
        return _put(state, number, item._replace(phases=_changed(item.phases, worker, phase)))


def _put(state: State, number: int, item: Item) -> State:
    return state._replace(items=(*state.items[:number], item, *state.items[number + 1 :]))


def _changed(phases: tuple[int, ...], worker: int, phase: int) -> tuple[int, ...]:
    return (*phases[:worker], phase, *phases[worker + 1 :])
