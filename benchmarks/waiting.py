"""Hundreds and thousands of waits at once, in real time.

Every side has a process of its own. The sides of one round run at the same time against the same
server, so that all of them meet the same neighbours; what counts is CPU time and not speed.
"""

import asyncio
import gc
import json
import multiprocessing
import sys
import time
import tracemalloc
import urllib.request
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median, quantiles

import attrs

from benchmarks.harness import FULL, QUICK, Effort, Report, Row, compare, judge, ratio, table
from benchmarks.servers.fake import FakeServer, Population
from benchmarks.waiters import SIDES, end, ours

MEMORY_SECONDS = 6.0
FOREVER = 100_000.0
# In the first minute 24 of 10,000 tasks end in a second. That is the rate of a steady number of
# tasks of five minutes, since tasks that begin together end more rarely at first.
STEADY_MEDIAN = 142.0
TIMEOUT = 2.0


@attrs.frozen
class Order:
    """The work of a side's process.

    Attributes:
        side: Which side it is.
        seconds: Its intended delay.
        window: Seconds after which it stops waiting for what has not ended.
        traced: Whether memory is measured instead of time.
    """

    side: str
    seconds: float
    window: float
    traced: bool = False


@attrs.frozen
class Figures:
    """The result of one run of a side.

    Attributes:
        finished: Waits that ended.
        counts: Requests by route, counted by the server.
        cpu: Seconds of CPU time.
        wall: Seconds.
        delays: Seconds from each task's true end to the moment in which its awaiter went on.
        kilobytes: Traced memory for each wait, as it lies there.
        peak: The same at its highest.
        resident: Kilobytes for each wait by which resident memory grew at most.
    """

    finished: int
    counts: dict[str, int]
    cpu: float
    wall: float
    delays: list[float]
    kilobytes: float = 0.0
    peak: float = 0.0
    resident: float = 0.0

    @property
    def detections(self) -> float:
        """Requests per finished task that found out that it had ended."""
        return (self.counts.get("status", 0) + self.counts.get("list", 0)) / max(self.finished, 1)

    @property
    def requests(self) -> float:
        """All requests per finished task."""
        return sum(self.counts.values()) / max(self.finished, 1)

    @property
    def cpu_each(self) -> float:
        """Milliseconds of CPU time per finished task."""
        return self.cpu / max(self.finished, 1) * 1e3

    def delay(self, percent: int) -> float:
        """A percentile of the delays."""
        return quantiles(self.delays, n=100)[percent - 1] if len(self.delays) > 1 else 0.0


def memory(field: str) -> float:
    """Bytes of this process's memory, as the kernel counts them."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field))


def forget_highest() -> None:
    """Let `VmHWM` begin anew."""
    Path("/proc/self/clear_refs").write_text("5")


def control(url: str, what: str) -> dict[str, float]:
    """Read from the server what only the benchmark may know."""
    with urllib.request.urlopen(f"{url}/control/{what}") as reply:
        answer: dict[str, float] = json.load(reply)
    return answer


async def run(order: Order, url: str) -> Figures:
    """Wait for all tasks of a world."""
    ends = control(url, "tasks")
    delays: list[float] = []
    async with SIDES[order.side][1](url, order.seconds) as waiter:
        if order.traced:
            tracemalloc.start()
        gc.collect()
        before = tracemalloc.get_traced_memory()[0] if order.traced else 0
        forget_highest()
        resident = memory("VmRSS")
        started, used = time.monotonic(), time.process_time()

        async def one(task_id: str) -> None:
            await waiter.wait(task_id)
            delays.append(time.monotonic() - max(ends[task_id], started))

        waits = [asyncio.create_task(one(task_id)) for task_id in ends]
        kilobytes = peak = 0.0
        if order.traced:
            samples = []
            for _ in range(5):
                await asyncio.sleep(order.window / 5)
                gc.collect()
                samples.append(tracemalloc.get_traced_memory()[0] - before)
            kilobytes = median(samples[2:]) / len(waits) / 1024
            peak = (tracemalloc.get_traced_memory()[1] - before) / len(waits) / 1024
        else:
            await asyncio.wait(waits, timeout=order.window)
        used, wall = time.process_time() - used, time.monotonic() - started
        resident = (memory("VmHWM") - resident) / len(waits) / 1024
        counts = {name: int(count) for name, count in control(url, "counts").items()}
        await end(waits)
    return Figures(len(delays), counts, used, wall, delays, kilobytes, peak, resident)


def serve_order(order: Order, pipe: Connection) -> None:
    """Be a side: import everything, report it, and begin with the world."""
    with SIDES_READY:
        pipe.send("ready")
        pipe.send(asyncio.run(run(order, pipe.recv())))


class _Ready:
    """Imports that a side would otherwise do while its tasks are running already."""

    def __enter__(self) -> None:
        import browser_use_sdk  # noqa: F401, PLC0415

        import browser_use_async.session  # noqa: F401, PLC0415

    def __exit__(self, *_error: object) -> None:
        pass


SIDES_READY = _Ready()


def together(server: FakeServer, orders: list[Order], population: Population) -> list[Figures]:
    """Run sides at the same time, each in a world of its own with the same durations."""
    context = multiprocessing.get_context("spawn")
    running = []
    for order in orders:
        here, there = context.Pipe()
        process = context.Process(target=serve_order, args=(order, there), daemon=True)
        process.start()
        there.close()
        running.append((process, here))
    for _process, pipe in running:
        pipe.recv()
    for _process, pipe in running:
        pipe.send(server.open(population))
    figures = [pipe.recv() for _process, pipe in running]
    for process, _pipe in running:
        process.join()
    return figures


def rounds(
    server: FakeServer, count: int, orders: dict[str, Order], population: Population
) -> dict[str, list[Figures]]:
    """Several rounds, each with durations of its own."""
    measured: dict[str, list[Figures]] = {name: [] for name in orders}
    for seed in range(1, count + 1):
        one = together(server, list(orders.values()), attrs.evolve(population, seed=seed))
        for name, figures in zip(orders, one, strict=True):
            measured[name].append(figures)
    return measured


def five_hundred(server: FakeServer, effort: Effort) -> Report:
    """500 waits."""
    longest = effort.wait_seconds
    population = Population(500, longest * 0.4, 0.5, longest)
    orders = {name: Order(name, 2.0, longest + 30) for name in SIDES}
    traced = {name: Order(name, 2.0, MEMORY_SECONDS, traced=True) for name in SIDES}
    runs = rounds(server, effort.long_rounds, orders, population)
    traces = rounds(server, min(effort.long_rounds, 3), traced, Population(500, FOREVER, 0.1))
    official, ours = runs["official"], runs["ours"]

    def row(what: str, unit: str, attribute: str, bound: float) -> Row:
        sides = (
            "browser-use-sdk",
            [getattr(each, attribute) for each in ours],
            [getattr(each, attribute) for each in official],
        )
        return compare(what, unit, sides, at_most=bound)

    p99 = (
        "browser-use-sdk",
        [each.delay(99) for each in ours],
        [each.delay(99) for each in official],
    )
    kilobytes = (
        "browser-use-sdk",
        [each.peak for each in traces["ours"]],
        [each.peak for each in traces["official"]],
    )
    rows = [
        row("500 waits: detection requests per task", "", "detections", 1 / 30),
        row("500 waits: all requests per task", "", "requests", 1 / 8),
        row("500 waits: CPU per task", "ms", "cpu_each", 1 / 20),
        compare("500 waits: peak of traced memory per wait", "KB", kilobytes, at_most=1 / 10),
        row("500 waits: growth of resident memory per wait", "KB", "resident", 1 / 10),
        compare("500 waits: p99 delay", "s", p99, at_most=1.05),
    ]
    lines = [
        [
            SIDES[name][0],
            f"{median(each.detections for each in figures):.2f}",
            f"{median(each.requests for each in figures):.2f}",
            f"{median(each.cpu_each for each in figures):.2f}",
            f"{median(each.peak for each in traces[name]):.2f}",
            f"{median(each.kilobytes for each in traces[name]):.2f}",
            f"{median(each.resident for each in figures):.1f}",
            f"{median(each.delay(50) for each in figures):.2f}",
            f"{median(each.delay(99) for each in figures):.2f}",
        ]
        for name, figures in runs.items()
    ]
    head = (
        "500 waits, 2 s|detecting requests per task|all|CPU ms per task|KB per wait, traced peak"
        "|asleep|resident|p50 s|p99 s"
    )
    text = (
        f"Durations: lognormal, median {longest * 0.4:.0f} s, sigma 0.5, at most {longest:.0f} s; "
        f"{effort.long_rounds} round(s), the sides at the same time.\n\n"
    )
    return Report(rows, text + table(head.split("|"), lines))


def _shares(runs: list[Figures]) -> list[float]:
    """The part of a core that each run took."""
    return [each.cpu / each.wall for each in runs]


def ten_thousand(server: FakeServer, effort: Effort) -> Report:
    """10,000 waits. The others saturate a core or fail at this number, but for a bare sweep."""
    window = effort.wait_seconds
    orders = {name: Order(name, 1.0, window) for name in ("ours", "sweeps")}
    traced = {"ours": Order("ours", 1.0, MEMORY_SECONDS * 2, traced=True)}
    both = rounds(server, effort.long_rounds, orders, Population(10_000, 60, 0.8))
    # At the rate of tasks that take minutes: an unchanged page is the rule, above the exception.
    steady = rounds(server, effort.long_rounds, orders, Population(10_000, STEADY_MEDIAN, 0.8))
    runs, bare = both["ours"], both["sweeps"]
    traces = rounds(server, 1, traced, Population(10_000, FOREVER, 0.1))["ours"]
    kilobytes = median(each.peak for each in traces)
    resident = median(each.resident for each in runs)
    asleep = median(each.kilobytes for each in traces)
    shares, least = _shares(runs), _shares(bare)
    share = median(shares) * 100
    steady_shares, steady_least = _shares(steady["ours"]), _shares(steady["sweeps"])
    steady_share = median(steady_shares) * 100
    p99 = median(each.delay(99) for each in runs)
    per_second = median(sum(each.counts.values()) / each.wall for each in runs)
    gets = median(each.counts.get("get", 0) / each.wall for each in runs)
    rows = [
        Row(
            "10,000 waits: peak of traced memory per wait",
            f"{kilobytes:.2f} KB",
            "-",
            f"{kilobytes:.2f} KB",
            "≤ 3 KB",
            judge(kilobytes, at_most=3),
        ),
        Row(
            "10,000 waits: growth of resident memory per wait",
            f"{resident:.2f} KB",
            "-",
            f"{resident:.2f} KB",
            "≤ 3 KB",
            judge(resident, at_most=3),
        ),
        Row(
            "10,000 waits: share of a core, 1 s target",
            f"{share:.1f} %",
            f"aiohttp alone: {median(least) * 100:.1f} %",
            f"{share:.1f} %",
            "≤ 6 %",
            judge(share, at_most=6),
        ),
        Row(
            "10,000 waits, 24 ends a second: share of a core, 1 s target",
            f"{steady_share:.1f} %",
            f"aiohttp alone: {median(steady_least) * 100:.1f} %",
            f"{steady_share:.1f} %",
            "≤ 6 %",
            judge(steady_share, at_most=6),
        ),
        Row(
            "10,000 waits: p99 delay, 1 s target",
            f"{p99:.2f} s",
            "-",
            f"{p99:.2f} s",
            "≤ 1.25 s",
            judge(p99, at_most=1.25),
        ),
    ]
    text = (
        f"10,000 waits with a target of 1 s: the first {window:.0f} s of durations with a median of"
        f" 60 s (sigma 0.8); {median(each.finished for each in runs):,.0f} tasks finished, "
        f"{per_second:,.0f} requests per second, {gets:,.0f} of them the confirming get, whose "
        "CPU time is part of the share; delay p50 "
        f"{median(each.delay(50) for each in runs):.2f} s; "
        f"{asleep:.2f} KB per wait between two looks. At the same time another process read "
        "pages and fetched tasks with aiohttp alone, which checked nothing: it made "
        f"{median(sum(each.counts.values()) / each.wall for each in bare):,.0f} requests per second"
        f" at a delay of {median(each.delay(50) for each in bare):.2f} s (p99 "
        f"{median(each.delay(99) for each in bare):.2f} s), and ours took "
        f"{ratio(shares, least):.2f}x its CPU time. With 24 ends a second, as of tasks that take "
        "five minutes, fewer pages change between two readings: "
        f"{ratio(steady_shares, steady_least):.2f}x."
    )
    return Report(rows, text)


async def overruns(url: str, outer: bool) -> list[float]:
    """Seconds by which 200 waits, each for a task that does not end, outlast their timeout."""
    late: list[float] = []
    async with ours(url, 1.0) as waiter:

        async def one(task_id: str) -> None:
            started = time.monotonic()
            try:
                if outer:
                    async with asyncio.timeout(TIMEOUT):
                        await waiter.wait(task_id)
                else:
                    await waiter.wait(task_id, timeout=TIMEOUT)
            except TimeoutError:
                late.append(time.monotonic() - started - TIMEOUT)

        await asyncio.gather(*(one(task_id) for task_id in control(url, "tasks")))
    return late


def timeouts(server: FakeServer, effort: Effort) -> Report:
    """How exactly a wait keeps its timeout, its own or one around it."""
    rows = []
    for outer, name in ((False, "`timeout=`"), (True, "`asyncio.timeout` around it")):
        late: list[float] = []
        for _ in range(effort.long_rounds):
            late += asyncio.run(overruns(server.open(Population(200, FOREVER, 0.1)), outer))
        beyond = sum(each > 0.05 for each in late)
        rows.append(
            Row(
                f"overrun of {name}, 200 waits at once",
                f"at most {max(late) * 1e3:.0f} ms",
                "-",
                f"{beyond} of {len(late)} beyond 50 ms",
                "0 beyond 50 ms",
                beyond == 0 and len(late) == 200 * effort.long_rounds,
            )
        )
    return Report(rows, "")


def report(effort: Effort) -> Report:
    """Measure 500 waits, and compare with the goals."""
    with FakeServer() as server:
        return five_hundred(server, effort)


def many(effort: Effort) -> Report:
    """Measure 10,000 waits and the timeouts, and compare with the goals."""
    with FakeServer() as server:
        ten = ten_thousand(server, effort)
        late = timeouts(server, effort)
    return Report([*ten.rows, *late.rows], ten.details)


if __name__ == "__main__":
    for measure in (report, many):
        result = measure(QUICK if "--quick" in sys.argv else FULL)
        print(*result.rows, result.details, sep="\n")
