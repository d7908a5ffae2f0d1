"""The elements of a parsed page, and the text of them that there is to read."""

import re
from collections.abc import Callable
from typing import TypeAlias

import attrs
from selectolax.lexbor import LexborHTMLParser, LexborNode

# An element of a page; its tag is in lower case.
Element: TypeAlias = LexborNode

_SPACED = frozenset(
    "address article aside blockquote br caption center dd details dialog dir div dl dt fieldset"
    " figcaption figure footer form h1 h2 h3 h4 h5 h6 header hgroup hr li main menu nav ol option p"
    " pre section summary table td th tr ul".split()
)
_HIDDEN = frozenset(
    "canvas datalist embed head iframe noscript object script style svg template title".split()
)
_SURROUNDINGS = frozenset("aside button footer input nav select textarea".split())
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
    """Parse HTML into a tree, as browsers do, and say whether it was cut."""
    cut = text.count("<") > _MAX_TAGS
    if cut:
        text = "<".join(text.split("<", _MAX_TAGS)[:_MAX_TAGS])
    # Browsers that run scripts do not even parse what is there for the others.
    root = LexborHTMLParser(_NOSCRIPT.sub("", text)).root
    assert root is not None  # any text makes a document
    return root, cut


def attribute(element: Element, name: str) -> str:
    """The value of an attribute; empty for one without a value, and if there is none."""
    return element.attributes.get(name) or ""


def prune(root: Element, skip: Callable[[Element], bool]) -> None:
    """Take elements out of a tree, with all that is inside of them."""
    found: list[Element] = []
    stack = [*root.iter()]
    while stack:
        element = stack.pop()
        if skip(element):
            found.append(element)
        else:
            stack += element.iter()
    for element in found:
        element.decompose()


def text_of(root: Element) -> str:
    """The text inside an element with single spaces."""
    pieces: list[str] = []
    stack: list[Element | str] = [root]
    while stack:
        node = stack.pop()
        if isinstance(node, str):
            pieces.append(node)
        elif node.is_text_node:
            pieces.append(node.text_content or "")
        else:
            space = [" "] if node.tag in _SPACED else []
            stack += [*space, *reversed([*node.iter(include_text=True)]), *space]
    return " ".join("".join(pieces).split())


def is_hidden(element: Element) -> bool:
    """Whether a person would not see an element."""
    attributes = element.attributes
    if element.tag in _HIDDEN or "hidden" in attributes:
        return True
    style = "".join((attributes.get("style") or "").lower().split())
    is_unseen = "display:none" in style or "visibility:hidden" in style
    return is_unseen or (attributes.get("aria-hidden") or "").lower() == "true"


def is_boilerplate(element: Element) -> bool:
    """Whether an element is a control, or the surroundings of what there is to read."""
    is_around = attribute(element, "role").lower() in _SURROUNDING_ROLES
    return is_around or element.tag in _SURROUNDINGS


def find_main_part(document: str) -> str:
    """The main text of a document, as trafilatura finds it; empty if there is little to read."""
    # An optional dependency. It takes ten times as long to import as all other modules of a page.
    from trafilatura import extract  # noqa: PLC0415

    try:
        found = extract(
            _EMPHASIS.sub("", document),
            include_comments=False,
            include_formatting=True,  # for its headings, without which a text has no parts
            favor_recall=True,
        )
    except Exception:  # noqa: BLE001 - whatever it cannot cope with is read without it
        found = None
    return _plain_rows(found or "")


def _plain_rows(markdown: str) -> str:
    """Markdown as this module writes texts: rows without a frame, paragraphs without gaps."""
    lines = (line.strip("| ") for line in markdown.splitlines())
    shown = (f"\n{line}" if line.startswith("#") else line for line in lines if line.strip("-|"))
    return "\n".join(shown).strip()


def marked_part(root: Element) -> Element | None:
    """The element that a page marks as its content: its main part or only article."""
    for candidates in (root.css("main, [role=main]"), root.css("article")):
        if len(candidates) == 1 and text_of(candidates[0]):
            return candidates[0]
    return None


def readable_text(root: Element) -> str:
    """The text that a person would read, a line for each paragraph, row or item."""
    lines = _Lines()
    stack: list[Element | None] = [root]
    while stack:
        node = stack.pop()
        tag = node.tag if node is not None else None
        if node is None or tag == "br":
            lines.end()
            continue
        if node.is_text_node:
            lines.words += node.text_content or ""
            continue
        if tag in HEADINGS:
            lines.begin(f"{'#' * HEADINGS[tag]} ", apart=True)
        elif tag in _LINES:
            lines.begin("- " if tag == "li" else "")
        elif tag in {"td", "th"}:
            lines.separate()
        stack += [None] if tag in HEADINGS or tag in _LINES else []
        stack += reversed([*node.iter(include_text=True)])
    lines.end()
    return "\n".join(lines.lines).strip()


@attrs.define
class _Lines:
    """Lines of cells; the last one is being written."""

    lines: list[str] = attrs.field(factory=list)
    words: str = ""
    _cells: list[str] = attrs.field(factory=list)
    _prefix: str = ""

    def begin(self, prefix: str, *, apart: bool = False) -> None:
        # "<li><p>...": the paragraph inside does not end the bullet that has no words yet.
        waiting = self._prefix
        self._prefix = prefix or ("" if self.end() else waiting)
        if apart and self.lines:
            self.lines.append("")

    def separate(self) -> None:
        if words := " ".join(self.words.split()):
            self._cells.append(words)
        self.words = ""

    def end(self) -> bool:
        self.separate()
        cells, prefix = self._cells, self._prefix
        self._cells, self._prefix = [], ""
        if cells:
            self.lines.append(prefix + " | ".join(cells))
        return bool(cells)
