"""The two searches of the API, over live pages."""

import asyncio
from functools import partial

from browser_use_async.server.egress.http_client import HttpClient
from browser_use_async.server.egress.proxy import Egress
from browser_use_async.server.search.backends import (
    SearchBackend,
    SearxngBackend,
    SiteIndexBackend,
)
from browser_use_async.server.search.crawler import crawl, crawl_if_possible
from browser_use_async.server.search.relevance import best_links, passages
from browser_use_async.types import SearchResult

# Number of websites that are read concurrently.
_AT_ONCE = 5


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
        pages = await crawl(client, url, partial(best_links, query=query), depth)
        content = await asyncio.to_thread(passages, query, pages)
        if not content:
            read = "1 page that was" if len(pages) == 1 else f"{len(pages)} pages that were"
            content = f"Nothing on the {read} read fits the query."
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
        # The operator names the sites of an index. All other results may come from strangers.
        client = asks if is_index else HttpClient(self._egress.policy_naming())
        # Bounds open connections and memory, however many websites are asked for.
        slots = asyncio.Semaphore(_AT_ONCE)

        async def read(url: str) -> SearchResult | None:
            async with slots:
                choose = partial(best_links, query=query)
                pages = await crawl_if_possible(client, url, choose, depth)
                content = await asyncio.to_thread(passages, query, pages)
            return SearchResult(url, content) if content else None

        results = await asyncio.gather(*map(read, urls))
        return [result for result in results if result is not None]
