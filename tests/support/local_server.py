"""The bundled server in the test's own loop, and an HTTP client."""

import aiohttp
import pytest

__all__ = ["bakery", "http", "recorder", "server", "server_options"]


@pytest.fixture
def server_options(nothing_leaks):
    """How `server` is started: with scripted tasks, unless a room or a file has its own options."""
    return {"executor": "scripted"}


@pytest.fixture
async def server(server_options):
    """The bundled server."""
    from browser_use_async.server import LocalServer  # most tests need none

    async with LocalServer(**server_options) as started:
        yield started


@pytest.fixture
def recorder():
    """An executor whose tasks the test scripts."""
    from tests.cli.running import Recorder

    return Recorder()


@pytest.fixture
async def http():
    """A client without any defaults."""
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(
        connector=connector, skip_auto_headers=["User-Agent"]
    ) as session:
        yield session


@pytest.fixture
async def bakery(tmp_path):
    """A website of one page, for searches."""
    from browser_use_async.server.http.static_site import StaticSite

    folder = tmp_path / "bakery"
    folder.mkdir()
    (folder / "index.html").write_text("<title>Baker</title><p>We bake bread at six.</p>")
    async with StaticSite(folder) as pages:
        yield pages
