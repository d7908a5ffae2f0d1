"""The cheapest client: requests that were written before, sockets, and no HTTP but the length."""

import contextlib
import select
import socket
import time
from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

import attrs

_READ = 65_536


@attrs.frozen
class Load:
    """The work of a client.

    Attributes:
        calls: How many calls were answered.
        seconds: How long that took.
        cpu: Seconds of its own CPU time.
    """

    calls: int
    seconds: float
    cpu: float


def request(method: str, url: str, key: str, body: bytes = b"") -> bytes:
    """The bytes of a call."""
    parts = urlsplit(url)
    query = f"?{parts.query}" if parts.query else ""
    head = (
        f"{method} {parts.path}{query} HTTP/1.1\r\nHost: {parts.netloc}\r\n"
        f"Authorization: Bearer {key}\r\n"
    )
    if body:
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return f"{head}\r\n".encode() + body


@contextlib.contextmanager
def connections(url: str, count: int) -> Iterator[list[socket.socket]]:
    """So many connections to a server."""
    parts = urlsplit(url)
    assert parts.hostname is not None
    assert parts.port is not None
    with contextlib.ExitStack() as stack:
        made = []
        for _ in range(count):
            one = socket.create_connection((parts.hostname, parts.port))
            made.append(stack.enter_context(one))
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield made


def call(
    sockets: Sequence[socket.socket],
    requests: Sequence[bytes],
    *,
    calls: int | None = None,
    seconds: float | None = None,
) -> Load:
    """Keep one call running on each connection, for this many calls or seconds.

    Raises:
        RuntimeError: A call was not answered with status 200.
    """
    begun, cpu = time.perf_counter(), time.process_time()
    ends = None if seconds is None else begun + seconds
    sent = answered = 0
    waiting = select.epoll()
    by_number = {each.fileno(): each for each in sockets}
    try:
        for number, each in by_number.items():
            waiting.register(number, select.EPOLLIN)
            each.sendall(requests[sent % len(requests)])
            sent += 1
        while answered < sent:
            for number, _ in waiting.poll():
                each = by_number[number]
                _take(each)
                answered += 1
                is_over = sent >= calls if calls is not None else time.perf_counter() > (ends or 0)
                if not is_over:
                    each.sendall(requests[sent % len(requests)])
                    sent += 1
    finally:
        waiting.close()
    return Load(answered, time.perf_counter() - begun, time.process_time() - cpu)


def _take(connection: socket.socket) -> None:
    """Read one answer, which mostly comes in one part."""
    got = connection.recv(_READ)
    if not got.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(got[:300].decode("latin-1") or "the connection was closed")
    head, _, body = got.partition(b"\r\n\r\n")
    lower = head.lower()
    start = lower.index(b"content-length:") + 15
    left = int(lower[start:].split(b"\r\n", 1)[0]) - len(body)
    while left > 0:
        left -= len(connection.recv(_READ))
