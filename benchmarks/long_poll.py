"""Held calls against today's sweep of polls: 1,000 running tasks on the bundled server.

Both sides have a server and a client process of their own, and run at the same time. The same two
ways against a server that holds no calls show that asking for it costs nothing there.
"""

import asyncio
import math
import multiprocessing
import os
import random
import sys
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from multiprocessing.connection import Connection
from statistics import median, quantiles

import attrs

from benchmarks.harness import FULL, QUICK, Effort, Report, Row, compare, judge, table
from benchmarks.servers.fake import FakeServer, Population
from benchmarks.servers.process import ServerProcess
from benchmarks.waiting import control
from browser_use_async import BrowserUseSession, PollPolicy
from browser_use_async.server import ChromiumSettings, LocalServer
from browser_use_async.server.executors.protocol import Control, Executor
from browser_use_async.server.records import Assignment, Finished
from browser_use_async.server.secrets.encryption import KEY_VARIABLE
from tests.support.postgres import started_server

COUNT = 1000
MANY = 10_000
ENDS = 24  # of the many in each second, as of tasks that take seven minutes
SIGMA = 0.5
NODE_KEY = "a-key-of-the-benchmark"  # of servers that share a database
ROUND_TRIP = 0.01  # seconds of a get-task on this machine while it is busy, generously


@attrs.frozen
class Figures:
    """The result of one side.

    Attributes:
        finished: Waits that ended.
        requests: Requests by operation, as the server counted them.
        client: Seconds of CPU time of the client.
        server: The same of the server.
        delays: Seconds from each task's end to the moment in which its awaiter went on.
    """

    finished: int
    requests: dict[str, int]
    client: float
    server: float
    delays: list[float]

    @property
    def detections(self) -> float:
        """Requests per finished task that found out that it had ended."""
        asked = self.requests.get("get_task_status", 0) + self.requests.get("list_tasks", 0)
        return asked / max(self.finished, 1)

    @property
    def cpu(self) -> float:
        """Milliseconds of CPU time of both sides per finished task."""
        return (self.client + self.server) / max(self.finished, 1) * 1e3

    @property
    def p99(self) -> float:
        """The delay that one task in a hundred exceeds."""
        return quantiles(self.delays, n=100)[98]


class Sleeper(Executor):
    """An executor whose tasks begin together, and take as many seconds as their text says.

    Attributes:
        begin: Set to let them begin.
        ends: When each has ended, by its id.
    """

    name = "sleeper"

    def __init__(self) -> None:
        self.begin = asyncio.Event()
        self.ends: dict[str, float] = {}

    async def run(self, assignment: Assignment, control: Control) -> AsyncIterator[Finished]:
        """Sleep, and report it."""
        await self.begin.wait()
        await asyncio.sleep(float(assignment.task))
        self.ends[assignment.task_id] = time.monotonic()
        yield Finished("Slept.")

    async def aclose(self) -> None:
        """Nothing is open."""


def beginning(count: int) -> float:
    """Seconds in which a client begins so many waits: an end before that is no delay."""
    return 2 + count / 2500


def durations(count: int, middle: float, longest: float, seed: int) -> list[float]:
    """Lognormal durations, the same for each side of a round."""
    source = random.Random(seed)
    return [min(source.lognormvariate(math.log(middle), SIGMA), longest) for _ in range(count)]


@asynccontextmanager
async def servers(
    executor: Sleeper, count: int, database: str | None
) -> AsyncGenerator[LocalServer]:
    """The server that answers: it runs the tasks, or another one of the same database does."""
    if database is None:
        async with LocalServer(executor=executor, balance_cents=10**9) as server:
            yield server
        return
    os.environ[KEY_VARIABLE] = NODE_KEY
    node = partial(LocalServer, executor=executor, database=database, api_key=NODE_KEY)
    limits = ChromiumSettings(max_browsers=count)
    worker = node(role="worker", chromium=limits, balance_cents=10**9)
    async with worker, node(role="api") as server:
        yield server


def serve(pipe: Connection, seconds: list[float], database: str | None = None) -> None:
    """Be the server: create the tasks, start them on command, and send the figures at the end."""

    async def run() -> None:
        executor = Sleeper()
        async with servers(executor, len(seconds), database) as server:
            async with BrowserUseSession(server.api_key, base_url=server.base_url) as session:
                ids = [(await session.submit(str(each))).id for each in seconds]
            pipe.send((server.base_url, server.api_key, ids))
            await asyncio.to_thread(pipe.recv)
            requests, used = server.requests.copy(), time.process_time()
            executor.begin.set()
            await asyncio.to_thread(pipe.recv)
            used = time.process_time() - used
            pipe.send((dict(server.requests - requests), used, executor.ends))
            await asyncio.to_thread(pipe.recv)

    asyncio.run(run())


async def wait_for_all(
    url: str, key: str, ids: list[str], window: float, *, long_poll: bool
) -> tuple[dict[str, float], float]:
    """Wait for all tasks; when each wait ended, and the CPU time of all."""
    ended: dict[str, float] = {}
    policy = PollPolicy(long_poll=long_poll)
    async with BrowserUseSession(key, base_url=url, poll=policy) as session:
        used = time.process_time()

        async def one(task_id: str) -> None:
            await session.wait(task_id)
            ended[task_id] = time.monotonic()

        waits = [asyncio.create_task(one(task_id)) for task_id in ids]
        await asyncio.wait(waits, timeout=window)
        used = time.process_time() - used
        for each in waits:
            each.cancel()
        await asyncio.gather(*waits, return_exceptions=True)
    return ended, used


def be_client(pipe: Connection, long_poll: bool) -> None:
    """Be a client: wait for the tasks that come through the pipe."""
    pipe.send("ready")
    url, key, ids, window = pipe.recv()
    pipe.send(asyncio.run(wait_for_all(url, key, ids, window, long_poll=long_poll)))


class Client:
    """A client in a process of its own, which has imported all that it needs."""

    def __init__(self, long_poll: bool) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, there = context.Pipe()
        self._process = context.Process(target=be_client, args=(there, long_poll), daemon=True)
        self._process.start()
        self.pipe.recv()

    def result(self) -> tuple[dict[str, float], float]:
        """When each wait ended, and the CPU time of all."""
        ended: dict[str, float]
        ended, used = self.pipe.recv()
        self._process.join()
        return ended, used


def one_round(seconds: list[float], window: float) -> dict[bool, Figures]:
    """Both sides at the same time."""
    servers = {held: ServerProcess(serve, seconds) for held in (True, False)}
    figures = {}
    with servers[True], servers[False]:
        clients = {held: Client(held) for held in servers}
        places = {held: server.pipe.recv() for held, server in servers.items()}
        for held in servers:
            clients[held].pipe.send((*places[held], beginning(len(seconds)) + window))
        time.sleep(beginning(len(seconds)))
        for server in servers.values():
            server.pipe.send("begin")
        for held, server in servers.items():
            ended, client = clients[held].result()
            server.pipe.send("figures")
            requests, used, ends = server.pipe.recv()
            delays = [ended[each] - ends[each] for each in ended]
            figures[held] = Figures(len(ended), requests, client, used, delays)
    return figures


def ignoring(effort: Effort) -> list[Row]:
    """Requests and CPU time against a server that holds no calls, with and without asking."""
    longest = effort.wait_seconds
    asked: dict[bool, list[float]] = {True: [], False: []}
    used: dict[bool, list[float]] = {True: [], False: []}
    with FakeServer() as server:
        for seed in range(1, effort.long_rounds + 1):
            population = Population(500, longest * 0.4, 0.5, longest, seed)
            urls = {held: server.open(population) for held in (True, False)}
            clients = {held: Client(held) for held in urls}
            for held, url in urls.items():
                place = (f"{url}/api/v1", "key", list(control(url, "tasks")))
                clients[held].pipe.send((*place, longest + 30))
            for held, url in urls.items():
                ended, cpu = clients[held].result()
                counts = control(url, "counts")
                detecting = counts.get("status", 0) + counts.get("list", 0)
                asked[held].append(detecting / len(ended))
                used[held].append(cpu / len(ended) * 1e3)

    def row(what: str, unit: str, figures: dict[bool, list[float]], bound: float) -> Row:
        named = ("long_poll=False", figures[True], figures[False])
        return compare(f"500 waits, nothing is held: {what}", unit, named, at_most=bound)

    return [
        row("detection requests per task", "", asked, 1.05),
        row("CPU per task", "ms", used, 1.1),
    ]


def through_another_node(count: int, window: float) -> list[float]:
    """The delays of this many waits on a node that runs none of their tasks."""
    source = random.Random(2)
    seconds = [source.uniform(0, count / ENDS) for _ in range(count)]
    with (
        started_server() as postgres,
        postgres.database() as database,
        ServerProcess(serve, seconds, database) as server,
    ):
        client = Client(long_poll=True)
        place = server.pipe.recv()
        client.pipe.send((*place, beginning(count) + window))
        time.sleep(beginning(count))
        server.pipe.send("begin")
        ended, _used = client.result()
        server.pipe.send("figures")
        _requests, _used, ends = server.pipe.recv()
    return [ended[each] - ends[each] for each in ended]


def noticing(what: str, delays: list[float]) -> Row:
    """How soon ends are noticed."""
    p50, p99 = median(delays), quantiles(delays, n=100)[98]
    return Row(
        f"{what}, held calls: end to notice, p99",
        f"{p99 * 1e3:.1f} ms",
        f"p50 {p50 * 1e3:.1f} ms",
        f"{p99 * 1e3:.1f} ms",
        "≤ 25 ms + one round trip",
        judge(p99, at_most=25e-3 + ROUND_TRIP),
    )


def many(effort: Effort) -> list[Row]:
    """The share of a core that a client with very many waits uses, and its delays."""
    window = effort.wait_seconds
    source = random.Random(1)
    sides = one_round([source.uniform(0, MANY / ENDS) for _ in range(MANY)], window)
    held, polled = (sides[each].client / window * 100 for each in (True, False))
    count = MANY if effort is FULL else MANY // 10
    share = Row(
        f"{MANY:,} waits, {sides[True].finished / window:.0f} ends a second, held calls: share of a"
        " core, the starts and the gets included",
        f"{held:.1f} %",
        f"long_poll=False: {polled:.1f} %",
        f"{held:.1f} %, p99 delay {sides[True].p99 * 1e3:,.0f} ms",
        "≤ 6 %",
        judge(held, at_most=6),
    )
    return [
        share,
        noticing(f"{MANY:,} waits", sides[True].delays),
        noticing(f"{count:,} waits through another node", through_another_node(count, window)),
    ]


def report(effort: Effort) -> Report:
    """Measure, and compare with the goals."""
    middle = effort.wait_seconds
    count = COUNT if effort is FULL else COUNT // 4
    runs = [
        one_round(durations(count, middle, 2.5 * middle, seed), 2.5 * middle + 15)
        for seed in range(1, min(effort.long_rounds, 2) + 1)
    ]
    held, polled = [each[True] for each in runs], [each[False] for each in runs]
    asked, p99 = median(each.detections for each in held), median(each.p99 for each in held)
    least = 50e-3 + ROUND_TRIP
    rows = [
        Row(
            f"{count:,} tasks of {middle:.0f} s, held calls: detection requests per task",
            f"{asked:.3f}",
            f"long_poll=False: {median(each.detections for each in polled):.3f}",
            f"{asked:.3f}",
            "≤ 0.1",
            judge(asked, at_most=0.1),
        ),
        Row(
            "the same: p99 delay",
            f"{p99 * 1e3:.0f} ms",
            f"long_poll=False: {median(each.p99 for each in polled) * 1e3:,.0f} ms",
            f"{p99 * 1e3:.0f} ms",
            "≤ 50 ms + one round trip",
            judge(p99, at_most=least),
        ),
        *(
            compare(
                f"the same: CPU time of {whose}",
                unit,
                (
                    "long_poll=False",
                    [getattr(each, side) for each in held],
                    [getattr(each, side) for each in polled],
                ),
                at_most=1.0,
            )
            for side, whose, unit in (
                ("cpu", "both sides, per task", "ms"),
                ("client", "the client", "s"),
                ("server", "the server", "s"),
            )
        ),
        *ignoring(effort),
        *many(effort),
    ]
    lines = [
        [
            name,
            f"{median(each.finished for each in side):,.0f}",
            f"{median(each.detections for each in side):.3f}",
            f"{median(each.cpu for each in side):.2f}",
            f"{median(each.client for each in side):.2f}",
            f"{median(each.server for each in side):.2f}",
            f"{median(median(each.delays) for each in side) * 1e3:,.1f}",
            f"{median(each.p99 for each in side) * 1e3:,.1f}",
        ]
        for name, side in (("held calls", held), ("long_poll=False", polled))
    ]
    head = (
        f"{count:,} tasks, median {middle:.0f} s|finished|detecting requests per task"
        "|CPU ms per task|client s|server s|p50 ms|p99 ms"
    )
    return Report(rows, table(head.split("|"), lines))


if __name__ == "__main__":
    result = report(QUICK if "--quick" in sys.argv else FULL)
    print(*result.rows, result.details, sep="\n")
