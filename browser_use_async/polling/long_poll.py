"""Long polls, where the service offers them: a source of hints.

A long poll is a call that is answered when something has changed, and not before. For a single task
it is the status call, which waits for another status. For more tasks it is a stream of lines, one
for each change of any task. A status that goes on is shown to those who wait, and a possible end is
a hint. Without a long poll, or while it fails, everything is polled.
"""

import asyncio
import contextvars
import logging
import math
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

import aiohttp

from browser_use_async import errors
from browser_use_async.api import long_poll as wire
from browser_use_async.api.endpoint_table import GET_TASK_STATUS
from browser_use_async.api.serialization import LIST_STATUSES
from browser_use_async.polling.hints import Hints, HintSource
from browser_use_async.polling.policy import Break
from browser_use_async.polling.schedule import Schedule
from browser_use_async.polling.watched_task import Interest, WatchedTask, loop_time
from browser_use_async.transport.client import Transport
from browser_use_async.transport.limiter import AcquireTimeout, LongPause, Permit, RateLimiter
from browser_use_async.transport.request import PreparedRequest, classify_reply, prepare
from browser_use_async.transport.response import (
    Outcome,
    OutcomeKind,
    Reply,
    UnreadableBodyError,
    read_body,
)
from browser_use_async.types import PageQuery, TaskId, TaskStatus

LONGEST_WAIT = 30  # seconds that a long poll may take
SHORTEST_WAIT = 3  # if calls are cut sooner, polls are as good
MAX_CUTS = 2  # so many cuts in a row shorten the wait
NEWS_WEIGHT = 0.25  # how much an immediate answer with a change counts as useless
FIRST_LINE_SECONDS = 2.0  # a stream that begins later is buffered by a proxy
SILENCE_SECONDS = wire.PULSE_SECONDS + 4.0  # after which a stream counts as dead
# Seconds for which a stream goes on without watched tasks: if tasks of a batch end at once, all of
# them may have ended before one is watched.
LINGER = 2.0

_BREAK = "no long poll for %.0f s, and tasks are polled instead: %s"

_Consume = Callable[[list[wire.Change]], None]


class NoLongPollError(Exception):
    """The service has answered a long poll like an ordinary call."""


class LongPolls(HintSource):
    """The long polls of a session, one at a time, as long as there are tasks that need one.

    Like polls they belong to no caller, and are repeated whatever ends them.
    """

    def __init__(self, hints: Hints, transport: Transport, schedule: Schedule) -> None:
        super().__init__(hints)
        self._transport = transport
        self._schedule = schedule
        self._is_wanted = schedule.policy.long_poll
        # An ordinary status call asks whether the service holds such calls, until one is answered.
        self.question = wire.Wait(0) if self._is_wanted else None
        self._offers_status = False
        self._offers_stream = False
        self._health = Break(_BREAK, logging.INFO)
        self._seconds = LONGEST_WAIT  # the wait of the next call
        self._cuts = 0  # in a row
        self._request: asyncio.Task[None] | None = None
        self._requests: set[asyncio.Task[None]] = set()  # also those that are being cancelled
        self._began = 0.0
        self._idle_since = math.inf  # since when no task needs the stream
        self._failed_at = -math.inf
        self._held: WatchedTask | None = None  # the task of the status call
        self._since = math.inf  # from which on the stream reports each change
        self._cursor: str | None = None  # of the newest change that was reported

    # --- the interface of a source --------------------------------------------------------

    def covers(self, watched: WatchedTask) -> bool:
        """A task whose status was seen, or that was created, when its changes were reported."""
        if watched.interest is Interest.STEPS:
            return False
        if self._held is not None:
            return watched is self._held
        born = watched.submitted_at
        is_new = born is not None and born >= max(self._since, self._hints.remembered_since)
        return is_new or watched.answered_at >= self._since

    def learn(self, headers: Mapping[str, str]) -> None:
        """Learn what the service offers: the answer to a list call names a cursor."""
        if wire.CHANGES_HEADER in headers:
            self._offers_stream = self._transport.connections.has_room_for_long_poll()
        elif self.question is not None:
            self.question = None
            self._offers_status = (
                _is_held(headers) and self._transport.connections.has_room_for_long_poll()
            )

    def update(self, now: float) -> float:
        """Begin or end the long poll."""
        if not self._is_wanted:
            return math.inf
        if self._request is not None and not self._is_needed(now):
            self._request.cancel()
            self._request = None
            self._lose()
        if self._request is None:
            # After a failure an ordinary request finds out first whether the service answers.
            may_begin = now >= self._health.back_at and self._schedule.answered_at > self._failed_at
            if not (may_begin and not self._transport.is_paused and self._begin(now)):
                self._lose()
        if self._request is not None:
            return self._idle_since + LINGER
        is_due_later = self._health.back_at > now and self._schedule.shared
        return self._health.back_at if is_due_later else math.inf

    async def aclose(self) -> None:
        """End the long poll, and wait until it has ended."""
        self._is_wanted = False
        requests = tuple(self._requests)
        for each in requests:
            each.cancel()
        await asyncio.gather(*requests, return_exceptions=True)

    # --- which call -----------------------------------------------------------------------

    def _is_needed(self, now: float) -> bool:
        shared, held = self._schedule.shared, self._held
        if held is not None:
            return len(shared) == 1 and held in shared and self.is_relied_on(held)
        self._idle_since = math.inf if shared else min(self._idle_since, now)
        return now < self._idle_since + LINGER

    def _begin(self, now: float) -> bool:
        """Begin the long poll that the watched tasks need, if there is one."""
        shared = self._schedule.shared
        if len(shared) > 1 or (shared and self._since < math.inf):
            if self._offers_stream:
                if self._held is not None:
                    self._lose()  # its call has been answered, and none follows
                self._start(self._read_stream(), "long poll: changes of all tasks", now)
            return self._offers_stream
        if not shared or not self._offers_status:
            return False
        (watched,) = shared
        status, is_busy = watched.status, watched.needs_get or watched.calls
        # An unknown status may be any text, and is not sent in a header.
        if is_busy or status is None or not status.is_known or watched.needs_polling:
            return False
        self._held, self.is_trusted = watched, True
        # From now on the task has the safety pause.
        watched.next_poll_at = now + self._schedule.pause(watched)
        name = f"long poll: a change of task {watched.task_id}"
        self._start(self._hold_status(watched.task_id, status), name, now)
        return True

    def _start(self, work: Coroutine[Any, Any, None], name: str, now: float) -> None:
        try:
            loop = asyncio.get_running_loop()
            request = loop.create_task(work, name=name, context=contextvars.Context())
        except BaseException:  # a task factory of the user's
            work.close()
            raise
        self._request, self._began = request, now
        self._requests.add(request)
        request.add_done_callback(self._finished, context=contextvars.Context())

    def _lose(self) -> None:
        """Use polls again."""
        held, self._held = self._held, None
        self._since, self._cursor = math.inf, None
        if held is not None and held.subscribers and not held.settled:
            self._schedule.poll_again(held, loop_time())
        self._hints.distrust(self)

    # --- on the wire ----------------------------------------------------------------------

    async def _admit(self, prepared: PreparedRequest) -> tuple[RateLimiter, Permit]:
        """Wait until the call may begin; it does not count as one in flight."""
        # It releases its permit: in half a minute that permit serves many other calls.
        limiter = self._transport.limiter()
        permit = await limiter.acquire(prepared.endpoint, AcquireTimeout())
        assert not isinstance(permit, LongPause)  # no pause is too long
        prepared.attempts = 1
        limiter.release(permit, prepared.endpoint, None)
        return limiter, permit

    async def _hold_status(self, task_id: str, known: TaskStatus) -> None:
        """Make the status call, which is answered when the status is not `known` any more."""
        prepared = prepare(GET_TASK_STATUS, TaskId(task_id))
        prepared.wait = wire.Wait(self._seconds, str(known))
        limiter, permit = await self._admit(prepared)
        outcome = await self._transport.connections.send(prepared)
        limiter.record(permit, prepared.endpoint, outcome)
        if outcome.kind is not OutcomeKind.ACCEPTED:
            raise self._transport.error_of(prepared, outcome)
        if outcome.reply is None or not _is_held(outcome.reply.headers):
            raise NoLongPollError
        self._record_answer(is_news=outcome.value != known)
        self._record_change(task_id, outcome.value)

    async def _read_stream(self) -> None:
        """Record changes, from the cursor or from now on, until the service ends the answer."""
        # The smallest page: a service without streams answers with it.
        prepared = prepare(LIST_STATUSES, PageQuery(page=1, limit=1))
        prepared.wait = wire.Wait(self._seconds)
        prepared.cursor = self._cursor or wire.FROM_NOW
        limiter, permit = await self._admit(prepared)
        refused: Outcome | None = None

        async def read(response: aiohttp.ClientResponse, timeout: asyncio.Timeout) -> None:
            nonlocal refused
            reply = Reply(response.status, response.headers, b"")
            if response.status == 200:
                limiter.record(permit, prepared.endpoint, Outcome(OutcomeKind.ACCEPTED))
                await _read_lines(response, timeout, self._record_lines)
            else:
                reply.body = await read_body(response)
                refused = classify_reply(prepared, reply)

        failed = await self._transport.connections.read(prepared, FIRST_LINE_SECONDS, read)
        if (outcome := refused or failed) is not None:
            limiter.record(permit, prepared.endpoint, outcome)
            raise self._transport.error_of(prepared, outcome)
        self._record_answer(is_news=False)

    # --- answers --------------------------------------------------------------------------

    def _record_lines(self, lines: list[wire.Change]) -> None:
        if self._request is not asyncio.current_task():
            return  # cancelled: these lines do not belong to the next stream
        for each in lines:
            if each.task_id is not None:
                self._record_change(each.task_id, TaskStatus(each.status or ""))
            elif each.is_reset or self._since == math.inf:
                # Changes before this moment were missed: what may have changed is polled.
                self._since, self.is_trusted = loop_time(), True
                self._schedule.end_long_pauses(self._since)
                self._schedule.wake()
            self._cursor = each.cursor

    def _record_change(self, task_id: str, status: TaskStatus) -> None:
        self.is_trusted = True
        if status.is_terminal or not status.is_known:
            self._hints.hint(task_id, has_ended=True)
            return
        watched, now = self._schedule.watched.get(task_id), loop_time()
        if watched is not None and not watched.settled:
            watched.record_answer(now)
            watched.record_status(status, now)

    def _finished(self, request: asyncio.Task[None]) -> None:
        self._requests.discard(request)
        # Always read: asyncio logs an exception that was never retrieved.
        error = asyncio.CancelledError() if request.cancelled() else request.exception()
        if self._request is not request:
            return  # cancelled because it was not needed
        self._request = None
        if error is not None:
            self._record_failure(error, loop_time())
        self._schedule.wake()

    def _record_answer(self, *, is_news: bool) -> None:
        self._cuts, now = 0, loop_time()
        # If answers come sooner than that, long polls need more requests than polls.
        if now - self._began >= min(0.5 * self._seconds, 1.0 if is_news else math.inf):
            self._health.record_useful()
            return
        weight = NEWS_WEIGHT if is_news else 1.0
        self._health.record_useless(self._began, now, "it is answered at once", weight)

    def _record_failure(self, error: BaseException, now: float) -> None:
        self._failed_at = now
        if isinstance(error, NoLongPollError):
            self._health.start(now, "the service does not offer it")
        elif isinstance(error, errors.APIConnectionError | asyncio.CancelledError):
            self._record_cut(now, f"it breaks off ({type(error).__name__})")
        else:
            self._health.start(now, f"it fails ({type(error).__name__})")
        self._lose()

    def _record_cut(self, now: float, why: str) -> None:
        self._cuts += 1
        if self._cuts < MAX_CUTS:
            return
        # A proxy may allow less time; a shorter wait ends before it cuts the call.
        shorter = int(0.8 * min(now - self._began, self._seconds))
        if shorter >= SHORTEST_WAIT:
            self._seconds = shorter
        else:
            self._health.start(now, why)


def _is_held(headers: Mapping[str, str]) -> bool:
    """Whether an answer says that its call may be held."""
    return wire.read_wait([headers.get("Preference-Applied", "")]) is not None


async def _read_lines(
    response: aiohttp.ClientResponse, timeout: asyncio.Timeout, consume: _Consume
) -> None:
    """Consume the lines of an answer as they come; each piece reschedules the timeout."""
    if response.content_type != wire.CHANGES_TYPE or response.headers.get("Content-Encoding"):
        raise NoLongPollError
    loop = asyncio.get_running_loop()
    rest, moved_at = b"", -math.inf
    while not response.content.at_eof():
        *lines, rest = (rest + await response.content.readany()).split(b"\n")
        if len(rest) > wire.MAX_LINE or any(len(line) > wire.MAX_LINE for line in lines):
            raise UnreadableBodyError(f"a line is longer than {wire.MAX_LINE} bytes")
        # Only whole lines show that a stream lives. Once a second: a timer costs as much as a line.
        if lines and (now := loop.time()) >= moved_at + 1.0:
            timeout.reschedule(now + SILENCE_SECONDS)
            moved_at = now
        changes = [wire.read_change(line) for line in lines if line]
        if changes:
            consume(changes)
    if rest:
        raise UnreadableBodyError("the last line is not whole")
