"""The CPU time of a call to the bundled server, by the number of stored tasks.

Servers with few and with many tasks run at the same time and are called in turn. So is an
application of aiohttp with a handler that does nothing: the difference is this server's cost. No
peer has a
row: the vendor's server is not available, and the other clients of these benchmarks have none.

`python -m benchmarks.server API_ONLY` prints the figures of the package on the path, with 1,000
tasks that are created over the API: two versions are compared by two such runs.
"""

import asyncio
import sqlite3
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from decimal import Decimal
from pathlib import Path
from statistics import median
from typing import Any

import aiohttp
import attrs
from aiohttp import web

from benchmarks.harness import FULL, QUICK, Effort, Report, Row, compare, judge, ratio, table
from benchmarks.plot import plot
from benchmarks.servers.process import ServerProcess
from browser_use_async.server import LocalServer
from browser_use_async.server.executors.scripted import Scenario, ScriptedExecutor

KEY = "bu_of_the_benchmark"
CONCURRENCY = 20
TASK = "Find the price of the thing " * 5
COUNTS = (1_000, 10_000, 100_000, 1_000_000)
CALLS = ("status", "get", "first page of 100", "deep page of 100", "create")
AGAINST_NOTHING = {"status": 1.8, "first page of 100": 3.0, "deep page of 100": 3.0}
"""How many times the CPU of a handler that does nothing a call may take."""
FEWER = {"create": 0.25, "first page of 100": 0.15, "deep page of 100": 0.15}
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
    """Serve, and answer on the pipe with the CPU time so far."""

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


def serve_nothing(pipe: Any) -> None:
    """Serve a status that is always the same, as little as aiohttp.web can do."""

    async def status(request: web.Request) -> web.Response:
        return web.Response(body=b'"finished"', content_type="application/json")

    async def run() -> None:
        application = web.Application()
        application.router.add_get("/api/v1/task/{task_id}/status", status)
        runner = web.AppRunner(application)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0]
        pipe.send((f"http://{host}:{port}/api/v1", 0.0))
        while await asyncio.to_thread(pipe.recv):
            pipe.send((time.process_time(), _memory()))

    asyncio.run(run())


_NUMBERS = """WITH RECURSIVE numbers (n) AS (
    SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < :count
)"""
_ID = "printf('%08x-5e55-4e55-8e55-%s', n * 2654435761 % 4294967296, hex(randomblob(6)))"
_MOMENT = "strftime('%Y-%m-%dT%H:%M:%S', :begin + n / 20, 'unixepoch') || '.000000+00:00'"
_TASKS = f"""INSERT INTO tasks (
    id, owner, position, task, created_at, metadata, viewport, save_browser_data, live_token,
    llm_model, max_agent_steps, status, started, finished_at, takes_screenshots, recordings, output,
    output_files, files_expired, request
) {_NUMBERS} SELECT
    lower({_ID}), 'default', n, :task, {_MOMENT}, '{{"item":"a"}}', '[1280,960]', 0,
    lower(hex(randomblob(16))), 'gpt-4.1', 75, 'finished', 1, {_MOMENT}, 0, '[]', :output, '[]',
    n <= :count - 1000, '{{}}'
FROM numbers"""
"""Ids in no order, as random ones are; the files of all but the last thousand have expired."""
_STEPS = """INSERT INTO steps (task_id, number, id, evaluation_previous_goal, next_goal, url,
    taken_at)
SELECT id, step.column1, substr(id, 1, 35) || step.column1, 'The page is open',
    'Read the price of the thing', 'https://example.com/things/' || position, tasks.created_at
FROM tasks CROSS JOIN (VALUES (1), (2)) AS step ORDER BY tasks.id"""
_INDEXES = (
    "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = 'tasks' AND sql > ''"
)


def fill(path: Path, count: int, output: str = "The answer " * 10) -> None:
    """Store so many tasks of two steps without a server, in about a minute for a million."""
    # Here, because another version of the package has other stores.
    from browser_use_async.server.storage import SqliteDatabase  # noqa: PLC0415
    from browser_use_async.server.storage.account import Account  # noqa: PLC0415
    from browser_use_async.server.storage.database import immediate  # noqa: PLC0415

    database = SqliteDatabase(path)
    immediate(Account(database).open(Decimal(10**6)))
    database.close()
    connection = sqlite3.connect(path, isolation_level=None)
    for pragma in ("journal_mode = OFF", "synchronous = OFF", "cache_size = -400000"):
        connection.execute(f"PRAGMA {pragma}").fetchall()
    begin = int(time.time()) - 86_400
    values = {"count": count, "begin": begin, "task": TASK, "output": output}
    connection.execute("BEGIN")
    # Made at the end, indexes are sorted once.
    indexes = connection.execute(_INDEXES).fetchall()
    for name, _ in indexes:
        connection.execute(f"DROP INDEX {name}")
    connection.execute(_TASKS, values)
    connection.execute(_STEPS)
    for _, statement in indexes:
        connection.execute(statement)
    connection.execute("UPDATE accounts SET tasks = ?", (count,))
    connection.execute("COMMIT")
    connection.close()


class _Client:
    """Calls a server, and reads its CPU time."""

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
        elif name.endswith("page of 100"):
            # The deep ones are those of the last half.
            half = max(1, self.total // 200)
            page = 1 if name.startswith("first") else half + number * 7919 % half
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


class _Server:
    """A server in a process of its own, and its figures."""

    def __init__(self, process: ServerProcess) -> None:
        self._process = process
        self.start = 0.0
        self.cpu: dict[str, list[float]] = {name: [] for name in CALLS}

    async def open(self, stack: AsyncExitStack) -> None:
        process = stack.enter_context(self._process)
        url, self.start = await asyncio.to_thread(process.pipe.recv)
        headers = {"Authorization": f"Bearer {KEY}"}
        http = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=CONCURRENCY), headers=headers
        )
        self.client = _Client(process.pipe, url, await stack.enter_async_context(http))

    def figures(self) -> Figures:
        return Figures(self.client.total, self.start, self.client.used()[1], self.cpu)


async def _create_thousand(client: _Client) -> None:
    body = {"task": TASK, "metadata": {"scenario": "quick"}}
    for _ in range(1000):
        await client.ask("POST", "/run-task", json=body)
    await asyncio.sleep(0.5)  # the last ones come to their end


async def measured(
    databases: Sequence[Path], effort: Effort, *, creates: bool
) -> tuple[list[Figures], list[float]]:
    """The figures of the servers on some files, and of a handler that does nothing, in turns."""
    servers = [_Server(ServerProcess(serve, str(each))) for each in databases]
    nothing, costs = _Server(ServerProcess(serve_nothing)), []
    async with AsyncExitStack() as stack:
        await nothing.open(stack)
        for server in servers:
            await server.open(stack)
            if creates:
                await _create_thousand(server.client)
            await server.client.learn()
        nothing.client.ids = servers[0].client.ids
        for turn in range(effort.rounds + 1):
            costs.append(await nothing.client.cost("status", effort.calls))
            for name in CALLS:
                count = max(CONCURRENCY, int(effort.calls * FEWER.get(name, 1)))
                for server in servers:
                    cost = await server.client.cost(name, count)
                    if turn:  # the first one warms up
                        server.cpu[name].append(cost)
        return [server.figures() for server in servers], costs[1:]


def report(effort: Effort, picture: Path) -> Report:
    """Measure with few and with many tasks, and draw the cost against their number."""
    counts = COUNTS if effort.rounds > 2 else COUNTS[:-1]
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / f"{count}.db" for count in counts]
        begun = time.perf_counter()
        for path, count in zip(files, counts, strict=True):
            fill(path, count)
        seconds = time.perf_counter() - begun
        figures, nothing = asyncio.run(measured(files, effort, creates=False))
    picture.write_text(
        plot(
            "What a call costs the server, by how many tasks it stores",
            "stored tasks",
            "microseconds of CPU time",
            {name: [(each.tasks, median(each.cpu[name])) for each in figures] for name in CALLS},
        )
    )
    head = ["stored tasks", *(f"{name}, µs" for name in CALLS), "start, s", "memory, MB"]
    lines = [
        [f"{each.tasks:,}", *(f"{median(each.cpu[name]):.0f}" for name in CALLS),
         f"{each.start:.2f}", f"{each.memory:.0f}"]
        for each in figures
    ]  # fmt: skip
    said = (
        "CPU time of the server's process for a call over HTTP, SQLite on a file, medians of "
        f"{effort.rounds} rounds in which the servers take turns. The files were filled in "
        f"{seconds:.0f} s."
    )
    rows = [*_rows(figures[0], figures[-1]), *_rows_against(nothing, figures[-1])]
    return Report(rows, f"{said}\n\n{table(head, lines)}")


def _rows_against(nothing: list[float], many: Figures) -> list[Row]:
    other, tasks = "a handler of aiohttp that does nothing", f"with {many.tasks:,} tasks"
    return [
        compare(
            f"server, {name} {tasks}, CPU",
            "µs",
            (other, many.cpu[name], nothing),
            at_most=at_most,
        )
        for name, at_most in AGAINST_NOTHING.items()
    ]


def _rows(few: Figures, many: Figures) -> list[Row]:
    start, more, tasks = many.start, many.memory - few.memory, f"with {many.tasks:,} tasks"
    return [
        *(_row(name, few, many) for name in CALLS),
        Row(f"server, start {tasks}", f"{start:.2f} s", f"{few.tasks:,} tasks: "
            f"{few.start:.2f} s", f"{start:.2f} s", "≤ 1 s", judge(start, at_most=1)),
        Row(f"server, resident memory {tasks}", f"{many.memory:.0f} MB",
            f"{few.tasks:,} tasks: {few.memory:.0f} MB", f"{more:+.0f} MB", "≤ +10 MB",
            judge(more, at_most=10)),
    ]  # fmt: skip


def _row(name: str, few: Figures, many: Figures) -> Row:
    value = ratio(many.cpu[name], few.cpu[name])
    return Row(
        f"server, {name} with {many.tasks:,} tasks, CPU",
        f"{median(many.cpu[name]):.0f} µs",
        f"{few.tasks:,} tasks: {median(few.cpu[name]):.0f} µs",
        f"{value:.2f}x",
        "≤ 1.1x",
        judge(value, at_most=1.1),
    )


if __name__ == "__main__":
    if "API_ONLY" in sys.argv:
        with tempfile.TemporaryDirectory() as place:
            (found,), _ = asyncio.run(measured([Path(place) / "a.db"], FULL, creates=True))
        for each in CALLS:
            print(f"{each}: {median(found.cpu[each]):.1f} us")
        print(f"{found.memory:.0f} MB")
    else:
        effort = QUICK if "--quick" in sys.argv else FULL
        found_out = report(effort, Path(tempfile.gettempdir()) / "server.svg")
        print(found_out.details)
        for row in found_out.rows:
            print(row.what, row.ours, row.against, row.measured, row.wanted, row.verdict)
