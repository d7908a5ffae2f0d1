"""What the bundled server pays for a call, and whether that depends on how many tasks it stores.

`python -m benchmarks.server API_ONLY` prints the figures of whichever version of the package is on
the path, with 1,000 tasks that are made over the API: two versions are compared by two such runs.
"""

import asyncio
import sys
import tempfile
import time
import uuid
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from statistics import median
from typing import Any

import aiohttp
import attrs

from benchmarks.harness import FULL, QUICK, Effort, Report, Row, judge, table
from benchmarks.servers.process import ServerProcess
from browser_use_async.server import LocalServer
from browser_use_async.server.executors.scripted import Scenario, ScriptedExecutor

KEY = "bu_of_the_benchmark"
CONCURRENCY = 20
CALLS = ("status", "get", "page of 100", "create")
DEEPER = {"create": 0.25, "page of 100": 0.15}
"""What share of the calls is made of those that take longer."""


@attrs.frozen
class Figures:
    """Of one server.

    Attributes:
        tasks: How many tasks were stored.
        start: Seconds until it listened.
        memory: Megabytes in memory after all calls.
        cpu: Microseconds of its CPU time for a call, round by round.
    """

    tasks: int
    start: float
    memory: float
    cpu: dict[str, list[float]]


def _memory() -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) / 1024


def serve(pipe: Any, database: str) -> None:
    """Serve, and answer on the pipe what the process has used so far."""

    async def run() -> None:
        begun = time.perf_counter()
        scenarios = {
            "hang": Scenario(steps=(), hangs=True),
            "quick": Scenario(steps=("Open the page", "Read it"), step_seconds=0, output="Done"),
        }
        executor = ScriptedExecutor(scenarios)
        async with LocalServer(
            database=database, api_key=KEY, executor=executor, screenshots=False
        ) as server:
            pipe.send((server.base_url, time.perf_counter() - begun))
            while await asyncio.to_thread(pipe.recv):
                pipe.send((time.process_time(), _memory()))

    asyncio.run(run())


def fill(path: Path, count: int) -> None:
    """Store so many tasks of two steps without a server."""
    # Here, because another version of the package has other stores.
    from browser_use_async.server.storage import Database, SqliteDatabase, TaskRecord  # noqa: PLC0415
    from browser_use_async.server.storage.account import Account  # noqa: PLC0415
    from browser_use_async.server.storage.database import immediate  # noqa: PLC0415
    from browser_use_async.server.storage.records import insert_task  # noqa: PLC0415
    from browser_use_async.types import TaskStatus  # noqa: PLC0415

    database = SqliteDatabase(path)
    begin = datetime.now(UTC) - timedelta(days=1)

    async def work(at: Database) -> None:
        for position in range(1, count + 1):
            moment = begin + timedelta(milliseconds=position)
            record = TaskRecord(
                str(uuid.uuid4()), "Find the price of the thing " * 5, moment, {"item": "a"},
                (1280, 960), save_browser_data=False, included_file_names=None,
                live_token=uuid.uuid4().hex, share_token=None, status=TaskStatus.FINISHED,
                started=True, finished_at=moment, output="The answer " * 10,
                takes_screenshots=False,
            )  # fmt: skip
            await insert_task(at, record, position, None)
            for number in (1, 2):
                await at.rows(
                    "INSERT INTO steps VALUES (:task, :number, :id, '', 'Open the page', '', NULL)",
                    task=record.id,
                    number=number,
                    id=str(uuid.uuid4()),
                )

    immediate(database.transact(work))
    immediate(Account(database, "subscription").open(Decimal(10**6)))
    database.close()


class _Client:
    """Calls a server, and asks it what that took."""

    def __init__(self, pipe: Any, url: str, http: aiohttp.ClientSession) -> None:
        self._pipe, self._url, self._http = pipe, url, http
        self.ids: list[str] = []
        self.total = 0

    async def ask(self, method: str, path: str, **options: Any) -> Any:
        async with self._http.request(method, self._url + path, **options) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.json()

    async def learn(self) -> None:
        """Find out which tasks there are, at all depths of the list."""
        self.total = (await self.ask("GET", "/tasks?limit=1"))["total_count"]
        pages = max(1, self.total // 100)
        for page in range(1, pages + 1, max(1, pages // 20)):
            rows = (await self.ask("GET", f"/tasks?limit=100&page={page}"))["tasks"]
            self.ids += [row["id"] for row in rows]

    def used(self) -> tuple[float, float]:
        """Seconds of CPU time, and megabytes."""
        self._pipe.send(True)
        used: tuple[float, float] = self._pipe.recv()
        return used

    async def call(self, name: str, number: int) -> None:
        if name == "create":
            body = {"task": "x", "metadata": {"scenario": "hang"}}
            await self.ask("POST", "/run-task", json=body)
        elif name == "page of 100":
            page = 1 + number * 7919 % max(1, self.total // 100)
            await self.ask("GET", f"/tasks?limit=100&page={page}")
        else:
            task_id = self.ids[number * 7919 % len(self.ids)]
            await self.ask("GET", f"/task/{task_id}{'/status' if name == 'status' else ''}")

    async def cost(self, name: str, count: int) -> float:
        """Microseconds of the server's CPU time for a call."""
        numbers = iter(range(count))

        async def worker() -> None:
            for number in numbers:
                await self.call(name, number)

        before, _ = self.used()
        await asyncio.gather(*(worker() for _ in range(CONCURRENCY)))
        return 1e6 * (self.used()[0] - before) / count


async def measured(
    database: Path, effort: Effort, prepare: Callable[[_Client], Awaitable[None]] | None = None
) -> Figures:
    """The figures of a server on a file."""
    with ServerProcess(serve, str(database)) as process:
        url, start = await asyncio.to_thread(process.pipe.recv)
        headers = {"Authorization": f"Bearer {KEY}"}
        connector = aiohttp.TCPConnector(limit=CONCURRENCY)
        async with aiohttp.ClientSession(connector=connector, headers=headers) as http:
            client = _Client(process.pipe, url, http)
            if prepare is not None:
                await prepare(client)
            await client.learn()
            cpu: dict[str, list[float]] = {name: [] for name in CALLS}
            for turn in range(effort.rounds + 1):
                for name in CALLS:
                    count = max(CONCURRENCY, int(effort.calls * DEEPER.get(name, 1)))
                    cost = await client.cost(name, count)
                    if turn:  # the first one warms up
                        cpu[name].append(cost)
            return Figures(client.total, start, client.used()[1], cpu)


async def _create_thousand(client: _Client) -> None:
    body = {"task": "Find the price of the thing " * 5, "metadata": {"scenario": "quick"}}
    for _ in range(1000):
        await client.ask("POST", "/run-task", json=body)
    await asyncio.sleep(0.5)  # the last ones come to their end


def report(effort: Effort) -> Report:
    """Measure with few and with many tasks."""
    counts = (1_000, 100_000, 1_000_000) if effort.rounds > 2 else (1_000, 10_000, 100_000)
    figures = []
    with tempfile.TemporaryDirectory() as folder:
        for count in counts:
            path = Path(folder) / f"{count}.db"
            fill(path, count)
            figures.append(asyncio.run(measured(path, effort)))
            path.unlink()
    few, many = figures[0], figures[-1]
    rows = [_row(name, few, many) for name in CALLS]
    start, more = many.start, many.memory - few.memory
    rows += [
        Row(0, f"start with {many.tasks:,} tasks", f"{start:.2f} s", "-", f"{start:.2f} s",
            "≤ 1 s", judge(start, at_most=1)),
        Row(0, f"resident memory with {many.tasks:,} tasks", f"{many.memory:.0f} MB",
            f"{few.tasks:,} tasks: {few.memory:.0f} MB", f"{more:+.0f} MB", "≤ +10 MB",
            judge(more, at_most=10)),
    ]  # fmt: skip
    head = ["stored tasks", *(f"{name}, µs of CPU" for name in CALLS), "start, s", "memory, MB"]
    lines = [
        [f"{each.tasks:,}", *(f"{median(each.cpu[name]):.0f}" for name in CALLS),
         f"{each.start:.2f}", f"{each.memory:.0f}"]
        for each in figures
    ]  # fmt: skip
    said = "CPU time of the server's process for a call over HTTP, SQLite on a file, medians."
    return Report(rows, f"{said}\n\n{table(head, lines)}")


def _row(name: str, few: Figures, many: Figures) -> Row:
    ours, base = median(many.cpu[name]), median(few.cpu[name])
    value = ours / base
    what = f"server, {name} with {many.tasks:,} tasks, CPU"
    against = f"{few.tasks:,} tasks: {base:.0f} µs"
    return Row(
        0, what, f"{ours:.0f} µs", against, f"{value:.2f}x", "≤ 1.1x", judge(value, at_most=1.1)
    )


if __name__ == "__main__":
    if "API_ONLY" in sys.argv:
        with tempfile.TemporaryDirectory() as place:
            found = asyncio.run(measured(Path(place) / "a.db", FULL, _create_thousand))
        for each in CALLS:
            print(f"{each}: {median(found.cpu[each]):.1f} us")
        print(f"{found.memory:.0f} MB")
    else:
        print(report(QUICK if "--quick" in sys.argv else FULL).details)
