"""The options of a batch, checked once. No I/O."""

import hashlib
import os
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Literal, cast

import attrs

from browser_use_async.api.limits import check_word, is_count, is_seconds
from browser_use_async.api.submission_key import MAX_KEY_LENGTH, is_key
from browser_use_async.batch.inputs import BatchItem
from browser_use_async.errors import InvalidRequestError

OnClose = Literal["leave", "stop"]
LimitBy = Callable[[BatchItem], str | int | None]

CONCURRENCY = 10
"""The default of the most items under way at once."""

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


def budget_in_cents(value: object, name: str = "budget_cents") -> Decimal | None:
    """Convert a budget as a caller passed it."""
    if value is None:
        return None
    if not is_cents(value):
        raise _refused(name, "a number of cents of 0 or more", value)
    amount: Decimal = _exact(value)
    return amount


def _exact(value: Any) -> Any:
    """An amount as a decimal; what is none stays for the check."""
    # Through text: Decimal(0.1) would be the binary fraction beside it.
    return Decimal(str(value)) if is_cents(value) else value


def _refused(name: str, wanted: str, given: object) -> InvalidRequestError:
    return InvalidRequestError(
        f"{name} must be {wanted}, not {given!r}; nothing was sent", field=name
    )


def _is(
    fits: Callable[[Any], bool], wanted: str, *, may_be_none: bool = False
) -> Callable[[Any, "attrs.Attribute[Any]", Any], None]:
    """A validator that refuses other values in one sentence, before anything is sent."""

    def check(_options: object, option: "attrs.Attribute[Any]", value: Any) -> None:
        if not (fits(value) or (may_be_none and value is None)):
            raise _refused(option.name, f"{wanted}, or None" if may_be_none else wanted, value)

    return check


def _labels(given: Mapping[str, str] | None) -> Mapping[str, str]:
    return {} if given is None else given


_FLAG = _is(lambda value: isinstance(value, bool), "True or False")


@attrs.frozen
class KeyLimits:
    """Which items share a limit, and how many of them are under way at once."""

    limit_by: LimitBy
    per_key: int

    def key_of(self, item: BatchItem) -> str | None:
        """The limit key of an item as text, or None if the item has no limit."""
        try:
            key = cast("object", self.limit_by(item))
        except Exception as error:
            raise InvalidRequestError(
                f"limit_by raised {type(error).__name__} for it: {error}; nothing was sent for it",
                field="limit_by",
            ) from error
        if key is None:
            return None
        # A queue has the key as text, and its processes compare it. Equal values of other types
        # may have different texts, and then the limit would not work.
        if not isinstance(key, str | int):
            raise InvalidRequestError(
                f"limit_by must give a text, a whole number, or None for no limit, and gave "
                f"{type(key).__name__} for it; nothing was sent for it",
                field="limit_by",
            )
        text = str(key)
        if is_key(text):
            return text
        # Too long for an index, or with characters that no database accepts.
        return f"sha256:{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()}"


@attrs.frozen(kw_only=True)
class BatchOptions:
    """The options of a batch; `run_many` explains them, and the command line has the same ones."""

    concurrency: int = attrs.field(
        default=CONCURRENCY, validator=_is(is_count, "a whole number from 1")
    )
    ledger: str | os.PathLike[str] | None = attrs.field(
        default=None,
        validator=_is(
            lambda value: isinstance(value, str | os.PathLike), "a path", may_be_none=True
        ),
    )
    # The beginning of the submission keys, or None for that of the ledger: its own id, unless an
    # earlier run has given it another one
    key_prefix: str | None = attrs.field(
        default=None,
        validator=_is(
            is_key, f"a text of 1 to {MAX_KEY_LENGTH} printable characters", may_be_none=True
        ),
    )
    budget_cents: Decimal | None = attrs.field(
        default=None,
        converter=_exact,
        validator=_is(is_cents, "a number of cents of 0 or more", may_be_none=True),
    )
    limit_by: LimitBy | None = attrs.field(
        default=None,
        validator=_is(callable, "a function that gives the limit key of an item", may_be_none=True),
    )
    per_key: int | None = attrs.field(
        default=None, validator=_is(is_count, "a whole number from 1", may_be_none=True)
    )
    timeout: float | None = attrs.field(  # in seconds, for each task
        default=None,
        validator=_is(
            lambda value: is_seconds(value) and value > 0,
            "a number of seconds above 0",
            may_be_none=True,
        ),
    )
    # None: running tasks are left if a ledger knows them, else stopped
    on_cancel: OnClose | None = None
    retry_failed: bool = attrs.field(default=False, validator=_FLAG)
    retry_unknown: bool = attrs.field(default=False, validator=_FLAG)
    max_failures: int | None = attrs.field(  # in a row
        default=None, validator=_is(is_count, "a whole number from 1", may_be_none=True)
    )
    labels: Mapping[str, str] = attrs.field(
        factory=dict,
        converter=_labels,
        validator=_is(lambda value: isinstance(value, Mapping), "a dict"),
    )
    on_progress: Callable[[Any], None] | None = attrs.field(
        default=None, validator=_is(callable, "a function", may_be_none=True)
    )
    output_type: Any = None

    def __attrs_post_init__(self) -> None:
        if self.on_cancel is not None:
            check_word("on_cancel", self.on_cancel, OnClose)
        if (self.limit_by is None) != (self.per_key is None):
            missing = "limit_by" if self.limit_by is None else "per_key"
            raise InvalidRequestError(
                f"{missing} is missing: limit_by (--limit-by) says which items share a limit, and "
                "per_key (--per-key) how many of them run at once; give both or neither; nothing "
                "was sent",
                field=missing,
            )

    @property
    def limits(self) -> KeyLimits | None:
        """How many items of one key are under way at once, or None."""
        if self.limit_by is None or self.per_key is None:
            return None
        return KeyLimits(self.limit_by, self.per_key)

    @property
    def is_recorded(self) -> bool:
        """Whether there is a ledger that outlives the batch."""
        return self.ledger is not None

    @property
    def stops(self) -> bool:
        """Whether running tasks are stopped when the batch is left."""
        return self.on_cancel == "stop" or (self.on_cancel is None and not self.is_recorded)
