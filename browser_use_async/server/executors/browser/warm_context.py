"""A browser context that is opened before the task that will have it is there."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from browser_use_async.server.executors.browser.context import TaskContext
from browser_use_async.server.executors.browser.launch import BrowserError, BrowserProcess

_IDLE_SECONDS = 60.0

Viewport = tuple[int, int]


class WarmContext:
    """At most one context that waits for a task; no two tasks ever get the same one.

    Until then its way out is closed. What it has of a task it gets from `TaskContext.begin`, as
    one does that is opened when the task is there.
    """

    def __init__(
        self,
        open_context: Callable[[BrowserProcess, Viewport], Awaitable[TaskContext]],
        idle_seconds: float = _IDLE_SECONDS,
    ) -> None:
        self._open = open_context
        self._idle_seconds = idle_seconds
        self._opening: asyncio.Task[TaskContext] | None = None
        self._kind: tuple[BrowserProcess, Viewport] | None = None
        self._expiry: asyncio.TimerHandle | None = None
        self._work: set[asyncio.Task[None]] = set()

    def prepare(self, process: BrowserProcess, viewport: Viewport) -> None:
        """Open one in the background, unless there is one; it is closed if no task comes."""
        if self._opening is None and process.browser.is_connected():
            loop = asyncio.get_running_loop()
            self._kind = process, viewport
            self._opening = loop.create_task(_open(self._open(process, viewport)))
            self._expiry = loop.call_later(self._idle_seconds, self.discard)

    async def take(self, process: BrowserProcess, viewport: Viewport) -> TaskContext | None:
        """The context, or None if there is none of this kind."""
        if self._kind != (process, viewport):
            return None
        opening = self._release()
        if opening is None:
            return None
        try:
            context = await asyncio.shield(opening)
        except BrowserError:
            return None
        except asyncio.CancelledError:
            self._close(opening)
            raise
        if context.is_usable:
            return context
        # Chromium may end when a page that has crashed is closed, so that is over before the task
        # has a page of its own.
        await asyncio.shield(self._close(opening))
        return None

    async def aclose(self) -> None:
        """Close the one that waits."""
        self.discard()
        await asyncio.gather(*self._work)

    def _release(self) -> asyncio.Task[TaskContext] | None:
        opening, self._opening, self._kind = self._opening, None, None
        if self._expiry is not None:
            self._expiry.cancel()
        return opening

    def discard(self) -> None:
        """Begin to close the one that waits, if there is one."""
        opening = self._release()
        if opening is not None:
            self._close(opening)

    def _close(self, opening: asyncio.Task[TaskContext]) -> asyncio.Task[None]:
        work = asyncio.get_running_loop().create_task(_close(opening))
        self._work.add(work)
        work.add_done_callback(self._work.discard)
        return work


async def _open(opening: Awaitable[TaskContext]) -> TaskContext:
    context = await opening
    with contextlib.suppress(BrowserError):
        await (await context.current()).screenshot()  # the first of a page takes much longer
    return context


async def _close(opening: asyncio.Task[TaskContext]) -> None:
    # A browser that hangs is found out by the next task, or is just being ended.
    with contextlib.suppress(BrowserError, OSError):
        await (await opening).aclose()
