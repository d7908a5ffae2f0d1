"""A task's browser for a person who watches it and may take the mouse."""

from collections.abc import AsyncIterator
from typing import Any

from browser_use_async.server.executors.chromium.screencast import Screencast
from browser_use_async.server.executors.chromium.tab import Tab
from browser_use_async.server.executors.viewing import (
    Frame,
    Input,
    KeyInput,
    PointerInput,
)

_POINTER = {"move": "mouseMoved", "down": "mousePressed", "up": "mouseReleased"}

# Windows' virtual key codes, by which pages tell keys that make no text, and the text of some.
KEYS = {
    "Backspace": 8,
    "Tab": 9,
    "Enter": 13,
    "Shift": 16,
    "Control": 17,
    "Alt": 18,
    "Escape": 27,
    " ": 32,
    "PageUp": 33,
    "PageDown": 34,
    "End": 35,
    "Home": 36,
    "ArrowLeft": 37,
    "ArrowUp": 38,
    "ArrowRight": 39,
    "ArrowDown": 40,
    "Insert": 45,
    "Delete": 46,
    "Meta": 91,
    **{f"F{number}": 111 + number for number in range(1, 13)},
}
_TEXTS = {"Enter": "\r", "Tab": "\t"}
_CONTROL_OR_META = 2 | 4
_EDITING = {"a": "selectAll", "c": "copy", "v": "paste", "x": "cut", "z": "undo"}


class LiveView:
    """The browser of one task, as a person sees it.

    Args:
        screencast: What is to be seen of the task's browser.
    """

    def __init__(self, screencast: Screencast) -> None:
        self._screencast = screencast

    def frames(self) -> AsyncIterator[Frame]:
        """The newest frame at once, then newer ones as the page changes, until it ends."""
        return self._screencast.frames()

    async def put(self, event: Input) -> None:
        """Do in the browser what a person does.

        Args:
            event: What they do.
        """
        tab = self._screencast.tab
        if tab is None:
            return
        if isinstance(event, PointerInput):
            _point(tab, event)
        elif isinstance(event, KeyInput):
            tab.session.post("Input.dispatchKeyEvent", **key_command(event))
        else:
            tab.session.post("Input.insertText", text=event.text)


def _point(tab: Tab, event: PointerInput) -> None:
    place = {"x": event.x, "y": event.y, "modifiers": event.modifiers}
    if event.kind == "wheel":
        deltas = {"deltaX": event.delta_x, "deltaY": event.delta_y}
        tab.session.post("Input.dispatchMouseEvent", type="mouseWheel", **place, **deltas)
        return
    tab.session.post(
        "Input.dispatchMouseEvent",
        type=_POINTER[event.kind],
        button=event.button,
        clickCount=event.clicks,
        **place,
    )


def key_command(event: KeyInput) -> dict[str, Any]:
    """The parameters of `Input.dispatchKeyEvent` for a key.

    Args:
        event: The key, and whether it goes down or up.
    """
    is_text = len(event.key) == 1 and not event.modifiers & _CONTROL_OR_META
    text = event.key if is_text else _TEXTS.get(event.key, "")
    down = "keyDown" if text else "rawKeyDown"
    editing = _EDITING.get(event.key.lower()) if event.modifiers & _CONTROL_OR_META else None
    code = KEYS.get(event.key, ord(event.key.upper()) if len(event.key) == 1 else 0)
    return {
        "type": "keyUp" if event.kind == "up" else down,
        "key": event.key,
        "code": event.code,
        "windowsVirtualKeyCode": code,
        "modifiers": event.modifiers,
        **({"text": text} if text and event.kind == "down" else {}),
        **({"commands": [editing]} if editing and event.kind == "down" else {}),
    }
