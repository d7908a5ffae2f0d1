"""`tasks`: the task list as a table on a terminal, as JSON lines in a pipe, and one task."""

from collections.abc import Sequence
from datetime import datetime

from browser_use_async import TaskStatus, TaskSummary
from browser_use_async.cli.answer import OUTPUT_ONLY, print_answer
from browser_use_async.cli.command import Group
from browser_use_async.cli.connect import connect
from browser_use_async.cli.console import Console
from browser_use_async.cli.options import Argument, Choice, ServerOptions, option
from browser_use_async.cli.progress import status_span
from browser_use_async.cli.rows import in_local_time, local_time, show_rows
from browser_use_async.cli.screen import Span, Style
from browser_use_async.cli.values import moment, whole

_LARGEST_PAGE = 100

tasks = Group(
    "tasks",
    "List the tasks of the account, newest first, or show one.",
    default="list",
    examples=("tasks", "tasks --status failed --created-after 2h", "tasks show TASK_ID"),
)


@tasks.action(
    "list",
    option(
        "--status",
        "only tasks in this status; repeatable",
        type=Choice([str(status) for status in TaskStatus]),
        multiple=True,
    ),
    option(
        "--created-after TIME",
        "only tasks created since: 2026-03-01T12:00 (UTC unless it says otherwise), or an age "
        "such as 90m, 2h, 7d",
        type=moment,
    ),
    option(
        "--limit N",
        "at most N tasks (default: 20); --all for every task",
        type=whole(1),
        default=20,
    ),
    option("--all", "every task there is", name="every"),
    examples=("tasks list --limit 5", "tasks list --all --json > tasks.jsonl"),
)
async def _list(
    console: Console,
    server: ServerOptions,
    status: Sequence[str],
    created_after: datetime | None,
    limit: int,
    every: bool,
) -> None:
    """List the tasks of the account, newest first."""
    most = None if every else limit
    async with connect(server, console) as connection:
        rows = connection.session.tasks.iterate(
            statuses=[TaskStatus(each) for each in status] or None,
            created_after=created_after,
            # No larger page than is shown; all of them come in the largest.
            page_size=min(most or _LARGEST_PAGE, _LARGEST_PAGE),
        )
        headings = ("ID", "STATUS", in_local_time("CREATED"), "TASK")
        if not await show_rows(rows, console, headings, _cells, most):
            console.info("no such tasks")


@tasks.action(
    "show",
    Argument("task", "TASK_ID|TOKEN", "the task"),
    OUTPUT_ONLY,
    examples=("tasks show TASK_ID", "tasks show TASK_ID --output-only"),
)
async def _show(console: Console, server: ServerOptions, task: str, output_only: bool) -> None:
    """Show one task and its answer, finished or not."""
    console.is_quiet = output_only
    async with connect(server, console) as connection:
        session = connection.session
        found = await session.tasks.get(session.handle(task).id)
        print_answer(found, console, output_only=output_only)
        if found.failure is not None:
            console.labelled([("why: ", Style.FAINT)], found.failure)


def _cells(row: TaskSummary) -> tuple[Span, ...]:
    return (row.id, status_span(row.status), local_time(row.created_at), " ".join(row.task.split()))
