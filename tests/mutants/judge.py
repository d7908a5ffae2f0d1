"""Whether the tests of a mutant's cases notice it."""

import functools
import json
import os
from collections.abc import Collection, Iterable
from pathlib import Path

import attrs

from tests.mutants.checkout import ROOT, Checkout, UnjudgeableError
from tests.mutants.mutant import Mutant
from tests.mutants.session import Result, run_tests

__all__ = ["KILLERS", "Verdict", "failing_without_mutants", "judge", "known_killers"]

KILLERS = Path(__file__).with_name("killers.json")


@attrs.frozen
class Verdict:
    """What the tests said about a mutant.

    Attributes:
        mutant: Which one.
        killers: For each case the test that noticed.
        was_known: Whether the tests on record were enough.
        problem: Why the mutant could not be judged.
    """

    mutant: Mutant
    killers: dict[str, str] = attrs.field(factory=dict)
    was_known: bool = False
    problem: str = ""

    @property
    def survived(self) -> tuple[str, ...]:
        """The cases whose tests all passed, which must not be."""
        return tuple(case for case in self.mutant.cases if case not in self.killers)

    @property
    def is_killed(self) -> bool:
        """Whether every case noticed."""
        return not self.problem and not self.survived


@functools.cache
def known_killers() -> dict[str, list[str]]:
    """Which tests are on record as noticing each mutant.

    They are tried first, and are no more than that: a test that is gone or no longer fails costs
    time, and changes no verdict.
    """
    known: dict[str, list[str]] = json.loads(KILLERS.read_text("utf-8"))
    return known


def judge(mutant: Mutant, folder: Path) -> Verdict:
    """Run the tests of a mutant's cases on the mutated package until each case has noticed.

    Args:
        mutant: Which one.
        folder: Where each process has its own checkout.
    """
    checkout = _checkout(folder)
    try:
        with checkout.mutated(mutant):
            results = _run_known(mutant, checkout.folder)
            was_known = set(mutant.cases) <= _noticed(results).keys()
            # The torture tests only for what the others do not notice.
            for marker in ("not torture", "torture"):
                left = set(mutant.cases) - _noticed(results).keys()
                results += _run_all(left, checkout.folder, marker) if left else []
    except UnjudgeableError as error:
        return Verdict(mutant, problem=str(error))
    killers = _noticed(results)
    return Verdict(
        mutant, {case: killers[case] for case in mutant.cases if case in killers}, was_known
    )


def _run_known(mutant: Mutant, folder: Path) -> list[Result]:
    known = known_killers().get(mutant.name, [])
    files = {test.partition("::")[0] for test in known}
    there = [file for file in files if (folder / file).exists()]
    return run_tests(folder, there, tests=known, until=mutant.cases) if there else []


def _run_all(cases: Collection[str], folder: Path, marker: str) -> list[Result]:
    return run_tests(folder, _files_of(cases), cases=cases, marker=marker, until=cases)


def _noticed(results: list[Result]) -> dict[str, str]:
    """For each case the first test that failed."""
    failed = [result for result in results if result.outcome == "failed"]
    return {case: result.test for result in reversed(failed) for case in result.cases}


def _files_of(cases: Collection[str]) -> list[str]:
    """The test files that name one of the cases: collecting all others would only take time."""
    return [
        file
        for file, text in _files_with_cases().items()
        if any(f'"{case}"' in text for case in cases)
    ] or ["tests/cases"]


@functools.cache
def _files_with_cases() -> dict[str, str]:
    texts = {path: path.read_text("utf-8") for path in sorted((ROOT / "tests").rglob("test_*.py"))}
    return {
        str(path.relative_to(ROOT)): text for path, text in texts.items() if "mark.case(" in text
    }


def failing_without_mutants(tests: Iterable[str], folder: Path) -> list[str]:
    """Those of some tests that do not pass on the package as it is: they say nothing about mutants.

    Args:
        tests: Their node ids.
        folder: Where each process has its own checkout.
    """
    left = set(tests)
    # Twice, because some wait for other programs and the machine may be a busy one.
    for _attempt in range(2):
        if left:
            files = {test.partition("::")[0] for test in left}
            results = run_tests(_checkout(folder).folder, files, tests=left)
            left -= {result.test for result in results if result.outcome == "passed"}
    return sorted(left)


def _checkout(folder: Path) -> Checkout:
    return Checkout(folder / str(os.getpid()))
