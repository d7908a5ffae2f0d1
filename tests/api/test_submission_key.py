"""Submission keys: which texts are valid, and their header."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from browser_use_async.api.submission_key import (
    check_key,
    format_key,
    is_key,
    mark_of_key,
    parse_key,
)
from browser_use_async.errors import InvalidRequestError

KEYS = st.text(
    st.characters(codec="utf-8"),
    min_size=1,
    max_size=255,
).filter(str.isprintable)


@given(KEYS)
def test_each_key_travels_unchanged(key):
    """Also in printable ASCII."""
    header = format_key(key)

    assert header.isascii()
    assert header.isprintable()
    assert parse_key(header) == key


@pytest.mark.parametrize(
    ("key", "header"),
    [
        ("invoice-7", '"invoice-7"'),
        (" ", '" "'),
        ('a "b" \\c', '"a \\"b\\" \\\\c"'),
        ("größe 5%", '%"gr%c3%b6%c3%9fe 5%25"'),
        ('ü"', '%"%c3%bc%22"'),
    ],
)
def test_headers_are_those_of_rfc_9651(key, header):
    """Strings, and display strings for what is not ASCII."""
    assert format_key(key) == header


def test_a_header_without_quotes_is_the_key():
    """Clients of other services send it so."""
    assert parse_key("8e03978e-40d5-43e8-bc93-6894a57f9324") == (
        "8e03978e-40d5-43e8-bc93-6894a57f9324"
    )


@pytest.mark.parametrize(
    "header",
    [
        "",
        '""',
        '"open',
        'a "b"',
        '"a\\b"',
        '"a" "b"',
        '%"%ff"',
        '%"%C3%BC"',
        '%"%00"',
        '"' + "x" * 256 + '"',
        "größe",
    ],
)
def test_other_headers_are_refused(header):
    """The error has the rule."""
    with pytest.raises(ValueError, match="Idempotency-Key must be a text of 1 to 255"):
        parse_key(header)


@pytest.mark.parametrize("key", ["", "x" * 256, "a\n", "a\x00", "\ud800", None, 7, b"x", True])
def test_what_is_no_key_is_refused_with_the_rule(key):
    """Before anything is sent."""
    with pytest.raises(InvalidRequestError, match="1 to 255 printable characters") as caught:
        check_key(key)

    assert caught.value.field == "key"
    assert "nothing was sent" in str(caught.value)
    assert str(caught.value).isprintable()


@given(KEYS)
def test_marks_have_the_form_of_those_of_other_tasks(key):
    """Searches need not distinguish them."""
    assert is_key(key)
    assert re.fullmatch("[0-9a-f]{32}", mark_of_key(key))


def test_marks_are_always_the_same():
    """Processes of different versions must find each other's tasks."""
    assert mark_of_key("invoice-7") == "41521a2386a9e2efbf883bf1f334c378"
