"""Answers by the names of pages, on pairs of pages that many sites are like."""

from collections import Counter

import pytest

from benchmarks.scripts.pairs import CASES, MODEL, REFUSED, RIGHT, WRONG, outcome

# Values without a name of their own, which a person would find all the same.
_ASKED = {
    "in a sentence",
    "in a sentence that says more",
    "one value at two names, neither the field's",
    "a title of a product in a sentence",
    "cards with short classes",
}


@pytest.mark.parametrize("name", CASES)
def test_a_later_page_gives_its_own_values(name):
    """A value is found by its name, is refused, or needs the model; it is never repeated."""
    *_, wanted = CASES[name]
    expected = wanted if isinstance(wanted, str) else RIGHT
    assert outcome(name) == (MODEL if name in _ASKED else expected)


def test_most_pages_need_no_model():
    """What the bench counts, and no wrong answer among them."""
    found = Counter(map(outcome, CASES))
    assert sum(found.values()) == 80
    assert found[RIGHT] >= 41
    assert found[WRONG] == 0
    assert found[REFUSED]
