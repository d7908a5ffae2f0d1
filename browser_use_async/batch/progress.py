"""What a batch tells about itself while it runs. Pure."""

from decimal import Decimal

import attrs

from browser_use_async.batch.states import StopReason

__all__ = ["BatchProgress"]


@attrs.frozen(kw_only=True)
class BatchProgress:
    """Where a batch stands: all its items, those of earlier runs of the same ledger too.

    Attributes:
        total: How many items the input has, or None as long as a lazy one has not ended.
        new: How many are known and not begun in this run: they are, or are left for the next one.
        running: How many are being submitted or have a task that has not ended.
        done: How many tasks finished.
        failed: How many tasks ended without success, or with an output that does not fit.
        unknown: How many may or may not have a task.
        dead_letters: How many were refused, so that no task exists.
        duplicates: How many times the input named an item that it had named before.
        rate: Items that came to their end in this run, per second.
        cost_cents: What the tasks that have ended cost, from their steps and the published
            prices, in US cents.
        running_cents: What the tasks under way are expected to cost at most: by all the steps
            that they may take, and once enough have ended to know better by an upper quantile.
        budget_cents: The budget in US cents, or None.
        estimate_cents: What everything costs if every task takes all the steps that it may, in
            US cents; None for a lazy input.
        seconds: How long this run has taken so far.
        seconds_left: How long the rest will take at this rate; None if that cannot be told.
        stopped_by: Why nothing more is submitted, or None.
        left_out: How many of the `new` items were left out because of the budget.
        next_cents: What the next task was expected to cost when it did not fit the budget; None
            unless the budget is why nothing more is submitted.
    """

    total: int | None = None
    new: int = 0
    running: int = 0
    done: int = 0
    failed: int = 0
    unknown: int = 0
    dead_letters: int = 0
    duplicates: int = 0
    rate: float = 0.0
    cost_cents: Decimal = Decimal(0)
    running_cents: Decimal = Decimal(0)
    budget_cents: Decimal | None = None
    estimate_cents: Decimal | None = None
    seconds: float = 0.0
    seconds_left: float | None = None
    stopped_by: StopReason | None = None
    left_out: int = 0
    next_cents: Decimal | None = None

    @property
    def ended(self) -> int:
        """How many items have come to an end, a good one or not."""
        return self.done + self.failed + self.unknown + self.dead_letters
