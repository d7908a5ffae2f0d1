"""Counts the items of a batch. Pure but for the time that it is told."""

from collections.abc import Mapping
from decimal import Decimal

from browser_use_async.batch.budget import Budget
from browser_use_async.batch.progress import BatchProgress
from browser_use_async.batch.states import FINAL_STATES, ItemState, StopReason

__all__ = ["Tally"]


class Tally:
    """How many items stand where."""

    def __init__(self, counts: Mapping[ItemState, int], now: float) -> None:
        self._counts = dict(counts)
        self._began = now
        self._running = 0
        self._ended_now = 0
        self.known = sum(counts.values())
        self.unmet = sum(count for state, count in counts.items() if state not in FINAL_STATES)
        self.duplicates = 0

    def meet(self, state: ItemState, *, known: bool) -> None:
        """Count an item that the input named for the first time in this run."""
        if not known:
            self.known += 1
            self._counts[state] = self._counts.get(state, 0) + 1
        elif state not in FINAL_STATES:
            self.unmet -= 1

    def begin(self, state: ItemState) -> None:
        """Count an item as running."""
        self._counts[state] -= 1
        self._running += 1

    def end(self, state: ItemState) -> None:
        """Count an item as running no longer."""
        self._running -= 1
        self._counts[state] = self._counts.get(state, 0) + 1
        self._ended_now += state is not ItemState.NEW

    def progress(
        self,
        now: float,
        size: int | None,
        estimate_cents: Decimal | None,
        budget: Budget,
        stopped_by: StopReason | None,
    ) -> BatchProgress:
        """Where the batch stands."""
        counts, seconds = self._counts, now - self._began
        is_short = stopped_by is StopReason.BUDGET
        total = None if size is None else max(size - self.duplicates, self.known)
        rate = self._ended_now / seconds if seconds > 0 else 0.0
        ended = sum(counts.get(state, 0) for state in (*FINAL_STATES, ItemState.UNKNOWN))
        open_states = (ItemState.NEW, ItemState.INTENT, ItemState.SUBMITTED)
        return BatchProgress(
            total=total,
            new=sum(counts.get(state, 0) for state in open_states),
            running=self._running,
            done=counts.get(ItemState.DONE, 0),
            failed=counts.get(ItemState.FAILED, 0),
            unknown=counts.get(ItemState.UNKNOWN, 0),
            dead_letters=counts.get(ItemState.DEAD, 0),
            duplicates=self.duplicates,
            rate=rate,
            cost_cents=budget.spent_cents,
            running_cents=budget.reserved_cents,
            budget_cents=budget.limit_cents,
            left_out=counts.get(ItemState.NEW, 0) if is_short else 0,
            next_cents=budget.refused_cents if is_short else None,
            estimate_cents=estimate_cents,
            seconds=seconds,
            seconds_left=None if total is None or not rate else max(total - ended, 0) / rate,
            stopped_by=stopped_by,
        )
