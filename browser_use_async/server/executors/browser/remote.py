"""Browsers elsewhere: rented ones and those of other machines, each connected to for one task.

Most services start a browser for each connection and end it with that, so that a task has a browser
of its own and an idle server pays for none.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from playwright.async_api import Browser, Playwright
from playwright.async_api import Error as PlaywrightError

from browser_use_async.server.egress.policy import EgressPolicy
from browser_use_async.server.egress.proxy import Upstream
from browser_use_async.server.executors.browser import launch
from browser_use_async.server.executors.browser.browser_folder import BrowserFolder
from browser_use_async.server.executors.browser.browser_pool import PlaywrightDriver
from browser_use_async.server.executors.browser.context import TaskContext
from browser_use_async.server.executors.browser.interception import RequestInterception
from browser_use_async.server.executors.owner_slots import OwnerSlots
from browser_use_async.server.executors.settings import CONNECT_SECONDS, BrowserEndpoint
from browser_use_async.server.records import Assignment

_logger = logging.getLogger(__name__)

_NOTICE_SECONDS = 0.5


class RemoteBrowsers:
    """Connections to remote browsers, one for each task."""

    def __init__(self, endpoint: BrowserEndpoint, capacity: int, *, trace: bool = False) -> None:
        if endpoint.is_open_to_readers:
            _logger.warning(
                "the browser at %s is reached without TLS: who is on the way can read its key and "
                "all pages",
                endpoint,
            )
        self._endpoint = endpoint
        self._trace = trace
        self._room = OwnerSlots(capacity)
        self._driver = PlaywrightDriver()
        self._starting = asyncio.Lock()
        self._count = 0

    @asynccontextmanager
    async def context(
        self, assignment: Assignment, policy: EgressPolicy, upstream: Upstream | None
    ) -> AsyncGenerator[TaskContext, None]:
        """A context for one task in a browser that is connected to for it."""
        async with self._room.slot(assignment.owner):
            process = await self._connected()
            context = TaskContext(process, RequestInterception(), assignment.viewport)
            try:
                await context.open()
                context.gateway.admit(policy, upstream)
                await context.begin(assignment, trace=self._trace)
                yield context
            except launch.BrowserError:
                if not await _is_lost(process.browser):
                    raise
                raise launch.BrowserLostError(
                    f"the connection to the remote browser at {self._endpoint} was lost"
                ) from None
            finally:
                await asyncio.shield(self._close(context, process))

    async def aclose(self) -> None:
        """End the driver."""
        await self._driver.stop()

    async def _connected(self) -> launch.BrowserProcess:
        self._count += 1
        try:
            async with self._starting:
                playwright = await self._driver.start()
            browser = await _connect(playwright, self._endpoint)
            return launch.BrowserProcess(browser, BrowserFolder.make())
        except BaseException:
            await asyncio.shield(self._disconnected())
            raise

    async def _disconnected(self) -> None:
        self._count -= 1
        if not self._count:
            # It may be the driver that has failed, and an idle one takes memory.
            async with self._starting:
                await self._driver.stop()

    async def _close(self, context: TaskContext, process: launch.BrowserProcess) -> None:
        with contextlib.suppress(launch.NoAnswerError):  # the connection is closed next
            await context.aclose()
        await process.end()
        await self._disconnected()


async def _is_lost(browser: Browser) -> bool:
    """Whether the connection is, of which the pages hear first."""
    try:
        async with asyncio.timeout(_NOTICE_SECONDS):
            while browser.is_connected():  # noqa: ASYNC110 - the event may have been before
                await asyncio.sleep(0.02)
    except TimeoutError:
        return False
    return True


async def _connect(playwright: Playwright, endpoint: BrowserEndpoint) -> Browser:
    chromium, milliseconds = playwright.chromium, CONNECT_SECONDS * 1000
    try:
        async with asyncio.timeout(CONNECT_SECONDS + 2):
            if endpoint.protocol == "playwright":
                return await chromium.connect(endpoint.url, timeout=milliseconds)
            return await chromium.connect_over_cdp(endpoint.url, timeout=milliseconds)
    except TimeoutError:
        reason = endpoint.failure("Timeout")
    except PlaywrightError as error:
        reason = endpoint.failure(str(error))
    # The driver's own error shows the address.
    raise launch.BrowserNotStartedError(f"of the remote browser at {endpoint}, {reason}")
