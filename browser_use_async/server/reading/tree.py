"""A tree of elements from HTML, however broken."""

import asyncio
import re
from collections.abc import Callable, Iterator
from html.parser import HTMLParser

import attrs

_VOID = frozenset("area base br col embed hr img input link meta param source track wbr".split())
_BLOCKS = frozenset(
    "address article aside blockquote center details dialog dd dir div dl dt fieldset"
    " figcaption figure footer form h1 h2 h3 h4 h5 h6 header hgroup hr li main menu nav ol p pre"
    " search section summary table ul".split()
)
_HEADINGS = frozenset({"h1", "h2", "h3", "h4", "h5", "h6"})
_ROWS = frozenset({"tr", "td", "th"})
_SECTIONS = frozenset({"thead", "tbody", "tfoot"})
# What a start tag ends: the elements that it closes, and the ones that it does not look behind.
_ENDS: dict[str, tuple[frozenset[str], frozenset[str]]] = {
    "li": (frozenset({"li"}), frozenset({"ul", "ol", "menu", "table"})),
    "dt": (frozenset({"dt", "dd"}), frozenset({"dl", "table"})),
    "dd": (frozenset({"dt", "dd"}), frozenset({"dl", "table"})),
    "td": (frozenset({"td", "th"}), frozenset({"tr", "table"})),
    "th": (frozenset({"td", "th"}), frozenset({"tr", "table"})),
    "tr": (frozenset({"tr"}), frozenset({"table"})),
    "thead": (_SECTIONS, frozenset({"table"})),
    "tbody": (_SECTIONS, frozenset({"table"})),
    "tfoot": (_SECTIONS, frozenset({"table"})),
    "option": (frozenset({"option"}), frozenset({"select"})),
    "a": (frozenset({"a"}), frozenset({"table"})),
    **dict.fromkeys(_HEADINGS, (_HEADINGS, _BLOCKS - _HEADINGS)),
    "body": (frozenset({"head"}), frozenset()),
}
_PARAGRAPH = (frozenset({"p"}), frozenset({"table", "td", "th", "li", "dd", "blockquote"}))
# A stray end tag inside a cell must not close what is around the table.
_END_STOPS = frozenset({"table", "td", "th"})

_SPACED = _BLOCKS | _ROWS | frozenset({"br", "caption", "dd", "dt", "li", "option"})
# The parser of Python 3.11 raises AssertionError for marked sections that it does not know.
_ODD_SECTION = re.compile(r"<!\[(?!(?:cdata|if|else|endif)(?![-_.a-z0-9]))", re.IGNORECASE)

_MAX_DEPTH = 100
_MAX_NODES = 60_000
_CHUNK = 32 * 1024
_MAX_UNFINISHED = 256 * 1024


@attrs.define(eq=False)
class Element:
    """An element with its attributes and what is inside it.

    Attributes:
        tag: Its name in lower case.
        attributes: Its attributes, names in lower case; of several with one name the first.
        children: Elements and pieces of text, in order.
    """

    tag: str
    attributes: dict[str, str] = attrs.field(factory=dict)
    children: list["Element | str"] = attrs.field(factory=list)

    def walk(self, skip: Callable[["Element"], bool] | None = None) -> Iterator["Element"]:
        """This element and the ones inside it, in the order of the document.

        Args:
            skip: Tells which elements to leave out, with all that is inside them.
        """
        stack: list[Element] = [self]
        while stack:
            element = stack.pop()
            if skip is not None and element is not self and skip(element):
                continue
            yield element
            stack.extend(
                child for child in reversed(element.children) if isinstance(child, Element)
            )

    def text(self, skip: Callable[["Element"], bool] | None = None) -> str:
        """The text inside, with single spaces.

        Args:
            skip: Tells which elements inside to leave out.
        """
        pieces: list[str] = []
        stack: list[Element | str] = [self]
        while stack:
            node = stack.pop()
            if isinstance(node, str):
                pieces.append(node)
            elif node is self or skip is None or not skip(node):
                space = [" "] if node.tag in _SPACED else []
                stack.extend([*space, *reversed(node.children), *space])
        return " ".join("".join(pieces).split())


async def parse_tree(text: str) -> tuple[Element, bool]:
    """Parse HTML into a tree, letting the event loop breathe.

    Args:
        text: The document.

    Returns:
        A root element without a name, and whether the document's end was left out because it has
        more than sixty thousand elements and pieces of text.
    """
    text = _ODD_SECTION.sub("<!", text)
    builder = _TreeBuilder()
    for start in range(0, len(text), _CHUNK):
        builder.add(text[start : start + _CHUNK])
        if builder.full:
            break
        await asyncio.sleep(0)
    builder.finish()
    return builder.root, builder.full


class _TreeBuilder(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = Element("")
        self.full = False
        self._open = [self.root]
        self._nodes = 0
        self._too_long = False

    def add(self, chunk: str) -> None:
        if self._too_long:
            _, found, chunk = chunk.partition(">")
            self._too_long = not found
        self.feed(chunk)
        # The parser starts again at an unfinished tag with each piece, so it must not grow.
        if len(self.rawdata) > _MAX_UNFINISHED:
            self._too_long = self.rawdata.startswith("<")
            self.rawdata = ""

    def finish(self) -> None:
        # What is left begins with an unfinished tag, or it is text behind the last tag.
        if self.rawdata.startswith("<"):
            self.rawdata = ""
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._end_implied(tag)
        element = self._append(tag, attrs)
        if tag not in _VOID and len(self._open) < _MAX_DEPTH:
            self._open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        # "<div/>" opens a div in HTML; only void elements have nothing inside.
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        stops = frozenset[str]() if tag in _END_STOPS | _ROWS | _SECTIONS else _END_STOPS
        self._close(frozenset({tag}), stops)

    def handle_data(self, data: str) -> None:
        self._count()
        self._open[-1].children.append(data)

    def _append(self, tag: str, attrs: list[tuple[str, str | None]]) -> Element:
        self._count()
        element = Element(tag, {name: value or "" for name, value in reversed(attrs)})
        self._open[-1].children.append(element)
        return element

    def _count(self) -> None:
        self._nodes += 1
        self.full = self._nodes > _MAX_NODES

    def _end_implied(self, tag: str) -> None:
        if self._open[-1].tag == "title":
            self._open.pop()  # nothing but text fits in there, so its end tag is missing
        if tag in _BLOCKS:
            self._close(*_PARAGRAPH)
        if tag in _ENDS:
            self._close(*_ENDS[tag])

    def _close(self, tags: frozenset[str], stops: frozenset[str]) -> None:
        for place in range(len(self._open) - 1, 0, -1):
            if self._open[place].tag in tags:
                del self._open[place:]
                return
            if self._open[place].tag in stops:
                return
