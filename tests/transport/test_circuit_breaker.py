"""The circuit breaker alone: opened, probed, closed. Pure, with a clock of plain numbers."""

import math

from hypothesis import given
from hypothesis import strategies as st

from browser_use_async.transport.circuit_breaker import LONGEST_GAP, RAMP_SECONDS, CircuitBreaker


def test_a_closed_breaker_admits_every_call():
    """It delays no call and keeps no count."""
    breaker = CircuitBreaker()

    assert breaker.is_closed
    assert not breaker.is_open
    assert {breaker.admit(0.0) for _ in range(5)} == {0}
    assert breaker.admits_at == -math.inf


def test_an_open_breaker_admits_one_probe():
    """No call is admitted before the time is over, then one, then none until its answer."""
    breaker = CircuitBreaker()
    breaker.trip(breaker.admit(0.0), 10.0)

    assert breaker.is_open
    assert breaker.admits_at == 10.0
    breaker.admit(10.0)
    assert breaker.admits_at == math.inf


def test_refusals_of_one_generation_count_once():
    """A hundred calls that were admitted together and refused open it once."""
    breaker = CircuitBreaker()
    passed = [breaker.admit(0.0) for _ in range(100)]

    news = [breaker.trip(each, 5.0) for each in passed]

    assert news == [True] + [False] * 99
    assert breaker.generation == 1


def test_an_old_answer_does_not_close_it():
    """Only a call admitted after it was opened can show that the service is healthy."""
    breaker = CircuitBreaker()
    old = breaker.admit(0.0)
    breaker.trip(breaker.admit(0.0), 5.0)

    breaker.record_success(old, 1.0, 10)

    assert breaker.is_open


def test_a_probe_that_is_cancelled_makes_room_for_the_next():
    """A cancelled call does not delay the others for ever."""
    breaker = CircuitBreaker()
    breaker.trip(breaker.admit(0.0), 5.0)
    probe = breaker.admit(5.0)

    breaker.record_no_answer(probe)

    assert breaker.admits_at == 5.0


def test_results_of_old_calls_change_neither_pause_nor_probe():
    """Their refusals do not shorten the pause, and their ends do not allow another probe."""
    breaker = CircuitBreaker()
    old = breaker.admit(0.0)
    breaker.trip(breaker.admit(0.0), 20.0)
    breaker.trip(old, 5.0)

    assert breaker.admits_at == 20.0
    breaker.admit(20.0)
    breaker.record_no_answer(old)
    assert breaker.admits_at == math.inf


def test_a_refused_probe_opens_it_again():
    """The next probe waits for the new time."""
    breaker = CircuitBreaker()
    breaker.trip(breaker.admit(0.0), 5.0)

    assert breaker.trip(breaker.admit(5.0), 20.0)

    assert breaker.admits_at == 20.0


@given(queued=st.integers(1, 5000))
def test_closing_is_spread(queued: int):
    """Of a long queue at most 5 % are admitted in any 100 ms; the last one within seconds."""
    breaker = CircuitBreaker()
    breaker.trip(breaker.admit(0.0), 5.0)
    breaker.record_success(breaker.admit(5.0), 5.0, queued)

    times = []
    now = 5.0
    for _ in range(queued):
        now = max(now, breaker.admits_at)
        breaker.admit(now)
        times.append(now)

    first = sum(1 for at in times if at <= 5.1)
    assert first <= max(0.05 * queued, 0.1 / LONGEST_GAP + 1)
    assert times[-1] <= 5.0 + RAMP_SECONDS + 1e-6
    assert breaker.is_closed


def test_an_empty_queue_closes_it():
    """When the queued calls were cancelled none is left to space out."""
    breaker = CircuitBreaker()
    breaker.trip(breaker.admit(0.0), 5.0)
    breaker.record_success(breaker.admit(5.0), 5.0, 100)

    breaker.end_ramp()

    assert breaker.is_closed
    assert breaker.admits_at <= 5.0
