"""The API section Search. Both calls are charged before anything is read."""

from typing import Any

from browser_use_async.api.endpoint_table import SEARCH_URL, SIMPLE_SEARCH
from browser_use_async.prices import search_url_cents, simple_search_cents
from browser_use_async.server.backend import Backend, operation
from browser_use_async.server.extras import READS_PAGES, missing_packages
from browser_use_async.server.html.visit import PageNotOpenedError
from browser_use_async.server.responses import RefusalError
from browser_use_async.server.search.backends import SearchUnavailableError
from browser_use_async.types import (
    UNSET,
    SearchResult,
    SearchResults,
    SearchUrlRequest,
    SimpleSearchRequest,
)


@operation(SIMPLE_SEARCH)
async def simple_search(backend: Backend, request: SimpleSearchRequest) -> SearchResults:
    """Search the web and read the best pages live."""
    addresses = backend.search.backend
    if addresses is None:
        raise RefusalError(
            503,
            "This server has no search backend; start it with --searxng and the address of a "
            "SearXNG server, or with --search and addresses of websites to index",
        )
    _require_readers()
    websites, depth = _chosen(request.max_websites, 5), _chosen(request.depth, 2)
    await backend.account.spend(simple_search_cents(websites, depth))
    try:
        results = await backend.search.simple_search(addresses, request.query, websites, depth)
    except SearchUnavailableError as error:
        raise RefusalError(503, str(error)) from error
    return SearchResults(results)


@operation(SEARCH_URL)
async def search_url(backend: Backend, request: SearchUrlRequest) -> SearchResult:
    """Search one website live."""
    if not request.url.startswith(("http://", "https://")):
        raise RefusalError(422, [_url_problem(request.url)])
    _require_readers()
    depth = _chosen(request.depth, 2)
    await backend.account.spend(search_url_cents(depth))
    try:
        return await backend.search.search_url(request.url, request.query, depth)
    except PageNotOpenedError as error:
        raise RefusalError(502, error.reason) from error


def _require_readers() -> None:
    missing = missing_packages("A search", *READS_PAGES)
    if missing is not None:
        raise RefusalError(503, missing)


def _chosen(value: Any, fallback: int) -> int:
    return fallback if value is UNSET else int(value)


def _url_problem(url: str) -> dict[str, Any]:
    return {
        "type": "value_error",
        "loc": ["body", "url"],
        "msg": "Value error, the URL should begin with http:// or https://",
        "input": url,
        "ctx": {"error": "no http(s) address"},
    }
