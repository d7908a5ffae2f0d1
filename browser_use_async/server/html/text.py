"""The elements of a parsed page, and the text of them that there is to read."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import TypeAlias

import attrs
from selectolax.lexbor import LexborHTMLParser, LexborNode

from browser_use_async.server.html.page import Label

Element: TypeAlias = LexborNode
"""An element of a page; its tag is in lower case."""

Skip: TypeAlias = Callable[[Element], bool]
"""Tells which elements to leave out, with all that is inside them."""

_SPACED = frozenset(
    "address article aside blockquote br caption center dd details dialog dir div dl dt fieldset"
    " figcaption figure footer form h1 h2 h3 h4 h5 h6 header hgroup hr li main menu nav ol option p"
    " pre search section summary table td th tr ul".split()
)
_HIDDEN = frozenset(
    "canvas datalist embed head iframe noscript object script style svg template title".split()
)
_CONTROLS = frozenset({"button", "input", "select", "textarea"})
_SURROUNDINGS = frozenset({"aside", "footer", "nav"})
_SURROUNDING_ROLES = frozenset({"banner", "complementary", "contentinfo", "navigation"})
_TITLE = re.compile(r"<title(?:\s[^<>]*)?>", re.IGNORECASE)
_NOSCRIPT = re.compile(r"<noscript(?:\s[^<>]*)?>", re.IGNORECASE)
_NOSCRIPT_END = re.compile(r"</noscript\s*>", re.IGNORECASE)
_MAX_TAGS = 60_000
HEADINGS = {f"h{level}": level for level in range(1, 7)}
"""The levels of the heading elements."""
_SHORTEST_TEXT = 250  # characters; a page with less is read whole
_LONGEST_TEXT = 200_000  # characters of the main text in which pieces are looked for
_TELLING = 25  # characters of a piece that is not part of two texts by chance
_MAX_PIECES = 2_000
_LINES = frozenset(
    "address article blockquote caption center dd details div dl dt fieldset figcaption figure"
    " form header hgroup hr label legend li main ol p pre section summary table tr ul".split()
)


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


def is_hidden(element: Element) -> bool:
    """Whether a person would not see an element."""
    if element.tag in _HIDDEN:
        return True
    attributes = element.attributes
    if "hidden" in attributes or (attributes.get("aria-hidden") or "").lower() == "true":
        return True
    style = "".join((attributes.get("style") or "").lower().split())
    return "display:none" in style or "visibility:hidden" in style


def is_boilerplate(element: Element) -> bool:
    """Whether an element is unseen, a control, or the surroundings of what there is to read."""
    if element.tag in _SURROUNDINGS or element.tag in _CONTROLS or is_hidden(element):
        return True
    return (attribute(element, "role") or "").lower() in _SURROUNDING_ROLES


@attrs.frozen
class _End:
    """The end of a line's element, waiting on the stack."""


@attrs.frozen
class MainPart:
    """What trafilatura makes of a document: nothing, if there is little to read."""

    text: str = ""  # the main text, with single spaces
    labels: Sequence[Label] = ()  # who wrote it and when, where the page shows that


def find_main_part(document: str) -> MainPart:
    """Ask trafilatura for the main text of a document, its author and its date."""
    # An optional dependency. It takes ten times as long to import as all other modules of a page.
    from trafilatura import bare_extraction  # noqa: PLC0415

    try:
        # No guess from any number that looks like a date: none is better than a wrong one.
        dates = {"extensive_search": False, "original_date": True}
        found = bare_extraction(
            document,
            include_comments=False,
            favor_recall=True,
            with_metadata=True,
            date_extraction_params=dates,
        )
    except Exception:  # noqa: BLE001 - whatever it cannot cope with is read without it
        found = None
    if found is None or isinstance(found, dict):
        return MainPart()
    text = " ".join((found.text or "")[:_LONGEST_TEXT].split())
    named = {"author": found.author, "date": found.date}
    return MainPart(
        text=text if len(text) >= _SHORTEST_TEXT else "",
        labels=[Label(name, value) for name, value in named.items() if value],
    )


def content_root(root: Element, main_text: str) -> Element:
    """The element that holds what there is to read.

    That is the main part, or else the only article, or else the smallest element with all of a
    text, or else the whole document.
    """
    elements = list(walk(root, is_hidden))
    mains = [one for one in elements if one.tag == "main" or attribute(one, "role") == "main"]
    articles = [one for one in elements if one.tag == "article"]
    for candidates in (mains, articles):
        if len(candidates) == 1 and text_of(candidates[0], is_boilerplate):
            return candidates[0]
    around = _around(root, main_text)
    # An element with less is more often a part that was overrated than all there is to read.
    is_most = len(text_of(around, is_boilerplate)) >= len(text_of(root, is_boilerplate)) / 2
    return around if is_most else root


def _around(root: Element, main_text: str) -> Element:
    """The smallest element that holds all of a text; the whole document for an empty one."""
    pieces = [node for node in _read_pieces(root) if len(node.text_content or "") >= _TELLING]
    first = _first_within(main_text, pieces)
    last = _first_within(main_text, reversed(pieces))
    if first is None or last is None:
        return root
    ways = zip(_way_to(first), _way_to(last), strict=False)
    shared = [one for one, other in ways if one.mem_id == other.mem_id]
    # What begins or ends with pieces that are too short to tell is in an element farther out.
    wanted = _letters(main_text)
    while len(shared) > 1 and _letters(text_of(shared[-1], is_boilerplate)) < wanted:
        shared.pop()
    return shared[-1]


def _letters(text: str) -> int:
    """How many letters and digits a text has, without the lines that a table is drawn with."""
    return sum(map(str.isalnum, text))


def _read_pieces(root: Element) -> Iterator[Element]:
    """The pieces of text that are there to be read, in order."""
    stack = [root]
    while stack:
        node = stack.pop()
        if node.is_text_node:
            yield node
        elif node.is_element_node and not is_boilerplate(node):
            stack += reversed([*children(node)])


def _first_within(text: str, pieces: Iterable[Element]) -> Element | None:
    """The first piece that is part of a text, of the first thousands of pieces."""
    for piece in islice(pieces, _MAX_PIECES):
        if " ".join((piece.text_content or "").split()) in text:
            return piece
    return None


def _way_to(node: Element) -> list[Element]:
    """The elements around a piece of text, the outermost first."""
    way: list[Element] = []
    while node.parent is not None and node.parent.is_element_node:
        node = node.parent
        way.append(node)
    return way[::-1]


def readable_text(root: Element) -> str:
    """The text that a person would read, whitespace normalised."""
    lines = _Lines()
    stack: list[Element | _End] = [root]
    while stack:
        node = stack.pop()
        if isinstance(node, _End):
            lines.end()
        elif node.is_text_node:
            lines.add(node.text_content or "")
        elif node.is_element_node and (node is root or not is_boilerplate(node)):
            stack.extend(_opened(node, lines))
    return lines.text()


def _opened(element: Element, lines: "_Lines") -> "list[Element | _End]":
    """What stands inside an element, last first, after its line was begun."""
    tag = element.tag or ""
    if tag == "br":
        lines.end()
        return []
    inside: list[Element | _End] = [*reversed([*children(element)])]
    if tag in HEADINGS:
        lines.begin(f"{'#' * HEADINGS[tag]} ", apart=True)
        return [_End(), *inside]
    if tag in _LINES:
        lines.begin("- " if tag == "li" else "")
        return [_End(), *inside]
    if tag in {"td", "th"}:
        lines.separate()
    return inside


class _Lines:
    def __init__(self) -> None:
        self._lines: list[str] = []
        self._pieces: list[str] = []
        self._prefix = ""
        self._cells: list[str] = []

    def add(self, piece: str) -> None:
        self._pieces.append(piece)

    def begin(self, prefix: str, *, apart: bool = False) -> None:
        # "<li><p>...": the paragraph inside does not end the bullet that has no words yet.
        waiting = self._prefix
        ended = self.end()
        self._prefix = prefix or ("" if ended else waiting)
        if apart and self._lines:
            self._lines.append("")

    def separate(self) -> None:
        if words := self._words():
            self._cells.append(words)

    def end(self) -> bool:
        self.separate()
        cells, prefix = self._cells, self._prefix
        self._cells, self._prefix = [], ""
        if cells:
            self._lines.append(prefix + " | ".join(cells))
        return bool(cells)

    def text(self) -> str:
        self.end()
        return "\n".join(self._lines).strip()

    def _words(self) -> str:
        words = " ".join("".join(self._pieces).split())
        self._pieces = []
        return words
