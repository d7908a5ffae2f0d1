"""What is to be seen of a task's browser, frame by frame, for as many as watch."""

import asyncio
import base64
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any

from browser_use_async.server.executors.chromium.connection import DevToolsError
from browser_use_async.server.executors.chromium.tab import Tab
from browser_use_async.server.executors.viewing import Frame

_QUALITY = 70
_FIRST_SECONDS = 0.5


class Screencast:
    """Frames of the current window, taken only while somebody watches.

    Args:
        viewport: Width and height of the page in CSS pixels.
    """

    def __init__(self, viewport: tuple[int, int]) -> None:
        self._width, self._height = viewport
        self._tab: Tab | None = None
        self._followed: set[str] = set()
        self._watchers = 0
        self._newest: Frame | None = None
        self._changed = asyncio.Event()
        self._ended = False

    @property
    def tab(self) -> Tab | None:
        """The window that it shows."""
        return self._tab

    def follow(self, tab: Tab) -> None:
        """Show another window from now on.

        Args:
            tab: The window.
        """
        if self._tab is not None:
            self._tab.session.post("Page.stopScreencast")
        self._tab = tab
        if tab.session.id not in self._followed:
            self._followed.add(tab.session.id)
            tab.session.on("Page.screencastFrame", lambda event: self._take(tab, event))
        if self._watchers:
            self._start(tab)

    def end(self) -> None:
        """There will be no more frames."""
        self._ended = True
        self._tell()

    async def frames(self) -> AsyncGenerator[Frame, None]:
        """The newest frame at once, then newer ones as the page changes, until the end."""
        self._watchers += 1
        try:
            if self._watchers == 1 and self._tab is not None:
                self._start(self._tab)
            async with aclosing(self._newer()) as frames:
                async for frame in frames:
                    yield frame
        finally:
            self._watchers -= 1
            if not self._watchers and self._tab is not None:
                self._tab.session.post("Page.stopScreencast")
                self._newest = None

    async def _newer(self) -> AsyncGenerator[Frame, None]:
        seen: Frame | None = None
        if self._newest is None:
            await self._first()
        while True:
            changed = self._changed
            if self._newest is not None and self._newest is not seen:
                seen = self._newest
                yield seen
            elif self._ended:
                return
            else:
                await changed.wait()

    async def _first(self) -> None:
        """A page that does not change may send no frame, so one is taken of it."""
        try:
            async with asyncio.timeout(_FIRST_SECONDS):
                await self._changed.wait()
        except TimeoutError:
            try:
                image = await self._tab.picture("jpeg") if self._tab is not None else b""
            except DevToolsError:
                return
            if image and self._newest is None:
                self._show(image)

    def _start(self, tab: Tab) -> None:
        tab.session.post(
            "Page.startScreencast",
            format="jpeg",
            quality=_QUALITY,
            maxWidth=self._width,
            maxHeight=self._height,
        )

    def _take(self, tab: Tab, event: Mapping[str, Any]) -> None:
        tab.session.post("Page.screencastFrameAck", sessionId=event["sessionId"])
        if tab is self._tab:
            self._show(base64.b64decode(event["data"]))

    def _show(self, image: bytes) -> None:
        self._newest = Frame(image, "image/jpeg", self._width, self._height)
        self._tell()

    def _tell(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
