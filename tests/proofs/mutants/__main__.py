"""`make proof-mutants`: remove each defence alone and run the tests that must notice.

A mutant is killed when each of its killers fails, and passes on the unchanged package.
"""

import argparse
import concurrent.futures
import contextlib
import functools
import multiprocessing
import os
import signal
import sys
import tempfile
from collections.abc import Collection, Iterator
from pathlib import Path

import attrs

from tests.proofs.mutants.judge import Verdict, failing_without_mutants, judge
from tests.proofs.mutants.registry import MUTANTS
from tests.proofs.mutants.session import load_packages

__all__ = ["main"]


def main() -> int:
    """Judge the mutants and print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.proofs.mutants", description=__doc__)
    parser.add_argument("--only", default="", help="only mutants whose name contains this text")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    chosen = [mutant for mutant in MUTANTS if options.only in mutant.name]
    load_packages()
    with tempfile.TemporaryDirectory(prefix="mutants-") as name, _forks(options.jobs) as pool:
        judged = functools.partial(judge, folder=Path(name))
        verdicts = []
        for verdict in pool.map(judged, chosen):
            _print_row(verdict)
            verdicts.append(verdict)
        verdicts = _checked(verdicts, Path(name), pool)
    return _summarize(verdicts)


@contextlib.contextmanager
def _forks(count: int) -> Iterator[concurrent.futures.Executor]:
    """Forks of this process, which start before it has a thread."""
    # As Ctrl-C does, so that they end their children.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    pool = concurrent.futures.ProcessPoolExecutor(count, multiprocessing.get_context("fork"))
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def _print_row(verdict: Verdict) -> None:
    width = max(len(mutant.name) for mutant in MUTANTS)
    word = "killed  " if verdict.is_killed else "SURVIVED"
    unnoticed = f"unnoticed by {', '.join(verdict.survived)}" * bool(verdict.survived)
    tests = ", ".join(test.rpartition("/")[2] for test in verdict.noticed.values())
    said = verdict.problem or unnoticed or tests
    print(f"{word}  {verdict.mutant.name:<{width}}  {said}".rstrip(), flush=True)


def _checked(
    verdicts: Collection[Verdict], folder: Path, pool: concurrent.futures.Executor
) -> list[Verdict]:
    """The verdicts without those that rest on tests which fail on the unchanged package."""
    tests = sorted({test for verdict in verdicts for test in verdict.noticed.values()})
    files = list(dict.fromkeys(test.partition("::")[0] for test in tests))
    # A few files for each run: starting one costs more than most of the tests.
    groups = [
        [test for test in tests if test.partition("::")[0] in files[i::16]] for i in range(16)
    ]
    controlled = functools.partial(failing_without_mutants, folder=folder)
    failing = {test for found in pool.map(controlled, filter(None, groups)) for test in found}
    print(f"{len(tests)} tests noticed; {len(failing)} of them also fail without a mutant")
    return [
        attrs.evolve(verdict, problem=f"fails without it, too: {', '.join(sorted(wrong))}")
        if (wrong := failing & set(verdict.noticed.values()))
        else verdict
        for verdict in verdicts
    ]


def _summarize(verdicts: Collection[Verdict]) -> int:
    survivors = [verdict for verdict in verdicts if not verdict.is_killed]
    for verdict in survivors:
        _print_row(verdict)
    print(f"{len(verdicts) - len(survivors)} of {len(verdicts)} mutants killed")
    return 1 if survivors or not verdicts else 0


if __name__ == "__main__":
    sys.exit(main())
