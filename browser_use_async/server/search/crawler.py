"""A crawler that follows the links of one website that fit a query."""

import asyncio
import logging
from collections.abc import Sequence

from yarl import URL

from browser_use_async.server.html.page import Page
from browser_use_async.server.html.visit import PageNotOpenedError, open_page
from browser_use_async.server.http_client import HttpClient
from browser_use_async.server.loops import log_failure
from browser_use_async.server.search.relevance import best_links, without_fragment

# How many links of a page are looked at.
MAX_LINKS = 5_000

_logger = logging.getLogger(__name__)


async def crawl(client: HttpClient, url: str, query: str, depth: int) -> list[Page]:
    """Read a page, and the pages behind the links that fit the query best.

    Raises:
        PageNotOpenedError: The first page could not be opened.
    """
    visit = await open_page(client, url)
    first = visit.page
    pages, level, seen = [first], [first], {without_fragment(url), without_fragment(first.url)}
    for _ in range(depth - 1):
        links = [
            link
            for page in level
            for link in page.links[:MAX_LINKS]
            if same_site(link.url, first.url) and without_fragment(link.url) not in seen
        ]
        chosen = await asyncio.to_thread(best_links, links, query)
        seen |= {without_fragment(link.url) for link in chosen}
        level = [
            page
            for page in await open_pages(
                client, [link.url for link in chosen], from_public=visit.is_public
            )
            # The same page under another address adds nothing.
            if all(page.url != known.url and page.text != known.text for known in pages)
        ]
        pages += level
    return pages


async def open_pages(
    client: HttpClient, urls: Sequence[str], *, from_public: bool = False
) -> list[Page]:
    """Open pages concurrently; those that cannot be opened are left out, for whatever reason."""
    visits = await asyncio.gather(
        *(open_page(client, url, from_public=from_public) for url in urls), return_exceptions=True
    )
    pages: list[Page] = []
    for visit in visits:
        if isinstance(visit, Exception):
            if not isinstance(visit, PageNotOpenedError):
                log_failure(_logger, "opening a page for a search", visit)
        elif isinstance(visit, BaseException):
            raise visit
        else:
            pages.append(visit.page)
    return pages


def same_site(url: str, other: str) -> bool:
    """Whether two addresses have the same scheme, host and port."""
    try:
        return URL(url).origin() == URL(other).origin()
    except ValueError:
        return False
