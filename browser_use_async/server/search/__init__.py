"""The search operations, by rules on live pages, without a language model."""

from browser_use_async.server.search.backends import (
    SearchBackend,
    SearxngBackend,
    SiteIndexBackend,
    choose_backend,
)
from browser_use_async.server.search.engine import SearchEngine

__all__ = [
    "SearchBackend",
    "SearchEngine",
    "SearxngBackend",
    "SiteIndexBackend",
    "choose_backend",
]
