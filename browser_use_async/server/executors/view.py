"""The view of a task's browser: frames for viewers, and their input.

The rules of inputs are those by which the messages of a live page are read.
"""

from collections.abc import AsyncIterator, Callable
from typing import Any, Literal, Protocol, runtime_checkable

import attrs

from browser_use_async.types import FieldKind, FieldRule
from browser_use_async.types.base import ruled


@attrs.frozen
class Frame:
    """A picture of the page at this moment."""

    image: bytes = attrs.field(repr=False)  # a JPEG or PNG
    media_type: Literal["image/jpeg", "image/png"]  # `image/jpeg` or `image/png`
    width: int  # of the page that it shows, in CSS pixels, in which inputs are placed too
    height: int


def _among(*words: str) -> FieldRule:
    problem = f"it is one of {', '.join(words)}"
    return FieldRule(
        FieldKind.TEXT, nullable=False, check=lambda given: None if given in words else problem
    )


def _empty(given: str) -> str | None:
    # Not by the minimum length of a rule, which ignores spaces.
    return None if given else "it is empty"


MAX_TEXT = 10_000
"""The maximum length of a pasted text, in characters."""

_KEY = FieldRule(FieldKind.TEXT, nullable=False, max_length=32, check=_empty)
_PIXELS = FieldRule(FieldKind.NUMBER, nullable=False, minimum=-100_000, maximum=100_000)
_CLICKS = FieldRule(FieldKind.INTEGER, nullable=False, minimum=0, maximum=3)
_MODIFIERS = FieldRule(FieldKind.INTEGER, nullable=False, minimum=0, maximum=15)


def _required(rule: FieldRule, converter: Callable[[Any], Any] | None = None) -> Any:
    return ruled(attrs.evolve(rule, required=True), converter=converter)


@attrs.frozen
class PointerInput:
    """A mouse, pen or finger."""

    # The action
    kind: Literal["move", "down", "up", "wheel"] = _required(_among("move", "down", "up", "wheel"))
    x: float = _required(_PIXELS, float)  # where, in CSS pixels from the left edge of the page
    y: float = _required(_PIXELS, float)  # the same from the upper edge
    # The pressed or released button
    button: Literal["none", "left", "middle", "right"] = ruled(
        _among("none", "left", "middle", "right"), default="none"
    )
    # The number of the click in a row: 2 for a double click
    clicks: int = ruled(_CLICKS, default=0)
    # How far a wheel scrolls to the right, in CSS pixels
    delta_x: float = ruled(_PIXELS, default=0.0, converter=float)
    delta_y: float = ruled(_PIXELS, default=0.0, converter=float)  # the same downwards
    # The keys pressed meanwhile, as a sum: 1 Alt, 2 Control, 4 Meta, 8 Shift
    modifiers: int = ruled(_MODIFIERS, default=0)


@attrs.frozen
class KeyInput:
    """A key of the keyboard."""

    kind: Literal["down", "up"] = _required(_among("down", "up"))  # the action
    key: str = _required(_KEY)  # its meaning, as in the DOM: `a`, `A`, `Enter`, `ArrowLeft`
    # Which key it is, as in the DOM: `KeyA`, `Enter`
    code: str = ruled(attrs.evolve(_KEY, check=None), default="")
    modifiers: int = ruled(
        _MODIFIERS, default=0
    )  # the keys pressed meanwhile, as in `PointerInput`


@attrs.frozen
class TextInput:
    """Text without single keys: pasted, composed, or typed on a telephone."""

    text: str = ruled(attrs.evolve(_KEY, required=True, max_length=MAX_TEXT), shown=lambda _: "…")


Input = PointerInput | KeyInput | TextInput


class View(Protocol):
    """The browser of one running task."""

    def frames(self) -> AsyncIterator[Frame]:
        """The newest frame at once, then newer ones as the page changes, until the browser ends.

        A slow consumer misses frames and never gets old ones. Several may watch.
        """
        ...

    async def put(self, event: Input) -> None:
        """Apply the input of a person; no effect once the browser has ended."""


async def close_frames(frames: AsyncIterator[Frame]) -> None:
    """End an iteration over frames, if it is a generator; others clean up by themselves."""
    close = getattr(frames, "aclose", None)
    if close is not None:
        await close()


@runtime_checkable
class Viewable(Protocol):
    """An executor that has a browser to show."""

    def view(self, task_id: str) -> View | None:
        """The browser of a task, or None before it has one and after it has ended."""
        ...
