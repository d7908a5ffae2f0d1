"""`watch`: follow a task that exists, whoever created it. It always goes on by itself."""

import argparse
import asyncio

from browser_use_async import TaskHandle, TaskStatus
from browser_use_async.api.converter import unstructure
from browser_use_async.cli.console import Console
from browser_use_async.cli.exit_codes import ExitCode
from browser_use_async.cli.options import add_target_options, seconds
from browser_use_async.cli.progress import Progress
from browser_use_async.cli.target import Target, open_target
from browser_use_async.errors import WaitTimeoutError

__all__ = ["configure", "execute"]

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
    add_target_options(parser)


async def execute(options: argparse.Namespace, console: Console) -> int:
    """Follow the task."""
    async with open_target(options, console) as target:
        handle = await _handle(target, options.task, console)
        if handle is None:
            console.failure("no such task was created: submitting it again pays for one task only")
            return ExitCode.TASK_FAILED
        return await _watch(handle, options.timeout, console)


async def _handle(target: Target, task: str, console: Console) -> TaskHandle | None:
    if not task.startswith(_SUBMISSION):
        return target.session.handle(task)
    with console.working("looking for the task"):
        found = await target.session.resolve_submission(task)
    return None if found is None else target.session.handle(found.id)


async def _watch(handle: TaskHandle, timeout: float | None, console: Console) -> int:
    loop = asyncio.get_running_loop()
    began = loop.time()
    progress = Progress(console)
    try:
        async with progress:
            progress.follow(handle)
            task = await handle.wait(timeout=timeout)
    except WaitTimeoutError as error:
        return progress.give_up(error, "leave")
    except asyncio.CancelledError:
        progress.say_fate("leave")
        raise
    progress.conclude(task, loop.time() - began)
    console.emit(unstructure(task))
    return ExitCode.FINISHED if task.status is TaskStatus.FINISHED else ExitCode.TASK_FAILED
