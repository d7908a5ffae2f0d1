"""`open`: a task's page in the browser, or its address where there is none."""

import asyncio
import webbrowser

from browser_use_async.cli.command import command
from browser_use_async.cli.completers import complete_tasks
from browser_use_async.cli.connect import connect
from browser_use_async.cli.console import Console
from browser_use_async.cli.exit import ExitCode
from browser_use_async.cli.options import Argument, ServerOptions, option


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
