"""The live view of a task's browser: its frames, and the input of a person."""

import asyncio
import base64
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from playwright.async_api import BrowserContext, CDPSession, Error, Page

from browser_use_async.server.executors.view import Frame, Input, KeyInput, PointerInput
from browser_use_async.server.loops import BackgroundTasks

_FORMAT = {"format": "jpeg", "quality": 70}
_FIRST_SECONDS = 0.5
_SECONDS = 5.0
_DETACH_SECONDS = 1.0
_RETRY_SECONDS = 0.05

_MOST_PENDING = 256
_MOST_COPIED = 100_000
_MOUSE = {"move": "mouseMoved", "down": "mousePressed", "up": "mouseReleased"}
# Windows' virtual key codes: pages know keys without text by them. Some keys also have a text.
_NAMED_KEYS = (
    "Backspace 8 Tab 9 Enter 13 Shift 16 Control 17 Alt 18 Escape 27 PageUp 33 PageDown 34 End 35 "
    "Home 36 ArrowLeft 37 ArrowUp 38 ArrowRight 39 ArrowDown 40 Insert 45 Delete 46 Meta 91"
).split()
_KEY_CODES = {
    **dict(zip(_NAMED_KEYS[::2], map(int, _NAMED_KEYS[1::2]), strict=True)),
    **{f"F{number}": 111 + number for number in range(1, 13)},
}
_TEXTS = {"Enter": "\r", "Tab": "\t"}
_CONTROL_OR_META = 2 | 4
_OLD_CLIPBOARD_KEYS = {("Insert", 8): "v", ("Insert", 2): "c", ("Delete", 8): "x"}
_EDITING = {"a": "selectAll", "z": "undo"}
_SELECTION = """() => {
  if (!document.hasFocus() || document.activeElement?.matches?.("iframe, [type=password]"))
    return "";
  const { value, selectionStart, selectionEnd } = document.activeElement ?? {};
  return typeof value === "string" && typeof selectionStart === "number"
    ? value.slice(selectionStart, selectionEnd) : String(getSelection());
}"""


class Screencast:
    """The frames of the newest window, captured only while there are viewers."""

    # Playwright's own screencast is not used: in a traced task its frames have 800 pixels only.

    def __init__(self, context: BrowserContext, viewport: tuple[int, int]) -> None:
        self._context = context
        self.size = viewport  # of a frame, in CSS pixels
        self.page: Page | None = None  # the window that is shown
        self._capture: asyncio.Task[None] | None = None
        self._session: CDPSession | None = None
        self._work = BackgroundTasks("starts the live view of a page")
        self._viewers = 0
        self._newest: Frame | None = None
        self._changed = asyncio.Event()
        self._ended = False
        context.on("page", self._opened)
        for page in context.pages:
            self._opened(page)

    async def aclose(self) -> None:
        """End the screencast: viewers get the last frame, then their stream ends."""
        self._context.remove_listener("page", self._opened)
        self._ended = True
        self.page = None
        self._notify_viewers()
        self._restart()
        await self._work.join()

    async def frames(self) -> AsyncGenerator[Frame, None]:
        """Yield the newest frame at once, then each newer one, until the end."""
        self._viewers += 1
        if self._viewers == 1:
            self._restart()
        seen: Frame | None = None
        try:
            while True:
                changed, newest = self._changed, self._newest
                if newest is not None and newest is not seen:
                    seen = newest
                    yield newest
                elif self._ended:
                    return
                else:
                    await changed.wait()
        finally:
            self._viewers -= 1
            if not self._viewers:
                self._newest = None
                self._restart()

    # --- windows ----------------------------------------------------------------------------

    def _opened(self, page: Page) -> None:
        page.once("close", self._closed)
        self.page = page
        self._restart()

    def _closed(self, page: Page) -> None:
        if page is self.page:
            others = [each for each in self._context.pages if each is not page]
            self.page = others[-1] if others else None
            self._restart()

    # --- frames -----------------------------------------------------------------------------

    def _restart(self) -> None:
        """Stop the capture, and start one of the current window if there are viewers."""
        if self._capture is not None:
            self._capture.cancel()
            self._capture = self._session = None
        if self._viewers and self.page is not None and not self._ended:
            self._capture = self._work.start(self._run_capture(self.page))

    async def _run_capture(self, page: Page) -> None:
        with suppress(Error):  # the window or the browser is gone, which is reported elsewhere
            session = self._session = await self._context.new_cdp_session(page)
            session.on("Page.screencastFrame", lambda event: self._take(session, event))
            width, height = self.size
            try:
                # Otherwise the screencast ends with the first document. A page that hangs may
                # never answer this, so it is not awaited.
                self._work.start(send(session, "Page.enable"))
                await _start(session, page, {**_FORMAT, "maxWidth": width, "maxHeight": height})
                await self._take_first(session)
                await asyncio.get_running_loop().create_future()  # until it is cancelled
            finally:
                with suppress(Error, TimeoutError):
                    async with asyncio.timeout(_DETACH_SECONDS):
                        await session.detach()

    async def _take_first(self, session: CDPSession) -> None:
        """Take a screenshot as the first frame: a page that does not change may send none."""
        before = self._newest
        while self._newest is before:
            with suppress(TimeoutError):
                async with asyncio.timeout(_FIRST_SECONDS):
                    await self._changed.wait()
            if self._newest is before:
                answer = await send(session, "Page.captureScreenshot", {"format": "jpeg"})
                if answer and self._newest is before:
                    self._show(session, answer["data"])

    def _take(self, session: CDPSession, event: Mapping[str, Any]) -> None:
        self._show(session, event["data"])
        parameters = {"sessionId": event["sessionId"]}
        self._work.start(send(session, "Page.screencastFrameAck", parameters))

    def _show(self, session: CDPSession, data: str) -> None:
        if session is self._session:  # frames of an earlier session may still arrive
            image = base64.b64decode(data)
            self._newest = Frame(image, "image/jpeg", *self.size)
            self._notify_viewers()

    def _notify_viewers(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


async def _start(session: CDPSession, page: Page, parameters: Mapping[str, Any]) -> None:
    """Start the screencast, and retry while documents change."""
    while not page.is_closed():
        # The browser refuses the command while one document replaces another, as at the first
        # page of a task. Without a retry, viewers would see a blank page until the end.
        with suppress(Error, TimeoutError):
            async with asyncio.timeout(_SECONDS):
                await session.send("Page.startScreencast", dict(parameters))
                return
        await asyncio.sleep(_RETRY_SECONDS)


async def send(
    session: CDPSession, command: str, parameters: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Send a command, and return its answer; empty if the page is closed or hangs."""
    with suppress(Error, TimeoutError):
        async with asyncio.timeout(_SECONDS):
            answer: dict[str, Any] = await session.send(command, parameters or {})
            return answer
    return {}


class LiveView:
    """The live view of one task: its frames, and the input of a person.

    Each task has its own clipboard, which is kept here: the clipboard of the browser is shared by
    all its contexts, so it is never used. The middle mouse button is ignored, because it pastes
    the latest selection of any task.
    """

    def __init__(self, context: BrowserContext, viewport: tuple[int, int]) -> None:
        self.screencast = Screencast(context, viewport)
        self._context = context
        self._sessions: dict[Page, CDPSession] = {}
        self._pending = BackgroundTasks("acknowledges frames of a live view")
        self._copied = ""

    def frames(self) -> AsyncIterator[Frame]:
        """Yield the newest frame at once, then each newer one, until the end."""
        return self.screencast.frames()

    async def put(self, event: Input) -> None:
        """Send the input of a person to the browser, without waiting for the page's reaction."""
        page = self.screencast.page
        pastes = isinstance(event, PointerInput) and event.button == "middle"
        if page is None or pastes or len(self._pending) >= _MOST_PENDING:
            return
        with suppress(Error, TimeoutError):  # the page is closed, or hangs
            async with asyncio.timeout(_SECONDS):
                session = await self._session(page)
                if isinstance(event, KeyInput) and _clipboard_key(event):
                    await self._use_clipboard(page, session, event)
                elif isinstance(event, KeyInput):
                    self._send(session, "Input.dispatchKeyEvent", _key_event(event))
                elif isinstance(event, PointerInput):
                    self._send(session, "Input.dispatchMouseEvent", _mouse_event(event))
                else:
                    self._send(session, "Input.insertText", {"text": event.text})

    async def aclose(self) -> None:
        """End the screencast, and accept no more input."""
        await self.screencast.aclose()
        await self._pending.aclose()

    async def _session(self, page: Page) -> CDPSession:
        session = self._sessions.get(page)
        if session is None:
            session = await self._context.new_cdp_session(page)
            self._sessions = {page: session}  # input goes to one window only
        return session

    def _send(self, session: CDPSession, command: str, parameters: dict[str, Any]) -> None:
        self._pending.start(send(session, command, parameters))

    async def _use_clipboard(self, page: Page, session: CDPSession, event: KeyInput) -> None:
        key = _clipboard_key(event)
        await self._pending.join()  # earlier input may change the selection
        selected = await _selection(page) if key != "v" else ""
        self._copied = selected or self._copied
        # Without a key code, the page gets the event, but the browser copies and pastes nothing.
        command = _key_event(event, ["delete"] if key == "x" and selected else [])
        self._send(session, "Input.dispatchKeyEvent", {**command, "windowsVirtualKeyCode": 0})
        if key == "v" and self._copied:
            self._send(session, "Input.insertText", {"text": self._copied})


def _clipboard_key(event: KeyInput) -> str:
    """Return `c`, `v` or `x` for keys that copy, paste or cut, and an empty text for others."""
    if event.kind != "down":
        return ""
    if event.modifiers & _CONTROL_OR_META and event.key.lower() in {"c", "v", "x"}:
        return event.key.lower()
    return _OLD_CLIPBOARD_KEYS.get((event.key, event.modifiers), "")


def _mouse_event(event: PointerInput) -> dict[str, Any]:
    place = {"x": event.x, "y": event.y, "modifiers": event.modifiers}
    if event.kind == "wheel":
        return {"type": "mouseWheel", **place, "deltaX": event.delta_x, "deltaY": event.delta_y}
    buttons = {"button": event.button, "clickCount": event.clicks}
    return {"type": _MOUSE[event.kind], **place, **buttons}


def _key_event(event: KeyInput, commands: Sequence[str] = ()) -> dict[str, Any]:
    has_control = bool(event.modifiers & _CONTROL_OR_META)
    text = event.key if len(event.key) == 1 and not has_control else _TEXTS.get(event.key, "")
    if has_control and event.key.lower() in _EDITING:
        commands = [_EDITING[event.key.lower()]]
    code = _KEY_CODES.get(event.key, ord(event.key.upper()) if len(event.key) == 1 else 0)
    down = {"text": text, "commands": list(commands)} if event.kind == "down" else {}
    return {
        "type": "keyUp" if event.kind == "up" else "keyDown" if text else "rawKeyDown",
        "key": event.key,
        "code": event.code,
        "windowsVirtualKeyCode": code,
        "modifiers": event.modifiers,
        **down,
    }


async def _selection(page: Page) -> str:
    """Return the selected text of the page or of one of its frames."""
    for frame in page.frames:
        with suppress(Error):  # the frame has gone
            selected = str(await frame.evaluate(_SELECTION))
            if selected:
                return selected[:_MOST_COPIED]
    return ""
