"""Which pages may connect to a live page's WebSocket, and how a connection ends."""

import asyncio
from contextlib import AsyncExitStack

import aiohttp
import pytest
from aiohttp import WSCloseCode
from yarl import URL

from browser_use_async.server import LocalServer
from browser_use_async.server.live_view.routes import (
    MAX_PUBLIC,
    MAX_PUBLIC_OF_ADDRESS,
    MAX_VIEWERS,
)
from tests.server.calling import Caller
from tests.server.pages.showing import Showing, drawn
from tests.server.pages.socket import live_socket, running_task
from tests.support.patience import PATIENCE, until

CLICK = {"type": "pointer", "kind": "down", "x": 10, "y": 20.5, "button": "left", "clicks": 1}


async def test_the_server_s_own_pages_connect(watched, http):
    """So do programs that are no browser, which send no origin."""
    task = await running_task(watched)
    for headers in ({}, {"Origin": watched.server.url}):
        async with live_socket(http, task["live_url"], headers=headers) as page:
            await page.until(lambda: page.states)


@pytest.mark.parametrize(
    "origin", ["http://localhost:{port}", "https://evil.example", "http://127.0.0.1:1", "null", ""]
)
async def test_pages_of_other_servers_cannot_connect(origin, watched, http):
    """The token does not help them."""
    task = await running_task(watched)
    headers = {"Origin": origin.format(port=URL(watched.server.url).port)}
    with pytest.raises(aiohttp.WSServerHandshakeError, match="403"):
        async with live_socket(http, task["live_url"], headers=headers):
            pass


async def test_a_page_under_another_name_connects(watched, http):
    """A page that was opened as `localhost` connects to `localhost`."""
    task = await running_task(watched)
    here = f"localhost:{URL(watched.server.url).port}"
    headers = {"Origin": f"http://{here}", "Host": here}
    async with live_socket(http, task["live_url"], headers=headers) as page:
        await page.until(lambda: page.states)


@pytest.mark.parametrize("place", ["live", "share"])
async def test_a_wrong_token_opens_nothing(place, watched, http):
    """The token of the other page is refused, too."""
    task = await running_task(watched)
    other = task["public_share_url" if place == "live" else "live_url"].rsplit("/")[-1]
    for token in ("x", task["id"], other):
        with pytest.raises(aiohttp.WSServerHandshakeError, match="404"):
            async with live_socket(http, f"{watched.server.url}/{place}/{token}"):
                pass


async def test_a_task_is_watched_by_fifty_at_most(watched, http):
    """A further viewer is refused with a reason until one leaves; other tasks do not count."""
    task, other = await running_task(watched), await running_task(watched)
    async with AsyncExitStack() as stack:
        watching = [
            await stack.enter_async_context(live_socket(http, task["live_url"]))
            for _ in range(MAX_VIEWERS)
        ]
        await watching[-1].until(lambda: watching[-1].states)
        said = await _refusal(http, task["live_url"])
        async with live_socket(http, other["live_url"]) as page:
            await page.until(lambda: page.states)
    async with live_socket(http, task["live_url"]) as page:
        await page.until(lambda: page.states)

    assert said == f"{MAX_VIEWERS} connections watch this task already, which are the most"


async def test_the_public_page_leaves_room_for_the_live_page(watched, http):
    """An address has 20 public connections, all have 40, and ten are left for the live page."""
    task = await running_task(watched)
    async with AsyncExitStack() as stack:

        async def watch(client: aiohttp.ClientSession, url: str, count: int) -> None:
            for _ in range(count):
                page = await stack.enter_async_context(live_socket(client, url))
            await page.until(lambda: page.states)

        others = [await stack.enter_async_context(_from(f"127.0.0.{last}")) for last in (2, 3)]
        await watch(http, task["public_share_url"], MAX_PUBLIC_OF_ADDRESS)
        too_many = await _refusal(http, task["public_share_url"])
        await watch(others[0], task["public_share_url"], MAX_PUBLIC - MAX_PUBLIC_OF_ADDRESS)
        full = await _refusal(others[1], task["public_share_url"])
        await watch(http, task["live_url"], MAX_VIEWERS - MAX_PUBLIC)

    assert (
        too_many == "20 connections from your address watch this task already, which are the most"
    )
    assert full == "40 connections watch this task by its public link already, which are the most"


def _from(address: str) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(local_addr=(address, 0)))


async def _refusal(http: aiohttp.ClientSession, url: str) -> str:
    """The code and the reason with which the WebSocket of a page is refused."""
    headers = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
    async with http.get(f"{url}/socket", headers=headers) as refused:
        assert refused.status == 429
        return str((await refused.json())["detail"])


async def test_a_server_that_closes_disconnects(http):
    """At once, with the code on which pages reconnect."""
    async with LocalServer(executor=Showing()) as server:
        caller = Caller(server, http)
        task = await running_task(caller)
        async with live_socket(http, task["live_url"]) as page:
            await page.until(lambda: page.states)
            async with asyncio.timeout(PATIENCE):
                await asyncio.gather(server.aclose(), page.drain())

    assert page.closed_with in {WSCloseCode.GOING_AWAY, WSCloseCode.OK}


async def test_pages_that_go_away_leave_nothing(watched, showing, http):
    """None of their coroutines is left, whatever they were waiting for."""
    task = await running_task(watched)
    await showing.show(drawn(1))
    async with live_socket(http, task["live_url"]) as page:
        page.draws = False
        await page.until(lambda: page.images)
        during = len(asyncio.all_tasks())
    await until(lambda: len(asyncio.all_tasks()) <= during - 2)

    assert (await watched.task(task["id"]))["status"] == "running"


async def test_a_page_that_came_through_a_proxy_connects(http):
    """Its browser sends the proxy's address, whatever the proxy sends to the server."""
    async with LocalServer(executor="scripted") as server:
        port = URL(server.url).port
    key = "a-key-that-is-long-enough"
    public = "https://tasks.example"
    behind = LocalServer(
        executor=Showing(),
        port=port or 0,
        api_key=key,
        trusted_proxies=["127.0.0.1"],
        public_url=public,
    )
    headers = {"Authorization": f"Bearer {key}"}
    here = f"http://127.0.0.1:{port}"
    async with behind:
        async with http.post(
            f"{here}/api/v1/run-task", json={"task": "Go"}, headers=headers
        ) as answer:
            assert answer.status == 200
        (record,) = behind.store.tasks
        async with live_socket(
            http, f"{here}/live/{record.live_token}", headers={"Origin": public}
        ) as page:
            await page.until(lambda: page.states)


class _Unviewable(Showing):
    """Fails every view of its browser."""

    def view(self, task_id: str) -> Showing | None:
        raise RuntimeError("this browser hides")


async def test_a_browser_that_cannot_be_shown(http, caplog):
    """The page is closed with the code of a server error, and the task continues."""
    async with LocalServer(executor=_Unviewable()) as server:
        caller = Caller(server, http)
        task = await running_task(caller)
        async with live_socket(http, task["live_url"]) as page:
            await page.drain()
        status = (await caller.task(task["id"]))["status"]

    assert page.closed_with == WSCloseCode.INTERNAL_ERROR
    assert status == "running"
    assert "cannot be watched" in caplog.text
