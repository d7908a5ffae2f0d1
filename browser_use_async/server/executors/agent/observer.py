"""The server's own connection to an agent's browser: what a person sees, and what stays closed.

browser-use checks addresses before it opens them. That check is a library's, so the schemes that
lead into this machine are closed here as well, in the browser itself and on a connection that the
agent does not know.
"""

import asyncio
import json
from collections.abc import Coroutine, Mapping
from contextlib import suppress
from typing import Any

from playwright.async_api import Browser, CDPSession, Page, Playwright
from playwright.async_api import Error as PlaywrightError

from browser_use_async.server.executors.browser.launch import CommandFailedError
from browser_use_async.server.executors.browser.live_input import LiveView
from browser_use_async.server.executors.browser.secrets import SecretMask
from browser_use_async.server.executors.protocol import Assignment

CLOSED_SCHEMES = ("file:", "chrome:", "chrome-untrusted:", "devtools:", "view-source:")
"""What no page of an agent's browser shows: files, and pages of the browser itself."""

# Documents only, but for files: the PDF viewer of the browser loads its own scripts from chrome:.
_CLOSED_PATTERNS = [
    {"urlPattern": "file:*"},
    *({"urlPattern": f"{scheme}*", "resourceType": "Document"} for scheme in CLOSED_SCHEMES[1:]),
]
_LEAVING: tuple[tuple[str, dict[str, str]], ...] = (
    ("Page.stopLoading", {}),
    ("Page.navigate", {"url": "about:blank"}),
)
_OPEN_CHROME_PAGES = ("chrome://newtab/", "chrome://new-tab-page/")


class LiveObserver:
    """A second connection to an agent's browser, beside the agent's own.

    It follows the windows that the agent opens, and changes no page but those of closed schemes.

    Attributes:
        view: What is to be seen.
    """

    def __init__(self, browser: Browser, commands: CDPSession, assignment: Assignment) -> None:
        self._browser = browser
        self._commands = commands
        self._mask = SecretMask(assignment.secrets)
        self._work: set[asyncio.Task[None]] = set()
        context = browser.contexts[0]
        self.view = LiveView(context, assignment.viewport)
        context.on("page", self._page_opened)
        context.on("dialog", lambda _: None)  # is the agent's to answer
        commands.on("Target.targetCreated", self._target_changed)
        commands.on("Target.targetInfoChanged", self._target_changed)
        commands.on("Fetch.requestPaused", self._refuse)

    @classmethod
    async def connect(
        cls, playwright: Playwright, browser_url: str, assignment: Assignment
    ) -> "LiveObserver":
        """Close the schemes, and follow the windows.

        Raises:
            CommandFailedError: The browser does not take the commands.
        """
        try:
            browser = await playwright.chromium.connect_over_cdp(browser_url)
            commands = await browser.new_browser_cdp_session()
            observer = cls(browser, commands, assignment)
            # In the browser's own session and not in those of its pages: the browser asks it
            # about the first load of a new window too, before anybody could attach to that.
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
        for work in self._work:
            work.cancel()
        await asyncio.gather(*self._work, return_exceptions=True)
        with suppress(PlaywrightError):
            await self._browser.close()

    def _page_opened(self, page: Page) -> None:
        self._in_background(self._mask.install(page))

    # --- closed schemes --------------------------------------------------------------------

    def _refuse(self, event: Mapping[str, Any]) -> None:
        refusal = {"requestId": event["requestId"], "errorReason": "AccessDenied"}
        self._in_background(self._send("Fetch.failRequest", refusal))

    def _target_changed(self, event: Mapping[str, Any]) -> None:
        target = event["targetInfo"]
        url = target["url"].lower()
        # A file is a request, whose refusal tells the agent more than a load that was stopped.
        is_closed = url.startswith(CLOSED_SCHEMES) and not url.startswith("file:")
        if target["type"] in {"page", "tab"} and is_closed and url not in _OPEN_CHROME_PAGES:
            self._in_background(self._leave(target["targetId"]))

    async def _leave(self, target_id: str) -> None:
        """Leave a page of a closed scheme: the browser's own pages are no requests to refuse."""
        attaching = self._commands.send("Target.attachToTarget", {"targetId": target_id})
        with suppress(PlaywrightError):
            session_id = (await attaching)["sessionId"]
            for number, (method, parameters) in enumerate(_LEAVING, 1):
                message = json.dumps({"id": number, "method": method, "params": parameters})
                sending = {"sessionId": session_id, "message": message}
                await self._commands.send("Target.sendMessageToTarget", sending)
            await self._commands.send("Target.detachFromTarget", {"sessionId": session_id})

    async def _send(self, command: str, parameters: dict[str, Any]) -> None:
        with suppress(PlaywrightError):  # the page is gone
            await self._commands.send(command, parameters)

    def _in_background(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._work.add(task)
        task.add_done_callback(self._work.discard)
