"""Reading 10,000 tasks: one page after the other, against pages that are read ahead.

The server has a process of its own, answers each page after 100 ms, and counts requests. The
sides take turns. Every side must give the same tasks in the same order, or there is no figure.
"""

import asyncio
import sys
import time
from statistics import median

import attrs

from benchmarks import harness
from benchmarks.harness import FULL, QUICK, Effort, Report, Row, compare
from benchmarks.servers.fake import FakeServer, Population
from benchmarks.waiting import control
from browser_use_async import BrowserUseSession

TASKS = 10_000
PAGE_SIZE = 100
DELAY = 0.1  # seconds until the server answers
NOTES = f"""\
{TASKS:,} tasks on {TASKS // PAGE_SIZE} pages, each answered after {DELAY * 1000:.0f} ms. Each side
gave the same tasks in the same order in every round. A slow caller works for
{DELAY * 1000:.0f} ms on each page. `prefetch=1` has one request under way while the caller
works and never two, so a caller that does nothing gains nothing from it."""


@attrs.frozen
class Side:
    """A way to read.

    Attributes:
        prefetch: Pages that are read ahead.
        work: Seconds that the caller works on each page.
    """

    prefetch: int
    work: float = 0.0

    @property
    def name(self) -> str:
        """Its name in the table."""
        caller = "slow" if self.work else "fast"
        return f"prefetch={self.prefetch}, {caller} caller"


@attrs.define
class Figures:
    """The measured figures, round by round.

    Attributes:
        seconds: How long reading took.
        requests: How many pages were asked for.
        at_once: How many of these were under way at the same time at most.
        cpu: Seconds of this process's CPU time.
    """

    seconds: list[float] = attrs.field(factory=list)
    requests: list[int] = attrs.field(factory=list)
    at_once: list[int] = attrs.field(factory=list)
    cpu: list[float] = attrs.field(factory=list)


SLOW, FAST = Side(0, DELAY), Side(0)
SIDES = (SLOW, Side(1, DELAY), FAST, Side(1), Side(4), Side(8))


async def read(session: BrowserUseSession, side: Side) -> list[str]:
    """The ids, in their order."""
    ids: list[str] = []
    rows = session.iterate_all_tasks(page_size=PAGE_SIZE, prefetch=side.prefetch)
    async for page in rows.pages():
        ids += [row.id for row in page]
        if side.work:
            await asyncio.sleep(side.work)
    return ids


async def measure(url: str, rounds: int) -> dict[Side, Figures]:
    """Let the sides take turns."""
    figures = {side: Figures() for side in SIDES}
    newest_first = list(control(url, "tasks"))[::-1]
    async with BrowserUseSession(api_key="key", base_url=f"{url}/api/v1") as session:
        await read(session, Side(8))  # connect first
        for _ in range(rounds):
            for side, of in figures.items():
                before = control(url, "counts")["list"]
                control(url, "most")
                started, cpu = time.perf_counter(), time.process_time()
                ids = await read(session, side)
                of.seconds.append(time.perf_counter() - started)
                of.cpu.append(time.process_time() - cpu)
                if ids != newest_first:
                    raise SystemExit(f"{side.name} gives other tasks or another order")
                of.requests.append(int(control(url, "counts")["list"] - before))
                of.at_once.append(int(control(url, "most")["most"]))
    return figures


def _against(side: Side) -> Side:
    return SLOW if side.work else FAST


def _faster(figures: dict[Side, Figures], side: Side) -> float:
    return harness.ratio(figures[_against(side)].seconds, figures[side].seconds)


def details(figures: dict[Side, Figures]) -> str:
    """All figures."""
    head = ["reading", "seconds", "x sequential", "requests", "at once", "CPU ms per page"]
    lines = [
        [
            side.name,
            f"{median(of.seconds):.2f}",
            f"{_faster(figures, side):.2f}x",
            f"{median(of.requests):.0f}",
            f"{max(of.at_once)}",
            f"{median(of.cpu) / (TASKS / PAGE_SIZE) * 1000:.1f}",
        ]
        for side, of in figures.items()
    ]
    rounds = len(figures[FAST].seconds)
    return f"{NOTES}\n\nMedians of {rounds} rounds.\n\n{harness.table(head, lines)}"


def report(effort: Effort) -> Report:
    """Measure, and compare with the goals."""
    ended = Population(TASKS, 1e-3, 0.0, older=0, latency=DELAY)
    with FakeServer() as server:
        figures = asyncio.run(measure(server.open(ended), effort.long_rounds))

    def row(side: Side, bound: float) -> Row:
        ours, theirs = (
            [TASKS / seconds for seconds in figures[each].seconds]
            for each in (side, _against(side))
        )
        what = f"iterate_all_tasks, {side.name}"
        return compare(what, "tasks/s", ("sequential", ours, theirs), at_least=bound)

    return Report([row(Side(1, DELAY), 1.8), row(Side(8), 6.0)], details(figures))


def table() -> str:
    """The figures as Markdown."""
    return report(FULL).details


if __name__ == "__main__":
    print(report(QUICK if "--quick" in sys.argv else FULL).details)
