"""A batch with its ledger, beside `asyncio.gather` and bare aiohttp: speed, memory and fsyncs.

The bundled server runs in a process of its own and its tasks end at once, so that the client is
measured. Each side runs in a fresh process. Growth is the highest resident memory from the moment
at which a twentieth of the items has ended, when everything is loaded and warm.
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
from statistics import median
from typing import Any

import aiohttp
import attrs

from benchmarks.harness import FULL, QUICK, Effort, Report, Row, compare, judge, table
from benchmarks.servers.bundled import bundled
from browser_use_async import BatchResult, BrowserUseSession, PollPolicy, batch
from tests.support.postgres import started_server

__all__ = ["report"]

ROOT = Path(__file__).parents[1]
CONCURRENCY = 200
POLL = PollPolicy(interval=0.1, latency_target=0.2)
MEGABYTE = 1024 * 1024
NAMES = {
    "bare": "two bare aiohttp exchanges",
    "gather": "asyncio.gather",
    "no ledger": "run_many",
    "ledger": "run_many, ledger",
    "queue": "batch.work, a queue",
}
TRACED = 4000  # items under strace


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


async def queued(session: BrowserUseSession, count: int, queue: str) -> dict[str, float]:
    """Work on a queue that was filled before."""
    ended = 0

    def note(result: BatchResult[Any]) -> None:
        nonlocal ended
        assert result.succeeded, result
        ended += 1

    await batch.work(queue, session=session, concurrency=CONCURRENCY, on_result=note)
    return {"ended": ended, "growth": 0}


async def gathered(session: BrowserUseSession, count: int) -> dict[str, float]:
    """Do the same with asyncio alone."""
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


async def exchanged(url: str, key: str, count: int) -> dict[str, float]:
    """Create tasks and get each once, with aiohttp alone."""
    given = texts(count)
    began, used = time.perf_counter(), time.process_time()
    headers = {"Authorization": f"Bearer {key}"}
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, headers=headers) as http:

        async def work() -> None:
            for text in given:
                async with http.post(f"{url}/run-task", json={"task": text}) as response:
                    created = await response.json()
                async with http.get(f"{url}/task/{created['id']}") as response:
                    await response.json()

        await asyncio.gather(*(work() for _ in range(CONCURRENCY)))
    seconds = time.perf_counter() - began
    return {"ended": count, "growth": 0, "seconds": seconds, "cpu": time.process_time() - used}


async def side(kind: str, url: str, key: str, count: int, ledger: str) -> dict[str, float]:
    """Run one side, and print its time."""
    if kind == "bare":
        return await exchanged(url, key, count)
    async with BrowserUseSession(key, base_url=url, poll=POLL) as session:
        began, used = time.perf_counter(), time.process_time()
        match kind:
            case "ledger":
                figures = await with_ledger(session, count, ledger)
            case "no ledger":
                figures = await with_ledger(session, count, None)
            case "queue":
                figures = await queued(session, count, ledger)
            case _:
                figures = await gathered(session, count)
        seconds = time.perf_counter() - began
        return {**figures, "seconds": seconds, "cpu": time.process_time() - used}


def run_side(
    kind: str, url: str, key: str, count: int, ledger: Path | str, *before: str
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
_SYNC = re.compile(r"\bf(?:data)?sync\b")


@attrs.frozen
class Syncs:
    """What strace saw of the ledger.

    Attributes:
        per_item: Fsyncs for an item, at the speed that a batch has otherwise.
        requests: Creating requests of the second run, whose writes and requests were traced too.
        early: How many of these left before an fsync had followed the write of their intent.
    """

    per_item: float
    requests: int
    early: int


def order_of(trace: Path) -> tuple[int, int]:
    """How many requests a trace has, and how many of them left before their intent was safe.

    A mark is safe when a write to the ledger's log had it and an fsync ended afterwards.
    """
    requests = early = 0
    written: set[str] = set()
    safe: set[str] = set()
    for line in trace.read_text(errors="replace").splitlines():
        if _is_sync(line):
            safe |= written
            written.clear()
        elif "pwrite64(" in line:
            written.update(_HEX.findall(line))
        else:
            for mark in _MARK.findall(line):
                requests += 1
                early += mark not in safe
    return requests, early


def _is_sync(line: str) -> bool:
    """Whether a line of a trace is the end of an fsync."""
    return _SYNC.search(line) is not None and "unfinished" not in line


def traced(url: str, key: str, count: int, folder: Path) -> Syncs | None:
    """Count fsyncs, and check their order; None without strace.

    The first run stops at fsyncs only: strace at each write and request would make the items slow,
    and fewer of them would share an fsync.
    """
    if shutil.which("strace") is None:
        return None
    strace = ("strace", "-f", "-s", "5000", "-e", "signal=none")
    counted, ordered = folder / "counted", folder / "ordered"
    only = ("--seccomp-bpf", "-e", "trace=fsync,fdatasync", "-o", str(counted))
    run_side("ledger", url, key, count, folder / "counted.db", *strace, *only)
    calls = "trace=fsync,fdatasync,pwrite64,sendto,sendmsg,writev"
    run_side(
        "ledger", url, key, count, folder / "ordered.db", *strace, "-e", calls, "-o", str(ordered)
    )
    syncs = sum(map(_is_sync, counted.read_text(errors="replace").splitlines()))
    return Syncs(syncs / count, *order_of(ordered))


# --- the report -----------------------------------------------------------------------------


Sides = dict[str, list[dict[str, float]]]


def report(effort: Effort) -> Report:
    """Measure, and compare with the goals."""
    full = effort.rounds >= FULL.rounds
    count = 20_000 if full else 4_000
    sides: Sides = {kind: [] for kind in NAMES}
    with tempfile.TemporaryDirectory() as name, started_server() as database:
        folder = Path(name)
        for number in range(3 if full else 1):
            for kind, measured in sides.items():
                with bundled() as (url, key, asked), database.database() as address:
                    ledger: Path | str = folder / f"{number}.db"
                    if kind == "queue":
                        ledger = f"{address}#bench"
                        asyncio.run(batch.enqueue(ledger, texts(count)))
                    measured.append(run_side(kind, url, key, count, ledger))
                    assert asked() == count, (kind, asked(), count)
        with bundled() as (url, key, _asked):
            syncs = traced(url, key, TRACED, folder)
    return Report(rows_of(sides, count, syncs), details(sides, count, syncs))


def rows_of(sides: Sides, count: int, syncs: Syncs | None) -> list[Row]:
    """The lines of the table of goals."""

    def figures(kind: str, name: str) -> list[float]:
        return [each[name] for each in sides[kind]]

    def per_item(kind: str) -> list[float]:
        return [seconds / count * 1e6 for seconds in figures(kind, "cpu")]

    def rates(kind: str) -> list[float]:
        return [count / seconds for seconds in figures(kind, "seconds")]

    growth, other = (max(figures(kind, "growth")) / MEGABYTE for kind in ("ledger", "gather"))
    rows = [
        compare(
            f"an item of a batch with a ledger, {CONCURRENCY} at once: client CPU",
            "µs",
            (NAMES["bare"], per_item("ledger"), per_item("bare")),
            at_most=2,
        ),
        compare(
            f"an item of a queue, {CONCURRENCY} at once: client CPU",
            "µs",
            (NAMES["bare"], per_item("queue"), per_item("bare")),
            at_most=3,
        ),
        compare(
            f"a batch of {count:,} items with a ledger, {CONCURRENCY} at once",
            "items/s",
            ("asyncio.gather, no ledger", rates("ledger"), rates("gather")),
            at_least=0.8,
        ),
        Row(
            "the same: growth of resident memory",
            f"{growth:.1f} MB",
            f"asyncio.gather: {other:.1f} MB",
            f"{growth:.1f} MB",
            "≤ 60 MB",
            judge(growth, at_most=60),
        ),
    ]
    if syncs is not None:
        rows += [
            Row(
                f"fsyncs for an item, {CONCURRENCY} at once",
                f"{syncs.per_item:.3f}",
                "",
                f"{syncs.per_item:.3f}",
                "≤ 0.05",
                judge(syncs.per_item, at_most=0.05),
            ),
            Row(
                "requests that left before their intent was on the disk",
                f"{syncs.early} of {syncs.requests}",
                "",
                str(syncs.early),
                "0",
                syncs.early == 0 and syncs.requests > 0,
            ),
        ]
    return rows


def details(sides: Sides, count: int, syncs: Syncs | None) -> str:
    """All figures."""
    lines = [
        [
            NAMES[kind],
            f"{count:,}",
            f"{median(count / each['seconds'] for each in measured):.0f}",
            f"{median(each['cpu'] for each in measured) / count * 1e6:.0f}",
            f"{max(each['growth'] for each in measured) / MEGABYTE:.1f}",
        ]
        for kind, measured in sides.items()
    ]
    head = ["side", "items", "items/s", "CPU µs per item", "growth, MB"]
    text = table(head, lines)
    if syncs is None:
        return f"{text}\n\nFsyncs were not counted: there is no strace here."
    return (
        f"{text}\n\nUnder strace: {syncs.per_item:.3f} fsyncs per item at {CONCURRENCY} at once; "
        f"{syncs.early} of {syncs.requests} requests left before an fsync had followed the write "
        "of their intent. The input is a generator; every side of ours polls for ends five times a "
        "second. A million items, with kills: `make proof-million`."
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
