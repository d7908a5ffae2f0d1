"""Where one agent works: a browser of its own, one way out of it, and an observer."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import attrs

from browser_use_async.server.egress.proxy import Gateway
from browser_use_async.server.executors.agent.observer import LiveObserver
from browser_use_async.server.executors.browser.browser_folder import BrowserProgram
from browser_use_async.server.executors.browser.browser_pool import (
    PlaywrightDriver,
    browsers_that_fit,
)
from browser_use_async.server.executors.browser.launch import BrowserProcess
from browser_use_async.server.executors.browser.locate import require_browser
from browser_use_async.server.executors.browser.settings import ChromiumSettings
from browser_use_async.server.executors.protocol import Assignment

_EACH_BYTES = 700 * 1024**2
"""What a browser, the pages of a task and the agent's process take together."""


@attrs.frozen
class AgentBrowser:
    """A browser that waits for an agent.

    Attributes:
        url: The address at which it takes commands.
        folder: An empty folder for the agent, deleted with the browser's.
        observer: The server's own connection to the browser.
        proxy_note: A sentence about the proxy; empty if the task asks for none.
    """

    url: str
    folder: Path
    observer: LiveObserver
    proxy_note: str


class AgentBrowsers:
    """Browsers for agents, as many at once as there is room for.

    An agent takes every page of a browser for its own, so that no two can share one.

    Raises:
        ConfigurationError: There is no browser, or a setting cannot be used.
    """

    def __init__(self, settings: ChromiumSettings) -> None:
        self._program = BrowserProgram.of(
            require_browser(settings.browser), sandbox=settings.sandbox
        )
        self._driver = PlaywrightDriver()
        self._egress = settings.egress()
        most = settings.max_browsers or browsers_that_fit(each_bytes=_EACH_BYTES)
        self.capacity = most
        self._free = asyncio.Semaphore(most)

    async def aclose(self) -> None:
        """End what starts the browsers."""
        await self._driver.stop()

    @asynccontextmanager
    async def take(self, assignment: Assignment) -> AsyncGenerator[AgentBrowser]:
        """Start a browser for one task as soon as there is room, and end it.

        Raises:
            BrowserNotStartedError: The browser does not start.
            BrowserError: It does not let itself be watched.
        """
        async with self._free, AsyncExitStack() as stack:
            own_ports: set[int] = set()
            upstream, proxy_note = self._egress.upstream(assignment)
            gateway = Gateway(self._egress.policy(assignment).protecting(own_ports), upstream)
            await gateway.start()
            stack.push_async_callback(gateway.aclose)
            playwright = await self._driver.start()
            browser = await BrowserProcess.start(playwright, self._program, _flags(gateway))
            stack.push_async_callback(browser.end)
            url = await browser.address()
            own_ports.add(_port(url))
            observer = await LiveObserver.connect(playwright, url, assignment)
            stack.push_async_callback(observer.aclose)
            # Of the browser's user: it writes downloads there, and reads what is uploaded.
            folder = browser.folder.for_browser("agent")
            yield AgentBrowser(url, folder, observer, proxy_note)


def _port(url: str) -> int:
    return int(url.partition("127.0.0.1:")[2].partition("/")[0])


def _flags(gateway: Gateway) -> list[str]:
    return [
        "--remote-debugging-port=0",  # browser-use takes an address, and no pipe
        f"--proxy-server=http://127.0.0.1:{gateway.port}",
        # Past the gateway no name is known, so that nothing is looked up: browser-use shows a
        # picture of its own on empty pages.
        "--proxy-bypass-list=<-loopback>;cf.browser-use.com",
    ]
