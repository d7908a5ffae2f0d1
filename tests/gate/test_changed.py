"""Which long suites a change needs."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from scripts.changed import (
    ALL,
    NIGHTLY,
    ROOMS,
    ROOT,
    SUITES,
    TARGETS,
    changed_files,
    needed_suites,
)
from tests.docs.blocks import BLOCKS

LONG = re.compile(r"mark\.(torture|long|nightly)|[(, ](browser|browser_path|chromium)[,:)]")


def tracked() -> list[str]:
    """The files of the repository."""
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listed.returncode:
        pytest.skip("this is no checkout")
    return [name for name in listed.stdout.splitlines() if (ROOT / name).exists()]


def test_every_room_has_its_row():
    """A file of the package, the tests or the docs needs the suites of its row, not all."""
    starts = tuple(start for start, _ in ROOMS)
    folders = ("browser_use_async/", "tests/", "docs/", "examples/", "deploy/", "benchmarks/")
    without = [
        name for name in tracked() if name.startswith(folders) and not name.startswith(starts)
    ]

    assert without == []


def test_every_row_names_suites_that_are_there():
    """A suite is a folder of tests or a target, and each row fits at least one file."""
    files = tracked()

    assert {suite for _, suites in ROOMS for suite in suites} <= set(ALL)
    assert all((ROOT / "tests" / suite).is_dir() for suite in SUITES)
    planned = subprocess.run(["make", "-n", *TARGETS], cwd=ROOT, capture_output=True, check=False)
    assert planned.returncode == 0, planned.stderr
    starts = [start for start, _ in ROOMS if not start.startswith("tests/")]
    assert [start for start in starts if not any(name.startswith(start) for name in files)] == []


def test_every_long_test_belongs_to_a_suite():
    """A folder with long tests is a suite, so a change of its room can run it."""
    folders = {
        path.parent.relative_to(ROOT / "tests").as_posix()
        for path in (ROOT / "tests").rglob("test_*.py")
        if LONG.search(path.read_text("utf-8"))
    }
    apart = {each for each in SUITES if any(other.startswith(f"{each}/") for other in SUITES)}
    suites = {
        suite
        for folder in folders
        for suite in SUITES
        if folder == suite or (folder.startswith(f"{suite}/") and suite not in apart)
    }
    without = [
        folder
        for folder in folders - {"agent"}
        if not any(folder == each or folder.startswith(f"{each}/") for each in suites)
    ]

    assert without == []
    assert suites == set(SUITES)  # each has long tests


@pytest.mark.parametrize(
    ("file", "some", "none"),
    [
        ("browser_use_async/polling/schedule.py", {"polling", "proof-world"}, {"cli"}),
        ("browser_use_async/lifecycle/create.py", {"lifecycle", "batch", "proof-world"}, {"mcp"}),
        (
            "browser_use_async/server/storage/tasks.py",
            {"server/storage", "proof-fleet"},
            {"polling"},
        ),
        ("browser_use_async/server/executors/agent/pool.py", {"test-agent"}, {"server/pages"}),
        ("tests/polling/test_schedule.py", {"polling"}, {"proof-world"}),
        ("CHANGELOG.md", set(), set(ALL)),
        ("pyproject.toml", set(ALL) - set(NIGHTLY), set(NIGHTLY)),  # no row
        ("browser_use_async/server/http/routes.py", {"server"}, {"test-agent"}),
        ("browser_use_async/transport/retry.py", {"transport", "test-matrix"}, {"test-agent"}),
        (
            "browser_use_async/server/a_new_room.py",
            {"server", "proof-fleet", "server/browser"},
            set(),
        ),
        ("a_new_folder/file.py", set(ALL) - set(NIGHTLY), set()),
    ],
)
def test_a_file_needs_the_suites_of_its_room(file, some, none):
    """The suites of a change in one file, and those that the night runs."""
    needed = set(needed_suites([file]))

    assert some <= needed
    assert none & needed == set()


def git(folder: Path, *arguments: str) -> None:
    """Run git in a folder."""
    options = ["-c", "user.name=a", "-c", "user.email=a@b"]
    subprocess.run(["git", *options, *arguments], cwd=folder, check=True, capture_output=True)


def test_what_changed_is_asked_of_git(tmp_path, monkeypatch):
    """Committed, changed and new files count; with an unknown base nothing is known."""
    git(tmp_path, "init", "-q")
    (tmp_path / "old.py").write_text("1")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "one")
    git(tmp_path, "tag", "landed")
    (tmp_path / "committed.py").write_text("1")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "two")
    (tmp_path / "old.py").write_text("2")
    (tmp_path / "new.py").write_text("1")
    monkeypatch.setattr("scripts.changed.ROOT", tmp_path)

    assert changed_files("landed") == ["committed.py", "new.py", "old.py"]
    assert changed_files("0" * 40) is None
    monkeypatch.setattr("scripts.changed.LANDED", tmp_path / "none")
    monkeypatch.delenv("GATE_BASE", raising=False)
    assert changed_files() is None


def stages(*options: str) -> list[str]:
    """The commands of the gate, or of the night."""
    listed = subprocess.run(
        ["make", "-s", "-f", "scripts/gate.mk", f"PY={sys.executable}", *options, "stages"],
        cwd=ROOT,
        env={name: each for name, each in os.environ.items() if not name.startswith("MAKE")},
        capture_output=True,
        text=True,
        check=True,
    )
    return [line.strip() for line in listed.stdout.splitlines()]


def test_the_night_runs_all_that_the_gate_may_leave_out():
    """Each target is part of the night, and so are all long suites."""
    night = stages("NIGHT=1")
    targets = {command.split()[1] for command in night}

    assert set(TARGETS) <= targets
    assert {"long", "proof-mutants", "proof-conformance", "test-examples"} <= targets
    assert "make long SUITES=all" in night


def test_the_nightly_workflow_has_a_job_for_each_stage_of_the_night():
    """The workflow runs in many jobs what `make nightly` runs on one machine."""
    text = (ROOT / ".github" / "workflows" / "nightly.yml").read_text()
    (night,) = yaml.load(text, Loader=yaml.BaseLoader)["jobs"].values()

    targets = night["strategy"]["matrix"]["target"]
    assert {f"make {each}" for each in targets} == set(stages("NIGHT=1"))


def test_pushes_and_pull_requests_run_the_gate():
    """The tests on each supported Python, and the command that a contributor runs."""
    workflow = yaml.load(
        (ROOT / ".github" / "workflows" / "test.yml").read_text(), Loader=yaml.BaseLoader
    )
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    commands = {step["run"].removesuffix(" PY=python") for step in steps if "run" in step}

    assert set(workflow["on"]) == {"push", "pull_request"}
    assert {"make test", "make gate"} <= commands
    tested = workflow["jobs"]["test"]["strategy"]["matrix"]["python"]
    assert tested == ["3.11", "3.12", "3.13", "3.14"]


def test_the_gate_runs_what_a_change_needs():
    """The suites of the change, and those that every change needs."""
    commands = stages("SUITES=polling test-agent", "NEWEST=python3.13")

    assert commands[:2] == ["make check", "make test"]
    assert "make long SUITES='polling'" in commands
    assert "make test-agent" in commands
    assert "make test-matrix" not in commands
    assert "make test-compatibility PY=python3.13 VENV=.venv-newest" in commands
    assert not any("long" in command for command in stages("SUITES="))


def test_the_gate_runs_what_the_readme_names():
    """The two commands that need only Python and make, whatever has changed."""
    first = next(each for each in BLOCKS if each.page == "README.md" and each.language == "console")
    gate = (ROOT / ".ci/run").read_text().splitlines()[-1]

    assert first.commands == ["make demo", "make test"]
    assert set(first.commands) <= set(stages("SUITES="))
    assert gate.startswith('make gate PY="$main_python" ')
