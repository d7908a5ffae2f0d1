"""`explain`: what happened to a task, or to the items of a batch, and what it cost."""

import os
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import attrs

from browser_use_async import LlmModel, Task, TaskStatus
from browser_use_async.batch import ItemState, LedgerRow, LedgerView, read_ledger
from browser_use_async.batch.ledger.records import MAY_COST
from browser_use_async.cli import options
from browser_use_async.cli.batch.progress import joined_words
from browser_use_async.cli.command import command
from browser_use_async.cli.connect import connect
from browser_use_async.cli.console import Console, counted
from browser_use_async.cli.options import whole
from browser_use_async.cli.screen import Span, Style
from browser_use_async.cli.tables import Head
from browser_use_async.cli.times import in_local_time, local_time
from browser_use_async.errors import ConfigurationError
from browser_use_async.money.amounts import TaskPrice
from browser_use_async.postgres.address import is_postgres
from browser_use_async.prices import TASK_START_CENTS, format_cents


@attrs.frozen
class _Entry:
    """One thing that happened."""

    time: datetime | None  # None where it is not known
    what: str
    about: str
    cents: Decimal | None = None  # what it has cost


@command(
    "explain",
    options.Argument(
        "target",
        "TASK|LEDGER|ADDRESS",
        "a task's id, a token of `run --detach`, the ledger of a batch, or the address of a queue",
        shell_complete=options.complete_files,
    ),
    options.option("--key ITEM", "for a ledger or a queue: show this row only"),
    options.option(
        "--llm-model MODEL",
        "for a task: its model, whose price is used (default: gpt-4.1)",
        type=options.Choice([str(each) for each in LlmModel]),
    ),
    options.option(
        "--max-agent-steps N",
        "for a task: its limit of steps; the step that says that the limit is reached is free "
        "(default: 75)",
        type=whole(1),
    ),
    examples=("explain TASK_ID", "explain run.db", "explain run.db --key paris --json"),
)
async def explain(
    console: Console,
    server: options.ServerOptions,
    target: str,
    key: str | None,
    llm_model: str | None,
    max_agent_steps: int | None,
) -> None:
    """Show what happened to a task or to a batch, and what it cost."""
    # An address may have a password: no task is asked for by it.
    if is_postgres(target) or _is_ledger(Path(target)):
        _explain_ledger(read_ledger(target), key, console)
        return
    if key is not None:
        raise ConfigurationError(f"--key names an item of a ledger, and {Path(target)} is no file")
    async with connect(server, console) as connection:
        handle = connection.session.handle(target)
        task = await connection.session.tasks.get(handle.id)
    model = LlmModel(llm_model or LlmModel.GPT_4_1)
    entries = [*_of_task(task, model, max_agent_steps)]
    _show(task.id, str(task.status), entries, console, task.failure)
    console.info(f"steps are counted by the published price of {model}")


def _is_ledger(path: Path) -> bool:
    """Whether a ledger is meant, existing or not: no task's id has such an ending."""
    is_file = os.path.isfile(path)  # noqa: PTH113 - false for a name that is too long, too
    return is_file or path.suffix in {".db", ".sqlite"}


# --- a ledger -------------------------------------------------------------------------------


def _explain_ledger(view: LedgerView, key: str | None, console: Console) -> None:
    found = False
    for row in view.rows():
        if key is None or key in {row.key, row.name}:
            entries = [*_of_row(row)]
            if row.joined:  # the task is older than the item
                entries = _by_time(entries)
            _show(row.key, str(row.state), entries, console, row.reason)
            found = True
    if key is not None and not found:
        raise ConfigurationError(f"the ledger {view.path or view.name} has no item {key!r}")
    at_stake = sum(view.counts[state] for state in MAY_COST)
    open_items = f"; {at_stake:,} may still cost something" if at_stake else ""
    joined = joined_words(view.joined, view.total, view.joined_failed)
    items = f"{view.total:,} items, {format_cents(view.cost_cents)} spent{open_items}"
    console.info("; ".join(filter(None, (items, joined))))


def _of_row(row: LedgerRow) -> Iterator[_Entry]:
    """The entries of an item in the ledger, in order of time."""
    yield _Entry(row.entered_at, "intended", f"item {row.index + 1:,} of the input")
    for former in row.former_tasks:
        text = f"task {former.task_id} {former.status}, and the item was tried again"
        yield _Entry(None, "failed", text, former.cost_cents)
    if row.sent_at is not None:
        repeated = "" if row.attempts < 2 else f", {row.attempts} times so far"
        yield _Entry(row.sent_at, "sent", f"run-task{repeated}")
    if row.state is ItemState.INTENT and row.sent_at is None:  # of a queue
        yield _Entry(None, "at stake", "a worker has begun it, and its end is not recorded")
    elif row.state is ItemState.INTENT:
        yield _Entry(None, "unknown", "no answer is recorded: the next run looks for its task")
    if row.state is ItemState.UNKNOWN:
        yield _Entry(None, "unknown", row.reason or "the task may exist")
    if row.task_id is not None:
        yield from _beginning_of_row(row)
        yield from _end_of_row(row)
    elif row.error is not None and row.state is not ItemState.UNKNOWN:
        yield _Entry(None, "refused", f"{row.error}: {row.reason}")


def _by_time(entries: Sequence[_Entry]) -> list[_Entry]:
    """Entries in the order of time; one without a time stays behind the one before it."""
    last = datetime.min.replace(tzinfo=UTC)
    timed: list[tuple[datetime, _Entry]] = []
    for each in entries:
        last = each.time or last
        timed.append((last, each))
    return [entry for _time, entry in sorted(timed, key=lambda pair: pair[0])]


def _beginning_of_row(row: LedgerRow) -> Iterator[_Entry]:
    if not row.joined:
        yield _Entry(row.created_at, "created", f"task {row.task_id}")
        return
    yield _Entry(row.sent_at, "joined", "its key names a task of an earlier run, which pays for it")
    yield _Entry(row.created_at, "created", f"task {row.task_id}, by an earlier run")


def _end_of_row(row: LedgerRow) -> Iterator[_Entry]:
    if row.state is ItemState.SUBMITTED:
        yield _Entry(None, "at stake", "its end is not recorded, so its cost is not known yet")
        return
    steps = "" if row.steps is None else f" after {counted(row.steps, 'step')}"
    took = "" if row.seconds is None else f", {row.seconds:.0f} s"
    yield _Entry(row.finished_at, "ended", f"{row.status}{steps}{took}", row.cost_cents)
    if row.error is not None:
        yield _Entry(row.finished_at, "failed", f"{row.error}: {row.reason}")


# --- a task ---------------------------------------------------------------------------------


def _of_task(task: Task, model: LlmModel, max_steps: int | None) -> Iterator[_Entry]:
    """The entries of a task at the service, which has no times of steps."""
    yield _Entry(task.created_at, "created", f"task {task.id}", TASK_START_CENTS)
    for step in task.steps:
        # The last step of a failed task has no goal, but says why it failed.
        texts = (step.next_goal, step.evaluation_previous_goal, step.url)
        if task.status is TaskStatus.FAILED and step is task.steps[-1]:
            texts = (step.evaluation_previous_goal, step.next_goal, step.url)
        yield _Entry(None, f"step {step.step}", next(filter(None, texts), ""))
    # The service reports no limit; a task that fails one step after the default limit has met it.
    cents = TaskPrice.of_terms(max_steps, model).cost(task)
    steps = counted(len(task.steps), "step")
    if task.status.is_terminal:
        took = "" if task.duration is None else f", {task.duration:.0f} s"
        yield _Entry(task.finished_at, "ended", f"{task.status} after {steps}{took}", cents)
    else:
        yield _Entry(None, "at stake", f"{task.status}: {steps} so far", cents)


# --- output ---------------------------------------------------------------------------------


def _show(
    name: str, state: str, entries: Sequence[_Entry], console: Console, reason: str | None
) -> None:
    if not console.shows_text:
        records = [
            {
                "time": None if each.time is None else each.time.isoformat(),
                "what": each.what,
                "about": each.about,
                "cents": None if each.cents is None else float(each.cents),
            }
            for each in entries
        ]
        console.result({"of": name, "state": state, "entries": records})
        return
    console.info()
    console.info(f"{name}: {state}")
    heads = (
        Head(in_local_time("TIME")),
        Head("WHAT"),
        Head("COST", is_number=True),
        Head("ABOUT", is_text=True),
    )
    console.table(heads, [_cells(each) for each in entries])
    if reason:  # whole, since a table on a terminal cuts it
        console.labelled([("why: ", Style.FAINT)], " ".join(reason.split()))


def _cells(entry: _Entry) -> tuple[Span, ...]:
    time = "" if entry.time is None else local_time(entry.time)
    cents = "" if entry.cents is None else format_cents(entry.cents)
    return (time, entry.what, cents, " ".join(entry.about.split()))
