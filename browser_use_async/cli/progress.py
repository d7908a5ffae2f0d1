"""Progress on stderr: a task with its steps and pauses, and transfers of files."""

import asyncio
from collections.abc import Awaitable, Callable, Generator
from contextlib import AsyncExitStack, contextmanager
from typing import Self, TypeVar

import attrs

from browser_use_async import Task, TaskHandle, TaskStatus
from browser_use_async.cli.console import Console
from browser_use_async.cli.exit import ExitCode, exit_code_of
from browser_use_async.cli.screen import Span, Style
from browser_use_async.errors import BrowserUseError, TaskError, WaitTimeoutError
from browser_use_async.files import OnProgress

STATUS_STYLES: dict[str, Style] = {
    TaskStatus.FINISHED: Style.GOOD,
    TaskStatus.FAILED: Style.BAD,
    TaskStatus.STOPPED: Style.WAITING,
    TaskStatus.PAUSED: Style.WAITING,
}

_LAST_STEPS_SECONDS = 2.0

ResultT = TypeVar("ResultT")
# Without a terminal each update is a new line, so there are fewer updates.
_SECONDS_BETWEEN_LINES = 2.0


def status_span(status: TaskStatus) -> Span:
    """The status as coloured text."""
    return (str(status), STATUS_STYLES.get(status, Style.PLAIN))


def counted(count: int, noun: str) -> str:
    """A number of things: `1 step`, `2 steps`."""
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


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
            note: Span = ("note: ", Style.WAITING)
            self._console.labelled([note], f"the last poll failed: {error.__cause__}")
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


class Transfers:
    """Several transfers; a failed one does not stop the next."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self.code = ExitCode.FINISHED

    async def attempt(
        self, label: str, transfer: Callable[..., Awaitable[ResultT]]
    ) -> ResultT | None:
        """Make one transfer, which gets `on_progress`, and show it; None if it failed."""
        try:
            with self._displayed(label) as on_progress:
                return await transfer(on_progress=on_progress)
        except BrowserUseError as error:
            self._console.error(f"{label}: {error}")
            if self.code is ExitCode.FINISHED:
                self.code = exit_code_of(error)
            return None

    @contextmanager
    def _displayed(self, label: str) -> Generator[OnProgress, None, None]:
        clock = asyncio.get_running_loop()
        reported_at, moved = clock.time(), 0
        with self._console.status(label) as update:

            def on_progress(received: int, total: int | None) -> None:
                nonlocal reported_at, moved
                moved = received
                text = f"{label}: {received:,} {'' if total is None else f'of {total:,} '}bytes"
                update(text)
                if not self._console.is_interactive:
                    now = clock.time()
                    if now - reported_at >= _SECONDS_BETWEEN_LINES:
                        self._console.info(text)
                        reported_at = now

            yield on_progress
        self._console.info(("ok ", Style.GOOD), f"{label}: {moved:,} bytes")
