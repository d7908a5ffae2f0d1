"""A crawler that follows links of one website, level by level."""

import asyncio
import logging
from collections.abc import Callable, Sequence

from yarl import URL

from browser_use_async.server.egress.http_client import HttpClient
from browser_use_async.server.html.page import Link, Page
from browser_use_async.server.html.visit import PageNotOpenedError, open_page
from browser_use_async.server.loops import log_failure
from browser_use_async.server.search.relevance import without_fragment

# The most pages of a website that are read.
MOST_PAGES = 50

# How many links of a page are looked at.
_MOST_LINKS = 5_000
# How many pages are opened at a time, so that a crawl does not flood the site.
_AT_ONCE = 5

_logger = logging.getLogger(__name__)

Choose = Callable[[Sequence[Link]], Sequence[Link]]


async def crawl(
    client: HttpClient, url: str, choose: Choose, levels: int = MOST_PAGES
) -> list[Page]:
    """Read a page, and the pages of its website behind the links that are chosen of each level.

    Pages that cannot be opened are left out, but for the first one.

    Raises:
        PageNotOpenedError: The first page could not be opened.
    """
    visit = await open_page(client, url)
    first = visit.page
    pages, level, seen = [first], [first], {without_fragment(url), without_fragment(first.url)}
    for _ in range(levels - 1):
        waiting = await asyncio.to_thread(_chosen, level, first.url, seen, choose)
        if not waiting:
            break
        seen.update(waiting)
        level = []
        while waiting and len(pages) < MOST_PAGES:
            batch, waiting = waiting[:_AT_ONCE], waiting[_AT_ONCE:]
            for page in await _opened(client, batch, from_public=visit.is_public):
                # The same page under another address adds nothing.
                if all(page.url != known.url and page.text != known.text for known in pages):
                    level.append(page)
                    pages.append(page)
    return pages[:MOST_PAGES]


async def crawl_if_possible(
    client: HttpClient, url: str, choose: Choose, levels: int = MOST_PAGES
) -> list[Page]:
    """The same, and no pages if the first one cannot be opened, for whatever reason."""
    try:
        return await crawl(client, url, choose, levels)
    except PageNotOpenedError:
        return []
    except Exception as error:  # noqa: BLE001 - one website must not end a search
        log_failure(_logger, "searching a website", error)
        return []


def _chosen(level: Sequence[Page], site: str, seen: set[str], choose: Choose) -> list[str]:
    """The addresses of the next level, without those that were seen."""
    links = [
        link
        for page in level
        for link in page.links[:_MOST_LINKS]
        if _is_of_site(link.url, site) and without_fragment(link.url) not in seen
    ]
    return [*dict.fromkeys(without_fragment(link.url) for link in choose(links))]


async def _opened(client: HttpClient, urls: Sequence[str], *, from_public: bool) -> list[Page]:
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


def _is_of_site(url: str, site: str) -> bool:
    """Whether two addresses have the same scheme, host and port."""
    try:
        return URL(url).origin() == URL(site).origin()
    except ValueError:
        return False
