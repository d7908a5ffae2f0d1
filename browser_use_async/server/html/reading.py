"""What a tree says to a person: title, text, headings, links, tables and terms."""

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice

from browser_use_async.server.html.page import Heading, Label, Link, Page, Row, Table
from browser_use_async.server.html.page_tree import PageNode
from browser_use_async.server.html.pauses import pause

_HEADING = re.compile("h[1-6]")
_LINES = frozenset(
    "address article blockquote body caption center dd details div dl dt fieldset figcaption figure"
    " footer form header hgroup hr label legend li main ol p pre section summary table tr ul"
    .split()
)  # fmt: skip
_MOST_COLUMNS = 50
_AROUND = frozenset("aside button footer input nav select textarea".split())
_AROUND_ROLES = frozenset({"banner", "complementary", "contentinfo", "navigation"})
# A tree does not say whether there was a blank between a text and the element after it.
_BLANK_BEFORE_SIGN = re.compile(r" (?=[,.;:!?)](?:\s|$))")


def page_of(url: str, root: PageNode, *, cut: bool = False) -> Page:
    """The page of a tree; `cut` says that its end is missing."""
    nodes = [each for each in root.walk() if not each.is_attribute]
    around = {id(inner) for each in nodes if _is_around(each) for inner in each.walk()}
    inside = [each for each in nodes if id(each) not in around]
    named = {id(each): each.text for each in inside if _HEADING.fullmatch(each.tag)}
    headings = [Heading(int(each.tag[1]), text) for each in inside if (text := named.get(id(each)))]
    title = next((each.text for each in nodes if each.tag == "title"), "")
    return Page(
        url=url,
        root=root,
        title=title or next((each.text for each in headings), ""),
        description=next((each.text for each in nodes if each.tag == "description"), ""),
        text=_text(_main(inside, root), around),
        headings=headings,
        links=[*_links(nodes)],
        tables=[*_tables(inside, named)],
        labels=[*_labels(inside, named)],
        cut=cut or root.is_cut,
    )


def _is_around(node: PageNode) -> bool:
    """Whether an element is a control, or the surroundings of what there is to read."""
    return node.tag in _AROUND or node.attributes.get("role") in _AROUND_ROLES


def _main(nodes: Sequence[PageNode], root: PageNode) -> PageNode:
    """The part that the page marks as its content, or all of it."""
    for tag in ("main", "article"):
        found = [each for each in nodes if tag in {each.tag, each.attributes.get("role")}]
        if len(found) == 1 and found[0].text:
            return found[0]
    return next((each for each in root.children if each.tag == "body"), root)


def _links(nodes: Sequence[PageNode]) -> Iterator[Link]:
    for node in nodes:
        for each in node.children if node.tag in {"a", "area"} else ():
            if each.tag == "@href" and each.attribute_text.startswith(("http:", "https:")):
                hint = node.attributes.get("aria-label") or node.attributes.get("title", "")
                yield Link(node.text or _alternative(node), each.attribute_text, hint)


def _alternative(node: PageNode) -> str:
    """The words of a picture in an element."""
    return next((each.attribute_text for each in node.walk() if each.tag == "@alt"), "")


def _tables(nodes: Sequence[PageNode], headings: Mapping[int, str]) -> Iterator[Table]:
    heading = ""
    for node in nodes:
        heading = headings.get(id(node)) or heading
        if node.tag != "table" or any(each.tag == "table" for each in islice(node.walk(), 1, None)):
            continue  # one with others in it only arranges the page
        found = [each for each in node.walk() if each.tag == "tr" and not each.within("tfoot")]
        cells = [[each for each in row.children if each.tag in {"td", "th"}] for row in found]
        cells = [
            row for row in cells if row and not (len(row) == 1 and _span(row[0], "colspan") > 1)
        ]
        name = next((each.text for each in node.children if each.tag == "caption"), heading)
        has_heads = len(cells) > 1 and all(each.tag == "th" or not each.text for each in cells[0])
        rows = [*_rows(cells)]
        heads = rows[0] if has_heads else ()
        if body := [Row(each) for each in rows[int(has_heads) :] if any(each)]:
            yield Table(heads, body, name)


def _rows(cells: Sequence[Sequence[PageNode]]) -> Iterator[tuple[str, ...]]:
    """The texts of rows. What spans several rows or columns is in each of them."""
    above: dict[int, tuple[str, int]] = {}  # by column: a text, and in how many rows it still is
    for row in cells:
        texts, waiting = list[str](), [*reversed(row)]
        while (waiting or len(texts) in above) and len(texts) < _MOST_COLUMNS:
            column = len(texts)
            if column in above:
                text, left = above.pop(column)
                texts.append(text)
                if left > 1:
                    above[column] = (text, left - 1)
                continue
            cell = waiting.pop()
            for _ in range(min(_span(cell, "colspan"), _MOST_COLUMNS - column)):
                if (left := _span(cell, "rowspan") - 1) > 0:
                    above[len(texts)] = (cell.text, left)
                texts.append(cell.text)
        yield tuple(texts)


def _span(cell: PageNode, name: str) -> int:
    said = cell.attributes.get(name, "")
    return max(int(said), 1) if said.isascii() and said.isdigit() and len(said) < 8 else 1


def _labels(nodes: Sequence[PageNode], headings: Mapping[int, str]) -> Iterator[Label]:
    term, heading = "", ""
    for node in nodes:
        heading = headings.get(id(node)) or heading
        term = node.text.rstrip(": ") if node.tag == "dt" else term
        if node.tag == "dd" and term and node.text:
            yield Label(term, node.text, heading)


def _text(root: PageNode, around: set[int]) -> str:
    """The text that a person would read, a line for each paragraph, row or item."""
    lines = _Lines()
    waiting: list[PageNode | str | None] = [root]
    while waiting:
        pause()
        node = waiting.pop()
        if node is None:
            lines.end()
        elif isinstance(node, str):
            lines.cells[-1].append(node)
        elif id(node) not in around and not node.is_attribute and node.tag != "title":
            is_heading = _HEADING.fullmatch(node.tag) is not None
            is_line = is_heading or node.tag in _LINES
            if is_line or node.tag == "br":
                lines.end()
            if is_heading:
                lines.lines += [""] if lines.lines else []
                lines.prefix = f"{'#' * int(node.tag[1])} "
            elif node.tag == "li":
                lines.prefix = "- "
            elif node.tag in {"td", "th"}:
                lines.cells.append([])
            waiting += [None] if is_line else []
            waiting += reversed(node.content)
    lines.end()
    return "\n".join(lines.lines).strip()


class _Lines:
    """Lines of cells; the last one is being written."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.cells: list[list[str]] = [[]]
        self.prefix = ""  # of the line that begins

    def end(self) -> None:
        said = [" ".join(each) for each in self.cells if each]
        if said:
            self.lines.append(self.prefix + _BLANK_BEFORE_SIGN.sub("", " | ".join(said)))
            self.prefix = ""
        self.cells = [[]]
