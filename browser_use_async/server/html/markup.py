"""HTML as a tree of elements, by the parser of the standard library, with bounds.

It knows nothing of styles and scripts, so that it is for where there is no browser.
"""

from html import unescape
from html.parser import HTMLParser

from yarl import URL

from browser_use_async.server.egress.web_addresses import absolute
from browser_use_async.server.html.page_tree import MOST_DEPTH, MOST_NODES, PageNode
from browser_use_async.server.html.pauses import pause

MOST_CHARACTERS = 1_000_000
"""How much of a document is read."""

_LEFT_OUT = frozenset(
    "canvas datalist embed iframe noscript object option script style svg template".split()
)
_VOID = frozenset(
    "area base br col embed hr img input link meta param source track wbr".split()
)  # fmt: skip
_KEPT = frozenset(
    "id class role itemprop data-testid datetime aria-label title colspan rowspan".split()
)
_HEADINGS = frozenset("h1 h2 h3 h4 h5 h6".split())
_READ = _KEPT | frozenset("alt content href name property".split())
# What ends when an element begins, and in which elements it does not.
_ENDS: dict[str, tuple[frozenset[str], frozenset[str]]] = {
    "li": (frozenset({"li"}), frozenset({"ul", "ol"})),
    "dt": (frozenset({"dt", "dd"}), frozenset({"dl"})),
    "dd": (frozenset({"dt", "dd"}), frozenset({"dl"})),
    "tr": (frozenset({"tr"}), frozenset({"table"})),
    "td": (frozenset({"td", "th"}), frozenset({"tr", "table"})),
    "th": (frozenset({"td", "th"}), frozenset({"tr", "table"})),
    **{
        tag: (frozenset({"p"}), frozenset({"table", "td", "th", "li"}))
        for tag in "p div ul ol dl table h1 h2 h3 h4 h5 h6 section article main form".split()
    },
}
_PIECE = 4_000  # characters
_LONGEST_TAG = 32_000
_LONGEST_END = 20  # of a script or a style
_LONGEST_ATTRIBUTE = 200  # characters
_LONGEST_ADDRESS = 2000
_LONGEST_BASE = 1000  # it becomes a part of each relative link


class TreeNotReadableError(Exception):
    """A document that the parser gives up on. The text is a clause for a person."""


def read_tree(url: str, text: str) -> tuple[PageNode, bool]:
    """The tree of a document, and whether its end is missing.

    Raises:
        TreeNotReadableError: It is not to be parsed.
    """
    parser = _TreeParser(url)
    try:
        parser.read(text[:MOST_CHARACTERS])
    except _FullError:
        parser.is_full = True
    except (ValueError, AssertionError, RecursionError):  # as for numbers of a million digits
        raise TreeNotReadableError("it is no HTML that can be read") from None
    parser.end_words()
    return parser.root, len(text) > MOST_CHARACTERS or parser.is_full


class _FullError(Exception):
    """The tree has all nodes that it may have."""


class _TreeParser(HTMLParser):
    """Makes the tree; it looks at each character once."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._base = URL(url)
        self.root = PageNode("html", {}, None)
        self._title = self.root.add("title", {})
        self._description = self.root.add("description", {})
        self._open = [self.root.add("body", {})]
        self._left_out: list[str] = []  # open elements of which nothing is shown
        self._words: list[str] = []  # of the text at hand
        self._in_title = False
        self._nodes = 0
        self._skips_to = ""  # the end of a tag or a comment that is too long
        self.is_full = False

    def read(self, text: str) -> None:
        """Read a whole document."""
        # In pieces: the parser looks at a tag in one go, during which no other thread runs.
        for start in range(0, len(text), _PIECE):
            pause()
            piece = text[start : start + _PIECE]
            if self._skips_to:
                _, found, piece = piece.partition(self._skips_to)
                if not found:
                    continue
            self._skips_to = ""
            self.feed(piece)
            if len(self.rawdata) > _LONGEST_TAG:
                self._skip()
        # Not closed: what has no end would be looked at again and again.
        if not self.rawdata.startswith("<") and not self.cdata_elem:
            self.handle_data(unescape(self.rawdata))

    def _skip(self) -> None:
        """Leave out a tag, a comment or a script that is too long."""
        if self.cdata_elem:
            self.rawdata = self.rawdata[-_LONGEST_END:]
        elif not self.rawdata.startswith("<"):  # a text that ends in an ampersand
            self.handle_data(unescape(self.rawdata))
            self.rawdata = ""
        else:
            self._skips_to = "-->" if self.rawdata.startswith("<!--") else ">"
            self.rawdata = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs if name in _READ}
        self.end_words()
        if self._left_out and self._left_out[-1] in _ENDS.get(tag, ((), ()))[0]:
            self._left_out.pop()
        self._in_title = tag == "title" and not self._title.content and not self._left_out
        if tag == "meta":
            self._note_description(given)
        elif tag == "base" and len(given.get("href", "")) <= _LONGEST_BASE:
            self._base = URL(absolute(self._base, given.get("href", "")) or self._base)
        elif self._left_out or tag in _LEFT_OUT or _is_hidden(attrs):
            if tag not in _VOID:
                self._left_out.append(tag)
                del self._left_out[MOST_DEPTH:]
        elif tag not in {"html", "head", "body", "title"}:
            self._begin(tag, given)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)  # a slash at the end of a tag means nothing

    def _begin(self, tag: str, given: dict[str, str]) -> None:
        if tag in _ENDS:
            self._end_before(*_ENDS[tag])
        if tag in _HEADINGS:  # no heading is in another one
            self._end_before(_HEADINGS, frozenset())
        if self._nodes >= MOST_NODES - 10:
            raise _FullError
        self._nodes += 1
        kept = {
            name: " ".join(value.split())[:_LONGEST_ATTRIBUTE]
            for name, value in given.items()
            if value and name in _KEPT
        }
        node = self._open[-1].add(tag, kept)
        address = absolute(self._base, given.get("href", "")) if given.get("href") else ""
        values = (("href", address or ""), ("alt", given.get("alt", "")),
                  ("aria-label", given.get("aria-label", "")))  # fmt: skip
        for name, each in values:
            if each:
                node.add(f"@{name}", {}).content.append(each[:_LONGEST_ADDRESS])
        self._nodes += len(node.content)
        if tag not in _VOID and len(self._open) < MOST_DEPTH - 2:
            self._open.append(node)

    def handle_endtag(self, tag: str) -> None:
        self.end_words()
        self._in_title = False
        if tag in self._left_out:
            del self._left_out[len(self._left_out) - 1 - self._left_out[::-1].index(tag) :]
            return
        if any(each.tag == tag for each in self._open):
            self._left_out.clear()  # what was not ended ends with what it is in
        if not self._left_out:
            self._end_before(frozenset({tag}), frozenset({"table"} - {tag}))

    def _end_before(self, tags: frozenset[str], around: frozenset[str]) -> None:
        """End the innermost open element with one of the tags, if it is in none of those around."""
        for place in range(len(self._open) - 1, 0, -1):
            if self._open[place].tag in tags:
                del self._open[place:]
                return
            if self._open[place].tag in around:
                return

    def handle_data(self, data: str) -> None:
        if self._in_title or not self._left_out:
            self._words.append(data)

    def parse_marked_section(self, i: int, report: int = 1) -> int:
        """Skip what is marked in a way that is none of HTML."""
        return self.parse_bogus_comment(i, report=bool(report))

    def end_words(self) -> None:
        """Keep the text at hand."""
        words = " ".join("".join(self._words).split())
        self._words.clear()
        if words and self._in_title:
            self._title.content.append(words)
        elif words:
            self._open[-1].content.append(words)

    def _note_description(self, given: dict[str, str]) -> None:
        is_own = given.get("name", "").lower() == "description"
        words = " ".join(given.get("content", "").split())
        is_other = given.get("property") == "og:description" and not self._description.content
        if (is_own or is_other) and words:
            self._description.content[:] = [words[:1000]]


def _is_hidden(attrs: list[tuple[str, str | None]]) -> bool:
    """Whether an element says of itself that it is not shown."""
    given = dict(attrs)
    style = "".join((given.get("style") or "").lower().split())
    return (
        "hidden" in given or "display:none" in style or "visibility:hidden" in style
        or (given.get("aria-hidden") or "").lower() == "true"
    )  # fmt: skip
