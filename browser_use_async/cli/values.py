"""Kinds of values that options take: seconds, cents, ports, times, pairs, secrets."""

import difflib
import math
import os
import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path

import click

from browser_use_async.api.scalars import parse_timestamp
from browser_use_async.api.submission_key import KEY_RULE, is_key
from browser_use_async.errors import ConfigurationError
from browser_use_async.secret_sources import read_secret

_SPAN = re.compile(r"(\d{1,5})([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def suggestion(word: str, known: Iterable[str]) -> str:
    """`; did you mean run?` for the known word that is most like another, or nothing."""
    words = list(known)
    # A word that is the beginning of a known one is suggested, however short.
    longer = [each for each in words if len(word) > len("--") and each.startswith(word)]
    close = longer if len(longer) == 1 else difflib.get_close_matches(word, words, n=1, cutoff=0.6)
    return f"; did you mean {close[0]}?" if close else ""


def seconds(text: str) -> float:
    """Parse a number of seconds above 0."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise click.BadParameter(f"must be a number of seconds greater than 0, not {text!r}")
    return value


def submission_key(text: str) -> str:
    """Parse a submission key."""
    if not is_key(text):
        raise click.BadParameter(f"must be {KEY_RULE}")
    return text


def whole(least: int | None = None, most: int | None = None) -> Callable[[str], int]:
    """A parser of whole numbers between two bounds, both of them included."""

    def number(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            raise click.BadParameter(f"{text!r} is not a whole number") from None
        if least is not None and value < least:
            raise click.BadParameter(f"must be {least} or more, not {value}")
        if most is not None and value > most:
            raise click.BadParameter(f"must be {most} or less, not {value}")
        return value

    return number


def port(text: str) -> int:
    """Parse the number of a TCP port; 0 stands for a free one."""
    return whole(0, 65_535)(text)


def amount(text: str) -> Decimal:
    """Parse an amount of US cents."""
    from browser_use_async.batch.options import is_cents  # noqa: PLC0415 - batches load on first use

    try:
        value = Decimal(text)
    except InvalidOperation:
        # is_cents refuses it below, like every other value that is no amount.
        value = Decimal("NaN")
    if not is_cents(value):
        raise click.BadParameter(f"{text!r} is no number of cents")
    return value


def moment(text: str) -> datetime:
    """Parse a time in the past: ISO 8601 (no zone means UTC), or an age such as 90m, 2h or 7d."""
    age = _span(text)
    if age is not None:
        return datetime.now(UTC) - age
    parsed = parse_timestamp(text)
    if parsed is None:
        raise click.BadParameter(
            f"{text!r} is not a valid time; write 2026-03-01T12:00 (UTC), or an age: 30s, 90m, "
            "2h, 7d"
        )
    return parsed


def due(text: str) -> datetime:
    """Parse a time in the future: ISO 8601 (no zone means UTC), or a span such as +90m or +2h."""
    span = _span(text[1:]) if text.startswith("+") else None
    if span is not None:
        return datetime.now(UTC) + span
    parsed = parse_timestamp(text)
    if parsed is None:
        raise click.BadParameter(
            f"{text!r} is not a valid time; write 2026-03-01T12:00 (UTC), or a span from now: "
            "+90m, +2h, +7d"
        )
    return parsed


def pair(text: str) -> tuple[str, str]:
    """Parse `NAME=VALUE`."""
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise click.BadParameter("write it as NAME=VALUE")
    return name, value


def secret(text: str) -> tuple[str, str]:
    """Parse `NAME=VARIABLE` or `NAME=@FILE`, and read the value from there."""
    name, equals, source = text.partition("=")
    if not name or not equals or not source:
        raise click.BadParameter("write it as NAME=VARIABLE or NAME=@FILE")
    # No message shows `source`: by mistake it may be the secret itself.
    if not source.startswith("@"):
        value = os.environ.get(source)
        if value is None:
            raise click.BadParameter(
                f"the environment variable given for the secret {name!r} is not set; write "
                f"{name}=VARIABLE or {name}=@FILE, never the secret itself"
            )
        return name, value
    try:
        return name, Path(source[1:]).read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, ValueError):
        raise click.BadParameter(
            f"the file given for the secret {name!r} cannot be read as UTF-8 text"
        ) from None


def _span(text: str) -> timedelta | None:
    """Parse a span such as 90m; None if the text is not one."""
    match = _SPAN.fullmatch(text)
    return None if match is None else timedelta(**{_UNITS[match[2]]: int(match[1])})


def given_secret(text: str, flag: str) -> str:
    """The secret that an option names or is; an error names the option.

    Raises:
        ConfigurationError: The source cannot be read.
    """
    try:
        return read_secret(text)
    except ConfigurationError as error:
        raise ConfigurationError(f"{flag}: {error}") from None
