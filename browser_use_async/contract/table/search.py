"""The rows of the API section Search."""

from browser_use_async.api.endpoint_table import Effect, Endpoint
from browser_use_async.types import (
    SearchResult,
    SearchResults,
    SearchUrlRequest,
    SimpleSearchRequest,
)

__all__ = ["SEARCH_URL", "SIMPLE_SEARCH"]

_SEARCH = "Search"

SIMPLE_SEARCH = Endpoint(
    "simple_search",
    "POST",
    "/simple-search",
    SearchResults,
    Effect.CREATES,
    _SEARCH,
    body=SimpleSearchRequest,
    leaves_a_trace=False,
)
SEARCH_URL = Endpoint(
    "search_url",
    "POST",
    "/search-url",
    SearchResult,
    Effect.CREATES,
    _SEARCH,
    body=SearchUrlRequest,
    leaves_a_trace=False,
)
