"""`make simulate`: a thousand worlds of faults and crashes, and the controls that must fail.

Exits with 1 if a job got two tasks or lost its own, or if a settle window that is too short does no
harm: then the simulation could not find any.
"""

import argparse
import concurrent.futures
import logging
import os
import sys
import tempfile
import time
from collections import Counter
from functools import partial
from pathlib import Path

import attrs

from tests.batch.world import simulate_batch
from tests.proofs.simulator.world import MARGIN, Laws, Report, simulate

__all__ = ["EXPERIMENTS", "Experiment", "main"]


@attrs.frozen
class Experiment:
    """Many worlds with the same laws.

    Attributes:
        name: Its name in the table.
        laws: The laws.
        share: How many of the seeds are enough for it.
        harmless: Whether no job may be lost or doubled; else some must be.
        is_batch: Whether the program is a batch with a ledger, whose events are compared with the
            model of paying once.
    """

    name: str
    laws: Laws
    share: float = 1.0
    harmless: bool = True
    is_batch: bool = False

    def fails(self, report: Report) -> bool:
        """Whether the result is not the required one.

        Args:
            report: All its worlds together.
        """
        if self.harmless:
            return report.doubled + report.lost + report.forbidden > 0
        return report.doubled == 0 or (self.is_batch and report.forbidden == 0)


_SAFE = Laws()
_CLOCKS = attrs.evolve(_SAFE, skew=86_400.0, set_clock=4.0, untrue_dates=True)
_BATCH = attrs.evolve(_SAFE, jobs=8)
_HASTY = attrs.evolve(_SAFE, window=5.0)
EXPERIMENTS = (
    Experiment("submit", attrs.evolve(_SAFE, resubmits=False)),
    Experiment("submit, resubmit", _SAFE),
    Experiment("submit, clocks", attrs.evolve(_CLOCKS, resubmits=False), 0.5),
    Experiment("resubmit, clocks", _CLOCKS),
    Experiment("window < late", attrs.evolve(_HASTY, lag=0.0), 0.1, harmless=False),
    Experiment("window < list lag", attrs.evolve(_HASTY, late=0.0), 0.1, harmless=False),
    Experiment("batch", _BATCH, 0.1, is_batch=True),
    Experiment("batch, clocks", attrs.evolve(_CLOCKS, jobs=8), 0.05, is_batch=True),
    Experiment("batch, window < late", attrs.evolve(_HASTY, jobs=8), 0.03, False, is_batch=True),
)


def _worlds(laws: Laws, is_batch: bool, seeds: range) -> Report:
    logging.getLogger("browser_use_async").setLevel(logging.CRITICAL)  # it warns of the faults
    if not is_batch:
        return sum((simulate(seed, laws) for seed in seeds), Report())
    with tempfile.TemporaryDirectory() as folder:
        ledgers = ((seed, Path(folder) / f"{seed}.db") for seed in seeds)
        return sum((simulate_batch(seed, laws, each) for seed, each in ledgers), Report())


def _together(pool: concurrent.futures.Executor, experiment: Experiment, seeds: int) -> Report:
    chunks = [range(first, min(first + 10, seeds)) for first in range(0, seeds, 10)]
    worlds = partial(_worlds, experiment.laws, experiment.is_batch)
    return sum(pool.map(worlds, chunks), Report())


def _print_row(name: str, seeds: object, *cells: object) -> None:
    print(f"{name:<20} {seeds:>6}" + "".join(f" {cell:>9}" for cell in cells), flush=True)


def _print_counts(title: str, counts: Counter[str]) -> None:
    print(f"\n{title}")
    for name, count in sorted(counts.items()):
        print(f"  {name:<26} {count:>9}")


def main() -> int:
    """Run the experiments and print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.proofs.simulator", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1000, help="how many worlds")
    parser.add_argument("--only", default="", help="only experiments whose name contains this")
    parser.add_argument("--processes", type=int, default=min(2, os.cpu_count() or 1))
    options = parser.parse_args()
    chosen = [each for each in EXPERIMENTS if options.only in each.name]
    started, failed, total = time.perf_counter(), not chosen, Report()
    late, lag = _SAFE.late, _SAFE.lag
    print(
        f"late by up to {late:.0f} s, listed after up to {lag:.0f} s, settle window "
        f"{_SAFE.window:.0f} s ({MARGIN:.0f} s for the way); controls: {_HASTY.window:.0f} s"
    )
    heads = ("jobs", "requests", "run-task", "tasks", "crashes", "two tasks", "lost", "unknown")
    heads += ("noted", "forbidden")
    _print_row("", "seeds", *heads)
    with concurrent.futures.ProcessPoolExecutor(options.processes) as pool:
        for each in chosen:
            seeds = max(1, int(options.seeds * each.share))
            report = _together(pool, each, seeds)
            total += report
            counts = (report.jobs, report.requests, report.submissions, report.tasks)
            judged = (report.crashes, report.doubled, report.lost, report.unknown)
            judged += (report.noted, report.forbidden)
            verdict = "WRONG" if each.fails(report) else "right" if each.harmless else "must fail"
            failed |= each.fails(report)
            _print_row(each.name, seeds, *counts, *judged, verdict)
    _print_counts("faults", total.faults)
    _print_counts("tasks found without an answer", total.found)
    seconds = time.perf_counter() - started
    print(
        f"\n{total.requests} requests in {seconds:.0f} s: {total.requests / seconds:.0f} a second; "
        f"{total.seconds / 3600:.0f} hours of virtual time"
    )
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
