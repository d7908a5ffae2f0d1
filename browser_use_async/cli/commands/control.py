"""`stop`, `pause` and `resume`: one call for each task given."""

import argparse
from collections.abc import Awaitable, Callable

from browser_use_async import TaskHandle
from browser_use_async.cli.connect import connect
from browser_use_async.cli.console import Console
from browser_use_async.cli.exit import ExitCode, exit_code_of
from browser_use_async.cli.options import add_connection_options
from browser_use_async.cli.screen import Style
from browser_use_async.errors import BrowserUseError

_CALLS: dict[str, Callable[[TaskHandle], Awaitable[None]]] = {
    "stop": TaskHandle.stop,
    "pause": TaskHandle.pause,
    "resume": TaskHandle.resume,
}


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("tasks", nargs="+", metavar="TASK_ID|TOKEN", help="the tasks")
    add_connection_options(parser)


async def execute(options: argparse.Namespace, console: Console) -> int:
    """Make the calls one after the other, the rest also if one is refused."""
    codes: list[ExitCode] = []
    async with connect(options, console) as connection:
        # Not concurrently, so that the output has the order of the arguments.
        for task in options.tasks:
            handle = connection.session.handle(task)
            codes.append(await _call(handle, options.command, console))
    # The first failure decides the exit code.
    return next((code for code in codes if code is not ExitCode.FINISHED), ExitCode.FINISHED)


async def _call(handle: TaskHandle, command: str, console: Console) -> ExitCode:
    try:
        await _CALLS[command](handle)
    except BrowserUseError as error:
        console.error(f"task {handle.id}: {error}")
        console.result({"id": handle.id, "command": command, "ok": False, "error": str(error)})
        return exit_code_of(error)
    console.info(("ok ", Style.GOOD), f"{command} {handle.id}")
    console.result({"id": handle.id, "command": command, "ok": True})
    return ExitCode.FINISHED
