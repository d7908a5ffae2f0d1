"""`run` creates a task and waits for its end; `watch` waits for the end of an existing task."""

import asyncio
from contextlib import suppress

from browser_use_async import TaskHandle, errors
from browser_use_async.cli.command import command
from browser_use_async.cli.completers import complete_tasks
from browser_use_async.cli.connect import Connection, connect
from browser_use_async.cli.console import Console
from browser_use_async.cli.exit import ExitCode, report_error
from browser_use_async.cli.fields import TASK_OPTIONS, task_fields
from browser_use_async.cli.options import (
    Argument,
    Choice,
    ServerOptions,
    either,
    group,
    option,
    seconds,
    submission_key,
)
from browser_use_async.cli.progress import OUTPUT_ONLY, TaskProgress, print_answer
from browser_use_async.lifecycle.create import EndAction
from browser_use_async.types import RunTaskFields, Task

_ON_EXIT = ("leave", "stop", "pause")


@command(
    "run",
    Argument(
        "task", "TASK", "what the agent should do; with --local, {site} stands for the example site"
    ),
    *TASK_OPTIONS,
    *group(
        "waiting",
        *either(
            option("--timeout SECONDS", "how long to wait for its end", type=seconds),
            option("--detach", "print the task's id and a token, and do not wait for its end"),
        ),
        option(
            "--on-timeout",
            "what to do with the task when the time is over (default: leave)",
            type=Choice(_ON_EXIT),
            default="leave",
        ),
        option(
            "--on-cancel",
            "what to do with the task on Ctrl-C (default: stop; with --key: leave)",
            type=Choice(_ON_EXIT),
        ),
    ),
    option(
        "--key",
        "a name for this work: the same key means the same task, which is paid for once",
        type=submission_key,
    ),
    OUTPUT_ONLY,
    examples=(
        'run --local "Open https://example.com and tell me its title"',
        'run "Find the price of tea on shop.example" --allowed-domain shop.example --timeout 300',
        'run "List all prices" --schema prices.schema.json --output-only > prices.json',
        'run "Download the report" --detach',
    ),
)
async def run(
    console: Console,
    server: ServerOptions,
    task: str,
    timeout: float | None,
    detach: bool,
    on_timeout: EndAction,
    on_cancel: EndAction | None,
    key: str | None,
    output_only: bool,
    **fields: object,
) -> int:
    """Run a task, show its steps and print the finished task."""
    console.is_quiet = output_only
    if detach:
        _check_detached(server, output_only=output_only)
    given = task_fields(fields)
    on_cancel = on_cancel or ("stop" if key is None else "leave")
    async with connect(server, console) as connection:
        if detach:
            await _submit(connection, task, key, given, console)
            return ExitCode.FINISHED
        loop = asyncio.get_running_loop()
        began = loop.time()
        progress = TaskProgress(console)

        def answer(task: Task) -> None:
            cost_cents = connection.session.cost(task)
            print_answer(task, console, output_only=output_only, cost_cents=cost_cents)

        try:
            async with progress:
                done = await connection.session.run_and_wait(
                    connection.fill_in(task),
                    key=key,
                    timeout=timeout,
                    on_timeout=on_timeout,
                    on_cancel=on_cancel,
                    on_created=progress.follow,
                    **given,
                )
        except errors.TaskError as error:
            progress.report_end(error.task)
            # A failed task is a result, too, which scripts find on stdout.
            answer(error.task)
            raise
        except errors.WaitTimeoutError as error:
            return progress.report_timeout(error, on_timeout)
        except (errors.SubmissionUnknownError, errors.APITimeoutError) as error:
            code = report_error(error, console)
            # The timeout also ends run-task, and the search for a task whose answer was lost.
            is_late = timeout is not None and loop.time() - began >= timeout
            return ExitCode.TIMED_OUT if is_late else code
        except asyncio.CancelledError:
            progress.report_exit(on_cancel)
            raise
        progress.report_end(done)
        answer(done)
    return ExitCode.FINISHED


def _check_detached(server: ServerOptions, *, output_only: bool) -> None:
    if output_only:
        raise errors.ConfigurationError(
            "--output-only waits for the output, and --detach does not wait"
        )
    if server.local:
        raise errors.ConfigurationError("--detach leaves a task to a server that ends with --local")


async def _submit(
    connection: Connection, task: str, key: str | None, fields: RunTaskFields, console: Console
) -> None:
    session = connection.session
    handle = await session.submit(connection.fill_in(task), key=key, **fields)
    # First of all, since the task is paid for, and the next call may fail.
    console.result({"id": handle.id, "token": handle.to_token()})
    state = "the key names a task that exists already" if handle.joined else "the task is created"
    advice = f"to follow it: browser-use-async watch {handle.id}"
    with suppress(errors.BrowserUseError):
        status = await session.tasks.get_status(handle.id)
        state += f", status {status}"
        if status.is_terminal:
            advice = f"to see its answer: browser-use-async tasks show {handle.id}"
    console.info(f"{state}; {advice}")


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
        progress = TaskProgress(console, created=False)
        try:
            async with progress:
                progress.follow(handle)
                done = await handle.wait(timeout=timeout)
        except errors.WaitTimeoutError as error:
            return progress.report_timeout(error, "leave")
        except asyncio.CancelledError:
            progress.report_exit("leave")
            raise
        progress.report_end(done)
        print_answer(done, console, output_only=output_only)
        done.raise_for_status()
    return ExitCode.FINISHED


async def _handle(connection: Connection, task: str, console: Console) -> TaskHandle | None:
    if not task.startswith(_SUBMISSION):
        return connection.session.handle(task)
    with console.status("looking for the task"):
        lost = errors.SubmissionUnknownError("", submission_token=task)
        found = await lost.resolve(connection.session)
    return None if found is None else connection.session.handle(found.id)
