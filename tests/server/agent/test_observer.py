"""What is closed in an agent's browser, whatever the agent's library lets pass."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import attrs
import pytest
from playwright.async_api import async_playwright

from browser_use_async.server.executors.agent.agent_browser import LiveObserver
from browser_use_async.server.executors.browser.browser_folder import BrowserProgram
from browser_use_async.server.executors.browser.launch import BrowserProcess
from browser_use_async.server.executors.browser.locate import find_browser
from browser_use_async.server.executors.protocol import Assignment
from tests.support.devtools import Connection, DevToolsError
from tests.support.patience import PATIENCE

BROWSER = find_browser()
pytestmark = pytest.mark.skipif(BROWSER is None, reason="there is no Chromium")
CONTENT = "content-of-a-file-of-this-machine"
_SHOWN = "location.href + ' ' + document.documentElement.innerText"


@attrs.frozen
class Agent:
    """A connection such as the agent's, which asks nobody before it opens an address."""

    connection: Connection
    file: Path

    async def first_page(self) -> str:
        """The id of the window that is open from the start."""
        targets = await self.connection.session().send("Target.getTargets")
        return next(one["targetId"] for one in targets["targetInfos"] if one["type"] == "page")

    async def navigate(self, url: str) -> str:
        """Open an address in the window that is there; the window's id."""
        page = await self.first_page()
        attached = await self.connection.session().send(
            "Target.attachToTarget", targetId=page, flatten=True
        )
        session = self.connection.session(attached["sessionId"])
        await session.send("Page.navigate", url=url)
        return page

    async def open_window(self, url: str) -> str:
        """Open an address in a window of its own; the window's id."""
        made = await self.connection.session().send("Target.createTarget", url=url)
        return str(made["targetId"])

    async def shown(self, page: str) -> str:
        """The address and the text of a window; empty if it is gone."""
        commands = self.connection.session()
        try:
            attached = await commands.send("Target.attachToTarget", targetId=page, flatten=True)
            session = self.connection.session(attached["sessionId"])
            found = await session.send("Runtime.evaluate", expression=_SHOWN, returnByValue=True)
        except DevToolsError:
            return ""
        return str(found["result"].get("value", ""))


@pytest.fixture
async def agent(tmp_path: Path) -> AsyncIterator[Agent]:
    """An agent whose browser is observed."""
    assert BROWSER is not None
    file = tmp_path / "private.txt"
    file.write_text(CONTENT)
    async with AsyncExitStack() as stack:
        playwright = await stack.enter_async_context(async_playwright())
        program = BrowserProgram.of(BROWSER, sandbox=True)
        browser = await BrowserProcess.start(playwright, program, ["--remote-debugging-port=0"])
        stack.push_async_callback(browser.end)
        url = await browser.address()
        observer = await LiveObserver.connect(playwright, url, Assignment("id", "Look"))
        stack.push_async_callback(observer.aclose)
        connection = await Connection.open(url)
        stack.push_async_callback(connection.aclose)
        yield Agent(connection, file)


@pytest.mark.long
@pytest.mark.parametrize("address", ["file://{}", "file://localhost{}", "view-source:file://{}"])
@pytest.mark.parametrize("in_new_window", [pytest.param(False, marks=pytest.mark.long), True])
async def test_files_are_refused_in_the_browser(
    agent: Agent, address: str, in_new_window: bool
) -> None:
    """F1: no window shows a file of this machine, neither an old one nor a new one."""
    opening = agent.open_window if in_new_window else agent.navigate
    page = await opening(address.format(agent.file))
    # The next load in the same browser is answered after the one before was.
    other = await agent.open_window("data:text/plain,ready")
    async with asyncio.timeout(PATIENCE):
        while "ready" not in await agent.shown(other):
            pass
        shown = await agent.shown(page)

    assert CONTENT not in shown


@pytest.mark.long
@pytest.mark.parametrize(
    "url", ["chrome://version/", "chrome://settings/", "view-source:chrome://version/"]
)
@pytest.mark.parametrize("in_new_window", [pytest.param(False, marks=pytest.mark.long), True])
async def test_pages_of_the_browser_are_left(agent: Agent, url: str, in_new_window: bool) -> None:
    """F1: a window that shows a page of the browser itself is led back to an empty page."""
    page = await (agent.open_window if in_new_window else agent.navigate)(url)

    async with asyncio.timeout(PATIENCE):
        while not (await agent.shown(page)).startswith("about:blank"):
            pass
