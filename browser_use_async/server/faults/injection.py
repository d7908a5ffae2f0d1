"""Lets calls go wrong as the rules say: a middleware around the operations."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from functools import partial
from http import HTTPStatus
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Middleware

from browser_use_async.api.json import read_json
from browser_use_async.server.answers import json_answer
from browser_use_async.server.faults.connection import LostAnswer, begin_answer, body_of, cut
from browser_use_async.server.faults.fault import WEBHOOK, Fault, FaultKind
from browser_use_async.server.faults.rules import FaultRules
from browser_use_async.server.storage import Store

__all__ = ["FaultInjector"]

Proceed = Callable[[web.Request], Awaitable[web.StreamResponse]]
"""Executes the call, or lets the next fault have it."""

_GARBAGE = "\x15\x03\x01 this is not HTTP\r\n\r\n"
_SLICE_SECONDS = 0.05  # how often a dripping body gets its next bytes, if not one by one


class _ServerClosesError(Exception):
    """The server closes while a fault lets time pass."""


class FaultInjector:
    """The faults of one server.

    Each fault is a layer around the call, the first the outermost, so that what is counted is
    what happened: a fault behind one that answers at once never fires.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._rules = FaultRules()
        self._closing = asyncio.Event()
        self._later: set[asyncio.Task[None]] = set()

    @property
    def faults(self) -> tuple[Fault, ...]:
        """The rules that hold."""
        return self._rules.faults

    @property
    def fired(self) -> "Counter[str]":
        """How often each rule fired since they were set, by its label."""
        return self._rules.fired

    def set_faults(self, faults: Sequence[Fault]) -> None:
        """Let other rules hold from the next call on; all counts begin anew.

        What earlier rules have put off, such as a late commit, happens all the same.
        """
        self._rules = FaultRules(faults)

    def duplicates(self) -> int:
        """Count an event that was delivered; how many more times it is to be sent."""
        met = self._rules.met_by(WEBHOOK)
        for fault in met:
            self._rules.note_fired(fault)
        return sum(fault.count or 1 for fault in met)

    def middleware(self) -> Middleware:
        """What lets the calls of an application go wrong."""

        @web.middleware
        async def inject(request: web.Request, handler: Proceed) -> web.StreamResponse:
            rules = self._rules
            met = rules.met_by(request.match_info.route.name or "")
            if not met or self._closing.is_set():
                return await handler(request)
            # Read first: a late commit cannot read any more, and a close would be a reset.
            await request.read()
            proceed = handler
            for fault in reversed(met):
                incident = _Incident(self, fault, partial(rules.note_fired, fault), proceed)
                proceed = incident.happen
            try:
                return await proceed(request)
            except _ServerClosesError:
                return cut(request, "fin")

        return inject

    async def aclose(self) -> None:
        """End what waits: no late commit comes any more, and no call is held back."""
        self._closing.set()
        for task in self._later:
            task.cancel()
        await asyncio.gather(*self._later, return_exceptions=True)

    async def pass_time(self, seconds: float) -> None:
        """Let time pass, but not longer than the server lives."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._closing.wait()
        if self._closing.is_set():
            raise _ServerClosesError

    def put_off(self, work: Coroutine[Any, Any, None]) -> None:
        """Let something go on after the call has ended, until the server closes."""
        task = asyncio.get_running_loop().create_task(work)
        self._later.add(task)
        task.add_done_callback(self._later.discard)

    def unlist(self, task_id: str, seconds: float) -> None:
        """Keep a task out of lists for a while."""
        self._store.unlist(task_id)
        self.put_off(self._list_later(task_id, seconds))

    async def _list_later(self, task_id: str, seconds: float) -> None:
        await asyncio.sleep(seconds)
        self._store.list_again(task_id)


class _Incident:
    """One fault that happens to one call."""

    def __init__(
        self, injector: FaultInjector, fault: Fault, fire: Callable[[], None], proceed: Proceed
    ) -> None:
        self._injector = injector
        self._fault = fault
        self._fire = fire
        self._proceed = proceed

    async def happen(self, request: web.Request) -> web.StreamResponse:
        """Answer the call in the wrong way."""
        fault = self._fault
        if fault.kind is FaultKind.LATENCY:
            return await self._delay(request)
        if fault.kind is FaultKind.LATE_COMMIT:
            self._injector.put_off(self._commit_late(request))
        if fault.kind is FaultKind.LATE_COMMIT or fault.is_before:
            self._fire()
            return self._other_answer(request)
        response = await self._proceed(request)
        # An inner fault has broken the connection already: there is nothing left to break.
        return (
            response if isinstance(response, LostAnswer) else await self._spoil(response, request)
        )

    async def _delay(self, request: web.Request) -> web.StreamResponse:
        seconds = self._fault.seconds or 0.0
        self._fire()
        if self._fault.is_before:
            await self._injector.pass_time(seconds)
            return await self._proceed(request)
        response = await self._proceed(request)
        await self._injector.pass_time(seconds)
        return response

    async def _commit_late(self, request: web.Request) -> None:
        await asyncio.sleep(self._fault.seconds or 0.0)
        with contextlib.suppress(_ServerClosesError):
            await self._proceed(request)

    async def _spoil(
        self, response: web.StreamResponse, request: web.Request
    ) -> web.StreamResponse:
        """Let something go wrong with the answer to a call that was executed."""
        match self._fault.kind:
            case FaultKind.LIST_LAG:
                self._lag(response, request)
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
                return cut(request, "fin", text.encode("utf-8", "surrogateescape"))
            case FaultKind.RESET:
                return cut(request, "rst")
            case _:
                return cut(request, fault.by)

    def _lag(self, response: web.StreamResponse, request: web.Request) -> None:
        body = body_of(response, request)
        if body is None or response.status != 200:
            return  # no task was created
        self._fire()
        self._injector.unlist(read_json(body)["id"], self._fault.seconds or 0.0)

    async def _truncate(
        self, response: web.StreamResponse, request: web.Request
    ) -> web.StreamResponse:
        body, end = body_of(response, request), self._fault.at_byte or 0
        if body is None or end >= len(body):
            return response
        self._fire()
        with contextlib.suppress(ConnectionError):
            partial_answer = await begin_answer(response, request, len(body))
            await partial_answer.write(body[:end])
        return cut(request, self._fault.by)

    async def _drip(self, response: web.StreamResponse, request: web.Request) -> web.StreamResponse:
        body, speed = body_of(response, request), self._fault.bytes_per_second or 1.0
        if not body:
            return response
        self._fire()
        size = max(1, int(speed * _SLICE_SECONDS))
        try:
            dripping = await begin_answer(response, request, len(body))
            for start in range(0, len(body), size):
                await self._injector.pass_time(size / speed if start else 0.0)
                await dripping.write(body[start : start + size])
            await dripping.write_eof()
        except ConnectionError:  # the client has had enough
            return cut(request, "fin")
        return dripping


def _answer_with_status(fault: Fault) -> web.Response:
    status = fault.status or 500
    if fault.body is None:
        answer = json_answer({"detail": _phrase(status)}, status)
    else:
        content = fault.body.encode("utf-8", "surrogateescape")
        answer = web.Response(body=content, status=status, content_type="application/json")
    answer.headers.update(fault.headers or {})
    return answer


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:  # such as 520, which only proxies know
        return f"Status {status}"
