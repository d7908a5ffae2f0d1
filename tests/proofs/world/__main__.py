"""`make proof-world`: every scenario, and the controls that must fail.

Exits with 1 if a bound is broken, or if a control does not break its own.
"""

import argparse
import concurrent.futures
import json
import logging
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import chain, count, islice
from typing import Any

import attrs

from tests.proofs.world.report import Report
from tests.proofs.world.scenarios import SCENARIOS, Scenario

__all__ = ["main"]

CALLS = ("list", "status", "get")
COUNTS = ("twice", "lost", "wrong", "untyped", "typed", "unended", "forbidden")
HEADS = ("worlds", "tasks", "mean", "p99", "max", "req", *CALLS, "late", *COUNTS)
HEADS += ("unknown", "crashes", "noted")
REST = ("inversions", "spent", "of_right", "of_plain")  # printed where they have a bound
WIDTH = 34


@attrs.frozen
class Job:
    """One world to run."""

    scenario: int  # its number
    live: Callable[[Any, int], Report]
    laws: Any
    seed: int
    is_beside: bool = False  # others are compared with it


def _jobs(scenarios: Sequence[Scenario], seeds: int | None, *, quick: bool) -> Iterable[Job]:
    for number, scenario in enumerate(scenarios):
        most = scenario.quick if quick else len(scenario.seeds)
        most = most if seeds is None else seeds
        for seed in islice(chain(scenario.seeds, count(1000)), most):
            yield from (Job(number, scenario.live, laws, seed) for laws in scenario.laws)
            if scenario.beside is not None:
                yield Job(number, scenario.live, scenario.beside, seed, is_beside=True)


def _run(job: Job) -> Report:
    logging.disable(logging.CRITICAL)  # the SDK warns of faults, and asyncio of cancelled tasks
    report = job.live(job.laws, job.seed)
    return Report(beside=report.counted_requests) if job.is_beside else report


def _run_all(jobs: Sequence[Job], processes: int) -> Iterable[Report]:
    if processes == 1:
        yield from map(_run, jobs)
        return
    with concurrent.futures.ProcessPoolExecutor(processes) as pool:
        yield from pool.map(_run, jobs, chunksize=4)


def _row(scenario: Scenario, report: Report) -> str:
    measures = report.measures()
    cells = [str(report.worlds), str(report.tasks)]
    cells += [f"{measures[name]:.2f}" for name in ("mean", "p99")]
    cells += [f"{measures['max']:.1f}", f"{measures['requests']:.1f}"]
    cells += [f"{report.per_task(call):.1f}" for call in CALLS]
    cells += [f"{report.late:.1%}", *(str(measures[name]) for name in COUNTS)]
    cells += [str(report.unknown), str(report.crashes), str(report.noted)]
    row = f"{scenario.name:<{WIDTH}}" + "".join(f"{cell:>10}" for cell in cells)
    return f"{row}  {_verdict(scenario, report)}"


def _verdict(scenario: Scenario, report: Report) -> str:
    measures, limits, failures = report.measures(), scenario.limits, scenario.failures(report)
    if scenario.control:
        word = "NOT SEEN" if failures else "must fail"
        return f"{word}: {', '.join(failures or scenario.control)}"
    if failures:
        sentences = (f"{name} {value:.4g} > {limits[name]:g}" for name, value in failures.items())
        return f"WRONG: {', '.join(sentences)}"
    return "  ".join(
        ["right", *(f"{name} {measures[name]:.2f}" for name in REST if name in limits)]
    )


def _document(scenario: Scenario, report: Report) -> dict[str, Any]:
    return {
        "name": scenario.name,
        "control": list(scenario.control),
        "failures": scenario.failures(report),
        "bounds": scenario.limits,
        "measures": report.measures(),
        "worlds": report.worlds,
        "tasks": report.tasks,
        "unknown": report.unknown,
        "requests": dict(sorted(report.requests.items())),
        "errors": dict(sorted(report.errors.items())),
    }


def _print_counts(title: str, counts: Counter[str]) -> None:
    print(f"\n{title}")
    for name, hits in sorted(counts.items()):
        print(f"  {name:<26} {hits:>9}")


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.proofs.world", description=__doc__)
    parser.add_argument("--seeds", type=int, help="how many seeds of each; else its own")
    parser.add_argument("--only", default="", help="only scenarios whose name contains this")
    parser.add_argument("--quick", action="store_true", help="some of them, with fewer seeds")
    parser.add_argument("--json", action="store_true", help="JSON on standard output")
    parser.add_argument("--processes", type=int, default=min(2, os.cpu_count() or 1))
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the scenarios and print the table, or JSON."""
    options = _options(arguments)
    chosen = [each for each in SCENARIOS if options.only in each.name]
    chosen = [each for each in chosen if each.quick or not options.quick]
    jobs = list(_jobs(chosen, options.seeds, quick=options.quick))
    reports = [Report() for _each in chosen]
    last = {job.scenario: number for number, job in enumerate(jobs)}
    failed, documents, started = not chosen, [], time.perf_counter()
    if not options.json:
        heads = "".join(f"{head:>10}" for head in HEADS)
        print(f"{'delays in virtual seconds':<{WIDTH}}{heads}  verdict", flush=True)
    results = zip(jobs, _run_all(jobs, options.processes), strict=True)
    for number, (job, report) in enumerate(results):
        seconds = time.perf_counter() - started
        print(f"\r{number + 1} of {len(jobs)}, {seconds:.0f} s \r", end="", file=sys.stderr)
        reports[job.scenario] += report
        if last[job.scenario] != number:
            continue
        scenario, whole = chosen[job.scenario], reports[job.scenario]
        failed |= bool(scenario.failures(whole))
        documents.append(_document(scenario, whole))
        if not options.json:
            print(_row(scenario, whole), flush=True)
    if options.json:
        print(json.dumps({"failed": failed, "scenarios": documents}, indent=1))
    else:
        whole = sum(reports, Report())
        _print_counts("faults", whole.faults)
        _print_counts("tasks found without an answer", whole.found)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
