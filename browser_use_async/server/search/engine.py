"""The two searches of the API, over live pages, and the crawler that follows the links that fit."""

import asyncio
import logging
from collections.abc import Sequence

from yarl import URL

from browser_use_async.server.egress.proxy import Egress
from browser_use_async.server.html.page import Page
from browser_use_async.server.html.visit import PageNotOpenedError, open_page
from browser_use_async.server.http_client import HttpClient
from browser_use_async.server.responses import log_failure
from browser_use_async.server.search.backends import (
    SearchBackend,
    SearxngBackend,
    SiteIndexBackend,
)
from browser_use_async.server.search.relevance import best_links, passages, without_fragment
from browser_use_async.server.worker import WorkRefusedError, in_worker
from browser_use_async.types import SearchResult

MAX_LINKS = 5_000
"""How many links of a page are looked at."""

_AT_ONCE = 5
"""Number of websites that are read concurrently."""

_logger = logging.getLogger(__name__)


async def crawl(client: HttpClient, url: str, query: str, depth: int) -> list[Page]:
    """Read a page, and the pages behind the links that fit the query best.

    Raises:
        PageNotOpenedError: The first page could not be opened.
        WorkRefusedError: Comparing its links takes too long.
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
        chosen = await in_worker(best_links, links, query)
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


class SearchEngine:
    """Searches websites for passages that fit a query.

    Args:
        backend: What finds the websites of a web search.
        egress: Where searches may go.
    """

    def __init__(self, backend: SearchBackend | None, egress: Egress) -> None:
        self.backend = backend
        self._egress = egress

    async def search_url(self, url: str, query: str, depth: int) -> SearchResult:
        """Search one website.

        Raises:
            PageNotOpenedError: The website could not be opened, or takes too long to search.
        """
        client = HttpClient(self._egress.policy_naming([url]))
        try:
            pages = await crawl(client, url, query, depth)
            content = await in_worker(passages, query, pages)
        except WorkRefusedError as error:
            raise PageNotOpenedError(f"{url} could not be searched: that {error}.", url) from error
        if not content:
            noun = "page" if len(pages) == 1 else "pages"
            content = f"Nothing on the {len(pages)} {noun} that were read fits the query."
        return SearchResult(url, content)

    async def simple_search(
        self, backend: SearchBackend, query: str, max_websites: int, depth: int
    ) -> list[SearchResult]:
        """Search the best websites for a query; those that cannot be read are left out.

        Raises:
            SearchUnavailableError: There are no addresses to be had.
        """
        is_index = isinstance(backend, SiteIndexBackend)
        named = backend.urls if isinstance(backend, SearxngBackend | SiteIndexBackend) else ()
        asks = HttpClient(self._egress.policy_naming(opening=named))
        urls = await backend.addresses(asks, query, max_websites)
        # The operator names the sites of an index. What else a search finds, anybody can have
        # put there.
        client = asks if is_index else HttpClient(self._egress.policy_naming())
        # Bounds open connections and memory, however many websites are asked for.
        slots = asyncio.Semaphore(_AT_ONCE)

        async def read(url: str) -> SearchResult | None:
            async with slots:
                try:
                    pages = await crawl(client, url, query, depth)
                    content = await in_worker(passages, query, pages)
                except (PageNotOpenedError, WorkRefusedError):
                    return None
                except Exception as error:  # noqa: BLE001 - one website must not end the search
                    log_failure(_logger, "searching a website", error)
                    return None
            return SearchResult(url, content) if content else None

        results = await asyncio.gather(*map(read, urls))
        return [result for result in results if result is not None]
