"""The look-alike's side of a connection: reads HTTP, lets faults happen, answers."""

import asyncio
import json
import random
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from email.utils import format_datetime
from functools import lru_cache
from urllib.parse import parse_qs, urlsplit

from tests.chaos.faults import Call, Fault, FaultInjector, Kind
from tests.chaos.service import EPOCH, PREFIX, Answer, LookAlike
from tests.support.wire import content_length

__all__ = ["ChaosServer"]

PAGE = b"<html><head><title>Gateway</title></head><body>Please try again.</body></html>"
NONSENSE = (b"\x00\xff\xfe", b"{", b"[[[[", b'{"unexpected": true}', b"NaN", b"")


class ChaosServer:
    """What all connections share."""

    def __init__(
        self, service: LookAlike, faults: FaultInjector, rng: random.Random, reply: float
    ) -> None:
        self.service = service
        self.faults = faults
        self.rng = rng
        self._reply = reply
        self.requests: Counter[Call] = Counter()
        self.created: list[str] = []  # by run-task, in order

    def accept(self) -> asyncio.Protocol:
        """The server's side of a new connection."""
        return _Connection(self)

    def delay(self) -> float:
        """Seconds from a request to its reply."""
        return self._reply * self.rng.uniform(0.5, 1.5)

    def route(self, method: str, target: str) -> tuple[Call, int | None, Callable[[bytes], Answer]]:
        """Which call a request is, the page that it asks for, and what carries it out."""
        url = urlsplit(target)
        query = {name: values[-1] for name, values in parse_qs(url.query).items()}
        service = self.service
        match method, url.path.removeprefix(PREFIX).strip("/").split("/"):
            case "POST", ["run-task"]:
                return Call.RUN, None, self._run_task
            case "GET", ["task", task_id, "status"]:
                return Call.STATUS, None, lambda _body: service.get_status(task_id)
            case "GET", ["task", task_id]:
                return Call.GET, None, lambda _body: service.get_task(task_id)
            case "PUT", ["stop-task"]:
                return Call.STOP, None, lambda _body: service.stop_task(query.get("task_id", ""))
            case "GET", ["tasks"]:
                page, limit = int(query.get("page", 1)), int(query.get("limit", 10))
                return Call.LIST, page, lambda _body: service.list_tasks(page, limit)
            case "GET", ["ping"]:
                return Call.OTHER, None, lambda _body: (200, "pong")
            case _:
                return Call.OTHER, None, lambda _body: (404, {"detail": "Not Found"})

    def _run_task(self, body: bytes) -> Answer:
        status, answer = self.service.run_task(body)
        if status == 200:
            self.created.append(answer["id"])
        return status, answer


class _Connection(asyncio.Protocol):
    def __init__(self, server: ChaosServer) -> None:
        self._server = server
        self._loop = asyncio.get_running_loop()
        self._received = bytearray()
        self._busy = False
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        self._read()

    def _read(self) -> None:
        end = self._received.find(b"\r\n\r\n") + 4
        if self._busy or end < 4:
            return
        head = bytes(self._received[:end])
        size = end + content_length(head)
        if len(self._received) < size:
            return
        body = bytes(self._received[end:size])
        del self._received[:size]
        self._busy = True
        method, target, _version = head.split(b"\r\n", 1)[0].decode().split(" ")
        self._serve(method, target, body)

    def _serve(self, method: str, target: str, body: bytes) -> None:
        server = self._server
        call, page, carry_out = server.route(method, target)
        server.requests[call] += 1
        fault = server.faults.choose(call, page, self._loop.time())
        if fault is None:
            self._loop.call_later(server.delay(), self._send, carry_out(body), None)
            return
        answer: Answer = (500, {"detail": "not carried out"})
        if call is not Call.RUN or fault.kind in {Kind.SLOW, Kind.REPLAY}:
            answer = carry_out(body)
        elif fault.kind in {Kind.CUT, Kind.HANG} and server.rng.random() < fault.done:
            self._loop.call_later(server.rng.uniform(0.0, fault.done_after), carry_out, body)
        if fault.kind is Kind.REPLAY and len(server.created) > 1:
            answer = (200, {"id": server.rng.choice(server.created[:-1])})
        self._loop.call_later(server.delay() + fault.seconds, self._send, answer, fault)

    def _send(self, answer: Answer, fault: Fault | None) -> None:
        rng = self._server.rng
        status, content = answer
        body = json.dumps(content).encode()
        kind, headers = "application/json", ""
        match fault and fault.kind:
            case Kind.HANG:
                return
            case Kind.CUT:
                self._cut(_rendered(status, body, kind, self._loop.time()))
                return
            case Kind.SERVER_ERROR:
                status, body = rng.choice((500, 502, 503, 504)), b'{"detail":"Try again later"}'
            case Kind.RATE_LIMIT:
                status, body = 429, b'{"detail":"Rate limit exceeded"}'
                if fault is not None and fault.retry_after is not None:
                    headers = f"Retry-After: {fault.retry_after:g}\r\n"
            case Kind.HTML:
                status, body, kind = rng.choice((200, 502)), PAGE, "text/html"
            case Kind.GARBAGE:
                status, body = 200, rng.choice(NONSENSE)
            case _:
                pass
        self._transport.write(_rendered(status, body, kind, self._loop.time(), headers))
        self._busy = False
        self._read()

    def _cut(self, reply: bytes) -> None:
        rng = self._server.rng
        if rng.random() < 0.5:
            self._transport.write(reply[: rng.randrange(1, len(reply))])
        if rng.random() < 0.5:
            self._transport.close()
        else:
            self._transport.abort()


@lru_cache(maxsize=4)
def _http_date(second: int) -> str:
    return format_datetime(EPOCH + timedelta(seconds=second), usegmt=True)


def _rendered(status: int, body: bytes, kind: str, now: float, headers: str = "") -> bytes:
    head = (
        f"HTTP/1.1 {status} Status\r\nDate: {_http_date(int(now))}\r\nContent-Type: {kind}\r\n"
        f"Content-Length: {len(body)}\r\n{headers}\r\n"
    )
    return head.encode() + body
