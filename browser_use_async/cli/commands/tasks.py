"""`tasks`: the task list as a table on a terminal, as JSON lines in a pipe, and one task."""

from collections.abc import AsyncGenerator, Sequence
from datetime import datetime

from browser_use_async import TaskStatus, TaskSummary
from browser_use_async.cli.answer import OUTPUT_ONLY, print_answer
from browser_use_async.cli.command import Group
from browser_use_async.cli.completers import complete_tasks
from browser_use_async.cli.connect import connect
from browser_use_async.cli.console import Console
from browser_use_async.cli.lists import Column, Listing
from browser_use_async.cli.options import Argument, Choice, ServerOptions, group, option
from browser_use_async.cli.progress import status_span
from browser_use_async.cli.screen import Style
from browser_use_async.cli.values import moment, pair, whole

_LARGEST_PAGE = 100

tasks = Group(
    "tasks",
    "List your tasks, the newest first, or show one.",
    default="list",
    examples=("tasks", "tasks --status failed --created-after 2h", "tasks show TASK_ID"),
)


_ROWS = Listing(
    "no such tasks",
    (
        Column[TaskSummary]("id"),
        Column("status", lambda row: status_span(row.status)),
        Column("created_at"),
        Column("task", is_text=True),
    ),
    TaskSummary,
)


@tasks.listing(
    "list",
    _ROWS,
    *group(
        "which tasks",
        option(
            "--status",
            "only tasks in this status; repeatable",
            type=Choice([str(status) for status in TaskStatus]),
            multiple=True,
        ),
        option(
            "--created-after TIME",
            "only tasks created after this time, 2026-03-01T12:00 (in UTC unless it has a zone), "
            "or within an age such as 90m, 2h, 7d",
            type=moment,
        ),
        option("--text TEXT", "only tasks whose text contains this, in upper or lower case"),
        option(
            "--metadata NAME=VALUE",
            "only tasks with this pair in their metadata; repeatable, then all must be there",
            type=pair,
            multiple=True,
        ),
        option(
            "--limit N",
            "at most N tasks (default: 20)",
            type=whole(1),
            default=20,
        ),
        option("--all", "all tasks, however many there are", name="every"),
        about="The API does not search texts and metadata. With --text or --metadata this command "
        "reads the list, 100 tasks per request, until it has found N tasks. Requests are free.",
    ),
    examples=(
        "tasks list --status failed --limit 5",
        "tasks list --metadata customer=42 --created-after 7d",
        "tasks list --columns status,finished_at,task",
        "tasks list --all --json id,status > tasks.jsonl",
    ),
)
async def _list(
    console: Console,
    server: ServerOptions,
    status: Sequence[str],
    created_after: datetime | None,
    text: str | None,
    metadata: Sequence[tuple[str, str]],
    limit: int,
    every: bool,
) -> AsyncGenerator[TaskSummary, None]:
    """List your tasks, the newest first."""
    most = None if every else limit
    is_searched = bool(text or metadata)
    async with connect(server, console) as connection:
        rows = connection.session.tasks.iterate(
            statuses=[TaskStatus(each) for each in status] or None,
            created_after=created_after,
            # No larger page than is shown; a search reads the largest pages.
            page_size=_LARGEST_PAGE if is_searched else min(most or _LARGEST_PAGE, _LARGEST_PAGE),
        )
        found = 0
        async for row in rows:
            if (text or "").casefold() not in row.task.casefold():
                continue
            if not set(metadata) <= row.metadata.items():
                continue
            yield row
            found += 1
            if found == most:
                return


@tasks.action(
    "show",
    Argument("task", "TASK_ID|TOKEN", "the task", shell_complete=complete_tasks),
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
