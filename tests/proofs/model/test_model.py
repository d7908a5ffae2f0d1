"""The protocol of paying once is searched completely in small scopes; weaker ones are refuted."""

import pytest

from tests.proofs.model.__main__ import main
from tests.proofs.model.protocol import PayOnce
from tests.proofs.model.terms import Terms
from tests.proofs.model.variants import QUEUE, REFUTED, TRUE, WEAK_QUEUE, WITH_KEYS, Variant


def _named(variants: tuple[Variant, ...]) -> list[object]:
    return [pytest.param(each, id=each.name) for each in variants]


@pytest.mark.parametrize("variant", _named(TRUE + WITH_KEYS + QUEUE))
def test_every_state_is_right_and_every_run_can_end(variant):
    """No reachable state breaks an invariant."""
    found = variant.search()

    assert found.problem is None, found.trace
    assert found.is_whole


@pytest.mark.parametrize("variant", _named(REFUTED + WEAK_QUEUE))
def test_a_weakened_protocol_is_refuted(variant):
    """The search finds a way to the broken invariant, and lists each step of it."""
    found = variant.search()

    assert found.problem is not None
    assert found.trace[0].label == "start"
    assert len(found.trace) == found.depth + 2 or "no good end" in found.problem


def test_faults_are_there_to_happen():
    """Each kind of fault and each way around it is a step of some state."""
    terms = Terms(items=1, budget=4, refusals=1, repeats=1, delays=1, failures=1, rounds=2)
    model = PayOnce(terms)
    seen, labels, waiting = {model.start}, set[str](), [model.start]

    while waiting:
        for state, label in model.steps(waiting.pop()):
            labels.add(label)
            if state not in seen and len(seen) < 30_000:
                seen.add(state)
                waiting.append(state)

    text = "\n".join(labels)
    for words in (
        *("is killed", "ends", "begins", "is lost", "is refused (429)", "is late"),
        *("finds the task", "leaves it unknown", "sends it again", "of another round"),
    ):
        assert words in text


def test_the_program_says_what_is_not_as_it_must_be(capsys):
    """A search that is cut short refutes nothing, and the exit code says so."""
    assert main(["--quick", "--only", "no intent"]) == 0
    assert main(["--quick", "--only", "no intent", "--most", "10", "--traces"]) == 1
    assert "NOT AS IT MUST BE" in capsys.readouterr().out
