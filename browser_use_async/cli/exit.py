"""The end of a command: its exit code, the report of an error, and signals.

Scripts rely on the codes, so they are fixed. Ctrl-C cancels a command, unless it handles the
signal itself.
"""

import asyncio
import signal
from collections.abc import Callable, Coroutine, Generator, Iterable, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from enum import IntEnum
from typing import Any

import click

from browser_use_async import errors, system
from browser_use_async.cli.console import Console, OutputError
from browser_use_async.cli.options import Argument, Option, suggestion
from browser_use_async.errors import BrowserUseError, SubmissionUnknownError

_Handlers = list[Callable[[], None]]
_HANDLERS: ContextVar[_Handlers] = ContextVar("_HANDLERS")


class ExitCode(IntEnum):
    """Exit codes; a command that a signal ended exits with 128 + its number, 130 for Ctrl-C."""

    FINISHED = 0
    TASK_FAILED = 1
    USAGE = 2
    API = 3
    UNREACHABLE = 4
    OUTPUT = 74
    TIMED_OUT = 124


# The first match counts, so a subclass comes before its base: all are `BrowserUseError`s. Errors
# that are not listed came from the API, and exit with `ExitCode.API`.
_BY_ERROR: tuple[tuple[type[BaseException], ExitCode], ...] = (
    (errors.WaitTimeoutError, ExitCode.TIMED_OUT),
    (errors.TaskError, ExitCode.TASK_FAILED),
    (errors.OutputValidationError, ExitCode.TASK_FAILED),
    (errors.ConfigurationError, ExitCode.USAGE),
    (errors.InvalidRequestError, ExitCode.USAGE),
    (errors.UnsafeFileNameError, ExitCode.USAGE),
    (errors.UnsupportedFileError, ExitCode.USAGE),
    (errors.BatchInputError, ExitCode.USAGE),
    (errors.LedgerError, ExitCode.USAGE),
    (errors.APIConnectionError, ExitCode.UNREACHABLE),
    (errors.WaitInterruptedError, ExitCode.UNREACHABLE),
)


def exit_code_of(error: errors.BrowserUseError) -> ExitCode:
    """Return the exit code for an error."""
    for kind, code in _BY_ERROR:
        if isinstance(error, kind):
            return code
    return ExitCode.API


def report_error(error: BrowserUseError, console: Console) -> ExitCode:
    """Print an error and what to do about it, and return its exit code."""
    console.error(str(error))
    # After this error it is unknown whether a task was created, and paid for.
    if isinstance(error, SubmissionUnknownError) and error.submission_token:
        console.info(
            f"to find out, free of charge: browser-use-async watch {error.submission_token}"
        )
    elif isinstance(error, errors.APINotServedError):
        console.info("an address of the API ends in /api/v1: http://127.0.0.1:8765/api/v1")
    return exit_code_of(error)


def report_output_error(error: OutputError, console: Console) -> int:
    """Print why a result could not be written, and return the exit code."""
    # A reader that has seen enough of a list, such as `head`, is no error to report.
    if error.task_id is not None:
        console.error(
            f"the answer of task {error.task_id} could not be written to stdout: {error}; to get "
            f"it, free of charge: browser-use-async tasks show {error.task_id}"
        )
    elif not error.is_broken_pipe:
        console.error(f"the result could not be written to stdout: {error}")
    return system.BROKEN_PIPE if error.is_broken_pipe else ExitCode.OUTPUT


# --- signals --------------------------------------------------------------------------------


async def run_until_signal(work: Coroutine[Any, Any, int], console: Console) -> int:
    """Run a command and return its exit code; SIGINT, SIGTERM and SIGHUP cancel it."""
    loop = asyncio.get_running_loop()
    handlers: _Handlers = []
    _HANDLERS.set(handlers)
    command = loop.create_task(work, name="browser-use: runs the command")
    caught: list[signal.Signals] = []

    def handle(received: signal.Signals) -> None:
        # Each handler is for one Ctrl-C: the next one always cancels.
        if received is signal.SIGINT and handlers:
            handlers.pop()()
            return
        if not caught:
            console.info("ending; press Ctrl-C again to quit at once")
        caught.append(received)
        command.cancel()

    for each in system.ending_signals():
        system.on_signal(loop, each, handle)
    try:
        return await command
    except asyncio.CancelledError:
        if not caught:
            raise  # cancelled from outside, not by a signal
        return 128 + caught[0]


@contextmanager
def graceful_sigint(end: Callable[[], None]) -> Generator[None]:
    """Make the first Ctrl-C call a function; the second one cancels the command."""
    handlers = _HANDLERS.get()
    handlers.append(end)
    try:
        yield
    finally:
        if end in handlers:
            handlers.remove(end)


def usage(context: click.Context) -> str:
    """The usage in one line, with the options that are required only."""
    is_group = isinstance(context.command, click.Group)
    words = [context.command_path, *([] if is_group else ["[options]"])]
    for each in context.command.params:
        if isinstance(each, Argument):
            words.append(each.shape)
        elif isinstance(each, Option) and each.required:
            words.append(f"{each.opts[0]} {each.metavar}")
    if is_group:
        words.append("COMMAND ..." if context.parent is None else "ACTION ...")
    return " ".join(words)


def unknown(noun: str, word: str, known: Iterable[str] | Mapping[str, str]) -> str:
    """The sentence for an unknown word."""
    shown = word if noun == "option" else repr(word)
    return f"there is no {noun} {shown}{suggestion(word, known)}"


def _flags(context: click.Context, *, only_switches: bool = False) -> list[str]:
    return [
        flag
        for each in context.command.get_params(context)
        if isinstance(each, click.Option) and (each.is_flag or not only_switches)
        for flag in (*each.opts, *each.secondary_opts)
    ]


def _names(context: click.Context) -> dict[str, str]:
    """The options by their names in the API, which is how some are guessed."""
    return {
        f"--{str(each.name).replace('_', '-')}": each.opts[0]
        for each in context.command.get_params(context)
        if isinstance(each, Option)
    }


def _sentence(error: click.ClickException) -> str:
    """The sentence about a mistake, for the user of a command."""
    context = error.ctx if isinstance(error, click.UsageError) else None
    if isinstance(error, click.NoSuchOption) and context is not None:
        long = [each for each in _flags(context) if each.startswith("--")]
        known = _names(context) | {each: each for each in long}
        return unknown("option", error.option_name, known)
    if isinstance(error, click.BadOptionUsage) and context is not None:
        is_switch = error.option_name in _flags(context, only_switches=True)
        rule = "takes no value" if is_switch else "needs a value"
        return f"{error.option_name} {rule}"
    if isinstance(error, click.BadParameter) and error.param is not None:
        is_missing = isinstance(error, click.MissingParameter)
        is_option = isinstance(error.param, click.Option)
        name = "/".join(error.param.opts) if is_option else str(error.param.metavar)
        return f"missing: {name}" if is_missing else f"{name}: {error.message}"
    return error.message


def report_mistake(error: click.ClickException) -> int:
    """Print the mistake, the usage, and where to read more."""
    console = Console()
    console.error(_sentence(error))
    context = error.ctx if isinstance(error, click.UsageError) else None
    if context is not None:
        console.info(f"usage: {usage(context)}")
        console.info(f"try '{context.command_path} --help'")
    return ExitCode.USAGE
