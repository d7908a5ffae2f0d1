"""The lifelike service, which also calls a webhook when its tasks end; in a process of its own."""

import asyncio
import contextlib
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from multiprocessing.connection import Connection
from typing import Any

import aiohttp
import attrs

from benchmarks.servers.lifelike import Population, Task, WireProtocol, World
from benchmarks.servers.process import ServerProcess
from browser_use_async.webhooks import sign

__all__ = ["SECRET", "Burst", "Notifications", "NotifyingServer"]

SECRET = "the benchmark's"


@attrs.frozen
class Notifications:
    """The webhooks of a world.

    Attributes:
        before_loss: The number of events after which all others are lost; None for none.
        latency: Seconds that the API takes for an answer.
    """

    before_loss: int | None = None
    latency: float = 0.0


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


def _call(task_id: str, number: int) -> tuple[bytes, dict[str, str]]:
    body = json.dumps(
        {
            "type": "agent.task.status_update",
            "timestamp": datetime.now(UTC).isoformat(),
            "payload": {
                "session_id": f"session-{number}",
                "task_id": task_id,
                "status": "finished",
                "metadata": {"customer": "4711"},
            },
        }
    ).encode()
    stamp = str(int(time.time()))
    return body, {
        "Content-Type": "application/json",
        "X-Browser-Use-Timestamp": stamp,
        "X-Browser-Use-Signature": sign(body, stamp, SECRET),
    }


class NotifyingWorld(World):
    """A world that calls the port that `/control/hook-PORT` names.

    Args:
        population: Which tasks there are.
        notifications: Its webhooks.
        http: The HTTP client of its calls.
    """

    def __init__(
        self, population: Population, notifications: Notifications, http: aiohttp.ClientSession
    ) -> None:
        super().__init__(population)
        self._notifications = notifications
        self._http = http
        self._work: set[asyncio.Task[None]] = set()

    def _control(self, what: str) -> bytes:
        name, _dash, port = what.partition("-")
        if name != "hook":
            return super()._control(what)
        tasks = sorted(self.watched, key=lambda task: task.ends)[: self._notifications.before_loss]
        for number, task in enumerate(tasks):
            self._start(task, number, f"http://127.0.0.1:{port}/webhook")
        return b"{}"

    def _start(self, task: Task, number: int, url: str) -> None:
        def begin() -> None:
            work = asyncio.get_running_loop().create_task(self._notify(task, number, url))
            self._work.add(work)
            work.add_done_callback(self._work.discard)

        loop = asyncio.get_running_loop()
        loop.call_later(max(task.ends - time.monotonic(), 0.0), begin)

    async def _notify(self, task: Task, number: int, url: str) -> None:
        body, headers = _call(task.id, number)
        # The side may have stopped listening.
        with contextlib.suppress(aiohttp.ClientError):
            async with self._http.post(url, data=body, headers=headers):
                self.counts["notified"] += 1


class LatentProtocol(WireProtocol):
    """Answers some time later."""

    def __init__(self, world: World, latency: float) -> None:
        super().__init__(world)
        self._latency = latency

    def _send(self, body: bytes) -> None:
        asyncio.get_running_loop().call_later(self._latency, super()._send, body)


async def _burst(burst: Burst, http: aiohttp.ClientSession) -> list[tuple[int, float]]:
    url = f"http://127.0.0.1:{burst.port}/webhook"
    slow = [await asyncio.open_connection("127.0.0.1", burst.port) for _ in range(burst.slow)]
    _body, headers = _call("slow", 0)
    lines = [f"{name}: {text}\r\n" for name, text in headers.items()]
    for _reader, writer in slow:
        writer.write(b"POST /webhook HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n")
        writer.write(f"{''.join(lines)}\r\n{{".encode())

    async def send(number: int) -> tuple[int, float]:
        body, headers = _call(f"task-{number}", number)
        await asyncio.sleep(number * burst.seconds / burst.count)
        began = time.monotonic()
        async with http.post(url, data=body, headers=headers) as reply:
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
                order: Any = await loop.run_in_executor(None, pipe.recv)
                if isinstance(order, Burst):
                    pipe.send(await _burst(order, http))
                    continue
                population, notifications = order
                world = NotifyingWorld(population, notifications, http)
                protocol: Callable[[], asyncio.Protocol] = partial(WireProtocol, world)
                if notifications.latency:
                    protocol = partial(LatentProtocol, world, notifications.latency)
                server = await loop.create_server(protocol, "127.0.0.1", 0, backlog=1000)
                pipe.send(server.sockets[0].getsockname()[1])

    with contextlib.suppress(EOFError, KeyboardInterrupt):
        asyncio.run(forever())


class NotifyingServer(ServerProcess):
    """The server's process, seen from the benchmark's. Use as a context manager."""

    def __init__(self) -> None:
        super().__init__(_serve)

    def open(self, population: Population, notifications: Notifications) -> str:
        """Begin a world, and give its root URL.

        Args:
            population: Which tasks exist in it.
            notifications: The webhooks about their ends.
        """
        self.pipe.send((population, notifications))
        return f"http://127.0.0.1:{self.pipe.recv()}"

    def burst(self, burst: Burst) -> list[tuple[int, float]]:
        """Send events, and give the status and the seconds of each answer.

        Args:
            burst: Which.
        """
        self.pipe.send(burst)
        answers: list[tuple[int, float]] = self.pipe.recv()
        return answers
