"""Which calls a rule applies to: counting and random choice, without a server."""

import random

from hypothesis import given
from hypothesis import strategies as st

from browser_use_async.api.endpoint_table import ENDPOINTS
from browser_use_async.server import Fault
from browser_use_async.server.faults.injection import FaultRules

CALLS = st.lists(st.sampled_from(["run_task", "get_task", "me", "file"]), max_size=60)


def _met(fault: Fault, operations: list[str]) -> list[bool]:
    rules = FaultRules([fault])
    return [bool(rules.matching(operation)) for operation in operations]


def test_the_nth_calls():
    """Only calls to which the rule applies are counted, from 1."""
    fault = Fault("reset", "run_task", calls=[1, 3])

    assert _met(fault, ["me", "run_task", "run_task", "me", "run_task", "run_task"]) == [
        *(False, True, False, False, True, False)
    ]


def test_several_operations_are_counted_together():
    """The rule has one count."""
    fault = Fault("reset", ["run_task", "me"], calls=2)

    assert _met(fault, ["run_task", "get_task", "me", "run_task"]) == [False, False, True, False]


def test_the_first_calls():
    """And no later ones."""
    assert _met(Fault("reset", first=2), ["me"] * 4) == [True, True, False, False]


def test_every_operation_of_the_api():
    """Without operations a rule applies to each row of the table, and to nothing else."""
    names = [endpoint.name for endpoint in ENDPOINTS]

    assert _met(Fault("reset"), names) == [True] * len(names)
    assert _met(Fault("reset"), ["file", "upload", "home_page", "admin_faults", ""]) == [False] * 5
    assert _met(Fault("reset", ["file", "upload"]), ["file", "upload"]) == [True, True]


@given(CALLS, st.integers(), st.floats(0, 1))
def test_a_seed_gives_one_sequence(operations, seed, probability):
    """The n-th call of a rule gets the n-th number of its seed, whatever other rules do."""
    fault = Fault("reset", "run_task", probability=probability, seed=seed)
    others = [Fault("garbage", probability=0.5), Fault("latency", "me", seconds=1)]
    rules = FaultRules([others[0], fault, others[1]])
    matching = [fault in rules.matching(operation) for operation in operations]

    draw = random.Random(seed).random
    assert matching == [name == "run_task" and draw() < probability for name in operations]


def test_a_choice_of_calls_does_not_shift_the_sequence():
    """The random sequence does not depend on the chosen calls."""
    drawn = _met(Fault("reset", probability=0.5, seed=3), ["me"] * 50)
    chosen = _met(Fault("reset", probability=0.5, seed=3, calls=range(20, 30)), ["me"] * 50)

    assert chosen == [is_met and 19 <= index < 29 for index, is_met in enumerate(drawn)]
    assert any(chosen)


def test_certainty_and_impossibility():
    """Probability 1 is every call, 0 none."""
    assert all(_met(Fault("reset", probability=1), ["me"] * 100))
    assert not any(_met(Fault("reset", probability=0), ["me"] * 100))


def test_order():
    """The first rule is the outermost; a lag is next to the execution, at any place."""
    faults = [Fault("list_lag", seconds=1), Fault("drip", bytes_per_second=1), Fault("garbage")]

    assert FaultRules(faults).matching("run_task") == [faults[1], faults[2], faults[0]]


def test_counts():
    """Rules of one label are counted together, and a new set begins at zero."""
    rules = FaultRules([Fault("reset"), Fault("reset", first=1), Fault("reset", name="mine")])
    for fault in rules.faults:
        rules.count_fired(fault)

    assert rules.fired == {"reset": 2, "mine": 1}
    assert FaultRules(rules.faults).fired == {}
