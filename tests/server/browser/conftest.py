"""A browser as the executor drives it, and the example site."""

import pytest
from playwright.async_api import async_playwright

VIEWPORT = (800, 600)


@pytest.fixture
async def own_browser(browser_path):
    """A browser of the test's own, as the executor drives it."""
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(executable_path=browser_path)
        yield started
        await started.close()


@pytest.fixture
async def context(own_browser):
    """A context of one task."""
    width, height = VIEWPORT
    return await own_browser.new_context(viewport={"width": width, "height": height})


@pytest.fixture
async def page(context):
    """Its first window."""
    return await context.new_page()
