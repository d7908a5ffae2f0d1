"""Limits of an agent's browser that do not depend on the agent's library."""

import asyncio
import json
from contextlib import AsyncExitStack
from pathlib import Path

import attrs
import pytest
from playwright.async_api import async_playwright
from yarl import URL

from browser_use_async.server import ChromiumSettings, LocalServer
from browser_use_async.server.executors.agent.agent_browser import LiveObserver
from browser_use_async.server.executors.browser.browser_folder import BrowserProgram
from browser_use_async.server.executors.browser.launch import BrowserProcess
from browser_use_async.server.executors.browser.locate import find_browser
from browser_use_async.server.records import Assignment
from tests.server.calling import Caller
from tests.support.devtools import Connection, DevToolsError
from tests.support.patience import PATIENCE

BROWSER = find_browser()
pytestmark = pytest.mark.skipif(BROWSER is None, reason="there is no Chromium")
CONTENT = "content-of-a-file-of-this-machine"
_SHOWN = "location.href + ' ' + document.documentElement.innerText"


@attrs.frozen
class Agent:
    """A connection such as the agent's, which opens any address without a check."""

    connection: Connection
    file: Path
    port: int  # at which its browser accepts commands

    async def first_page(self) -> str:
        """The id of the window that is open from the start."""
        targets = await self.connection.session().send("Target.getTargets")
        return next(one["targetId"] for one in targets["targetInfos"] if one["type"] == "page")

    async def navigate(self, url: str) -> str:
        """Open an address in the existing window; returns the window's id."""
        page = await self.first_page()
        attached = await self.connection.session().send(
            "Target.attachToTarget", targetId=page, flatten=True
        )
        session = self.connection.session(attached["sessionId"])
        await session.send("Page.navigate", url=url)
        return page

    async def open_window(self, url: str) -> str:
        """Open an address in a window of its own; returns the window's id."""
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
async def agent(tmp_path):
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
        yield Agent(connection, file, URL(url).port or 0)


@pytest.mark.long
@pytest.mark.parametrize("opens_private_addresses", [False, True])
async def test_other_owners_do_not_reach_its_port(agent, http, opens_private_addresses):
    """A search or task that names the port of another's browser reads and closes nothing."""
    page = await agent.first_page()
    settings = ChromiumSettings(allow_private_addresses=opens_private_addresses)
    async with LocalServer(executor="plain", chromium=settings) as server:
        owner = await Caller(server, http).with_new_key("other")
        for path in ("json/list", "json/version", f"json/close/{page}"):
            url = f"http://127.0.0.1:{agent.port}/{path}"
            answer = await owner.post("/search-url", json={"url": url, "query": "page"})
            assert answer.status == 502
            assert "which this server does not open" in answer.json["detail"]
        task = await owner.reached(await owner.create(f"Open {url} and tell me its text"), "failed")
        assert "which this server does not open" in json.dumps(task["steps"])

    assert await agent.first_page() == page


@pytest.mark.long
@pytest.mark.parametrize("address", ["file://{}", "file://localhost{}", "view-source:file://{}"])
@pytest.mark.parametrize("in_new_window", [False, True])
async def test_files_are_refused_in_the_browser(agent, address, in_new_window):
    """No window shows a file of this machine, neither an old one nor a new one."""
    opening = agent.open_window if in_new_window else agent.navigate
    page = await opening(address.format(agent.file))
    # The next load in the same browser is answered after the one before.
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
@pytest.mark.parametrize("in_new_window", [False, True])
async def test_pages_of_the_browser_are_left(agent, url, in_new_window):
    """A window with a page of the browser itself is redirected to an empty page."""
    page = await (agent.open_window if in_new_window else agent.navigate)(url)

    async with asyncio.timeout(PATIENCE):
        while not (await agent.shown(page)).startswith("about:blank"):
            pass
