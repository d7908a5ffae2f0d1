"""`make mutants`: apply each mutant to a copy of the tree and run the tests of its cases there."""

import argparse
import concurrent.futures
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import attrs

from tests.mutants.mutant import Mutant
from tests.mutants.registry import MUTANTS

ROOT = Path(__file__).resolve().parents[2]
COPIED = ("browser_use_async", "tests", "examples", "docs", "benchmarks")
COPIED_FILES = (
    "pyproject.toml",
    "pytest_browser_use_async.py",
    "README.md",
    "CHANGELOG.md",
    "LICENSE",
)
LONGEST = 600.0  # seconds for the tests of one mutant


@attrs.frozen
class Verdict:
    """What the tests said about a mutant.

    Attributes:
        mutant: Which one.
        survived: The cases whose tests all passed, which must not be.
        failed: How many tests failed.
        problem: Why the mutant could not be judged.
    """

    mutant: Mutant
    survived: tuple[str, ...] = ()
    failed: int = 0
    problem: str = ""

    @property
    def is_killed(self) -> bool:
        """Whether every case noticed."""
        return not self.problem and not self.survived


class UnjudgeableError(Exception):
    """The tests say nothing about a mutant."""


def judge(mutant: Mutant) -> Verdict:
    """Run the tests of a mutant's cases on the mutated package.

    Args:
        mutant: Which one.
    """
    with tempfile.TemporaryDirectory(prefix="mutant-") as folder:
        copy = Path(folder)
        problem = _mutated_copy(mutant, copy)
        if problem:
            return Verdict(mutant, problem=problem)
        failed, left = 0, set(mutant.cases)
        try:
            # The long tests only for what the quick ones do not notice.
            for marker in ("not torture", "torture"):
                failing = _failing(mutant, copy, left, marker) if left else []
                failed += len(failing)
                left -= {case for row in failing for case in row["cases"]}
        except UnjudgeableError as error:
            return Verdict(mutant, problem=str(error))
    return Verdict(mutant, tuple(sorted(left)), failed)


def _failing(mutant: Mutant, copy: Path, cases: set[str], marker: str) -> list[dict[str, Any]]:
    """The tests of these cases that fail."""
    report = copy / "report.json"
    report.unlink(missing_ok=True)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist"]
    command += ["-m", marker, "--cases", ",".join(sorted(cases)), "--case-report", str(report)]
    command += _files_of(mutant)
    environment = {
        **os.environ,
        "PYTHONPATH": str(copy),
        "PYTHONDONTWRITEBYTECODE": "1",
        "CI": "true",
    }
    try:
        done = subprocess.run(
            command,
            cwd=copy,
            env=environment,
            capture_output=True,
            text=True,
            timeout=LONGEST,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise UnjudgeableError(f"the tests took longer than {LONGEST:.0f} s") from None
    if not report.exists():
        raise UnjudgeableError(f"the tests did not run: {done.stdout[-500:]}")
    rows = json.loads(report.read_text("utf-8")).values()
    return [row for row in rows if row["outcome"] == "failed"]


def _files_of(mutant: Mutant) -> list[str]:
    """The test files that name one of the cases: collecting all others would only take time."""
    return [
        str(path.relative_to(ROOT))
        for path in sorted((ROOT / "tests").rglob("test_*.py"))
        if (text := path.read_text("utf-8")).find("mark.case(") >= 0
        and any(f'"{case}"' in text for case in mutant.cases)
    ] or ["tests/cases"]


def _mutated_copy(mutant: Mutant, copy: Path) -> str:
    """Copy the tree and change it; tell what is wrong with the mutant, or nothing."""
    for name in COPIED:
        if (ROOT / name).exists():
            shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in COPIED_FILES:
        shutil.copy(ROOT / name, copy / name)
    path = copy / "browser_use_async" / mutant.file
    text = path.read_text("utf-8")
    if text.count(mutant.before) != 1:
        return f"{mutant.file} holds the text {text.count(mutant.before)} times instead of once"
    path.write_text(text.replace(mutant.before, mutant.after), "utf-8")
    return ""


def judge_the_original(cases: set[str], jobs: int) -> str:
    """Run the same tests on the package as it is: what fails there says nothing about mutants.

    Args:
        cases: The cases of all mutants.
        jobs: How many processes to use.
    """
    pytest = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    many = ["-n", str(jobs), "--dist", "worksteal", "-m", "not torture"]
    said = _said([*pytest, *many, "--cases", ",".join(sorted(cases)), "tests"])
    failed = [line.split()[1] for line in said if line.startswith(("FAILED ", "ERROR "))]
    if failed:  # by themselves, because some measure time and the machine may be a busy one
        said = _said([*pytest, *failed])
    return "\n".join(said[-20:])


def _said(command: list[str]) -> list[str]:
    """What a command said if it failed, else nothing."""
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.splitlines() if done.returncode else []


def main() -> int:
    """Judge the mutants and print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants")
    parser.add_argument("--only", default="", help="only mutants whose name holds this text")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    chosen = [mutant for mutant in MUTANTS if options.only in mutant.name]
    broken = judge_the_original({case for mutant in chosen for case in mutant.cases}, options.jobs)
    if broken:
        print(f"nothing can be judged, since tests fail without a mutant:\n{broken}")
        return 1
    survivors = 0
    width = max((len(mutant.name) for mutant in chosen), default=0)
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        for verdict in pool.map(judge, chosen):
            survivors += not verdict.is_killed
            said = "killed  " if verdict.is_killed else "SURVIVED"
            why = verdict.problem or (
                f"unnoticed by {', '.join(verdict.survived)}" * bool(verdict.survived)
            )
            print(
                f"{said}  {verdict.mutant.name:<{width}}  {verdict.failed:>3} tests failed  "
                f"{', '.join(verdict.mutant.cases)}  {why}".rstrip(),
                flush=True,
            )
    print(f"{len(chosen) - survivors} of {len(chosen)} mutants killed")
    return 1 if survivors or not chosen else 0


if __name__ == "__main__":
    sys.exit(main())
