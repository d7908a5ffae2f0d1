"""`stop`, `pause` and `resume`: one call for each task given."""

from collections.abc import Awaitable, Callable, Sequence

from browser_use_async import TaskHandle
from browser_use_async.cli.command import command
from browser_use_async.cli.completers import complete_tasks
from browser_use_async.cli.connect import connect
from browser_use_async.cli.console import Console
from browser_use_async.cli.exit import ExitCode, exit_code_of
from browser_use_async.cli.options import Argument, ServerOptions
from browser_use_async.cli.screen import Style
from browser_use_async.errors import BrowserUseError

_TASKS = Argument(
    "tasks", "TASK_ID|TOKEN", "the tasks", nargs=-1, required=True, shell_complete=complete_tasks
)


@command("stop", _TASKS, examples=("stop TASK_ID", "stop TASK_ID TASK_ID"))
async def stop(console: Console, server: ServerOptions, tasks: Sequence[str]) -> ExitCode:
    """Stop tasks; they cannot be continued."""
    return await _control("stop", TaskHandle.stop, tasks, server, console)


@command("pause", _TASKS, examples=("pause TASK_ID",))
async def pause(console: Console, server: ServerOptions, tasks: Sequence[str]) -> ExitCode:
    """Pause running tasks."""
    return await _control("pause", TaskHandle.pause, tasks, server, console)


@command("resume", _TASKS, examples=("resume TASK_ID",))
async def resume(console: Console, server: ServerOptions, tasks: Sequence[str]) -> ExitCode:
    """Continue paused tasks."""
    return await _control("resume", TaskHandle.resume, tasks, server, console)


async def _control(
    name: str,
    call: Callable[[TaskHandle], Awaitable[None]],
    tasks: Sequence[str],
    server: ServerOptions,
    console: Console,
) -> ExitCode:
    """Make the calls one after the other, also after a refused one."""
    codes: list[ExitCode] = []
    async with connect(server, console) as connection:
        # Not concurrently, so that the output has the order of the arguments.
        for task in tasks:
            handle = connection.session.handle(task)
            codes.append(await _report(name, call, handle, console))
    # The first failure decides the exit code.
    return next((code for code in codes if code is not ExitCode.FINISHED), ExitCode.FINISHED)


async def _report(
    name: str, call: Callable[[TaskHandle], Awaitable[None]], handle: TaskHandle, console: Console
) -> ExitCode:
    try:
        await call(handle)
    except BrowserUseError as error:
        console.error(f"task {handle.id}: {error}")
        console.result({"id": handle.id, "command": name, "ok": False, "error": str(error)})
        return exit_code_of(error)
    console.info(("ok ", Style.GOOD), f"{name} {handle.id}")
    console.result({"id": handle.id, "command": name, "ok": True})
    return ExitCode.FINISHED
