"""How long ago a submission was sent, where that is known."""

import asyncio
import math
from datetime import UTC, datetime, timedelta

import pytest

from browser_use_async.api.submission_token import SubmissionToken
from browser_use_async.lifecycle.submission_age import REMEMBERED, SubmissionAges

NOW = datetime(2025, 6, 1, 12, tzinfo=UTC)


def _ages(service_time: datetime | None = None) -> SubmissionAges:
    return SubmissionAges(lambda: service_time, lambda: NOW)


async def test_only_so_many_submissions_are_remembered():
    """The age of a forgotten submission is unknown, and nothing is concluded from it."""
    ages = _ages()
    tokens = [ages.new_token("x", 60.0) for _number in range(REMEMBERED + 1)]
    for token in tokens:
        ages.record_sent(token.mark)

    assert ages.min_age(tokens[0]) is None
    assert math.isinf(ages.max_age(tokens[0]))
    assert ages.min_age(tokens[1]) is not None
    assert ages.max_age(tokens[1]) < 60.0


@pytest.mark.parametrize("minutes", [-31, 31])
async def test_a_time_in_the_future_gives_no_age(minutes):
    """A time in the future gives no age; a small difference counts as none."""
    sent_at = NOW + timedelta(minutes=minutes)
    token = SubmissionToken.new("x", 60.0, sent_at, by_service=True)

    age = _ages(NOW).min_age(token)

    assert age == (None if minutes > 0 else 31 * 60 - 5.0)


@pytest.mark.parametrize("seconds", [-61, -59, 0, 59, 61])
async def test_no_time_is_taken_from_one_clock_alone(seconds):
    """The server's time is used where this machine's clock agrees, by sender and by reader."""
    ages = _ages(NOW + timedelta(seconds=seconds))
    token = SubmissionToken.new("x", 60.0, NOW - timedelta(hours=1), by_service=True)

    agrees = abs(seconds) < 60
    assert ages.new_token("x", 60.0).by_service is agrees
    assert (ages.min_age(token) is not None) is agrees


async def test_a_token_of_another_process_keeps_its_time():
    """A token passed on while the server's time is unknown does not claim to have that time."""
    token = SubmissionToken.new("x", 60.0, NOW, by_service=True)

    assert _ages(NOW).for_other_process(token, 0.0).by_service
    assert not _ages().for_other_process(token, 0.0).by_service


@pytest.mark.parametrize("has_service_time", [True, False])
async def test_sleep_of_the_machine_makes_no_submission_younger(has_service_time):
    """The loop's clock stops while the machine sleeps, and the age is not too small by that."""
    wall = [NOW]
    ages = SubmissionAges(lambda: wall[0] if has_service_time else None, lambda: wall[0])
    token = ages.new_token("x", 60.0)
    ages.record_sent(token.mark)
    wall[0] += timedelta(hours=2)

    assert ages.max_age(token) >= 7200.0
    passed_on = ages.for_other_process(token, asyncio.get_running_loop().time())
    assert passed_on.sent_at == NOW
    assert not passed_on.by_service


@pytest.mark.looptime
async def test_the_window_of_another_process_begins_when_the_answer_was_lost():
    """The task may be created until then, not only until the first attempt."""
    ages = _ages()
    token = ages.new_token("x", 60.0)
    ages.record_sent(token.mark)
    await asyncio.sleep(100.0)
    lost_at = asyncio.get_running_loop().time()
    await asyncio.sleep(20.0)

    assert ages.for_other_process(token, lost_at).settle_window == pytest.approx(160.0)
