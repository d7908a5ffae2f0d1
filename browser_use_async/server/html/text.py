"""The elements of a parsed page, and the text of them that there is to read."""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

import attrs
from selectolax.lexbor import LexborHTMLParser, LexborNode

from browser_use_async.server.html.page import Label

# An element of a page; its tag is in lower case.
Element: TypeAlias = LexborNode

# Tells which elements to leave out, with all that is inside them.
Skip: TypeAlias = Callable[[Element], bool]

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
_NOSCRIPT = re.compile(r"<noscript(?:\s[^<>]*)?>.*?</noscript\s*>", re.IGNORECASE | re.DOTALL)
# Else they would be stars and underlines in the main text.
_EMPHASIS = re.compile(
    r"</?(?:b|code|del|em|i|ins|kbd|s|samp|strike|strong|sub|sup|tt|u|var)(?=[\s>/])[^<>]*>",
    re.IGNORECASE,
)
_MAX_TAGS = 60_000
# The levels of the heading elements.
HEADINGS = {f"h{level}": level for level in range(1, 7)}
_LINES = frozenset(
    "address article blockquote caption center dd details div dl dt fieldset figcaption figure"
    " form header hgroup hr label legend li main ol p pre section summary table tr ul".split()
)


def parse_tree(text: str) -> tuple[Element, bool]:
    """Parse HTML into a tree, as browsers do."""
    cut = text.count("<") > _MAX_TAGS
    if cut:
        text = "<".join(text.split("<", _MAX_TAGS)[:_MAX_TAGS])
    # Browsers that run scripts do not even parse what is there for the others.
    root = LexborHTMLParser(_NOSCRIPT.sub("", text)).root
    assert root is not None  # any text makes a document
    return root, cut


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

    text: str = ""  # the main text, a line for each paragraph, row or item
    labels: Sequence[Label] = ()  # who wrote it and when, where the page shows that


def find_main_part(document: str) -> MainPart:
    """Ask trafilatura for the main text of a document, its author and its date."""
    # An optional dependency. It takes ten times as long to import as all other modules of a page.
    from trafilatura import bare_extraction  # noqa: PLC0415

    try:
        # No guess from any number that looks like a date: none is better than a wrong one.
        dates = {"extensive_search": False, "original_date": True}
        found = bare_extraction(
            _EMPHASIS.sub("", document),
            include_comments=False,
            include_formatting=True,  # for its headings, without which a text has no parts
            favor_recall=True,
            with_metadata=True,
            date_extraction_params=dates,
        )
    except Exception:  # noqa: BLE001 - whatever it cannot cope with is read without it
        found = None
    if found is None or isinstance(found, dict):
        return MainPart()
    named = {"author": found.author, "date": found.date}
    labels = [Label(name, value) for name, value in named.items() if value]
    return MainPart(_plain_rows(found.text or ""), labels)


def _plain_rows(markdown: str) -> str:
    """Markdown as this module writes texts: rows without a frame, paragraphs without gaps."""
    lines = (line.strip("| ") for line in markdown.splitlines())
    shown = (f"\n{line}" if line.startswith("#") else line for line in lines if line.strip("-|"))
    return "\n".join(shown).strip()


def marked_part(root: Element) -> Element | None:
    """The element that a page marks as what there is to read: its main part or only article."""
    elements = list(walk(root, is_hidden))
    mains = [one for one in elements if one.tag == "main" or attribute(one, "role") == "main"]
    articles = [one for one in elements if one.tag == "article"]
    for candidates in (mains, articles):
        if len(candidates) == 1 and text_of(candidates[0], is_boilerplate):
            return candidates[0]
    return None


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
