"""What a person who watches a task sees of its browser, and what they may do in it."""

from collections.abc import AsyncIterator
from typing import Literal, Protocol, runtime_checkable

import attrs

__all__ = ["Frame", "Input", "KeyInput", "PointerInput", "TextInput", "View", "Viewable"]


@attrs.frozen
class Frame:
    """A picture of the page as it is now.

    Attributes:
        image: A JPEG or PNG.
        media_type: `image/jpeg` or `image/png`.
        width: Of the page that it shows, in CSS pixels, in which inputs are placed too.
        height: The same.
    """

    image: bytes = attrs.field(repr=False)
    media_type: Literal["image/jpeg", "image/png"]
    width: int
    height: int


@attrs.frozen
class PointerInput:
    """A mouse, pen or finger.

    Attributes:
        kind: What it does.
        x: Where, in CSS pixels from the left edge of the page.
        y: The same from the upper edge.
        button: The button that goes down or up.
        clicks: Which click in a row it is: 2 for a double click.
        delta_x: How far a wheel scrolls to the right, in CSS pixels.
        delta_y: The same downwards.
        modifiers: The keys held meanwhile, as a sum: 1 Alt, 2 Control, 4 Meta, 8 Shift.
    """

    kind: Literal["move", "down", "up", "wheel"]
    x: float
    y: float
    button: Literal["none", "left", "middle", "right"] = "none"
    clicks: int = 0
    delta_x: float = 0.0
    delta_y: float = 0.0
    modifiers: int = 0


@attrs.frozen
class KeyInput:
    """A key of the keyboard.

    Attributes:
        kind: What it does.
        key: What it means, as in the DOM: `a`, `A`, `Enter`, `ArrowLeft`.
        code: Which key it is, as in the DOM: `KeyA`, `Enter`.
        modifiers: The keys held meanwhile, as in `PointerInput`.
    """

    kind: Literal["down", "up"]
    key: str
    code: str = ""
    modifiers: int = 0


@attrs.frozen
class TextInput:
    """Text that no single key makes: pasted, composed, or typed on a telephone.

    Attributes:
        text: The text.
    """

    text: str = attrs.field(repr=False)


Input = PointerInput | KeyInput | TextInput


class View(Protocol):
    """The browser of one running task."""

    def frames(self) -> AsyncIterator[Frame]:
        """The newest frame at once, then newer ones as the page changes, until the browser ends.

        A slow consumer misses frames and never gets old ones. Several may watch.
        """
        ...

    async def put(self, event: Input) -> None:
        """Do in the browser what a person does; nothing happens once the browser has ended.

        Args:
            event: What they do.
        """


@runtime_checkable
class Viewable(Protocol):
    """An executor that has a browser to show."""

    def view(self, task_id: str) -> View | None:
        """The browser of a task, or None before it has one and after it has ended.

        Args:
            task_id: The task.
        """
        ...
