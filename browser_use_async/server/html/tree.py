"""Walking through the elements of a parsed page, and what of them is not there to be read."""

import re
from collections.abc import Callable, Iterator
from typing import TypeAlias

from selectolax.lexbor import LexborHTMLParser, LexborNode

Element: TypeAlias = LexborNode
"""An element of a page; its tag is in lower case."""

Skip: TypeAlias = Callable[[Element], bool]
"""Tells which elements to leave out, with all that is inside them."""

_SPACED = frozenset(
    "address article aside blockquote br caption center dd details dialog dir div dl dt fieldset"
    " figcaption figure footer form h1 h2 h3 h4 h5 h6 header hgroup hr li main menu nav ol option p"
    " pre search section summary table td th tr ul".split()
)
_UNSEEN = frozenset(
    "canvas datalist embed head iframe noscript object script style svg template title".split()
)
_CONTROLS = frozenset({"button", "input", "select", "textarea"})
_SURROUNDINGS = frozenset({"aside", "footer", "nav"})
_SURROUNDING_ROLES = frozenset({"banner", "complementary", "contentinfo", "navigation"})
_TITLE = re.compile(r"<title(?:\s[^<>]*)?>", re.IGNORECASE)
_NOSCRIPT = re.compile(r"<noscript(?:\s[^<>]*)?>", re.IGNORECASE)
_NOSCRIPT_END = re.compile(r"</noscript\s*>", re.IGNORECASE)
_MAX_TAGS = 60_000


def parse_tree(text: str) -> tuple[Element, bool]:
    """Parse HTML into a tree, as browsers do."""
    cut = text.count("<") > _MAX_TAGS
    if cut:
        text = "<".join(text.split("<", _MAX_TAGS)[:_MAX_TAGS])
    root = LexborHTMLParser(_with_title_ended(_without_noscript(text))).root
    assert root is not None  # any text makes a document
    return root, cut


def _without_noscript(text: str) -> str:
    """The document without what browsers that run scripts do not even parse."""
    kept: list[str] = []
    place = 0
    while (begun := _NOSCRIPT.search(text, place)) is not None:
        ended = _NOSCRIPT_END.search(text, begun.end())
        if ended is None:
            break
        kept.append(text[place : begun.start()])
        place = ended.end()
    return "".join([*kept, text[place:]])


def _with_title_ended(text: str) -> str:
    """The document with an end for its title, if that was forgotten, at the next tag."""
    # By the standard all of the page would be its title.
    begun = _TITLE.search(text)
    if begun is None or "</title" in text[begun.end() :].lower():
        return text
    end = text.find("<", begun.end())
    return f"{text[:end]}</title>{text[end:]}" if end >= 0 else text


def attribute(element: Element, name: str) -> str | None:
    """The value of an attribute, empty for one without a value, None if there is none."""
    attributes = element.attributes
    return (attributes[name] or "") if name in attributes else None


def children(element: Element) -> Iterator[Element]:
    """The elements and pieces of text directly inside an element, in order."""
    child = element.first_child
    while child is not None:
        yield child
        child = child.next


def walk(root: Element, skip: Skip | None = None) -> Iterator[Element]:
    """This element and the ones inside it, in the order of the document."""
    stack = [root]
    while stack:
        element = stack.pop()
        if skip is not None and element is not root and skip(element):
            continue
        yield element
        stack += [each for each in reversed([*children(element)]) if each.is_element_node]


def text_of(root: Element, skip: Skip | None = None) -> str:
    """The text inside an element, with single spaces."""
    pieces: list[str] = []
    stack: list[Element | str] = [root]
    while stack:
        node = stack.pop()
        if isinstance(node, str):
            pieces.append(node)
        elif node.is_text_node:
            pieces.append(node.text_content or "")
        elif node.is_element_node and (node is root or skip is None or not skip(node)):
            space = [" "] if node.tag in _SPACED else []
            stack += [*space, *reversed([*children(node)]), *space]
    return " ".join("".join(pieces).split())


def is_unseen(element: Element) -> bool:
    """Whether a person would not see an element."""
    if element.tag in _UNSEEN:
        return True
    attributes = element.attributes
    if "hidden" in attributes or (attributes.get("aria-hidden") or "").lower() == "true":
        return True
    style = "".join((attributes.get("style") or "").lower().split())
    return "display:none" in style or "visibility:hidden" in style


def is_noise(element: Element) -> bool:
    """Whether an element is unseen, a control, or the surroundings of what there is to read."""
    if element.tag in _SURROUNDINGS or element.tag in _CONTROLS or is_unseen(element):
        return True
    return (attribute(element, "role") or "").lower() in _SURROUNDING_ROLES
