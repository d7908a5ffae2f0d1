"""The reads that clients poll with, answered before the middlewares of the application.

They are answered as the application answers them, in less time. Only calls as every client makes
them, which end with 200 or 304, are answered here: whatever is unusual in a request, and every
refusal, is left to the application, for which nothing of the call has happened by then.
"""

import re
from collections.abc import Awaitable, Callable, Iterable

import attrs
from aiohttp import hdrs, web
from multidict import istr

from browser_use_async.api.endpoint_table import (
    API_PREFIX,
    GET_TASK,
    GET_TASK_STATUS,
    LIST_TASKS,
    Endpoint,
)
from browser_use_async.api.long_poll import CHANGES_HEADER
from browser_use_async.api.submission_key import KEY_HEADER
from browser_use_async.server.app.dispatch import response_of
from browser_use_async.server.app.metrics import Metrics
from browser_use_async.server.errors import StorageUnavailableError
from browser_use_async.server.http.access import AllowedHosts
from browser_use_async.server.http.authorization import Authorization
from browser_use_async.server.http.call_quota import CallQuota
from browser_use_async.server.http.connections import note_request
from browser_use_async.server.http.errors import http_error
from browser_use_async.server.http.responses import json_response
from browser_use_async.server.keys.api_key import ApiKey
from browser_use_async.server.routes import ROUTES
from browser_use_async.server.running_server import RunningServer
from browser_use_async.types import PageQuery, TaskId

Respond = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
# Adds headers to a response.
Mark = Callable[[web.Request, web.StreamResponse], Awaitable[object]]

_ID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_NUMBER = r"(page|limit)=([1-9][0-9]{0,5})"
_CALL = re.compile(rf"{API_PREFIX}/(?:task/({_ID})(/status)?|tasks(?:\?{_NUMBER}(?:&{_NUMBER})?)?)")

# Headers that make it another call: a held one, or one with a submission key.
_UNUSUAL = (hdrs.EXPECT, istr("Prefer"), istr(KEY_HEADER))


@attrs.define(eq=False, repr=False)
class PolledReads:
    """Answers these calls of one server."""

    _server: RunningServer  # the server
    _authorization: Authorization  # knows its keys
    _hosts: AllowedHosts  # the hosts that it answers for
    _quota: CallQuota | None  # how many calls each owner may make, or None for any number
    _marks: Iterable[Mark]  # what gives every response its headers
    _metrics: Metrics  # counts calls and answers

    def before(self, application: Respond) -> Respond:
        """The handler of all requests; the application gets the others."""

        async def handle(request: web.BaseRequest) -> web.StreamResponse:
            note_request(request)
            assert isinstance(request, web.Request)  # it is the application that makes them
            response = await self._answer(request)
            return await application(request) if response is None else response

        return handle

    async def _answer(self, request: web.Request) -> web.Response | None:
        call = None if self._server.faults.faults else _call_of(request)
        if call is None or not self._hosts.allow(request):
            return None
        endpoint, subject = call
        try:
            key = await self._authorization.reader_of(request)
            if key is None:
                return None
            response = await self._read(request, key, endpoint, subject)
            if self._quota is not None:
                self._quota.spend(key.name)
        except StorageUnavailableError as error:
            # Answered here, since the application would wait for the database a second time.
            refusal = http_error(error)
            assert refusal is not None
            response = json_response(refusal.body, refusal.status, refusal.headers)
        except Exception:  # noqa: BLE001 - the application meets it again, and answers it
            return None
        for mark in self._marks:
            await mark(request, response)
        self._metrics.requests[endpoint.name] += 1
        self._metrics.answers[endpoint.name, response.status] += 1
        return response

    async def _read(
        self, request: web.Request, key: ApiKey, endpoint: Endpoint, subject: TaskId | PageQuery
    ) -> web.Response:
        view = self._server.of(key.name, key.scopes)
        headers: dict[str, str] = {}
        if endpoint is LIST_TASKS:
            log = view.stores.changes.log(key.name)
            headers[CHANGES_HEADER] = log.cursor(log.position)
        result = await ROUTES[endpoint.name].operation(view, subject)
        return response_of(view, request, endpoint, result, headers)


def _call_of(request: web.Request) -> tuple[Endpoint, TaskId | PageQuery] | None:
    """Which of these calls a request is, and its subject; None for any other request."""
    if request.method != hdrs.METH_GET or any(each in request.headers for each in _UNUSUAL):
        return None
    match = _CALL.fullmatch(request.raw_path)
    if match is None:
        return None
    task_id, is_status, *query = match.groups()
    if task_id is not None:
        return GET_TASK if is_status is None else GET_TASK_STATUS, TaskId(task_id)
    # Of a repeated parameter the last one counts.
    given = {name: int(value) for name, value in zip(query[::2], query[1::2], strict=True) if name}
    return LIST_TASKS, PageQuery(**given)
