"""Fault injection: rules for calls, which break calls, responses and connections."""

import asyncio
import contextlib
import random
import socket
import struct
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from http import HTTPStatus

import attrs
from aiohttp import web

from browser_use_async.api.json import read_json
from browser_use_async.api.submission_key import REPLAYED_HEADER
from browser_use_async.errors import ConfigurationError
from browser_use_async.server import checks
from browser_use_async.server.faults.fault import WEBHOOK, Fault, FaultKind
from browser_use_async.server.faults.task_lists import LateTaskStore
from browser_use_async.server.http.file_answer import FileAnswer
from browser_use_async.server.http.responses import json_response
from browser_use_async.server.loops import BackgroundTasks

Proceed = Callable[[web.Request], Awaitable[web.StreamResponse]]
"""Executes the call, or passes it to the next fault."""
_GARBAGE = "\x15\x03\x01 this is not HTTP\r\n\r\n"
# SO_LINGER with a timeout of 0: close() sends RST instead of FIN.
_NO_LINGER = struct.pack("ii", 1, 0)
_SLICE_SECONDS = 0.05  # between two parts of a slow body, unless it is sent byte by byte


class _Rule:
    """A fault, and the number of calls that it has been matched with."""

    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        self._calls = 0
        self._random = random.Random(fault.seed)  # noqa: S311 - a reproducible sequence

    def matches(self, operation: str) -> bool:
        if not self.fault.concerns(operation):
            return False
        self._calls += 1
        # Drawn for every call, so that another choice of calls does not shift the sequence.
        is_drawn = self._random.random() < self.fault.probability
        return is_drawn and self.fault.picks(self._calls)


class FaultRules:
    """A set of faults, with the counts since it was installed.

    Attributes:
        faults: What goes wrong, the outermost first.
        fired: How often each fired, by its label.
    """

    def __init__(self, faults: Sequence[Fault] = ()) -> None:
        self.faults = tuple(faults)
        self.fired: Counter[str] = Counter()
        self._rules = [_Rule(fault) for fault in self.faults]

    def matching(self, operation: str) -> list[Fault]:
        """Count a call, and return the faults that apply to it, outermost first."""
        matching = [rule.fault for rule in self._rules if rule.matches(operation)]
        # A list lag concerns the task and not the response, so it is innermost.
        return sorted(matching, key=lambda fault: fault.kind is FaultKind.LIST_LAG)

    def count_fired(self, fault: Fault) -> None:
        """Count a fault that took effect."""
        self.fired[fault.label] += 1


def check_faults(field: str, value: Sequence[object]) -> None:
    """Refuse what is no list of faults."""
    checks.sequence(field, value, "faults")
    for number, each in enumerate(value):
        hint = f"; did you mean Fault({each!r})?" if isinstance(each, str) else ""
        checks.instance(f"{field}[{number}]", each, Fault, hint)


class _ServerClosesError(Exception):
    """The server is closing while a fault delays a call."""


class FaultInjector:
    """The faults of one server.

    Each fault is a layer around the call, the first the outermost, so that what is counted is
    what happened: a fault behind one that answers at once never fires.

    Args:
        tasks: The tasks that a fault hides from lists; None where other servers have them too.
    """

    def __init__(self, tasks: LateTaskStore | None) -> None:
        self._tasks = tasks
        self._rules = FaultRules()
        self._closing = asyncio.Event()
        self.later = BackgroundTasks("applies a fault later")

    @property
    def faults(self) -> tuple[Fault, ...]:
        """The installed rules."""
        return self._rules.faults

    @property
    def fired(self) -> "Counter[str]":
        """The number of times that each rule fired since they were set, by its label."""
        return self._rules.fired

    def set_faults(self, faults: Sequence[Fault]) -> None:
        """Replace the rules from the next call on; all counts restart.

        Work that earlier rules have postponed, such as a late commit, is still done.

        Raises:
            ConfigurationError: One of them is no fault; or other servers share the database, who
                would not know of them.
        """
        check_faults("faults", faults)
        if faults and self._tasks is None:
            raise ConfigurationError(
                "faults are for a server with a database of its own, not for one in PostgreSQL"
            )
        self._rules = FaultRules(faults)

    def duplicates(self) -> int:
        """Count a delivered event, and return how many more times to send it."""
        matching = self._rules.matching(WEBHOOK)
        for fault in matching:
            self._rules.count_fired(fault)
        return sum(fault.count or 1 for fault in matching)

    async def answer(self, request: web.Request, proceed: Proceed) -> web.StreamResponse:
        """Answer a call with the faults that apply to it."""
        rules = self._rules
        matching = rules.matching(request.match_info.route.name or "")
        if not matching or self._closing.is_set():
            return await proceed(request)
        # Read first: a late commit cannot read it, and closing with unread data would be a reset.
        await request.read()
        # Built from the inside out, so that the first fault becomes the outermost layer.
        for fault in reversed(matching):
            injection = _Injection(self, fault, partial(rules.count_fired, fault), proceed)
            proceed = injection.apply
        try:
            return await proceed(request)
        except _ServerClosesError:
            return _close_connection(request, "fin")

    async def aclose(self) -> None:
        """Cancel late commits, and end all delays."""
        self._closing.set()
        await self.later.aclose()

    async def sleep(self, seconds: float) -> None:
        """Sleep until the time has passed or the server closes."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._closing.wait()
        if self._closing.is_set():
            raise _ServerClosesError

    def hide_task(self, task_id: str, seconds: float) -> None:
        """Hide a task from lists for some seconds."""
        if self._tasks is not None:
            self._tasks.hidden.add(task_id)
            self.later.start(_list_later(self._tasks, task_id, seconds))


async def _list_later(tasks: LateTaskStore, task_id: str, seconds: float) -> None:
    await asyncio.sleep(seconds)
    tasks.hidden.discard(task_id)


@attrs.frozen(eq=False, repr=False)
class _Injection:
    """One fault applied to one call."""

    _injector: FaultInjector
    _fault: Fault
    _fire: Callable[[], None]
    _proceed: Proceed

    async def apply(self, request: web.Request) -> web.StreamResponse:
        """Answer the call with the fault applied."""
        fault = self._fault
        if fault.kind is FaultKind.LATENCY:
            return await self._delay(request)
        if fault.kind is FaultKind.LATE_COMMIT:
            self._injector.later.start(self._commit_late(request))
        if fault.kind is FaultKind.LATE_COMMIT or fault.is_before:
            self._fire()
            return self._other_answer(request)
        response = await self._proceed(request)
        if isinstance(response, _LostResponse):  # an inner fault has closed the connection already
            return response
        return await self._corrupt(response, request)

    async def _delay(self, request: web.Request) -> web.StreamResponse:
        seconds = self._fault.seconds or 0.0
        self._fire()
        if self._fault.is_before:
            await self._injector.sleep(seconds)
            return await self._proceed(request)
        response = await self._proceed(request)
        await self._injector.sleep(seconds)
        return response

    async def _commit_late(self, request: web.Request) -> None:
        await asyncio.sleep(self._fault.seconds or 0.0)
        with contextlib.suppress(_ServerClosesError):
            await self._proceed(request)

    async def _corrupt(
        self, response: web.StreamResponse, request: web.Request
    ) -> web.StreamResponse:
        """Apply the fault to the response of an executed call."""
        match self._fault.kind:
            case FaultKind.LIST_LAG:
                await self._lag(response, request)
                return response
            case FaultKind.TRUNCATE:
                return await self._truncate(response, request)
            case FaultKind.DRIP:
                return await self._drip(response, request)
            case FaultKind.CONTENT_TYPE:
                self._fire()
                response.headers["Content-Type"] = self._fault.content_type or ""
                return response
            case _:
                self._fire()
                return self._other_answer(request)

    def _other_answer(self, request: web.Request) -> web.StreamResponse:
        fault = self._fault
        match fault.kind:
            case FaultKind.STATUS:
                return _answer_with_status(fault)
            case FaultKind.GARBAGE:
                text = _GARBAGE if fault.body is None else fault.body
                return _close_connection(request, "fin", text.encode("utf-8", "surrogateescape"))
            case FaultKind.RESET:
                return _close_connection(request, "rst")
            case _:
                return _close_connection(request, fault.by)

    async def _lag(self, response: web.StreamResponse, request: web.Request) -> None:
        body = await _body_of(response, request)
        if body is None or response.status != 200 or REPLAYED_HEADER in response.headers:
            return  # no task was created
        self._fire()
        self._injector.hide_task(read_json(body)["id"], self._fault.seconds or 0.0)

    async def _truncate(
        self, response: web.StreamResponse, request: web.Request
    ) -> web.StreamResponse:
        body, end = await _body_of(response, request), self._fault.at_byte or 0
        if body is None or end >= len(body):
            return response
        self._fire()
        with contextlib.suppress(ConnectionError):
            partial_answer = await _start_response(response, request, len(body))
            await partial_answer.write(body[:end])
        return _close_connection(request, self._fault.by)

    async def _drip(self, response: web.StreamResponse, request: web.Request) -> web.StreamResponse:
        body, speed = await _body_of(response, request), self._fault.bytes_per_second or 1.0
        if not body:
            return response
        self._fire()
        size = max(1, int(speed * _SLICE_SECONDS))
        try:
            dripping = await _start_response(response, request, len(body))
            for start in range(0, len(body), size):
                await self._injector.sleep(size / speed if start else 0.0)
                await dripping.write(body[start : start + size])
            await dripping.write_eof()
        except ConnectionError:  # the client has closed the connection
            return _close_connection(request, "fin")
        return dripping


def _answer_with_status(fault: Fault) -> web.Response:
    status = fault.status or 500
    if fault.body is None:
        answer = json_response({"detail": _phrase(status)}, status)
    else:
        content = fault.body.encode("utf-8", "surrogateescape")
        # surrogateescape lets a rule send bytes that are not UTF-8.
        answer = web.Response(body=content, status=status, content_type="application/json")
    answer.headers.update(fault.headers or {})
    return answer


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:  # not a registered status, such as 520
        return f"Status {status}"


# --- broken connections and partial responses -----------------------------------------------


class _LostResponse(web.StreamResponse):
    """A response that is not sent, because the connection is closed."""

    async def prepare(self, request: web.BaseRequest) -> None:
        """Send nothing."""

    async def write_eof(self, data: bytes = b"") -> None:
        """Send nothing."""


def _close_connection(request: web.Request, by: str | None, last: bytes = b"") -> _LostResponse:
    """Close the connection of a request, and return a response for its handler to return."""
    transport = request.transport
    if transport is not None:  # else the client has closed it already
        assert isinstance(transport, asyncio.WriteTransport)
        if last:
            transport.write(last)
        if by == "rst":
            connection: socket.socket = transport.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
            transport.abort()
        else:
            transport.close()
    answer = _LostResponse()
    answer.force_close()
    return answer


async def _body_of(response: web.StreamResponse, request: web.Request) -> bytes | None:
    """The body of a response, or None if it has none or one without an end."""
    if isinstance(response, FileAnswer):
        return await response.whole()
    if not isinstance(response, web.Response) or request.method == "HEAD":
        return None
    return bytes(response.body) if isinstance(response.body, bytes | bytearray) else None


async def _start_response(
    response: web.StreamResponse, request: web.Request, length: int
) -> web.StreamResponse:
    """Send the headers of a response, and return a stream for its body."""
    partial = web.StreamResponse(
        status=response.status, reason=response.reason, headers=response.headers
    )
    partial.content_length = length
    await partial.prepare(request)
    return partial
