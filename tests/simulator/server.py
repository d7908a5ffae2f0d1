"""An HTTP server of the simulated service: reads requests, injects faults, responds."""

import asyncio
import json
import random
from collections.abc import Callable
from datetime import datetime, timedelta
from email.utils import format_datetime
from functools import partial

import attrs

from tests.simulator.faults import ATTEMPT_SECONDS, Ending, Fault, Faults, Work
from tests.simulator.service import EPOCH, Answer, Service
from tests.support.wire import content_length

__all__ = ["FaultyServer", "ServiceConnection", "http_date_of"]


def http_date_of(moment: datetime) -> str:
    """A moment as the `Date` header spells it."""
    return format_datetime(moment, usegmt=True)


@attrs.define(eq=False)
class FaultyServer:
    """An HTTP server on which faults happen: what all of its connections share.

    Attributes:
        service: Carries requests out.
        faults: What goes wrong.
        rng: The source of random numbers.
        late: The most seconds between the moment at which a client gives up and the moment at
            which its request is carried out.
        on_request: Called with each whole request.
        date: The `Date` header of each answer, given the service's time; None sends none.
        requests: How many came.
        submissions: How many of these were run-task.
    """

    service: Service
    faults: Faults
    rng: random.Random
    late: float
    on_request: Callable[[str], None] = lambda _request: None
    date: Callable[[datetime], str | None] = http_date_of
    requests: int = 0
    submissions: int = 0

    def accept(self) -> asyncio.Protocol:
        """The service's side of a new connection."""
        return ServiceConnection(self)


class ServiceConnection(asyncio.Protocol):
    """One connection.

    Args:
        server: The server that accepted it.
    """

    def __init__(self, server: FaultyServer) -> None:
        self._server = server
        self._loop = asyncio.get_running_loop()
        self._received = bytearray()
        self._fault: Fault | None = None
        self._busy = False
        self._late_work: tuple[asyncio.TimerHandle, Callable[[], object]] | None = None
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Read on."""
        self._received += data
        self._read()

    def connection_lost(self, exc: Exception | None) -> None:
        """Carry late work out within its bound: the client has given up now, perhaps early."""
        if self._late_work is None:
            return
        timer, work = self._late_work
        if timer.when() > self._loop.time() + self._server.late:
            timer.cancel()
            self._loop.call_later(self._server.rng.uniform(0.0, self._server.late), work)

    def _read(self) -> None:
        if self._busy or not self._received:
            return
        if self._fault is None:
            self._fault = self._server.faults.next(paying=self._received[:2] == b"PO")
        end = self._received.find(b"\r\n\r\n") + 4
        size = end + content_length(self._received[:end]) if end >= 4 else None
        cut = self._fault.request_bytes
        if cut is not None and len(self._received) >= min(cut, size or cut):
            self._server.faults.count(self._fault)
            self._end(self._fault)
        elif size is not None and len(self._received) >= size:
            head, body = bytes(self._received[:end]), bytes(self._received[end:size])
            del self._received[:size]
            self._busy = True
            self._serve(head, body, self._fault)

    def _serve(self, head: bytes, body: bytes, fault: Fault) -> None:
        server = self._server
        method, target, _version = head.split(b"\r\n", 1)[0].decode().split(" ")
        server.requests += 1
        server.submissions += target.endswith("/run-task")
        server.on_request(f"{method} {target} {len(body)} {fault.kind}")
        server.faults.count(fault)
        work = partial(server.service.carry_out, method, target, body)
        if fault.work is Work.LATE:
            self._work_late(work, fault)
        self._loop.call_later(server.rng.uniform(0.01, 0.2), self._carry_out, work, fault)

    def _work_late(self, work: Callable[[], object], fault: Fault) -> None:
        attempt = ATTEMPT_SECONDS if fault.ending is Ending.STALL else 0.0
        seconds = fault.late
        if seconds is None:
            seconds = self._server.rng.uniform(0.0, attempt + self._server.late)
        self._late_work = (self._loop.call_later(seconds, work), work)

    def _carry_out(self, work: Callable[[], Answer], fault: Fault) -> None:
        true = work() if fault.work is Work.NOW else (500, None)
        if fault.delay:
            self._loop.call_later(fault.delay, self._answer, true, fault)
        else:
            self._answer(true, fault)

    def _answer(self, true: Answer, fault: Fault) -> None:
        date = self._server.date(EPOCH + timedelta(seconds=self._server.service.now()))
        answer = fault.garbage if fault.garbage is not None else _rendered(true, fault, date)
        answer = answer[: int(len(answer) * fault.share)]
        if fault.drip:
            self._drip(answer, fault)
        else:
            self._transport.write(answer)
            self._end(fault)

    def _drip(self, left: bytes, fault: Fault) -> None:
        if left:
            self._transport.write(left[:1])
            self._loop.call_later(fault.drip, self._drip, left[1:], fault)
        else:
            self._end(fault)

    def _end(self, fault: Fault) -> None:
        match fault.ending:
            case Ending.FIN:
                self._transport.close()
            case Ending.RST:
                self._transport.abort()
            case Ending.IDLE_FIN:
                seconds = self._server.rng.uniform(0.0, 5.0)
                self._loop.call_later(seconds, self._transport.close)
            case Ending.KEPT | Ending.STALL:
                pass
        if fault.ending is not Ending.STALL:
            self._fault, self._busy = None, False
            self._read()


def _rendered(true: Answer, fault: Fault, date: str | None) -> bytes:
    status, content = true if fault.status is None else (fault.status, {"detail": "a fault"})
    body = json.dumps(content).encode()
    lines = [
        f"HTTP/1.1 {status} Status",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
    ]
    if date is not None:
        lines.append(f"Date: {date}")
    if fault.retry_after is not None:
        lines.append(f"Retry-After: {fault.retry_after}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body
