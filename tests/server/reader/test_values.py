import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from browser_use_async.server.executors.reader.values import (
    as_boolean,
    as_member,
    as_number,
    as_string,
)

BASE = "https://a.example/d/"


def test_a_long_text_is_no_member_in_other_words():
    """A page may have a megabyte of text where a member of an enumeration is expected."""
    assert as_member("in  STOCK", ["sold out", "in stock"]) == "in stock"
    assert as_member("in  STOCK".ljust(2_000_000, "\ufdfa"), ["sold out"] * 5_000) is None
    assert as_member("x" * 3_000, ["x" * 3_000]) == "x" * 3_000


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("7", 7),
        ("$1,299.00", 1299.0),
        ("1.299,00 €", 1299.0),
        ("1'299.50 CHF", 1299.5),
        ("1 299,50", 1299.5),
        ("2\u202f950", 2950),
        ("1.299.000", 1299000),
        ("1,234,567.89", 1234567.89),
        ("12,5", 12.5),
        ("-3", -3),
        ("\u22124.5 °C", -4.5),
        ("-$5", -5),
        ("US$ 15", 15),
        ("$49 / month", 49),
        ("7.1 kg (15.6 lb)", 7.1),
        ("(7)", 7),
        ("12 m2", 12),
        ("2.5 m", 2.5),
        ("16GB", 16),
        ("99.", 99),
        ("12%", 12),
        ("Free", 0),
        (5, 5),
        (5.5, 5.5),
        ({"name": "8"}, 8),
    ],
)
def test_number_is_read(text: Any, number: float):
    """The usual spellings of prices, weights and counts."""
    assert as_number(text) == number


@pytest.mark.parametrize(
    "text",
    ["", "n/a", "10-20", "10 to 20", "1.2M", "10k", "2 million", "3.5/5", "1,2,3", "v2",
     "2024-01-15", "+44 20 7946 0000", "Free from 3 to 5", "x" * 60 + "7", True, None, [],
     math.inf, math.nan],
)  # fmt: skip
def test_no_number_is_guessed(text: Any):
    """Ranges, dates, telephone numbers, scaled numbers and prose are no numbers."""
    assert as_number(text) is None


@pytest.mark.parametrize(("text", "number"), [("7", 7), ("7.0", 7), ("7.5", None), (7.0, 7)])
def test_whole_number_has_no_fraction(text: Any, number: int | None):
    """A whole number is an integer; a fraction is not rounded."""
    read = as_number(text, whole=True)

    assert read == number
    assert not isinstance(read, float)


@settings(max_examples=200)
@given(st.integers(-(10**12), 10**12), st.integers(0, 99))
def test_written_number_is_read_back(whole: int, cents: int):
    """Any amount with thousands and two decimals, in English and in German spelling."""
    english = f"{whole:,}.{cents:02}"
    german = english.translate(str.maketrans(",.", ".,"))
    amount = float(f"{whole}.{cents:02}")

    assert as_number(f"$ {english}") == amount
    assert as_number(f"{german} €") == amount


@pytest.mark.parametrize(
    ("value", "answer"),
    [
        ("Yes", True),
        ("✓", True),
        ("in stock", True),
        (True, True),
        ("no", False),
        ("\u2013", False),
        ("Sold out", False),
        ("maybe", None),
        ("", None),
        ("7", None),
    ],
)
def test_yes_or_no(value: Any, answer: bool | None):
    """Words and signs mean yes or no; other texts mean neither."""
    assert as_boolean(value) is answer


@pytest.mark.parametrize(
    ("value", "members", "member"),
    [
        ("In stock", ["in_stock", "sold_out"], "in_stock"),
        ("$2", [1, 2], 2),
        ("yes", [True, False], True),
        ("no", [True, False], False),
        ("+", ["-", "+"], "+"),
        ("in stock since May", ["in_stock"], None),
        ("", ["a"], None),
        ("3", [1, 2], None),
        ("x", [None], None),
    ],
)
def test_member_of_an_enumeration(value: Any, members: list[Any], member: Any):
    """A member is recognised by its words; a word for none means null."""
    assert as_member(value, members) == member


@pytest.mark.parametrize(
    ("value", "form", "text"),
    [
        (" words ", "", "words"),
        (7, "", "7"),
        (True, "", "true"),
        ({"age": 36, "name": "Ada"}, "", "Ada"),
        (["a", {"name": "b"}], "", "a, b"),
        ("", "", None),
        (None, "", None),
        ({}, "", None),
        ("x", "uri", "https://a.example/d/x"),
        ("mailto:a@b", "uri", None),
        ("2025-11-18", "date", "2025-11-18"),
        ("2025-11-18T09:30:00+01:00", "date", "2025-11-18"),
        ("18 November 2025", "date", "2025-11-18"),
        ("Nov 18, 2025", "date", "2025-11-18"),
        ("soon", "date", None),
        ("2025-11-18T09:30:00Z", "date-time", "2025-11-18T09:30:00Z"),
        ("2025-11-18", "date-time", "2025-11-18T00:00:00"),
    ],
)
def test_text_is_brought_into_its_form(value: Any, form: str, text: str | None):
    """Texts of all kinds of values; dates and addresses in the requested form."""
    assert as_string(value, form, BASE) == text


VALUES = st.recursive(
    st.text() | st.floats() | st.integers() | st.booleans() | st.none(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@pytest.mark.long
@settings(max_examples=200)
@given(VALUES)
@pytest.mark.timeout(180)
def test_any_value_is_read_or_not(value: Any):
    """The value has the requested type, or is None where there is nothing to read."""
    number, boolean = as_number(value), as_boolean(value)
    string, member = as_string(value, "date", BASE), as_member(value, ["a", 1, True])

    assert number is None or (type(number) in {int, float} and math.isfinite(number))
    assert boolean in {None, True, False}
    assert string is None or isinstance(string, str)
    assert member in {None, "a", 1}
