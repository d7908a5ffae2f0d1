"""PollPolicy: its formula, its bounds, and what it refuses."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from browser_use_async import PollPolicy
from browser_use_async.errors import ConfigurationError


def _pauses(policy: PollPolicy, looks: int) -> list[float]:
    return [policy.pause(number, None) for number in range(1, looks + 1)]


def test_pauses_grow_up_to_the_latency_target():
    """Without jitter the pauses are exactly the documented formula."""
    policy = PollPolicy(interval=1.0, latency_target=1.25)

    assert _pauses(policy, 5) == pytest.approx([1.0, 1.1, 1.21, 1.25, 1.25])


def test_without_a_target_pauses_grow_to_ten_seconds():
    """`latency_target=None` leaves an upper bound, whatever the interval is."""
    assert _pauses(PollPolicy(interval=8.0, latency_target=None), 5) == pytest.approx(
        [8.0, 8.8, 9.68, 10.0, 10.0]
    )
    assert _pauses(PollPolicy(interval=60.0, latency_target=None), 2) == [10.0, 10.0]


def test_a_target_wins_over_a_longer_interval():
    """No pause is longer than the latency target, whatever the interval is."""
    assert _pauses(PollPolicy(interval=60.0, latency_target=2.0), 2) == [2.0, 2.0]


@given(
    interval=st.floats(1e-6, 1e6),
    target=st.one_of(st.none(), st.floats(1e-3, 1e6)),
    looks=st.integers(1, 10**7),
)
def test_pauses_stay_in_bounds(interval, target, looks):
    """For any policy and any duration of the wait, a pause is shortened by up to a tenth."""
    policy = PollPolicy(interval=interval, latency_target=target)
    ceiling = 10.0 if target is None else target

    pause = policy.pause(looks, random.Random(looks))

    longest = policy.pause(looks, None)
    assert longest <= ceiling
    assert longest * 0.9 - 1e-9 <= pause <= longest + 1e-9


def test_jitter_is_spread_evenly():
    """10,000 pauses have the mean of a uniform jitter, and reach both ends."""
    policy, draw = PollPolicy(interval=1.0, latency_target=1.0), random.Random(1)

    pauses = [policy.pause(number, draw) for number in range(1, 10_001)]

    assert math.isclose(sum(pauses) / len(pauses), 0.95, abs_tol=0.0025)
    assert min(pauses) < 0.9025
    assert max(pauses) > 0.9975


@pytest.mark.parametrize(
    "options",
    [
        {"interval": 0.0},
        {"interval": -1.0},
        {"interval": math.inf},
        {"interval": math.nan},
        {"timeout": 0.0},
        {"timeout": math.inf},
        {"latency_target": 0.0},
        {"latency_target": math.nan},
        {"outage_timeout": -1.0},
        {"outage_timeout": math.inf},
        {"outage_timeout": math.nan},
    ],
    ids=str,
)
def test_impossible_policies_are_refused(options):
    """Every bound is checked when the policy is created, and the error names the option."""
    with pytest.raises(ConfigurationError, match=next(iter(options))):
        PollPolicy(**options)
