"""The gate by itself: shut, probed, reopened. Pure, on a clock of plain numbers."""

import math

from browser_use_async.transport.circuit_breaker import LONGEST_GAP, RAMP_SECONDS, Gate
from hypothesis import given
from hypothesis import strategies as st


def test_an_open_gate_lets_everybody_pass():
    """It holds nobody back and keeps no count."""
    gate = Gate()

    assert gate.is_open
    assert not gate.is_shut
    assert {gate.let_pass(0.0) for _ in range(5)} == {0}
    assert gate.opens_at == -math.inf


def test_a_shut_gate_sends_one_probe():
    """Nobody passes until the time is up, then one, then nobody until the answer."""
    gate = Gate()
    gate.shut(gate.let_pass(0.0), 10.0)

    assert gate.is_shut
    assert gate.opens_at == 10.0
    gate.let_pass(10.0)
    assert gate.opens_at == math.inf


def test_refusals_of_one_round_are_one_piece_of_news():
    """A hundred calls that passed together and were refused shut the gate once."""
    gate = Gate()
    passed = [gate.let_pass(0.0) for _ in range(100)]

    news = [gate.shut(each, 5.0) for each in passed]

    assert news == [True] + [False] * 99
    assert gate.round == 1


def test_an_old_answer_does_not_open_it():
    """Only a call that passed after it was shut can show that the service is well."""
    gate = Gate()
    old = gate.let_pass(0.0)
    gate.shut(gate.let_pass(0.0), 5.0)

    gate.answered(old, 1.0, 10)

    assert gate.is_shut


def test_a_probe_that_is_cancelled_makes_room_for_the_next():
    """A caller who gives up does not keep the others out for ever."""
    gate = Gate()
    gate.shut(gate.let_pass(0.0), 5.0)
    probe = gate.let_pass(5.0)

    gate.came_back(probe)

    assert gate.opens_at == 5.0


def test_a_refused_probe_shuts_it_again():
    """The next probe waits for the new time."""
    gate = Gate()
    gate.shut(gate.let_pass(0.0), 5.0)

    assert gate.shut(gate.let_pass(5.0), 20.0)

    assert gate.opens_at == 20.0


@given(waiting=st.integers(1, 5000))
def test_reopening_is_spread(waiting: int):
    """Of a long queue at most 5 % pass in any 100 ms; the last one passes in a few seconds."""
    gate = Gate()
    gate.shut(gate.let_pass(0.0), 5.0)
    gate.answered(gate.let_pass(5.0), 5.0, waiting)

    times = []
    now = 5.0
    for _ in range(waiting):
        now = max(now, gate.opens_at)
        gate.let_pass(now)
        times.append(now)

    first = sum(1 for at in times if at <= 5.1)
    assert first <= max(0.05 * waiting, 0.1 / LONGEST_GAP + 1)
    assert times[-1] <= 5.0 + RAMP_SECONDS + 1e-6
    assert gate.is_open


def test_an_empty_queue_opens_it_wholly():
    """When those who queued have given up there is nobody left to spread out."""
    gate = Gate()
    gate.shut(gate.let_pass(0.0), 5.0)
    gate.answered(gate.let_pass(5.0), 5.0, 100)

    gate.queue_is_empty()

    assert gate.is_open
    assert gate.opens_at <= 5.0
