"""A task on the console: its steps and pauses while it runs, and its answer at the end."""

import asyncio
import json
from collections.abc import Callable
from contextlib import AsyncExitStack
from decimal import Decimal
from typing import Self

import attrs

from browser_use_async import Task, TaskHandle, TaskStatus
from browser_use_async.api.converter import unstructure
from browser_use_async.api.json import JsonRefusedError, read_json
from browser_use_async.cli.console import Console, answer_of, counted
from browser_use_async.cli.exit import ExitCode
from browser_use_async.cli.options import option
from browser_use_async.cli.screen import Span, Style
from browser_use_async.errors import BrowserUseError, TaskError, WaitTimeoutError
from browser_use_async.prices import format_cents

_STATUS_STYLES: dict[str, Style] = {
    TaskStatus.FINISHED: Style.GOOD,
    TaskStatus.FAILED: Style.BAD,
    TaskStatus.STOPPED: Style.WAITING,
    TaskStatus.PAUSED: Style.WAITING,
}

_LAST_STEPS_SECONDS = 2.0
_SEPARATOR = " · "
OUTPUT_ONLY = option("-q --output-only", "print only the output of the task, unchanged, and errors")


def status_span(status: TaskStatus) -> Span:
    """The status as coloured text."""
    return (str(status), _STATUS_STYLES.get(status, Style.PLAIN))


@attrs.define(eq=False)
class TaskProgress:
    """Shows one task on stderr; leaving the block waits for the last steps to be shown."""

    _console: Console
    _prefix: tuple[Span, ...] = attrs.field(default=(), alias="prefix", kw_only=True)
    _spinning: bool = attrs.field(default=True, alias="spinning", kw_only=True)
    # Else it may not exist until a status was seen
    _is_known: bool = attrs.field(default=True, alias="created", kw_only=True)
    _following: "asyncio.Task[None] | None" = attrs.field(default=None, init=False)
    _stack: AsyncExitStack = attrs.field(factory=AsyncExitStack, init=False)
    _update: Callable[[str], None] = attrs.field(default=lambda _text: None, init=False)
    task_id: str | None = attrs.field(default=None, init=False)

    async def __aenter__(self) -> Self:
        if self._spinning:
            working = self._console.status("creating the task")
            self._update = self._stack.enter_context(working)
        return self

    async def __aexit__(self, _kind: object, error: object, _traceback: object) -> None:
        if self._following is not None:
            # The wait may return before the stream of steps has shown the last ones.
            has_ended = error is None or isinstance(error, TaskError)
            await asyncio.wait([self._following], timeout=_LAST_STEPS_SECONDS if has_ended else 0)
            self._following.cancel()
            await asyncio.gather(self._following, return_exceptions=True)
        await self._stack.aclose()

    def follow(self, handle: TaskHandle) -> None:
        """Start to show a task."""
        self.task_id = handle.id
        if handle.joined:
            self._console.info(
                *self._prefix,
                "the key names this task since an earlier call; nothing was created now",
            )
        self._update(f"task {handle.id}: waiting for its browser")
        self._following = asyncio.get_running_loop().create_task(
            self._show(handle), name=f"browser-use: shows the progress of task {handle.id}"
        )

    async def _show(self, handle: TaskHandle) -> None:
        try:
            live_url = await handle.wait_for_live_url()
            if live_url is not None:
                self._console.info(*self._prefix, "watch live at ", (live_url, Style.LINK))
            await asyncio.gather(self._show_steps(handle), self._show_statuses(handle))
        except BrowserUseError:
            return  # the command's own wait raises the same error, and reports it

    async def _show_steps(self, handle: TaskHandle) -> None:
        async for step in handle.stream_steps():
            prefix: tuple[Span, ...] = (*self._prefix, (f"step {step.step:<3} ", Style.FAINT))
            self._console.labelled(prefix, step.next_goal or step.evaluation_previous_goal)
            self._update(f"task {handle.id}: {counted(step.step, 'step')} so far")

    async def _show_statuses(self, handle: TaskHandle) -> None:
        before: TaskStatus | None = None
        async for status in handle.stream_status():
            self._is_known = True
            # Only pauses are printed: the start and the end are shown elsewhere.
            is_news = status is TaskStatus.PAUSED or before is TaskStatus.PAUSED
            if is_news and not status.is_terminal:
                self._console.info(*self._prefix, "the task is ", status_span(status))
            before = status

    def report_timeout(self, error: WaitTimeoutError, on_exit: str) -> int:
        """Report that the wait timed out, print the task id as JSON, and return the exit code."""
        status = error.last_status
        self.task_id = error.task_id
        self._is_known = self._is_known or status is not None
        seen = "the task was not seen" if status is None else f"the task was last seen as {status}"
        self._console.error(f"the time is up; {seen}")
        if error.__cause__ is not None:
            self._console.note(f"the last poll failed: {error.__cause__}")
        self.report_exit(on_exit)
        self._console.result({"id": error.task_id, "status": status})
        return ExitCode.TIMED_OUT

    def report_exit(self, on_exit: str) -> None:
        """Print what happens to a task that runs on after the end of the command."""
        # Whether a task was stopped or paused is shown when the service has answered.
        if self.task_id is None or on_exit != "leave":
            return
        task, lives = self.task_id, "goes on" if self._console.notice is None else "may go on"
        if self._is_known:
            follow = f"to follow it: browser-use-async watch {task}"
            self._console.info(f"it {lives}; {follow}, to end it: browser-use-async stop {task}")
        else:
            again = f"to try again: browser-use-async watch {task}"
            self._console.info(f"whether task {task} exists is not known; {again}")

    def report_end(self, task: Task) -> None:
        """Print how the task ended, unless the answer on a terminal shows it."""
        if self._console.shows_text:
            return
        took = "" if task.duration is None else f" and {task.duration:.1f} s"
        text = f" after {counted(len(task.steps), 'step')}{took}"
        self._console.info(*self._prefix, status_span(task.status), text)


# --- the answer ----------------------------------------------------------------------------


def print_answer(
    task: Task, console: Console, *, output_only: bool, cost_cents: Decimal | None = None
) -> None:
    """Print a task to stdout.

    Args:
        task: The task.
        console: Where to print it.
        output_only: Whether to print only its output.
        cost_cents: What it cost by the published prices, in US cents, if that is known.
    """
    owner = task.extra.get("owner")  # said to the operator, who asked with --owner
    with answer_of(task.id):
        if output_only:
            console.answer(task.output or "")
        elif console.shows_text:
            _print_for_people(task, console, cost_cents, owner)
        else:
            console.result(unstructure(task) | ({} if owner is None else {"owner": owner}))


def _print_for_people(
    task: Task, console: Console, cost_cents: Decimal | None, owner: str | None
) -> None:
    if task.output:
        console.line(("Answer", Style.STRONG))
        console.answer(_readable(task.output))
        console.line()
    console.line(*_summary(task, cost_cents))
    # The reason of a failure is printed elsewhere: a command that waits ends with the error.
    if task.failure is None and task.status is not TaskStatus.FINISHED and task.steps:
        last = task.steps[-1]
        console.line(("last step: ", Style.FAINT), last.evaluation_previous_goal or last.next_goal)
    if task.live_url is not None and not task.status.is_terminal:
        console.line(("watch live at ", Style.FAINT), (task.live_url, Style.LINK))
    if owner is not None:
        console.line(("owner: ", Style.FAINT), f"{owner}; the task can only be read")
    if task.output_files:
        console.line("files: ", ", ".join(task.output_files))
        console.line(
            ("to download them: ", Style.FAINT), f"browser-use-async files download {task.id} --all"
        )
    console.line(("task ", Style.FAINT), task.id)


def _readable(output: str) -> str:
    """An answer that is JSON, with line breaks; any other answer unchanged."""
    try:
        value = read_json(output.encode("utf-8", "surrogatepass"))
    except JsonRefusedError:
        return output
    is_document = isinstance(value, dict | list)
    return json.dumps(value, ensure_ascii=False, indent=2) if is_document else output


def _summary(task: Task, cost_cents: Decimal | None) -> list[Span]:
    """The status, steps, cost and duration in one line."""
    parts = [counted(len(task.steps), "step")]
    # The model of a task that another command created is unknown, and so is its price.
    if cost_cents is not None:
        parts.append(f"about {format_cents(cost_cents)}")
    if task.duration is not None:
        parts.append(f"{task.duration:.1f} s")
    return [status_span(task.status), _SEPARATOR, _SEPARATOR.join(parts)]
