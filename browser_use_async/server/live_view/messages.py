"""The messages that a live page sends over its WebSocket. No I/O."""

from typing import Literal

import attrs

from browser_use_async.api.json import JsonRefusedError, read_json
from browser_use_async.api.validation import validate
from browser_use_async.server.executors.view import Input, KeyInput, PointerInput, TextInput
from browser_use_async.types import FieldKind, FieldRule
from browser_use_async.types.base import ruled

_COMMANDS = ("pause", "resume", "stop")


def _unknown_command(name: str) -> str | None:
    return None if name in _COMMANDS else f"it is one of {', '.join(_COMMANDS)}"


@attrs.frozen
class FrameAck:
    """The page has drawn the last frame and is ready for the next one."""


@attrs.frozen
class Command:
    """A button of the page was pressed."""

    name: Literal["pause", "resume", "stop"] = ruled(
        FieldRule(FieldKind.TEXT, required=True, nullable=False, check=_unknown_command)
    )


Message = FrameAck | Command | Input

# The keys are those of the page's script.
_MODELS: dict[str, type[Message]] = {
    "drawn": FrameAck,
    "order": Command,
    "pointer": PointerInput,
    "key": KeyInput,
    "text": TextInput,
}


class MessageRefusedError(Exception):
    """An invalid message, which no page of this server sends."""


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
    model = _MODELS.get(kind) if isinstance(kind, str) else None
    if model is None:
        raise MessageRefusedError(f"the type of a message must be one of {', '.join(_MODELS)}")
    values, problems = validate(model, value)
    if problems:
        raise MessageRefusedError(problems[0].sentence)
    return model(**values)
