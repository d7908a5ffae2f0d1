"""A real browser under Playwright; tests are skipped, with the reason, where none is."""

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, BrowserContext, Page, async_playwright

from browser_use_async.server.executors.chromium.finding import find_browser

VIEWPORT = (800, 600)


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    """A browser of this machine."""
    found = find_browser()
    if found is None:
        pytest.skip("there is no Chromium or Chrome on this machine")
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(executable_path=found)
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
