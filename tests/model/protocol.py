"""The model of paying once: items in a ledger, workers that claim them, a network and a service.

A fault is a step that is possible as long as it may happen again. Time is a step, too: it passes
only while nothing is urgent, so that immediate steps of the code take no time.

The next step of an item depends on its own block and on little else. So its steps are computed
once, and looked up in millions of states. A state is the numbers of its blocks, in one number.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import attrs

from tests.model.database import RowSteps
from tests.model.layout import (
    ABOUT,
    ASK,
    ASLEEP,
    AT_REST,
    CLAIMED,
    COMMITTED,
    DONE,
    FAILED,
    HELD,
    HIDDEN,
    INTENT,
    LATE,
    MAXIMUM,
    MODE,
    MODES,
    MUTE,
    NEW,
    PROGRESS,
    QUEUE,
    REQUESTS,
    ROUND,
    ROW,
    RUNS,
    SEARCH,
    SEND,
    SILENCE,
    SIZE,
    STRIDE,
    SUBMITTED,
    TASKS,
    UNDONE,
    UNKNOWN,
    WORKERS,
    changed,
    ended,
    first_block,
    first_tail,
    ordered,
    outcomes,
    shown,
    swapped,
    swapped_tail,
)
from tests.model.processes import ProcessSteps, upgraded
from tests.model.search import Step
from tests.model.service import ServiceSteps
from tests.model.steps import Others
from tests.model.terms import Terms
from tests.model.worker import AWAKE, COST, WorkerSteps, used

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
    is_over: bool  # in a good way
    is_left_out: bool  # in a good way, if there is no money for it
    sending: tuple[bool, ...]  # whether each worker is about to send a request
    at_work: tuple[bool, ...]


class PayOnce:
    """The protocol with some terms."""

    def __init__(self, terms: Terms, *, is_canonical: bool = True) -> None:
        self.terms = terms
        self._blocks, self._tails, self._summaries = _Pool(), _Pool(), _Pool()
        self._workers = range(terms.workers)
        self._facts_of = _Known(self._facts)
        self._others_of = _Known(self._others)
        self._moves_of = _Known(self._moves)
        self._process_moves_of = _Known(self._process_moves)
        self._older = _Known(self._grow_older)
        self._older_tail = _Known(self._grow_older_tail)
        self._swapped = _Known(lambda block: self._number(swapped(self._blocks.values[block])))
        self._swapped_tail = _Known(
            lambda tail: self._tails.number(swapped_tail(self._tails.values[tail]))
        )
        self._ended = _Known(lambda key: self._number(ended(self._blocks.values[key[0]], key[1])))
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
        """One of the states that differ only in the order of items and workers."""
        first = self._packed(sorted(blocks), tail)
        if self.terms.workers == 1:
            return first
        other = sorted(self._swapped[block] for block in blocks)
        return min(first, self._packed(other, self._swapped_tail[tail]))

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
        """Whether each item is done, known to be in doubt, or left out with the reason."""
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
        is_doubted = row in {UNKNOWN, INTENT} and block[QUEUE] == AT_REST
        is_last = block[ROUND] == self.terms.rounds
        return _Facts(
            summary=self._summaries.number(self._summary(block)),
            problem=self._problem(block, len(tasks)),
            tasks=len(tasks),
            used=used(block),
            most=running * MAXIMUM + (len(tasks) - running) * COST,
            is_over=row == DONE or is_doubted or (row == FAILED and is_last),
            # It has no task, none in progress, and no money.
            is_left_out=row == NEW and not tasks and not block[HELD],
            sending=tuple(each == SEND for each in block[PROGRESS::STRIDE]),
            at_work=tuple(each > 0 for each in block[PROGRESS::STRIDE]),
        )

    def _problem(self, block: bytes, tasks: int) -> str | None:
        terms, row = self.terms, block[ROW]
        if tasks > 1 and terms.counts_late_tasks:
            return "an item is paid twice"
        if row == UNDONE:
            return "an end that was recorded is undone"
        if not tasks and row in {SUBMITTED, DONE, FAILED} and not terms.is_shared:
            if block[ROUND] > 1:
                return "a round takes the task of an earlier one"
            return "a task that was acknowledged is lost"
        return None

    def _summary(self, block: bytes) -> bytes:
        """The part on which the steps of other items depend."""
        places, claims = block[PROGRESS::STRIDE], block[PROGRESS + 2 :: STRIDE]
        return bytes(
            [
                *(place > 0 for place in places),
                *(claim & CLAIMED > 0 for claim in claims),
                used(block) if self.terms.budget is not None else 0,
                1 + block[QUEUE] if self.terms.budget is not None and block[HELD] else 0,
                *(block[at] if self.terms.is_shared else 0 for at in TASKS),
            ]
        )

    def _others(self, summaries: Sequence[int]) -> Others:
        found = [self._summaries.values[each] for each in summaries]
        held, tasks = 2 * WORKERS + 1, 2 * WORKERS + 2
        return Others(
            at_work=tuple(sum(each[worker] for each in found) for worker in range(WORKERS)),
            claims=tuple(
                any(each[WORKERS + worker] for each in found) for worker in range(WORKERS)
            ),
            used=sum(each[2 * WORKERS] for each in found),
            holders=frozenset(each[held] - 1 for each in found if each[held]),
            tasks=tuple(task for each in found for task in each[tasks:] if task),
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
            for other, after, label in self._moves_of[block, tail, *sorted(others)]:
                yield form([*blocks[:index], other, *blocks[index + 1 :]], after), index, label
        is_urgent = False
        about = self._tails.values[tail]
        for worker in self._workers:
            is_sending = any(each.sending[worker] for each in facts)
            is_at_work = any(each.at_work[worker] for each in facts)
            is_urgent |= is_sending and about[ABOUT * worker + MODE] in AWAKE
            for after, has_ended, label in self._process_moves_of[
                tail, worker, is_at_work, is_sending
            ]:
                kept = [self._ended[each, worker] for each in blocks] if has_ended else blocks
                yield form(kept, after), 0, label
        if (changed_tail := upgraded(about)) is not None:
            yield form(blocks, self._tails.number(bytes(changed_tail))), 0, "the server is upgraded"
        if not is_urgent:
            older = [self._older[block] for block in blocks]
            after = self._older_tail[tail]
            if None not in older and (older != blocks or after != tail):
                yield form([each for each in older if each is not None], after), 0, "time passes"

    def _moves(self, key: tuple[int, ...]) -> list[Move]:
        """The steps of one item."""
        block, tail, *summaries = key
        state = self._blocks.values[block] + self._tails.values[tail]
        others, found = self._others_of[tuple(summaries)], list[Move]()

        def new(after: bytearray, label: str) -> None:
            block_after, tail_after = after[:SIZE], bytes(after[SIZE:])
            found.append((self._number(block_after), self._tails.number(tail_after), label))

        ServiceSteps(self.terms, state, others, new).add()
        RowSteps(self.terms, state, others, new).add()
        for worker in self._workers:
            WorkerSteps(self.terms, state, others, new, worker).add()
        return found

    def _process_moves(self, key: tuple[int, int, bool, bool]) -> list[tuple[int, bool, str]]:
        tail, worker, is_at_work, is_sending = key
        found = list[tuple[int, bool, str]]()

        def new(after: bytearray, has_ended: bool, label: str) -> None:
            found.append((self._tails.number(bytes(after)), has_ended, label))

        about = self._tails.values[tail]
        ProcessSteps(self.terms, about, new, worker, is_at_work, is_sending).add()
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
        for at in range(PROGRESS, SIZE, STRIDE):
            if after[at] == SEARCH and after[at + 1]:
                after[at + 1] -= 1
            elif after[at] in {ASK, COMMITTED} and after[at + 1] <= self.terms.lease:
                after[at + 1] += 1
        return self._number(after)

    def _grow_older_tail(self, number: int) -> int:
        tail = bytearray(self._tails.values[number])
        for at in range(0, ABOUT * WORKERS, ABOUT):
            if tail[at + MODE] in {MUTE, ASLEEP} and tail[at + SILENCE] < self.terms.lease:
                tail[at + SILENCE] += 1
        return self._tails.number(bytes(tail))

    # --- counterexamples ------------------------------------------------------------------

    def show(self, state: int) -> str:
        """The state in words."""
        blocks, tail = self._unpacked(state)
        about = self._tails.values[tail]
        modes = ", ".join(MODES[about[ABOUT * worker + MODE]] for worker in self._workers)
        return f"{' '.join(shown(self._blocks.values[each]) for each in blocks)} workers {modes}"

    def trace(self, path: Sequence[int]) -> list[Step]:
        """The steps along states, in which items and workers keep their names."""
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
