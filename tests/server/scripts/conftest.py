"""The website of the scripts."""

import pytest

from tests.server.browser.pages import serve_pages
from tests.server.scripts.test_playing import register


@pytest.fixture
async def company_site():
    """The register of companies as it is when a script is recorded."""
    async with serve_pages(register()) as site:
        yield site
