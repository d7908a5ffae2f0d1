"""Browsers of a rental service: behind a WebSocket that needs a key."""

import asyncio
import contextlib
import json
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import playwright
from aiohttp import web
from aiohttp.typedefs import Handler

from tests.support.hygiene import SECRET
from tests.support.patience import PATIENCE

__all__ = ["KEY", "Rental", "listening", "playwright_server", "rental"]

KEY = SECRET


class Rental:
    """A service that forwards connections with the right key to a browser.

    Attributes:
        port: Where it listens.
        count: How many connections it has had with the right key.
    """

    def __init__(self, target: str) -> None:
        self._target = target
        self._open: set[asyncio.Task[None]] = set()
        self.port = 0
        self.count = 0

    def endpoint(self, key: str = KEY) -> str:
        """The address for `--browser-endpoint`."""
        return f"ws://127.0.0.1:{self.port}/chromium?token={key}"

    def cut(self) -> None:
        """Cut all connections, as a network does."""
        for each in self._open:
            each.cancel()

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Forward one connection."""
        if request.query.get("token") != KEY:
            return web.Response(status=401)
        self.count += 1
        here = web.WebSocketResponse(max_msg_size=0)
        await here.prepare(request)
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(self._target, max_msg_size=0) as there,
        ):
            pumps = asyncio.gather(_pump(here, there), _pump(there, here))
            work = asyncio.ensure_future(_settled(pumps))
            self._open.add(work)
            await work
            self._open.discard(work)
        return here


async def _settled(pumps: "asyncio.Future[list[None]]") -> None:
    with contextlib.suppress(asyncio.CancelledError):
        await pumps


async def _pump(
    source: web.WebSocketResponse | aiohttp.ClientWebSocketResponse,
    sink: web.WebSocketResponse | aiohttp.ClientWebSocketResponse,
) -> None:
    async for message in source:
        with contextlib.suppress(ConnectionError):
            await sink.send_str(message.data)
    await sink.close()


@asynccontextmanager
async def rental(browser_path: str) -> AsyncIterator[Rental]:
    """A browser to rent, over CDP."""
    with tempfile.TemporaryDirectory(prefix="bua-", ignore_cleanup_errors=True) as folder:
        process = await asyncio.create_subprocess_exec(
            browser_path,
            *("--headless", "--no-sandbox", "--remote-debugging-port=0", "--no-first-run"),
            "--disable-popup-blocking",  # as the services do
            f"--user-data-dir={folder}",
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            async with _serving(Rental(await _devtools_address(Path(folder)))) as service:
                yield service
        finally:
            process.kill()
            await process.wait()


@asynccontextmanager
async def _serving(service: Rental) -> AsyncIterator[Rental]:
    async with listening(service.serve) as port:
        service.port = port
        try:
            yield service
        finally:
            service.cut()


@asynccontextmanager
async def listening(handler: Handler | None) -> AsyncIterator[int]:
    """A port where every request is answered by a handler.

    Args:
        handler: It, or None for 404.
    """
    application = web.Application()
    if handler is not None:
        application.router.add_get("/{path:.*}", handler)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


async def _devtools_address(folder: Path) -> str:
    """The address at which the browser takes commands, which it writes into a file."""
    file = folder / "DevToolsActivePort"
    async with asyncio.timeout(PATIENCE):
        while not file.exists() or len(file.read_text().split()) < 2:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    port, path = file.read_text().split()
    return f"ws://127.0.0.1:{port}{path}"


@asynccontextmanager
async def playwright_server(browser_path: str) -> AsyncIterator[str]:
    """The address of a Playwright server, whose browsers are those of this machine.

    Args:
        browser_path: The browser.
    """
    # `playwright run-server` starts only the browsers that Playwright has installed.
    driver = Path(playwright.__file__).parent / "driver"
    script = f"""
      const {{ chromium }} = require({json.dumps(str(driver / "package"))});
      const options = {{ executablePath: {json.dumps(browser_path)}, host: "127.0.0.1" }};
      chromium.launchServer(options).then(server => console.log(server.wsEndpoint()));
    """
    process = await asyncio.create_subprocess_exec(
        str(driver / "node"), "-e", script, stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(PATIENCE):
            address = (await process.stdout.readline()).decode().strip()
        yield address
    finally:
        process.terminate()
        await process.wait()
