"""Options and arguments of commands: the values that they take, and their headings in the help."""

import difflib
import math
import os
import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from copy import copy
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import attrs
import click
from click.shell_completion import CompletionItem

from browser_use_async.api.scalars import parse_timestamp
from browser_use_async.api.submission_key import KEY_RULE, is_key
from browser_use_async.errors import ConfigurationError
from browser_use_async.server.secrets.sources import WAYS, read_secret, read_secret_file

_SPAN = re.compile(r"(\d{1,5})([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def suggestion(word: str, known: Iterable[str] | Mapping[str, str]) -> str:
    """`; did you mean run?` for the known word that is most like another, or nothing.

    A mapping has other names of known words, such as the one of the API.
    """
    words, meant = list(known), known if isinstance(known, Mapping) else {}
    # A word that is the beginning of a known one is suggested, however short.
    longer = [each for each in words if len(word) > len("--") and each.startswith(word)]
    close = longer if len(longer) == 1 else difflib.get_close_matches(word, words, n=1, cutoff=0.6)
    return f"; did you mean {meant.get(close[0], close[0])}?" if close else ""


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


# The number of a TCP port; 0 stands for a free one.
port = whole(0, 65_535)


def amount(text: str) -> Decimal:
    """Parse an amount of US cents."""
    from browser_use_async.batch.options import is_cents  # noqa: PLC0415 - batches load on first use

    with suppress(InvalidOperation):
        if is_cents(value := Decimal(text)):
            return value
    raise click.BadParameter(f"{text!r} is no number of cents")


def moment(text: str) -> datetime:
    """Parse a time in the past: ISO 8601 (no zone means UTC), or an age such as 90m, 2h or 7d."""
    age = _span(text)
    return _time(text, "an age: 30s, 90m, 2h, 7d") if age is None else datetime.now(UTC) - age


def due(text: str) -> datetime:
    """Parse a time in the future: ISO 8601 (no zone means UTC), or a span such as +90m or +2h."""
    span = _span(text[1:]) if text.startswith("+") else None
    if span is None:
        return _time(text, "a span from now: +90m, +2h, +7d")
    return datetime.now(UTC) + span


def _time(text: str, span: str) -> datetime:
    if (parsed := parse_timestamp(text)) is None:
        raise click.BadParameter(
            f"{text!r} is not a valid time; write 2026-03-01T12:00 (UTC), or {span}"
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
        return name, read_secret_file(source[1:])
    except ConfigurationError as error:
        raise click.BadParameter(f"the secret {name!r}: {error}") from None


def _span(text: str) -> timedelta | None:
    """Parse a span such as 90m; None if the text is not one."""
    match = _SPAN.fullmatch(text)
    return None if match is None else timedelta(**{_UNITS[match[2]]: int(match[1])})


def given_secret(text: str, flag: str) -> str:
    """The secret that an option names or is; an error names the option."""
    try:
        return read_secret(text)
    except ConfigurationError as error:
        raise ConfigurationError(f"{flag}: {error}") from None


# Marks a text that begins with a dash while click parses; no word can contain it.
TEXT = "\0"


def without_mark(value: Any) -> Any:
    """A value of the command line without the mark of a text."""
    if isinstance(value, tuple | list):
        return tuple(map(without_mark, value))
    return value.removeprefix(TEXT) if isinstance(value, str) else value


class Option(click.Option):
    """An option, which may have a heading in the help and exclude others."""

    title = "options"
    about = ""  # the text below the heading
    brief = False  # whether the help has only its name
    rivals: frozenset[str | None] = frozenset()  # names of options of which one may be given

    def type_cast_value(self, ctx: click.Context, value: Any) -> Any:
        """Convert the text of the command line."""
        return super().type_cast_value(ctx, without_mark(value))

    @property
    def shape(self) -> str:
        """The flags, and the placeholder of the value."""
        flags = ", ".join([*self.opts, *self.secondary_opts])
        if self.is_flag or self.count:
            return flags
        if isinstance(self.type, click.Choice):
            return f"{flags} {self.metavar or '{' + ','.join(map(str, self.type.choices)) + '}'}"
        return f"{flags} {self.metavar or str(self.name).upper()}"


class Argument(click.Argument):
    """An argument, with a line in the help."""

    def __init__(self, name: str, metavar: str, help: str, **shape: Any) -> None:  # noqa: A002 - as in click
        super().__init__([name], metavar=metavar, **shape)
        self.help = help

    def type_cast_value(self, ctx: click.Context, value: Any) -> Any:
        """Convert the text of the command line."""
        return super().type_cast_value(ctx, without_mark(value))

    @property
    def shape(self) -> str:
        """The placeholder of the value in a usage."""
        word = str(self.metavar)
        if self.nargs == -1:
            return f"{word} ..." if self.required else f"[{word} ...]"
        return word if self.required else f"[{word}]"


class Choice(click.Choice):  # type: ignore[type-arg] # no generic class before click 8.2
    """One of some words; the message for another word suggests the most similar one."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return a value that is one of the words."""
        known = list(map(str, self.choices))
        if str(value) in known:
            return str(value)
        likely = suggestion(str(value), known)
        return self.fail(f"{value!r} is not one of {', '.join(known)}{likely}", param, ctx)


def option(usage: str, help: str, *, name: str | None = None, **shape: Any) -> Option:  # noqa: A002 - as in click
    """An option by its usage, such as `-o --output FILE`; without a value it is a switch.

    Args:
        usage: Its flags, and the placeholder of its value.
        help: What it does.
        name: The parameter of the function, if its name is not that of the last flag.
        shape: More arguments of `click.Option`.
    """
    words = usage.split()
    flags = [each for each in words if each.startswith("-")]
    metavar = next((each for each in words if not each.startswith("-")), None)
    is_switch = metavar is None and "type" not in shape
    names = [*flags, *filter(None, [name])]
    # With a value for the flag alone click would take it for a switch.
    is_flag = is_switch or (False if "flag_value" in shape else None)
    return Option(names, help=help, metavar=metavar, is_flag=is_flag, **shape)


def group(title: str, *options: Option, about: str = "") -> list[Option]:
    """Options below a heading of the help, with a text about them."""
    # Copies: the same options may have another heading in another command.
    copies = [copy(each) for each in options]
    for each in copies:
        each.title, each.about = title, about
    return copies


def either(*options: Option) -> list[Option]:
    """Options of which one may be given."""
    copies = [copy(each) for each in options]
    for each in copies:
        each.rivals = frozenset(other.name for other in options) - {each.name}
    return copies


def complete_files(
    _context: click.Context, _parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Let the shell complete the name of a file."""
    return [CompletionItem(incomplete, type="file")]


@attrs.frozen
class ServerOptions:
    """The server that a command uses, and the key for it."""

    base_url: str | None = None
    local: bool = False  # whether to start the bundled server for this command
    api_key: str | None = None
    attempt_timeout: float | None = None  # seconds for one HTTP request
    allow_insecure_http: bool = False
    admin_socket: Path | None = None  # of commands that ask the administration of a server

    def given_key(self) -> str | None:
        """The key of `--api-key`, or None if it was not given."""
        key = self.api_key
        return None if key is None else given_secret(key, "--api-key").strip()


SERVER_OPTIONS = group(
    "server",
    *either(
        option(
            "--base-url URL",
            "the address that ends in /api/v1 (default: BROWSER_USE_BASE_URL, else that of "
            "`login`, else the hosted service)",
        ),
        option(
            "--local",
            "start a bundled server with an example site for this command only; needs no key",
        ),
    ),
    option(
        "--api-key KEY",
        f"the key, as {WAYS}, or as plain text, which other users of this machine can see in the "
        "process list",
    ),
    option(
        "--attempt-timeout SECONDS",
        "how long one HTTP request may take (default: BROWSER_USE_TIMEOUT, else 30)",
        type=seconds,
    ),
    option("--allow-insecure-http", "send the key to another machine without encryption"),
    about="The key is BROWSER_USE_API_KEY, else that of `login`, unless an option gives another.",
)
OUTPUT_OPTIONS = group(
    "output",
    option("--plain", "plain text without colours, in a pipe too"),
    option("--json", "show JSON, on a terminal too"),
    option("--verbose", "show each request and the traceback of an error on stderr"),
)
SHARED = {flag: each for each in (*SERVER_OPTIONS, *OUTPUT_OPTIONS) for flag in each.opts}
