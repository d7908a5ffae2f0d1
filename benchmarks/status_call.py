"""CPU time of one `tasks.get_status`, against the same request on aiohttp alone.

The server has a process of its own and does next to nothing. The two sides take turns, so that
a busy neighbour hurts both alike.
"""

import asyncio
import multiprocessing
import time
from collections.abc import Awaitable, Callable
from multiprocessing.connection import Connection
from statistics import median

import aiohttp

from browser_use_async import BrowserUseSession

ROUNDS = 15
CALLS = 2000
CONCURRENCY = (1, 50)
ANSWER = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n"running"'

Call = Callable[[], Awaitable[object]]


class _Server(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.transport.write(ANSWER * data.count(b"\r\n\r\n"))


def serve(pipe: Connection) -> None:
    """Answer requests until the process is ended."""

    async def forever() -> None:
        server = await asyncio.get_running_loop().create_server(_Server, "127.0.0.1", 0)
        pipe.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(forever())


async def cpu_per_call(call: Call, concurrency: int) -> float:
    """Microseconds of this process's CPU time that one call takes."""

    async def worker() -> None:
        for _ in range(CALLS // concurrency):
            await call()

    await asyncio.gather(*(call() for _ in range(concurrency)))  # connect first
    started = time.process_time()
    await asyncio.gather(*(worker() for _ in range(concurrency)))
    return (time.process_time() - started) / CALLS * 1e6


async def measure(port: int) -> list[tuple[int, float, float, float]]:
    """Concurrency, and the medians of aiohttp alone, of the SDK and of each round's ratio."""
    base_url = f"http://127.0.0.1:{port}/api/v1"
    headers = {"Authorization": "Bearer key"}
    async with (
        aiohttp.ClientSession(headers=headers) as raw,
        BrowserUseSession(api_key="key", base_url=base_url) as session,
    ):

        async def on_aiohttp() -> object:
            async with raw.get(f"{base_url}/task/t-1/status") as reply:
                return await reply.json()

        async def on_the_sdk() -> object:
            return await session.tasks.get_status("t-1")

        rows = []
        for concurrency in CONCURRENCY:
            sides: dict[Call, list[float]] = {on_aiohttp: [], on_the_sdk: []}
            for _ in range(ROUNDS):
                for call, figures in sides.items():
                    figures.append(await cpu_per_call(call, concurrency))
            alone, ours = sides.values()
            ratios = [our / their for our, their in zip(ours, alone, strict=True)]
            rows.append((concurrency, median(alone), median(ours), median(ratios)))
        return rows


def table() -> str:
    """The figures as a Markdown table."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    server = context.Process(target=serve, args=(there,), daemon=True)
    server.start()
    try:
        rows = asyncio.run(measure(here.recv()))
    finally:
        server.terminate()
        server.join()
    lines = [
        f"CPU µs per status call, medians of {ROUNDS} rounds of {CALLS} calls:",
        "",
        "| calls at once | aiohttp alone | browser-use-async | ratio |",
        "| ---: | ---: | ---: | ---: |",
    ]
    lines += [
        f"| {concurrency} | {alone:.1f} | {ours:.1f} | {ratio:.2f} |"
        for concurrency, alone, ours, ratio in rows
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())
