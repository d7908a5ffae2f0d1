"""The messages of a live page, checked without a server."""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from browser_use_async.server.executors.view import MAX_TEXT, KeyInput, PointerInput, TextInput
from browser_use_async.server.live_view.messages import (
    Command,
    FrameAck,
    MessageRefusedError,
    read_message,
)

_KINDS = (FrameAck, Command, PointerInput, KeyInput, TextInput)
_VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)
_FIELDS = ("kind", "name", "x", "y", "button", "clicks", "delta_y", "modifiers", "key", "text")
_MESSAGES = st.fixed_dictionaries(
    {"type": st.sampled_from(("drawn", "order", "pointer", "key", "text")) | _VALUES},
    optional=dict.fromkeys(_FIELDS, _VALUES | st.sampled_from(("down", "left", "pause", 1, 2.5))),
)


@pytest.mark.long
@given(st.text() | _VALUES.map(json.dumps) | _MESSAGES.map(json.dumps))
def test_whatever_it_says_is_a_message_or_refused(text):
    """Nothing else is raised, and an accepted message is within its bounds."""
    with contextlib.suppress(MessageRefusedError):
        message = read_message(text)
        assert isinstance(message, _KINDS)
        if isinstance(message, PointerInput):
            assert max(abs(message.x), abs(message.y), abs(message.delta_y)) <= 100_000
            assert 0 <= message.modifiers <= 15
            assert 0 <= message.clicks <= 3


@given(
    st.floats(-1e5, 1e5),
    st.sampled_from(("move", "down", "up", "wheel")),
    st.sampled_from(("none", "left", "middle", "right")),
    st.integers(0, 15),
)
def test_a_pointer_comes_through_unchanged(x, kind, button, modifiers):
    """With places between pixels, and modifier keys."""
    said = {"type": "pointer", "kind": kind, "x": x, "y": 1, "button": button}
    read = read_message(json.dumps({**said, "modifiers": modifiers}))

    assert isinstance(read, PointerInput)
    assert (read.x, read.y, read.kind) == (x, 1.0, kind)
    assert (read.button, read.modifiers) == (button, modifiers)


@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=200))
def test_a_text_comes_through_unchanged(text):
    """In every script, line breaks included."""
    assert read_message(json.dumps({"type": "text", "text": text})) == TextInput(text)


def test_the_longest_text():
    """It is as long as the page lets people type."""
    text = "x" * MAX_TEXT

    assert read_message(json.dumps({"type": "text", "text": text})) == TextInput(text)
