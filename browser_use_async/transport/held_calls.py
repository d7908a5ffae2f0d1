"""Held calls: the service answers when there is something to tell, and not before."""

import asyncio
import math
from collections.abc import Callable

import aiohttp
import attrs

from browser_use_async import errors
from browser_use_async.api.endpoint_table import GET_TASK_STATUS
from browser_use_async.api.held_calls import (
    CHANGES_HEADER,
    CHANGES_TYPE,
    FROM_NOW,
    MAX_LINE,
    PULSE_SECONDS,
    Change,
    Wait,
    read_change,
    read_wait,
)
from browser_use_async.api.serialization import LIST_STATUSES
from browser_use_async.transport.connections import Connections
from browser_use_async.transport.rate_limiter import AcquireTimeout, Permit, RateLimiter
from browser_use_async.transport.request import PreparedRequest, prepare
from browser_use_async.transport.response import (
    Outcome,
    OutcomeKind,
    Reply,
    UnreadableBodyError,
    classify_reply,
    read_body,
)
from browser_use_async.types import PageQuery, TaskId, TaskStatus

FIRST_LINE_SECONDS = 2.0  # a stream that begins later is kept back somewhere on its way
SILENCE_SECONDS = PULSE_SECONDS + 4.0  # after which a stream is taken to be dead

_NO_TIMEOUT = AcquireTimeout()


class NotHeldError(Exception):
    """The service has answered the call as an ordinary one."""


@attrs.define(eq=False, repr=False)
class HeldCalls:
    """Held calls of one session."""

    # They occupy no permit, or a hundred of them would leave none to other calls: one for each is
    # waited for, and given back.

    _connections: Connections
    _limiter: Callable[[], RateLimiter]
    _error_of: Callable[[PreparedRequest, Outcome], errors.BrowserUseError]
    holds_status: bool | None = None  # whether status calls can be held, once an answer has told
    streams_changes: bool = False  # whether a list call can tell changes

    def learn(self, prepared: PreparedRequest, reply: Reply | None) -> None:
        """Learn from the headers of an accepted answer what the service can do."""
        headers = {} if reply is None else reply.headers
        if CHANGES_HEADER in headers:
            self.streams_changes = self._connections.may_hold
        if prepared.wait is not None and self.holds_status is None:
            applied = read_wait([headers.get("Preference-Applied", "")])
            self.holds_status = applied is not None and self._connections.may_hold

    async def status(self, task_id: str, wait: Wait) -> TaskStatus:
        """The status of a task as soon as it is another than the one known, or after the wait."""
        prepared = prepare(GET_TASK_STATUS, TaskId(task_id))
        prepared.wait = wait
        limiter, permit = await self._admitted(prepared)
        outcome = await self._connections.send(prepared)
        limiter.record(permit, prepared.endpoint, outcome)
        if outcome.kind is not OutcomeKind.ACCEPTED:
            raise self._error_of(prepared, outcome)
        assert outcome.reply is not None
        if read_wait([outcome.reply.headers.get("Preference-Applied", "")]) is None:
            raise NotHeldError
        status: TaskStatus = outcome.value
        return status

    async def read_changes(
        self, cursor: str | None, seconds: int, consume: Callable[[list[Change]], None]
    ) -> None:
        """Consume changes after a cursor, or from now on, until the service ends its answer."""
        # The smallest page: what a server answers that tells no changes.
        prepared = prepare(LIST_STATUSES, PageQuery(page=1, limit=1))
        prepared.wait, prepared.cursor = Wait(seconds, whole=True), cursor or FROM_NOW
        limiter, permit = await self._admitted(prepared)
        refused: Outcome | None = None

        async def read(response: aiohttp.ClientResponse, timeout: asyncio.Timeout) -> None:
            nonlocal refused
            reply = Reply(response.status, response.headers, b"")
            if response.status == 200:
                limiter.record(permit, prepared.endpoint, Outcome(OutcomeKind.ACCEPTED))
                await _read_lines(response, timeout, consume)
            else:
                reply.body = await read_body(response)
                refused = classify_reply(prepared, reply)

        failed = await self._connections.read(prepared, FIRST_LINE_SECONDS, read)
        if (outcome := refused or failed) is not None:
            limiter.record(permit, prepared.endpoint, outcome)
            raise self._error_of(prepared, outcome)

    async def _admitted(self, prepared: PreparedRequest) -> tuple[RateLimiter, Permit]:
        """Wait until the call may begin; it then runs beside those that are counted."""
        limiter = self._limiter()
        permit = await limiter.acquire(prepared.endpoint, _NO_TIMEOUT)
        assert isinstance(permit, Permit)  # no pause is too long
        prepared.attempts = 1
        limiter.release(permit, prepared.endpoint, None)
        return limiter, permit


async def _read_lines(
    response: aiohttp.ClientResponse,
    timeout: asyncio.Timeout,
    consume: Callable[[list[Change]], None],
) -> None:
    """Consume the lines of an answer as they come, and reschedule the timeout with each piece."""
    if response.content_type != CHANGES_TYPE or response.headers.get("Content-Encoding"):
        raise NotHeldError
    loop = asyncio.get_running_loop()
    rest, moved_at = b"", -math.inf
    while not response.content.at_eof():
        *lines, rest = (rest + await response.content.readany()).split(b"\n")
        if len(rest) > MAX_LINE or any(len(line) > MAX_LINE for line in lines):
            raise UnreadableBodyError(f"a line is longer than {MAX_LINE} bytes")
        # Half of a line is no sign that a stream is not kept back. A timer costs as much as a line.
        if lines and (now := loop.time()) >= moved_at + 1.0:
            timeout.reschedule(now + SILENCE_SECONDS)
            moved_at = now
        changes = [read_change(line) for line in lines if line]
        if changes:
            consume(changes)
    if rest:
        raise UnreadableBodyError("the last line is not whole")
