"""`watch`: follow an existing task until its end. An interruption leaves the task running."""

import asyncio

from browser_use_async import TaskHandle
from browser_use_async.cli.answer import OUTPUT_ONLY, print_answer
from browser_use_async.cli.command import command
from browser_use_async.cli.completers import complete_tasks
from browser_use_async.cli.connect import Connection, connect
from browser_use_async.cli.console import Console
from browser_use_async.cli.exit import ExitCode
from browser_use_async.cli.options import Argument, ServerOptions, option
from browser_use_async.cli.progress import TaskProgress
from browser_use_async.cli.values import seconds
from browser_use_async.errors import WaitTimeoutError

# The prefix of submission tokens.
_SUBMISSION = "bu1."


@command(
    "watch",
    Argument(
        "task",
        "TASK_ID|TOKEN",
        "the task's id, a token of `run --detach`, or the submission token of an error message",
        shell_complete=complete_tasks,
    ),
    option("--timeout SECONDS", "how long to wait for its end", type=seconds),
    OUTPUT_ONLY,
    examples=("watch TASK_ID", "watch TASK_ID --timeout 60 --output-only"),
)
async def watch(
    console: Console, server: ServerOptions, task: str, timeout: float | None, output_only: bool
) -> int:
    """Follow an existing task until it ends."""
    console.is_quiet = output_only
    async with connect(server, console) as connection:
        handle = await _handle(connection, task, console)
        if handle is None:
            console.error("no such task was created: submitting it again pays for one task only")
            return ExitCode.TASK_FAILED
        return await _watch(handle, timeout, console, output_only=output_only)


async def _handle(connection: Connection, task: str, console: Console) -> TaskHandle | None:
    if not task.startswith(_SUBMISSION):
        return connection.session.handle(task)
    with console.status("looking for the task"):
        found = await connection.session.resolve_submission(task)
    return None if found is None else connection.session.handle(found.id)


async def _watch(
    handle: TaskHandle, timeout: float | None, console: Console, *, output_only: bool
) -> int:
    progress = TaskProgress(console, created=False)
    try:
        async with progress:
            progress.follow(handle)
            task = await handle.wait(timeout=timeout)
    except WaitTimeoutError as error:
        return progress.report_timeout(error, "leave")
    except asyncio.CancelledError:
        progress.report_exit("leave")
        raise
    progress.report_end(task)
    print_answer(task, console, output_only=output_only)
    task.raise_for_status()
    return ExitCode.FINISHED
