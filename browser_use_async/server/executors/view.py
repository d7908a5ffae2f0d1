"""What a person who watches a task sees of its browser, and what they may do in it."""

from collections.abc import AsyncIterator
from typing import Literal, Protocol, runtime_checkable

import attrs


@attrs.frozen
class Frame:
    """A picture of the page as it is now."""

    image: bytes = attrs.field(repr=False)  # a JPEG or PNG
    media_type: Literal["image/jpeg", "image/png"]  # `image/jpeg` or `image/png`
    width: int  # of the page that it shows, in CSS pixels, in which inputs are placed too
    height: int


@attrs.frozen
class PointerInput:
    """A mouse, pen or finger."""

    kind: Literal["move", "down", "up", "wheel"]  # what it does
    x: float  # where, in CSS pixels from the left edge of the page
    y: float  # the same from the upper edge
    button: Literal["none", "left", "middle", "right"] = "none"  # the button that goes down or up
    clicks: int = 0  # which click in a row it is: 2 for a double click
    delta_x: float = 0.0  # how far a wheel scrolls to the right, in CSS pixels
    delta_y: float = 0.0  # the same downwards
    modifiers: int = 0  # the keys held meanwhile, as a sum: 1 Alt, 2 Control, 4 Meta, 8 Shift


@attrs.frozen
class KeyInput:
    """A key of the keyboard."""

    kind: Literal["down", "up"]  # what it does
    key: str  # what it means, as in the DOM: `a`, `A`, `Enter`, `ArrowLeft`
    code: str = ""  # which key it is, as in the DOM: `KeyA`, `Enter`
    modifiers: int = 0  # the keys held meanwhile, as in `PointerInput`


@attrs.frozen
class TextInput:
    """Text that no single key makes: pasted, composed, or typed on a telephone."""

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
        """Do in the browser what a person does; nothing happens once the browser has ended."""


async def close_frames(frames: AsyncIterator[Frame]) -> None:
    """End an iteration over frames now, if it is a generator; others clean up by themselves."""
    close = getattr(frames, "aclose", None)
    if close is not None:
        await close()


@runtime_checkable
class Viewable(Protocol):
    """An executor that has a browser to show."""

    def view(self, task_id: str) -> View | None:
        """The browser of a task, or None before it has one and after it has ended."""
        ...
