"""CPU time and throughput of one status call, side by side.

The server has a process of its own and answers from memory. The sides take turns in every round,
so that a busy neighbour hurts all alike.
"""

import asyncio
import gc
import sys
import time
from statistics import median

import attrs

from benchmarks.clients import SIDES, Call
from benchmarks.harness import FULL, QUICK, Effort, Report, Row, compare, ratio, table
from benchmarks.servers.canned import canned

CONCURRENCY = (1, 50, 500)


@attrs.define
class Figures:
    """The results of the rounds of one side at one concurrency.

    Attributes:
        cpu: Microseconds of this process's CPU time per call.
        rate: Calls per second.
    """

    cpu: list[float] = attrs.field(factory=list)
    rate: list[float] = attrs.field(factory=list)


async def turn(call: Call, concurrency: int, calls: int) -> tuple[float, float]:
    """CPU microseconds per call, and calls per second."""
    each = max(calls // concurrency, 1)

    async def worker() -> None:
        for _ in range(each):
            await call()

    await asyncio.gather(*(call() for _ in range(concurrency)))  # connect first
    gc.collect()
    started, used = time.perf_counter(), time.process_time()
    await asyncio.gather(*(worker() for _ in range(concurrency)))
    used, seconds = time.process_time() - used, time.perf_counter() - started
    return used / (each * concurrency) * 1e6, each * concurrency / seconds


async def measure(url: str, effort: Effort) -> dict[str, dict[int, Figures]]:
    """By side and by concurrency."""
    figures = {name: {count: Figures() for count in CONCURRENCY} for name in SIDES}
    for _ in range(effort.rounds):
        for concurrency in CONCURRENCY:
            for name, side in SIDES.items():
                calls = max(effort.calls // side.cost, concurrency)
                async with side.connect(url) as call:
                    cpu, rate = await turn(call, concurrency, calls)
                figures[name][concurrency].cpu.append(cpu)
                figures[name][concurrency].rate.append(rate)
    return figures


def details(figures: dict[str, dict[int, Figures]], rounds: int) -> str:
    """All figures."""
    head = ["CPU µs per status call (x aiohttp alone)", *(f"{c} at once" for c in CONCURRENCY)]
    cpu = [
        [
            SIDES[name].name,
            *(
                f"{median(of[c].cpu):.1f} ({ratio(of[c].cpu, figures['aiohttp'][c].cpu):.2f}x)"
                for c in CONCURRENCY
            ),
        ]
        for name, of in figures.items()
    ]
    rate = [
        [SIDES[name].name, *(f"{median(of[c].rate):,.0f}" for c in CONCURRENCY)]
        for name, of in figures.items()
    ]
    rate_head = ["status calls per second", *(f"{c} at once" for c in CONCURRENCY)]
    return f"Medians of {rounds} rounds.\n\n{table(head, cpu)}\n\n{table(rate_head, rate)}"


def report(effort: Effort) -> Report:
    """Measure, and compare with the goals."""
    with canned() as url:
        figures = asyncio.run(measure(url, effort))
    ours = figures["ours"]

    def cpu(count: int, name: str, bound: float) -> Row:
        sides = (SIDES[name].name, ours[count].cpu, figures[name][count].cpu)
        return compare(f"CPU of a status call, {count} at once", "µs", sides, at_most=bound)

    def rate(count: int, name: str, bound: float) -> Row:
        sides = (SIDES[name].name, ours[count].rate, figures[name][count].rate)
        return compare(f"status calls per second, {count} at once", "/s", sides, at_least=bound)

    rows = [
        cpu(50, "aiohttp", 1.15),
        cpu(1, "official", 1 / 3),
        cpu(50, "official", 1 / 10),
        cpu(500, "official", 1 / 10),
        cpu(50, "apify", 0.75),
        rate(50, "official", 10),
        rate(500, "official", 10),
    ]
    return Report(rows, details(figures, effort.rounds))


if __name__ == "__main__":
    print(report(QUICK if "--quick" in sys.argv else FULL).details)
