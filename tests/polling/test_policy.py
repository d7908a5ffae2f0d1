"""PollPolicy: its formula, its bounds, and what it refuses."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from browser_use_async import PollPolicy
from browser_use_async.errors import ConfigurationError


def _pauses(policy: PollPolicy, looks: int) -> list[float]:
    draw = random.Random(1)
    return [policy.pause(number, draw) for number in range(1, looks + 1)]


def test_pauses_grow_up_to_the_latency_target():
    """Without jitter the pauses are exactly the documented formula."""
    policy = PollPolicy(interval=1.0, growth=1.5, latency_target=3.0, jitter=0.0)

    assert _pauses(policy, 5) == [1.0, 1.5, 2.25, 3.0, 3.0]


def test_without_a_target_the_cap_counts():
    """`latency_target=None` lets growth and cap decide."""
    policy = PollPolicy(interval=2.0, growth=2.0, cap=10.0, latency_target=None, jitter=0.0)

    assert _pauses(policy, 5) == [2.0, 4.0, 8.0, 10.0, 10.0]


def test_a_target_wins_over_a_longer_interval():
    """No pause is longer than the latency target, whatever the interval."""
    assert _pauses(PollPolicy(interval=60.0, latency_target=2.0, jitter=0.0), 2) == [2.0, 2.0]


def test_growth_of_one_keeps_the_interval():
    """A factor of 1 polls evenly."""
    assert _pauses(PollPolicy(growth=1, latency_target=5.0, jitter=0.0), 3) == [1.0, 1.0, 1.0]


@given(
    interval=st.floats(1e-6, 1e6),
    growth=st.one_of(st.floats(1, 1e9), st.integers(1, 10**9)),
    cap=st.floats(1e-3, 1e6),
    target=st.one_of(st.none(), st.floats(1e-3, 1e6)),
    jitter=st.floats(0, 1),
    looks=st.integers(1, 10**7),
)
def test_pauses_stay_in_bounds(
    interval: float, growth: float, cap: float, target: float | None, jitter: float, looks: int
):
    """Whatever the policy and however long the wait, a pause lies within its jitter."""
    policy = PollPolicy(
        interval=interval, growth=growth, cap=cap, latency_target=target, jitter=jitter
    )
    ceiling = cap if target is None else target

    pause = policy.pause(looks, random.Random(looks))

    longest = min(ceiling, policy.pause(looks, _Nothing()))
    assert longest * (1 - jitter) - 1e-9 <= pause <= longest + 1e-9


class _Nothing(random.Random):
    def random(self) -> float:
        return 0.0


def test_jitter_is_spread_evenly():
    """10,000 pauses have the mean that a uniform jitter has, and reach both ends."""
    policy = PollPolicy(interval=1.0, growth=1.0, jitter=0.2)

    pauses = _pauses(policy, 10_000)

    assert math.isclose(sum(pauses) / len(pauses), 0.9, abs_tol=0.005)
    assert min(pauses) < 0.805
    assert max(pauses) > 0.995


@pytest.mark.parametrize(
    "options",
    [
        {"interval": 0.0},
        {"interval": -1.0},
        {"interval": math.inf},
        {"interval": math.nan},
        {"cap": 0.0},
        {"max_wait": 0.0},
        {"max_wait": math.inf},
        {"latency_target": 0.0},
        {"latency_target": math.nan},
        {"growth": 0.9},
        {"growth": math.inf},
        {"growth": math.nan},
        {"jitter": -0.1},
        {"jitter": 1.1},
        {"jitter": math.nan},
        {"outage_tolerance": -1.0},
        {"outage_tolerance": math.inf},
        {"outage_tolerance": math.nan},
    ],
    ids=str,
)
def test_impossible_policies_are_refused(options: dict[str, float]):
    """Every bound is checked when the policy is made, and the error names the option."""
    with pytest.raises(ConfigurationError, match=next(iter(options))):
        PollPolicy(**options)
