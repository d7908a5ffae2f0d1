"""The token that finds a lost task: its text, its digest, its window."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from browser_use_async.api.submission_token import (
    MAX_WINDOW,
    TOKEN_KEY,
    SubmissionToken,
    digest_of,
)
from browser_use_async.errors import InvalidRequestError

NOW = datetime(2025, 6, 1, 12, 0, 0, 123000, tzinfo=UTC)


@given(
    task=st.text(),
    window=st.floats(0, MAX_WINDOW, exclude_max=True),
    now=st.datetimes(
        datetime(1971, 1, 1),  # noqa: DTZ001 - the strategy adds the time zone
        datetime(2200, 1, 1),  # noqa: DTZ001
        timezones=st.just(UTC),
    ),
)
def test_the_text_has_all_values(task, window, now):
    """For any task, window and time: `parse` reads what `str` writes."""
    token = SubmissionToken.new(task, window, now)

    there = SubmissionToken.parse(str(token))

    assert (there.mark, there.digest) == (token.mark, token.digest)
    assert abs(there.sent_at - token.sent_at) <= timedelta(milliseconds=1)
    assert there.settle_window == pytest.approx(window, abs=1e-6)


def test_tokens_are_random():
    """Two submissions of the same task have different random marks."""
    first, second = (SubmissionToken.new("x", 150.0, NOW) for _ in range(2))

    assert first.mark != second.mark
    assert first.digest == second.digest == digest_of("x")
    assert "x" not in str(first).split(".")


def test_the_mark_fits_the_api():
    """Key and value are far below the API's limits."""
    token = SubmissionToken.new("x" * 100_000, MAX_WINDOW - 1, NOW)

    assert len(TOKEN_KEY) <= 100
    assert len(token.mark) <= 1000
    assert len(str(token)) <= 100


@pytest.mark.parametrize(
    "text",
    [
        "",
        "bu1.",
        "bu1.0.0.0.0",
        "bu2." + "0" * 32 + "." + "0" * 16 + ".1.1",
        "bu1." + "0" * 32 + "." + "0" * 16 + ".1.-1",
        "bu1." + "0" * 32 + "." + "0" * 16 + ".99999999999999999.1",
        "bu1." + "0" * 32 + "." + "0" * 16 + ".1.1\n",
        "bu1." + "0" * 32 + "." + "0" * 16 + ".\u0661.1",
        None,
        5,
    ],
    ids=repr,
)
def test_other_texts_are_refused(text):
    """An invalid text raises a typed error that does not repeat it."""
    with pytest.raises(InvalidRequestError) as caught:
        SubmissionToken.parse(text)

    assert caught.value.field == "submission_token"


@given(st.integers(0, 10**14 - 1))
def test_every_time_that_matches_is_read_or_refused(milliseconds):
    """A token with a time beyond the calendar is refused as a token, not with another error."""
    text = "bu1." + "0" * 32 + "." + "0" * 16 + f".{milliseconds}.1"

    assert SubmissionToken.parse(text).sent_at.tzinfo is UTC


@pytest.mark.parametrize(("seconds", "window"), [(0, 150), (45, 195), (-45, 150), (1e9, 9999999)])
def test_a_window_can_be_extended(seconds, window):
    """An extended token is still valid; a clock that went back shortens nothing."""
    token = SubmissionToken.new("x", 150.0, NOW).extended(seconds)

    assert token.settle_window == window
    assert SubmissionToken.parse(str(token)) == token


def test_half_a_surrogate_pair_has_a_digest():
    """Every text of Python has one."""
    assert len(digest_of("\ud800")) == 16
