"""The mutants themselves: they fit the package, and the judge has both results."""

import ast
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import attrs
import pytest

from tests.proofs.mutants.checkout import ROOT
from tests.proofs.mutants.mutant import Mutant
from tests.proofs.mutants.mutation import MisfitError, place_of
from tests.proofs.mutants.registry import MUTANTS

PACKAGE = ROOT / "browser_use_async"
KILLER = "transport/test_cuts.py::test_no_cut_is_misjudged"
# In a process without threads and event loops, as `make proof-mutants` is one.
JUDGE = """
import json, pathlib, sys
from tests.proofs.mutants.judge import judge
from tests.proofs.mutants.mutant import Mutant
verdict = judge(Mutant(**json.loads(sys.argv[1])), pathlib.Path(sys.argv[2]))
print(json.dumps([verdict.is_killed, verdict.noticed, verdict.survived, verdict.problem]))
"""
# The same for tests, of a checkout that has one more file.
CONTROL = """
import json, os, pathlib, sys
from tests.proofs.mutants.checkout import Checkout
from tests.proofs.mutants.judge import failing_without_mutants
folder = pathlib.Path(sys.argv[1])
checkout = Checkout(folder / str(os.getpid()))
(checkout.folder / "tests/test_more.py").write_text(sys.argv[2])
print(json.dumps(failing_without_mutants(json.loads(sys.argv[3]), folder)))
"""


def judged(mutant: Mutant, folder: Path) -> Any:
    """Whether a mutant is killed, by which tests, which let it live, and the problem."""
    command = [sys.executable, "-c", JUDGE, json.dumps(attrs.asdict(mutant)), str(folder)]
    return json.loads(subprocess.check_output(command, cwd=ROOT, text=True))


def test_every_mutant_fits_the_package():
    """The removed code is there, in its function and once, and the replacement is Python."""
    trees: dict[str, ast.Module] = {}
    misfits: list[str] = []
    for mutant in MUTANTS:
        if mutant.file not in trees:
            trees[mutant.file] = ast.parse((PACKAGE / mutant.file).read_text("utf-8"))
        try:
            place_of(trees[mutant.file], mutant)
        except MisfitError as error:
            misfits.append(f"{mutant.name}: {error}")

    assert not misfits, "\n\n".join(misfits)


def test_what_kills_a_mutant_is_there():
    """Each killer is a test function, a file or a folder."""
    lost = []
    for killer in {each for mutant in MUTANTS for each in mutant.killers}:
        file, _, function = killer.partition("::")
        path = ROOT / "tests" / file
        text = path.read_text("utf-8") if path.is_file() else ""
        if not path.exists() or (function and f"def {function}(" not in text):
            lost.append(killer)

    assert lost == []
    assert all(mutant.killers for mutant in MUTANTS)


def test_names_are_unique():
    """A name on the command line picks one mutant."""
    names = [mutant.name for mutant in MUTANTS]

    assert len(names) == len(set(names))


@pytest.mark.canaries_by_design("files")  # a checkout has their declarations
@pytest.mark.torture
def test_a_mutant_is_found(tmp_path):
    """A removed defence makes its killer fail, named with its file alone, too."""
    lost = next(mutant for mutant in MUTANTS if mutant.killers == (KILLER,))

    for killer in (KILLER, KILLER.partition("::")[0]):
        mutant = attrs.evolve(lost, killers=(killer,))
        is_killed, noticed, survived, problem = judged(mutant, tmp_path)

        assert (is_killed, survived, problem) == (True, [], "")
        assert noticed.keys() == {killer}


@pytest.mark.canaries_by_design("files")
@pytest.mark.torture
def test_a_change_that_breaks_nothing_survives(tmp_path):
    """The judge does not call every change a mutant, whatever its killers are for."""
    harmless = Mutant(
        "a harmless change",
        "transport/response.py",
        "_why_not_sent",
        "'connecting took too long'",
        "'connecting took very long'",
        killers=(KILLER,),
    )

    assert judged(harmless, tmp_path) == [False, {}, [KILLER], ""]


@pytest.mark.canaries_by_design("files")
@pytest.mark.torture
def test_a_change_that_stops_the_tests_is_no_mutant(tmp_path):
    """Tests that cannot be loaded have noticed nothing."""
    broken = Mutant(
        "a package that cannot be imported",
        "transport/response.py",
        "",
        "import ssl",
        "import no_such_module",
        killers=(KILLER,),
    )

    is_killed, noticed, _survived, problem = judged(broken, tmp_path)

    assert (is_killed, noticed) == (False, {})
    assert problem.startswith("the tests did not run: ")


@pytest.mark.canaries_by_design("files")
@pytest.mark.torture
def test_a_killer_that_is_gone_kills_nothing(tmp_path):
    """A mutant whose test does not exist is not judged, whatever else fails."""
    lost = next(mutant for mutant in MUTANTS if mutant.killers == (KILLER,))

    killers = (KILLER, f"{KILLER}_more")
    is_killed, _noticed, _survived, problem = judged(attrs.evolve(lost, killers=killers), tmp_path)

    assert not is_killed
    assert problem == f"no test is tests/{KILLER}_more"


@pytest.mark.canaries_by_design("files")
@pytest.mark.torture
def test_a_test_that_fails_anyway_kills_nothing(tmp_path):
    """The tests that noticed a mutant are run on the unchanged package."""
    text = "def test_right(): pass\ndef test_wrong(): assert False\n"
    asked = [f"tests/test_more.py::test_{name}" for name in ("right", "wrong", "gone")]
    command = [sys.executable, "-c", CONTROL, str(tmp_path), text, json.dumps(asked)]

    failing = json.loads(subprocess.check_output(command, cwd=ROOT, text=True))

    assert failing == ["tests/test_more.py::test_gone", "tests/test_more.py::test_wrong"]
