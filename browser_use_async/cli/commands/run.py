"""`run`: create a task and stay until its end, or leave at once with `--detach`."""

import argparse
import asyncio

from browser_use_async.api.converter import unstructure
from browser_use_async.cli.console import Console
from browser_use_async.cli.exit_codes import ExitCode
from browser_use_async.cli.options import add_target_options, seconds
from browser_use_async.cli.progress import Progress
from browser_use_async.cli.reporting import report_error
from browser_use_async.cli.target import Target, open_target
from browser_use_async.cli.task_options import add_task_options, task_fields
from browser_use_async.errors import (
    ConfigurationError,
    SubmissionUnknownError,
    TaskError,
    WaitTimeoutError,
)

__all__ = ["configure", "execute"]

_FATES = ("leave", "stop", "pause")


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
        choices=_FATES,
        default="leave",
        help="what becomes of the task when the time is up (default: leave)",
    )
    waiting.add_argument(
        "--on-cancel",
        choices=_FATES,
        default="stop",
        help="what becomes of the task on Ctrl-C (default: stop)",
    )
    add_target_options(parser)


async def execute(options: argparse.Namespace, console: Console) -> int:
    """Run the task."""
    if options.detach and options.local:
        raise ConfigurationError("--detach leaves a task to a server that ends with --local")
    async with open_target(options, console) as target:
        if options.detach:
            return await _submit(target, options, console)
        return await _run(target, options, console)


async def _submit(target: Target, options: argparse.Namespace, console: Console) -> int:
    handle = await target.session.submit(options.task, **task_fields(options))
    console.say(f"the task runs; to follow it: browser-use-async watch {handle.id}")
    console.emit({"id": handle.id, "token": handle.to_token()})
    return ExitCode.FINISHED


async def _run(target: Target, options: argparse.Namespace, console: Console) -> int:
    loop = asyncio.get_running_loop()
    began = loop.time()
    progress = Progress(console)
    try:
        async with progress:
            task = await target.session.run_and_wait(
                target.filled(options.task),
                timeout=options.timeout,
                on_timeout=options.on_timeout,
                on_cancel=options.on_cancel,
                on_created=progress.follow,
                **task_fields(options),
            )
    except TaskError as error:
        progress.conclude(error.task, loop.time() - began)
        console.emit(unstructure(error.task))
        raise
    except WaitTimeoutError as error:
        return progress.give_up(error, options.on_timeout)
    except SubmissionUnknownError as error:
        code = report_error(error, console)
        is_late = options.timeout is not None and loop.time() - began >= options.timeout
        return ExitCode.TIMED_OUT if is_late else code
    except asyncio.CancelledError:
        progress.say_fate(options.on_cancel)
        raise
    progress.conclude(task, loop.time() - began)
    console.emit(unstructure(task))
    return ExitCode.FINISHED
