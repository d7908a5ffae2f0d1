"""What a person sees of an agent's browser: the windows that the agent opens, as it opens them."""

from collections.abc import Mapping
from typing import Any

from browser_use_async.server.executors.chromium.connection import (
    Connection,
)
from browser_use_async.server.executors.chromium.screencast import Screencast
from browser_use_async.server.executors.chromium.tab import Tab
from browser_use_async.server.executors.chromium.tab_settings import TabSettings


class Onlooker:
    """A second connection to an agent's browser, beside the agent's own. It changes no page.

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

    @classmethod
    async def arrive(cls, browser_url: str, settings: TabSettings) -> "Onlooker":
        """Begin to watch.

        Args:
            browser_url: The address at which the browser takes commands.
            settings: What the task's pages have in common.

        Raises:
            DevToolsError: The browser does not let itself be watched.
        """
        onlooker = cls(await Connection.open(browser_url), settings)
        try:
            await onlooker._commands.send(
                "Target.setAutoAttach", autoAttach=True, waitForDebuggerOnStart=False, flatten=True
            )
        except BaseException:
            await onlooker.leave()
            raise
        return onlooker

    async def leave(self) -> None:
        """Watch no more."""
        self.screencast.end()
        await self._connection.aclose()

    def _attached(self, event: Mapping[str, Any]) -> None:
        target = event["targetInfo"]
        if target["type"] == "page":
            session = self._connection.session(event["sessionId"])
            tab = Tab(session, target["targetId"], self._settings)
            self._tabs[session.id] = tab
            session.post("Page.enable")
            tab.mask()
            self.screencast.follow(tab)

    def _detached(self, event: Mapping[str, Any]) -> None:
        tab = self._tabs.pop(event["sessionId"], None)
        if tab is not None:
            tab.lose("the page has been closed")
            if self._tabs:
                self.screencast.follow(list(self._tabs.values())[-1])
