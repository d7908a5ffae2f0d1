"""`batch`: run a task for each row of a file, surviving interruptions, or show its status."""

import codecs
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from browser_use_async.batch import read_ledger
from browser_use_async.batch.options import CONCURRENCY
from browser_use_async.batch.queue import LEASE, OUTAGE_SECONDS
from browser_use_async.cli.batch.results import CsvTable, JsonLines, ResultFile, ledger_records
from browser_use_async.cli.batch.runner import BatchRun
from browser_use_async.cli.batch.settings import BatchSettings, ledger_or_queue, queue_address
from browser_use_async.cli.batch.status import show_status
from browser_use_async.cli.command import Group
from browser_use_async.cli.connect import connect
from browser_use_async.cli.console import Console
from browser_use_async.cli.fields import TASK_OPTIONS
from browser_use_async.cli.options import (
    Argument,
    ServerOptions,
    amount,
    complete_files,
    group,
    option,
    seconds,
    secret,
    whole,
)
from browser_use_async.errors import ConfigurationError

batch = Group(
    "batch",
    "Run a task for each row of a file; can be resumed.",
    examples=(
        'batch run companies.csv --template "Find the head office of {company}" --ledger run.db',
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
        "a .csv or .tsv file with column names in its first line, or a .jsonl file with one object "
        "in each line",
        type=click.Path(path_type=Path),
    ),
    option(
        "--template TEXT",
        "the task for each row: {column} is replaced by the row's value, {{ by a brace (default: "
        "the text in the column `task`)",
    ),
    option(
        "--key-column NAME",
        "the column with a name for each row, which must stay the same when the batch is run "
        "again (default: key). Without such a column a row is recognised by its task",
        default="key",
    ),
    option(
        "--key-prefix TEXT",
        "join the tasks that an earlier batch with the same prefix has created for the same rows; "
        "without it a new ledger runs all rows anew",
    ),
    option(
        "--encoding NAME", "encoding of the file (default: utf-8)", type=_encoding, default="utf-8"
    ),
)


_RUNNING = (
    option(
        "--concurrency N",
        f"the most tasks at the same time (default: {CONCURRENCY})",
        type=whole(1),
        default=CONCURRENCY,
    ),
    option(
        "--max-failures N",
        "create no more tasks after N failures in a row; running tasks continue to their end",
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
        "give up when the service has accepted no task for this time (default: 600)",
        type=seconds,
        default=OUTAGE_SECONDS,
    ),
)


_BUDGET = (
    option(
        "--budget-cents CENTS",
        "the most that all runs of the batch may cost together, in US cents. Each task reserves "
        "the most that it can cost: with fewer --max-agent-steps more tasks run at once",
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
        "a column, such as the site: rows with the same value in it share the limit of --per-key; "
        "a row without a value has no limit",
    ),
    option(
        "--per-key N",
        "with --limit-by: the most tasks at the same time for rows with the same value",
        type=whole(1),
    ),
)


_RESUMING = (
    option("--resume", "continue the batch of the ledger, or begin one if there is none"),
    option(
        "--retry-failed",
        "with --resume: try rows again that were refused, and create a new task for each row whose "
        "task failed or was stopped, joined ones too; this costs again, and asks first on a "
        "terminal",
    ),
    option(
        "--retry-unknown",
        "with --resume: send rows again whose request was not answered, if their tasks still do "
        "not appear; this pays twice for a task that exists after all",
    ),
    option("--extend", "with --resume: add the rows of another file to the batch of the ledger"),
)


@batch.action(
    "run",
    *_INPUT,
    option(
        "-o --output FILE",
        "a file for the results, written at the end of the run: a table with the input's `line` "
        "first if its name ends in .csv, else one line of JSON for each row (default: stdout, each "
        "as its task ends)",
        type=click.Path(path_type=Path),
    ),
    *group(
        "running",
        *_RUNNING,
        *_LIMITING,
        *_BUDGET,
        option(
            "--timeout SECONDS",
            "leave the batch after this time, as after a second Ctrl-C",
            name="time_limit",
            type=seconds,
        ),
    ),
    *group(
        "surviving interruptions",
        option(
            "--ledger FILE",
            "the record of which row has which task, created if it does not exist",
            type=click.Path(path_type=Path),
            shell_complete=complete_files,
        ),
        *_RESUMING,
        about="Press Ctrl-C once to wait for the running tasks, twice to leave them. With a ledger "
        "the same command with --resume continues after any interruption: no row is lost, and "
        "none is paid for twice.",
    ),
    *TASK_OPTIONS,
    examples=(
        'batch run companies.csv --template "Find the head office of {company}" > results.jsonl',
        "batch run companies.csv --ledger run.db -o results.csv --budget-cents 500 --resume",
    ),
)
async def _run(
    console: Console,
    server: ServerOptions,
    time_limit: float | None,
    outage_timeout: float,
    **values: Any,
) -> int:
    """Run a task for each row of a file."""
    settings = BatchSettings.read(local=server.local, **values)
    words: Sequence[str] = click.get_current_context().find_root().obj
    async with connect(server, console, outage_timeout=outage_timeout) as connection:
        return await BatchRun(settings, console, words, time_limit).run(connection)


_ADDRESS = "postgresql://user@host/database#name"


def _queue_argument(about: str) -> Argument:
    return Argument("address", "ADDRESS", about, type=queue_address)


@batch.action(
    "enqueue",
    *_INPUT,
    option(
        "--on ADDRESS",
        f"the queue, {_ADDRESS}; created if there is none. Rows that it has are left as they are",
        name="address",
        required=True,
        type=queue_address,
    ),
    *group("limits", *_BUDGET, *_LIMITING, about="Limits for all processes together."),
    *group(
        "trying again",
        option(
            "--retry-failed",
            "try rows again that were refused, and create a new task for each row whose task "
            "failed or was stopped; this costs again",
        ),
    ),
    *TASK_OPTIONS,
    connects=False,  # it talks to the database only
)
async def _enqueue(console: Console, address: str, retry_failed: bool, **values: Any) -> int:
    """Add the rows of a file to a queue in PostgreSQL, for `batch work` on many machines."""
    from browser_use_async.cli.batch.queue import enqueue_rows  # noqa: PLC0415

    settings = BatchSettings.read(ledger=None, resume=False, extend=False, **values)
    return await enqueue_rows(address, settings, console, retry_failed=retry_failed)


@batch.action(
    "work",
    _queue_argument(
        "the queue of `batch enqueue`; press Ctrl-C once to wait for the running tasks, twice to "
        "leave them to other processes"
    ),
    *_RUNNING,
    option(
        "--lease SECONDS",
        f"after how long without a sign of this process others take over its rows (default: "
        f"{LEASE:g})",
        type=seconds,
        default=LEASE,
    ),
    option(
        "--secret NAME=VARIABLE|NAME=@FILE",
        "the value of a secret; the queue has only its name; repeatable",
        name="secrets",
        type=secret,
        multiple=True,
    ),
)
async def _work(
    console: Console,
    server: ServerOptions,
    address: str,
    secrets: Sequence[tuple[str, str]],
    **options: Any,
) -> int:
    """Run tasks of a queue, together with other processes on any machine."""
    from browser_use_async.cli.batch.queue import work_here  # noqa: PLC0415

    async with connect(server, console) as connection:
        return await work_here(address, connection, console, secrets=dict(secrets), **options)


_BATCH = Argument(
    "ledger",
    "LEDGER|ADDRESS",
    "the ledger of the batch, or the address of a queue",
    type=ledger_or_queue,
    shell_complete=complete_files,
)


@batch.action(
    "results",
    _BATCH,
    option(
        "-o --output FILE",
        "a new file: a table if its name ends in .csv, else one line of JSON for each row that "
        "has ended (default: stdout)",
        type=click.Path(path_type=Path),
    ),
    option("--follow", "of a queue: also wait for the results to come, until it has ended"),
    connects=False,
)
async def _results(console: Console, ledger: Path | str, output: Path | None, follow: bool) -> None:
    """Write the results of a batch, also while it runs, without the columns of its input."""
    from browser_use_async.cli.batch import queue  # noqa: PLC0415

    if follow and not isinstance(ledger, str):
        raise ConfigurationError("--follow: only a queue is waited for; name its address")
    if output is None and isinstance(ledger, str):
        await queue.show_results(ledger, console, follow=follow)
        return
    view = None if isinstance(ledger, str) else read_ledger(ledger)
    schema = None if view is None else view.labels.get("structured_output_json")
    records = (
        queue.queue_records(str(ledger), follow=follow)
        if view is None
        else ledger_records(view, has_schema=schema is not None)
    )
    if output is None:
        async for record in records:
            console.result(record)
        return
    form = CsvTable((), schema) if ResultFile.is_table(output) else JsonLines()
    file = ResultFile(output, form)
    file.check(replaces=False)
    await file.write(records)
    console.info(f"results are in {output}")


@batch.action(
    "status",
    _BATCH,
    option("--live", "also show the batch's page, and the live pages of up to 50 running tasks"),
    examples=("batch status run.db --live",),
)
async def _status(console: Console, server: ServerOptions, ledger: Path | str, live: bool) -> None:
    """Show the state of a batch, also while it runs."""
    if isinstance(ledger, str):
        from browser_use_async.cli.batch.queue import show_queue  # noqa: PLC0415

        if live:
            raise ConfigurationError("--live: a queue does not record tasks before they end")
        await show_queue(ledger, console)
        return
    if not live:
        await show_status(ledger, console, None)
        return
    async with connect(server, console) as connection:
        await show_status(ledger, console, connection.session)
