"""Existing tasks: `tasks` lists and shows them; `stop`, `pause` and `resume`; `open`."""

import asyncio
import webbrowser
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from datetime import datetime

import attrs

from browser_use_async import TaskHandle, TaskStatus, TaskSummary
from browser_use_async.cli.command import Command, Group, command
from browser_use_async.cli.completers import complete_tasks
from browser_use_async.cli.connect import connect
from browser_use_async.cli.console import Console
from browser_use_async.cli.exit import ExitCode, exit_code_of
from browser_use_async.cli.options import (
    Argument,
    Choice,
    ServerOptions,
    group,
    moment,
    option,
    pair,
    whole,
)
from browser_use_async.cli.progress import OUTPUT_ONLY, print_answer, status_span
from browser_use_async.cli.screen import Style
from browser_use_async.cli.tables import Column, Listing
from browser_use_async.errors import BrowserUseError
from browser_use_async.paging import PageIterator

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
        Column("owner", lambda row: row.extra.get("owner"), is_optional=True),
        Column("task", is_text=True),
    ),
    [*(each.name for each in attrs.fields(TaskSummary) if each.name != "extra"), "owner"],
)
_OWNER = option(
    "--owner NAME",
    "tasks of another owner of a server of your own, or of `all`; the key needs the scope admin",
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
        _OWNER,
        option("--limit N", "at most N tasks (default: 20)", type=whole(1), default=20),
        option("--all", "all tasks, however many there are", name="every"),
        about="The API does not search texts and metadata. With --text or --metadata this command "
        "reads the list, 100 tasks per request, until it has found N tasks. Requests are free.",
    ),
    examples=(
        "tasks list --status failed --limit 5",
        "tasks list --metadata customer=42 --created-after 7d",
        "tasks list --columns status,finished_at,task",
        "tasks list --all --json id,status > tasks.jsonl",
        "tasks list --owner all --status failed",
    ),
)
async def _list(
    console: Console,
    server: ServerOptions,
    status: Sequence[str],
    created_after: datetime | None,
    text: str | None,
    metadata: Sequence[tuple[str, str]],
    owner: str | None,
    limit: int,
    every: bool,
) -> AsyncGenerator[TaskSummary, None]:
    """List your tasks, the newest first."""
    most = None if every else limit
    is_searched = bool(text or metadata)
    async with connect(server, console) as connection:
        tasks = connection.session.tasks
        rows = PageIterator(
            (tasks if owner is None else tasks.of_owner(owner)).list,
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
    _OWNER,
    examples=("tasks show TASK_ID", "tasks show TASK_ID --output-only"),
)
async def _show(
    console: Console, server: ServerOptions, task: str, output_only: bool, owner: str | None
) -> None:
    """Show one task and its answer, finished or not."""
    console.is_quiet = output_only
    async with connect(server, console) as connection:
        session = connection.session
        tasks = session.tasks if owner is None else session.tasks.of_owner(owner)
        found = await tasks.get(session.handle(task).id)
        print_answer(found, console, output_only=output_only)
        if found.failure is not None:
            console.labelled([("why: ", Style.FAINT)], found.failure)


_TASKS = Argument(
    "tasks", "TASK_ID|TOKEN", "the tasks", nargs=-1, required=True, shell_complete=complete_tasks
)


def _control(call: Callable[[TaskHandle], Awaitable[None]], about: str, *examples: str) -> Command:
    """A command that makes a call for each task, also after a refused one."""
    name = call.__name__

    async def execute(console: Console, server: ServerOptions, tasks: Sequence[str]) -> ExitCode:
        code = ExitCode.FINISHED  # the first failure decides it
        async with connect(server, console) as connection:
            # Not concurrently, so that the output has the order of the arguments.
            for task in tasks:
                handle = connection.session.handle(task)
                answer = {"id": handle.id, "command": name, "ok": True}
                try:
                    await call(handle)
                except BrowserUseError as error:
                    code = code or exit_code_of(error)
                    console.error(f"task {handle.id}: {error}")
                    console.result({**answer, "ok": False, "error": str(error)})
                else:
                    console.info(("ok ", Style.GOOD), f"{name} {handle.id}")
                    console.result(answer)
        return code

    execute.__doc__ = about
    return command(name, _TASKS, examples=examples)(execute)


stop = _control(
    TaskHandle.stop, "Stop tasks; they cannot be continued.", "stop TASK_ID", "stop TASK_ID TASK_ID"
)
pause = _control(TaskHandle.pause, "Pause running tasks.", "pause TASK_ID")
resume = _control(TaskHandle.resume, "Continue paused tasks.", "resume TASK_ID")


@command(
    "open",
    Argument("task", "TASK_ID|TOKEN", "the task", shell_complete=complete_tasks),
    option("--print", "print the address, and open nothing", name="only_prints"),
    examples=("open TASK_ID", "open TASK_ID --print"),
)
async def open(  # noqa: A001 - the name of the command
    console: Console, server: ServerOptions, task: str, only_prints: bool
) -> int:
    """Open the page of a task in the browser.

    It is the live page, on which a running task can be steered, so its address is a secret. Without
    a browser or a terminal, the address is printed.
    """
    async with connect(server, console) as connection:
        session = connection.session
        found = await session.tasks.get(session.handle(task).id)
    address = found.live_url or found.public_share_url
    if address is None:
        console.error(f"the server has no page for task {found.id}")
        return ExitCode.API
    # The address is passed to a program of this machine: it must be no option and no file.
    if not address.startswith(("https://", "http://")):
        console.error(f"the server's address for task {found.id} is none of a page")
        return ExitCode.API
    is_asked_to_open = console.stdout_is_terminal and not only_prints
    if is_asked_to_open and await asyncio.to_thread(webbrowser.open, address):
        console.info(f"the page of task {found.id} is open in the browser")
    elif console.is_json:
        console.result({"id": found.id, "url": address})
    else:
        console.answer(address)
    return ExitCode.FINISHED
