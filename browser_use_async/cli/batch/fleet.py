"""`batch enqueue` and `batch work`: one batch that many processes work on."""

import asyncio
from typing import Any

import attrs

from browser_use_async import batch
from browser_use_async.batch.postgres.address import LedgerAddress
from browser_use_async.cli.batch.progress import joined_words
from browser_use_async.cli.batch.results import result_record
from browser_use_async.cli.batch.runner import BatchRun
from browser_use_async.cli.batch.settings import BatchSettings
from browser_use_async.cli.connect import Connection
from browser_use_async.cli.console import Console, answer_of
from browser_use_async.cli.exit import ExitCode, graceful_sigint
from browser_use_async.cli.screen import Style
from browser_use_async.errors import ConfigurationError
from browser_use_async.postgres.address import is_postgres, require_packages
from browser_use_async.prices import format_cents

OUTAGE_TOLERANCE = 600.0  # seconds for which the service or the database may be away


def fleet_address(ledger: object) -> LedgerAddress:
    """The ledger that several processes share."""
    if not isinstance(ledger, str) or not is_postgres(ledger):
        raise ConfigurationError(
            "one process uses a ledger in a file; many share one in PostgreSQL: "
            "postgresql://user@host/database#name"
        )
    address = LedgerAddress.parse(ledger)
    require_packages("a ledger", "psycopg", "psycopg_pool")
    return address


async def enqueue_rows(settings: BatchSettings, console: Console, *, waits: bool) -> int:
    """Write the rows of a file to a ledger, and return the exit code.

    Args:
        settings: The file and the ledger.
        console: Where to show what happens.
        waits: Whether to wait for the results of the processes that work on them.
    """
    from browser_use_async.batch.postgres.enqueue import enqueue  # noqa: PLC0415 - needs the extra

    address = fleet_address(settings.ledger)
    run = BatchRun(settings, console, ())
    with console.status(f"reading {settings.items.file.path}"):
        contents = await asyncio.to_thread(run.read_input)
    if not await run.confirm(contents.count):
        console.info("nothing was enqueued")
        return ExitCode.USAGE
    fields = settings.fields
    items = (item.to_batch_item(item.task, fields) for item in settings.items.items())
    with console.status(f"writing to {address}"):
        done = await enqueue(items, address, settings.options, fields)
    repeated = f", {done.duplicates:,} are repeated in the input" if done.duplicates else ""
    console.info(
        ("ok ", Style.GOOD),
        f"{done.waiting:,} of {done.items:,} items wait{repeated}; work on them with ",
        (f"browser-use-async batch work '{address}'", Style.STRONG),
    )
    if waits:
        await _follow(address, console)
        return await _finish(str(settings.ledger), None, console)
    if not console.shows_text:
        console.result(attrs.asdict(done))
    return ExitCode.FINISHED


async def _follow(address: LedgerAddress, console: Console) -> None:
    """Print each result that other processes bring, until the batch is over."""
    from browser_use_async.batch.postgres.reader import (  # noqa: PLC0415 - needs the extra
        follow_results,
    )

    async for row in follow_results(address, OUTAGE_TOLERANCE):
        if console.shows_text:
            console.info(f"{row.state}: {row.title}")
        else:
            with answer_of(row.task_id):
                console.result(_row_record(row))


async def work_here(ledger: str, connection: Connection, console: Console, **options: Any) -> int:
    """Work on a batch beside other processes, and return the exit code.

    Args:
        ledger: Its address.
        connection: What the tasks are created with.
        console: Where to show what happens.
        options: Those that `work` takes by the same names.
    """
    drain = asyncio.Event()

    def stop() -> None:
        drain.set()
        console.info(
            "no more items are taken; waiting for those under way. Press Ctrl-C again to leave "
            "them to other processes"
        )

    def report(result: batch.BatchResult[Any]) -> None:
        if console.shows_text:
            console.info(f"{result.state}: {result.name}")
            return
        with answer_of(result.task_id):
            console.result(result_record(result, None, has_schema=False))

    with graceful_sigint(stop):
        worked = await batch.work(
            ledger, session=connection.session, on_result=report, drain=drain, **options
        )
    return await _finish(ledger, worked.stopped_by, console)


def _row_record(row: batch.LedgerRow) -> dict[str, Any]:
    error = None if row.error is None else {"type": row.error, "message": row.reason}
    names = "index key state status task_id output steps cost_cents joined attempts error".split()
    shown = row.to_row()
    return {**{name: shown[name] for name in names}, "key": row.title, "error": error}


async def _finish(ledger: str, stopped_by: batch.StopReason | None, console: Console) -> ExitCode:
    """Show the state of a batch when this process has ended its part of it."""
    view = await asyncio.to_thread(batch.read_ledger, ledger)
    shown = ", ".join(f"{count:,} {state}" for state, count in view.counts.items() if count)
    stopped = "" if stopped_by is None else f"; stopped by {stopped_by}"
    joined = joined_words(view.joined, view.total, view.joined_failed)
    cost = f"cost {format_cents(view.cost_cents)}{stopped}"
    console.info("; ".join(filter(None, (shown, cost, joined))))
    if view.counts[batch.ItemState.UNKNOWN]:
        console.info(
            "unknown: run-task was not answered, and no task has appeared. To go on, give "
            "`batch enqueue` the same input and --resume, then run `batch work`: it looks for the "
            "tasks once more before it creates them again"
        )
    is_done = stopped_by is None and view.total == view.counts[batch.ItemState.DONE]
    return ExitCode.FINISHED if is_done else ExitCode.TASK_FAILED
