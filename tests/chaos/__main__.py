"""`make chaos`: every scenario, and the controls that must fail.

Exits with 1 if a bound is broken, or if a control does not break its own.
"""

import argparse
import concurrent.futures
import json
import logging
import os
import sys
import time
from collections.abc import Iterable, Sequence
from itertools import chain, count, islice
from typing import Any

import attrs

from tests.chaos.report import Report
from tests.chaos.scenarios import SCENARIOS, Scenario
from tests.chaos.world import Laws, live

__all__ = ["main"]

HEADS = "waits mean p99 max req list status get late twice lost wrong untyped typed unended"
EXTRA = ("inversions", "spent", "of_right", "of_plain")
WIDTH = 34


@attrs.frozen
class Job:
    """One world to run.

    Attributes:
        scenario: The number of its scenario.
        laws: Its laws.
        seed: Its seed.
        is_beside: Whether it is what others are compared with.
    """

    scenario: int
    laws: Laws
    seed: int
    is_beside: bool = False


def _jobs(scenarios: Sequence[Scenario], seeds: int | None) -> list[Job]:
    jobs = []
    for number, scenario in enumerate(scenarios):
        most = len(scenario.seeds) if seeds is None else seeds
        for seed in islice(chain(scenario.seeds, count(1000)), most):
            jobs += [Job(number, laws, seed) for laws in scenario.laws]
            if scenario.beside is not None:
                jobs.append(Job(number, scenario.beside, seed, is_beside=True))
    return jobs


def _run(job: Job) -> Report:
    logging.disable(logging.CRITICAL)  # the SDK warns of what we do, and asyncio of what we cancel
    report = live(job.laws, job.seed)
    return Report(beside=report.counted_requests) if job.is_beside else report


def _run_all(jobs: Sequence[Job], processes: int) -> Iterable[Report]:
    if processes == 1:
        yield from map(_run, jobs)
        return
    with concurrent.futures.ProcessPoolExecutor(processes) as pool:
        yield from pool.map(_run, jobs)


def _row(scenario: Scenario, report: Report) -> str:
    cells = [f"{report.waits}"]
    cells += [f"{report.mean:.2f}", f"{report.quantile(0.99):.2f}"]
    cells += [f"{max(report.delays, default=0.0):.1f}"]
    cells += [f"{report.per_task(call):.1f}" for call in (None, "list", "status", "get")]
    cells += [f"{report.late:.1%}"]
    safe = ("twice", "lost", "wrong", "untyped", "typed", "unended")
    cells += [str(getattr(report, name)) for name in safe]
    return f"{scenario.name:<{WIDTH}}" + "".join(f"{cell:>8}" for cell in cells)


def _verdict(scenario: Scenario, report: Report) -> str:
    measures, failures = report.measures(), scenario.failures(report)
    extra = [f"{name} {measures[name]:.2f}" for name in EXTRA if name in scenario.limits]
    if scenario.control:
        names = ", ".join(failures or scenario.control)
        return f"NOT SEEN {names}" if failures else f"must fail: {names}"
    told = [f"{name} {value:.4g} > {scenario.limits[name]:g}" for name, value in failures.items()]
    return f"{'WRONG' if told else 'right'}  {', '.join(told or extra)}".rstrip()


def _document(scenario: Scenario, report: Report) -> dict[str, Any]:
    failures = scenario.failures(report)
    return {
        "name": scenario.name,
        "control": list(scenario.control),
        "held": not failures,
        "failures": failures,
        "bounds": scenario.limits,
        "measures": report.measures(),
        "worlds": report.worlds,
        "waits": report.waits,
        "jobs": report.jobs,
        "unknown": report.unknown,
        "requests": dict(sorted(report.requests.items())),
        "errors": dict(sorted(report.errors.items())),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the scenarios and print the table, or JSON."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seeds", type=int, help="how many seeds of each; else its own")
    parser.add_argument("--only", default="", help="only scenarios whose name contains this")
    parser.add_argument("--quick", action="store_true", help="a minute's worth of them")
    parser.add_argument("--json", action="store_true", help="JSON on standard output")
    parser.add_argument("--processes", type=int, default=min(2, os.cpu_count() or 1))
    options = parser.parse_args(arguments)
    chosen = [
        each
        for each in SCENARIOS
        if options.only in each.name and (each.quick or not options.quick)
    ]
    jobs = _jobs(chosen, 1 if options.quick and options.seeds is None else options.seeds)
    reports = [Report() for _each in chosen]
    left = [sum(job.scenario == number for job in jobs) for number in range(len(chosen))]
    started, failed, documents = time.perf_counter(), not chosen, []
    if not options.json:
        heads = "".join(f"{head:>8}" for head in HEADS.split())
        print(f"{'delays in virtual seconds':<{WIDTH}}{heads}  verdict", flush=True)
    for done, (job, report) in enumerate(
        zip(jobs, _run_all(jobs, options.processes), strict=True), start=1
    ):
        number = job.scenario
        reports[number] += report
        left[number] -= 1
        seconds = time.perf_counter() - started
        print(f"\r{done} of {len(jobs)} worlds, {seconds:.0f} s ", end="", file=sys.stderr)
        if left[number] == 0:
            scenario, whole = chosen[number], reports[number]
            failed |= bool(scenario.failures(whole))
            documents.append(_document(scenario, whole))
            if not options.json:
                print(f"\r{_row(scenario, whole)}  {_verdict(scenario, whole)}", flush=True)
    print(file=sys.stderr)
    if options.json:
        print(json.dumps({"failed": failed, "scenarios": documents}, indent=1))
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
