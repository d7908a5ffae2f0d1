"""The gate in a small tree of its own: order, failures, the table, and what ran a second time."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
STAGES = (
    "check test docs proof-world test-wheel demo audit proof-fleet proof-paying-once "
    "proof-conformance"
).split()

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")


def gate(folder: Path, *options: str, **recipes: str) -> tuple[int, str]:
    """Run the gate with recipes of the test; a stage without one does nothing.

    Args:
        folder: Where the tree is made.
        options: More words for make.
        recipes: Commands of a stage, by its name, with `_` for `-`.
    """
    shutil.copytree(ROOT / "scripts", folder / "scripts")
    recipes = {name.replace("_", "-"): command for name, command in recipes.items()}
    rules = [
        f"{each}:\n\t@{recipes.get(each, ':')}"
        for each in [*STAGES, "environments", "long", "test-compatibility"]
    ]
    top = next(
        part for part in (ROOT / "Makefile").read_text().split("\n\n") if part.startswith("gate:")
    )
    (folder / "Makefile").write_text("\n".join([top, *rules, ""]))
    ended = subprocess.run(
        ["make", f"PY={sys.executable}", "SUITES=", "gate", *options],
        cwd=folder,
        env={name: value for name, value in os.environ.items() if not name.startswith("MAKE")},
        capture_output=True,
        text=True,
        check=False,
    )
    return ended.returncode, ended.stdout + ended.stderr


def test_all_stages_run_and_the_table_has_them(tmp_path):
    """Each has a row with its seconds, and a file with its output."""
    count = "import time, itertools; any(time.process_time() > 1.6 for _ in itertools.count())"
    compute = f"{sys.executable} -c '{count}'"
    code, said = gate(tmp_path, check="echo why", proof_world=compute, demo="sleep 1.6")

    rows = {line.split()[1]: line.split() for line in said.splitlines() if line[:5] == "make "}
    assert code == 0, said
    assert set(rows) == {*STAGES, "environments"}
    assert all(row[-1] == "right" for row in rows.values())
    assert int(rows["proof-world"][-2]) >= 1
    assert int(rows["demo"][-3]) >= 1
    assert rows["demo"][-2] == "0"
    assert "why" in (tmp_path / "build/gate/check.log").read_text()
    assert said.rstrip().splitlines()[-1].startswith(("all of it is right", "docker is missing"))


@pytest.mark.parametrize("stage", [*STAGES, "environments"])
def test_each_stage_that_fails_fails_the_gate(tmp_path, stage):
    """The end of its output is printed, and the table names its exit code."""
    recipes = {stage: "seq 1000; echo the reason; exit 3"}
    code, said = gate(tmp_path, **recipes)

    assert code != 0
    assert "the reason\n" in said
    assert "\n500\n" not in said
    assert f"failed: make {stage}" in said
    assert "FAILED with exit code 2" in said  # make's own
    assert "NOT right" in said
    assert "all of it is right" not in said


def test_after_a_failure_no_stage_begins(tmp_path):
    """The stages that did not run are counted."""
    code, said = gate(tmp_path, check="exit 1", test="touch later", test_wheel="sleep 0.5")

    assert code != 0
    assert "stages did not run" in said
    assert not (tmp_path / "later").exists()


def test_with_goes_on_all_stages_run(tmp_path):
    """A stage that fails keeps no other from running."""
    code, said = gate(
        tmp_path, "GOES_ON=1", check="exit 1", test_wheel="exit 1", proof_conformance="touch end"
    )

    assert code != 0
    assert "did not run" not in said
    assert "failed: make check;make test-wheel" in said.replace("the lanes", "").replace("; ", ";")
    assert (tmp_path / "end").exists()


def test_a_stage_that_waits_runs_beside_one_that_computes(tmp_path):
    """Each of two stages ends only when the other has begun; those that compute have an order."""
    wait = "n=0; while [ ! -e {1} ] && [ $$n -lt 3000 ]; do n=$$((n+1)); sleep 0.01; done"
    meet = f"touch {{0}}; {wait}; [ -e {{1}} ]"
    code, said = gate(
        tmp_path,
        check=meet.format("a", "b"),
        test_wheel=meet.format("b", "a"),
        test="sleep 0.1; touch first",
        docs="test -e first",
    )

    assert code == 0, said


@pytest.mark.parametrize(("tests", "right"), [(0, True), (3, True), (4, False)])
def test_what_passed_only_alone_is_counted(tmp_path, tests, right):
    """Up to three tests may fail beside others and pass alone; each is named."""
    first = "".join(f"echo 'FAILED tests/a.py::b{n} - x'; " for n in range(tests))
    second = "echo '== by themselves:'; echo 'FAILED tests/a.py::counted_once'" if tests else ":"
    code, said = gate(tmp_path, test=f"{first}{second}")

    assert (code == 0) is right
    assert f"{tests} tests failed beside others and passed alone" in said
    assert said.count("\ntest: FAILED tests/a.py::b") == tests
    assert ("NOT right" in said) is not right


def test_a_stage_gets_no_variable_of_the_gate(tmp_path):
    """Its tests run gates of their own."""
    code, said = gate(tmp_path, "NEWEST=/x/python", "GOES_ON=1", test="env", test_compatibility=":")
    output = (tmp_path / "build/gate/test.log").read_text()

    assert code == 0, said
    assert not {"LOGS", "GOES_ON", "NIGHT", "NEWEST", "SUITES", "MAKEFLAGS"} & {
        line.partition("=")[0] for line in output.splitlines() if not line.endswith("=")
    }


@pytest.mark.parametrize("option", ["--help", "--keep-goin", "test"])
def test_a_word_that_the_gate_does_not_know_runs_nothing(option):
    """It takes half an hour, which nobody should start by asking for help."""
    ended = subprocess.run(
        [ROOT / ".ci" / "run", option], capture_output=True, text=True, check=False
    )

    assert ended.returncode == 2
    assert "usage: .ci/run [--keep-going]" in ended.stderr
    assert ended.stdout == ""


def test_without_an_answer_about_what_changed_nothing_runs(tmp_path):
    """An error there must not look like a change without long tests."""
    shutil.copytree(ROOT / "scripts", tmp_path / "scripts")
    (tmp_path / "scripts" / "changed.py").write_text("raise SystemExit(1)")
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("MAKE") and name != "SUITES"
    }
    ended = subprocess.run(
        ["make", "-f", "scripts/gate.mk", f"PY={sys.executable}", "run"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert ended.returncode != 0
    assert "it is not known which long tests are needed" in ended.stderr
