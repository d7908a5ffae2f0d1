"""`tasks`: the task list as a table on a terminal, as one JSON object per line in a pipe."""

import argparse
from datetime import datetime

from browser_use_async import TaskStatus, TaskSummary
from browser_use_async.cli.console import Console, Span
from browser_use_async.cli.exit_codes import ExitCode
from browser_use_async.cli.options import add_target_options, moment
from browser_use_async.cli.progress import status_span
from browser_use_async.cli.target import open_target
from browser_use_async.contract.conversion import unstructure

__all__ = ["configure", "execute"]

_LARGEST_PAGE = 100


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options.

    Args:
        parser: The command's parser.
    """
    parser.add_argument(
        "--status",
        action="append",
        choices=[str(status) for status in TaskStatus],
        help="only tasks in this status; repeatable",
    )
    parser.add_argument(
        "--created-after",
        type=moment,
        metavar="TIME",
        help="only tasks created since: 2026-03-01T12:00 (UTC unless it says otherwise), or an "
        "age such as 90m, 2h, 7d",
    )
    parser.add_argument(
        "--limit", type=_limit, default=20, metavar="N", help="at most N tasks (default: 20)"
    )
    parser.add_argument(
        "--all",
        action="store_const",
        const=None,
        dest="limit",
        help="every task there is",
    )
    add_target_options(parser)


async def execute(options: argparse.Namespace, console: Console) -> int:
    """List the tasks.

    Args:
        options: The parsed command line.
        console: Where to write.
    """
    rows: list[TaskSummary] = []
    as_table = console.results_are_read_by_people
    async with open_target(options, console) as target:
        listed = 0
        async for row in target.session.iterate_all_tasks(
            statuses=options.status,
            created_after=options.created_after,
            page_size=min(options.limit or _LARGEST_PAGE, _LARGEST_PAGE),
        ):
            if as_table:
                rows.append(row)
            else:
                console.emit(unstructure(row))
            listed += 1
            if listed == options.limit:
                break
    if as_table:
        console.table(("ID", "STATUS", "CREATED", "TASK"), [_cells(row) for row in rows])
    if not listed:
        console.say("no such tasks")
    return ExitCode.FINISHED


def _cells(row: TaskSummary) -> tuple[Span, ...]:
    return (row.id, status_span(row.status), _local(row.created_at), " ".join(row.task.split()))


def _local(created_at: datetime | None) -> str:
    return "?" if created_at is None else f"{created_at.astimezone():%Y-%m-%d %H:%M:%S}"


def _limit(text: str) -> int:
    limit = int(text)
    if limit < 1:
        raise argparse.ArgumentTypeError("at least 1; use --all for every task")
    return limit
