"""The browser of one agent: its process, its gateway and the server's own connection to it.

browser-use checks addresses before it opens them. The server does not rely on that check: it also
blocks schemes such as `file:` in the browser, through a connection that the agent does not know.
"""

import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import attrs
from playwright.async_api import Browser, CDPSession, Page, Playwright
from playwright.async_api import Error as PlaywrightError

from browser_use_async.server.egress.proxy import Gateway
from browser_use_async.server.executors.browser.browser_folder import BrowserProgram
from browser_use_async.server.executors.browser.browser_pool import (
    PlaywrightDriver,
    browsers_that_fit,
)
from browser_use_async.server.executors.browser.launch import BrowserProcess, CommandFailedError
from browser_use_async.server.executors.browser.live_view import LiveView, send
from browser_use_async.server.executors.browser.locate import require_browser
from browser_use_async.server.executors.browser.memory_watch import MEMORY_MB, MemoryWatch
from browser_use_async.server.executors.browser.secrets import SecretMask
from browser_use_async.server.executors.owner_slots import OwnerSlots
from browser_use_async.server.executors.settings import ChromiumSettings
from browser_use_async.server.loops import BackgroundTasks
from browser_use_async.server.records import Assignment

CLOSED_SCHEMES = ("file:", "chrome:", "chrome-untrusted:", "devtools:", "view-source:")
"""Schemes that an agent's browser never shows: files, and pages of the browser itself."""

# Except for files, only documents: the browser's PDF viewer loads its scripts from chrome:.
_CLOSED_PATTERNS = [
    {"urlPattern": "file:*"},
    *({"urlPattern": f"{scheme}*", "resourceType": "Document"} for scheme in CLOSED_SCHEMES[1:]),
]
_LEAVING: tuple[tuple[str, dict[str, str]], ...] = (
    ("Page.stopLoading", {}),
    ("Page.navigate", {"url": "about:blank"}),
)
_OPEN_CHROME_PAGES = ("chrome://newtab/", "chrome://new-tab-page/")

_EACH_BYTES = 700 * 1024**2
"""Memory that a browser, the pages of a task and the agent's process need together."""


class LiveObserver:
    """A second connection to an agent's browser, which blocks pages of closed schemes."""

    def __init__(self, browser: Browser, commands: CDPSession, assignment: Assignment) -> None:
        self._browser = browser
        self._commands = commands
        self._mask = SecretMask(assignment.secrets)
        self._work = BackgroundTasks("waits for the browser of an agent")
        self.context = context = browser.contexts[0]
        self.view = LiveView(context, assignment.viewport)
        context.on("page", self._page_opened)
        context.on("dialog", lambda _: None)  # the agent answers it
        commands.on("Target.targetCreated", self._target_changed)
        commands.on("Target.targetInfoChanged", self._target_changed)
        commands.on("Fetch.requestPaused", self._refuse)

    @classmethod
    async def connect(
        cls, playwright: Playwright, browser_url: str, assignment: Assignment
    ) -> "LiveObserver":
        """Connect to a browser, block the closed schemes and watch for new windows."""
        try:
            browser = await playwright.chromium.connect_over_cdp(browser_url)
            commands = await browser.new_browser_cdp_session()
            observer = cls(browser, commands, assignment)
            # In the browser's own session, not in those of its pages: only this session is
            # also asked about the first load of a new window.
            await commands.send("Fetch.enable", {"patterns": _CLOSED_PATTERNS})
            await commands.send("Target.setDiscoverTargets", {"discover": True})
            await browser.contexts[0].new_page()  # as in a browser that a person has started
        except PlaywrightError as error:
            raise CommandFailedError(f"it cannot be observed: {error.message}") from error
        return observer

    async def aclose(self) -> None:
        """End the screencast, and close the connection."""
        with suppress(PlaywrightError):
            await self.view.aclose()
        await self._work.aclose()
        with suppress(PlaywrightError):
            await self._browser.close()

    def _page_opened(self, page: Page) -> None:
        self._work.start(self._mask.install(page))

    # --- closed schemes --------------------------------------------------------------------

    def _refuse(self, event: Mapping[str, Any]) -> None:
        refusal = {"requestId": event["requestId"], "errorReason": "AccessDenied"}
        self._work.start(send(self._commands, "Fetch.failRequest", refusal))

    def _target_changed(self, event: Mapping[str, Any]) -> None:
        target = event["targetInfo"]
        url = target["url"].lower()
        # A file is a request. Its refusal gives the agent a better reason than a stopped load.
        is_closed = url.startswith(CLOSED_SCHEMES) and not url.startswith("file:")
        if target["type"] in {"page", "tab"} and is_closed and url not in _OPEN_CHROME_PAGES:
            self._work.start(self._leave(target["targetId"]))

    async def _leave(self, target_id: str) -> None:
        """Leave a page of a closed scheme; pages of the browser itself send no request."""
        attaching = self._commands.send("Target.attachToTarget", {"targetId": target_id})
        with suppress(PlaywrightError):
            session_id = (await attaching)["sessionId"]
            for number, (method, parameters) in enumerate(_LEAVING, 1):
                message = json.dumps({"id": number, "method": method, "params": parameters})
                sending = {"sessionId": session_id, "message": message}
                await self._commands.send("Target.sendMessageToTarget", sending)
            await self._commands.send("Target.detachFromTarget", {"sessionId": session_id})


@attrs.frozen
class AgentBrowser:
    """A running browser for one agent."""

    url: str  # the address of its DevTools protocol
    folder: Path  # an empty folder for the agent, deleted when the browser ends
    observer: LiveObserver  # the server's own connection to the browser
    proxy_note: str  # a sentence about the proxy; empty if the task asks for none


class AgentBrowsers:
    """Starts one browser for each agent, up to the capacity of this machine."""

    def __init__(self, settings: ChromiumSettings) -> None:
        self._program = BrowserProgram.of(
            require_browser(settings.browser), sandbox=settings.sandbox
        )
        self._driver = PlaywrightDriver()
        self._egress = settings.egress()
        self._bytes = MEMORY_MB * 1024**2
        most = settings.max_browsers or browsers_that_fit(each_bytes=_EACH_BYTES)
        self.capacity = most
        self._room = OwnerSlots(most)

    async def aclose(self) -> None:
        """Stop the browser launcher."""
        await self._driver.stop()

    @asynccontextmanager
    async def take(self, assignment: Assignment) -> AsyncGenerator[AgentBrowser]:
        """Wait for a free place, start a browser for one task, and end it afterwards."""
        async with self._room.slot(assignment.owner), AsyncExitStack() as stack:
            upstream, proxy_note = self._egress.upstream(assignment)
            gateway = Gateway(self._egress.policy(assignment), upstream)
            await gateway.start()
            stack.push_async_callback(gateway.aclose)
            playwright = await self._driver.start()
            browser = await BrowserProcess.start(playwright, self._program, _flags(gateway))
            stack.push_async_callback(browser.end)
            watch = MemoryWatch(lambda: {browser: self._bytes})
            watch.start()
            stack.push_async_callback(watch.aclose)
            url = await browser.address()
            observer = await LiveObserver.connect(playwright, url, assignment)
            stack.push_async_callback(observer.aclose)
            # Owned by the browser's user, who writes downloads there and reads uploads.
            folder = browser.folder.for_browser("agent")
            yield AgentBrowser(url, folder, observer, proxy_note)


def _flags(gateway: Gateway) -> list[str]:
    return [
        "--remote-debugging-port=0",  # browser-use connects to an address only, not to a pipe
        f"--proxy-server=http://127.0.0.1:{gateway.port}",
        # Names are resolved by the gateway only. Without this, the picture that browser-use
        # shows on empty pages would cause a look-up.
        "--proxy-bypass-list=<-loopback>;cf.browser-use.com",
    ]
