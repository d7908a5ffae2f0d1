"""Trees of pages that are written as HTML."""

from browser_use_async.server.html.markup import read_tree
from browser_use_async.server.html.page_tree import PageNode


def page(html: str) -> PageNode:
    """The tree of a page."""
    return read_tree("https://site.example/", html)[0]
