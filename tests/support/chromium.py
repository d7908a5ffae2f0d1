"""Chromium for tests: pages as people use them, and the executor. Without it tests are skipped."""

import pytest

__all__ = ["browser", "browser_address", "browser_path", "chromium"]


@pytest.fixture(scope="session")
def browser_path():
    """The program of this machine."""
    # Imported only here: most tests need no browser, and Playwright may be absent.
    from browser_use_async.server.executors.browser.locate import find_browser

    found = find_browser()
    if found is None:
        pytest.skip("there is no Chromium or Chrome on this machine")
    return found


@pytest.fixture(scope="session")
def browser_address(browser_path):
    """The address for commands to a process; it takes a second to start, so tests share it."""
    from tests.browser.driver import resident_browser

    with resident_browser(browser_path) as address:
        yield address


@pytest.fixture
async def browser(browser_address):
    """A browser without cookies, storage, and pages of other tests."""
    from tests.browser.driver import new_browser

    async with new_browser(browser_address) as opened:
        yield opened


@pytest.fixture
async def chromium(browser_path):
    """An executor whose browser may open pages of this machine."""
    from browser_use_async.server.executors.browser.executor import ChromiumExecutor
    from browser_use_async.server.executors.settings import ChromiumSettings

    executor = ChromiumExecutor(ChromiumSettings(browser_path, allow_private_addresses=True))
    yield executor
    await executor.aclose()
