"""The reader and the example site, over real sockets."""

from collections.abc import AsyncIterator

import pytest

from browser_use_async.server.executors.reader import ReaderExecutor
from browser_use_async.server.http_client import HttpClient
from browser_use_async.server.static_site import StaticSite, example_site_directory


@pytest.fixture
async def reader() -> AsyncIterator[ReaderExecutor]:
    """A reader that waits for 20 seconds, which only tests in virtual time let pass."""
    outbound = HttpClient(connect=20, silence=20, exchange=20)
    yield ReaderExecutor(outbound)
    await outbound.aclose()


@pytest.fixture
async def site() -> AsyncIterator[str]:
    """The address of the example site."""
    async with StaticSite(example_site_directory()) as served:
        yield served.url
