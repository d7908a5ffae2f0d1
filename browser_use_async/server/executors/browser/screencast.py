"""Frames of a task's browser, for as many as watch."""

import asyncio
import base64
from collections.abc import AsyncGenerator, Mapping
from contextlib import suppress
from typing import Any

from playwright.async_api import BrowserContext, CDPSession, Error, Page

from browser_use_async.server.executors.view import Frame

_FORMAT = {"format": "jpeg", "quality": 70}
_FIRST_SECONDS = 0.5
_SECONDS = 5.0
_DETACH_SECONDS = 1.0
_RETRY_SECONDS = 0.05


class Screencast:
    """Frames of the window that was opened last, taken only while somebody watches."""

    def __init__(self, context: BrowserContext, viewport: tuple[int, int]) -> None:
        self._context = context
        self._width, self._height = viewport
        self._page: Page | None = None
        self._capture: asyncio.Task[None] | None = None
        self._session: CDPSession | None = None
        self._work: set[asyncio.Task[Any]] = set()
        self._viewers = 0
        self._newest: Frame | None = None
        self._changed = asyncio.Event()
        self._ended = False
        context.on("page", self._opened)
        for page in context.pages:
            self._opened(page)

    @property
    def page(self) -> Page | None:
        """The window that is shown; None before there is one and after the last one."""
        return self._page

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of a frame in CSS pixels."""
        return self._width, self._height

    async def aclose(self) -> None:
        """End: whoever watches sees the last frame, and that there are no more."""
        self._context.remove_listener("page", self._opened)
        self._ended = True
        self._page = None
        self._tell_viewers()
        self._restart()
        await asyncio.gather(*self._work, return_exceptions=True)

    async def frames(self) -> AsyncGenerator[Frame, None]:
        """The newest frame at once, then newer ones as the page changes, until the end."""
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
        self._page = page
        self._restart()

    def _closed(self, page: Page) -> None:
        if page is self._page:
            others = [each for each in self._context.pages if each is not page]
            self._page = others[-1] if others else None
            self._restart()

    # --- frames -----------------------------------------------------------------------------

    def _restart(self) -> None:
        """Capture the window that is shown now, or none while nobody watches."""
        if self._capture is not None:
            self._capture.cancel()
            self._keep(self._capture)
            self._capture = self._session = None
        if self._viewers and self._page is not None and not self._ended:
            self._capture = asyncio.get_running_loop().create_task(self._run_capture(self._page))

    async def _run_capture(self, page: Page) -> None:
        with suppress(Error):  # the window or the browser is gone, which others tell
            session = self._session = await self._context.new_cdp_session(page)
            session.on("Page.screencastFrame", lambda event: self._take(session, event))
            size = {"maxWidth": self._width, "maxHeight": self._height}
            try:
                # Else it ends with the first document. A page that hangs is slow to answer this.
                self._keep(asyncio.get_running_loop().create_task(send(session, "Page.enable")))
                await _start(session, page, {**_FORMAT, **size})
                await self._take_first(session)
                await asyncio.get_running_loop().create_future()  # until it is cancelled
            finally:
                with suppress(Error, TimeoutError):
                    async with asyncio.timeout(_DETACH_SECONDS):
                        await session.detach()

    async def _take_first(self, session: CDPSession) -> None:
        """A page that does not change may send no frame, so one is taken of it."""
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
        ack = send(session, "Page.screencastFrameAck", {"sessionId": event["sessionId"]})
        self._keep(asyncio.get_running_loop().create_task(ack))

    def _show(self, session: CDPSession, data: str) -> None:
        if session is self._session:  # others still have frames under way
            image = base64.b64decode(data)
            self._newest = Frame(image, "image/jpeg", self._width, self._height)
            self._tell_viewers()

    def _keep(self, work: asyncio.Task[Any]) -> None:
        self._work.add(work)
        work.add_done_callback(self._work.discard)

    def _tell_viewers(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


async def _start(session: CDPSession, page: Page, parameters: Mapping[str, Any]) -> None:
    """Have frames sent from now on."""
    while not page.is_closed():
        # It is refused at the moment when one document takes the place of another, as the first
        # page of a task does: taken for done, whoever watches would see a blank page to the end.
        with suppress(Error, TimeoutError):
            async with asyncio.timeout(_SECONDS):
                await session.send("Page.startScreencast", dict(parameters))
                return
        await asyncio.sleep(_RETRY_SECONDS)


async def send(
    session: CDPSession, command: str, parameters: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Give a command; nothing comes back if the page is closed or hangs."""
    with suppress(Error, TimeoutError):
        async with asyncio.timeout(_SECONDS):
            answer: dict[str, Any] = await session.send(command, parameters or {})
            return answer
    return {}
