"""From the words on the command line to an exit code."""

import argparse
import asyncio
import logging
import os
import signal
import sys
import traceback
import warnings
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any, cast

from browser_use_async import __version__
from browser_use_async.cli.console import Console, Style
from browser_use_async.cli.exit_codes import ExitCode
from browser_use_async.cli.interruption import until_signalled
from browser_use_async.cli.options import add_output_options
from browser_use_async.cli.registry import COMMANDS, CommandModule, completed
from browser_use_async.cli.reporting import report_error
from browser_use_async.errors import BrowserUseError

__all__ = ["main"]

_EPILOG = """\
exit codes:
  0    finished
  1    a task failed, was stopped or, in a batch, is left
  2    wrong usage or configuration; nothing was sent
  3    the API refused, or the key is wrong
  4    the server cannot be reached
  124  the time given with --timeout is up
  130  ended with Ctrl-C

Results are written to stdout as JSON, words for people to stderr.
Begin with `browser-use-async demo`: it needs no key and no network.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line."""
    words = completed(sys.argv[1:] if arguments is None else list(arguments))
    modules = {each.name: each.load() for each in COMMANDS if each.name in words}
    parser = _parser(modules)
    options = parser.parse_args(words, argparse.Namespace(words=words))
    if options.command is None:
        parser.print_help(sys.stderr)
        return ExitCode.USAGE
    console = Console(plain=options.plain)
    _log_to_stderr(verbose=options.verbose)
    try:
        with _warnings_in_words(console):
            work = modules[options.command].execute(options, console)
            return asyncio.run(until_signalled(work, console))
    except BrowserUseError as error:
        if options.verbose:
            traceback.print_exception(error)
        return report_error(error, console)
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except BrokenPipeError:
        # Whoever read the output has gone; Python would complain once more when it exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE


def _parser(modules: dict[str, CommandModule]) -> argparse.ArgumentParser:
    """The parser; only commands that were named know their own options."""
    parser = argparse.ArgumentParser(
        prog="browser-use-async",
        description="Run browser tasks over the Browser Use Cloud API v1, hosted or on this "
        "machine.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"browser-use-async {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    for command in COMMANDS:
        summary = command.summary
        added = commands.add_parser(
            command.name, help=summary, description=f"{summary[0].upper()}{summary[1:]}."
        )
        if command.name in modules:
            modules[command.name].configure(added)
            add_output_options(added)
    return parser


def _log_to_stderr(*, verbose: bool) -> None:
    logging.basicConfig(stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")
    logging.getLogger("browser_use_async").setLevel(logging.DEBUG if verbose else logging.WARNING)


@contextmanager
def _warnings_in_words(console: Console) -> Generator[None]:
    """Tell warnings to the person who typed the command, who has no line of Python to change."""

    def say(message: Warning | str, *place: object) -> None:
        console.say(("warning: ", Style.WAITING), str(message))

    with warnings.catch_warnings():
        warnings.showwarning = cast("Any", say)
        yield
