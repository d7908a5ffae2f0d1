"""Held calls: an answer that waits until something has changed.

`Prefer: wait=N` (RFC 7240) on the call for a task's status, and on a list call that asks for
changes. docs/server.md has the contract.
"""

import asyncio
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager, suppress

import attrs
from aiohttp import web

from browser_use_async.api.endpoint_table import GET_TASK_STATUS, LIST_TASKS, Endpoint
from browser_use_async.api.long_poll import (
    CHANGES_HEADER,
    CHANGES_TYPE,
    FROM_NOW,
    PULSE_SECONDS,
    Wait,
    read_wait,
)
from browser_use_async.server.http.errors import HttpError
from browser_use_async.server.http.places import Places
from browser_use_async.server.http.responses import compact_json
from browser_use_async.server.keys.api_key import REVOKED
from browser_use_async.server.records import DEFAULT_OWNER
from browser_use_async.server.storage import TaskStore
from browser_use_async.server.tasks.changes import ChangeLog, Changes
from browser_use_async.types import PageQuery, TaskId

# The most seconds for which a call is held.
LONGEST_WAIT = 60
# The most calls that are held at once; one owner may have half of them. Further ones are answered
# at once. The owner of the server's own key may have all.
MAX_HELD = 1000
# The most of them that stream changes; each change wakes all of these.
MAX_STREAMS = 100

_LATE = 10.0  # seconds for a client that reads slowly
_TICK = 0.001  # timers may fire a little early
# Seconds after a write in which changes are collected: each write wakes a client.
_GATHERING = 0.01

# Called with the request, the id of its key, the tasks of the owner, and the inputs; returns the
# answer, or headers for the normal one.
Hold = Callable[..., Awaitable[web.StreamResponse | dict[str, str]]]


@attrs.frozen
class Reader:
    """The client of a held call."""

    key_id: str
    tasks: TaskStore  # the tasks of the owner


class HeldCalls:
    """The held calls of one server. Each costs memory and one timer, but no thread."""

    def __init__(self, changes: Changes) -> None:
        self._changes = changes
        self._is_closing = False
        self._revoked: set[str] = set()  # ids of keys
        self._calls: dict[asyncio.Event, str] = {}  # the key of each
        self._held = _places(MAX_HELD)
        self._streams = _places(MAX_STREAMS)
        # What lets the calls of an endpoint wait.
        self.holds: dict[Endpoint, Hold] = {
            GET_TASK_STATUS: self._hold_status,
            LIST_TASKS: self._hold_list,
        }

    def log_of(self, owner: str) -> ChangeLog:
        """The latest changes of an owner's tasks."""
        return self._changes.log(owner)

    def close(self) -> None:
        """Answer all of them now."""
        self._is_closing = True
        for event in self._calls:
            event.set()

    def end(self, key_id: str) -> None:
        """End those of a key that was revoked."""
        self._revoked.add(key_id)
        for event, holder in self._calls.items():
            if holder == key_id:
                event.set()

    def are_over(self, key_id: str) -> bool:
        """Whether no calls of a key are held any more."""
        return self._is_closing or key_id in self._revoked

    @contextmanager
    def holding(self, event: asyncio.Event, reader: Reader) -> Generator[None]:
        """Count a call, whose event is set when the server closes or the key is revoked."""
        self._calls[event] = reader.key_id
        try:
            with self._held.taken(reader.tasks.owner):
                yield
        finally:
            del self._calls[event]

    @contextmanager
    def streaming(self, reader: Reader) -> Generator[asyncio.Event]:
        """Count a stream of changes; returns the event that each change sets."""
        owner = reader.tasks.owner
        with (
            self._streams.taken(owner),
            self.log_of(owner).reading() as event,
            self.holding(event, reader),
        ):
            yield event

    async def _hold_status(
        self, request: web.Request, key_id: str, tasks: TaskStore, path: TaskId
    ) -> dict[str, str]:
        wait = _wait_of(request)
        if wait is None or (wait.seconds and self._held.refusal(tasks.owner)):
            return {}
        # Compared with the status that the client knows, so no change between two calls is missed.
        known = wait.status
        loop = asyncio.get_running_loop()
        until = loop.time() + wait.seconds
        with (
            self._changes.listening(path.task_id) as changed,
            self.holding(changed, Reader(key_id, tasks)),
        ):
            while True:
                changed.clear()  # first: a change while the status is read ends the next wait
                status = await tasks.status(path.task_id)
                if status is None:
                    return {}
                known = known or status
                left = until - loop.time()
                if status != known or status.is_terminal or left <= _TICK:
                    break
                if self.are_over(key_id) or request.transport is None:
                    break
                await wait_for(changed, left)
        if key_id in self._revoked:
            raise HttpError(401, REVOKED)
        return _applied(wait)

    async def _hold_list(
        self, request: web.Request, key_id: str, tasks: TaskStore, _query: PageQuery
    ) -> web.StreamResponse | dict[str, str]:
        owner = tasks.owner
        log = self.log_of(owner)
        wait = _wait_of(request)
        cursor = request.headers.get(CHANGES_HEADER)
        is_full = self._streams.refusal(owner) or self._held.refusal(owner)
        if wait is None or not wait.seconds or cursor is None or is_full or self._is_closing:
            return {CHANGES_HEADER: log.cursor(log.position)}
        return ChangeStream(self, Reader(key_id, tasks), cursor, wait)


class ChangeStream(web.StreamResponse):
    """The answer to a list call that asks for changes: a line of JSON for each, as it happens."""

    def __init__(self, calls: HeldCalls, reader: Reader, cursor: str, wait: Wait) -> None:
        super().__init__(headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        self.headers.update(_applied(wait))
        self.content_type = CHANGES_TYPE
        self._wait = wait
        self._calls = calls
        self._reader = reader
        self._log = calls.log_of(reader.tasks.owner)
        asked = self._log.position_of(cursor)
        self._is_reset = asked is None and cursor != FROM_NOW
        self._position = self._log.position if asked is None else asked

    async def write_eof(self, data: bytes = b"") -> None:
        """Send changes for the time that the client has named."""
        # Here and not in the handler, so that faults get an answer that is not sent yet.
        try:
            async with asyncio.timeout(self._wait.seconds + _LATE):
                with self._calls.streaming(self._reader) as changed:
                    await self._send_changes(changed)
                await super().write_eof(data)
        except TimeoutError:
            raise ConnectionResetError("the client does not read") from None

    async def _send_changes(self, changed: asyncio.Event) -> None:
        loop = asyncio.get_running_loop()
        until = loop.time() + self._wait.seconds
        await self.write(self._place(is_reset=self._is_reset))
        calls, key_id = self._calls, self._reader.key_id
        while not calls.are_over(key_id) and (left := until - loop.time()) > _TICK:
            changed.clear()
            if self._position < self._log.position:
                await self.write(self._new_lines())
                await asyncio.sleep(_GATHERING)
            elif not await wait_for(changed, left):
                await self.write(b"\n")

    def _new_lines(self) -> bytes:
        log, first = self._log, self._position
        if not log.has(first):  # the client reads more slowly than tasks change
            self._position = log.position
            return self._place(is_reset=True)
        changes = log.since(first)
        self._position += len(changes)
        return b"".join(
            _line(cursor=log.cursor(number), id=task_id, status=status)
            for number, (task_id, status) in enumerate(changes, first + 1)
        )

    def _place(self, *, is_reset: bool) -> bytes:
        return _line(cursor=self._log.cursor(self._position), reset=is_reset)


def _line(**fields: str | bool) -> bytes:
    """A line in the form that `api.long_poll` reads."""
    return compact_json(fields) + b"\n"


def _places(most: int) -> Places:
    return Places(max(1, most // 2), "", most, favoured=DEFAULT_OWNER)


def _wait_of(request: web.Request) -> Wait | None:
    preferences = request.headers.getall("Prefer", None)
    wait = read_wait(preferences) if preferences else None
    return wait and wait._replace(seconds=min(wait.seconds, LONGEST_WAIT))


def _applied(wait: Wait) -> dict[str, str]:
    return {"Preference-Applied": str(wait._replace(status=None)), "Vary": "Prefer"}


async def wait_for(event: asyncio.Event, seconds: float) -> bool:
    """Whether an event was set within so many seconds, or within the time between two pulses."""
    with suppress(TimeoutError):
        async with asyncio.timeout(min(seconds, PULSE_SECONDS)):
            return await event.wait()
    return False
