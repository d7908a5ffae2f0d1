"""A browser for tests that need a real one; they are skipped, with the reason, where none is."""

from collections.abc import AsyncIterator

import pytest

from browser_use_async.server.executors.browser.executor import ChromiumExecutor
from browser_use_async.server.executors.browser.locate import find_browser
from browser_use_async.server.executors.browser.settings import ChromiumSettings
from browser_use_async.server.static_site import StaticSite, example_site_directory


@pytest.fixture
def browser_path() -> str:
    """The browser of this machine."""
    found = find_browser()
    if found is None:
        pytest.skip("there is no Chromium or Chrome on this machine")
    return found


@pytest.fixture
async def chromium(browser_path: str) -> AsyncIterator[ChromiumExecutor]:
    """An executor whose browser may open pages of this machine."""
    settings = ChromiumSettings(browser_path, allow_private_addresses=True)
    executor = ChromiumExecutor(settings)
    yield executor
    await executor.aclose()


@pytest.fixture
async def site() -> AsyncIterator[str]:
    """The address of the example site."""
    async with StaticSite(example_site_directory()) as served:
        yield served.url
