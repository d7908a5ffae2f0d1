"""`tasks`: the task list as a table on a terminal, as one JSON object per line in a pipe."""

import argparse

from browser_use_async import TaskStatus, TaskSummary
from browser_use_async.cli.actions import local_time, show_rows
from browser_use_async.cli.connect import connect
from browser_use_async.cli.console import Console
from browser_use_async.cli.exit_codes import ExitCode
from browser_use_async.cli.options import add_connection_options, moment
from browser_use_async.cli.progress import status_span
from browser_use_async.cli.screen import Span

_LARGEST_PAGE = 100


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
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
    add_connection_options(parser)


async def execute(options: argparse.Namespace, console: Console) -> int:
    """List the tasks."""
    async with connect(options, console) as connection:
        rows = connection.session.iterate_all_tasks(
            statuses=options.status,
            created_after=options.created_after,
            # No larger page than is shown; None, for --all, takes the largest.
            page_size=min(options.limit or _LARGEST_PAGE, _LARGEST_PAGE),
        )
        headings = ("ID", "STATUS", "CREATED", "TASK")
        listed = await show_rows(rows, console, headings, _cells, options.limit)
    if not listed:
        console.info("no such tasks")
    return ExitCode.FINISHED


def _cells(row: TaskSummary) -> tuple[Span, ...]:
    return (row.id, status_span(row.status), local_time(row.created_at), " ".join(row.task.split()))


def _limit(text: str) -> int:
    limit = int(text)
    if limit < 1:
        raise argparse.ArgumentTypeError("at least 1; use --all for every task")
    return limit
