"""The model of paying once: items in a ledger, workers that claim them, a network and a service.

A fault is a step that is there as long as it may happen again. Time is a step, too: it passes only
while nothing is urgent, so that what the code does at once takes no time.
"""

from collections.abc import Sequence

from tests.model.layout import (
    ASK,
    ASLEEP,
    AT_REST,
    COMMITTED,
    DONE,
    FINISHED,
    HELD,
    HIDDEN,
    LATE,
    MAXIMUM,
    MUTE,
    NEW,
    PROGRESS,
    QUEUE,
    REQUESTS,
    ROW,
    RUNNING,
    SEARCH,
    SIZE,
    SUBMITTED,
    UNDONE,
    UNKNOWN,
    WORKERS,
    canonical,
    changed,
    first_state,
    shown,
)
from tests.model.processes import ProcessSteps
from tests.model.search import Add, Step
from tests.model.service import ServiceSteps
from tests.model.steps import New
from tests.model.terms import Terms
from tests.model.worker import COST, WorkerSteps, used


class PayOnce:
    """The protocol under some terms."""

    def __init__(self, terms: Terms, *, is_canonical: bool = True) -> None:
        self.terms = terms
        self.workers_at = terms.items * SIZE
        self.faults_at = self.workers_at + 2 * WORKERS
        self.blocks = range(0, self.workers_at, SIZE)
        self._is_canonical = is_canonical
        self._start = self.form(first_state(terms))

    @property
    def start(self) -> bytes:
        """All items wait."""
        return self._start

    def form(self, state: bytes | bytearray) -> bytes:
        """The form in which a state is kept."""
        return canonical(state, self.terms) if self._is_canonical else bytes(state)

    # --- what must be true ----------------------------------------------------------------

    def broken(self, state: bytes) -> str | None:
        """The invariant that is broken."""
        terms, most = self.terms, 0
        for at in self.blocks:
            tasks, row = state[at + RUNNING] + state[at + FINISHED], state[at + ROW]
            if tasks > 1 and terms.counts_late_tasks:
                return "an item is paid twice"
            if row == UNDONE:
                return "an end that was recorded is undone"
            if not tasks and row in {SUBMITTED, DONE}:
                return "a task that was acknowledged is lost"
            most += state[at + RUNNING] * MAXIMUM + state[at + FINISHED] * COST
        if terms.budget is not None and used(state, self.workers_at) > terms.budget:
            return "spent and reserved exceed the budget"
        return (
            "the budget is exceeded" if terms.budget is not None and most > terms.budget else None
        )

    def is_good(self, state: bytes) -> bool:
        """Whether each item is done, known to be in doubt, or left out with the reason."""
        is_left_out = False
        for at in self.blocks:
            row = state[at + ROW]
            if row == DONE or (row == UNKNOWN and state[at + QUEUE] == AT_REST):
                continue
            # What is left out has no task, none on its way, and no money.
            if row != NEW or state[at + RUNNING] or state[at + FINISHED] or state[at + HELD]:
                return False
            is_left_out = True
        return not is_left_out or (
            self.terms.budget is not None
            and used(state, self.workers_at) + MAXIMUM > self.terms.budget
        )

    # --- what may happen ------------------------------------------------------------------

    def steps(self, state: bytes, add: Add) -> None:
        """All that may happen next."""
        form = self.form

        def new(after: bytearray, *label: object) -> None:
            add(form(after), *label)

        is_urgent = False
        for at in self.blocks:
            ServiceSteps(self.terms, state, new, at).add()
            for number in range(self.terms.workers):
                worker = WorkerSteps(self.terms, state, new, at, number)
                worker.add()
                is_urgent |= worker.is_sending
        for number in range(self.terms.workers):
            ProcessSteps(self.terms, state, new, number).add()
        if not is_urgent:
            self._pass_time(state, new)

    def _pass_time(self, state: bytes, new: New) -> None:
        after = changed(state)
        for at in self.blocks:
            if any(state[at + each] == self.terms.delay + 1 for each in REQUESTS):
                return  # it is carried out first, or is late
            for request in REQUESTS:
                after[at + request] += state[at + request] not in {0, LATE}
            after[at + HIDDEN] = max(state[at + HIDDEN] - 1, 0)
            for worker in range(WORKERS):
                self._pass_time_of(after, at + PROGRESS + 3 * worker)
        for mode in range(self.workers_at, self.faults_at, 2):
            if state[mode] in {MUTE, ASLEEP} and state[mode + 1] < self.terms.lease:
                after[mode + 1] += 1
        if after != state:
            new(after, "time passes")

    def _pass_time_of(self, after: bytearray, progress: int) -> None:
        clock = progress + 1
        if after[progress] == SEARCH and after[clock]:
            after[clock] -= 1
        elif after[progress] in {ASK, COMMITTED} and after[clock] <= self.terms.lease:
            after[clock] += 1

    # --- counterexamples ------------------------------------------------------------------

    def show(self, state: bytes) -> str:
        """The state in words."""
        return shown(state, self.terms)

    def trace(self, path: Sequence[bytes]) -> list[Step]:
        """The steps along states, in which items and workers keep their names."""
        plain = PayOnce(self.terms, is_canonical=False)
        state = plain.start
        steps = [Step("start", self.show(state))]
        for after in path[1:]:
            taken: list[tuple[bytes, str]] = []
            plain.steps(state, lambda each, *label: taken.append((each, " ".join(label))))  # noqa: B023
            state, label = next(step for step in taken if self.form(step[0]) == after)
            steps.append(Step(label, self.show(state)))
        return steps
