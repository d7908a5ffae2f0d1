"""`batch enqueue`, `work` and `results ADDRESS`: one batch that many processes work on."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Any

from browser_use_async import batch
from browser_use_async.batch import BatchResult, ItemState, QueueStatus
from browser_use_async.batch.queue import ended_rows
from browser_use_async.batch.queue.results import result_of, text_of
from browser_use_async.cli.batch.progress import joined_words, plain_cents, show_result
from browser_use_async.cli.batch.results import Record, result_record
from browser_use_async.cli.batch.runner import BatchRun
from browser_use_async.cli.batch.settings import BatchSettings
from browser_use_async.cli.connect import Connection
from browser_use_async.cli.console import Console, answer_of
from browser_use_async.cli.exit import ExitCode, graceful_sigint
from browser_use_async.cli.screen import Span, Style
from browser_use_async.prices import format_cents


async def enqueue_rows(
    address: str, settings: BatchSettings, console: Console, *, retry_failed: bool
) -> int:
    """Write the rows of a file to a queue, and return the exit code."""
    run = BatchRun(settings, console, ())
    with console.status(f"reading {settings.items.file.path}"):
        contents = await asyncio.to_thread(settings.items.check)
    run.note_separator()
    if not await run.confirm(contents.count):
        console.info("nothing was enqueued")
        return ExitCode.TASK_FAILED  # all rows remain
    options, fields = settings.options, settings.fields
    with console.status("writing to the queue"):
        state = await batch.enqueue(
            address,
            (item.to_batch_item(item.task, fields) for item in settings.items.items()),
            key_prefix=options.key_prefix,
            budget_cents=options.budget_cents,
            limit_by=options.limit_by,
            per_key=options.per_key,
            **fields,
        )
        if retry_failed:
            state = await batch.retry(address)
    waiting: list[Span] = [f"all {state.total:,} items have ended"]
    if state.left:
        command = f"browser-use-async batch work '{state.address}'"
        waiting = [f"{state.left:,} of {state.total:,} items wait; work on them with "]
        waiting.append((command, Style.STRONG))
    console.info(("ok ", Style.GOOD), *waiting)
    if not console.shows_text:
        console.result(status_record(state))
    return ExitCode.FINISHED


async def work_here(address: str, connection: Connection, console: Console, **options: Any) -> int:
    """Work on a queue beside other processes, and return the exit code.

    Args:
        address: Its address.
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

    show = _shown_by(console)

    def on_result(result: BatchResult[Any]) -> None:
        show(result, None if result.task is None else result.task.task)

    with graceful_sigint(stop):
        worked = await batch.work(
            address,
            session=connection.session,
            on_result=on_result,
            drain=drain,
            **options,
        )
    state = worked.status
    words = _words(state)
    if worked.stopped_by not in {None, state.stopped_by}:
        words.append(f"stopped: {worked.stopped_by}")
    console.info("; ".join(words))
    is_done = worked.stopped_by is None and state.total == state.counts[ItemState.DONE]
    return ExitCode.FINISHED if is_done else ExitCode.TASK_FAILED


async def queue_records(address: str, *, follow: bool) -> AsyncGenerator[Record, None]:
    """The records of a queue's items that have ended."""
    async with aclosing(ended_rows(address, follow=follow)) as rows:
        async for row in rows:
            yield result_record(result_of(row), None, has_schema=False, text=text_of(row))


async def show_results(address: str, console: Console, *, follow: bool) -> None:
    """Print the results of a queue, each as it comes."""
    show = _shown_by(console)
    async with aclosing(ended_rows(address, follow=follow)) as rows:
        async for row in rows:
            show(result_of(row), text_of(row))


def _shown_by(console: Console) -> Callable[[BatchResult[Any], str | None], None]:
    def show(result: BatchResult[Any], text: str | None) -> None:
        if console.shows_text:
            show_result(result, console.report)
            return
        with answer_of(result.task_id):
            console.result(result_record(result, None, has_schema=False, text=text))

    return show


async def show_queue(address: str, console: Console) -> None:
    """Print the state of a queue, which may be worked on."""
    state = await batch.status(address)
    if not console.shows_text:
        console.result(status_record(state))
        return
    for words in _words(state):
        console.report([], words)


def _words(state: QueueStatus) -> list[str]:
    counts = ", ".join(f"{count:,} {each}" for each, count in state.counts.items() if count)
    cost = f"cost {format_cents(state.cost_cents)}"
    if state.budget_cents is not None:
        cost += f" of {format_cents(state.budget_cents)}"
    if state.reserved_cents:
        cost += f", {format_cents(state.reserved_cents)} reserved for tasks under way"
    stopped = ""
    if state.stopped_by is not None:
        stopped = (
            "stopped by its budget: `batch enqueue` with a larger --budget-cents goes on with it"
        )
    joined = joined_words(state.joined, state.total, 0)
    return [words for words in (counts or "no items", cost, joined, stopped) if words]


def status_record(state: QueueStatus) -> dict[str, Any]:
    """The state of a queue as a JSON object."""
    return {
        "address": state.address,
        "total": state.total,
        "counts": {str(each): count for each, count in state.counts.items()},
        "cost_cents": plain_cents(state.cost_cents),
        "reserved_cents": plain_cents(state.reserved_cents),
        "budget_cents": plain_cents(state.budget_cents),
        "per_key": state.per_key,
        "key_prefix": state.key_prefix,
        "joined": state.joined,
        "stopped_by": None if state.stopped_by is None else str(state.stopped_by),
    }
