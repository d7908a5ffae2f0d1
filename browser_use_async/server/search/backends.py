"""Sources of addresses for a web search."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from operator import itemgetter
from typing import Any, Protocol

from yarl import URL

from browser_use_async.api.json import JsonRefusedError, read_json
from browser_use_async.errors import ConfigurationError
from browser_use_async.server import checks
from browser_use_async.server.egress.http_client import HttpClient, HttpClientError
from browser_use_async.server.errors import UnavailableError
from browser_use_async.server.html.page import Page
from browser_use_async.server.search.crawler import crawl_if_possible
from browser_use_async.server.search.relevance import scores

SEARXNG = "searxng:"
"""The prefix of a SearXNG address; any other address is a website."""

_SOURCES = (
    "search must be the address of a website to index, a list of such addresses, searxng:URL, or "
    "an object with the method addresses()"
)

# Seconds after which an index is rebuilt. Only addresses come from it; pages are read live.
INDEX_SECONDS = 300.0

# The same of an index without any page: its websites may have been down for a moment.
EMPTY_SECONDS = 5.0


class SearchUnavailableError(UnavailableError):
    """The search backend gave no usable answer; the text is a sentence."""


class SearchBackend(Protocol):
    """Finds addresses for a query; the pages themselves are read live."""

    async def addresses(self, outbound: HttpClient, query: str, limit: int) -> list[str]:
        """The best addresses, best first.

        Raises:
            SearchUnavailableError: There is no answer.
        """
        ...


class SearxngBackend:
    """A SearXNG server's JSON endpoint.

    Attributes:
        urls: Its address, as the operator names it.
    """

    def __init__(self, url: str) -> None:
        self.urls = (url,)

    async def addresses(self, outbound: HttpClient, query: str, limit: int) -> list[str]:
        """The first addresses that the server gives."""
        target = str(URL(self.urls[0]).update_query(q=query, format="json"))
        try:
            answer = await outbound.send("GET", target, headers={"Accept": "application/json"})
        except HttpClientError as error:
            raise SearchUnavailableError(f"The search server: {error}") from error
        if answer.status != 200:
            raise SearchUnavailableError(f"The search server answered {answer.status}")
        try:
            results: Any = read_json(answer.body)
        except JsonRefusedError:
            results = None
        rows = results.get("results") if isinstance(results, dict) else None
        if not isinstance(rows, list):
            raise SearchUnavailableError("The search server did not answer in its JSON format")
        urls = [row.get("url") for row in rows if isinstance(row, dict)]
        found = [url for url in urls if isinstance(url, str) and url.startswith("http")]
        return _websites_first(list(dict.fromkeys(found)))[:limit]


class SiteIndexBackend:
    """An index of a few websites, made by crawling them.

    Attributes:
        urls: The addresses of the websites, as the operator names them.
    """

    def __init__(self, sites: Sequence[str]) -> None:
        self.urls = tuple(sites)
        self._pages: dict[str, list[Page]] = {}
        self._made_at: float | None = None
        self._lock = asyncio.Lock()

    async def addresses(self, outbound: HttpClient, query: str, limit: int) -> list[str]:
        """The pages that fit the query, best first."""
        pages = await self._index(outbound)
        texts = {page.url: f"{page.title}\n{page.description}\n{page.text}" for page in pages}
        found = await asyncio.to_thread(scores, query, list(texts.values()))
        relevance = dict(zip(texts, found, strict=True))
        good = (url for url in relevance if relevance[url] > 0)
        ranked = sorted(good, key=lambda url: -relevance[url])
        return _websites_first(ranked)[:limit]

    async def _index(self, outbound: HttpClient) -> list[Page]:
        now = asyncio.get_running_loop().time()
        # One search builds the index; concurrent ones wait for it.
        async with self._lock:
            seconds = INDEX_SECONDS if any(self._pages.values()) else EMPTY_SECONDS
            if self._made_at is None or now - self._made_at > seconds:
                for site in self.urls:
                    # All links of all levels. The pages that were found before stay while a website
                    # is down.
                    pages = await crawl_if_possible(outbound, site, list)
                    self._pages[site] = pages or self._pages.get(site, [])
                self._made_at = now
        if not any(self._pages.values()):
            raise SearchUnavailableError("None of the indexed websites could be read")
        return [page for pages in self._pages.values() for page in pages]


def _websites_first(urls: Sequence[str]) -> list[str]:
    """Order addresses so that the best one of each website comes before a second one of any."""
    # The API counts websites; a search that several pages of one site win would name only that.
    seen: Counter[str] = Counter()
    rounds: list[tuple[int, str]] = []
    for url in urls:
        site = URL(url).authority.removeprefix("www.")
        rounds.append((seen[site], url))
        seen[site] += 1
    return [url for _round, url in sorted(rounds, key=itemgetter(0))]


def choose_backend(search: "SearchBackend | str | Sequence[str] | None") -> SearchBackend | None:
    """The backend that an option of the server stands for.

    Raises:
        ConfigurationError: It is something else.
    """
    if search is None:
        return None
    urls = [search] if isinstance(search, str) else search
    if isinstance(urls, Sequence):
        addresses = [str(url).removeprefix(SEARXNG) for url in urls]
        if not urls or not all(url.startswith(("http://", "https://")) for url in addresses):
            raise ConfigurationError(f"{_SOURCES}, not {checks.shown(search)}")
        if addresses == list(urls):
            return SiteIndexBackend(urls)
        if len(addresses) > 1:
            raise ConfigurationError(f"search: {SEARXNG}URL cannot be combined with others")
        return SearxngBackend(addresses[0])
    if isinstance(urls, type) or not hasattr(urls, "addresses"):
        raise ConfigurationError(f"{_SOURCES}, not {checks.shown(search)}")
    return urls
