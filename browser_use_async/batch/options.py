"""The options of a batch and their bounds. Pure."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Literal, cast

import attrs

from browser_use_async.api.limits import is_count, is_seconds
from browser_use_async.api.submission_token import MAX_WINDOW
from browser_use_async.errors import InvalidRequestError
from browser_use_async.lifecycle.create import OnAmbiguous

OnClose = Literal["leave", "stop"]

MAX_CENTS = 10**15
"""The largest amount of money: ten trillion dollars, in thousandths of a cent, fit 64 bits."""


def is_cents(value: object) -> bool:
    """Whether something is an amount in US cents: a finite number of 0 or more."""
    # bool is an int in Python, but no amount of money.
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return False
    if isinstance(value, Decimal) and not value.is_finite():
        return False  # such numbers refuse to be compared
    return 0 <= value <= MAX_CENTS


@attrs.frozen(kw_only=True)
class BatchOptions:
    """The options of a batch, checked; `run_many` explains them."""

    concurrency: int
    output_type: Any = None
    budget_cents: Decimal | None = None
    budget_strict: bool = False
    check_balance: bool = False
    stop_orphans: bool = False
    on_ambiguous: OnAmbiguous = "resubmit"
    settle_window: float = 150.0  # in seconds
    timeout: float | None = None  # in seconds, for each task
    on_cancel: OnClose = "leave"
    outage_tolerance: float = 600.0  # in seconds
    retry_dead_letters: bool = False
    retry_failed: bool = False
    max_failures: int | None = None  # in a row
    labels: Mapping[str, str] = attrs.field(factory=dict)
    is_recorded: bool = False  # whether there is a ledger that outlives the batch

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
        self._check_bounds()
        if self.budget_strict and self.budget_cents is None and not self.check_balance:
            raise InvalidRequestError(
                "budget_strict needs budget_cents or check_balance; nothing was sent",
                field="budget_strict",
            )
        for name, value in cast("Mapping[object, object]", self.labels).items():
            if not (isinstance(name, str) and isinstance(value, str)):
                raise _refused("labels", "texts by name", {name: value})

    def _check_bounds(self) -> None:
        """Check the options that may be None."""
        if self.max_failures is not None and not is_count(self.max_failures):
            raise _refused("max_failures", "a whole number from 1, or None", self.max_failures)
        if self.timeout is not None and not (is_seconds(self.timeout) and self.timeout > 0):
            raise _refused("timeout", "a number of seconds above 0", self.timeout)


def budget_in_cents(value: object, name: str = "budget_cents") -> Decimal | None:
    """Convert a budget as a caller passed it."""
    if value is None:
        return None
    if not is_cents(value):
        raise _refused(name, "a number of cents of 0 or more", value)
    # Through text: Decimal(0.1) would be the binary fraction beside it.
    return Decimal(str(value))


def _refused(name: str, wanted: str, given: object) -> InvalidRequestError:
    return InvalidRequestError(
        f"{name} must be {wanted}, not {given!r}; nothing was sent", field=name
    )
