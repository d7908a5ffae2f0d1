"""A service whose tasks live as long as real ones do: lognormal durations, on the machine's clock.

It speaks Cloud API v1 (run-task, status, task, list) and the part of version 2 that the vendor's
client polls. It counts requests by route, and shows on `/control/tasks` when each task truly ends,
on `time.monotonic()`, which all processes of a machine share. Every world has a port of its own, so
that several clients are measured at once and none is counted for another.
"""

import asyncio
import contextlib
import json
import math
import random
import time
import uuid
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from multiprocessing.connection import Connection
from statistics import NormalDist
from typing import Any

import attrs

from benchmarks.servers.process import ServerProcess

__all__ = ["LifelikeServer", "Population", "Task", "World"]

PROMPT = (
    "Open the shop's order page, sign in with the given account, find every order of the last "
    "thirty days that was not delivered, and give for each of them its number, the date, the "
    "total with its currency and the carrier's tracking link as a JSON list. Do not buy anything."
)  # about as long as the prompts that people write
OUTPUT = json.dumps([{"order": f"A-{n}", "total": "19.90 EUR"} for n in range(6)])
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
STEPS = 12
STRATA = 25


@attrs.frozen
class Population:
    """Tasks that exist from the beginning of a world.

    Attributes:
        count: How many.
        median: Seconds that half of them take.
        sigma: The spread of the logarithms of the durations.
        longest: Seconds that none of them exceeds.
        seed: The source of chance; the same seed makes the same durations.
        older: Finished tasks that fill the pages behind them.
    """

    count: int
    median: float
    sigma: float
    longest: float = math.inf
    seed: int = 1
    older: int = 300


@attrs.define(eq=False)
class Task:
    """One task.

    Attributes:
        id: Its id, which version 2 wants to be a UUID.
        born: When it was created.
        ends: When it truly ends.
        alive: Its row of the list before.
        ended: Its row of the list after.
    """

    id: str
    born: float
    ends: float
    alive: bytes = attrs.field(init=False)
    ended: bytes = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.alive = _json(self.row("running"))
        self.ended = _json(self.row("finished"))

    def created(self, version: str) -> dict[str, str]:
        """The answer to the call that created it."""
        return {"id": self.id} if version == "v1" else {"id": self.id, "sessionId": self.id}

    def row(self, status: str) -> dict[str, Any]:
        """A row of the list, about as large as the service's."""
        over = status == "finished"
        return {
            "id": self.id,
            "task": PROMPT,
            "output": OUTPUT if over else None,
            "status": status,
            "created_at": _moment(self.born),
            "finished_at": _moment(self.ends) if over else None,
            "live_url": f"https://live.example.com/?session={self.id}",
            "metadata": {"customer": "4711"},
        }

    def whole(self, status: str, count: int = STEPS) -> dict[str, Any]:
        """The task with its steps."""
        steps = [
            {
                "id": f"{self.id}-{number}",
                "step": number,
                "evaluation_previous_goal": "Success: the page shows the list of orders. " * 4,
                "next_goal": "Open the next order and read its total and tracking link. " * 4,
                "url": "https://shop.example.com/orders?page=2",
            }
            for number in range(1, count + 1)
        ]
        return {
            **self.row(status),
            "steps": steps,
            "browser_data": None,
            "user_uploaded_files": [],
            "output_files": [],
            "public_share_url": None,
        }

    def whole_v2(self, status: str, count: int = STEPS) -> dict[str, Any]:
        """The same, as version 2 of the API writes it."""
        v1 = self.whole(status, count)
        return {
            "id": self.id,
            "sessionId": self.id,
            "llm": "browser-use-llm",
            "task": v1["task"],
            "status": status,
            "createdAt": v1["created_at"],
            "startedAt": v1["created_at"],
            "finishedAt": v1["finished_at"],
            "metadata": v1["metadata"],
            "output": v1["output"],
            "outputFiles": [],
            "isSuccess": True,
            "steps": [
                {
                    "number": step["step"],
                    "memory": "",
                    "evaluationPreviousGoal": step["evaluation_previous_goal"],
                    "nextGoal": step["next_goal"],
                    "url": step["url"],
                    "screenshotUrl": None,
                    "actions": [],
                }
                for step in v1["steps"]
            ],
        }


def _json(value: object) -> bytes:
    """As the service's framework writes it, without white space."""
    return json.dumps(value, separators=(",", ":")).encode()


def _moment(seconds: float) -> str:
    return (EPOCH + timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")


class World:
    """The tasks of one port.

    Args:
        population: Which tasks there are.
        clock: Returns the time: the simulated one of a virtual loop, or the machine's.

    Attributes:
        tasks: By id, oldest first.
        counts: Requests by route.
    """

    def __init__(self, population: Population, clock: Callable[[], float] = time.monotonic) -> None:
        self._population = population
        self._clock = clock
        self._draw = random.Random(population.seed)
        self._strata: list[int] = []
        self.tasks: dict[str, Task] = {}
        self._order: list[Task] = []
        self.counts: Counter[str] = Counter()
        self.watched: list[Task] = []
        now = clock()
        for _ in range(population.older):
            self._add(now - 7200, now - 3600)
        for _ in range(population.count):
            self.watched.append(self.create())

    def create(self) -> Task:
        """Let a task begin now."""
        population = self._population
        duration = population.median * math.exp(self._deviation() * population.sigma)
        now = self._clock()
        return self._add(now, now + min(duration, population.longest))

    def _deviation(self) -> float:
        """A draw from the normal distribution, one from each of its 25 parts before the next.

        Few tasks then have nearly the mean of many, and clients meet nearly the same work.
        """
        if not self._strata:
            self._strata = self._draw.sample(range(STRATA), STRATA)
        part = (self._strata.pop() + self._draw.uniform(1e-6, 1 - 1e-6)) / STRATA
        return NormalDist().inv_cdf(part)

    def _add(self, born: float, ends: float) -> Task:
        task = Task(str(uuid.UUID(int=self._draw.getrandbits(128))), born, ends)
        self.tasks[task.id] = task
        self._order.append(task)
        return task

    def answer(self, method: str, target: str) -> bytes:
        """The body of the answer to a request, which is counted; empty for an unknown path."""
        path, _mark, query = target.partition("?")
        parts = path.strip("/").split("/")
        if parts[0] == "control":
            return self._control(parts[1])
        version, rest = parts[1], parts[2:]
        if method == "POST":
            self.counts["create"] += 1
            return _json(self.create().created(version))
        if rest[0] == "stop-task":  # by clients that give up what still runs at the end
            return b"{}"
        if rest[0] == "tasks" and len(rest) == 1:
            self.counts["list"] += 1
            return self._page(dict(pair.split("=") for pair in query.split("&") if pair))
        task = self.tasks.get(rest[1])
        if task is None:
            return b""
        if len(rest) == 3:
            self.counts["status"] += 1
            return self._status(version, task)
        self.counts["get"] += 1
        if version == "v1":
            return _json(task.whole(self._state(task, "running")))
        return _json(task.whole_v2(self._state(task, "started")))

    def _state(self, task: Task, alive: str) -> str:
        return "finished" if self._clock() >= task.ends else alive

    def _status(self, version: str, task: Task) -> bytes:
        if version == "v1":
            return _json(self._state(task, "running"))
        state = self._state(task, "started")
        over = state == "finished"
        value = {
            "id": task.id,
            "status": state,
            "output": OUTPUT if over else None,
            "finishedAt": _moment(task.ends) if over else None,
            "isSuccess": True if over else None,
            "cost": "0.05" if over else None,
        }
        return _json(value)

    def _page(self, query: dict[str, str]) -> bytes:
        page, limit = int(query.get("page", "1")), min(int(query.get("limit", "10")), 100)
        total, now = len(self._order), self._clock()
        last = total - (page - 1) * limit
        tasks = reversed(self._order[max(last - limit, 0) : max(last, 0)])
        rows = b",".join(task.ended if now >= task.ends else task.alive for task in tasks)
        tail = (
            f'],"total_pages":{math.ceil(total / limit)},"page":{page},"limit":{limit},'
            f'"total_count":{total}}}'
        )
        return b'{"tasks":[' + rows + tail.encode()

    def _control(self, what: str) -> bytes:
        if what == "tasks":
            return _json({task.id: task.ends for task in self.watched})
        return _json(self.counts)


class WireProtocol(asyncio.Protocol):
    """HTTP/1.1, as much of it as the clients use.

    Args:
        world: The tasks behind it.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer each complete request."""
        self._buffer += data
        while True:
            head, end, rest = self._buffer.partition(b"\r\n\r\n")
            if not end:
                return
            length = 0
            if head.startswith(b"POST"):
                length = int(head.lower().partition(b"content-length:")[2].split()[0])
            if len(rest) < length:
                return
            self._buffer = rest[length:]
            method, target, _version = head.split(b"\r\n", 1)[0].decode().split(" ")
            self._send(self._world.answer(method, target))

    def _send(self, body: bytes) -> None:
        status = "200 OK" if body else "404 Not Found"
        body = body or b'{"detail": "not found"}'
        head = (
            f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        self._transport.write(head.encode() + body)


def _serve(pipe: Connection) -> None:
    """Open a port for every population that comes, until the process is ended."""

    async def forever() -> None:
        loop = asyncio.get_running_loop()
        while True:
            population = await loop.run_in_executor(None, pipe.recv)
            world = World(population)
            server = await loop.create_server(
                partial(WireProtocol, world), "127.0.0.1", 0, backlog=1000
            )
            pipe.send(server.sockets[0].getsockname()[1])

    with contextlib.suppress(EOFError, KeyboardInterrupt):
        asyncio.run(forever())


class LifelikeServer(ServerProcess):
    """The server's process, seen from the benchmark's. Use as a context manager."""

    def __init__(self) -> None:
        super().__init__(_serve)

    def open(self, population: Population) -> str:
        """Begin a world, and give its root URL.

        Args:
            population: Which tasks exist in it.
        """
        self.pipe.send(population)
        return f"http://127.0.0.1:{self.pipe.recv()}"
