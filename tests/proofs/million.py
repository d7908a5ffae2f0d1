"""A million items with a ledger, killed twice on the way: `make proof-million`.

The bundled server runs in a process of its own, and its tasks end at once. The batch runs in
another one, which is killed with SIGKILL when a third and two thirds of the items have ended. It is
started again in the same way. At the end the server must have exactly one task for each item, and
the last run must give a result for each. `asyncio.gather` without a ledger does a part of the same
before and afterwards, on the same server.
"""

import argparse
import asyncio
import json
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import attrs

from benchmarks.batch import CONCURRENCY, MEGABYTE, POLL, ROOT, resident, run_side
from benchmarks.harness import Report, Row, judge, table
from benchmarks.servers.bundled import bundled
from browser_use_async import BrowserUseSession

__all__ = ["MILLION", "measure"]

RESULTS = ROOT / "benchmarks" / "results" / "million.md"
MILLION = 1_000_000
MOST_GATHERED = 10_000
EVERY = 5.0  # seconds between two lines of progress
MOST_BYTES = 1200  # of the ledger for an item: 1.2 GB for a million


# --- the batch, in a process that is killed -------------------------------------------------


def items(count: int) -> Iterator[tuple[str, str]]:
    """The input, lazily: keys and texts."""
    for number in range(count):
        yield f"company-{number:07}", f"Find the head office of company number {number}"


def report(**figures: float) -> None:
    """Report to the process that kills this one."""
    print(json.dumps(figures), flush=True)


async def work(url: str, key: str, ledger: str, count: int, started: float) -> None:
    """Run the batch to its end, or until the process is killed."""
    ended = restored = 0
    reported = 0.0
    async with BrowserUseSession(key, base_url=url, poll=POLL) as session:
        batch = session.run_many(items(count), concurrency=CONCURRENCY, ledger=ledger)
        async for result in batch:
            assert result.succeeded, result
            ended += 1
            restored += result.restored
            now = time.time()
            is_first = ended == 1 or (not result.restored and ended == restored + 1)
            if is_first or now - reported >= 0.5:
                reported = now
                figures = {"ended": ended, "restored": restored, "after": now - started}
                report(**figures, peak=resident("VmHWM"))
    report(ended=ended, restored=restored, after=time.time() - started, peak=resident("VmHWM"))


# --- the process that kills it --------------------------------------------------------------


@attrs.define
class Run:
    """One process, until it ended or was killed."""

    first: float = 0.0  # seconds from its start to its first result
    first_new: float = 0.0  # and to the first result of a task that it has created
    seconds: float = 0.0
    ended: int = 0  # results that it gave
    peak: int = 0  # bytes of resident memory


@attrs.define
class Trial:
    """The whole run."""

    url: str
    key: str
    ledger: Path
    count: int
    runs: list[Run] = attrs.field(factory=list)
    largest: int = 0  # bytes of the ledger with its log

    def size(self) -> int:
        """The size of the ledger with its log, in bytes."""
        files = (self.ledger, self.ledger.with_name(f"{self.ledger.name}-wal"))
        return sum(each.stat().st_size for each in files if each.exists())

    def run(self, until: int | None) -> None:
        """Start the batch, and kill it once this many items have ended."""
        began = time.time()
        arguments = (self.url, self.key, self.ledger, self.count, began)
        program = [sys.executable, "-m", "tests.proofs.million", "--work", *map(str, arguments)]
        run, shown = Run(), began
        self.runs.append(run)
        with subprocess.Popen(program, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            for line in process.stdout:
                figures = json.loads(line)
                self.note(run, figures)
                if time.time() - shown >= EVERY:
                    shown = time.time()
                    self.show(run, figures)
                if until is not None and figures["ended"] >= until:
                    process.kill()  # SIGKILL
                    break
        run.seconds = time.time() - began
        if until is None and process.returncode != 0:
            raise SystemExit(f"the batch ended with {process.returncode}")

    def note(self, run: Run, figures: dict[str, float]) -> None:
        """Keep the figures of a process."""
        run.ended, run.peak = int(figures["ended"]), max(run.peak, int(figures["peak"]))
        self.largest = max(self.largest, self.size())
        run.first = run.first or figures["after"]
        if figures["ended"] > figures["restored"]:
            run.first_new = run.first_new or figures["after"]

    def show(self, run: Run, figures: dict[str, float]) -> None:
        """Print a line of progress."""
        new = figures["ended"] - figures["restored"]
        print(
            f"run {len(self.runs)}: {run.ended:,} of {self.count:,} ended, {new:,.0f} of them new, "
            f"{new / figures['after']:,.0f}/s; {run.peak / MEGABYTE:.0f} MB resident; "
            f"ledger {self.size() / MEGABYTE:,.0f} MB",
            file=sys.stderr,
            flush=True,
        )


async def tasks_at(url: str, key: str) -> int:
    """How many tasks the server has."""
    async with BrowserUseSession(key, base_url=url) as session:
        return (await session.tasks.list(limit=1)).total_count


def in_ledger(ledger: Path) -> tuple[int, int]:
    """How many items are done, and how many tasks they have."""
    with closing(sqlite3.connect(ledger)) as connection:
        found: tuple[int, int] = connection.execute(
            "SELECT COUNT(*), COUNT(DISTINCT task_id) FROM items WHERE state = 'done'"
        ).fetchone()
    return found


def measure(count: int) -> Report:
    """Run it, check it, and compare with `asyncio.gather`."""
    part = min(MOST_GATHERED, count // 2)
    with tempfile.TemporaryDirectory() as name, bundled() as (url, key, _asked):
        folder = Path(name)
        trial = Trial(url, key, folder / "million.db", count)
        before = run_side("gather", url, key, part, folder / "none")
        others = asyncio.run(tasks_at(url, key))
        for until in (count // 3, 2 * count // 3, None):
            trial.run(until)
        tasks = asyncio.run(tasks_at(url, key)) - others
        done, own = in_ledger(trial.ledger)
        after = run_side("gather", url, key, part, folder / "none")
    is_exact = tasks == done == own == trial.runs[-1].ended == count
    gathered = 2 * part / (before["seconds"] + after["seconds"])
    found = f"{tasks:,} tasks, {done:,} done, {trial.runs[-1].ended:,} results"
    return Report(rows_of(trial, gathered, found, is_exact=is_exact), details(trial))


def rows_of(trial: Trial, gathered: float, found: str, *, is_exact: bool) -> list[Row]:
    """The lines of the table of goals."""
    count, runs = trial.count, trial.runs
    rate = count / sum(each.seconds for each in runs)
    peak = max(each.peak for each in runs) / MEGABYTE
    each = trial.largest / count
    restart = max(run.first for run in runs[1:])
    what = f"{count:,} items with a ledger, killed twice"
    return [
        Row(
            what,
            f"{rate:.0f} items/s",
            f"asyncio.gather, no ledger: {gathered:.0f} items/s",
            f"{rate / gathered:.2f}x",
            "≥ 0.8x",
            judge(rate / gathered, at_least=0.8),
        ),
        Row(
            f"{what}: one task and one result for each",
            found,
            "",
            "exact" if is_exact else "wrong",
            "exact",
            is_exact,
        ),
        Row(
            f"{what}: resident memory",
            f"{peak:.0f} MB",
            "",
            f"{peak:.0f} MB",
            "≤ 200 MB",
            judge(peak, at_most=200),
        ),
        Row(
            f"{what}: the ledger with its log",
            f"{trial.largest / MEGABYTE:,.0f} MB",
            "",
            f"{each:.0f} B/item",
            f"≤ {MOST_BYTES} B/item",
            judge(each, at_most=MOST_BYTES) if count >= 20_000 else None,
        ),
        Row(
            f"{what}: from a start after a kill to the first result",
            f"{restart:.1f} s",
            f"to the first new task's: {max(run.first_new for run in runs[1:]):.1f} s",
            f"{restart:.1f} s",
            "≤ 5 s",
            judge(restart, at_most=5),
        ),
    ]


def details(trial: Trial) -> str:
    """The figures of each process."""
    lines = [
        f"Process {number} of a batch of {trial.count:,} items: {run.ended:,} results in "
        f"{run.seconds:.0f} s, the first after {run.first:.1f} s, the first of a new task after "
        f"{run.first_new:.1f} s; {run.peak / MEGABYTE:.0f} MB resident."
        for number, run in enumerate(trial.runs, 1)
    ]
    return "\n\n".join(lines)


def page(measured: Report) -> str:
    """All of it as Markdown."""
    head = ["what", "ours", "compared with", "measured", "wanted", "verdict"]
    lines = [[*attrs.astuple(row)[:-1], row.verdict] for row in measured.rows]
    said = "Written by `make proof-million`, which ends with an error unless all is exact."
    return f"# A million items\n\n{said}\n\n{table(head, lines)}\n\n{measured.details}\n"


def main() -> None:
    """Run the batch itself, or all of it."""
    if "--work" in sys.argv:
        url, key, ledger, count, started = sys.argv[sys.argv.index("--work") + 1 :]
        asyncio.run(work(url, key, ledger, int(count), float(started)))
        return
    parser = argparse.ArgumentParser(prog="make proof-million", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="3,000 items")
    parser.add_argument("--items", type=int, default=MILLION, help="how many")
    given = parser.parse_args()
    total = 3000 if given.quick else given.items
    measured = measure(total)
    text = page(measured)
    if total == MILLION:
        RESULTS.write_text(text)
    print(text)
    if any(row.measured == "wrong" for row in measured.rows):
        raise SystemExit("an item has no task, or more than one")


if __name__ == "__main__":
    main()
