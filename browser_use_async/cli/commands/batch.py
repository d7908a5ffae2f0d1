"""`batch`: run a task for each row of a file, surviving interruptions, or show its status."""

import codecs
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import click

from browser_use_async.batch.options import CONCURRENCY, LEASE
from browser_use_async.cli.batch.ledger import LedgerName, ledger_name
from browser_use_async.cli.batch.runner import BatchRun
from browser_use_async.cli.batch.settings import BatchSettings
from browser_use_async.cli.batch.status import show_status
from browser_use_async.cli.command import Group
from browser_use_async.cli.connect import connect
from browser_use_async.cli.console import Console
from browser_use_async.cli.fields import TASK_OPTIONS
from browser_use_async.cli.options import (
    Argument,
    ServerOptions,
    complete_files,
    group,
    option,
)
from browser_use_async.cli.values import amount, seconds, secret, whole

batch = Group(
    "batch",
    "Run a task for each row of a file; survives interruptions.",
    default="run",
    takes_words=True,
    examples=(
        'batch companies.csv --template "Find the head office of {company}" --ledger run.db',
        "batch status run.db",
        "batch run --help",
    ),
)


def _encoding(text: str) -> str:
    try:
        "".encode(text)  # refuses those that are not of texts, such as hex
        return codecs.lookup(text).name
    except (LookupError, UnicodeError):
        raise click.BadParameter(f"no encoding is called {text!r}") from None


_INPUT = (
    Argument(
        "source",
        "FILE",
        "a .csv or .tsv file with names in its first line, or a .jsonl file with an object in "
        "each line",
        type=click.Path(path_type=Path),
    ),
    option(
        "--template TEXT",
        "what the agent should do; {column} stands for a value of the row, {{ for a brace. "
        "Without it the column `task` is the task",
    ),
    option(
        "--key-column NAME",
        "the column that says what a row is called, also when the batch is run again "
        "(default: key). Without such a column a row is known by its task",
        default="key",
    ),
    option(
        "--key-prefix TEXT",
        "stands before the keys of the rows in the submission keys that a server may keep: one "
        "task for each of them, also for another ledger. Batches that mean new work by the same "
        "keys need another prefix, such as the day",
        default="",
    ),
    option("--encoding NAME", "of the file (default: utf-8)", type=_encoding, default="utf-8"),
)


_RUNNING = (
    option(
        "--concurrency N",
        f"tasks at once (default: {CONCURRENCY}); fewer while the service takes fewer",
        type=whole(1),
        default=CONCURRENCY,
    ),
    option(
        "--max-failures N",
        "create no more tasks once so many in a row have failed; what runs comes to its end",
        type=whole(1),
    ),
    option(
        "--task-timeout SECONDS",
        "how long to wait for each task (default: 4 hours)",
        name="timeout",
        type=seconds,
    ),
    option(
        "--outage-timeout SECONDS",
        "give up when the service takes no task for this time (default: 600)",
        type=seconds,
        default=600.0,
    ),
)


_SETTLING = (
    option(
        "--settle-window SECONDS",
        "how long a task whose answer was lost, to a crash too, may take to appear before "
        "it is created again (default: 150)",
        type=seconds,
        default=150.0,
    ),
    option(
        "--stop-orphans",
        "stop a second task of a row, should a slow service ever have made one",
    ),
)


_BUDGET = (
    option(
        "--budget-cents CENTS",
        "what all runs of the batch may cost together; each task reserves the most that "
        "it can cost, so a lower --max-agent-steps lets more run at once",
        type=amount,
    ),
    option(
        "--yes",
        "do not ask; else a batch without a budget that may cost more than $10 asks first on a "
        "terminal",
    ),
)


_LIMITING = (
    option(
        "--limit-by NAME",
        "the column whose value rows share a limit by, such as the site; a row without a value "
        "has no limit",
    ),
    option(
        "--per-key N",
        "with --limit-by: the most tasks of rows with the same value at once; other rows go on",
        type=whole(1),
    ),
)


_RESUMING = (
    option("--resume", "go on where the ledger stands; begins if there is none yet"),
    option("--retry-dead-letters", "with --resume: try rows again that the service has refused"),
    option(
        "--retry-failed",
        "with --resume: create another task for rows whose task failed or was stopped, "
        "which costs again; asks first on a terminal",
    ),
    option("--extend", "with --resume: add the rows of another input to the batch of the ledger"),
)


@batch.action(
    "run",
    *_INPUT,
    option(
        "-o --output FILE",
        "a file for the results, in the order in which they come: a table if its name ends in "
        ".csv, else a line of JSON each (default: JSON on stdout)",
        type=click.Path(path_type=Path),
    ),
    *group(
        "running",
        *_RUNNING,
        *_LIMITING,
        *_BUDGET,
        option("--check-balance", "spend no more than the account has, either"),
        option(
            "--timeout SECONDS",
            "leave the batch after this time, as a second Ctrl-C does",
            name="time_limit",
            type=seconds,
        ),
    ),
    *group(
        "surviving interruptions",
        option(
            "--ledger FILE|ADDRESS",
            "what remembers which row has which task, made if it is not there: a file, or "
            "postgresql://user@host/database#name",
            type=ledger_name,
            shell_complete=complete_files,
        ),
        *_RESUMING,
        *_SETTLING,
        about="Ctrl-C once waits for what runs, twice leaves it. With a ledger the same command "
        "and --resume go on, whatever has happened: no row is lost, and none is paid twice.",
    ),
    *TASK_OPTIONS,
    examples=(
        'batch run companies.csv --template "Find the head office of {company}" -o results.jsonl',
        "batch run companies.csv --ledger run.db --budget-cents 500 --resume",
    ),
)
async def _run(
    console: Console, server: ServerOptions, time_limit: float | None, **values: Any
) -> int:
    """Run a task for each row of a file; `batch FILE` means this."""
    settings = BatchSettings.read(local=server.local, **values)
    words: Sequence[str] = click.get_current_context().find_root().obj
    async with connect(server, console) as connection:
        return await BatchRun(settings, console, words, time_limit).run(connection)


@batch.action(
    "enqueue",
    *_INPUT,
    option(
        "--ledger ADDRESS",
        "postgresql://user@host/database#name; made if it is not there",
        required=True,
        type=ledger_name,
    ),
    option("--wait", "wait for the processes that work, and print each result as it comes"),
    *group("limits", *_BUDGET, *_LIMITING, about="What all processes together keep to."),
    *group("going on", *_RESUMING),
    *TASK_OPTIONS,
    connects=False,  # it talks to the database only
)
async def _enqueue(console: Console, wait: bool, ledger: LedgerName, **values: Any) -> int:
    """Write the rows of a file to a ledger in PostgreSQL, for `batch work`."""
    from browser_use_async.cli.batch.fleet import BatchEnqueue, fleet_address  # noqa: PLC0415

    fleet_address(ledger)  # before the file is read
    settings = BatchSettings.read(ledger=ledger, **values)
    return await BatchEnqueue(settings, console, wait).run()


@batch.action(
    "work",
    Argument(
        "ledger",
        "ADDRESS",
        "what `batch enqueue` was given; Ctrl-C once waits for what runs, twice leaves it to "
        "other processes",
        type=ledger_name,
    ),
    *_RUNNING,
    *_SETTLING,
    option(
        "--lease SECONDS",
        "how long this process may be silent before others take its items over (default: 30); "
        "--settle-window must be longer than that and an attempt, for all processes",
        type=seconds,
        default=LEASE,
    ),
    option(
        "--secret NAME=VARIABLE|NAME=@FILE",
        "the value of a secret, of which the ledger has the name; repeatable",
        name="secrets",
        type=secret,
        multiple=True,
    ),
)
async def _work(
    console: Console,
    server: ServerOptions,
    ledger: LedgerName,
    secrets: Sequence[tuple[str, str]],
    **options: Any,
) -> int:
    """Work on a batch in PostgreSQL, beside other processes on any machine."""
    from browser_use_async.cli.batch.fleet import (  # noqa: PLC0415
        WorkOptions,
        fleet_address,
        work_here,
    )

    fleet_address(ledger)
    async with connect(server, console) as connection:
        terms = cast("WorkOptions", options)
        return await work_here(str(ledger), dict(secrets), terms, connection, console)


@batch.action(
    "status",
    Argument(
        "ledger",
        "LEDGER",
        "the ledger of the batch",
        type=ledger_name,
        shell_complete=complete_files,
    ),
    option("--live", "ask the service where up to 50 of the running tasks can be watched"),
    examples=("batch status run.db --live",),
)
async def _status(console: Console, server: ServerOptions, ledger: LedgerName, live: bool) -> None:
    """Show where a batch stands, also while it runs."""
    if not live:
        await show_status(ledger, console, None)
        return
    async with connect(server, console) as connection:
        await show_status(ledger, console, connection.session)
