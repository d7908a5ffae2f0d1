"""The names by which a page calls its texts: terms, columns, properties, classes."""

from collections import Counter
from collections.abc import Iterator, Sequence

from browser_use_async.server.html.page_tree import PageNode

_HEADINGS = frozenset({"h1", "h2", "h3", "h4", "h5", "h6"})
_CELLS = ("td", "th")
_PROPERTIES = ("itemprop", "data-testid", "id", "class")


class PageNames:
    """The names of the texts of pages. What many texts of an element ask is found once."""

    def __init__(self, roots: Sequence[PageNode]) -> None:
        self.roots = roots
        self._before: dict[int, dict[int, PageNode | str]] = {}  # what stands before each child
        self._alike: dict[int, Counter[str]] = {}  # how many children look the same
        self._heads: dict[int, list[PageNode]] = {}  # the head of each table

    def of(self, node: PageNode) -> Iterator[str]:
        """The names of the text of a node."""
        if node.is_attribute:
            yield "" if node.parent is None else node.parent.text
            return
        if term := self._term(node):
            yield term
        if (column := self._column(node)) is not None:
            yield column
        yield from (each for name in _PROPERTIES if (each := node.attributes.get(name)))

    def in_row(self, node: PageNode) -> Iterator[str]:
        """The same in one row of a list. Ids differ from row to row."""
        own_id = node.attributes.get("id")
        yield from (each for each in self.of(node) if each != own_id)

    def _term(self, node: PageNode) -> str:
        """The words right before a node that name it; empty if there are none."""
        own = node.within("dd", *_CELLS) or node
        if own.parent is None:
            return ""
        before = self._children_before(own.parent).get(id(own))
        if before is None:
            return ""
        text = (before if isinstance(before, str) else before.text).rstrip()
        if isinstance(before, PageNode):
            is_cell = own.tag in _CELLS
            is_pair = (
                not is_cell and before.tag not in _HEADINGS and self._is_row_of_two(own.parent)
            )
            is_named = before.tag == "dt" or (before.tag in _CELLS and _has_two(own.parent))
            if is_pair or is_named:
                return text.rstrip(": ")
        return text.rstrip(": ") if text.endswith(":") else ""

    def _children_before(self, parent: PageNode) -> dict[int, PageNode | str]:
        found = self._before.get(id(parent))
        if found is None:
            said = [each for each in _content(parent) if isinstance(each, str) or each.text]
            pairs = zip(said[1:], said, strict=False)
            found = {id(each): before for each, before in pairs if isinstance(each, PageNode)}
            self._before[id(parent)] = found
        return found

    def _is_row_of_two(self, parent: PageNode) -> bool:
        """Whether an element has two texts, and is one of several such elements."""
        around = parent.parent
        if around is None or len(_content(parent)) != 2:
            return False
        if id(around) not in self._alike:
            self._alike[id(around)] = Counter(map(_look, around.children))
        return self._alike[id(around)][_look(parent)] > 1

    def _column(self, node: PageNode) -> str | None:
        """The head of the column of a node's cell."""
        cell = node.within(*_CELLS)
        row = None if cell is None else cell.within("tr")
        table = None if cell is None else cell.within("table")
        if cell is None or row is None or table is None:
            return None
        if id(table) not in self._heads:
            first = next((each for each in table.walk() if each.tag == "th"), None)
            head = None if first is None else first.within("tr")
            self._heads[id(table)] = head.children if head is not None and is_head(head) else []
        heads, cells = self._heads[id(table)], row.children
        if len(cells) != len(heads) or cell in heads:
            return None
        place = next((place for place, each in enumerate(cells) if each is cell), None)
        return None if place is None else heads[place].text


def is_head(row: PageNode) -> bool:
    """Whether a row of a table names its columns; one `<th>` before cells names the row."""
    cells = row.children
    has_names = any(each.tag == "th" for each in cells)
    return has_names and all(each.tag == "th" or not each.text for each in cells)


def _look(node: PageNode) -> str:
    return f"{node.tag} {sorted(node.attributes.items())}"


def _content(node: PageNode) -> list[str | PageNode]:
    return [each for each in node.content if isinstance(each, str) or not each.is_attribute]


def _has_two(parent: PageNode) -> bool:
    return sum(isinstance(each, str) or bool(each.text) for each in _content(parent)) == 2
