"""The program: the commands that exist, the parser, and the run of one command."""

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
from importlib import import_module
from typing import Any, Protocol, cast

import attrs

from browser_use_async import __version__
from browser_use_async.cli.console import Console
from browser_use_async.cli.exit_codes import ExitCode, report_error
from browser_use_async.cli.options import add_output_options
from browser_use_async.cli.screen import Style
from browser_use_async.cli.signals import run_until_signal
from browser_use_async.errors import BrowserUseError

_COMMANDS_PACKAGE = "browser_use_async.cli.commands"

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


class CommandModule(Protocol):
    """The interface of a command module."""

    def configure(self, parser: argparse.ArgumentParser) -> None:
        """Add the command's options."""
        ...

    async def execute(self, options: argparse.Namespace, console: Console) -> int:
        """Run the command and return its exit code."""
        ...


@attrs.frozen
class Command:
    """A command, and the module that implements it."""

    name: str  # the word on the command line
    file: str  # the name of its module in `cli.commands`
    summary: str  # what it does, in one line of the help
    # The words that may follow its name; the first one is meant if none does
    actions: tuple[str, ...] = ()

    def load(self) -> CommandModule:
        """Import the module of the command."""
        return cast("CommandModule", import_module(f"{_COMMANDS_PACKAGE}.{self.file}"))


COMMANDS = (
    Command("demo", "demo", "show what the package does, without a key and without a network"),
    Command("run", "run", "run a task, show its steps and print the finished task"),
    Command("watch", "watch", "follow a task that exists until its end"),
    Command("tasks", "tasks", "list the tasks of the account, newest first"),
    Command("stop", "control", "stop tasks for good"),
    Command("pause", "control", "pause running tasks"),
    Command("resume", "control", "continue paused tasks"),
    Command("schedule", "schedule", "create, show, change and delete tasks that run by the clock"),
    Command("profiles", "profiles", "create, show, change and delete browser profiles"),
    Command("files", "files", "upload files for tasks, and download what tasks made"),
    Command("search", "search", "search the web, or one website, for passages on live pages"),
    Command("webhooks", "webhooks", "receive webhooks on this machine, and send samples of them"),
    Command(
        "batch",
        "batch",
        "run a task for each row of a file; survives interruptions",
        ("run", "status"),
    ),
    Command("report", "report", "write what became of a batch as one HTML page"),
    Command("serve", "serve", "run a Cloud API v1 server on this machine"),
    Command("doctor", "doctor", "check the configuration, the connection and the key"),
    Command("conform", "conform", "hold a Cloud API v1 server to the specification"),
)


def with_default_action(words: Sequence[str]) -> list[str]:
    """Insert the default action of a command where none is written: `batch in.csv`."""
    command = next((each for each in COMMANDS if words[:1] == [each.name]), None)
    if command is None or not command.actions or len(words) < 2:
        return list(words)
    is_complete = words[1] in command.actions or words[1].startswith("-")
    return list(words) if is_complete else [words[0], command.actions[0], *words[1:]]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line."""
    words = with_default_action(sys.argv[1:] if arguments is None else list(arguments))
    # Only what is named is imported: that keeps `--help` and each command fast to start.
    modules = {each.name: each.load() for each in COMMANDS if each.name in words}
    parser = _parser(modules)
    # The words are kept for the command that resumes a batch.
    options = parser.parse_args(words, argparse.Namespace(words=words))
    if options.command is None:
        parser.print_help(sys.stderr)
        return ExitCode.USAGE
    console = Console(plain=options.plain)
    _log_to_stderr(verbose=options.verbose)
    try:
        with _warnings_on_console(console):
            work = modules[options.command].execute(options, console)
            return asyncio.run(run_until_signal(work, console))
    except BrowserUseError as error:
        if options.verbose:
            traceback.print_exception(error)
        return report_error(error, console)
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except BrokenPipeError:
        # The reader of stdout has gone. Python would raise again when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE


def _parser(modules: dict[str, CommandModule]) -> argparse.ArgumentParser:
    """Build the parser; only commands on the command line get their own options."""
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
def _warnings_on_console(console: Console) -> Generator[None]:
    """Print warnings without the line of Python code, which the user cannot change."""

    def show(message: Warning | str, *place: object) -> None:
        console.info(("warning: ", Style.WAITING), str(message))

    with warnings.catch_warnings():
        warnings.showwarning = cast("Any", show)
        yield
