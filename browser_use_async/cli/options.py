"""Options that many commands share, and the kinds of values that options take."""

import argparse
import math
import os
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from browser_use_async.api.scalars import parse_timestamp
from browser_use_async.errors import ConfigurationError

_SPAN = re.compile(r"(\d{1,5})([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def add_output_options(parser: argparse.ArgumentParser, *, has_parent: bool = False) -> None:
    """Add the options that every command has."""
    # Suppressed in a subparser, whose default would overwrite what the parent parser read.
    default: Any = argparse.SUPPRESS if has_parent else False
    group = parser.add_argument_group("output")
    group.add_argument(
        "--plain", action="store_true", default=default, help="no colours, no moving parts"
    )
    group.add_argument(
        "--json",
        action="store_true",
        default=default,
        help="results as JSON on a terminal, too",
    )
    group.add_argument(
        "--verbose",
        action="store_true",
        default=default,
        help="show each request on stderr, and where an error arose",
    )


def add_connection_options(parser: argparse.ArgumentParser) -> None:
    """Add the options for the server and the API key."""
    group = parser.add_argument_group(
        "server", "The key is BROWSER_USE_API_KEY unless an option gives another."
    )
    place = group.add_mutually_exclusive_group()
    place.add_argument(
        "--base-url",
        metavar="URL",
        help="the address that ends in /api/v1 (default: BROWSER_USE_BASE_URL, "
        "else the hosted service)",
    )
    place.add_argument(
        "--local",
        action="store_true",
        help="start the bundled server, with an example site, for this one command; no key needed",
    )
    key = group.add_mutually_exclusive_group()
    key.add_argument(
        "--api-key-file", type=Path, metavar="FILE", help="a file that holds the key and no more"
    )
    key.add_argument(
        "--api-key",
        metavar="KEY",
        help="the key itself; other users of the machine can see it in the process list",
    )
    group.add_argument(
        "--attempt-timeout",
        type=seconds,
        metavar="SECONDS",
        help="how long one HTTP request may take (default: BROWSER_USE_TIMEOUT, else 30)",
    )
    group.add_argument(
        "--allow-insecure-http",
        action="store_true",
        help="let the key travel over http:// to another machine",
    )


def add_action_parsers(
    parser: argparse.ArgumentParser, summaries: Mapping[str, str]
) -> dict[str, argparse.ArgumentParser]:
    """Add a parser without options for each action of a command."""
    subparsers: Any = parser.add_subparsers(
        dest="action", metavar="ACTION", title="actions", required=True
    )
    return {
        name: subparsers.add_parser(
            name, help=summary, description=f"{summary[0].upper()}{summary[1:]}."
        )
        for name, summary in summaries.items()
    }


def given_key(options: argparse.Namespace) -> str | None:
    """The key of `--api-key` or `--api-key-file`, or None if neither was given.

    Raises:
        ConfigurationError: The file cannot be read.
    """
    path: Path | None = options.api_key_file
    if path is None:
        given: str | None = options.api_key
        return given
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is no UTF-8 text"
        raise ConfigurationError(f"the key file {path} cannot be read: {reason}") from None


def seconds(text: str) -> float:
    """Parse a number of seconds above 0."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(
            f"must be a number of seconds greater than 0, not {text!r}"
        )
    return value


def whole(least: int | None = None, most: int | None = None) -> Callable[[str], int]:
    """A parser of whole numbers between two bounds, both of them included."""

    def number(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number") from None
        if least is not None and value < least:
            raise argparse.ArgumentTypeError(f"must be {least} or more, not {value}")
        if most is not None and value > most:
            raise argparse.ArgumentTypeError(f"must be {most} or less, not {value}")
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
        raise argparse.ArgumentTypeError(f"{text!r} is no number of cents")
    return value


def moment(text: str) -> datetime:
    """Parse a time in the past: ISO 8601 (no zone means UTC), or an age such as 90m, 2h or 7d."""
    age = _span(text)
    if age is not None:
        return datetime.now(UTC) - age
    parsed = parse_timestamp(text)
    if parsed is None:
        raise argparse.ArgumentTypeError(
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
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a valid time; write 2026-03-01T12:00 (UTC), or a span from now: "
            "+90m, +2h, +7d"
        )
    return parsed


def pair(text: str) -> tuple[str, str]:
    """Parse `NAME=VALUE`."""
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise argparse.ArgumentTypeError("write it as NAME=VALUE")
    return name, value


def secret(text: str) -> tuple[str, str]:
    """Parse `NAME=VARIABLE` or `NAME=@FILE`, and read the value from there."""
    name, equals, source = text.partition("=")
    if not name or not equals or not source:
        raise argparse.ArgumentTypeError("write it as NAME=VARIABLE or NAME=@FILE")
    # No message shows `source`, which may be the secret itself, written there by mistake.
    if not source.startswith("@"):
        value = os.environ.get(source)
        if value is None:
            raise argparse.ArgumentTypeError(
                f"the environment variable given for the secret {name!r} is not set; write "
                f"{name}=VARIABLE or {name}=@FILE, never the secret itself"
            )
        return name, value
    try:
        return name, Path(source[1:]).read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, ValueError):
        raise argparse.ArgumentTypeError(
            f"the file given for the secret {name!r} cannot be read as UTF-8 text"
        ) from None


def _span(text: str) -> timedelta | None:
    """Parse a span such as 90m; None if the text is not one."""
    match = _SPAN.fullmatch(text)
    return None if match is None else timedelta(**{_UNITS[match[2]]: int(match[1])})


# No message below shows the value that was given, which may be the secret itself.


def secret_from_file(file: str, option: str) -> str:
    """Read a secret from a file.

    Raises:
        ConfigurationError: The file cannot be read, or holds nothing.
    """
    try:
        secret = Path(file).read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, ValueError):
        raise ConfigurationError(f"{option} cannot be read as UTF-8 text") from None
    if not secret.strip():
        raise ConfigurationError(f"the file given with {option} is blank")
    return secret


def secret_from_variable(variable: str, option: str) -> str:
    """Read a secret from an environment variable.

    Raises:
        ConfigurationError: It is not set, or blank.
    """
    secret = os.environ.get(variable, "")
    if not secret.strip():
        raise ConfigurationError(f"the environment variable named with {option} is not set")
    return secret
