"""`tasks`: the task list as a table on a terminal, as JSON lines in a pipe, and one task."""

import argparse

from browser_use_async import TaskStatus, TaskSummary
from browser_use_async.cli.actions import (
    Action,
    add_actions,
    in_local_time,
    local_time,
    run_action,
    show_rows,
)
from browser_use_async.cli.answer import add_answer_options, print_answer
from browser_use_async.cli.connect import Connection
from browser_use_async.cli.console import Console
from browser_use_async.cli.exit import ExitCode
from browser_use_async.cli.options import moment, whole
from browser_use_async.cli.progress import status_span
from browser_use_async.cli.screen import Span

_LARGEST_PAGE = 100


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the actions."""
    add_actions(parser, _ACTIONS)


async def execute(options: argparse.Namespace, console: Console) -> int:
    """Run the action that was given."""
    return await run_action(_ACTIONS, options, console)


def _configure_list(parser: argparse.ArgumentParser) -> None:
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
        "--limit",
        type=whole(1),
        default=20,
        metavar="N",
        help="at most N tasks (default: 20); --all for every task",
    )
    parser.add_argument(
        "--all",
        action="store_const",
        const=None,
        dest="limit",
        help="every task there is",
    )


def _configure_show(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("task", metavar="TASK_ID|TOKEN", help="the task")
    add_answer_options(parser)


async def _list(connection: Connection, options: argparse.Namespace, console: Console) -> int:
    rows = connection.session.iterate_all_tasks(
        statuses=options.status,
        created_after=options.created_after,
        # No larger page than is shown; None, for --all, takes the largest.
        page_size=min(options.limit or _LARGEST_PAGE, _LARGEST_PAGE),
    )
    headings = ("ID", "STATUS", in_local_time("CREATED"), "TASK")
    if not await show_rows(rows, console, headings, _cells, options.limit):
        console.info("no such tasks")
    return ExitCode.FINISHED


async def _show(connection: Connection, options: argparse.Namespace, console: Console) -> int:
    console.is_quiet = options.output_only
    session = connection.session
    task = await session.tasks.get(session.handle(options.task).id)
    print_answer(task, options, console)
    return ExitCode.FINISHED


def _cells(row: TaskSummary) -> tuple[Span, ...]:
    return (row.id, status_span(row.status), local_time(row.created_at), " ".join(row.task.split()))


_ACTIONS = {
    "list": Action("list the tasks of the account, newest first", _configure_list, _list),
    "show": Action("show one task and its answer, finished or not", _configure_show, _show),
}
