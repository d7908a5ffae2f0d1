"""`batch`: run a task for each row of a file, surviving interruptions, or show its status."""

import argparse
import codecs
from pathlib import Path

from browser_use_async.batch.options import CONCURRENCY, LEASE
from browser_use_async.cli.batch.ledger import ledger_name
from browser_use_async.cli.batch.runner import BatchRun
from browser_use_async.cli.batch.settings import Settings
from browser_use_async.cli.batch.status import show_status
from browser_use_async.cli.connect import connect
from browser_use_async.cli.console import Console
from browser_use_async.cli.exit import ExitCode
from browser_use_async.cli.field_options import OptionGroup, add_task_options
from browser_use_async.cli.options import (
    add_action_parsers,
    add_connection_options,
    add_output_options,
    amount,
    seconds,
    secret,
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the actions."""
    added = add_action_parsers(
        parser,
        {
            "run": "run a task for each row of a file; `batch FILE` means this",
            "enqueue": "write the rows of a file to a ledger in PostgreSQL, for `batch work`",
            "work": "work on a batch in PostgreSQL, beside other processes on any machine",
            "status": "show where a batch stands, also while it runs",
        },
    )
    _configure_run(added["run"])
    _configure_enqueue(added["enqueue"])
    _configure_work(added["work"])
    _configure_status(added["status"])
    for name, each in added.items():
        if name != "enqueue":  # it talks to the database only
            add_connection_options(each)
        add_output_options(each, has_parent=True)


async def execute(options: argparse.Namespace, console: Console) -> int:
    """Run the action that was given."""
    actions = {"run": _run, "enqueue": _enqueue, "work": _work, "status": _status}
    return await actions[options.action](options, console)


def _configure_run(parser: argparse.ArgumentParser) -> None:
    _add_input(parser)
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="FILE",
        help="a file for the results, in the order in which they come: a table if its name ends "
        "in .csv, else a line of JSON each (default: JSON on stdout)",
    )
    running = parser.add_argument_group("running")
    _add_running(running)
    _add_budget(running)
    running.add_argument(
        "--check-balance", action="store_true", help="spend no more than the account has, either"
    )
    running.add_argument(
        "--timeout",
        type=seconds,
        metavar="SECONDS",
        help="leave the batch after this time, as a second Ctrl-C does",
    )
    lasting = parser.add_argument_group(
        "surviving interruptions",
        "Ctrl-C once waits for what runs, twice leaves it. With a ledger the same command and "
        "--resume go on, whatever has happened: no row is lost, and none is paid twice.",
    )
    lasting.add_argument(
        "--ledger",
        type=ledger_name,
        metavar="FILE|ADDRESS",
        help="what remembers which row has which task, made if it is not there: a file, or "
        "postgresql://user@host/database#name",
    )
    _add_resuming(lasting)
    _add_settling(lasting)
    add_task_options(parser)


def _configure_enqueue(parser: argparse.ArgumentParser) -> None:
    _add_input(parser)
    parser.add_argument(
        "--ledger",
        type=ledger_name,
        required=True,
        metavar="ADDRESS",
        help="postgresql://user@host/database#name; made if it is not there",
    )
    parser.add_argument(
        "--wait",
        action="store_true",
        help="wait for the processes that work, and print each result as it comes",
    )
    _add_budget(parser.add_argument_group("money", "What all processes together keep to."))
    _add_resuming(parser.add_argument_group("going on"))
    add_task_options(parser)
    # Those of a run, which the processes that work are given.
    parser.set_defaults(
        output=None,
        local=False,
        check_balance=False,
        concurrency=CONCURRENCY,
        max_failures=None,
        task_timeout=None,
        outage_tolerance=600.0,
        settle_window=150.0,
        stop_orphans=False,
    )


def _configure_work(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "ledger",
        type=ledger_name,
        metavar="ADDRESS",
        help="what `batch enqueue` was given; Ctrl-C once waits for what runs, twice leaves it to "
        "other processes",
    )
    _add_running(parser)
    _add_settling(parser)
    parser.add_argument(
        "--lease",
        type=seconds,
        default=LEASE,
        metavar="SECONDS",
        help="how long this process may be silent before others take its items over (default: 30); "
        "--settle-window must be longer than that and an attempt, for all processes",
    )
    parser.add_argument(
        "--secret",
        action="append",
        dest="secrets",
        type=secret,
        metavar="NAME=VARIABLE|NAME=@FILE",
        help="the value of a secret, of which the ledger has the name; repeatable",
    )


def _add_input(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "input",
        type=Path,
        metavar="FILE",
        help="a .csv or .tsv file with names in its first line, or a .jsonl file with an object in "
        "each line",
    )
    parser.add_argument(
        "--template",
        metavar="TEXT",
        help="what the agent should do; {column} stands for a value of the row, {{ for a brace. "
        "Without it the column `task` is the task",
    )
    parser.add_argument(
        "--key-column",
        default="key",
        metavar="NAME",
        help="the column that says what a row is called, also when the batch is run again "
        "(default: key). Without such a column a row is known by its task",
    )
    parser.add_argument(
        "--encoding", type=_encoding, default="utf-8", help="of the file (default: utf-8)"
    )


def _add_running(group: OptionGroup) -> None:
    group.add_argument(
        "--concurrency",
        type=_count,
        default=CONCURRENCY,
        metavar="N",
        help=f"tasks at once (default: {CONCURRENCY}); fewer while the service takes fewer",
    )
    group.add_argument(
        "--max-failures",
        type=_count,
        metavar="N",
        help="create no more tasks once so many in a row have failed; what runs comes to its end",
    )
    group.add_argument(
        "--task-timeout",
        type=seconds,
        metavar="SECONDS",
        help="how long to wait for each task (default: 4 hours)",
    )
    group.add_argument(
        "--outage-tolerance",
        type=seconds,
        default=600.0,
        metavar="SECONDS",
        help="give up when the service takes no task for this time (default: 600)",
    )


def _add_budget(group: OptionGroup) -> None:
    group.add_argument(
        "--budget-cents",
        type=amount,
        metavar="CENTS",
        help="what all runs of the batch may cost together; each task reserves the most that it "
        "can cost, so a lower --max-agent-steps lets more run at once",
    )
    group.add_argument(
        "--yes",
        action="store_true",
        help="do not ask; else a batch without a budget asks first on a terminal",
    )


def _add_resuming(group: OptionGroup) -> None:
    group.add_argument(
        "--resume",
        action="store_true",
        help="go on where the ledger stands; begins if there is none yet",
    )
    group.add_argument(
        "--retry-dead-letters",
        action="store_true",
        help="with --resume: try rows again that the service has refused",
    )
    group.add_argument(
        "--retry-failed",
        action="store_true",
        help="with --resume: create another task for rows whose task failed or was stopped, which "
        "costs again; asks first on a terminal",
    )
    group.add_argument(
        "--extend",
        action="store_true",
        help="with --resume: add the rows of another input to the batch of the ledger",
    )


def _add_settling(group: OptionGroup) -> None:
    group.add_argument(
        "--settle-window",
        type=seconds,
        default=150.0,
        metavar="SECONDS",
        help="how long a task whose answer was lost, to a crash too, may take to appear before "
        "it is created again (default: 150)",
    )
    group.add_argument(
        "--stop-orphans",
        action="store_true",
        help="stop a second task of a row, should a slow service ever have made one",
    )


def _configure_status(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "ledger", type=ledger_name, metavar="LEDGER", help="the ledger of the batch"
    )
    parser.add_argument(
        "--live",
        action="store_true",
        help="ask the service where up to 50 of the running tasks can be watched",
    )


async def _run(options: argparse.Namespace, console: Console) -> int:
    settings = Settings.of(options)
    async with connect(options, console) as connection:
        run = BatchRun(settings, console, options.words, options.timeout)
        return await run.run(connection)


async def _enqueue(options: argparse.Namespace, console: Console) -> int:
    from browser_use_async.cli.batch.fleet import BatchEnqueue, fleet_address  # noqa: PLC0415

    fleet_address(options.ledger)  # before the file is read
    return await BatchEnqueue(Settings.of(options), console, options.wait).run()


async def _work(options: argparse.Namespace, console: Console) -> int:
    from browser_use_async.cli.batch.fleet import fleet_address, work_here  # noqa: PLC0415

    fleet_address(options.ledger)
    async with connect(options, console) as connection:
        return await work_here(options, connection, console)


async def _status(options: argparse.Namespace, console: Console) -> int:
    if not options.live:
        await show_status(options.ledger, console, None)
        return ExitCode.FINISHED
    async with connect(options, console) as connection:
        await show_status(options.ledger, console, connection.session)
    return ExitCode.FINISHED


def _count(text: str) -> int:
    count = int(text)
    if count < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return count


def _encoding(text: str) -> str:
    try:
        "".encode(text)  # refuses those that are not of texts, such as hex
        return codecs.lookup(text).name
    except (LookupError, UnicodeError):
        raise argparse.ArgumentTypeError(f"no encoding is called {text!r}") from None
