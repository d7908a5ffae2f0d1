"""Live pages of tasks whose browser another server has."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import attrs
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from browser_use_async.server.executors.protocol import Finished
from browser_use_async.server.executors.view import KeyInput, PointerInput, TextInput
from browser_use_async.server.live_view.relay import NODE_HEADER
from tests.server.calling import Caller
from tests.server.fleet.conftest import Start, reached, stored_rows
from tests.server.pages.showing import Showing, drawn
from tests.server.pages.socket import LiveSocket, live_socket
from tests.support.patience import PATIENCE, until
from tests.support.ports import free_port

pytestmark = pytest.mark.timeout(90)

CLICK = {"type": "pointer", "kind": "down", "x": 10, "y": 20.5, "button": "left", "clicks": 1}
CLICKED = PointerInput("down", 10.0, 20.5, "left", 1)


@attrs.frozen
class Pair:
    """Two servers: pages are opened at one, and the other one has the browser."""

    api: Caller
    worker: Caller
    showing: Showing
    task: dict[str, Any]


async def _pair(start: Start, node_url: str | None, port: int, **options: Any) -> Pair:
    api, showing = await start(role="api", **options), Showing()
    worker = await start(role="worker", executor=showing, port=port, node_url=node_url)
    task_id = await api.create(enable_public_share=True)
    return Pair(api, worker, showing, await reached(api, task_id, "running"))


@pytest.fixture
async def pair(start: Start) -> Pair:
    """A server with pages, and one with the browser that has told its address."""
    port = free_port()
    return await _pair(start, f"http://127.0.0.1:{port}", port)


@pytest.mark.long
async def test_a_page_shows_the_browser_of_another_server(pair: Pair, http: aiohttp.ClientSession):
    """Each frame arrives whole, and the page can be steered from the first one on."""
    async with live_socket(http, pair.task["live_url"]) as page:
        await page.until(lambda: page.states)
        before = page.state["has_browser"]
        for number in (1, 2):
            await pair.showing.show(drawn(number))
            await page.until(lambda: len(page.images) == number)  # noqa: B023
        await page.until(lambda: page.state["has_browser"])

    assert pair.task["live_url"].startswith(pair.api.server.url)
    assert not before
    assert page.images == [drawn(1).image, drawn(2).image]
    assert page.frames[0] == {"media_type": "image/png", "width": 640, "height": 480}


@pytest.mark.long
async def test_what_a_person_does_reaches_the_browser_there(
    pair: Pair, http: aiohttp.ClientSession
):
    """Mouse, keys and text, in order and as they were; the audit trail says it once."""
    async with live_socket(http, pair.task["live_url"]) as page:
        await pair.showing.show(drawn(1))
        await page.until(lambda: page.images)
        await page.say(**CLICK)
        await page.say(type="key", kind="down", key="A", code="KeyA", modifiers=8)
        await page.say(type="text", text="grün 🎉")
        await until(lambda: len(pair.showing.inputs) == 3)

    assert pair.showing.inputs == [
        CLICKED,
        KeyInput("down", "A", "KeyA", 8),
        TextInput("grün 🎉"),
    ]


async def test_a_shared_page_only_watches_there_too(pair: Pair, http: aiohttp.ClientSession):
    """It sees the frames, and what it sends is refused before it leaves this server."""
    async with live_socket(http, pair.task["public_share_url"]) as page:
        await pair.showing.show(drawn(1))
        await page.until(lambda: page.images)
        reply = await page.ask(**CLICK)

    assert (reply["type"], reply["status"]) == ("refused", 403)
    assert pair.showing.inputs == []


@pytest.mark.long
async def test_the_end_of_the_task_ends_the_page(pair: Pair, http: aiohttp.ClientSession):
    """The last state arrives, and no connection between the servers is left."""
    async with live_socket(http, pair.task["live_url"]) as page:
        await pair.showing.show(drawn(1))
        await page.until(lambda: page.images)
        pair.showing.items.put_nowait(Finished("Done"))
        await page.drain()

    assert page.state["status"] == "finished"
    assert page.closed_with == aiohttp.WSCloseCode.OK


@pytest.mark.long
async def test_a_browser_that_ends_and_comes_back(pair: Pair, http: aiohttp.ClientSession):
    """The page says that it cannot be steered in between, and is connected again."""
    async with live_socket(http, pair.task["live_url"]) as page:
        await pair.showing.show(drawn(1))
        await page.until(lambda: len(page.images) == 1)
        await pair.showing.end_browser()

        async def click_on() -> None:
            while True:  # what is done until the page knows that the browser has ended is not heard
                await page.say(**CLICK)
                await asyncio.sleep(0.05)

        clicking = asyncio.create_task(click_on())
        await page.until(lambda: page.replies)
        clicking.cancel()
        assert page.replies[0]["status"] == 409
        await pair.showing.show(drawn(2))
        await page.until(lambda: len(page.images) == 2)


async def test_a_server_without_an_address(start: Start, http: aiohttp.ClientSession):
    """The page shows screenshots, and says what to do for more."""
    pair = await _pair(start, None, 0)
    await pair.showing.show(drawn(1))
    async with live_socket(http, pair.task["live_url"]) as page:
        pair.showing.step("Look", screenshot=drawn(7).image)
        await page.until(lambda: page.images)
        reply = await page.ask(**CLICK)

    assert page.images[0] == drawn(7).image
    assert (reply["type"], reply["status"]) == ("refused", 503)
    assert "--node-url" in reply["detail"]
    assert pair.showing.inputs == []


async def test_an_address_where_nobody_answers(
    start: Start, http: aiohttp.ClientSession, caplog: pytest.LogCaptureFixture
):
    """The page says so without the address, which is internal; the log has it."""
    pair = await _pair(start, f"http://127.0.0.1:{free_port()}", 0)
    await pair.showing.show(drawn(1))
    async with live_socket(http, pair.task["live_url"]) as page:
        await page.until(lambda: page.states)
        await until(lambda: "does not show task" in caplog.text)
        reply = await page.ask(**CLICK)

    assert reply["status"] == 503
    assert "does not answer at its --node-url" in reply["detail"]
    assert "127.0.0.1" not in reply["detail"]


# What servers said before both sides had to prove that they have the key, and what others say.
UNPROVEN = [
    [
        '{"type": "ready"}',
        '{"media_type": "image/png", "width": 640, "height": 480}',
        b"A login page",
    ],
    [b"A login page", b"A login page"],
    ["hello"],
    ["[]"],
    ["{}"],
    [],
]


@asynccontextmanager
async def _impostor(says: Sequence[str | bytes] = ()) -> AsyncIterator[tuple[str, list[str]]]:
    """Somebody else at a server's address; gives the address, and what is sent there."""
    heard: list[str] = []

    async def answer(request: web.Request) -> web.WebSocketResponse:
        heard.append(request.path)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        for each in says:
            await (socket.send_str(each) if isinstance(each, str) else socket.send_bytes(each))
        if len(says) <= 1:
            await socket.close()
        heard.extend([str(message.data) async for message in socket])
        return socket

    application = web.Application()
    application.router.add_get("/relay/{task_id}", answer)
    async with TestServer(application) as server:
        yield str(server.make_url("/")), heard


@pytest.mark.parametrize("says", UNPROVEN)
async def test_somebody_else_at_the_address(
    start: Start, http: aiohttp.ClientSession, says: list[str | bytes]
):
    """Who cannot prove to have the servers' key shows nothing, and is sent nothing that is done."""
    async with _impostor(says) as (url, heard):
        pair = await _pair(start, url, 0)
        await pair.showing.show(drawn(1))
        async with live_socket(http, pair.task["live_url"]) as page:
            await until(lambda: heard)
            reply = await _answered(page)

    assert (reply["status"], page.images) == (503, [])
    assert "does not answer at its --node-url" in reply["detail"]
    assert {*heard} == {f"/relay/{pair.task['id']}"}


async def test_a_redirect_from_a_node_url_is_not_followed(
    start: Start, http: aiohttp.ClientSession
):
    """The pass of a server goes to the address that the other one has told, and no further."""
    asked: list[str] = []

    async with _impostor() as (elsewhere, heard):

        async def redirect(request: web.Request) -> web.Response:
            asked.append(request.path)
            return web.Response(status=307, headers={"Location": elsewhere + request.path[1:]})

        application = web.Application()
        application.router.add_get("/relay/{task_id}", redirect)
        async with TestServer(application) as server:
            pair = await _pair(start, str(server.make_url("/")), 0)
            await pair.showing.show(drawn(1))
            async with live_socket(http, pair.task["live_url"]) as page:
                await until(lambda: asked)
                reply = await _answered(page)

    assert (reply["status"], heard) == (503, [])


async def _answered(page: LiveSocket) -> dict[str, Any]:
    """The answer to a click once it is known that the other server does not show its browser."""
    async with asyncio.timeout(PATIENCE):
        while (reply := await page.ask(**CLICK))["status"] == 409:  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.05)
    return reply


@asynccontextmanager
async def _in_between(
    port: int, http: aiohttp.ClientSession, *, repeats: bool = False
) -> AsyncIterator[tuple[str, list[bytes]]]:
    """Whoever passes on what two servers say; gives an address and what was said, both ways."""
    said: list[bytes] = []

    async def pass_on(source: Any, target: Any, times: int) -> None:
        async for message in source:
            data = message.data.encode() if isinstance(message.data, str) else message.data
            said.append(data)
            for _ in range(times):
                is_text = isinstance(message.data, str)
                await (target.send_str if is_text else target.send_bytes)(message.data)
        await target.close()

    async def answer(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        headers = {NODE_HEADER: request.headers[NODE_HEADER]}
        target = f"http://127.0.0.1:{port}{request.path}"
        async with http.ws_connect(target, headers=headers) as node:
            await socket.prepare(request)
            with suppress(ConnectionError):
                await asyncio.gather(
                    pass_on(node, socket, 1), pass_on(socket, node, 2 if repeats else 1)
                )
        return socket

    application = web.Application()
    application.router.add_get("/relay/{task_id}", answer)
    async with TestServer(application) as server:
        yield str(server.make_url("/")), said


@pytest.mark.long
async def test_whoever_listens_between_servers(start: Start, http: aiohttp.ClientSession):
    """Pictures and what people type are encrypted between servers, also over plain http."""
    port = free_port()
    async with _in_between(port, http) as (url, said):
        pair = await _pair(start, url, port)
        async with live_socket(http, pair.task["live_url"]) as page:
            await pair.showing.show(drawn(1))
            await page.until(lambda: page.images)
            await page.say(type="text", text="hunter2-of-the-mailbox")
            await until(lambda: pair.showing.inputs)
        await pair.worker.server.aclose()

    assert page.images == [drawn(1).image]
    assert pair.showing.inputs == [TextInput("hunter2-of-the-mailbox")]
    assert len(said) >= 3
    assert not any(drawn(1).image in each or b"hunter2" in each for each in said)


@pytest.mark.long
async def test_a_message_between_servers_that_is_repeated(
    start: Start, http: aiohttp.ClientSession, caplog: pytest.LogCaptureFixture
):
    """A click that somebody in between sends twice is done once, and the connection ends."""
    port = free_port()
    async with _in_between(port, http, repeats=True) as (url, _):
        pair = await _pair(start, url, port)
        async with live_socket(http, pair.task["live_url"]) as page:
            page.draws = False
            await pair.showing.show(drawn(1))
            await page.until(lambda: page.images)
            await page.say(**CLICK)
            await until(lambda: "tampered" in caplog.text)
        await pair.worker.server.aclose()

    assert pair.showing.inputs == [CLICKED]


async def test_a_server_whose_clock_is_minutes_behind(
    start: Start, http: aiohttp.ClientSession, caplog: pytest.LogCaptureFixture
):
    """What it shows has expired, as what somebody has recorded and sends again has."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    pair = await _pair(start, url, port, now=lambda: datetime.now(UTC) - timedelta(minutes=3))
    await pair.showing.show(drawn(1))
    async with live_socket(http, pair.task["live_url"]):
        await until(lambda: "does not show task" in caplog.text)

    assert pair.showing.shown == 0
    assert "403" in caplog.text


async def test_servers_that_end_take_their_address_back(pair: Pair, postgres: str):
    """So that nobody waits for a server that is not there."""
    statement = "SELECT count(*) FROM nodes"
    before = stored_rows(postgres, statement)
    await pair.worker.server.aclose()

    assert (before, stored_rows(postgres, statement)) == ([(1,)], [(0,)])


@pytest.mark.parametrize("header", [None, "", "bm90IGEgcGFzcw==", "ünsinn", "a" * 200])
async def test_nobody_else_is_shown_a_browser(
    pair: Pair, http: aiohttp.ClientSession, header: str | None
):
    """Not with the API key either, which is not the servers' own."""
    await pair.showing.show(drawn(1))
    headers = {} if header is None else {NODE_HEADER: header}
    url = f"{pair.worker.server.url}/relay/{pair.task['id']}"

    answer = await pair.worker.get(url, headers=headers)

    assert answer.status == 403
    assert "database and key" in answer.text
