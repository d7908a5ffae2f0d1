"""A page as a tree of its visible elements: the only model of what a page has in it.

Chromium makes it of what it shows, and `markup` of HTML where there is no browser.
"""

from collections.abc import Iterator
from typing import Any, Self

from browser_use_async.server.html.pauses import pause

MOST_NODES = 20_000
MOST_DEPTH = 200
"""Levels of elements; what is deeper is left out."""

CUT = "cut"
"""The attribute of a root that says that there was more on the page."""

_LONG = 20_000  # characters


class PageNode:
    """An element of a page.

    Attributes that a value can stand in, such as the address of a link, are nodes of their own,
    whose tag is `@` and the name of the attribute.
    """

    def __init__(self, tag: str, attributes: dict[str, str], parent: "PageNode | None") -> None:
        self.tag = tag
        self.attributes = attributes
        self.parent = parent
        self.content: list[str | PageNode] = []
        self.is_cut = False  # at a root: whether more was on the page than is kept
        self._text: str | None = None

    @classmethod
    def of(cls, tree: list[Any]) -> Self:
        """Make the tree of lists of a tag, attributes and a content, as `describe.js` returns."""
        tag, attributes, content = tree
        root = cls(tag, attributes, None)
        root.is_cut = CUT in attributes
        waiting: list[tuple[PageNode, list[Any], int]] = [(root, content, 1)]
        left = MOST_NODES
        for node, inside, depth in waiting:  # which grows
            pause()
            for each in inside:
                if isinstance(each, str):
                    node.content.append(each)
                elif depth >= MOST_DEPTH or left <= 0:
                    root.is_cut = True
                else:
                    left -= 1
                    waiting.append((node.add(each[0], each[1]), each[2], depth + 1))
        return root

    def add(self, tag: str, attributes: dict[str, str]) -> "PageNode":
        """Put a new element at its end."""
        child = PageNode(tag, attributes, self)
        self.content.append(child)
        return child

    @property
    def text(self) -> str:
        """All text inside of it, without attributes."""
        if self._text is None:
            parts, waiting = list[str](), [*reversed(self.content)]
            while waiting:
                pause()
                each = waiting.pop()
                if isinstance(each, str):
                    parts.append(each)
                elif not each.is_attribute:
                    waiting.extend(reversed(each.content))
            text = " ".join(filter(None, parts))
            if len(text) > _LONG:  # else each level of a deep page would keep all of it
                return text
            self._text = text
        return self._text

    @property
    def attribute_text(self) -> str:
        """The value of the attribute that it represents."""
        return "".join(each for each in self.content if isinstance(each, str))

    @property
    def is_attribute(self) -> bool:
        """Whether it represents an attribute."""
        return self.tag.startswith("@")

    @property
    def has_own_text(self) -> bool:
        """Whether it directly contains text."""
        return any(isinstance(each, str) for each in self.content)

    @property
    def children(self) -> "list[PageNode]":
        """Its child elements."""
        return [each for each in self.content if isinstance(each, PageNode)]

    def walk(self) -> "Iterator[PageNode]":
        """Itself and all descendants, in the order of the page."""
        waiting: list[PageNode] = [self]
        while waiting:
            pause()
            node = waiting.pop()
            yield node
            waiting.extend(reversed(node.children))

    def texts(self) -> "list[PageNode]":
        """All descendants that directly contain text."""
        return [each for each in self.walk() if each.has_own_text]

    def within(self, *tags: str) -> "PageNode | None":
        """Itself or the innermost ancestor with one of these tags."""
        node: PageNode | None = self
        while node is not None and node.tag not in tags:
            node = node.parent
        return node

    def ancestors(self) -> "Iterator[PageNode]":
        """Its ancestors, the innermost first."""
        node = self.parent
        while node is not None:
            yield node
            node = node.parent
