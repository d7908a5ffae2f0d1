"""The readable text of a page: a line for each paragraph, row and item, headings kept."""

import attrs

from browser_use_async.server.reading.noise import is_noise
from browser_use_async.server.reading.tree import Element

HEADINGS = {f"h{level}": level for level in range(1, 7)}
"""The levels of the heading elements."""

_LINES = frozenset(
    "address article blockquote caption center dd details div dl dt fieldset figcaption figure"
    " form header hgroup hr label legend li main ol p pre section summary table tr ul".split()
)


@attrs.frozen
class _End:
    """The end of a line's element, waiting on the stack."""


def readable_text(root: Element) -> str:
    """The text that a person would read, whitespace normalised.

    Args:
        root: The element that holds it.
    """
    lines = _Lines()
    stack: list[Element | str | _End] = [root]
    while stack:
        node = stack.pop()
        if isinstance(node, str):
            lines.add(node)
        elif isinstance(node, _End):
            lines.end()
        elif node is root or not is_noise(node):
            stack.extend(_opened(node, lines))
    return lines.text()


def _opened(element: Element, lines: "_Lines") -> "list[Element | str | _End]":
    """What stands inside an element, last first, after its line was begun."""
    if element.tag == "br":
        lines.end()
        return []
    if element.tag in HEADINGS:
        lines.begin(f"{'#' * HEADINGS[element.tag]} ", apart=True)
        return [_End(), *reversed(element.children)]
    if element.tag in _LINES:
        lines.begin("- " if element.tag == "li" else "")
        return [_End(), *reversed(element.children)]
    if element.tag in {"td", "th"}:
        lines.separate()
    return list(reversed(element.children))


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
