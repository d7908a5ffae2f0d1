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
# What surrounds the content of a page, or is there to be used and not to be read
_MARGINS = ("aside", "button", "footer", "input", "nav", "select", "textarea")
_MARGIN_ROLES = ("banner", "complementary", "contentinfo", "navigation")
# A tree does not say whether there was a blank between a text and the element after it.
_BLANK_BEFORE_SIGN = re.compile(r" (?=[,.;:!?)](?:\s|$))")


def page_of(url: str, root: PageNode, *, cut: bool = False) -> Page:
    """The page of a tree; `cut` says that its end is missing."""
    elements = [node for node in root.walk() if not node.is_attribute]
    margins = {id(inside) for node in elements if _is_margin(node) for inside in node.walk()}
    content = [node for node in elements if id(node) not in margins]
    named = {id(node): node.text for node in content if _HEADING.fullmatch(node.tag)}
    headings = [
        Heading(int(node.tag[1]), named[id(node)]) for node in content if named.get(id(node))
    ]
    title = _first_text(elements, "title") or (headings[0].text if headings else "")
    return Page(
        url,
        title,
        _first_text(elements, "description"),
        _text(_main(content, root), margins),
        headings=headings,
        links=[*_links(elements)],
        tables=[*_tables(content, named)],
        labels=[*_labels(content, named)],
        root=root,
        cut=cut or root.is_cut,
    )


def _is_margin(node: PageNode) -> bool:
    return node.tag in _MARGINS or node.attributes.get("role") in _MARGIN_ROLES


def _first_text(nodes: Sequence[PageNode], tag: str) -> str:
    """The text of the first element of a kind; empty if there is none."""
    return next((node.text for node in nodes if node.tag == tag), "")


def _main(content: Sequence[PageNode], root: PageNode) -> PageNode:
    """The only main element or article of a page; of other pages the whole body."""
    for kind in ("main", "article"):
        marked = [node for node in content if kind in (node.tag, node.attributes.get("role"))]
        if len(marked) == 1 and marked[0].text:
            return marked[0]
    bodies = (node for node in root.children if node.tag == "body")
    return next(bodies, root)


def _links(elements: Sequence[PageNode]) -> Iterator[Link]:
    for node in elements:
        if node.tag not in {"a", "area"}:
            continue
        address = _attribute(iter(node.children), "href")
        if address.startswith(("http:", "https:")):
            words = node.text or _attribute(node.walk(), "alt")  # of a picture in it
            hint = node.attributes.get("aria-label") or node.attributes.get("title") or ""
            yield Link(words, address, hint)


def _attribute(nodes: Iterator[PageNode], name: str) -> str:
    """The value of the first attribute with a name among some nodes."""
    return next((node.attribute_text for node in nodes if node.tag == f"@{name}"), "")


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


def _labels(content: Sequence[PageNode], headings: Mapping[int, str]) -> Iterator[Label]:
    """The descriptions of definition lists, each with the term and the heading before it."""
    section = name = ""
    for node in content:
        section = headings.get(id(node)) or section
        if node.tag == "dt":
            name = node.text.rstrip(": ")
        elif node.tag == "dd" and name and (value := node.text):
            yield Label(name, value, section)


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
