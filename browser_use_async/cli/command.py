"""Commands and groups of commands on click, and the messages for mistakes in their arguments."""

import asyncio
import inspect
import logging
import os
import textwrap
import warnings
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Sequence
from contextlib import contextmanager
from functools import wraps
from itertools import chain
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar, cast

import attrs
import click

from browser_use_async.cli import options
from browser_use_async.cli.console import Console, OutputError
from browser_use_async.cli.exit import (
    ExitCode,
    report_error,
    report_output_error,
    run_until_signal,
    unknown,
    usage,
)
from browser_use_async.cli.screen import Style
from browser_use_async.errors import BrowserUseError
from browser_use_async.logs import LOGGER

if TYPE_CHECKING:
    from browser_use_async.cli.tables import Listing  # by those that list something

NAME, SHORT_NAME = "browser-use-async", "bua"
_HELP = ("-h", "--help")

RowT = TypeVar("RowT")

Execute = Callable[..., Awaitable[int | None]]


class _Explained(click.Command):
    """A command or a group with a help that has headings and examples."""

    examples: Sequence[str] = ()
    notes = ""  # below the help

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the usage in one line: the options are listed below it."""
        formatter.write(f"usage: {usage(ctx)}\n")

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the arguments, then the options below their headings."""
        # These come first, even if a command declares them last.
        headings: dict[tuple[str, str], list[tuple[str, str]]] = {
            ("arguments", ""): [],
            ("options", ""): [],
        }
        brief: dict[str, list[str]] = {}
        for each in self.get_params(ctx):
            if isinstance(each, options.Argument):
                headings["arguments", ""].append((each.shape, each.help or ""))
            elif isinstance(each, options.Option):
                rows = headings.setdefault((each.title, each.about), [])
                if each.brief:
                    brief.setdefault(each.title, []).append(each.opts[0])
                else:
                    rows.append((each.shape, each.help or ""))
        headings["options", ""].append((", ".join(_HELP), "show this help"))
        for (title, about), rows in headings.items():
            if not rows:
                continue
            with formatter.section(_styled(title, bold=True)):
                if about:
                    formatter.write_text(about)
                    formatter.write_paragraph()
                _write_rows(formatter, rows)
                if title in brief:
                    _write_names(formatter, brief[title])

    def format_arguments(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write nothing: `format_options` writes the arguments."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples unwrapped."""
        if self.examples:
            called = str(ctx.find_root().info_name)
            lines = [f"  {NAME} {line}".replace(NAME, called) for line in self.examples]
            formatter.write("\n".join(["\nexamples:", *lines, ""]))
        if self.notes:
            formatter.write(f"\n{self.notes}")


def _styled(text: str, **style: Any) -> str:
    """A part of a help in colours; click takes them out where the output is no terminal."""
    is_plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") in {"dumb", "unknown"}
    return text if is_plain else click.style(text, **style)


def _write_rows(formatter: click.HelpFormatter, rows: Sequence[tuple[str, str]]) -> None:
    formatter.write_dl([(_styled(shape, fg="cyan"), text) for shape, text in rows])


def _write_names(formatter: click.HelpFormatter, names: Sequence[str]) -> None:
    indent = " " * formatter.current_indent
    lines = textwrap.wrap(
        f"also {', '.join(names)}",
        formatter.width,
        initial_indent=indent,
        subsequent_indent=indent,
        break_on_hyphens=False,
    )
    formatter.write("\n".join([*lines, ""]))


_SETTINGS: dict[str, Any] = {"help_option_names": _HELP, "max_content_width": 100}


class Command(_Explained):
    """A command that runs a coroutine function.

    Args:
        execute: The function; its docstring is the help.
        name: Its word on the command line.
        params: Its arguments and options, in the order of the help.
        connects: Whether it has the options for the server and the key.
        examples: Lines below its help, without the name of the program.
    """

    def __init__(
        self,
        execute: Execute,
        name: str,
        *params: click.Parameter,
        connects: bool = True,
        examples: Sequence[str] = (),
    ) -> None:
        own = {flag for each in params for flag in each.opts}  # `--json FIELDS`, for one
        shared = [*(options.SERVER_OPTIONS if connects else ()), *options.OUTPUT_OPTIONS]
        shared = [each for each in shared if not own.intersection(each.opts)]
        super().__init__(
            name,
            params=[*params, *shared],
            help=inspect.getdoc(execute),
            # Extra words are refused with our own message.
            context_settings={**_SETTINGS, "allow_extra_args": True},
        )
        self.examples = examples
        self._execute = execute
        self._connects = connects

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the words after the name of the command."""
        words = [f"{options.TEXT}{each}" if _is_text(each) else each for each in args]
        try:
            if not ctx.resilient_parsing and not set(_HELP).intersection(words):
                self._check_words(ctx, words)
            rest = super().parse_args(ctx, words)
        except click.UsageError as error:
            error.ctx = error.ctx or ctx
            raise
        if rest and not ctx.resilient_parsing:
            word = options.without_mark(rest[0])
            ctx.fail(f"unexpected argument {word!r}; a text of several words needs quotes")
        return rest

    def _check_words(self, context: click.Context, words: Sequence[str]) -> None:
        """Refuse what click accepts silently: repeated options, rivals, flags as values."""
        values, _, order = self.make_parser(context).parse_args(args=list(words))
        given = [each for each in order if isinstance(each, options.Option)]
        flags = {flag for each in self.params for flag in (*each.opts, *each.secondary_opts)}
        for place, option in enumerate(given):
            value = values[str(option.name)]
            if not option.is_flag and flags.intersection(value if option.multiple else [value]):
                raise click.BadOptionUsage(option.opts[0], "it needs a value", context)
            for other in given[:place]:
                first, last = _written(other, words)[0], _written(option, words)[-1]
                if other is option and not option.multiple:
                    if first != last:
                        context.fail(f"{last}: not allowed with {first}")
                    if not option.is_flag:
                        context.fail(f"{last} is given twice")
                elif other.name in option.rivals:
                    context.fail(f"{last}: not allowed with {first}")

    def invoke(self, ctx: click.Context) -> int:
        """Run the command, and return its exit code."""
        values = dict(ctx.params)
        plain, verbose = values.pop("plain"), values.pop("verbose")
        as_json = values.pop("json", False) or bool(values.get("fields"))
        console = Console(plain=plain, as_json=as_json)
        if self._connects:
            names = values.keys() & attrs.fields_dict(options.ServerOptions)
            values["server"] = options.ServerOptions(**{name: values.pop(name) for name in names})

        async def work() -> int:
            return await self._execute(console, **values) or ExitCode.FINISHED

        try:
            with log_on_console(console, verbose=verbose), _warnings_on_console(console):
                return asyncio.run(run_until_signal(work(), console))
        except BrowserUseError as error:
            if verbose:
                console.traceback(error)
            return report_error(error, console)
        except OutputError as error:
            return report_output_error(error, console)


def command(name: str, *params: click.Parameter, **shape: Any) -> Callable[[Execute], Command]:
    """A decorator that makes a coroutine function a `Command`."""
    return lambda execute: Command(execute, name, *params, **shape)


def _is_text(word: str) -> bool:
    """Whether a word that begins with a dash is a text: it has a blank."""
    return word.startswith("-") and " " in word.partition("=")[0]


def _written(option: options.Option, words: Sequence[str]) -> list[str]:
    """The flags with which an option was given, in order."""
    flags = (*option.opts, *option.secondary_opts)
    end = words.index("--") if "--" in words else len(words)
    found = [
        flag
        for word in words[:end]
        for flag in flags
        if word.partition("=")[0] == flag or (flag[1] != "-" and word.startswith(flag))
    ]
    return found or [flags[0]]  # within several short ones, such as -hq


class Group(_Explained, click.Group):
    """Commands below one name; one of them may be the default.

    Args:
        name: Its word on the command line.
        summary: What its commands are for, in a sentence.
        default: The command that is run if none is named.
        examples: Lines below its help, without the name of the program.
    """

    def __init__(
        self,
        name: str,
        summary: str,
        *,
        default: str | None = None,
        examples: Sequence[str] = (),
    ) -> None:
        super().__init__(name, help=summary, context_settings=_SETTINGS, no_args_is_help=False)
        self.examples = examples
        self._default = default

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the words after the name of the group."""
        is_option = bool(args) and args[0].startswith("-") and args[0] not in _HELP
        if is_option and not ctx.resilient_parsing:
            self._refuse_option(ctx, args)
        if self._default is not None and (is_option or not (args or ctx.resilient_parsing)):
            args = [self._default, *args]
        try:
            # Not that of click's group, which splits the words and relies on its own `invoke`.
            return click.Command.parse_args(self, ctx, args)
        except click.UsageError as error:
            error.ctx = error.ctx or ctx
            raise

    def _refuse_option(self, ctx: click.Context, words: Sequence[str]) -> None:
        """Refuse an option before the command that it is for; the sentence has the right form."""
        shared = options.SHARED.get(words[0].partition("=")[0])
        named = next((each for each in words if each in self.list_commands(ctx)), None)
        if shared is None or (self._default is not None and named is None):
            return
        noun = "command" if ctx.parent is None else "action"
        # Not the words themselves: one of them may be a key.
        right = f"{ctx.command_path} {named or noun.upper()} {shared.shape}"
        ctx.fail(f"{shared.opts[0]} stands after the {noun}: {right}")

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, in the order of their definition."""
        return list(self.commands)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command in the words, and the words after it."""
        if not args:
            self.refuse_nothing(ctx)
        found = self.get_command(ctx, args[0])
        if found is None and not ctx.resilient_parsing:
            noun = "command" if ctx.parent is None else "action"
            ctx.fail(unknown(noun, args[0], self.list_commands(ctx)))
        return (found.name if found else None), found, args[1:]

    def refuse_nothing(self, ctx: click.Context) -> NoReturn:
        """Exit because no command is named."""
        ctx.fail(f"missing: ACTION, one of {', '.join(self.list_commands(ctx))}")

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands, then the options."""
        title = "commands" if ctx.parent is None else "actions"
        with formatter.section(_styled(title, bold=True)):
            _write_rows(formatter, self.summaries(ctx))
        super().format_options(ctx, formatter)

    def summaries(self, ctx: click.Context) -> list[tuple[str, str]]:
        """The commands, and what each does in a sentence."""
        return [(name, each.get_short_help_str(limit=200)) for name, each in self.commands.items()]

    def action(
        self, name: str, *params: click.Parameter, **shape: Any
    ) -> Callable[[Execute], Command]:
        """A decorator that adds the `Command` of a coroutine function."""

        def add(execute: Execute) -> Command:
            added = Command(execute, name, *params, **shape)
            self.add_command(added)
            return added

        return add

    def listing(
        self, name: str, listing: "Listing[RowT]", *params: click.Parameter, **shape: Any
    ) -> Callable[[Callable[..., AsyncGenerator[RowT, None]]], Command]:
        """A decorator that adds a command that lists what an asynchronous generator yields."""

        def add(rows: Callable[..., AsyncGenerator[RowT, None]]) -> Command:
            @wraps(rows)
            async def execute(
                console: Console,
                *,
                columns: Sequence[Sequence[str]],
                fields: Sequence[Sequence[str]],
                **values: Any,
            ) -> None:
                chosen, named = list(chain(*columns)), list(chain(*fields))
                # A table is text in a pipe, too.
                console.prefers_text = console.prefers_text or bool(chosen)
                await listing.show(rows(console, **values), console, chosen, named)

            return self.action(name, *params, *listing.options(), **shape)(execute)

        return add


# --- what a command runs in ---------------------------------------------------------------------


class _ConsoleHandler(logging.Handler):
    """Writes log records above a spinner or live lines."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console = console
        self.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s", "%H:%M:%S"))

    def emit(self, record: logging.LogRecord) -> None:
        if hasattr(record, "event"):
            return  # the command shows it already
        try:
            for line in self.format(record).splitlines():
                style = Style.WAITING if record.levelno >= logging.WARNING else Style.FAINT
                self._console.info((line, style))
        except Exception:  # noqa: BLE001 - a log never ends the work that it is about
            self.handleError(record)


@contextmanager
def log_on_console(console: Console, *, verbose: bool) -> Generator[None]:
    """Show warnings of every library; with `verbose`, each line of this package."""
    handler, level = _ConsoleHandler(console), LOGGER.level
    if verbose:
        LOGGER.setLevel(logging.DEBUG)  # else BROWSER_USE_LOG decides, when a session is made
    logging.getLogger().addHandler(handler)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(handler)
        LOGGER.setLevel(level)


@contextmanager
def _warnings_on_console(console: Console) -> Generator[None]:
    """Print warnings without the line of Python code, which the user cannot change."""

    def show(message: Warning | str, *place: object) -> None:
        console.info(("warning: ", Style.WAITING), str(message))

    with warnings.catch_warnings():
        warnings.showwarning = cast("Any", show)
        yield
