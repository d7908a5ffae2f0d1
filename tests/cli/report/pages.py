"""A report as a screen reader gets it: what is where, read from the HTML alone."""

from html.parser import HTMLParser
from typing import Any

__all__ = ["VOID", "Page", "read_page"]

VOID = {"meta", "img", "br", "link", "input", "hr", "path"}


class Page(HTMLParser):
    """The content of a page.

    Attributes:
        tags: Every tag with its attributes, in order.
        values: The exact values of figures by the id of what they stand in.
        texts: All text by the id of what it stands in.
        rows: The rows of the table of items: the cells' values or texts, by label.
        unclosed: Tags that were not closed, or closed in the wrong order.
    """

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.values: dict[str, str] = {}
        self.texts: dict[str, str] = {}
        self.rows: list[dict[str, str]] = []
        self.unclosed: list[str] = []
        self._open: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag."""
        given = dict(attrs)
        self.tags.append((tag, given))
        if (given.get("id") or "").startswith("item-"):
            self.rows.append({})
        if tag == "data":
            self._note_value(str(given["value"]))
        if tag not in VOID:
            self._open.append((tag, given))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag that closes itself."""
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        """Note the end of a tag."""
        if not self._open or self._open[-1][0] != tag:
            self.unclosed.append(tag)
        else:
            self._open.pop()

    def handle_data(self, data: str) -> None:
        """Note text."""
        for _, given in self._open:
            name = given.get("id")
            if name:
                self.texts[name] = self.texts.get(name, "") + data
        cell = self._cell()
        if self.rows and cell is not None:
            self.rows[-1][cell] = self.rows[-1].get(cell, "") + data

    def _note_value(self, value: str) -> None:
        cell = self._cell()
        if cell is not None and self.rows:
            self.rows[-1][f"{cell} value"] = value
        for _, given in self._open:
            if given.get("id"):
                self.values[str(given["id"])] = value

    def _cell(self) -> str | None:
        """The label of the innermost cell of a row of items."""
        in_items = any((given.get("id") or "").startswith("item-") for _, given in self._open)
        for tag, given in reversed(self._open):
            if in_items and tag in {"td", "th"}:
                return given.get("data-label") or given.get("class")
        return None

    def close(self) -> Any:
        """End, and record what is still open."""
        super().close()
        self.unclosed += [tag for tag, _ in self._open]


def read_page(text: str) -> Page:
    """Read a page.

    Args:
        text: Its HTML.
    """
    page = Page()
    page.feed(text)
    page.close()
    return page
