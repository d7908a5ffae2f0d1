"""A server that lists tasks, answers each page after a while, and counts requests."""

import asyncio
import contextlib
import json
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection

import attrs

from benchmarks.servers.process import ServerProcess

__all__ = ["Listing", "listing"]

_QUESTION = re.compile(rb"GET /api/v1/tasks\?(\S*) ")
_NEWEST = datetime(2026, 11, 1, tzinfo=UTC)


@attrs.define
class Listing:
    """The running server.

    Attributes:
        base_url: Where the API is.
        ids: The tasks that it lists, newest first.
    """

    base_url: str
    ids: list[str]
    _pipe: Connection

    def take_counts(self) -> tuple[int, int]:
        """Requests since the last time, and how many of them were under way at once at most."""
        self._pipe.send(None)
        requests, most = self._pipe.recv()
        return requests, most


def _id(number: int) -> str:
    return f"{number:08x}-8f3e-4c5d-9b7a-2f60a1d4e9b3"


def _row(number: int) -> dict[str, object]:
    created = _NEWEST - timedelta(minutes=number)
    return {
        "id": _id(number),
        "task": "Open https://news.example, list the headlines and sum each up in a sentence",
        "output": "Ten headlines, most of them about the weather." * 5,
        "status": "finished",
        "created_at": created.isoformat(),
        "finished_at": (created + timedelta(seconds=60)).isoformat(),
        "live_url": None,
        "metadata": {"customer": "4711"},
    }


def _answer(page: int, limit: int, tasks: int) -> bytes:
    rows = [_row(number) for number in range(tasks)[(page - 1) * limit : page * limit]]
    body = json.dumps(
        {
            "tasks": rows,
            "total_pages": -(-tasks // limit),
            "page": page,
            "limit": limit,
            "total_count": tasks,
        }
    ).encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return head.encode() + b"\r\n" + body


class _Counts:
    requests = under_way = most = 0


class _Server(asyncio.Protocol):
    def __init__(self, answers: dict[bytes, bytes], delay: float, counts: _Counts) -> None:
        self._answers, self._delay, self._counts = answers, delay, counts

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        match = _QUESTION.match(data)
        assert match is not None, data
        counts = self._counts
        counts.requests += 1
        counts.under_way += 1
        counts.most = max(counts.most, counts.under_way)
        loop = asyncio.get_running_loop()
        loop.call_later(self._delay, self._reply, self._answers[match[1]])

    def _reply(self, answer: bytes) -> None:
        self._counts.under_way -= 1
        self._transport.write(answer)


def _serve(pipe: Connection, tasks: int, page_size: int, delay: float) -> None:
    pages = range(1, -(-tasks // page_size) + 1)
    answers = {
        f"page={page}&limit={page_size}".encode(): _answer(page, page_size, tasks) for page in pages
    }
    counts = _Counts()

    def send_counts() -> None:
        try:
            pipe.recv()
        except EOFError:  # the program that started this has ended
            sys.exit()
        pipe.send((counts.requests, counts.most))
        counts.requests = counts.most = 0

    async def forever() -> None:
        loop = asyncio.get_running_loop()
        loop.add_reader(pipe.fileno(), send_counts)
        server = await loop.create_server(lambda: _Server(answers, delay, counts), "127.0.0.1", 0)
        pipe.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(forever())


@contextlib.contextmanager
def listing(tasks: int, page_size: int, delay: float) -> Iterator[Listing]:
    """Run it in a process of its own.

    Args:
        tasks: How many it lists.
        page_size: Rows on a page; it knows no other.
        delay: Seconds until it answers.
    """
    with ServerProcess(_serve, tasks, page_size, delay) as server:
        ids = [_id(number) for number in range(tasks)]
        yield Listing(f"http://127.0.0.1:{server.pipe.recv()}/api/v1", ids, server.pipe)
