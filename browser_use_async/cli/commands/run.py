"""`run`: create a task and stay until its end, or leave at once with `--detach`."""

import argparse
import asyncio

from browser_use_async.cli.answer import add_answer_options, print_answer
from browser_use_async.cli.connect import Connection, connect
from browser_use_async.cli.console import Console
from browser_use_async.cli.exit import ExitCode, report_error
from browser_use_async.cli.field_options import add_task_options, task_fields
from browser_use_async.cli.options import add_connection_options, seconds
from browser_use_async.cli.progress import TaskProgress
from browser_use_async.errors import (
    APITimeoutError,
    ConfigurationError,
    SubmissionUnknownError,
    TaskError,
    WaitTimeoutError,
)

_ON_EXIT = ("leave", "stop", "pause")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument(
        "task",
        metavar="TASK",
        help="what the agent should do; with --local, {site} stands for the example site",
    )
    add_task_options(parser)
    waiting = parser.add_argument_group("waiting")
    end = waiting.add_mutually_exclusive_group()
    end.add_argument("--timeout", type=seconds, metavar="SECONDS", help="how long to wait")
    end.add_argument(
        "--detach", action="store_true", help="print the task's id and a token, and do not wait"
    )
    waiting.add_argument(
        "--on-timeout",
        choices=_ON_EXIT,
        default="leave",
        help="what becomes of the task when the time is up (default: leave)",
    )
    waiting.add_argument(
        "--on-cancel",
        choices=_ON_EXIT,
        default="stop",
        help="what becomes of the task on Ctrl-C (default: stop)",
    )
    add_answer_options(parser)
    add_connection_options(parser)


async def execute(options: argparse.Namespace, console: Console) -> int:
    """Run the task."""
    console.is_quiet = options.output_only
    if options.detach and options.output_only:
        raise ConfigurationError("--output-only waits for the output, and --detach does not wait")
    if options.detach and options.local:
        raise ConfigurationError("--detach leaves a task to a server that ends with --local")
    async with connect(options, console) as connection:
        if options.detach:
            return await _submit(connection, options, console)
        return await _run(connection, options, console)


async def _submit(connection: Connection, options: argparse.Namespace, console: Console) -> int:
    handle = await connection.session.submit(
        connection.fill_in(options.task), **task_fields(options)
    )
    console.info(f"the task runs; to follow it: browser-use-async watch {handle.id}")
    console.result({"id": handle.id, "token": handle.to_token()})
    return ExitCode.FINISHED


async def _run(connection: Connection, options: argparse.Namespace, console: Console) -> int:
    loop = asyncio.get_running_loop()
    began = loop.time()
    progress = TaskProgress(console)
    try:
        async with progress:
            task = await connection.session.run_and_wait(
                connection.fill_in(options.task),
                timeout=options.timeout,
                on_timeout=options.on_timeout,
                on_cancel=options.on_cancel,
                on_created=progress.follow,
                **task_fields(options),
            )
    except TaskError as error:
        progress.report_end(error.task)
        # A failed task is a result too, which scripts find on stdout.
        print_answer(error.task, options, console)
        raise
    except WaitTimeoutError as error:
        return progress.report_timeout(error, options.on_timeout)
    except (SubmissionUnknownError, APITimeoutError) as error:
        code = report_error(error, console)
        # The timeout also ends run-task, and the search for a task whose answer was lost.
        is_late = options.timeout is not None and loop.time() - began >= options.timeout
        return ExitCode.TIMED_OUT if is_late else code
    except asyncio.CancelledError:
        progress.report_exit(options.on_cancel)
        raise
    progress.report_end(task)
    print_answer(task, options, console)
    return ExitCode.FINISHED
