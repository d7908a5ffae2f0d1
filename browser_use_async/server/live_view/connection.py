"""One WebSocket connection of a live page."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import attrs
from aiohttp import WSCloseCode, WSMsgType, web

from browser_use_async.server.executors.view import Frame, Input, View, close_frames
from browser_use_async.server.fleet.handoff import Elsewhere, Page
from browser_use_async.server.http.errors import http_error
from browser_use_async.server.live_view.messages import (
    Command,
    FrameAck,
    MessageRefusedError,
    read_message,
)
from browser_use_async.server.loops import log_failure
from browser_use_async.server.operations.tasks import pause_task, resume_task, stop_task
from browser_use_async.server.pages import live_state
from browser_use_async.server.running_server import RunningServer
from browser_use_async.server.storage import TaskRecord
from browser_use_async.server.storage.progress import step_facts
from browser_use_async.server.stores import find_file
from browser_use_async.types import TaskId

_logger = logging.getLogger(__name__)

# Seconds between two checks whether the task has a browser.
_POLL_SECONDS = 0.25

# Seconds for which a browser is still shown after its task has ended.
_LAST_FRAMES_SECONDS = 1.0

_WATCH_ONLY = "This page is for watching; the holder of the task's live_url can steer it"
_NO_BROWSER = "There is no browser to act in just now"

_COMMANDS: dict[str, Callable[[RunningServer, TaskId], Awaitable[None]]] = {
    "pause": pause_task,
    "resume": resume_task,
    "stop": stop_task,
}


@attrs.define(eq=False, repr=False)
class LiveConnection:
    """Streams states and frames to a page, and executes its commands and input.

    The next frame is sent when the page has acknowledged the last one: a slow network or device
    skips frames, and never lags behind.
    """

    _socket: web.WebSocketResponse
    _record: TaskRecord
    _server: RunningServer
    _page: Page
    # Finds the task of the page's address; None if it was revoked
    _find: Callable[[], Awaitable[TaskRecord | None]]
    _frame_acked: asyncio.Event = attrs.field(factory=asyncio.Event, init=False)
    _shown_screenshot: str = attrs.field(default="", init=False)
    # If another server has the browser
    _elsewhere: Elsewhere | None = attrs.field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        self._frame_acked.set()

    async def run(self) -> None:
        """Serve the page until the task has ended or the page is closed."""
        streaming = asyncio.get_running_loop().create_task(
            self._stream(), name=f"browser-use: shows task {self._record.id} on a page"
        )
        try:
            # The page may be closed at any moment, also while an answer is sent.
            with suppress(ConnectionError):
                async for message in self._socket:
                    if message.type is WSMsgType.TEXT:
                        await self._handle_message(message.data)
                    # Messages that have arrived are read without waiting.
                    await asyncio.sleep(0)
        finally:
            streaming.cancel()
            await asyncio.gather(streaming, return_exceptions=True)

    async def _stream(self) -> None:
        code = WSCloseCode.OK
        try:
            with suppress(ConnectionError):
                await self._stream_until_ended()
        except Exception as error:  # noqa: BLE001 - an executor may raise anything; the page looks again
            log_failure(_logger, f"task {self._record.id} cannot be watched", error)
            code = WSCloseCode.INTERNAL_ERROR
        if not await self._refresh():
            code = WSCloseCode.POLICY_VIOLATION
        await self._socket.close(code=code)

    async def _stream_until_ended(self) -> None:
        frames = asyncio.get_running_loop().create_task(
            self._send_frames(), name=f"browser-use: sends frames of task {self._record.id}"
        )
        try:
            await self._send_states()
            if not await self._refresh():
                return
            await asyncio.wait([frames], timeout=_LAST_FRAMES_SECONDS)
        finally:
            frames.cancel()
            (outcome,) = await asyncio.gather(frames, return_exceptions=True)
        if isinstance(outcome, Exception):
            raise outcome
        await self._send_screenshot(wait_for_ack=False)

    async def _refresh(self) -> bool:
        """Read the task again; False if the address of the page was revoked."""
        record = await self._find()
        if record is not None:
            self._record = record
        return record is not None

    # --- states --------------------------------------------------------------------------

    async def _send_states(self) -> None:
        """Send the state of the task, then each change, until it has ended."""
        sent = 0
        last: dict[str, Any] = {}
        with self._server.stores.changes.listening(self._record.id) as changed:
            while True:
                changed.clear()
                if not await self._refresh():
                    return
                facts = await step_facts(self._server.stores.database, self._record)
                state = live_state(self._record, facts, after=sent, tells_cost=self._page == "live")
                state["waits_for"] = self._server.runner.waits_for(self._record)
                state["has_browser"] = self._view() is not None
                self._elsewhere = await self._server.handoff.elsewhere(self._record, self._page)
                state["elsewhere"] = self._elsewhere and self._elsewhere.notice
                state["is_moved"] = self._elsewhere is not None and self._elsewhere.url is not None
                state["doing"] = doing = self._doing()
                # Counted before sending, since more steps may be added meanwhile.
                sent += len(state["steps"])
                if state != last:
                    await self._send_message("state", **state)
                last = {**state, "steps": []}
                if state["ended"]:
                    return
                await self._await_change(changed, doing)

    def _doing(self) -> str | None:
        return self._server.runner.doing(self._record.id)

    async def _await_change(self, changed: asyncio.Event, doing: str | None) -> None:
        """Wait until a change of the task is stored, or its current work changes."""
        while not changed.is_set() and self._doing() == doing:
            with suppress(TimeoutError):
                async with asyncio.timeout(_POLL_SECONDS):
                    await changed.wait()

    async def _send_message(self, kind: str, **fields: Any) -> None:
        await self._socket.send_json({"type": kind, **fields})

    # --- frames --------------------------------------------------------------------------

    def _view(self) -> View | None:
        if self._record.status.is_terminal:
            return None
        return self._server.runner.view(self._record)

    async def _send_frames(self) -> None:
        """Send frames of the browser while there is one, else the newest screenshot."""
        with self._server.stores.changes.listening(self._record.id) as changed:
            while await self._refresh() and not self._record.status.is_terminal:
                changed.clear()
                view = self._view()
                if view is None:
                    await self._send_screenshot(wait_for_ack=True)
                    with suppress(TimeoutError):
                        await asyncio.wait_for(changed.wait(), _POLL_SECONDS)
                else:
                    # The page can steer it from now on.
                    self._server.stores.changes.note(self._record.id)
                    await self._send_browser_frames(view)
                    await asyncio.sleep(_POLL_SECONDS)

    async def _send_browser_frames(self, view: View) -> None:
        frames = view.frames()
        try:
            async for frame in frames:
                self._shown_screenshot = ""
                await self._send_frame(frame, wait_for_ack=True)
        except ConnectionError:
            raise
        except Exception as error:  # noqa: BLE001 - an executor may raise anything; the page lives
            log_failure(_logger, f"the browser of task {self._record.id} is not shown", error)
        finally:
            await close_frames(frames)

    async def _send_screenshot(self, *, wait_for_ack: bool) -> None:
        name = self._record.screenshots[-1] if self._record.screenshots else ""
        if name == self._shown_screenshot:
            return
        found = await find_file(self._server.stores.database, self._record, name)
        if found is not None:
            image = await found.read(range(found.facts.size))
            self._shown_screenshot = name
            width, height = self._record.viewport
            await self._send_frame(
                Frame(image, "image/png", width, height), wait_for_ack=wait_for_ack
            )

    async def _send_frame(self, frame: Frame, *, wait_for_ack: bool) -> None:
        """Send a frame, and wait for its acknowledgement if another one follows."""
        await self._send_message(
            "frame", media_type=frame.media_type, width=frame.width, height=frame.height
        )
        self._frame_acked.clear()
        await self._socket.send_bytes(frame.image)
        if wait_for_ack:
            await self._frame_acked.wait()

    # --- input ---------------------------------------------------------------------------

    async def _handle_message(self, text: str) -> None:
        try:
            message = read_message(text)
        except MessageRefusedError as refused:
            await self._refuse(422, str(refused))
            return
        if isinstance(message, FrameAck):
            self._frame_acked.set()
        elif self._page != "live":
            await self._refuse(403, _WATCH_ONLY)
        elif not await self._refresh():
            return  # the connection is about to be closed
        elif isinstance(message, Command):
            await self._handle_command(message)
        else:
            await self._handle_input(message)

    async def _handle_command(self, command: Command) -> None:
        try:
            await _COMMANDS[command.name](self._server, TaskId(self._record.id))
        except Exception as error:
            if (refusal := http_error(error)) is None:
                raise
            await self._refuse(refusal.status, str(refusal.body["detail"]), order=command.name)
        else:
            await self._send_message("done", order=command.name)

    async def _handle_input(self, event: Input) -> None:
        try:
            view = self._view()
            if view is None:
                elsewhere = self._elsewhere
                await self._refuse(409, _NO_BROWSER if elsewhere is None else elsewhere.notice)
            else:
                await view.put(event)
        except ConnectionError:
            raise
        except Exception as error:  # noqa: BLE001 - an executor may raise anything; the page lives
            log_failure(_logger, f"the browser of task {self._record.id} took no input", error)
            await self._refuse(500, "The browser could not do this")

    async def _refuse(self, status: int, detail: str, **fields: str) -> None:
        await self._send_message("refused", status=status, detail=detail, **fields)
