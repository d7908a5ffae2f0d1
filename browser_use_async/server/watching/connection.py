"""One person who watches one task, from the opening of the page to its closing."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from aiohttp import WSCloseCode, WSMsgType, web

from browser_use_async.server.answers import RefusalError
from browser_use_async.server.backend import Backend
from browser_use_async.server.executors.viewing import Frame, Input, View
from browser_use_async.server.failure_log import log_failure
from browser_use_async.server.operations.tasks import pause_task, resume_task, stop_task
from browser_use_async.server.pages import live_state
from browser_use_async.server.storage import TaskRecord
from browser_use_async.server.watching.messages import (
    Drawn,
    MessageRefusedError,
    Order,
    read_message,
)
from browser_use_async.types import TaskId

__all__ = ["Connection"]

_logger = logging.getLogger(__name__)

_LOOK_SECONDS = 0.25
"""How often it is looked whether a task has got a browser by now."""

_LAST_FRAMES_SECONDS = 1.0
"""How long the browser of a task that has ended is shown until its last screenshot replaces it."""

_WATCH_ONLY = "This page is for watching; whoever has the task's live_url can steer it"
_NO_BROWSER = "There is no browser to act in just now"

_ORDERS: dict[str, Callable[[Backend, TaskId], None]] = {
    "pause": pause_task,
    "resume": resume_task,
    "stop": stop_task,
}


class Connection:
    """Tells a page what happens, shows it the browser, and does what the person wants.

    The page says when it has drawn a frame, and only then gets the newest one: a slow network or
    a slow telephone skips frames, and never lags behind them.
    """

    def __init__(
        self, socket: web.WebSocketResponse, record: TaskRecord, backend: Backend, may_steer: bool
    ) -> None:
        self._socket = socket
        self._record = record
        self._backend = backend
        self._may_steer = may_steer
        self._changes = backend.store.changes
        self._drawn = asyncio.Event()
        self._drawn.set()
        self._shown = ""

    async def run(self) -> None:
        """Go on until the task has ended, or the page has gone."""
        performing = asyncio.get_running_loop().create_task(self._perform())
        try:
            # The page may go away at any moment, also while it is being answered.
            with suppress(ConnectionError):
                async for message in self._socket:
                    if message.type is WSMsgType.TEXT:
                        await self._take(message.data)
        finally:
            performing.cancel()
            await asyncio.gather(performing, return_exceptions=True)

    async def _perform(self) -> None:
        code = WSCloseCode.OK
        try:
            with suppress(ConnectionError):
                await self._tell_and_show()
        except Exception as error:  # noqa: BLE001 - an executor may raise anything; the page looks again
            log_failure(_logger, f"task {self._record.id} cannot be watched", error)
            code = WSCloseCode.INTERNAL_ERROR
        await self._socket.close(code=code)

    async def _tell_and_show(self) -> None:
        showing = asyncio.get_running_loop().create_task(self._show())
        try:
            await self._tell()
            await asyncio.wait([showing], timeout=_LAST_FRAMES_SECONDS)
        finally:
            showing.cancel()
            (outcome,) = await asyncio.gather(showing, return_exceptions=True)
        if isinstance(outcome, Exception):
            raise outcome
        await self._show_screenshot(waits=False)

    # --- telling --------------------------------------------------------------------------

    async def _tell(self) -> None:
        """Tell where the task stands, then each change, until it has ended."""
        record, told = self._record, 0
        last: dict[str, Any] = {}
        with self._changes.listening(record.id) as changed:
            while True:
                changed.clear()
                state = live_state(record, after=told)
                state["has_browser"] = self._view() is not None
                # Counted now: more steps may come while this is on its way.
                told += len(state["steps"])
                if state != last:
                    await self._say("state", **state)
                last = {**state, "steps": []}
                if state["ended"]:
                    return
                await changed.wait()

    async def _say(self, kind: str, **fields: Any) -> None:
        await self._socket.send_json({"type": kind, **fields})

    # --- showing --------------------------------------------------------------------------

    def _view(self) -> View | None:
        return None if self._record.status.is_terminal else self._backend.runner.view(self._record)

    async def _show(self) -> None:
        """Show the browser while there is one, and the newest screenshot while there is none."""
        with self._changes.listening(self._record.id) as changed:
            while not self._record.status.is_terminal:
                changed.clear()
                view = self._view()
                if view is None:
                    await self._show_screenshot(waits=True)
                    with suppress(TimeoutError):
                        await asyncio.wait_for(changed.wait(), _LOOK_SECONDS)
                else:
                    self._changes.note(self._record.id)  # now there is something to steer
                    await self._show_browser(view)
                    await asyncio.sleep(_LOOK_SECONDS)

    async def _show_browser(self, view: View) -> None:
        frames = view.frames()
        try:
            async for frame in frames:
                self._shown = ""
                await self._send(frame, waits=True)
        except ConnectionError:
            raise
        except Exception as error:  # noqa: BLE001 - an executor may raise anything; the page lives
            log_failure(_logger, f"the browser of task {self._record.id} is not shown", error)
        finally:
            close = getattr(frames, "aclose", None)
            if close is not None:
                await close()

    async def _show_screenshot(self, *, waits: bool) -> None:
        name = self._record.screenshots[-1] if self._record.screenshots else ""
        image = self._backend.store.file(self._record.id, name) if name != self._shown else None
        if image is not None:
            self._shown = name
            width, height = self._record.viewport
            await self._send(Frame(image, "image/png", width, height), waits=waits)

    async def _send(self, frame: Frame, *, waits: bool) -> None:
        """Send a frame, and wait until it is drawn if there is another one to follow."""
        await self._say(
            "frame", media_type=frame.media_type, width=frame.width, height=frame.height
        )
        self._drawn.clear()
        await self._socket.send_bytes(frame.image)
        if waits:
            await self._drawn.wait()

    # --- taking ---------------------------------------------------------------------------

    async def _take(self, text: str) -> None:
        try:
            message = read_message(text)
        except MessageRefusedError as refused:
            await self._refuse(422, str(refused))
            return
        if isinstance(message, Drawn):
            self._drawn.set()
        elif not self._may_steer:
            await self._refuse(403, _WATCH_ONLY)
        elif isinstance(message, Order):
            await self._obey(message)
        else:
            await self._put(message)

    async def _obey(self, order: Order) -> None:
        try:
            _ORDERS[order.name](self._backend, TaskId(self._record.id))
        except RefusalError as refusal:
            await self._refuse(refusal.status, str(refusal.body["detail"]), order=order.name)
        else:
            await self._say("done", order=order.name)

    async def _put(self, event: Input) -> None:
        try:
            view = self._view()
            if view is None:
                await self._refuse(409, _NO_BROWSER)
            else:
                await view.put(event)
        except ConnectionError:
            raise
        except Exception as error:  # noqa: BLE001 - an executor may raise anything; the page lives
            log_failure(_logger, f"the browser of task {self._record.id} took no input", error)
            await self._refuse(500, "The browser could not do this")

    async def _refuse(self, status: int, detail: str, **fields: str) -> None:
        await self._say("refused", status=status, detail=detail, **fields)
