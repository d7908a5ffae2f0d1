"""Pages that are written as HTML in tests."""

from browser_use_async.server.html.document import parse_document
from browser_use_async.server.html.page import Page


def read_html(url: str, text: str) -> Page:
    """The page of an HTML document."""
    return parse_document(url, "text/html; charset=utf-8", text.encode("utf-8", "surrogatepass"))
