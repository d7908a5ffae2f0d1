"""A server that answers every status call at once with the same bytes, as cheaply as it can."""

import asyncio
import contextlib
import json
from collections.abc import Iterator
from multiprocessing.connection import Connection

from benchmarks.peers.apify_run import run
from benchmarks.servers.process import ServerProcess

__all__ = ["TASK_ID", "canned"]

TASK_ID = "6f1c3a52-8f3e-4c5d-9b7a-2f60a1d4e9b3"


def _answer(value: object) -> bytes:
    body = json.dumps(value).encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return head.encode() + b"\r\n" + body


def _answers() -> list[tuple[bytes, bytes]]:
    return [
        (b" /api/v1/", _answer("running")),
        (
            b" /api/v2/",
            _answer(
                {
                    "id": TASK_ID,
                    "status": "started",
                    "output": None,
                    "finishedAt": None,
                    "isSuccess": None,
                    "cost": None,
                }
            ),
        ),
        (b" /v2/actor-runs/", _answer(run(TASK_ID))),
    ]


ANSWERS = _answers()


class _Server(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        answer = next(answer for path, answer in ANSWERS if path in data[:40])
        self.transport.write(answer * data.count(b"\r\n\r\n"))


def _serve(pipe: Connection) -> None:
    async def forever() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(_Server, "127.0.0.1", 0, backlog=1000)
        pipe.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(forever())


@contextlib.contextmanager
def canned() -> Iterator[str]:
    """Run it in a process of its own, and give its root URL."""
    with ServerProcess(_serve) as server:
        yield f"http://127.0.0.1:{server.pipe.recv()}"
