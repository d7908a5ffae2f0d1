"""A small Cloud API v1 over real sockets, in the test's own loop, whose tasks run by its clock.

It can misbehave on request: faults by route and number, lost answers before and after the
execution, latency, late lists.
"""

import asyncio
import socket
import struct
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

import attrs
from aiohttp import web

from tests.support.fake_service import PREFIX, Asked, FakeService
from tests.support.fake_task import FakeTask

__all__ = ["LOST_AFTER", "LOST_BEFORE", "Call", "FakeApi", "FakeTask", "Fault"]


@attrs.frozen
class Fault:
    """The fault of a call, which replaces its execution or is added to it.

    Attributes:
        status: The answer's status; None keeps the true answer.
        body: The answer's body.
        headers: The answer's headers.
        delay: Seconds before anything happens.
        stall: Seconds between the work and the answer.
        cut: Whether the connection breaks instead of an answer.
        reset: Whether it breaks by RST and not by FIN.
        done: Whether the call is executed nevertheless.
        done_after: Executed this many seconds later, for any answer.
    """

    status: int | None = None
    body: str = '{"detail": "a fault"}'
    headers: Mapping[str, str] = attrs.field(factory=dict)
    delay: float = 0.0
    stall: float = 0.0
    cut: bool = False
    reset: bool = False
    done: bool = False
    done_after: float | None = None


LOST_AFTER = Fault(cut=True, done=True)
"""The call is executed, and its answer is lost."""

LOST_BEFORE = Fault(cut=True)
"""The call is lost before it is executed."""


@attrs.frozen
class Call:
    """One request that came.

    Attributes:
        at: The loop time at which it came.
        route: `run`, `status`, `get`, `list`, `stop`, `pause`, `resume` or `ping`.
        number: Its number within its route, counted from 1.
        task_id: The task that it was about.
        body: Its body.
    """

    at: float
    route: str
    number: int
    task_id: str | None = None
    body: Any = attrs.field(default=None, repr=False)


FaultOf = Callable[[Call], Fault | None]


class FakeApi(FakeService):
    """The server. Use as an async context manager.

    Attributes:
        calls: Every request that came.
        fault: Decides over each call; None for no fault.
        latency: Seconds that every answer takes.
        read: Reads a request.
        in_flight: How many calls are being answered.
        most_in_flight: The most that were.
    """

    def __init__(self) -> None:
        super().__init__()
        self.epoch = datetime.now(UTC)
        self.calls: list[Call] = []
        self.fault: FaultOf = lambda _call: None
        self.latency = 0.0
        self.read: Callable[[str, str, bytes], Asked] = Asked.parse
        self.in_flight = 0
        self.most_in_flight = 0
        self._numbers: Counter[str] = Counter()
        self._runner: web.AppRunner
        self.url = ""

    # --- for tests --------------------------------------------------------------------------

    def count(self, *routes: str, task_id: str | None = None) -> int:
        """How many calls came, of these routes or of all."""
        return len(self.times(*routes, task_id=task_id))

    def times(self, *routes: str, task_id: str | None = None) -> list[float]:
        """The loop times at which calls came, of these routes or of all."""
        return [
            call.at
            for call in self.calls
            if (not routes or call.route in routes) and task_id in {None, call.task_id}
        ]

    def break_calls(self, route: str, faults: Mapping[int, Fault]) -> None:
        """Break the calls of a route that have these numbers, counted from 1; 0 breaks all."""

        def fault(call: Call) -> Fault | None:
            return faults.get(call.number, faults.get(0)) if call.route == route else None

        self.fault = fault

    # --- life -------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(
            application,
            access_log=None,
            handler_cancellation=True,
            shutdown_timeout=0.1,
            # Its timer reads the clock repeatedly and would spin on a virtual one, which does not
            # move.
            keepalive_timeout=1e9,
        )
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}{PREFIX}"
        return self

    async def __aexit__(
        self,
        error_class: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._runner.cleanup()

    # --- answering --------------------------------------------------------------------------

    def respond(self, request: web.Request, asked: Asked) -> web.Response:
        """Execute a call, and answer it correctly."""
        del request
        status, content = self.answer(asked)
        return web.json_response(content, status=status)

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        asked = self.read(request.method, request.path_qs, await request.read())
        if not asked.route:
            return self.respond(request, asked)
        self._numbers[asked.route] += 1
        at, number = asyncio.get_running_loop().time(), self._numbers[asked.route]
        call = Call(at, asked.route, number, asked.task_id, asked.body)
        self.calls.append(call)
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            return await self._disturbed(call, request, asked)
        finally:
            self.in_flight -= 1

    async def _disturbed(
        self, call: Call, request: web.Request, asked: Asked
    ) -> web.StreamResponse:
        fault = self.fault(call)
        if seconds := self.latency if fault is None else fault.delay:
            # Otherwise at once: each of simultaneous calls is judged by the results of those
            # before.
            await asyncio.sleep(seconds)
        if fault is None:
            return self.respond(request, asked)
        if fault.done_after is not None:
            asyncio.get_running_loop().call_later(fault.done_after, self.answer, asked)
        whole = fault.status is None and not fault.cut
        answer = self.respond(request, asked) if fault.done or whole else None
        await asyncio.sleep(fault.stall)
        if fault.cut:
            assert request.transport is not None
            if fault.reset:
                lingers_not = struct.pack("ii", 1, 0)
                connection = request.transport.get_extra_info("socket")
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, lingers_not)
            request.transport.abort()
            return web.Response()
        if fault.status is None:
            assert answer is not None
            return answer
        return web.Response(
            status=fault.status,
            text=fault.body,
            headers=fault.headers,
            content_type="application/json",
        )
