"""A thread that reads a long document stops often: the event loop runs meanwhile."""

import time

import pytest

from browser_use_async.server.html.document import parse_document
from browser_use_async.server.html.pauses import PAUSE_SECONDS
from browser_use_async.server.html.words import words_of_lines

URL = "https://a.example/long"
# Each takes a tenth of a second or more; a thread stops after each two thousandths.
LONG = {
    "tags in each other": ("text/html", b"<div>" * 200_000),
    "ends of nothing": ("text/html", b"</x>" * 250_000),
    "tags with many attributes": ("text/html", (b"<a " + b"a='b' " * 5_000 + b">") * 30),
    "headings in each other": ("text/html", b"<h1>We open<div>" * 60_000),
    "tables in each other": ("text/html", b"<table><tr><td>" * 60_000),
    "a charset that is slow": ("text/html; charset=iso-2022-kr", b"~{<:" * 1_200_000),
    "many lines": ("text/plain", b"a\n" * 500_000),
    "many cells": ("text/csv", b"a,b,c\n" * 160_000),
}


@pytest.mark.parametrize(("kind", "body"), LONG.values(), ids=LONG)
def test_a_long_document_is_read_with_pauses(kind, body, monkeypatch):
    """The more often, the longer it takes: a busy machine does not change that."""
    pauses = list[float]()
    monkeypatch.setattr(time, "sleep", pauses.append)
    parse_document(URL, kind, body)
    assert len(pauses) >= 10
    assert {*pauses} == {PAUSE_SECONDS}


def test_a_long_text_is_searched_with_pauses(monkeypatch):
    """A search compares the words of all pages that it has read."""
    pauses = list[float]()
    monkeypatch.setattr(time, "sleep", pauses.append)
    assert words_of_lines("We open at nine\n" * 60_000) == {"we", "open", "at", "nine"}
    assert len(pauses) >= 10
