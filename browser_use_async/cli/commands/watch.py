"""`watch`: follow an existing task until its end; the task runs on if `watch` is interrupted."""

import argparse
import asyncio

from browser_use_async import TaskHandle, TaskStatus
from browser_use_async.cli.answer import add_answer_options, print_answer
from browser_use_async.cli.connect import Connection, connect
from browser_use_async.cli.console import Console
from browser_use_async.cli.exit import ExitCode
from browser_use_async.cli.options import add_connection_options, seconds
from browser_use_async.cli.progress import TaskProgress
from browser_use_async.errors import WaitTimeoutError

# The prefix of submission tokens.
_SUBMISSION = "bu1."


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument(
        "task",
        metavar="TASK_ID|TOKEN",
        help="the task's id, the token that `run --detach` printed, or the submission token of a "
        "task of which it is not known whether it exists",
    )
    parser.add_argument("--timeout", type=seconds, metavar="SECONDS", help="how long to wait")
    add_answer_options(parser)
    add_connection_options(parser)


async def execute(options: argparse.Namespace, console: Console) -> int:
    """Follow the task."""
    console.is_quiet = options.output_only
    async with connect(options, console) as connection:
        handle = await _handle(connection, options.task, console)
        if handle is None:
            console.error("no such task was created: submitting it again pays for one task only")
            return ExitCode.TASK_FAILED
        return await _watch(handle, options, console)


async def _handle(connection: Connection, task: str, console: Console) -> TaskHandle | None:
    if not task.startswith(_SUBMISSION):
        return connection.session.handle(task)
    with console.status("looking for the task"):
        found = await connection.session.resolve_submission(task)
    return None if found is None else connection.session.handle(found.id)


async def _watch(handle: TaskHandle, options: argparse.Namespace, console: Console) -> int:
    progress = TaskProgress(console, created=False)
    try:
        async with progress:
            progress.follow(handle)
            task = await handle.wait(timeout=options.timeout)
    except WaitTimeoutError as error:
        return progress.report_timeout(error, "leave")
    except asyncio.CancelledError:
        progress.report_exit("leave")
        raise
    progress.report_end(task)
    print_answer(task, options, console)
    return ExitCode.FINISHED if task.status is TaskStatus.FINISHED else ExitCode.TASK_FAILED
