"""Options and arguments of commands: headings of the help, and options that exclude each other."""

from copy import copy
from pathlib import Path
from typing import Any

import attrs
import click
from click.shell_completion import CompletionItem

from browser_use_async.cli.values import given_secret, seconds, suggestion
from browser_use_async.secret_sources import WAYS

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
        """The key of `--api-key`, or None if it was not given.

        Raises:
            ConfigurationError: The source of the key cannot be read.
        """
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
SHARED = {
    flag: not option.is_flag
    for option in (*SERVER_OPTIONS, *OUTPUT_OPTIONS)
    for flag in option.opts
}
