"""Lets every example run without a key: it starts the bundled server where none is configured.

Your own program needs none of this: set BROWSER_USE_API_KEY, and BROWSER_USE_BASE_URL if your
server is not the hosted one.
"""

import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from browser_use_async.server import ChromiumSettings, LocalServer
from browser_use_async.server.http.static_site import StaticSite, example_site_directory

__all__ = ["reachable_api"]


@asynccontextmanager
async def reachable_api() -> AsyncGenerator[str, None]:
    """Make sure that `BrowserUseSession()` finds a server, and yield a page that it can open."""
    if os.environ.get("BROWSER_USE_API_KEY") or os.environ.get("BROWSER_USE_BASE_URL"):
        yield "https://example.com"
        return
    browser = ChromiumSettings(allow_private_addresses=True)
    async with (
        StaticSite(example_site_directory()) as site,
        LocalServer(search=[site.url], chromium=browser) as server,
    ):
        os.environ["BROWSER_USE_API_KEY"] = server.api_key
        os.environ["BROWSER_USE_BASE_URL"] = server.base_url
        yield f"{site.url}/"
