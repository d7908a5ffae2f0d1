"""The balance, whose model is not the JSON object field by field: it names the unit."""

from decimal import Decimal, InvalidOperation
from typing import Any

from browser_use_async.api.scalars import MismatchError
from browser_use_async.types import Balance

__all__ = ["read_balance"]


def read_balance(value: Any) -> Balance:
    """The balance of an answer, whose field for the amount is called `balance`.

    Raises:
        MismatchError: It is not the answer that the API promises.
        KeyError: There is no amount.
    """
    if not isinstance(value, dict):
        raise MismatchError("expected an object")
    cents = _exact(value["balance"])
    return Balance(cents, {name: each for name, each in value.items() if name != "balance"})


def _exact(value: Any) -> Decimal:
    """A finite number, written as number or as text."""
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        try:
            number = Decimal(str(value))
        except InvalidOperation:
            number = Decimal("NaN")
        if number.is_finite():
            return number
    raise MismatchError("expected a number", place=".balance")
