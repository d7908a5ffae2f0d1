"""JSON-LD and microdata: what a page says of itself for machines."""

from collections.abc import Iterator, Sequence
from typing import Any

from yarl import URL

from browser_use_async.server.html.addresses import absolute
from browser_use_async.server.html.document import load_json
from browser_use_async.server.html.page import types_of
from browser_use_async.server.html.text import Element, attribute, children, text_of

_JSON_LD = "application/ld+json"
# Nodes about the site rather than about what this page is about come last.
_SURROUNDING_TYPES = frozenset(
    "BreadcrumbList ImageObject Organization SearchAction WebPage WebSite".split()
)
_ADDRESS_ATTRIBUTES = ("href", "src")
_MAX_NODES = 500
_MAX_DEPTH = 8


def json_ld(elements: Sequence[Element]) -> list[Any]:
    """The nodes of all readable JSON-LD scripts, what the page is about first."""
    scripts = (
        element
        for element in elements
        if element.tag == "script"
        and (attribute(element, "type") or "").partition(";")[0].strip().lower() == _JSON_LD
    )
    nodes = [node for script in scripts for node in _nodes(_loaded(script), _MAX_DEPTH)]
    return sorted(nodes, key=_is_surrounding)[:_MAX_NODES]


def microdata(elements: Sequence[Element], base: URL) -> list[Any]:
    """The items of a page's microdata in the shape of JSON-LD nodes."""
    items = [
        _item(element, base, _MAX_DEPTH)
        for element in elements
        if "itemscope" in element.attributes and "itemprop" not in element.attributes
    ]
    return sorted(items, key=_is_surrounding)[:_MAX_NODES]


def _loaded(script: Element) -> Any:
    text = "".join(child.text_content or "" for child in children(script) if child.is_text_node)
    try:
        return load_json(text)
    except ValueError:
        return None


def _nodes(document: Any, depth: int) -> Iterator[Any]:
    if isinstance(document, list) and depth:
        for part in document:
            yield from _nodes(part, depth - 1)
    elif isinstance(document, dict):
        graph = document.get("@graph")
        if isinstance(graph, list):
            yield from (node for node in graph if isinstance(node, dict))
        else:
            yield document


def _is_surrounding(node: Any) -> bool:
    kinds = types_of(node)
    return bool(kinds) and _SURROUNDING_TYPES.issuperset(kinds)


def _item(scope: Element, base: URL, depth: int) -> dict[str, Any]:
    item: dict[str, Any] = {}
    if kind := (attribute(scope, "itemtype") or "").strip():
        item["@type"] = kind.split()[0]
    for element in _properties(scope):
        value = _property_value(element, base, depth)
        for name in (attribute(element, "itemprop") or "").split():
            if name not in item:
                item[name] = value
            elif isinstance(item[name], list):
                item[name].append(value)
            else:
                item[name] = [item[name], value]
    return item


def _properties(scope: Element) -> Iterator[Element]:
    stack = [scope]
    while stack:
        element = stack.pop()
        if element is not scope and "itemprop" in element.attributes:
            yield element
        if element is scope or "itemscope" not in element.attributes:
            inside = [child for child in children(element) if child.is_element_node]
            stack += reversed(inside)


def _property_value(element: Element, base: URL, depth: int) -> Any:
    if "itemscope" in element.attributes and depth:
        return _item(element, base, depth - 1)
    attributes = element.attributes
    for name in ("content", "datetime"):
        if name in attributes:
            return attributes[name] or ""
    for name in _ADDRESS_ATTRIBUTES:
        if name in attributes:
            return absolute(base, attributes[name] or "")
    # An item inside speaks for itself, and texts that contain each other would be read repeatedly.
    return text_of(element, lambda inner: "itemscope" in inner.attributes)
