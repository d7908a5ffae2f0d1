"""Tasks in a rented browser: over CDP behind a key, and on a Playwright server."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import pytest
from aiohttp import web

from browser_use_async.errors import ConfigurationError
from browser_use_async.server.executors.browser.executor import ChromiumExecutor
from browser_use_async.server.executors.settings import ChromiumSettings
from browser_use_async.server.executors.view import PointerInput
from browser_use_async.server.records import Failed, Finished
from tests.server.browser.pages import serve_pages
from tests.server.browser.rented import KEY, Rental, listening, playwright_server, rental
from tests.server.browser.running import START_SECONDS, browse
from tests.support.patience import until


@pytest.fixture
async def service(browser_path: str) -> AsyncIterator[Rental]:
    """A service that rents out a browser."""
    async with rental(browser_path) as running:
        yield running


@pytest.fixture
async def rented(service: Rental) -> AsyncIterator[ChromiumExecutor]:
    """An executor that uses a rented browser, which may open pages of this machine."""
    settings = ChromiumSettings(endpoint=service.endpoint(), allow_private_addresses=True)
    executor = ChromiumExecutor(settings)
    yield executor
    await executor.aclose()


async def test_a_task_in_a_rented_browser(rented: ChromiumExecutor, service: Rental):
    """It runs as in a browser of this machine, and the first step says what is different."""
    page = """<title>Rented</title><p id=said>
      <label>Name <input id=n oninput="said.textContent = n.value"></label>"""
    async with serve_pages({"/": page}) as site:
        done = await browse(rented, f"Open {site.url}/. Fill Name with Ada. Extract")

    assert "Ada" in done.output
    first = done.steps[0].evaluation_previous_goal
    assert "remote one, at 127.0.0.1" in first
    assert "not where it connects to" in first
    assert all(step.screenshot for step in done.steps)
    assert service.count == 1


async def test_cookies_files_and_recordings(rented: ChromiumExecutor):
    """Profiles bring and keep cookies, uploads arrive, and the pages are recorded."""
    page = """<title>Form</title><label>File <input type=file
      onchange="this.files[0].text().then(text => said.textContent = text)"></label><p id=said>"""
    cookie = {"name": "kept", "value": "yes", "domain": "127.0.0.1", "path": "/"}
    async with serve_pages({"/": page}) as site:
        done = await browse(
            rented,
            f"Open {site.url}/?cookie=new. Upload words.txt. Wait for “tulips”. Extract",
            files={"words.txt": b"tulips"},
            cookies=[cookie],
            takes_recording=True,
        )

    assert "tulips" in done.output
    assert site.cookies[0] == {"kept": "yes"}
    assert isinstance(done.end, Finished)
    assert {*done.end.recordings} <= {"mp4", "webm"}
    assert {each["name"] for each in done.end.cookies} == {"kept", "visited"}


async def test_a_person_helps(rented: ChromiumExecutor):
    """The live view shows the rented browser, and a click arrives there."""
    page = """<button style="position: fixed; left: 100px; top: 100px; width: 200px; height: 50px"
      onclick="said.textContent = 'Thanks'">Human</button><p id=said></p>"""
    async with serve_pages({"/": page}) as site:
        task = f"Open {site.url}/. Wait for Thanks. Extract"
        helped = asyncio.create_task(browse(rented, task, viewport=(800, 600)))
        await until(lambda: rented.view("id") is not None and "/" in site.asked, START_SECONDS)
        view = rented.view("id")
        assert view is not None
        async with aclosing(view.frames()) as frames:
            frame = await anext(frames)
            # A click before the page is drawn is dropped.
            while not helped.done():
                for kind in ("down", "up"):
                    await view.put(PointerInput(kind, 200, 125, "left", 1))  # type: ignore[arg-type]
                await asyncio.sleep(0.1)
        done = await helped

    assert "Thanks" in done.output
    assert (frame.width, frame.height) == (800, 600)


async def test_tasks_at_once_keep_to_their_own_rules(service: Rental):
    """This includes one browser with the contexts of both: neither gets the other's pages."""
    settings = ChromiumSettings(
        endpoint=service.endpoint(), max_browsers=2, allow_private_addresses=True
    )
    executor = ChromiumExecutor(settings)
    try:
        async with serve_pages({"/": "<title>Shared</title>"}) as site:
            names = {"127.0.0.1": site.url, "localhost": site.other_url}
            both = await asyncio.gather(
                *(
                    browse(
                        executor,
                        f"Open {url}/. Wait 1 s. Open {url}/?again. Tell me the title",
                        task_id=name,
                        allowed_domains=[name],
                    )
                    for name, url in names.items()
                )
            )
    finally:
        await executor.aclose()

    assert [each.output for each in both] == ["Shared", "Shared"]
    assert "Refused" not in repr(both)


@pytest.mark.torture
async def test_an_endpoint_that_hangs():
    """An endpoint that accepts a connection and never answers is given up after 20 seconds."""
    held: list[asyncio.StreamWriter] = []
    server = await asyncio.start_server(lambda _, writer: held.append(writer), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        reason = await _reason(f"ws://127.0.0.1:{port}/?token={KEY}")
    finally:
        for each in held:
            each.close()
        server.close()

    assert reason.endswith("it was not ready within 20 s.")


async def test_downloads_are_refused_with_a_reason(rented: ChromiumExecutor):
    """The file would be on the other machine."""
    file = web.Response(body=b"x", headers={"Content-Disposition": "attachment; filename=a.bin"})
    async with serve_pages({"/": "<a href=/a.bin>Get it</a>", "/a.bin": file}) as site:
        done = await browse(rented, f"Open {site.url}/. Click “Get it”. Extract")

    assert isinstance(done.end, Failed)
    assert "a.bin was not downloaded: it would stay on the machine" in done.end.reason


EVERYWHERE = """
<title>Everywhere</title><img src="OTHER/image"><iframe src="OTHER/frame"></iframe>
<img src="/redirect"><iframe src="/redirected-frame"></iframe><a href="/popup">open</a>
<script>
  const worker = code => URL.createObjectURL(new Blob([code]));
  fetch("OTHER/fetch");
  new Worker(worker("fetch('OTHER/worker')"));
  new SharedWorker(worker("fetch('OTHER/shared-worker')"));
  const socket = new WebSocket("OTHER/socket".replace("http", "ws"));
  open("/redirected-popup");
  navigator.sendBeacon("OTHER/beacon");
  addEventListener("load", () => setTimeout(() => document.body.append("All asked"), 1000));
</script>
"""
REDIRECTED = {"/redirect": "/image-2", "/redirected-frame": "/frame-2"}
REDIRECTED["/redirected-popup"] = "/popup"
WAYS = {
    *("/image", "/frame", "/image-2", "/frame-2", "/popup", "/fetch", "/worker", "/shared-worker"),
    *("/socket", "/beacon"),
}


async def _ways_out(executor: ChromiumExecutor, *, is_allowed: bool) -> set[str]:
    """The paths that pages reach on another domain, and the reasons for the others."""
    redirects = {path: f"REDIRECT OTHER{to}" for path, to in REDIRECTED.items()}
    async with serve_pages({"/": EVERYWHERE, **redirects}) as site:
        allowed = ["127.0.0.1", *(["localhost"] if is_allowed else [])]
        task = f"Open {site.url}/. Wait 3 s. Extract"
        await browse(executor, task, allowed_domains=allowed)
    return WAYS & {*site.asked}


async def test_pages_reach_no_other_domain(rented: ChromiumExecutor):
    """Documents, frames, pictures, workers, sockets, windows and redirects of all of them."""
    assert await _ways_out(rented, is_allowed=False) == set()


async def test_the_same_pages_reach_it_when_it_is_allowed(rented: ChromiumExecutor):
    """The control: each of these ways reaches the other domain."""
    assert await _ways_out(rented, is_allowed=True) == WAYS


async def test_private_addresses_and_other_domains_are_refused(service: Rental):
    """A task that names one fails with the reason, also if it is this machine here."""
    executor = ChromiumExecutor(ChromiumSettings(endpoint=service.endpoint()))
    try:
        async with serve_pages({"/": "<title>Private</title>"}) as site:
            private = await browse(executor, f"Open {site.url}/. Extract")
            outside = await browse(
                executor, f"Open {site.url}/. Extract", allowed_domains=["shop.example"]
            )
    finally:
        await executor.aclose()

    assert "is a private address (127.0.0.1)" in private.reason
    assert "outside the allowed domains" in outside.reason
    assert site.asked == []


async def test_a_lost_connection_fails_the_task_and_the_next_one_connects_again(
    rented: ChromiumExecutor, service: Rental
):
    """The reason has the host and not the key."""
    async with serve_pages({"/": "<title>Here</title>"}) as site:
        lost = asyncio.create_task(browse(rented, f"Open {site.url}/. Wait for “never”. Extract"))
        await until(lambda: "/" in site.asked)
        service.cut()
        failed = await lost
        again = await browse(rented, f"Open {site.url}/. Tell me the title")

    place = f"ws://127.0.0.1:{service.port}"
    assert failed.reason == (
        f"The browser gave up: the connection to the remote browser at {place} was lost."
    )
    assert again.output == "Here"
    assert service.count == 2


async def test_a_task_on_a_playwright_server(browser_path: str):
    """Playwright's own protocol, which starts a browser for each connection."""
    page = {"/": "<title>Served</title>"}
    async with playwright_server(browser_path) as url, serve_pages(page) as site:
        settings = ChromiumSettings(
            endpoint=url, endpoint_protocol="playwright", allow_private_addresses=True
        )
        executor = ChromiumExecutor(settings)
        try:
            done = await browse(executor, f"Open {site.url}/. Tell me the title")
            reached = await _ways_out(executor, is_allowed=False)
        finally:
            await executor.aclose()

    assert done.output == "Served"
    assert reached == set()


async def _reason(endpoint: str, **settings: Any) -> str:
    executor = ChromiumExecutor(ChromiumSettings(endpoint=endpoint, **settings))
    try:
        done = await browse(executor, "Open https://example.com/. Extract")
    finally:
        await executor.aclose()
    return done.reason


async def test_a_wrong_key(service: Rental, caplog: pytest.LogCaptureFixture):
    """The reason says that the key is refused; neither it nor the log shows the key."""
    key = KEY[::-1]
    with caplog.at_level(logging.DEBUG):
        reason = await _reason(service.endpoint(key))

    assert reason == (
        f"The browser did not start: of the remote browser at ws://127.0.0.1:{service.port}, it "
        "refuses the key (401)."
    )
    assert key not in caplog.text
    assert key not in repr(ChromiumSettings(endpoint=service.endpoint(key)))


@pytest.mark.long
@pytest.mark.parametrize(("protocol", "words"), [("cdp", "playwright"), ("playwright", "cdp")])
async def test_something_that_is_no_browser(protocol: str, words: str):
    """A WebSocket with another protocol, and one that disconnects: the reason names the option."""

    async def answer(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_str("Hello! How can I help you?")
        await socket.close()
        return socket

    async with listening(answer) as port:
        url = f"ws://user:{KEY}@127.0.0.1:{port}/"
        reason = await _reason(url, endpoint_protocol=protocol)

    assert f'endpoint_protocol="{words}"' in reason or "closed the connection" in reason
    assert KEY not in reason


@pytest.mark.long
async def test_no_server_listens_there():
    """The reason names a closed port as such."""
    async with listening(None) as port:
        pass

    assert (await _reason(f"ws://127.0.0.1:{port}/?token={KEY}")).endswith("nothing listens there.")


@pytest.mark.parametrize("text", [KEY, f"ftp://{KEY}@host/", "wss://", f"wss://host:port/{KEY}"])
async def test_no_address(text: str):
    """The server does not start, and the message is without the address."""
    with pytest.raises(ConfigurationError, match="address such as wss://host") as refused:
        ChromiumExecutor(ChromiumSettings(endpoint=text))

    assert KEY not in str(refused.value)
