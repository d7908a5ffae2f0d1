"""The server's own connection to an agent's browser: what a person sees, and what stays closed.

browser-use checks addresses before it opens them. That check is a library's, so the schemes that
lead into this machine are closed here as well, in the browser itself and on a connection that the
agent does not know.
"""

from collections.abc import Mapping
from typing import Any

from browser_use_async.server.executors.chromium.connection import Connection
from browser_use_async.server.executors.chromium.screencast import Screencast
from browser_use_async.server.executors.chromium.tab import Tab
from browser_use_async.server.executors.chromium.tab_settings import TabSettings

CLOSED_SCHEMES = ("file:", "chrome:", "chrome-untrusted:", "devtools:", "view-source:")
"""What no page of an agent's browser shows: files, and pages of the browser itself."""

# Documents only, but for files: the PDF viewer of the browser loads its own scripts from chrome:.
_CLOSED_PATTERNS = [
    {"urlPattern": "file:*"},
    *({"urlPattern": f"{scheme}*", "resourceType": "Document"} for scheme in CLOSED_SCHEMES[1:]),
]
_OPEN_CHROME_PAGES = ("chrome://newtab/", "chrome://new-tab-page/")


class LiveObserver:
    """A second connection to an agent's browser, beside the agent's own.

    It follows the windows that the agent opens, and changes no page but those of closed schemes.

    Args:
        connection: The connection.
        settings: What the task's pages have in common.

    Attributes:
        screencast: What is to be seen.
    """

    def __init__(self, connection: Connection, settings: TabSettings) -> None:
        self._connection = connection
        self._settings = settings
        self._tabs: dict[str, Tab] = {}
        self.screencast = Screencast(settings.viewport)
        self._commands = connection.session()
        self._commands.on("Target.attachedToTarget", self._attached)
        self._commands.on("Target.detachedFromTarget", self._detached)
        self._commands.on("Target.targetInfoChanged", self._moved)
        self._commands.on("Fetch.requestPaused", self._refuse)

    @classmethod
    async def connect(cls, browser_url: str, settings: TabSettings) -> "LiveObserver":
        """Close the schemes, and follow the windows.

        Args:
            browser_url: The address at which the browser takes commands.
            settings: What the task's pages have in common.

        Raises:
            DevToolsError: The browser does not take the commands.
        """
        observer = cls(await Connection.open(browser_url), settings)
        try:
            # In the browser's own session and not in those of its pages: the browser asks it
            # about the first load of a new window too, before anybody could attach to that.
            await observer._commands.send("Fetch.enable", patterns=_CLOSED_PATTERNS)
            await observer._commands.send("Target.setDiscoverTargets", discover=True)
            await observer._commands.send(
                "Target.setAutoAttach", autoAttach=True, waitForDebuggerOnStart=False, flatten=True
            )
        except BaseException:
            await observer.aclose()
            raise
        return observer

    async def aclose(self) -> None:
        """End the screencast, and close the connection."""
        self.screencast.end()
        await self._connection.aclose()

    def _attached(self, event: Mapping[str, Any]) -> None:
        target = event["targetInfo"]
        if target["type"] != "page":
            return
        session = self._connection.session(event["sessionId"])
        tab = Tab(session, target["targetId"], self._settings)
        self._tabs[session.id] = tab
        session.on("Page.frameStartedNavigating", lambda moving: self._started(tab, moving["url"]))
        session.post("Page.enable")
        tab.mask()
        self.screencast.follow(tab)
        self._leave(tab, target["url"])

    def _detached(self, event: Mapping[str, Any]) -> None:
        tab = self._tabs.pop(event["sessionId"], None)
        if tab is not None:
            tab.lose("the page has been closed")
            if self._tabs:
                self.screencast.follow(list(self._tabs.values())[-1])

    # --- closed schemes --------------------------------------------------------------------

    def _refuse(self, event: Mapping[str, Any]) -> None:
        self._commands.post(
            "Fetch.failRequest", requestId=event["requestId"], errorReason="AccessDenied"
        )

    def _started(self, tab: Tab, url: str) -> None:
        # A file is a request, whose refusal tells the agent more than a load that was stopped.
        if not url.lower().startswith("file:"):
            self._leave(tab, url)

    def _moved(self, event: Mapping[str, Any]) -> None:
        target = event["targetInfo"]
        for tab in self._tabs.values():
            if tab.target_id == target["targetId"]:
                self._leave(tab, target["url"])

    def _leave(self, tab: Tab, url: str) -> None:
        """Leave a page of a closed scheme: the browser's own pages are no requests to refuse."""
        if url.lower().startswith(CLOSED_SCHEMES) and url not in _OPEN_CHROME_PAGES:
            tab.session.post("Page.stopLoading")
            tab.session.post("Page.navigate", url="about:blank")
