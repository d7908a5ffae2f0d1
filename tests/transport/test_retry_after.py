"""The header `Retry-After`: which values are respected, and which are not."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from browser_use_async import RetryPolicy
from browser_use_async.errors import RateLimitError
from browser_use_async.transport.retry import retry_after_seconds
from tests.support.hygiene import raises
from tests.support.wire import answering, response

NOW = datetime(2025, 11, 1, 10, 48, 1, tzinfo=UTC)
DATE = format_datetime(NOW, usegmt=True)

TABLE: list[tuple[str, float | None]] = [
    ("0", 0.0),
    ("7", 7.0),
    (" 7 ", 7.0),
    ("007", 7.0),
    ("0.25", 0.25),
    ("3600", 3600.0),
    ("999999999", 999999999.0),
    ("1764000000", None),  # a time since 1970, sent by mistake
    ("9" * 400, None),
    ("", None),
    ("-5", None),
    ("+5", None),
    ("1e3", None),
    ("1e400", None),
    ("inf", None),
    ("nan", None),
    ("1_000", None),
    ("٣", None),
    ("5s", None),
    ("5, 10", None),
    ("soon", None),
    (format_datetime(NOW + timedelta(seconds=90), usegmt=True), 90.0),
    (format_datetime(NOW - timedelta(days=1), usegmt=True), 0.0),
    ("Sat, 01 Nov 2025 10:48:31", 30.0),
]


@pytest.mark.parametrize(("text", "seconds"), TABLE, ids=[repr(row[0][:30]) for row in TABLE])
def test_only_plain_seconds_and_dates_count(text, seconds):
    """Values that servers send, and some that no parser should accept."""
    headers = CIMultiDict({"retry-after": text, "date": DATE})

    assert retry_after_seconds(headers) == seconds


def test_no_header_asks_for_nothing():
    """Most answers have none."""
    assert retry_after_seconds(CIMultiDict()) is None


@pytest.mark.parametrize("skew", [timedelta(days=-1), timedelta(0), timedelta(days=1)])
def test_the_clock_of_this_machine_does_not_matter(skew):
    """A date is compared with the server's own, so a day of difference changes nothing."""
    there = datetime.now(UTC) + skew
    headers = CIMultiDict(
        {
            "Date": format_datetime(there, usegmt=True),
            "Retry-After": format_datetime(there + timedelta(seconds=42), usegmt=True),
        }
    )

    assert retry_after_seconds(headers) == 42


@pytest.mark.looptime
async def test_a_call_waits_until_the_date_whatever_the_clock_says(serve, connect, looptime):
    """On the wire, with clocks that differ by up to a day, the pause is right to a second."""
    errors: list[float] = []

    for skew in (timedelta(days=-1), timedelta(hours=1), timedelta(days=1)):
        there = datetime.now(UTC) + skew
        until = format_datetime(there + timedelta(seconds=42), usegmt=True)
        headers = [("Date", format_datetime(there, usegmt=True)), ("Retry-After", until)]
        server = await serve(answering(response(429, "{}", headers), response(200, '"running"')))
        session = await connect(server, retry=RetryPolicy(base_delay=0.0))
        began = float(looptime)
        await session.tasks.get_status("t-1")
        errors.append(abs(float(looptime) - began - 42))

    assert max(errors) <= 1


def test_without_a_date_the_clock_of_this_machine_serves():
    """The clock of a server without a valid `Date` is assumed to be right."""
    until = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=42)
    header = format_datetime(until, usegmt=True)

    for more in ({}, {"Date": "yesterday"}):
        before = datetime.now(UTC)
        seconds = retry_after_seconds(CIMultiDict({"Retry-After": header, **more}))
        assert seconds is not None
        assert datetime.now(UTC) >= until - timedelta(seconds=seconds) >= before


@given(st.text(max_size=60), st.text(max_size=60))
def test_no_header_crashes_or_gives_nonsense(text, date):
    """For any headers, the result is a sensible number of seconds or none."""
    seconds = retry_after_seconds(CIMultiDict({"Retry-After": text, "Date": date}))

    assert seconds is None or 0 <= seconds < 1e12


@pytest.mark.looptime
@pytest.mark.parametrize("text", ["3600", "999999999", "60.5"])
@pytest.mark.parametrize("status", [429, 503])
async def test_a_pause_above_the_cap_fails_at_once(serve, connect, looptime, text, status):
    """No sleep, one request, and the number of seconds in the error."""
    server = await serve(answering(response(status, "{}", [("Retry-After", text)])))
    session = await connect(server, retry=RetryPolicy())

    if status == 429:
        with raises(RateLimitError) as caught:
            await session.tasks.get_status("t-1")
        assert caught.value.retry_after == float(text)
        assert "the server asks for a pause of" in str(caught.value)
    else:
        with pytest.raises(Exception, match="503"):
            await session.tasks.get_status("t-1")

    assert len(server.requests) == 1
    assert looptime < 1
