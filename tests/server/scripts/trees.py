"""Trees of pages that are written as HTML, as a browser would describe them."""

from typing import Any

from selectolax.lexbor import LexborHTMLParser, LexborNode

from browser_use_async.server.executors.scripts.page_tree import PageNode

_KEPT = ("id", "class", "role", "itemprop", "data-testid", "datetime", "aria-label", "title")
_LEFT_OUT = frozenset({"script", "style", "noscript", "template", "svg", "head", "option"})


def page(html: str) -> PageNode:
    """The tree of a page."""
    body = LexborHTMLParser(html).body
    assert body is not None
    return PageNode.of(_tree(body))


def _tree(node: LexborNode) -> list[Any]:
    attributes = {name: node.attributes[name] or "" for name in _KEPT if node.attributes.get(name)}
    content: list[Any] = []
    for each in node.iter(include_text=True):
        if each.tag == "-text":
            if words := " ".join((each.text() or "").split()):
                content.append(words)
        elif each.tag not in _LEFT_OUT:
            content.append(_tree(each))
    named = ((name, node.attributes.get(name)) for name in ("href", "alt", "aria-label"))
    content += [[f"@{name}", {}, [value]] for name, value in named if value]
    return [node.tag, attributes, content]
