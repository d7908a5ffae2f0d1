"""The mutants themselves: they fit the package, and judging them can go either way."""

from pathlib import Path

import pytest

from tests.cases.catalogue import CATALOGUE
from tests.mutants.__main__ import ROOT, judge
from tests.mutants.mutant import Mutant
from tests.mutants.registry import MUTANTS

PACKAGE = ROOT / "browser_use_async"


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_mutant_fits_the_package(mutant: Mutant):
    """What it removes is there, once, and what stands there instead is Python."""
    text = Path(PACKAGE / mutant.file).read_text("utf-8")

    assert text.count(mutant.before) == 1
    compile(text.replace(mutant.before, mutant.after), mutant.file, "exec")
    assert set(mutant.cases) <= CATALOGUE.keys()


def test_names_are_unique():
    """A name on the command line picks one mutant."""
    names = [mutant.name for mutant in MUTANTS]

    assert len(names) == len(set(names))


@pytest.mark.case("J2")
@pytest.mark.torture
def test_a_mutant_is_found():
    """A defence that is removed makes the tests of its case fail."""
    lost = next(mutant for mutant in MUTANTS if "A1" in mutant.cases)

    verdict = judge(lost)

    assert verdict.is_killed
    assert verdict.failed >= 1


@pytest.mark.control("J2")
@pytest.mark.torture
def test_a_change_that_breaks_nothing_survives():
    """The judge does not call every change a mutant."""
    harmless = Mutant(
        "another log name",
        "transport/health.py",
        'logging.getLogger("browser_use_async")',
        "logging.getLogger('browser_use_async')",
        ("A1",),
    )

    verdict = judge(harmless)

    assert not verdict.is_killed
    assert verdict.survived == ("A1",)
    assert verdict.failed == 0
