"""An HTTP server of the simulated service: reads requests, injects faults, responds."""

import asyncio
import json
import random
from collections.abc import Callable
from datetime import datetime, timedelta
from email.utils import format_datetime
from functools import partial

import attrs

from tests.proofs.simulator.faults import ATTEMPT_SECONDS, Ending, Fault, Faults, Work
from tests.support.fake_service import Answer, Asked, FakeService
from tests.support.http_in_memory import HttpConnection
from tests.support.wire import Request, response

__all__ = ["FaultyServer", "http_date_of"]


def http_date_of(moment: datetime) -> str:
    """A moment as the `Date` header spells it."""
    return format_datetime(moment, usegmt=True)


@attrs.define(eq=False)
class FaultyServer:
    """An HTTP server on which faults happen: what all of its connections share.

    Attributes:
        service: Executes requests.
        faults: What goes wrong.
        rng: The source of random numbers.
        late: The most seconds between the moment at which a client gives up and the moment at which
            its request is executed.
        on_request: Called with each whole request.
        date: The `Date` header of each answer, given the service's time; None sends none.
        requests: How many came.
        submissions: How many of these were run-task.
    """

    service: FakeService
    faults: Faults
    rng: random.Random
    late: float
    on_request: Callable[[str], None] = lambda _request: None
    date: Callable[[datetime], str | None] = http_date_of
    requests: int = 0
    submissions: int = 0

    def accept(self) -> asyncio.Protocol:
        """The service's side of a new connection."""
        return _Connection(self)


class _Connection(HttpConnection):
    def __init__(self, server: FaultyServer) -> None:
        super().__init__()
        self._server = server
        self._loop = asyncio.get_running_loop()
        self._fault: Fault | None = None
        self._late_work: tuple[asyncio.TimerHandle, Callable[[], object]] | None = None

    def connection_lost(self, exc: Exception | None) -> None:
        """Carry late work out within its bound: the client has given up now, perhaps early."""
        if self._late_work is None:
            return
        timer, work = self._late_work
        if timer.when() > self._loop.time() + self._server.late:
            timer.cancel()
            self._loop.call_later(self._server.rng.uniform(0.0, self._server.late), work)

    def breaks_off(self, start: bytes, size: int | None) -> bool:
        """Break within the request, if its fault is that."""
        if self._fault is None:
            self._fault = self._server.faults.next(paying=start[:2] == b"PO")
        cut = self._fault.request_bytes
        if cut is None or len(start) < min(cut, size or cut):
            return False
        self._server.faults.count(self._fault)
        self._end(self._fault)
        return True

    def serve(self, request: Request) -> None:
        """Carry it out now, later or never, and answer."""
        assert self._fault is not None
        server, fault = self._server, self._fault
        asked = Asked.parse(request.method, request.target, request.body)
        server.requests += 1
        server.submissions += asked.route == "run"
        server.on_request(f"{request.method} {request.target} {len(request.body)} {fault.kind}")
        server.faults.count(fault)
        work = partial(server.service.answer, asked)
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
        answer = fault.garbage if fault.garbage is not None else self._rendered(true, fault)
        answer = answer[: int(len(answer) * fault.share)]
        if fault.drip:
            self._drip(answer, fault)
        else:
            self.transport.write(answer)
            self._end(fault)

    def _rendered(self, true: Answer, fault: Fault) -> bytes:
        status, content = true if fault.status is None else (fault.status, {"detail": "a fault"})
        date = self._server.date(self._server.service.epoch + timedelta(seconds=self._loop.time()))
        headers = [] if date is None else [("Date", date)]
        if fault.retry_after is not None:
            headers.append(("Retry-After", str(fault.retry_after)))
        return response(status, json.dumps(content), headers)

    def _drip(self, left: bytes, fault: Fault) -> None:
        if left:
            self.transport.write(left[:1])
            self._loop.call_later(fault.drip, self._drip, left[1:], fault)
        else:
            self._end(fault)

    def _end(self, fault: Fault) -> None:
        match fault.ending:
            case Ending.FIN:
                self.transport.close()
            case Ending.RST:
                self.transport.abort()
            case Ending.IDLE_FIN:
                seconds = self._server.rng.uniform(0.0, 5.0)
                self._loop.call_later(seconds, self.transport.close)
            case Ending.KEPT | Ending.STALL:
                pass
        if fault.ending is not Ending.STALL:
            self._fault = None
            self.go_on()
