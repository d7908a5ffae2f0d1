"""One browser process for all tasks, started when it is needed and anew when it is lost."""

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from browser_use_async.server.egress.policy import EgressPolicy
from browser_use_async.server.egress.proxy import Gateway, Upstream
from browser_use_async.server.executors.chromium.browser import Browser
from browser_use_async.server.executors.chromium.connection import (
    BrowserLostError,
    DevToolsError,
    NoAnswerError,
)
from browser_use_async.server.executors.chromium.context import TaskBrowser
from browser_use_async.server.executors.chromium.folders import clean_up_after_the_dead
from browser_use_async.server.executors.protocol import Assignment

_logger = logging.getLogger(__name__)


class BrowserPool:
    """The shared browser, and a place in it for each task.

    Args:
        program: The browser's file.
        places: How many tasks may have a place at once.
    """

    def __init__(self, program: str, places: int) -> None:
        self._program = program
        self._places = asyncio.Semaphore(places)
        self._starting = asyncio.Lock()
        self._browser: Browser | None = None
        self._has_cleaned_up = False

    @property
    def browser(self) -> Browser | None:
        """The browser, if one is running."""
        return self._browser

    @asynccontextmanager
    async def place(
        self, assignment: Assignment, rules: EgressPolicy, upstream: Upstream | None
    ) -> AsyncGenerator[TaskBrowser, None]:
        """A browser for one task, as soon as there is room for it.

        Args:
            assignment: The task.
            rules: What it may connect to.
            upstream: The proxy that it uses, if it uses one.

        Raises:
            BrowserNotStartedError: The browser does not start.
            DevToolsError: The browser or the page is gone or hangs.
        """
        async with self._places:
            browser = await self._running()
            steering = frozenset({browser.process.port})
            gateway = Gateway(rules.protecting(steering), upstream)
            await gateway.start()
            own = TaskBrowser(browser, gateway, assignment)
            try:
                await own.open()
                yield own
            except NoAnswerError:
                if await browser.is_alive():
                    raise
                await self._retire(browser)
                raise BrowserLostError("the browser hung, and was ended") from None
            finally:
                await asyncio.shield(self._leave(own, browser, gateway))

    async def aclose(self) -> None:
        """End the browser."""
        if self._browser is not None:
            await self._retire(self._browser)

    async def _running(self) -> Browser:
        async with self._starting:
            if not self._has_cleaned_up:
                self._has_cleaned_up = True
                count = await asyncio.to_thread(clean_up_after_the_dead)
                if count:
                    _logger.warning("removed what %s killed servers left of their browsers", count)
            if self._browser is not None and self._browser.is_lost:
                _logger.error("the browser has ended unexpectedly, and is started anew")
                await self._retire(self._browser)
            if self._browser is None:
                self._browser = await Browser.start(self._program)
            return self._browser

    async def _retire(self, browser: Browser) -> None:
        if self._browser is browser:  # the first of several tasks that find it hanging
            self._browser = None
            await browser.aclose()

    async def _leave(self, own: TaskBrowser, browser: Browser, gateway: Gateway) -> None:
        try:
            await own.aclose()
        except DevToolsError as error:
            if isinstance(error, NoAnswerError) and await browser.is_alive():
                return  # it takes its time, and will let go
            _logger.error("the browser is ended, because it does not let go of a page: %s", error)  # noqa: TRY400 - the text says it
            await self._retire(browser)
        finally:
            await gateway.aclose()
