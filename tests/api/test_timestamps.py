from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from browser_use_async.api.scalars import format_timestamp, parse_timestamp

MOMENT = datetime(2025, 11, 1, 10, 48, 1, 533595, tzinfo=UTC)
WHOLE_SECOND = MOMENT.replace(microsecond=0)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2025-11-01T10:48:01.533595Z", MOMENT),
        ("2025-11-01T10:48:01Z", WHOLE_SECOND),
        ("2025-11-01T10:48:01.533Z", MOMENT.replace(microsecond=533000)),
        ("2025-11-01T10:48:01.533595", MOMENT),
        ("2025-11-01 10:48:01", WHOLE_SECOND),
        ("2025-11-01T10:48:01.533595+00:00", MOMENT),
        ("2025-11-01T12:48:01.533595+02:00", MOMENT),
        ("2025-11-01T10:48:01.533595+00:00Z", MOMENT),
    ],
)
def test_eight_shapes(text, expected):
    """Each known format is the right time, with a time zone."""
    parsed = parse_timestamp(text)

    assert parsed == expected
    assert parsed is not None
    assert parsed.tzinfo is not None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("20251101T104801Z", WHOLE_SECOND),
        ("  2025-11-01T10:48:01Z\n", WHOLE_SECOND),
        ("2025-11-01t10:48:01z", WHOLE_SECOND),
        ("2025-11-01T10:48:01.533595123Z", MOMENT),
        ("2025-11-01T04:48:01-06", WHOLE_SECOND),
        ("2025-11-01", datetime(2025, 11, 1, tzinfo=UTC)),
    ],
)
def test_further_shapes(text, expected):
    """Other ISO 8601 formats are accepted where they are unambiguous."""
    assert parse_timestamp(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Z",
        "+00:00Z",
        "yesterday",
        "1761994081",
        "2025-13-01T00:00:00Z",
        "2025-02-30",
        "2025-11-01T25:00:00Z",
        "2025-11-01T10:48:01ZZ",
        "2025-11-01T10:48:01+99:00",
        "Sat, 01 Nov 2025 10:48:01 GMT",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        "\uff12\uff10\uff12\uff15-11-01T10:48:01Z",
        "\ud8002025-11-01",
        "9" * 5000,
    ],
)
def test_garbage(text):
    """An invalid timestamp, or a time outside of UTC's range, is None and no exception."""
    assert parse_timestamp(text) is None


@given(st.text() | st.text(alphabet="0123456789-:.TZ+ W"))
def test_any_text(text):
    """Any text is an aware time or None."""
    parsed = parse_timestamp(text)

    assert parsed is None or parsed.utcoffset() is not None


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        (MOMENT, "2025-11-01T10:48:01.533595Z"),
        (WHOLE_SECOND, "2025-11-01T10:48:01.000000Z"),
        (MOMENT.replace(tzinfo=None), "2025-11-01T10:48:01.533595Z"),
        (MOMENT.astimezone(timezone(timedelta(hours=2))), "2025-11-01T10:48:01.533595Z"),
        (datetime(33, 4, 3, 15, tzinfo=UTC), "0033-04-03T15:00:00.000000Z"),
    ],
)
def test_formatting(moment, expected):
    """Six digits of microseconds and Z, always in UTC, always four digits of the year."""
    assert format_timestamp(moment) == expected


@pytest.mark.long
@given(st.datetimes(timezones=st.just(UTC) | st.timezones()))
def test_round_trip(moment):
    """A formatted time is parsed to the same time."""
    try:
        in_utc = moment.astimezone(UTC)
    except OverflowError:
        return

    assert parse_timestamp(format_timestamp(moment)) == in_utc
