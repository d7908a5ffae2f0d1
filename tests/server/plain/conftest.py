"""The executor `plain` and the example site, over real sockets."""

from collections.abc import AsyncIterator

import pytest

from browser_use_async.server.executors.plain.executor import PlainExecutor
from browser_use_async.server.http.static_site import StaticSite, example_site_directory


@pytest.fixture
def plain() -> PlainExecutor:
    """An executor without a browser, for pages of this machine."""
    return PlainExecutor()


@pytest.fixture
async def site() -> AsyncIterator[str]:
    """The address of the example site."""
    async with StaticSite(example_site_directory()) as served:
        yield served.url
