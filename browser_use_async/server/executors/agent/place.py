"""Where one agent works: a browser of its own, one way out of it, and an observer."""

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import attrs

from browser_use_async.server.egress.proxy import Gateway
from browser_use_async.server.executors.agent.observer import LiveObserver
from browser_use_async.server.executors.chromium.finding import require_browser
from browser_use_async.server.executors.chromium.folders import clean_up_after_the_dead
from browser_use_async.server.executors.chromium.memory import browsers_that_fit
from browser_use_async.server.executors.chromium.process import BrowserProcess
from browser_use_async.server.executors.chromium.settings import ChromiumSettings
from browser_use_async.server.executors.chromium.tab_settings import TabSettings, mask_script
from browser_use_async.server.executors.protocol import Assignment
from browser_use_async.server.jobs.redaction import SecretRedactor

_logger = logging.getLogger(__name__)

_EACH_BYTES = 700 * 1024**2
"""What a browser, the pages of a task and the agent's process take together."""


@attrs.frozen
class Place:
    """A browser that waits for an agent.

    Attributes:
        browser_url: The address at which it takes commands.
        folder: An empty folder for the agent, deleted with the browser's.
        observer: The server's own connection to the browser.
        way_out: A sentence about the proxy; empty if the task asks for none.
    """

    browser_url: str
    folder: Path
    observer: LiveObserver
    way_out: str


class Places:
    """Browsers for agents, as many at once as there is room for.

    An agent takes every page of a browser for its own, so that no two can share one.

    Args:
        settings: What the operator decides about the browser.

    Raises:
        ConfigurationError: There is no browser, or a setting cannot be used.
    """

    def __init__(self, settings: ChromiumSettings) -> None:
        self._program = require_browser(settings.browser)
        self._egress = settings.egress()
        most = settings.max_browsers or browsers_that_fit(each_bytes=_EACH_BYTES)
        self._free = asyncio.Semaphore(most)
        self._has_cleaned_up = False

    @asynccontextmanager
    async def take(self, assignment: Assignment) -> AsyncGenerator[Place]:
        """Start a browser for one task as soon as there is room, and end it.

        Args:
            assignment: The task.

        Raises:
            BrowserNotStartedError: The browser does not start.
            DevToolsError: It does not let itself be watched.
        """
        async with self._free, AsyncExitStack() as stack:
            await self._clean_up()
            own_ports: set[int] = set()
            upstream, way_out = self._egress.upstream(assignment)
            gateway = Gateway(self._egress.policy(assignment).protecting(own_ports), upstream)
            await gateway.start()
            stack.push_async_callback(gateway.aclose)
            browser = await BrowserProcess.start(self._program, _flags(gateway))
            stack.push_async_callback(browser.end)
            own_ports.add(browser.port)
            observer = await LiveObserver.connect(browser.url, _settings(assignment))
            stack.push_async_callback(observer.aclose)
            folder = browser.folder / "agent"
            folder.mkdir()
            yield Place(browser.url, folder, observer, way_out)

    async def _clean_up(self) -> None:
        if self._has_cleaned_up:
            return
        self._has_cleaned_up = True
        count = await asyncio.to_thread(clean_up_after_the_dead)
        if count:
            _logger.warning("removed what %s killed servers left of their browsers", count)


def _flags(gateway: Gateway) -> list[str]:
    return [
        f"--proxy-server=http://127.0.0.1:{gateway.port}",
        # Past the gateway no name is known, so that nothing is looked up: browser-use shows a
        # picture of its own on empty pages.
        "--proxy-bypass-list=<-loopback>;cf.browser-use.com",
    ]


def _settings(assignment: Assignment) -> TabSettings:
    return TabSettings(assignment.viewport, mask_script(SecretRedactor(assignment.secrets).values))
