"""How a batch is run. Pure: values and their bounds."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Literal, cast

import attrs

from browser_use_async.api.limits import is_count, is_seconds
from browser_use_async.api.submission_token import MAX_WINDOW
from browser_use_async.errors import InvalidRequestError
from browser_use_async.lifecycle.create import OnAmbiguous

__all__ = ["MAX_CENTS", "BatchOptions", "OnClose", "budget_in_cents", "is_cents"]

OnClose = Literal["leave", "stop"]

MAX_CENTS = 10**15
"""The largest amount of money: ten trillion dollars, in thousandths of a cent, fit 64 bits."""


def is_cents(value: object) -> bool:
    """Whether something is an amount in US cents: a finite number of 0 or more."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return False
    if isinstance(value, Decimal) and not value.is_finite():
        return False  # such numbers refuse to be compared
    return 0 <= value <= MAX_CENTS


@attrs.frozen(kw_only=True)
class BatchOptions:
    """How a batch is run; `run_many` explains the options.

    Attributes:
        concurrency: The most items under way at once.
        output_type: The type of the outputs, or None.
        budget_cents: What the whole batch may cost, in US cents, or None.
        budget_strict: Whether no sum of what tasks may cost at most may pass the budget.
        check_balance: Whether the account's balance bounds the budget.
        stop_orphans: Whether tasks too many are stopped.
        on_ambiguous: What to do when an answer is lost.
        settle_window: Seconds after which a task that did not appear never will.
        timeout: Seconds for which each task is waited for, or None.
        on_cancel: What becomes of running tasks when the batch is closed early.
        outage_tolerance: Seconds for which nothing can be created before the batch gives up.
        retry_dead_letters: Whether items that were refused before are tried again.
        labels: What the caller writes down about the batch.
        is_recorded: Whether there is a ledger that outlives the batch.
    """

    concurrency: int
    output_type: Any = None
    budget_cents: Decimal | None = None
    budget_strict: bool = False
    check_balance: bool = False
    stop_orphans: bool = False
    on_ambiguous: OnAmbiguous = "resubmit"
    settle_window: float = 150.0
    timeout: float | None = None
    on_cancel: OnClose = "leave"
    outage_tolerance: float = 600.0
    retry_dead_letters: bool = False
    labels: Mapping[str, str] = attrs.field(factory=dict)
    is_recorded: bool = False

    def __attrs_post_init__(self) -> None:
        if not is_count(self.concurrency):
            raise _refused("concurrency", "a whole number from 1", self.concurrency)
        if self.on_ambiguous not in {"reconcile", "resubmit", "raise"}:
            raise _refused("on_ambiguous", "'reconcile', 'resubmit' or 'raise'", self.on_ambiguous)
        if self.on_cancel not in {"leave", "stop"}:
            raise _refused("on_cancel", "'leave' or 'stop'", self.on_cancel)
        if not is_seconds(self.settle_window) or self.settle_window >= MAX_WINDOW:
            raise _refused("settle_window", "a number of seconds of 0 or more", self.settle_window)
        if not is_seconds(self.outage_tolerance):
            raise _refused(
                "outage_tolerance", "a number of seconds of 0 or more", self.outage_tolerance
            )
        if self.timeout is not None and not (is_seconds(self.timeout) and self.timeout > 0):
            raise _refused("timeout", "a number of seconds above 0", self.timeout)
        if self.budget_strict and self.budget_cents is None and not self.check_balance:
            raise InvalidRequestError(
                "budget_strict needs budget_cents or check_balance; nothing was sent",
                field="budget_strict",
            )
        for name, value in cast("Mapping[object, object]", self.labels).items():
            if not (isinstance(name, str) and isinstance(value, str)):
                raise _refused("labels", "texts by name", {name: value})


def budget_in_cents(value: object) -> Decimal | None:
    """A budget as a caller passed it.

    Args:
        value: A finite number of 0 or more, or None.

    Raises:
        InvalidRequestError: It is something else.
    """
    if value is None:
        return None
    if not is_cents(value):
        raise _refused("budget_cents", "a number of cents of 0 or more", value)
    return Decimal(str(value))


def _refused(name: str, wanted: str, given: object) -> InvalidRequestError:
    return InvalidRequestError(
        f"{name} must be {wanted}, not {given!r}; nothing was sent", field=name
    )
