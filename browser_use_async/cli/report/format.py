"""Formats figures for people, with the exact value beside them for programs. Pure."""

import html
import re
from datetime import UTC, datetime
from decimal import Decimal

from browser_use_async.prices import format_cents

# What no HTML document may hold: control characters, halves of pairs, and what is no character.
_FORBIDDEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef"
    + "".join(
        f"{chr(plane + 0xFFFE)}{chr(plane + 0xFFFF)}" for plane in range(0, 0x110000, 0x10000)
    )
    + "]"
)
_MISSING = '<span class="none">none</span>'


def text(value: str) -> str:
    """Text from elsewhere as HTML."""
    return html.escape(_FORBIDDEN.sub("\ufffd", value))


def excerpt(value: str, limit: int) -> str:
    """The beginning of a text as HTML; what is left out is counted."""
    if len(value) <= limit:
        return text(value)
    rest = f"… and {len(value) - limit:,} more characters"
    return f'{text(value[:limit])}<span class="cut"> {rest}</span>'


def cents(value: float) -> str:
    """An amount in US cents as plain text."""
    return format_cents(Decimal(f"{value:.6f}").normalize())


def money(value: Decimal | None) -> str:
    """An amount as HTML that a program can read."""
    if value is None:
        return _MISSING
    return f'<data value="{value.normalize():f}">{format_cents(value)}</data>'


def count(value: int | None) -> str:
    """A number as HTML that a program can read."""
    return _MISSING if value is None else f'<data value="{value}">{value:,}</data>'


def moment(value: datetime | None) -> str:
    """A time in UTC as HTML that a program can read."""
    if value is None:
        return _MISSING
    utc = value.astimezone(UTC)
    return f'<time datetime="{utc.isoformat()}">{utc:%Y-%m-%d %H:%M:%S} UTC</time>'
