"""The options of a batch, checked. No I/O."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Literal

import attrs

from browser_use_async.api.limits import check_word, is_count, is_seconds
from browser_use_async.api.submission_key import MAX_KEY_LENGTH, is_key
from browser_use_async.batch.key_limits import KeyLimits
from browser_use_async.errors import InvalidRequestError

OnClose = Literal["leave", "stop"]

CONCURRENCY = 10
"""The default of the most items under way at once."""

LEASE = 30.0
"""Seconds after which a process that does not renew its lease has lost its items."""

# The largest amount, ten trillion dollars: in thousandths of a cent it fits 64 bits.
MAX_CENTS = 10**15


def is_cents(value: object) -> bool:
    """Whether a value is an amount in US cents: a finite number of 0 or more."""
    # bool is an int in Python, but no amount of money.
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return False
    if isinstance(value, Decimal) and not value.is_finite():
        return False  # a signaling NaN cannot be compared
    return 0 <= value <= MAX_CENTS


@attrs.frozen(kw_only=True)
class BatchOptions:
    """The options of a batch, checked; `run_many` explains them."""

    concurrency: int = CONCURRENCY
    output_type: Any = None
    budget_cents: Decimal | None = None
    check_balance: bool = False
    timeout: float | None = None  # in seconds, for each task
    on_cancel: OnClose = "leave"
    outage_timeout: float = 600.0  # in seconds
    retry_dead_letters: bool = False
    retry_failed: bool = False
    retry_unknown: bool = False
    max_failures: int | None = None  # in a row
    labels: Mapping[str, str] = attrs.field(factory=dict)
    # The beginning of the submission keys, or None for that of the ledger: its own id, unless an
    # earlier run has given it another one
    key_prefix: str | None = None
    limits: KeyLimits | None = None  # how many items of one key are under way at once
    is_recorded: bool = False  # whether there is a ledger that outlives the batch

    def __attrs_post_init__(self) -> None:
        if not is_count(self.concurrency):
            raise _refused("concurrency", "a whole number from 1", self.concurrency)
        if not is_seconds(self.outage_timeout):
            raise _refused(
                "outage_timeout", "a number of seconds of 0 or more", self.outage_timeout
            )
        self._check_bounds()
        if self.key_prefix is not None and not is_key(self.key_prefix):
            wanted = f"a text of 1 to {MAX_KEY_LENGTH} printable characters, or None"
            raise _refused("key_prefix", wanted, self.key_prefix)
        flags = ("check_balance", "retry_dead_letters", "retry_failed", "retry_unknown")
        kinds = {**dict.fromkeys(flags, (bool, "True or False")), "labels": (Mapping, "a dict")}
        for name, (kind, wanted) in kinds.items():
            if not isinstance(getattr(self, name), kind):
                raise _refused(name, wanted, getattr(self, name))
        check_word("on_cancel", self.on_cancel, OnClose)

    def _check_bounds(self) -> None:
        """Check the options that may be None."""
        if self.max_failures is not None and not is_count(self.max_failures):
            raise _refused("max_failures", "a whole number from 1, or None", self.max_failures)
        if self.timeout is not None and not (is_seconds(self.timeout) and self.timeout > 0):
            raise _refused("timeout", "a number of seconds above 0", self.timeout)


@attrs.frozen(kw_only=True)
class WorkerOptions(BatchOptions):
    """How a process works; the terms of the batch stand in the ledger."""

    secrets: Mapping[str, str] = attrs.field(factory=dict, repr=False)  # values by name
    lease: float = LEASE  # seconds after which a silent process has lost its items

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        if not (is_seconds(self.lease) and self.lease > 0):
            raise _refused("lease", "a number of seconds above 0", self.lease)

    def check_lease(self, timeout: float, window: float) -> None:
        """Refuse a lease after which a silent process may still send when its item is sent again.

        A process sends as long as a lease after its intent was committed, an attempt may take
        `timeout` seconds, and its task is looked for during the settle window.

        Raises:
            InvalidRequestError: The window is not longer than both together.
        """
        if window <= self.lease + timeout:
            raise InvalidRequestError(
                f"lease: {self.lease:g} s are too long. A process that was silent for its lease "
                f"may still be sending ({timeout:g} s) when its task has been looked for during "
                f"{window:g} s, and that task would be paid twice; nothing was sent. Give all "
                f"processes a lease of less than {window - timeout:g} s",
                field="lease",
            )


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
