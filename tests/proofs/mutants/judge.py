"""Whether the killers of a mutant notice it."""

import os
from collections.abc import Collection
from pathlib import Path

import attrs

from tests.proofs.mutants.checkout import Checkout, UnjudgeableError
from tests.proofs.mutants.mutant import Mutant
from tests.proofs.mutants.session import is_part, run_tests

__all__ = ["Verdict", "failing_without_mutants", "judge"]


@attrs.frozen
class Verdict:
    """The result of the tests for a mutant.

    Attributes:
        mutant: Which one.
        noticed: The killers of which a test failed, and this test.
        problem: Why the mutant could not be judged.
    """

    mutant: Mutant
    noticed: dict[str, str] = attrs.field(factory=dict)
    problem: str = ""

    @property
    def survived(self) -> tuple[str, ...]:
        """The killers that passed, which must not be."""
        return tuple(each for each in self.mutant.killers if each not in self.noticed)

    @property
    def is_killed(self) -> bool:
        """Whether every killer noticed."""
        return not self.problem and not self.survived


def judge(mutant: Mutant, folder: Path) -> Verdict:
    """Run the killers of a mutant on the mutated package until each has noticed.

    Args:
        mutant: Which one.
        folder: Where each process has its own checkout.
    """
    checkout = _checkout(folder)
    killers = [f"tests/{killer}" for killer in mutant.killers]
    try:
        with checkout.mutated(mutant):
            outcomes = run_tests(checkout.folder, killers, until_noticed=True)
    except UnjudgeableError as error:
        return Verdict(mutant, problem=str(error))
    if left := [each for each in killers if not any(is_part(test, each) for test in outcomes)]:
        return Verdict(mutant, problem=f"no test is {', '.join(left)}")
    failed = [test for test, outcome in outcomes.items() if outcome == "failed"]
    noticed = {
        killer: test
        for killer in mutant.killers
        for test in reversed(failed)
        if is_part(test, f"tests/{killer}")
    }
    return Verdict(mutant, noticed)


def failing_without_mutants(tests: Collection[str], folder: Path) -> list[str]:
    """Those of some tests that fail on the unchanged package: they say nothing about mutants.

    Args:
        tests: Their node ids.
        folder: Where each process has its own checkout.
    """
    left = set(tests)
    # Twice, because some wait for other programs and the machine may be a busy one.
    for _attempt in range(2):
        if left:
            outcomes = run_tests(_checkout(folder).folder, left)
            left -= {test for test, outcome in outcomes.items() if outcome == "passed"}
    return sorted(left)


def _checkout(folder: Path) -> Checkout:
    return Checkout(folder / str(os.getpid()))
