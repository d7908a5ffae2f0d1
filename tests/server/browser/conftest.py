"""A real browser, alone and in the executor; without one the tests are skipped."""

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, BrowserContext, Page, async_playwright

from browser_use_async.server.executors.browser.executor import ChromiumExecutor
from browser_use_async.server.executors.browser.locate import find_browser
from browser_use_async.server.executors.settings import ChromiumSettings
from browser_use_async.server.http.static_site import StaticSite, example_site_directory

VIEWPORT = (800, 600)


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


@pytest.fixture
async def browser(browser_path: str) -> AsyncIterator[Browser]:
    """A browser of this machine."""
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(executable_path=browser_path)
        yield started
        await started.close()


@pytest.fixture
async def context(browser: Browser) -> BrowserContext:
    """A context of one task."""
    width, height = VIEWPORT
    return await browser.new_context(viewport={"width": width, "height": height})


@pytest.fixture
async def page(context: BrowserContext) -> Page:
    """Its first window."""
    return await context.new_page()
