"""A batch with its ledger, beside `asyncio.gather` without one: speed, memory and fsyncs.

The bundled server runs in a process of its own and its tasks end at once, so that what is measured
is the client. Each side runs in a fresh process. Growth is the highest resident memory from the
moment at which a twentieth of the items has ended, when everything is loaded and warm.
"""

import asyncio
import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.harness import FULL, QUICK, Effort, Report, Row, judge, table
from benchmarks.servers.bundled import bundled
from browser_use_async import BrowserUseSession, PollPolicy

__all__ = ["report"]

ROOT = Path(__file__).parents[1]
CONCURRENCY = 200
POLL = PollPolicy(interval=0.1, latency_target=0.2)
MEGABYTE = 1024 * 1024
NAMES = {"ledger": "run_many, ledger", "no ledger": "run_many", "gather": "asyncio.gather"}
TRACED = 2000  # items under strace, which slows them down


def texts(count: int) -> Iterator[str]:
    """The input, lazily."""
    for number in range(count):
        yield f"Find the head office of company number {number}"


def resident(name: str) -> int:
    """`VmRSS` or `VmHWM` of this process, in bytes."""
    status = Path("/proc/self/status").read_text()
    found = re.search(rf"{name}:\s+(\d+) kB", status)
    return int(found.group(1)) * 1024 if found else 0


def forget_peak() -> None:
    """Let the highest resident memory count from here."""
    Path("/proc/self/clear_refs").write_text("5")


# --- the sides, each in a process of its own ------------------------------------------------


async def with_ledger(
    session: BrowserUseSession, count: int, ledger: str | None
) -> dict[str, float]:
    """Run a batch."""
    warm, before, ended = count // 20, 0, 0
    async for result in session.run_many(texts(count), concurrency=CONCURRENCY, ledger=ledger):
        assert result.succeeded, result
        ended += 1
        if ended == warm:
            forget_peak()
            before = resident("VmRSS")
    return {"ended": ended, "growth": resident("VmHWM") - before}


async def gathered(session: BrowserUseSession, count: int) -> dict[str, float]:
    """Do the same with what asyncio has."""
    slots = asyncio.Semaphore(CONCURRENCY)
    warm, before, ended = count // 20, 0, 0

    async def one(text: str) -> None:
        nonlocal ended, before
        async with slots:
            await session.run_and_wait(text)
        ended += 1
        if ended == warm:
            forget_peak()
            before = resident("VmRSS")

    await asyncio.gather(*(one(text) for text in texts(count)))
    return {"ended": ended, "growth": resident("VmHWM") - before}


async def side(kind: str, url: str, key: str, count: int, ledger: str) -> dict[str, float]:
    """Run one side, and say how long it took."""
    async with BrowserUseSession(key, base_url=url, poll=POLL) as session:
        began, used = time.perf_counter(), time.process_time()
        match kind:
            case "ledger":
                figures = await with_ledger(session, count, ledger)
            case "no ledger":
                figures = await with_ledger(session, count, None)
            case _:
                figures = await gathered(session, count)
        seconds = time.perf_counter() - began
        return {**figures, "seconds": seconds, "cpu": time.process_time() - used}


def run_side(
    kind: str, url: str, key: str, count: int, ledger: Path, *before: str
) -> dict[str, float]:
    """Run one side in a process of its own, perhaps below another program."""
    program = [sys.executable, "-m", "benchmarks.batch", "--side", kind, url, key]
    done = subprocess.run(
        [*before, *program, str(count), str(ledger)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


# --- fsyncs ---------------------------------------------------------------------------------

_MARK = re.compile(r'bu_async\.token\\":\\"([0-9a-f]{32})')
_HEX = re.compile(r"[0-9a-f]{32}")


def read_trace(trace: Path) -> tuple[int, int, int]:
    """How many fsyncs, how many requests, and how many of these left before their intent was safe.

    A mark is safe when a write to the ledger's log had it and an fsync ended afterwards.
    """
    syncs = requests = early = 0
    written: set[str] = set()
    safe: set[str] = set()
    for line in trace.read_text(errors="replace").splitlines():
        if "fsync(" in line or "fdatasync" in line:
            if "unfinished" not in line:  # it has ended
                syncs += 1
                safe |= written
                written.clear()
        elif "pwrite64(" in line:
            written.update(_HEX.findall(line))
        else:
            for mark in _MARK.findall(line):
                requests += 1
                early += mark not in safe
    return syncs, requests, early


def traced(url: str, key: str, count: int, folder: Path) -> tuple[float, int, int] | None:
    """Fsyncs per item, requests, and requests that left too early; None without strace."""
    if shutil.which("strace") is None:
        return None
    trace = folder / "trace"
    calls = "trace=fsync,fdatasync,pwrite64,sendto,sendmsg,writev"
    strace = ("strace", "-f", "-s", "5000", "-e", calls, "-e", "signal=none", "-o", str(trace))
    run_side("ledger", url, key, count, folder / "traced.db", *strace)
    syncs, requests, early = read_trace(trace)
    return syncs / count, requests, early


# --- the report -----------------------------------------------------------------------------


def report(effort: Effort) -> Report:
    """Measure, and compare with the goals."""
    full = effort.rounds >= FULL.rounds
    count = 100_000 if full else 4_000
    plain = count // 10 if full else count
    sides: dict[str, tuple[int, dict[str, float]]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for kind, items in (("gather", plain), ("no ledger", plain), ("ledger", count)):
            with bundled() as (url, key, asked):
                sides[kind] = items, run_side(kind, url, key, items, folder / "run.db")
                assert asked() == items, (kind, asked(), items)
        with bundled() as (url, key, _asked):
            syncs = traced(url, key, TRACED if full else 500, folder)
    return Report(rows_of(sides, syncs), details(sides, syncs))


def rows_of(
    sides: dict[str, tuple[int, dict[str, float]]], syncs: tuple[float, int, int] | None
) -> list[Row]:
    """The lines of the table of goals."""
    count, ours = sides["ledger"]
    other_count, other = sides["gather"]
    rate, other_rate = count / ours["seconds"], other_count / other["seconds"]
    growth = ours["growth"] / MEGABYTE
    rows = [
        Row(
            0,
            f"a batch of {count:,} items with a ledger, {CONCURRENCY} at once",
            f"{rate:.0f} items/s",
            f"asyncio.gather, no ledger: {other_rate:.0f} items/s",
            f"{rate / other_rate:.2f}x",
            "printed",
            None,
        ),
        Row(
            0,
            "the same: growth of resident memory",
            f"{growth:.1f} MB",
            f"asyncio.gather ({other_count:,} items): {other['growth'] / MEGABYTE:.1f} MB",
            f"{growth:.1f} MB",
            "≤ 60 MB",
            judge(growth, at_most=60),
        ),
    ]
    if syncs is not None:
        each, requests, early = syncs
        rows.append(
            Row(
                0,
                "requests that left before their intent was on the disk",
                f"{early} of {requests}",
                f"{each:.2f} fsyncs per item",
                str(early),
                "0",
                early == 0 and requests > 0,
            )
        )
    return rows


def details(
    sides: dict[str, tuple[int, dict[str, float]]], syncs: tuple[float, int, int] | None
) -> str:
    """All figures."""
    lines = [
        [
            NAMES[kind],
            f"{count:,}",
            f"{count / figures['seconds']:.0f}",
            f"{figures['cpu'] / count * 1e6:.0f}",
            f"{figures['growth'] / MEGABYTE:.1f}",
        ]
        for kind, (count, figures) in sides.items()
    ]
    head = ["side", "items", "items/s", "CPU µs per item", "growth, MB"]
    text = table(head, lines)
    if syncs is None:
        return f"{text}\n\nFsyncs were not counted: there is no strace here."
    each, requests, early = syncs
    return (
        f"{text}\n\nUnder strace: {each:.2f} fsyncs per item at {CONCURRENCY} at once; {early} of "
        f"{requests} requests left before an fsync had followed the write of their intent. The "
        "input is a generator; every side polls for ends five times a second."
    )


def main() -> None:
    """Run one side, or all of them."""
    if "--side" in sys.argv:
        at = sys.argv.index("--side")
        kind, url, key, count, ledger = sys.argv[at + 1 :]
        print(json.dumps(asyncio.run(side(kind, url, key, int(count), ledger))))
        return
    measured = report(QUICK if "--quick" in sys.argv else FULL)
    print(measured.details)
    for row in measured.rows:
        print(f"{row.what}: {row.ours}; {row.against}; {row.measured}, wanted {row.wanted}")


if __name__ == "__main__":
    main()
