"""The sides of waking: processes that wait for tasks whose end a webhook reports.

Each has its receiver in the event loop of its waits, so that one process's CPU time is all of it.
"""

import asyncio
import multiprocessing
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from multiprocessing.connection import Connection
from statistics import quantiles
from typing import Any

import aiohttp
import attrs
import orjson
from aiohttp import web

from benchmarks.servers.fake import FakeServer, Population
from benchmarks.waiters import end
from benchmarks.waiting import control
from browser_use_async import BrowserUseSession, webhooks
from tests.webhooks.calls import SECRET

__all__ = ["Figures", "Side", "p99", "receiving", "together"]

PATIENCE = 100_000.0  # seconds: no wait gives up here
STANDING = 3.0  # seconds until waits have begun, and the first poll of all tasks is over


Wait = Callable[[str], Awaitable[object]]


@attrs.frozen
class Side:
    """The work of a process.

    Attributes:
        url: The world.
        name: One of `SIDES`.
        window: Seconds after which it stops waiting for what has not ended.
    """

    url: str
    name: str
    window: float


@attrs.frozen
class Figures:
    """The result of a side.

    Attributes:
        delays: Seconds from each task's true end to the moment in which its awaiter went on.
        after: Seconds from the delivery of its event to that moment.
        counts: What the server counted.
        cpu: Seconds of CPU time once the waits stood, the receiver's among them.
        starting: Seconds of CPU time before that.
        woken: How many ended after they stood.
    """

    delays: list[float]
    after: list[float]
    counts: dict[str, float]
    cpu: float
    starting: float
    woken: int

    @property
    def requests(self) -> float:
        """Requests to the API per finished task."""
        asked = sum(self.counts.get(route, 0) for route in ("status", "list", "get"))
        return asked / max(len(self.delays), 1)

    @property
    def looks(self) -> float:
        """The requests without the confirming gets."""
        asked = sum(self.counts.get(route, 0) for route in ("status", "list"))
        return asked / max(len(self.delays), 1)

    @property
    def cpu_each(self) -> float:
        """Milliseconds of CPU time per task that ended once the waits stood."""
        return self.cpu / max(self.woken, 1) * 1e3


def p99(values: list[float]) -> float:
    """The 99th percentile."""
    return quantiles(values, n=100)[98] if len(values) > 1 else 0.0


@asynccontextmanager
async def receiving(handler: Callable[[web.Request], Any]) -> AsyncIterator[int]:
    """A server of aiohttp with one handler; its port."""
    application = web.Application()
    application.router.add_post("/webhook", handler)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=1000).start()
    try:
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()


@asynccontextmanager
async def polling(side: Side, _heard: dict[str, float]) -> AsyncIterator[tuple[Wait, None]]:
    """This package without a receiver, which is the control."""
    async with _session(side) as session:
        yield partial(session.wait, timeout=PATIENCE), None


def _record(heard: dict[str, float], event: object) -> None:
    if isinstance(event, webhooks.TaskStatusUpdate):
        heard[event.task_id] = time.monotonic()


@asynccontextmanager
async def attached(side: Side, heard: dict[str, float]) -> AsyncIterator[tuple[Wait, int]]:
    """This package with a receiver."""
    async with _session(side) as session:
        receiver = webhooks.WebhookReceiver(SECRET)
        receiver.subscribe(partial(_record, heard))
        session.attach(receiver)
        async with receiving(receiver.aiohttp_handler) as port:
            yield partial(session.wait, timeout=PATIENCE), port


def _session(side: Side) -> BrowserUseSession:
    return BrowserUseSession("key", base_url=f"{side.url}/api/v1")


@asynccontextmanager
async def bare(side: Side, _heard: dict[str, float]) -> AsyncIterator[tuple[Wait, int]]:
    """aiohttp with the same two exchanges per task: no signature, no check, no other poll."""
    futures: defaultdict[str, asyncio.Future[None]] = defaultdict(
        asyncio.get_running_loop().create_future
    )
    async with aiohttp.ClientSession() as http:

        async def handle(request: web.Request) -> web.Response:
            event = orjson.loads(await request.read())
            future = futures[event["payload"]["task_id"]]
            if not future.done():  # the window may be over, and with it the wait
                future.set_result(None)
            return web.Response()

        async def wait(task_id: str) -> object:
            await futures[task_id]
            async with http.get(f"{side.url}/api/v1/task/{task_id}") as reply:
                return orjson.loads(await reply.read())

        async with receiving(handle) as port:
            yield wait, port


SIDES: dict[
    str, Callable[[Side, dict[str, float]], AbstractAsyncContextManager[tuple[Wait, int | None]]]
] = {"attached": attached, "polling": polling, "bare": bare}


async def wait_for_all(side: Side) -> Figures:
    """Wait for every task of a world."""
    ends = control(side.url, "tasks")
    delays: list[float] = []
    after: list[float] = []
    heard: dict[str, float] = {}
    async with SIDES[side.name](side, heard) as (wait, port):
        started, used = time.monotonic(), time.process_time()

        async def one(task_id: str) -> None:
            await wait(task_id)
            now = time.monotonic()
            delays.append(now - max(ends[task_id], started))
            if task_id in heard:
                after.append(now - heard[task_id])

        waits = [asyncio.create_task(one(task_id)) for task_id in ends]
        if port is not None:
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(None, control, side.url, f"hook-{port}")
        await asyncio.wait(waits, timeout=STANDING)
        starting, early = time.process_time() - used, len(delays)
        await asyncio.wait(waits, timeout=side.window - STANDING)
        used = time.process_time() - used - starting
        counts = control(side.url, "counts")
        await end(waits)
    return Figures(delays, after, counts, used, starting, len(delays) - early)


def be_a_side(pipe: Connection) -> None:
    """Import everything, report it, and begin."""
    pipe.send("ready")
    pipe.send(asyncio.run(wait_for_all(pipe.recv())))


def together(server: FakeServer, orders: list[tuple[Side, Population]]) -> list[Figures]:
    """Run sides at the same time, each in a world of its own."""
    context = multiprocessing.get_context("spawn")
    running = []
    for _order in orders:
        here, there = context.Pipe()
        process = context.Process(target=be_a_side, args=(there,), daemon=True)
        process.start()
        there.close()
        running.append((process, here))
    for _process, pipe in running:
        pipe.recv()
    for (side, population), (_process, pipe) in zip(orders, running, strict=True):
        pipe.send(attrs.evolve(side, url=server.open(population)))
    figures = [pipe.recv() for _process, pipe in running]
    for process, _pipe in running:
        process.join()
    return figures
