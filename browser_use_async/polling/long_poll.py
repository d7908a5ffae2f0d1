"""One long poll instead of many polls, where the service offers it.

A long poll is a call that is answered when something has changed, and not before. For a single task
it is the status call, which waits for another status. For more tasks it is a stream of lines, one
for each change of any task. A reported change is recorded like a row of a list page. An end counts
once get-task confirms it, or at once if the stream has the whole task. Changes of tasks that are
not watched yet are kept for later, up to a limit. Without a long poll, or while it fails,
everything is polled.
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
from browser_use_async.polling.policy import Break
from browser_use_async.polling.recent_changes import RecentChanges
from browser_use_async.polling.results import PollResults, loop_time
from browser_use_async.polling.schedule import NEW_TASK_SECONDS
from browser_use_async.polling.watched_task import WatchedTask
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

UNREPORTED_SECONDS = 5.0  # within which a stream must report an end that a poll has found

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


class LongPoll:
    """The long poll of a session, repeated while there are tasks that need it.

    Like polls it belongs to no caller, and is repeated whatever ends it.
    """

    def __init__(self, results: PollResults) -> None:
        self._transport = results.transport
        self._has_room = results.transport.connections.has_room_for_long_poll
        self._results = results
        self._schedule = results.schedule
        self._coverage = results.schedule.coverage
        self._is_wanted = results.policy.long_poll
        self._may_stream = results.policy.shared  # which reports on all tasks at once
        self._offers_status: bool | None = None  # once an answer has shown it
        self._offers_stream = False
        self._health = Break(_BREAK, logging.INFO)
        self._seconds = LONGEST_WAIT  # the wait of the next call
        self._cuts = 0  # in a row
        self._request: asyncio.Task[None] | None = None
        self._requests: set[asyncio.Task[None]] = set()  # also those that are being cancelled
        self._began = 0.0
        self._idle_since = math.inf  # since when no task needs the stream
        self._failed_at = -math.inf
        self._cursor: str | None = None  # of the newest change that was reported
        self._is_first = True  # whether the stream's first line is yet to come
        self._since = math.inf  # the coverage that the cursor can restore
        # The answer to run-task may come after the first change, even after the last.
        self._recent = RecentChanges()
        self._unreported: dict[str, float] = {}  # ends that polls have found before any change

    # --- what the service offers ----------------------------------------------------------

    @property
    def question(self) -> wire.Wait | None:
        """The wait that an ordinary status call names to learn whether the service supports it."""
        is_open = self._is_wanted and self._offers_status is None
        return wire.Wait(0) if is_open else None

    def learn_status(self, headers: Mapping[str, str]) -> None:
        """Learn from the answer to a status call with the question."""
        if self._offers_status is None:
            applied = wire.read_wait([headers.get("Preference-Applied", "")])
            self._offers_status = applied is not None and self._has_room()

    def learn_stream(self, headers: Mapping[str, str]) -> None:
        """Learn from the answer to a list call."""
        if wire.CHANGES_HEADER in headers:
            self._offers_stream = self._has_room()

    # --- called by the poller -------------------------------------------------------------

    def update(self, now: float, answered_at: float) -> float:
        """Begin or end the long poll; returns the time at which this is due again."""
        if not self._is_wanted:
            return math.inf
        if any(now - since > UNREPORTED_SECONDS for since in self._unreported.values()):
            self._unreported.clear()
            # Its reports were incomplete, and cost more than requests.
            self._health.start(now, "the stream of changes is not complete", longest=True)
            self._cancel(now)
        if self._request is not None and not self._is_needed(now):
            self._cancel(now)
        if self._request is None:
            # After a failure an ordinary request finds out first whether the service answers.
            may_begin = now >= self._health.back_at and answered_at > self._failed_at
            if not (may_begin and not self._transport.is_paused and self._begin(now)):
                self._lose(now)
        if self._request is not None:
            return self._idle_since + LINGER
        is_due_later = self._health.back_at > now and self._schedule.shared
        return self._health.back_at if is_due_later else math.inf

    def recall(self, watched: WatchedTask, now: float) -> None:
        """Use the changes of a new task that were reported before it was watched."""
        born = watched.submitted_at
        if born is None or now - born > NEW_TASK_SECONDS or watched.polls:
            return
        # Before that its changes were not reported.
        if born < max(self._coverage.streaming_since, self._recent.since):
            return
        watched.answered_at = born  # no poll is needed: each later change is reported
        change = self._recent.take(watched.task_id)
        if change is not None:
            self._idle_since = math.inf
            self._results.record_reported(watched, TaskStatus(change.status or ""), change.task)

    def record_end(self, watched: WatchedTask, answered_before: float, now: float) -> None:
        """Record an end that a poll has found; a stream must report it, too, soon."""
        if self._coverage.streaming_since <= answered_before and not watched.end_reported:
            self._unreported[watched.task_id] = now

    async def aclose(self) -> None:
        """End the long poll, and wait until it has ended."""
        self._is_wanted = False
        requests = tuple(self._requests)
        for each in requests:
            each.cancel()
        await asyncio.gather(*requests, return_exceptions=True)

    # --- which call -----------------------------------------------------------------------

    def _is_needed(self, now: float) -> bool:
        shared, watched = self._schedule.shared, self._coverage.long_polled
        if watched is not None:
            return len(shared) == 1 and watched in shared and self._coverage.can_cover(watched)
        self._idle_since = math.inf if shared else min(self._idle_since, now)
        return now < self._idle_since + LINGER

    def _begin(self, now: float) -> bool:
        """Begin the long poll that the watched tasks need, if there is one."""
        shared = self._schedule.shared
        if len(shared) > 1 or (shared and self._coverage.is_streaming):
            return self._begin_stream(now)
        if not shared or not self._offers_status:
            return False
        (watched,) = shared
        status, is_busy = watched.status, watched.needs_get or watched.calls
        # An unknown status may be any text, and is not sent in a header.
        if is_busy or status is None or not status.is_known or watched.needs_polling:
            return False
        self._coverage.long_polled = watched
        # From now on the task has the safety pause.
        watched.next_poll_at = now + self._schedule.pause(watched)
        name = f"long poll: a change of task {watched.task_id}"
        self._start(self._wait_for_change(watched, status), name, now)
        return True

    def _begin_stream(self, now: float) -> bool:
        if not (self._offers_stream and self._may_stream):
            return False
        if self._coverage.long_polled is not None:
            self._lose(now)  # its call has been answered, and none follows
        self._is_first = True
        self._start(self._read_stream(), "long poll: changes of all tasks", now)
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

    def _cancel(self, now: float) -> None:
        request, self._request = self._request, None
        self._cursor = None  # too many changes may come until the next stream
        if request is not None:
            request.cancel()
        self._lose(now)

    def _lose(self, now: float) -> None:
        """Use polls again."""
        if not self._coverage.has_long_poll:
            return
        watched = self._coverage.stop_long_poll()
        self._recent.start(math.inf)
        self._unreported.clear()
        if watched is not None and watched.subscribers and not watched.settled:
            self._schedule.poll_again(watched, now)
        self._schedule.end_long_pauses(now)

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

    async def _wait_for_change(self, watched: WatchedTask, known: TaskStatus) -> None:
        """Make the status call, which is answered when the status is not `known` any more."""
        prepared = prepare(GET_TASK_STATUS, TaskId(watched.task_id))
        prepared.wait = wire.Wait(self._seconds, str(known))
        limiter, permit = await self._admit(prepared)
        outcome = await self._transport.connections.send(prepared)
        limiter.record(permit, prepared.endpoint, outcome)
        if outcome.kind is not OutcomeKind.ACCEPTED:
            raise self._transport.error_of(prepared, outcome)
        assert outcome.reply is not None
        if wire.read_wait([outcome.reply.headers.get("Preference-Applied", "")]) is None:
            raise NoLongPollError
        self._record_status(watched, known, outcome.value)

    async def _read_stream(self) -> None:
        """Record changes, from the cursor or from now on, until the service ends the answer."""
        # The smallest page: a service without streams answers with it.
        prepared = prepare(LIST_STATUSES, PageQuery(page=1, limit=1))
        prepared.wait = wire.Wait(self._seconds, whole=True)
        prepared.cursor = self._cursor or wire.FROM_NOW
        limiter, permit = await self._admit(prepared)
        refused: Outcome | None = None

        async def read(response: aiohttp.ClientResponse, timeout: asyncio.Timeout) -> None:
            nonlocal refused
            reply = Reply(response.status, response.headers, b"")
            if response.status == 200:
                limiter.record(permit, prepared.endpoint, Outcome(OutcomeKind.ACCEPTED))
                await _read_lines(response, timeout, self._record_changes)
            else:
                reply.body = await read_body(response)
                refused = classify_reply(prepared, reply)

        failed = await self._transport.connections.read(prepared, FIRST_LINE_SECONDS, read)
        if (outcome := refused or failed) is not None:
            limiter.record(permit, prepared.endpoint, outcome)
            raise self._transport.error_of(prepared, outcome)

    # --- answers --------------------------------------------------------------------------

    def _record_status(self, watched: WatchedTask, known: TaskStatus, status: TaskStatus) -> None:
        self._record_answer(loop_time(), is_news=status != known)
        if watched is self._coverage.long_polled and not watched.settled:
            watched.record_answer(self._began)
            self._results.record_reported(watched, status, None)

    def _record_changes(self, changes: list[wire.Change]) -> None:
        now = loop_time()
        if self._request is not asyncio.current_task():
            return  # cancelled: these lines do not belong to the next stream
        for each in changes:
            if each.task_id is not None:
                self._record_change(each.task_id, each, now)
            elif each.is_reset or self._is_first:
                self._begin_coverage(each, now)
            self._cursor, self._is_first = each.cursor, False

    def _begin_coverage(self, place: wire.Change, now: float) -> None:
        """Rely on the stream, from its beginning or from that of an earlier one."""
        # After a cursor no change is missing, so the coverage continues that of the broken stream.
        if place.is_reset or self._cursor is None:
            self._since = now
        was_any = self._coverage.has_long_poll
        self._coverage.streaming_since = self._since
        if not was_any or place.is_reset:
            self._recent.start(now)
            self._schedule.end_long_pauses(now)  # of tasks whose changes were missed
            self._results.wake()

    def _record_change(self, task_id: str, change: wire.Change, now: float) -> None:
        watched = self._schedule.watched.get(task_id)
        self._unreported.pop(task_id, None)
        if watched is None:
            self._recent.record(change, now)
        elif not watched.settled:
            watched.record_answer(now)
            self._results.record_reported(watched, TaskStatus(change.status or ""), change.task)

    def _finished(self, request: asyncio.Task[None]) -> None:
        self._requests.discard(request)
        # Always read: asyncio logs an exception that was never retrieved.
        error = asyncio.CancelledError() if request.cancelled() else request.exception()
        if self._request is not request:
            return  # cancelled because it was not needed
        self._request = None
        now = loop_time()
        if error is not None:
            self._record_failure(error, now)
        elif self._coverage.long_polled is None:
            self._record_answer(now, is_news=False)
        self._results.wake()

    def _record_answer(self, now: float, *, is_news: bool) -> None:
        self._cuts = 0
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
        self._lose(now)

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
