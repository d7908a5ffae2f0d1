"""The two searches of the API, over live pages."""

import asyncio

from browser_use_async.server.outbound import Outbound
from browser_use_async.server.reading.visit import PageNotOpenedError
from browser_use_async.server.search.backends import SearchBackend
from browser_use_async.server.search.exploring import explore
from browser_use_async.server.search.relevance import passages
from browser_use_async.types import SearchResult

__all__ = ["SearchEngine"]

_AT_ONCE = 5
"""How many websites are read at the same time."""


class SearchEngine:
    """Reads websites for queries."""

    def __init__(self, backend: SearchBackend | None) -> None:
        self.backend = backend
        self._outbound = Outbound()

    async def search_url(self, url: str, query: str, depth: int) -> SearchResult:
        """What one website says to a query.

        Raises:
            PageNotOpenedError: The website could not be opened.
        """
        pages = await explore(self._outbound, url, query, depth)
        content = passages(query, pages)
        if not content:
            noun = "page" if len(pages) == 1 else "pages"
            content = f"Nothing on the {len(pages)} {noun} that were read fits the query."
        return SearchResult(url, content)

    async def simple_search(
        self, backend: SearchBackend, query: str, max_websites: int, depth: int
    ) -> list[SearchResult]:
        """What the best websites say to a query; those that cannot be read are left out.

        Raises:
            SearchUnavailableError: There are no addresses to be had.
        """
        urls = await backend.addresses(self._outbound, query, max_websites)
        places = asyncio.Semaphore(_AT_ONCE)

        async def read(url: str) -> SearchResult | None:
            async with places:
                try:
                    content = passages(query, await explore(self._outbound, url, query, depth))
                except PageNotOpenedError:
                    return None
            return SearchResult(url, content) if content else None

        results = await asyncio.gather(*map(read, urls))
        return [result for result in results if result is not None]

    async def aclose(self) -> None:
        """Close the connections."""
        await self._outbound.aclose()
