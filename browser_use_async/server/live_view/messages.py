"""The messages that a live page sends over its WebSocket. No I/O."""

from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeVar

import attrs

from browser_use_async.api.json import JsonRefusedError, read_json
from browser_use_async.server.executors.view import Input, KeyInput, PointerInput, TextInput

# The most characters that can be pasted at once.
MAX_TEXT = 10_000

_MAX_KEY = 32
_MAX_DISTANCE = 100_000.0
_ALL_MODIFIERS = 15
_MOST_CLICKS = 3

ValueT = TypeVar("ValueT", bound=str)


@attrs.frozen
class FrameAck:
    """The page has drawn the last frame and is ready for the next one."""


@attrs.frozen
class Command:
    """A button of the page was pressed."""

    name: Literal["pause", "resume", "stop"]


Message = FrameAck | Command | Input


class MessageRefusedError(Exception):
    """A message that no page of this server sends."""


def read_message(text: str) -> Message:
    """Parse a message.

    Raises:
        MessageRefusedError: It is invalid. The error leaves out the text, which may be a password.
    """
    try:
        value = read_json(text.encode("utf-8", "surrogatepass"))
    except JsonRefusedError:
        raise MessageRefusedError("a message must be JSON") from None
    kind = value.get("type") if isinstance(value, dict) else None
    reader = _READERS.get(kind) if isinstance(kind, str) else None
    if reader is None:
        raise MessageRefusedError(f"the type of a message must be one of {', '.join(_READERS)}")
    return reader(value)


def _pointer(value: Mapping[str, Any]) -> PointerInput:
    return PointerInput(
        kind=_one_of(value, "kind", ("move", "down", "up", "wheel")),
        x=_number(value, "x"),
        y=_number(value, "y"),
        button=_one_of(value, "button", ("none", "left", "middle", "right"), "none"),
        clicks=_count(value, "clicks", _MOST_CLICKS),
        delta_x=_number(value, "delta_x", 0.0),
        delta_y=_number(value, "delta_y", 0.0),
        modifiers=_count(value, "modifiers", _ALL_MODIFIERS),
    )


def _key(value: Mapping[str, Any]) -> KeyInput:
    return KeyInput(
        kind=_one_of(value, "kind", ("down", "up")),
        key=_text(value, "key", _MAX_KEY),
        code=_text(value, "code", _MAX_KEY, ""),
        modifiers=_count(value, "modifiers", _ALL_MODIFIERS),
    )


# The keys are the words of the page's script, so they stay as they are.
_READERS: dict[str, Callable[[Mapping[str, Any]], Message]] = {
    "drawn": lambda _: FrameAck(),
    "order": lambda value: Command(_one_of(value, "name", ("pause", "resume", "stop"))),
    "pointer": _pointer,
    "key": _key,
    "text": lambda value: TextInput(_text(value, "text", MAX_TEXT)),
}


def _one_of(
    value: Mapping[str, Any], name: str, allowed: tuple[ValueT, ...], default: ValueT | None = None
) -> ValueT:
    given = value.get(name, default)
    for each in allowed:
        if given == each:
            return each
    raise MessageRefusedError(f"{name} must be one of {', '.join(allowed)}")


def _number(value: Mapping[str, Any], name: str, default: float | None = None) -> float:
    given = value.get(name, default)
    is_number = isinstance(given, (int, float)) and not isinstance(given, bool)
    # Negated, because NaN fails every comparison and must be refused.
    if not is_number or not abs(given) <= _MAX_DISTANCE:
        raise MessageRefusedError(f"{name} must be a number of CSS pixels")
    return float(given)


def _count(value: Mapping[str, Any], name: str, most: int) -> int:
    given = value.get(name, 0)
    # bool is a subclass of int.
    if not isinstance(given, int) or isinstance(given, bool) or not 0 <= given <= most:
        raise MessageRefusedError(f"{name} must be a whole number from 0 to {most}")
    return given


def _text(value: Mapping[str, Any], name: str, most: int, default: str | None = None) -> str:
    given = value.get(name, default)
    if not isinstance(given, str) or len(given) > most or not (given or default == ""):
        raise MessageRefusedError(f"{name} must be a text of 1 to {most} characters")
    return given
