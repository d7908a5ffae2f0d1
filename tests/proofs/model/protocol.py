"""The model of paying once: items in a ledger, the process that has it, a network and a service.

A fault is a step that is possible as long as it may happen again. After each end of the process
comes the next run, with the same items. Time is a step, too.

The next step of an item depends on its own block and on little else. So its steps are computed
once, and looked up in millions of states. A state is the numbers of its blocks, in one number.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import attrs

from tests.proofs.model.layout import (
    ABOUT,
    AT_REST,
    CLOCK,
    COST,
    DONE,
    FAILED,
    FAULTS,
    HELD,
    HIDDEN,
    KILLS,
    KNOWS,
    LATE,
    LIVE,
    MAXIMUM,
    MODE,
    MODES,
    NEW,
    NOT_ASKED,
    OVER,
    PLACE,
    QUEUE,
    REQUESTS,
    ROUND,
    ROW,
    RUNS,
    SEARCH,
    SIZE,
    SUBMITTED,
    TASKS,
    UNANSWERED,
    UPGRADES,
    WAITING,
    changed,
    first_block,
    first_tail,
    is_over,
    ordered,
    outcomes,
    shown,
    swapped_tail,
    used,
    without_run,
)
from tests.proofs.model.run import RunSteps
from tests.proofs.model.search import Step
from tests.proofs.model.service import ServiceSteps
from tests.proofs.model.steps import Others
from tests.proofs.model.terms import ALWAYS, Terms

_BITS = 20
_MASK = (1 << _BITS) - 1

Move = tuple[int, int, str]
"""The numbers of a block and of a tail after a step, and its label."""


@attrs.define(eq=False)
class _Pool:
    """Numbers for values of which millions of states consist."""

    values: list[bytes] = attrs.field(factory=list)
    _numbers: dict[bytes, int] = attrs.field(factory=dict)

    def number(self, value: bytes) -> int:
        """The number of a value, which is new or known."""
        number = self._numbers.setdefault(value, len(self.values))
        if number == len(self.values):
            assert number <= _MASK, "too many for one number"
            self.values.append(value)
        return number


KeyT, ValueT = TypeVar("KeyT"), TypeVar("ValueT")


class _Known(dict[KeyT, ValueT]):
    """Results that were computed before."""

    def __init__(self, work: Callable[[KeyT], ValueT]) -> None:
        super().__init__()
        self._work = work

    def __missing__(self, key: KeyT) -> ValueT:
        value = self[key] = self._work(key)
        return value


@attrs.frozen
class _Facts:
    """The frequently used facts of a block."""

    summary: int  # the number of what other items depend on
    problem: str | None  # the invariant that is broken
    tasks: int  # of this round
    used: int  # of the budget, as its row says
    most: int  # that its tasks may cost
    is_over: bool  # whether a run may end with it so
    needs_run: bool  # whether a later run may do more with it
    is_left_out: bool  # in a good way, if there is no money for it
    waits: bool
    is_at_work: bool


class PayOnce:
    """The protocol with some terms."""

    def __init__(self, terms: Terms, *, is_canonical: bool = True) -> None:
        self.terms = terms
        self._blocks, self._tails, self._summaries = _Pool(), _Pool(), _Pool()
        self._processes = range(terms.items if terms.is_shared else 1)
        self._facts_of = _Known(self._facts)
        self._others_of = _Known(self._others)
        self._moves_of = _Known(self._moves)
        self._older = _Known(self._grow_older)
        self._swapped_tail = _Known(
            lambda tail: self._tails.number(swapped_tail(self._tails.values[tail]))
        )
        self._without_run = _Known(
            lambda block: self._number(without_run(self._blocks.values[block], terms))
        )
        self._form = self._canonical if is_canonical else self._packed
        blocks = [self._blocks.number(first_block())] * terms.items
        self._start = self._form(blocks, self._tails.number(first_tail(terms)))

    @property
    def start(self) -> int:
        """All items wait."""
        return self._start

    def _number(self, block: bytes | bytearray) -> int:
        return self._blocks.number(ordered(block))

    # --- states as numbers ----------------------------------------------------------------

    def _packed(self, blocks: Sequence[int], tail: int) -> int:
        state = tail
        for block in blocks:
            state = state << _BITS | block
        return state

    def _unpacked(self, state: int) -> tuple[list[int], int]:
        blocks = list[int]()
        for _item in range(self.terms.items):
            blocks.append(state & _MASK)
            state >>= _BITS
        return blocks[::-1], state

    def _canonical(self, blocks: Sequence[int], tail: int) -> int:
        """One of the states that differ only in the order of items, and of their processes."""
        if not self.terms.is_shared:
            return self._packed(sorted(blocks), tail)
        other = self._packed(blocks[::-1], self._swapped_tail[tail])
        return min(self._packed(blocks, tail), other)

    # --- invariants -----------------------------------------------------------------------

    def broken(self, state: int) -> str | None:
        """The invariant that is broken."""
        blocks, _tail = self._unpacked(state)
        facts = [self._facts_of[block] for block in blocks]
        for each in facts:
            if each.problem is not None:
                return each.problem
        if self.terms.is_shared and sum(each.tasks for each in facts) > 1:
            return "a key is paid twice"
        if (budget := self.terms.budget) is not None:
            if sum(each.used for each in facts) > budget:
                return "spent and reserved exceed the budget"
            if sum(each.most for each in facts) > budget:
                return "the budget is exceeded"
        return None

    def is_good(self, state: int) -> bool:
        """Whether each item is done, left unknown, or left out with the reason."""
        blocks, _tail = self._unpacked(state)
        facts = [self._facts_of[block] for block in blocks]
        left_out = [each for each in facts if not each.is_over]
        if not left_out:
            return True
        budget = self.terms.budget
        return (
            all(each.is_left_out for each in left_out)
            and budget is not None
            and sum(each.used for each in facts) + MAXIMUM > budget
        )

    def _facts(self, number: int) -> _Facts:
        block = self._blocks.values[number]
        row, tasks = block[ROW], outcomes(block)
        running = tasks.count(RUNS)
        is_unknown = row in UNANSWERED and block[QUEUE] == AT_REST
        ends = is_over(block, self.terms)
        return _Facts(
            summary=self._summaries.number(self._summary(block)),
            problem=self._problem(block, len(tasks)),
            tasks=len(tasks),
            used=used(block),
            most=running * MAXIMUM + (len(tasks) - running) * COST,
            is_over=ends or is_unknown,
            needs_run=not ends,
            # It has no task, none in progress, and no money.
            is_left_out=row == NEW and block[QUEUE] == AT_REST and not (tasks or block[HELD]),
            waits=block[QUEUE] == WAITING,
            is_at_work=block[PLACE] > 0,
        )

    def _problem(self, block: bytes, tasks: int) -> str | None:
        terms, row = self.terms, block[ROW]
        if tasks > 1:
            return "an item is paid twice"
        if not tasks and row in {SUBMITTED, DONE, FAILED} and not terms.is_shared:
            if block[ROUND] > 1:
                return "a round takes the task of an earlier one"
            return "a task that was acknowledged is lost"
        return None

    def _summary(self, block: bytes) -> bytes:
        """The part on which the steps of other items depend."""
        has_budget = self.terms.budget is not None
        return bytes(
            [
                block[PLACE] > 0,
                used(block) if has_budget else 0,
                has_budget and block[PLACE] > 0 and block[HELD] > 0,
                *(block[at] if self.terms.is_shared else 0 for at in TASKS),
            ]
        )

    def _others(self, summaries: Sequence[int]) -> Others:
        found = [self._summaries.values[each] for each in summaries]
        return Others(
            at_work=0 if self.terms.is_shared else sum(each[0] for each in found),
            used=sum(each[1] for each in found),
            holders=sum(each[2] for each in found),
            tasks=tuple(task for each in found for task in each[3:] if task),
        )

    # --- steps ----------------------------------------------------------------------------

    def successors(self, state: int) -> list[int]:
        """The states after each step that can be taken."""
        return [after for after, _item, _label in self._steps(state, self._form)]

    def steps(self, state: int) -> list[tuple[int, str]]:
        """The same with the labels of the steps."""
        return [
            (after, label.format(item)) for after, item, label in self._steps(state, self._form)
        ]

    def _steps(
        self, state: int, form: Callable[[Sequence[int], int], int]
    ) -> Iterator[tuple[int, int, str]]:
        blocks, tail = self._unpacked(state)
        facts = [self._facts_of[block] for block in blocks]
        for index, block in enumerate(blocks):
            others = [each.summary for at, each in enumerate(facts) if at != index]
            own = self._seen_by(index, tail)
            for other, after, label in self._moves_of[block, own, *sorted(others)]:
                changed_blocks = [*blocks[:index], other, *blocks[index + 1 :]]
                yield form(changed_blocks, self._seen_by(index, after)), index, label
        for process in self._processes:
            yield from self._process_steps(process, blocks, facts, tail, form)
        about = self._tails.values[tail]
        if left := about[FAULTS + UPGRADES]:
            upgraded = self._tails.number(bytes(changed(about, FAULTS + UPGRADES, left - 1)))
            yield form(blocks, upgraded), 0, "the server is upgraded"
        older = [self._older[block] for block in blocks]
        if None not in older and older != blocks:
            yield form([each for each in older if each is not None], tail), 0, "time passes"

    def _seen_by(self, index: int, tail: int) -> int:
        """The common part with the process of an item first, or back."""
        return self._swapped_tail[tail] if self.terms.is_shared and index else tail

    def _process_steps(
        self,
        process: int,
        blocks: Sequence[int],
        facts: Sequence[_Facts],
        tail: int,
        form: Callable[[Sequence[int], int], int],
    ) -> Iterator[tuple[int, int, str]]:
        """A process is killed, comes to its end, or is the next one."""
        about, at = self._tails.values[tail], ABOUT * process

        def after(*places_and_values: int) -> int:
            return self._tails.number(bytes(changed(about, *places_and_values)))

        if about[at + MODE] == OVER:
            yield form(blocks, after(at + MODE, LIVE)), process, "run {}: begins"
            return
        own = [not self.terms.is_shared or index == process for index in range(len(blocks))]
        over = [
            self._without_run[block] if is_own else block
            for block, is_own in zip(blocks, own, strict=True)
        ]
        if kills := about[FAULTS + KILLS]:
            left = kills - (kills < ALWAYS)
            killed = after(at + MODE, OVER, at + KNOWS, NOT_ASKED, FAULTS + KILLS, left)
            yield form(over, killed), process, "run {}: is killed"
        mine = [each for each, is_own in zip(facts, own, strict=True) if is_own]
        is_idle = not any(each.is_at_work or each.waits for each in mine)
        if is_idle and any(each.needs_run for each in mine):
            yield form(over, after(at + MODE, OVER)), process, "run {}: ends"

    def _moves(self, key: tuple[int, ...]) -> list[Move]:
        """The steps of one item."""
        block, tail, *summaries = key
        state = self._blocks.values[block] + self._tails.values[tail]
        others, found = self._others_of[tuple(summaries)], list[Move]()

        def new(after: bytearray, label: str) -> None:
            block_after, tail_after = after[:SIZE], bytes(after[SIZE:])
            found.append((self._number(block_after), self._tails.number(tail_after), label))

        ServiceSteps(self.terms, state, others, new).add()
        RunSteps(self.terms, state, others, new).add()
        return found

    # --- time -----------------------------------------------------------------------------

    def _grow_older(self, number: int) -> int | None:
        """An item after a tick; None if a request of it is executed first, or is late."""
        block = self._blocks.values[number]
        if any(block[each] == self.terms.delay + 1 for each in REQUESTS):
            return None
        after = changed(block, HIDDEN, max(block[HIDDEN] - 1, 0))
        for request in REQUESTS:
            after[request] += block[request] not in {0, LATE}
        after[CLOCK] -= after[PLACE] == SEARCH and after[CLOCK] > 0
        return self._number(after)

    # --- counterexamples ------------------------------------------------------------------

    def show(self, state: int) -> str:
        """The state in words."""
        blocks, tail = self._unpacked(state)
        about = self._tails.values[tail]
        modes = ", ".join(MODES[about[ABOUT * process + MODE]] for process in self._processes)
        return f"{' '.join(shown(self._blocks.values[each]) for each in blocks)} run {modes}"

    def trace(self, path: Sequence[int]) -> list[Step]:
        """The steps along states, in which items and processes keep their names."""
        state = self.start
        steps = [Step("start", self.show(state))]
        for after in path[1:]:
            state, item, label = next(
                step
                for step in self._steps(state, self._packed)
                if self._form(*self._unpacked(step[0])) == after
            )
            steps.append(Step(label.format(item), self.show(state)))
        return steps
