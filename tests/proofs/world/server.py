"""An HTTP server of the simulated service: reads requests, injects faults, responds."""

import asyncio
import json
import random
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from email.utils import format_datetime
from functools import lru_cache, partial

import attrs

from tests.proofs.model.traces import What
from tests.proofs.world.faults import ATTEMPT_SECONDS, Call, Ending, Fault, Faults, Work
from tests.proofs.world.laws import Keys
from tests.support.fake_service import Answer, Asked, FakeService
from tests.support.http_in_memory import HttpConnection
from tests.support.wire import Request, response

__all__ = ["WorldServer", "http_date_of"]


def http_date_of(moment: datetime) -> str:
    """A moment as the `Date` header spells it."""
    return _spelled(moment.replace(microsecond=0))


@lru_cache(maxsize=4)
def _spelled(second: datetime) -> str:
    return format_datetime(second, usegmt=True)


@attrs.define(eq=False)
class WorldServer:
    """An HTTP server on which faults happen: what all of its connections share.

    Attributes:
        service: Executes requests.
        faults: What goes wrong.
        rng: The source of random numbers.
        late: The most seconds between the moment at which a client gives up and the moment at which
            its request is executed.
        on_request: Called with each whole request.
        date: The `Date` header of each answer, given the service's time; None sends none.
        keys: How it treats submission keys.
        note: Called with a run-task request, and with what has become of it.
        way: Seconds before a request is executed, and from there to its answer.
        requests: How many came.
        created: The tasks that run-task has created, in order.
    """

    service: FakeService
    faults: Faults
    rng: random.Random
    late: float
    on_request: Callable[[str], None] = lambda _request: None
    date: Callable[[datetime], str | None] = http_date_of
    keys: Keys = "unknown"
    note: Callable[[Asked, What], None] = lambda _asked, _what: None
    way: Callable[[], tuple[float, float]] = attrs.field()
    requests: Counter[Call] = attrs.field(factory=Counter)
    created: list[str] = attrs.field(factory=list)
    _answers: dict[str, Answer] = attrs.field(factory=dict)  # by the key of the request

    @way.default
    def _usual_way(self) -> Callable[[], tuple[float, float]]:
        return lambda: (self.rng.uniform(0.01, 0.2), 0.0)

    def accept(self) -> asyncio.Protocol:
        """The service's side of a new connection."""
        return _Connection(self)

    def headers(self, call: Call, key: str | None) -> list[tuple[str, str]]:
        """The headers about the key of a request."""
        if key is None or self.keys == "unknown" or call not in {Call.RUN, Call.LIST}:
            return []
        return [("Idempotency-Key-Supported", "?1"), ("Idempotency-Key", key)]

    def carry_out(self, asked: Asked, key: str | None) -> Answer:
        """Execute a request, and remember the tasks that it creates."""
        if asked.route == "run" and key in self._answers:
            return self._answers[key]
        status, content = self.service.answer(asked)
        if asked.route == "run" and status == 200:
            self.created.append(content["id"])
            if key is not None and self.keys == "kept":
                self._answers[key] = status, content
            self.note(asked, What.MADE)
        elif asked.route == "run":
            self.note(asked, What.NOT_CREATED)
        return status, content


class _Connection(HttpConnection):
    def __init__(self, server: WorldServer) -> None:
        super().__init__()
        self._server = server
        self._loop = asyncio.get_running_loop()
        self._fault: Fault | None = None
        self._headers: list[tuple[str, str]] = []
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
            method, target, *_rest = start.split(b"\r\n", 1)[0].decode().split(" ")
            asked = Asked.parse(method, target, b"null")
            page = int(asked.query.get("page", 1)) if asked.route == "list" else None
            self._fault = self._server.faults.next(_call(asked), page, self._loop.time())
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
        call, key = _call(asked), request.headers.get("idempotency-key")
        server.requests[call] += 1
        if call is Call.RUN:
            server.note(asked, What.SENT)
            if fault.status == 429:
                server.note(asked, What.NOT_CREATED)
        server.on_request(f"{request.method} {request.target} {len(request.body)} {fault.kind}")
        server.faults.count(fault)
        self._headers = server.headers(call, key)
        work = partial(server.carry_out, asked, key)
        if fault.work is Work.LATE:
            self._work_late(work, fault)
        before, after = server.way()
        fault = attrs.evolve(fault, delay=fault.delay + after)
        if before:
            self._loop.call_later(before, self._carry_out, work, fault)
        else:
            self._carry_out(work, fault)

    def _work_late(self, work: Callable[[], object], fault: Fault) -> None:
        attempt = ATTEMPT_SECONDS if fault.ending is Ending.STALL else 0.0
        seconds = fault.late
        if seconds is None:
            seconds = self._server.rng.uniform(0.0, attempt + self._server.late)
        self._late_work = (self._loop.call_later(seconds, work), work)

    def _carry_out(self, work: Callable[[], Answer], fault: Fault) -> None:
        true = work() if fault.work is Work.NOW else (500, None)
        if fault.replays and len(self._server.created) > 1:
            true = (200, {"id": self._server.rng.choice(self._server.created[:-1])})
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
        headers = [*self._headers] if date is None else [("Date", date), *self._headers]
        if fault.retry_after is not None:
            headers.append(("Retry-After", f"{fault.retry_after:g}"))
        body = json.dumps(content).encode() if fault.body is None else fault.body
        return response(status, body, headers, content_type=fault.content_type)

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


def _call(asked: Asked) -> Call:
    return Call(asked.route) if asked.route in _ROUTES else Call.OTHER


_ROUTES = frozenset(call.value for call in Call)
