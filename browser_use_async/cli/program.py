"""The program: the commands that exist, the parser, and the run of one command."""

import argparse
import asyncio
import logging
import signal
import sys
import warnings
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any, cast

from browser_use_async import __version__
from browser_use_async.cli.command import Command, CommandModule, arrange
from browser_use_async.cli.console import Console
from browser_use_async.cli.exit import ExitCode, report_error, report_output_error, run_until_signal
from browser_use_async.cli.options import add_output_options
from browser_use_async.cli.parser import Parser
from browser_use_async.cli.screen import Style
from browser_use_async.cli.streams import OutputError, flush_at_exit
from browser_use_async.errors import BrowserUseError
from browser_use_async.logs import LOGGER

_DESCRIPTION = """\
Run browser tasks over the Browser Use Cloud API v1, hosted or on this machine.

Start here, without a key and without a network: browser-use-async demo
"""
_EPILOG = """\
exit codes:
  0    finished
  1    a task failed, was stopped or, in a batch, is left
  2    wrong usage or configuration; nothing was sent
  3    the API refused, or the key is wrong
  4    the server cannot be reached
  74   a result could not be written to stdout
  124  the time given with --timeout is up
  130  ended with Ctrl-C

Results go to stdout: as text on a terminal, as JSON in a pipe or with --json. Words for people go
to stderr. Options such as --json, --base-url and --api-key-file may stand before the command.
"""


COMMANDS = (
    Command("demo", "demo", "show what the package does, without a key and without a network"),
    Command("run", "run", "run a task, show its steps and print the finished task"),
    Command("watch", "watch", "follow a task that exists until its end"),
    Command(
        "tasks",
        "tasks",
        "list the tasks of the account, newest first, or show one",
        ("list", "show"),
        action_takes_words=False,
    ),
    Command("stop", "control", "stop tasks for good"),
    Command("pause", "control", "pause running tasks"),
    Command("resume", "control", "continue paused tasks"),
    Command("balance", "balance", "show what is left on the account"),
    Command(
        "schedules",
        "schedules",
        "create, show, change and delete tasks that run by the clock",
        other_names=("schedule",),
    ),
    Command("profiles", "profiles", "create, show, change and delete browser profiles"),
    Command(
        "files",
        "files",
        "upload files for tasks, and download what tasks made",
        other_actions={"put": "upload", "get": "download"},
    ),
    Command("search", "search", "search the web, or one website, for passages on live pages"),
    Command("webhooks", "webhooks", "receive webhooks on this machine, and send samples of them"),
    Command(
        "batch",
        "batch",
        "run a task for each row of a file; survives interruptions",
        ("run", "enqueue", "work", "status"),
    ),
    Command("explain", "explain", "say what happened to a task, or to the items of a batch"),
    Command("report", "report", "write what became of a batch as one HTML page"),
    Command("serve", "serve", "run a Cloud API v1 server on this machine"),
    Command("mcp", "mcp", "serve tools with which language models run browser tasks"),
    Command("keys", "keys", "make, list and revoke API keys of a bundled server"),
    Command("completion", "completion", "print a script by which a shell completes commands"),
    Command("doctor", "doctor", "check the configuration, the connection and the key"),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line."""
    words = arrange(sys.argv[1:] if arguments is None else list(arguments), COMMANDS)
    try:
        code = _main(words)
    except SystemExit:  # of argparse, after help or an error
        if (failure := flush_at_exit()) is not None:
            raise SystemExit(report_output_error(failure, Console())) from None
        raise
    except KeyboardInterrupt:  # also while options are read and modules are loaded
        code = 128 + signal.SIGINT
    failure = flush_at_exit()
    return code if failure is None else report_output_error(failure, Console())


def parse(words: Sequence[str]) -> tuple[argparse.Namespace, CommandModule | None]:
    """Parse arranged words; without a command, print the help, and give no module.

    Raises:
        SystemExit: They are wrong, which was said, or ask for help, which was given.
    """
    # Only the command is imported, by its place: a word of a task may be the name of another one.
    modules = {each.name: each.load() for each in COMMANDS if words[:1] == [each.name]}
    parser = _parser(modules)
    leaf = parser.check_words(words)
    # The words are kept for the command that resumes a batch.
    options, extra = parser.parse_known_args(words, argparse.Namespace(words=words))
    leaf.refuse_extra_words(extra)
    if options.command is None:
        parser.print_help(sys.stderr)
        return options, None
    return options, modules[options.command]


def whole_parser() -> Parser:
    """The parser with the options of all commands."""
    return _parser({each.name: each.load() for each in COMMANDS})


def _main(words: list[str]) -> int:
    options, module = parse(words)
    if module is None:
        return ExitCode.USAGE
    console = Console(plain=options.plain, as_json=options.json)
    try:
        with _log_on_console(console, verbose=options.verbose), _warnings_on_console(console):
            work = module.execute(options, console)
            return asyncio.run(run_until_signal(work, console))
    except BrowserUseError as error:
        if options.verbose:
            console.traceback(error)
        return report_error(error, console)
    except OutputError as error:
        return report_output_error(error, console)


def _parser(modules: dict[str, CommandModule]) -> Parser:
    """Build the parser; only commands on the command line get their own options."""
    parser = Parser("browser-use-async", description=_DESCRIPTION, epilog=_EPILOG)
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


class _ConsoleHandler(logging.Handler):
    """Writes log records above a spinner or live lines."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console = console
        self.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s", "%H:%M:%S"))

    def emit(self, record: logging.LogRecord) -> None:
        if hasattr(record, "event"):
            return  # the command shows it already, in its own words
        try:
            for line in self.format(record).splitlines():
                style = Style.WAITING if record.levelno >= logging.WARNING else Style.FAINT
                self._console.info((line, style))
        except Exception:  # noqa: BLE001 - a log never ends the work that it is about
            self.handleError(record)


@contextmanager
def _log_on_console(console: Console, *, verbose: bool) -> Generator[None]:
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
