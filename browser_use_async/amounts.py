"""How amounts of money are shown: dollars for people, plain numbers in a repr."""

from decimal import ROUND_HALF_UP, Decimal
from types import UnionType
from typing import Any

import attrs

_AMOUNTS: tuple[type | UnionType, ...] = (Decimal, Decimal | None)


def format_cents(value: Decimal | int) -> str:
    """An amount for people in dollars: `$0.06`, `$0.035`, `$1,234.50`.

    Below a dollar it is exact, with fractions of a cent if there are any; from a dollar on it is
    rounded to cents.

    Args:
        value: The amount in US cents.
    """
    amount = abs(Decimal(value)) / 100
    sign, rounded = "-" if value < 0 else "", amount.quantize(Decimal("0.01"), ROUND_HALF_UP)
    is_exact = amount < 1 and amount != rounded
    return f"{sign}${amount.normalize():f}" if is_exact else f"{sign}${rounded:,f}"


def plain_amounts(
    _class: type, fields: "list[attrs.Attribute[Any]]"
) -> "list[attrs.Attribute[Any]]":
    """A `field_transformer` of attrs: the repr says `cents=3.5`, and not `cents=Decimal('3.5')`."""
    return [
        each.evolve(repr=_plain) if each.type in _AMOUNTS and each.repr is True else each
        for each in fields
    ]


def _plain(value: Decimal | None) -> str:
    return "None" if value is None else f"{value.normalize():f}"
