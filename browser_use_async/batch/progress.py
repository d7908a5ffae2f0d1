"""The progress of a batch: counters, and the figures for users. No I/O."""

from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum

import attrs

from browser_use_async.batch.admission import Admission
from browser_use_async.batch.forecast import Forecast
from browser_use_async.batch.ledger.records import FINAL_STATES, ItemState
from browser_use_async.batch.ledger.row import LedgerRow
from browser_use_async.money.amounts import NO_LIMIT, plain_amounts
from browser_use_async.prices import format_cents

_OPEN_STATES = (ItemState.NEW, ItemState.INTENT, ItemState.SUBMITTED)


class StopReason(StrEnum):
    """Why a batch submits nothing more although its input has more."""

    # The next task did not fit the budget, and no task was running that could make room
    BUDGET = "budget"
    BALANCE = "balance"  # the service says that the account's balance is used up
    DRAINED = "drained"  # `drain()` was called
    FAILURES = "failures"  # `max_failures` tasks in a row failed


# After these, too, items that have a task, or may have one, are finished.
FINISHES_BEGUN = frozenset({StopReason.BUDGET, StopReason.BALANCE, StopReason.FAILURES})


@attrs.frozen(kw_only=True, field_transformer=plain_amounts)
class BatchProgress:
    """The progress of a batch: all items, also those of earlier runs of the same ledger.

    Attributes:
        total: How many items the input has, or None until a lazy input has ended.
        new: How many are known and not begun: in this run, or left for the next one.
        running: How many are being submitted or have a task that has not ended.
        done: How many tasks finished.
        failed: How many tasks ended without success, or with an output that does not fit.
        unknown: How many may or may not have a task.
        dead_letters: How many were refused, so that no task exists.
        duplicates: How many items have the result of the same item earlier in the input.
        joined: How many items have joined a task that an earlier run, with another ledger, or a
            call had created with the same submission key. That one has paid for it.
        joined_failed: How many of the joined tasks ended without success; `retry_failed` runs
            their items anew.
        rate: Items that ended in this run, per second.
        cost_cents: The cost of the tasks that have ended, from their steps and the published
            prices, in US cents; also of failed tasks whose items were tried again.
        running_cents: The reservation for tasks that have not ended: for each task all the steps
            that it may take.
        budget_cents: The budget in US cents, or None.
        estimate_cents: The cost of all items if every task takes all the steps that it may, in US
            cents; None for a lazy input.
        seconds: How long this run has taken so far.
        seconds_left: About how long the rest will take, from `rate`; None if that is unknown.
        about: About what the rest costs and takes, from the mean cost and the pace so far; None
            before 30 items have ended, or if the size of the input is not known.
        stopped_by: Why nothing more is submitted, or None.
        left_out: How many of the `new` items were left out because of the budget.
        next_cents: The most that the next task may cost, if the budget has no room for it and
            therefore nothing more is submitted; else None.
        budget_note: One line while the budget lets few tasks run at once, or leaves tasks out:
            why, and which `max_agent_steps` would let more run. None while there is room.
    """

    total: int | None = None
    new: int = 0
    running: int = 0
    done: int = 0
    failed: int = 0
    unknown: int = 0
    dead_letters: int = 0
    duplicates: int = 0
    joined: int = 0
    joined_failed: int = 0
    rate: float = 0.0
    cost_cents: Decimal = Decimal(0)
    running_cents: Decimal = Decimal(0)
    budget_cents: Decimal | None = None
    estimate_cents: Decimal | None = None
    seconds: float = 0.0
    seconds_left: float | None = None
    about: Forecast | None = None
    stopped_by: StopReason | None = None
    left_out: int = 0
    next_cents: Decimal | None = None
    budget_note: str | None = None

    @property
    def ended(self) -> int:
        """How many items have ended, with success or not."""
        return self.done + self.failed + self.unknown + self.dead_letters + self.duplicates

    def figures(self) -> dict[str, object]:
        """The figures that are not 0 or None, by their names for people."""
        figures = {
            "ended": f"{self.ended} of {'?' if self.total is None else self.total}",
            "running": self.running,
            "done": self.done,
            "failed": self.failed,
            "unknown": self.unknown,
            "dead letters": self.dead_letters,
            "joined": self.joined,
            "joined and failed": self.joined_failed,
            "cost": format_cents(self.cost_cents),
            "stopped by": self.stopped_by and str(self.stopped_by),
        }
        return {name: value for name, value in figures.items() if value}

    def _repr_html_(self) -> str:
        """The HTML for notebooks: the figures that are not 0 or None."""
        from browser_use_async.types.notebook import table  # noqa: PLC0415

        figures = self.figures()
        if self.budget_cents is not None:
            figures["budget"] = format_cents(self.budget_cents)
        figures["seconds"] = f"{self.seconds:.1f}"
        if self.about is not None:
            figures["to come"] = self.about
        return table("BatchProgress", figures.items())


class ProgressCounter:
    """Counts the items of a batch by state."""

    def __init__(
        self,
        counts: Mapping[ItemState, int],
        now: float,
        *,
        joined: Mapping[ItemState, int] | None = None,
        retries: bool = False,
    ) -> None:
        self._counts = dict(counts)
        # Items with the task of an earlier run or of other code, and those of them that failed
        self.joined = sum((joined or {}).values())
        self.joined_failed = (joined or {}).get(ItemState.FAILED, 0)
        self._started_at = now
        self._running = 0
        self._finished = 0
        self.known = sum(counts.values())
        # Items of earlier runs that have not ended, and that the input has not named yet
        self.outstanding = sum(
            count for state, count in counts.items() if state not in FINAL_STATES
        )
        # Failed items, which get another task once the input names them
        self._to_retry = counts.get(ItemState.FAILED, 0) if retries else 0
        self.duplicates = 0

    def add(self, row: LedgerRow) -> None:
        """Count an item that the input names for the first time in this run."""
        state = row.state
        self._to_retry -= state is ItemState.FAILED and self._to_retry > 0
        if not row.run:
            self.known += 1
            self._counts[state] = self._counts.get(state, 0) + 1
        elif row.revived:
            self.begin_anew(ItemState.DEAD)
        elif state not in FINAL_STATES:
            self.outstanding -= 1

    def begin_anew(self, state: ItemState) -> None:
        """Count an item that had ended as new."""
        self._counts[state] -= 1
        self._counts[ItemState.NEW] = self._counts.get(ItemState.NEW, 0) + 1

    def start(self, state: ItemState) -> None:
        """Count an item as running."""
        # A running item has no state: the last one is over, and the next one is not reached.
        self._counts[state] -= 1
        self._running += 1

    def finish(self, state: ItemState) -> None:
        """Count an item as no longer running, in its new state."""
        self._running -= 1
        self._counts[state] = self._counts.get(state, 0) + 1
        self._finished += state not in _OPEN_STATES  # else the next run continues it

    def total(self, size: int | None) -> int | None:
        """How many items there are; `size` is the number in the input."""
        # The ledger may have more items than this input, from earlier runs.
        return None if size is None else max(size, self.known + self.duplicates)

    @property
    def _ended(self) -> int:
        states = (*FINAL_STATES, ItemState.UNKNOWN)
        return self.duplicates + sum(self._counts.get(state, 0) for state in states)

    def progress(
        self,
        now: float,
        size: int | None,
        estimate_cents: Decimal | None,
        admission: Admission,
        stopped_by: StopReason | None,
    ) -> BatchProgress:
        """Return the figures at the loop time `now`."""
        counts, seconds, budget = self._counts, now - self._started_at, admission.budget
        is_short = stopped_by is StopReason.BUDGET
        total, ended = self.total(size), self._ended
        rate = self._finished / seconds if seconds > 0 else 0.0
        # Failed items that get another task have ended and will end again.
        rest = None if total is None else max(total - ended, 0) + self._to_retry
        seconds_left = None if rest is None or not rate else rest / rate
        limit = None if budget.limit_cents == NO_LIMIT else budget.limit_cents
        about = None
        if rest is not None:
            about = Forecast.of(
                rest,
                ended - counts.get(ItemState.UNKNOWN, 0),  # whose costs are unknown
                budget.spent_cents,
                seconds_left,
                None if limit is None else limit - budget.spent_cents,
            )
        return BatchProgress(
            total=total,
            new=sum(counts.get(state, 0) for state in _OPEN_STATES),
            running=self._running,
            done=counts.get(ItemState.DONE, 0),
            failed=counts.get(ItemState.FAILED, 0),
            unknown=counts.get(ItemState.UNKNOWN, 0),
            dead_letters=counts.get(ItemState.DEAD, 0),
            duplicates=self.duplicates,
            joined=self.joined,
            joined_failed=self.joined_failed,
            rate=rate,
            cost_cents=budget.spent_cents,
            running_cents=budget.reserved_cents,
            budget_cents=limit,
            left_out=counts.get(ItemState.NEW, 0) if is_short else 0,
            next_cents=admission.refused_cents if is_short else None,
            budget_note=admission.note,
            estimate_cents=estimate_cents,
            seconds=seconds,
            seconds_left=seconds_left,
            about=about,
            stopped_by=stopped_by,
        )
