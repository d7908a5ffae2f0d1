"""The look-alike's side of a connection: it injects faults and answers."""

import asyncio
import json
import random
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import timedelta
from email.utils import format_datetime
from functools import lru_cache, partial

from tests.proofs.chaos.faults import Call, Fault, FaultInjector, Kind
from tests.proofs.chaos.laws import Laws
from tests.proofs.chaos.service import LookAlike
from tests.proofs.model.traces import What
from tests.support.fake_service import EPOCH, Answer, Asked
from tests.support.http_in_memory import HttpConnection
from tests.support.wire import Request, response

__all__ = ["ChaosServer", "Note"]

Note = Callable[[Asked, What], None]
"""Is called with a request for a task, and with what has become of it."""

PAGE = b"<html><head><title>Gateway</title></head><body>Please try again.</body></html>"
NONSENSE = (b"\x00\xff\xfe", b"{", b"[[[[", b'{"unexpected": true}', b"NaN", b"")


class ChaosServer:
    """The common part of all connections."""

    def __init__(
        self,
        service: LookAlike,
        faults: FaultInjector,
        rng: random.Random,
        laws: Laws,
        note: Note,
    ) -> None:
        self.service = service
        self.note = note
        self._keys = laws.keys
        self._answers: dict[str, Answer] = {}  # by the key of the request
        self.faults = faults
        self.rng = rng
        self._reply = laws.reply
        self.requests: Counter[Call] = Counter()
        self.created: list[str] = []  # by run-task, in order

    def accept(self) -> asyncio.Protocol:
        """The server's side of a new connection."""
        return _Connection(self)

    def delay(self) -> float:
        """Seconds from a request to its reply."""
        return self._reply * self.rng.uniform(0.5, 1.5)

    def headers(self, request: Request, call: Call) -> list[tuple[str, str]]:
        """The headers about the key of a request."""
        key = request.headers.get("idempotency-key")
        if key is None or self._keys == "unknown" or call not in {Call.RUN, Call.LIST}:
            return []
        return [("Idempotency-Key-Supported", "?1"), ("Idempotency-Key", key)]

    def carry_out(self, asked: Asked, key: str | None) -> Answer:
        """Execute a request, and remember the tasks that it creates."""
        if asked.route == "run" and key in self._answers:
            return self._answers[key]
        status, content = self.service.answer(asked)
        if asked.route == "run" and status == 200:
            self.created.append(content["id"])
            if key is not None and self._keys == "kept":
                self._answers[key] = status, content
            self.note(asked, What.MADE)
        elif asked.route == "run":
            self.note(asked, What.NOT_CREATED)
        return status, content


class _Connection(HttpConnection):
    def __init__(self, server: ChaosServer) -> None:
        super().__init__()
        self._server = server
        self._loop = asyncio.get_running_loop()

    def serve(self, request: Request) -> None:
        """Answer it, unless a fault affects it."""
        server = self._server
        asked = Asked.parse(request.method, request.target, request.body)
        call = Call(asked.route) if asked.route in _CALLS else Call.OTHER
        page = int(asked.query.get("page", 1)) if call is Call.LIST else None
        carry_out = partial(server.carry_out, asked, request.headers.get("idempotency-key"))
        headers_of_key = server.headers(request, call)
        server.requests[call] += 1
        if call is Call.RUN:
            server.note(asked, What.SENT)
        fault = server.faults.choose(call, page, self._loop.time())
        if fault is None:
            self._loop.call_later(server.delay(), self._send, carry_out(), None, headers_of_key)
            return
        answer: Answer = (500, {"detail": "not carried out"})
        if call is Call.RUN and fault.kind is Kind.RATE_LIMIT:
            server.note(asked, What.NOT_CREATED)
        if call is not Call.RUN or fault.kind in {Kind.SLOW, Kind.REPLAY}:
            answer = carry_out()
        elif fault.kind in {Kind.CUT, Kind.HANG} and server.rng.random() < fault.done:
            self._loop.call_later(server.rng.uniform(0.0, fault.done_after), carry_out)
        if fault.kind is Kind.REPLAY and len(server.created) > 1:
            answer = (200, {"id": server.rng.choice(server.created[:-1])})
        self._loop.call_later(
            server.delay() + fault.seconds, self._send, answer, fault, headers_of_key
        )

    def _send(
        self, answer: Answer, fault: Fault | None, headers_of_key: Sequence[tuple[str, str]]
    ) -> None:
        rng = self._server.rng
        status, content = answer
        body = json.dumps(content).encode()
        kind, headers = (
            "application/json",
            [("Date", _http_date(int(self._loop.time()))), *headers_of_key],
        )
        match fault and fault.kind:
            case Kind.HANG:
                return
            case Kind.CUT:
                self._cut(response(status, body, headers))
                return
            case Kind.SERVER_ERROR:
                status, body = rng.choice((500, 502, 503, 504)), b'{"detail":"Try again later"}'
            case Kind.RATE_LIMIT:
                status, body = 429, b'{"detail":"Rate limit exceeded"}'
                if fault is not None and fault.retry_after is not None:
                    headers.append(("Retry-After", f"{fault.retry_after:g}"))
            case Kind.HTML:
                status, body, kind = rng.choice((200, 502)), PAGE, "text/html"
            case Kind.GARBAGE:
                status, body = 200, rng.choice(NONSENSE)
            case _:
                pass
        self.transport.write(response(status, body, headers, content_type=kind))
        self.go_on()

    def _cut(self, reply: bytes) -> None:
        rng = self._server.rng
        if rng.random() < 0.5:
            self.transport.write(reply[: rng.randrange(1, len(reply))])
        if rng.random() < 0.5:
            self.transport.close()
        else:
            self.transport.abort()


_CALLS = frozenset(call.value for call in Call)


@lru_cache(maxsize=4)
def _http_date(second: int) -> str:
    return format_datetime(EPOCH + timedelta(seconds=second), usegmt=True)
