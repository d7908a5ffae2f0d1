"""Follows and records the tasks of a session."""

import asyncio
import contextlib
import os
import tempfile
import weakref
from collections.abc import Awaitable, Mapping
from pathlib import Path
from typing import Self, TypeVar

import attrs

from browser_use_async.errors import BrowserUseError
from browser_use_async.lifecycle.create import Submission
from browser_use_async.logs import LOGGER
from browser_use_async.observers import CreationEnded, Observe, Observers
from browser_use_async.session import BrowserUseSession
from browser_use_async.testing.cassette import Cassette, RecordedStatus, RecordedStep, RecordedTask
from browser_use_async.testing.cassette_redactor import CassetteRedactor, UnreadableFileError
from browser_use_async.types import RunTaskRequest, Task, TaskStatus
from browser_use_async.types.enums import price_terms
from browser_use_async.webhooks import EventSource, TaskStatusUpdate

ResultT = TypeVar("ResultT")


@attrs.define
class _Followed:
    """One task while it is followed."""

    task_id: str
    created_at: float  # the loop time, like all times here
    request: RunTaskRequest | None
    statuses: list[RecordedStatus] = attrs.field(factory=list)
    step_times: dict[int, float] = attrs.field(factory=dict)
    webhooks: list[RecordedStatus] = attrs.field(factory=list)

    @property
    def seconds(self) -> float:
        return asyncio.get_running_loop().time() - self.created_at


@attrs.define(eq=False, repr=False)
class CassetteRecorder:
    """Records the tasks of a session within an `async with` block; see `Cassette.record`.

    Attributes:
        cassette: The recorded tasks; complete when the block has ended.
    """

    _session: BrowserUseSession
    _path: str | os.PathLike[str] | None
    _media: bool
    _webhooks: EventSource | None
    _redact: tuple[str, ...]
    _wait: float
    cassette: Cassette = attrs.field(init=False)
    _observers: Observers = attrs.field(init=False)
    _table: dict[type, Observe] = attrs.field(init=False)
    _api_key: tuple[str, ...] = attrs.field(init=False)  # must not be in a cassette
    _is_discarded: bool = False
    _followed: dict[str, _Followed] = attrs.field(factory=dict)
    _watches: dict[str, "asyncio.Task[None]"] = attrs.field(factory=dict)
    _loop: asyncio.AbstractEventLoop | None = None

    def __attrs_post_init__(self) -> None:
        self.cassette = Cassette(name="cassette" if self._path is None else Path(self._path).name)
        transport = self._session._transport  # noqa: SLF001 - the part of a session that is observed
        self._observers, self._table = transport.observers, {CreationEnded: self._creation_ended}
        key = transport.configuration.api_key
        self._api_key = () if key is None else (key.reveal(),)

    def _creation_ended(self, ended: CreationEnded, about: object) -> None:
        # A call of the thin layer is not followed.
        if ended.task_id is not None and isinstance(about, Submission):
            self.follow(ended.task_id, about.request)

    def follow(self, task_id: str, request: RunTaskRequest | None = None) -> None:
        """Record an existing task from now on.

        Args:
            task_id: The id of the task.
            request: Its request, for its model and its secrets.
        """
        loop = asyncio.get_running_loop()
        if task_id not in self._followed and not self._is_discarded:
            followed = self._followed[task_id] = _Followed(task_id, loop.time(), request)
            self._watches[task_id] = loop.create_task(
                self._watch(followed), name=f"browser-use: records task {task_id}"
            )

    def discard(self) -> None:
        """Stop recording: the end of the block waits for no task and saves no file."""
        self._is_discarded = True
        for watch in self._watches.values():
            watch.cancel()
        self._followed.clear()
        self._path = None

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._observers.add(self._table, name="a cassette")
        if self._webhooks is not None:
            # Weak: a receiver may outlive many recordings, and subscriptions have no end.
            own = weakref.WeakMethod(self._event_received)

            def take(event: object) -> None:
                if (event_received := own()) is not None:
                    event_received(event)

            self._webhooks.subscribe(take)
        return self

    async def __aexit__(self, _kind: object, error: object, _traceback: object) -> None:
        self._observers.remove(self._table)
        # Else a failed test run would replace a whole one.
        if error is not None:
            self.discard()
        try:
            if self._watches:
                await asyncio.wait(self._watches.values(), timeout=self._wait)
        finally:
            for watch in self._watches.values():
                watch.cancel()
        await asyncio.gather(*self._watches.values(), return_exceptions=True)
        await self._record_all()

    # --- while the tasks run ----------------------------------------------------------------

    async def _watch(self, followed: _Followed) -> None:
        # Two streams, which share their polls: a stream of steps has no pauses.
        async with asyncio.TaskGroup() as group:
            group.create_task(
                self._watch_statuses(followed),
                name=f"browser-use: records statuses of task {followed.task_id}",
            )
            group.create_task(
                self._watch_steps(followed),
                name=f"browser-use: records steps of task {followed.task_id}",
            )

    async def _watch_statuses(self, followed: _Followed) -> None:
        statuses = self._session.stream_status(followed.task_id)
        async with contextlib.aclosing(statuses):
            async for status in statuses:
                followed.statuses.append(RecordedStatus(followed.seconds, str(status)))

    async def _watch_steps(self, followed: _Followed) -> None:
        steps = self._session.stream_steps(followed.task_id)
        async with contextlib.aclosing(steps):
            async for step in steps:
                followed.step_times[step.step] = followed.seconds

    def _event_received(self, event: object) -> None:
        """Record an event in the session's loop, from whichever thread it comes."""
        if isinstance(event, TaskStatusUpdate) and self._loop is not None:
            with contextlib.suppress(RuntimeError):  # closed, and the recording with it
                self._loop.call_soon_threadsafe(self._record_event, event)

    def _record_event(self, event: TaskStatusUpdate) -> None:
        followed = self._followed.get(event.task_id)
        if followed is not None:
            followed.webhooks.append(RecordedStatus(followed.seconds, str(event.status)))

    # --- when they have ended ---------------------------------------------------------------

    async def _record_all(self) -> None:
        """Record all tasks, and save them; then raise the error of a task, if any."""
        failure: BrowserUseError | None = None
        for followed in self._followed.values():
            try:
                self.cassette.tasks.append(await self._recorded(followed))
            except BrowserUseError as error:
                failure = failure or error
        if self._path is not None:
            self.cassette.save(self._path)
        if failure is not None:
            counts = f"{len(self.cassette.tasks)} of {len(self._followed)} tasks are recorded"
            failure.add_note(counts)
            raise failure

    async def _recorded(self, followed: _Followed) -> RecordedTask:
        # Once more, since steps may have come late, and a stream has no output.
        task = await self._session.tasks.get(followed.task_id)
        redactor = self._redactor(followed).with_urls_of(task)
        end = _end(followed, task)
        request = followed.request
        model, max_steps = "gpt-4.1", None  # unknown for a task that was created elsewhere
        if request is not None:
            max_steps, model = price_terms(request.max_agent_steps, request.llm_model)
        with tempfile.TemporaryDirectory(prefix="browser-use-cassette-") as folder:
            pictures = await self._screenshots(task, Path(folder)) if self._media else []
            return RecordedTask(
                task=redactor.text(task.task),
                llm_model=model,
                max_agent_steps=max_steps,
                statuses=_statuses(followed, task, end),
                steps=tuple(
                    RecordedStep(
                        min(followed.step_times.get(step.step, end), end),
                        redactor.text(step.next_goal),
                        redactor.text(step.evaluation_previous_goal),
                        redactor.text(step.url),
                        pictures[index] if index < len(pictures) else None,
                    )
                    for index, step in enumerate(task.steps)
                ),
                output=None if task.output is None else redactor.text(task.output),
                files=await self._files(task, Path(folder), redactor),
                recordings=await self._films(task, Path(folder)) if self._media else {},
                webhooks=tuple(followed.webhooks),
            )

    def _redactor(self, followed: _Followed) -> CassetteRedactor:
        secrets = followed.request.secrets if followed.request is not None else None
        values = secrets.values() if isinstance(secrets, Mapping) else ()
        return CassetteRedactor([*self._api_key, *values, *self._redact])

    async def _files(
        self, task: Task, folder: Path, redactor: CassetteRedactor
    ) -> dict[str, bytes]:
        files: dict[str, bytes] = {}
        for index, name in enumerate(task.output_files):
            target, shown = folder / str(index), redactor.text(name)
            download = self._session.download_output_file(task.id, name, target)
            if await _attempted(download, task, f"its file {shown!r}") is None:
                continue
            # Two names may differ only in their secrets.
            kept = f"{index}-{shown}" if shown in files else shown
            try:
                files[kept] = redactor.content(target.read_bytes())
            except UnreadableFileError as error:
                LOGGER.warning("task %s is recorded without its file %r: %s", task.id, shown, error)
        return files

    async def _screenshots(self, task: Task, folder: Path) -> list[bytes]:
        download = self._session.download_screenshots(task.id, folder / "screenshots")
        paths = await _attempted(download, task, "its screenshots") or []
        return [path.read_bytes() for path in paths]

    async def _films(self, task: Task, folder: Path) -> dict[str, bytes]:
        if not task.status.is_terminal:
            return {}
        download = self._session.download_media(task.id, folder / "films")
        paths = await _attempted(download, task, "its films") or []
        return {path.suffix.lstrip(".") or "mp4": path.read_bytes() for path in paths}


async def _attempted(download: Awaitable[ResultT], task: Task, what: str) -> ResultT | None:
    """The downloaded content, or None: then the task is recorded without it."""
    try:
        return await download
    except BrowserUseError as error:
        LOGGER.warning("task %s is recorded without %s: %s", task.id, what, error)
        return None


def _end(followed: _Followed, task: Task) -> float:
    """When the task ended, by the service's dates if they fit the observed times."""
    times = [*(each.at for each in followed.statuses), *followed.step_times.values()]
    seen = followed.statuses[-1].at if followed.statuses else followed.seconds
    if not task.status.is_terminal:
        return followed.seconds
    if (lasted := task.duration) is None:
        return seen
    earlier = [each for each in times if each < seen]
    # A poll sees an end late but never early: dates that do not fit are of another clock.
    return lasted if max(earlier, default=0.0) <= lasted <= seen else seen


def _statuses(followed: _Followed, task: Task, end: float) -> tuple[RecordedStatus, ...]:
    """The statuses from the creation to the end."""
    seen = list(followed.statuses)
    if not seen or seen[-1].status != task.status:
        seen.append(RecordedStatus(followed.seconds, str(task.status)))
    if task.status.is_terminal:
        seen[-1] = attrs.evolve(seen[-1], at=end)
        if len(seen) == 1:  # the first poll saw its end
            seen.insert(0, RecordedStatus(0.0, str(TaskStatus.RUNNING)))
    # The first seen status counts from the start.
    seen[0] = attrs.evolve(seen[0], at=0.0)
    return tuple(seen)
