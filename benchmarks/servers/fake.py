"""The tests' fake service with tasks that live as long as real ones do, in a process of its own.

Their durations are lognormal, on the machine's clock, which all processes share. Each world has a
port of its own, so that several clients are measured at once and none is counted for another.
What only the benchmark may know stands under `/control`.
"""

import asyncio
import contextlib
import gc
import json
import math
import random
import time
from functools import partial
from multiprocessing.connection import Connection
from statistics import NormalDist
from typing import Any

import aiohttp
import attrs

from benchmarks.peers import version_2
from benchmarks.servers.process import ServerProcess
from tests.support.fake_service import Asked, FakeService
from tests.support.fake_task import FakeTask
from tests.support.http_in_memory import HttpConnection
from tests.support.wire import Request, response
from tests.webhooks.calls import body_of, event, headers_of

__all__ = ["Burst", "FakeServer", "LongTask", "Population", "World", "WorldConnection"]

PROMPT = (
    "Open the shop's order page, sign in with the given account, find every order of the last "
    "thirty days that was not delivered, and give for each of them its number, the date, the "
    "total with its currency and the carrier's tracking link as a JSON list. Do not buy anything."
)  # about as long as the prompts that people write
OUTPUT = json.dumps([{"order": f"A-{n}", "total": "19.90 EUR"} for n in range(6)])
STRATA = 25


@attrs.frozen
class Population:
    """The tasks of a world.

    Attributes:
        count: How many begin with it.
        median: Seconds that half of them take.
        sigma: The spread of the logarithms of the durations.
        longest: Seconds that none of them exceeds.
        seed: The source of chance; the same seed makes the same durations.
        older: Finished tasks that fill the pages behind them.
        latency: Seconds that the API takes for an answer.
        before_loss: The number of webhook events after which all others are lost; None for none.
    """

    count: int
    median: float
    sigma: float
    longest: float = math.inf
    seed: int = 1
    older: int = 300
    latency: float = 0.0
    before_loss: int | None = None


def _json(content: object) -> str:
    """As the service's framework writes it, without white space."""
    return json.dumps(content, separators=(",", ":"))


@attrs.define(eq=False)
class LongTask(FakeTask):
    """A task whose answers are about as long as the service's."""

    output: str | None = OUTPUT
    steps: Any = 12
    step_seconds: float = 1e-6
    task: str = PROMPT
    metadata: dict[str, str] = attrs.field(factory=lambda: {"customer": "4711"})
    live_after: float | None = 0.0
    _written: dict[str, str] = attrs.field(factory=dict)

    def written(self) -> str:
        """The JSON of its row, which is made once for each status: lists must cost little."""
        status = self.status()
        if status not in self._written:
            self._written[status] = _json(self.row())
        return self._written[status]

    def whole(self) -> dict[str, Any]:
        """The task with its steps."""
        whole = super().whole()
        for step in whole["steps"]:
            step["evaluation_previous_goal"] = "Success: the page shows the list of orders. " * 4
            step["next_goal"] = "Open the next order and read its total and tracking link. " * 4
        whole |= {"user_uploaded_files": [], "output_files": []}
        return {**whole, "browser_data": None, "public_share_url": None}


class World(FakeService):
    """The service with these tasks, and with such tasks for those who create more.

    Its webhook calls the receiver that `/control/hook-PORT` names.

    Args:
        population: Which tasks there are.
        http: The client of its webhook.

    Attributes:
        population: Which tasks there are.
        watched: The tasks that began with it.
        in_flight: How many calls are being answered.
        most_in_flight: The most that were.
    """

    def __init__(self, population: Population, http: aiohttp.ClientSession | None = None) -> None:
        super().__init__()
        self.population = population
        self.in_flight = self.most_in_flight = 0
        self._http = http
        self._work: list[asyncio.Task[None]] = []
        self._draw = random.Random(population.seed)
        self._strata: list[int] = []
        self.make = lambda _body: self._drawn()
        for _ in range(population.older):
            self.add(LongTask(life=((0.0, "running"), (3600.0, "finished"))), aged=7200.0)
        self.watched = [self.add(self._drawn()) for _ in range(population.count)]
        for task in self.tasks.values():
            self.shown(task)  # written now, and not while clients are measured

    def _drawn(self) -> FakeTask:
        tasks = self.population
        seconds = tasks.median * math.exp(self._deviation() * tasks.sigma)
        return LongTask(life=((0.0, "running"), (min(seconds, tasks.longest), "finished")))

    def _deviation(self) -> float:
        """A draw from the normal distribution, one from each of its 25 parts before the next.

        Few tasks then have nearly the mean of many, and clients meet nearly the same work.
        """
        if not self._strata:
            self._strata = self._draw.sample(range(STRATA), STRATA)
        part = (self._strata.pop() + self._draw.uniform(1e-6, 1 - 1e-6)) / STRATA
        return NormalDist().inv_cdf(part)

    def listed(self) -> list[FakeTask]:
        """All tasks, at once: the list of thousands is read a hundred times in a second."""
        return list(reversed(self.tasks.values()))

    def text(self, request: Request) -> tuple[int, str]:
        """The status and the body of an answer."""
        path = request.target.partition("?")[0]
        if path.startswith("/control/"):
            return 200, _json(self._control(path.rpartition("/")[2]))
        asked = Asked.parse(request.method, request.target, request.body)
        if not asked.route:
            return 200, _json(version_2.answer(self, request.method, path))
        status, content = self.answer(asked)
        if asked.route != "list":
            return status, _json(content)
        rows = ",".join(content.pop("tasks"))
        return status, f'{{"tasks":[{rows}],{_json(content)[1:]}'

    def shown(self, task: FakeTask) -> str:
        """A row of the list, as JSON."""
        assert isinstance(task, LongTask)
        return task.written()

    def _control(self, what: str) -> object:
        match what.split("-"):
            case ["tasks"]:
                return {task.id: task.ended_at for task in self.watched}
            case ["counts"]:
                return self.carried_out
            case ["most"]:
                most, self.most_in_flight = self.most_in_flight, 0
                return {"most": most}
            case [_hook, port]:
                ends = sorted(self.watched, key=lambda task: task.ended_at)
                for task in ends[: self.population.before_loss]:
                    work = self._notify(task, f"http://127.0.0.1:{port}/webhook")
                    self._work.append(asyncio.create_task(work))
        return {}

    async def _notify(self, task: FakeTask, url: str) -> None:
        await asyncio.sleep(task.ended_at - time.monotonic())
        body = body_of(event("finished", task.id, metadata=task.metadata))
        # The side may have stopped listening.
        assert self._http is not None
        with contextlib.suppress(aiohttp.ClientError):
            async with self._http.post(url, data=body, headers=headers_of(body)):
                pass


class WorldConnection(HttpConnection):
    """A client's connection to a world: the tests' own is slow beside clients that are measured."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world

    def serve(self, request: Request) -> None:
        """Answer a request after the world's latency."""
        world = self._world
        world.in_flight += 1
        world.most_in_flight = max(world.most_in_flight, world.in_flight)
        latency = 0.0 if request.target.startswith("/control/") else world.population.latency
        if latency:
            asyncio.get_running_loop().call_later(latency, self._answer, request)
        else:
            self._answer(request)

    def _answer(self, request: Request) -> None:
        self._world.in_flight -= 1
        self.transport.write(response(*self._world.text(request)))
        self.go_on()


@attrs.frozen
class Burst:
    """Events that are sent one after the other, evenly spread, for any answers.

    Attributes:
        port: Where the receiver is.
        count: How many.
        seconds: Over how long.
        slow: Connections with a body that does not come, open meanwhile.
    """

    port: int
    count: int
    seconds: float
    slow: int


async def _burst(burst: Burst, http: aiohttp.ClientSession) -> list[tuple[int, float]]:
    url = f"http://127.0.0.1:{burst.port}/webhook"
    slow = [await asyncio.open_connection("127.0.0.1", burst.port) for _ in range(burst.slow)]
    lines = "".join(f"{name}: {text}\r\n" for name, text in headers_of(b"{").items())
    for _reader, writer in slow:
        head = f"POST /webhook HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n{lines}\r\n{{"
        writer.write(head.encode())

    async def send(number: int) -> tuple[int, float]:
        body = body_of(event(task_id=f"task-{number}"))
        await asyncio.sleep(number * burst.seconds / burst.count)
        began = time.monotonic()
        async with http.post(url, data=body, headers=headers_of(body)) as reply:
            await reply.read()
        return reply.status, time.monotonic() - began

    answers = await asyncio.gather(*map(send, range(burst.count)))
    for _reader, writer in slow:
        writer.close()
    return answers


def _serve(pipe: Connection) -> None:
    """Open worlds and send bursts as they are ordered, until the process is ended."""

    async def forever() -> None:
        loop = asyncio.get_running_loop()
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=200)) as http:
            while True:
                order: Burst | Population = await loop.run_in_executor(None, pipe.recv)
                if isinstance(order, Burst):
                    pipe.send(await _burst(order, http))
                    continue
                world = World(order, http)
                server = await loop.create_server(
                    partial(WorldConnection, world), "127.0.0.1", 0, backlog=1000
                )
                gc.freeze()  # else each collection looks at all tasks, which delays answers
                pipe.send(server.sockets[0].getsockname()[1])

    with contextlib.suppress(EOFError, KeyboardInterrupt):
        asyncio.run(forever())


class FakeServer(ServerProcess):
    """The server's process, seen from the benchmark's. Use as a context manager."""

    def __init__(self) -> None:
        super().__init__(_serve)

    def open(self, population: Population) -> str:
        """Begin a world, and give its root URL."""
        self.pipe.send(population)
        return f"http://127.0.0.1:{self.pipe.recv()}"

    def burst(self, burst: Burst) -> list[tuple[int, float]]:
        """Send events, and give the status and the seconds of each answer."""
        self.pipe.send(burst)
        answers: list[tuple[int, float]] = self.pipe.recv()
        return answers
