"""The search operations, by rules on live pages, without a language model.

Names are loaded when they are first used: a worker that compares texts needs no HTTP client.
"""

from typing import TYPE_CHECKING

from browser_use_async.lazy import load_on_first_use

if TYPE_CHECKING:
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

_HOMES = {
    "SearchBackend": "backends",
    "SearchEngine": "engine",
    "SearxngBackend": "backends",
    "SiteIndexBackend": "backends",
    "choose_backend": "backends",
}

if not TYPE_CHECKING:
    __getattr__, __dir__ = load_on_first_use(__name__, _HOMES)
