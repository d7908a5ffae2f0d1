"""One held call instead of many polls, where the service can hold calls.

For a single task it is its status call, for more a stream that tells each change of any task. What
it tells is treated as the row of a list page is, and an end counts once get-task confirms it, or at
once if the stream brings the task as get-task gives it.
Without it, and while it fails, everything is polled as if it did not exist.
"""

import asyncio
import contextvars
import logging
import math
from collections.abc import Coroutine
from typing import Any

from browser_use_async import errors
from browser_use_async.api.held_calls import Change, Wait
from browser_use_async.polling.policy import Break
from browser_use_async.polling.results import PollResults, loop_time
from browser_use_async.polling.schedule import NEW_TASK_SECONDS
from browser_use_async.polling.watched_task import WatchedTask
from browser_use_async.transport.held_calls import NotHeldError
from browser_use_async.types import TaskStatus

MAX_REMEMBERED = 10_000  # latest statuses of tasks that are not watched, or not yet
UNREPORTED_SECONDS = 5.0  # within which a stream must tell an end that a poll has found

LONGEST_WAIT = 30  # seconds for which a call may be held
SHORTEST_WAIT = 3  # on a way that cuts calls sooner, polls are as good
MAX_CUTS = 2  # in a row, from which on the wait is shortened
NEWS_WEIGHT = 0.25  # what an answer at once counts that at least brought news

_BREAK = "no status calls are held for %.0f s, and tasks are polled instead: %s"


class LongPoll:
    """The held call of a session, made again for as long as there are tasks that it serves.

    Like polls it belongs to no caller, and is made again whatever ends it.
    """

    def __init__(self, results: PollResults) -> None:
        self._calls = results.transport.held_calls
        self._results = results
        self._schedule = results.schedule
        self._coverage = results.schedule.coverage
        self._is_wanted = results.policy.long_poll
        self._may_stream = results.policy.shared  # which tells of all tasks at once
        self._health = Break(_BREAK, logging.INFO)
        self._seconds = LONGEST_WAIT  # for which the next call may be held
        self._cuts = 0  # in a row
        self._request: asyncio.Task[None] | None = None
        self._requests: set[asyncio.Task[None]] = set()  # with those that are being cancelled
        self._began = 0.0
        self._failed_at = -math.inf
        self._cursor: str | None = None  # of the newest change that was told
        self._is_first = True  # whether the stream's first line is yet to come
        self._since = math.inf  # the coverage that the cursor can restore
        # Of tasks that are not watched: the answer to run-task may come after the first changes.
        self._remembered: dict[str, TaskStatus] = {}
        self._remembered_since = math.inf
        self._unreported: dict[str, float] = {}  # ends that polls have found before any change

    @property
    def question(self) -> Wait | None:
        """What an ordinary status call asks as well, to learn whether it could be held."""
        is_open = self._is_wanted and self._calls.holds_status is None
        return Wait(0) if is_open else None

    # --- the poller tells -----------------------------------------------------------------

    def update(self, now: float, answered_at: float) -> float:
        """Begin or end the held call, and give the time at which that is due again."""
        if not self._is_wanted:
            return math.inf
        if any(now - since > UNREPORTED_SECONDS for since in self._unreported.values()):
            self._unreported.clear()
            # What it told was wrong, and cost more than requests.
            self._health.start(now, "the stream of changes is not complete", longest=True)
            self._cancel(now)
        if self._request is not None and not self._is_needed():
            self._cancel(now)
        if self._request is None:
            # After a failure an ordinary request first finds out whether the service is there.
            may_begin = now >= self._health.back_at and answered_at > self._failed_at
            if not (may_begin and not self._results.transport.is_paused and self._begin(now)):
                self._lose(now)
        is_due_later = self._health.back_at > now and self._schedule.rotation
        return self._health.back_at if is_due_later else math.inf

    def recall(self, watched: WatchedTask, now: float) -> None:
        """Use what was told about a task that has just been created, before it was watched."""
        born = watched.submitted_at
        if born is None or now - born > NEW_TASK_SECONDS or watched.polls:
            return
        # Before that its changes were told to nobody.
        if born < max(self._coverage.streaming_since, self._remembered_since):
            return
        watched.answered_at = born  # no poll is needed: from then on each change is told
        status = self._remembered.pop(watched.task_id, None)
        if status is not None:
            self._results.record_reported(watched, status, None)

    def record_end(self, watched: WatchedTask, answered_before: float, now: float) -> None:
        """Record an end that a poll has found; changes must tell it of a task that lived before."""
        if self._coverage.streaming_since <= answered_before and not watched.end_reported:
            self._unreported[watched.task_id] = now

    def stop(self) -> None:
        """End the held call, since no task is watched."""
        self._cancel(-math.inf)

    async def aclose(self) -> None:
        """End the held call, and wait until it has ended."""
        self._is_wanted = False
        requests = tuple(self._requests)
        for each in requests:
            each.cancel()
        await asyncio.gather(*requests, return_exceptions=True)

    # --- which call -----------------------------------------------------------------------

    def _is_needed(self) -> bool:
        rotation, watched = self._schedule.rotation, self._coverage.long_polled
        if watched is None:
            return len(rotation) > 0
        return len(rotation) == 1 and watched in rotation and self._coverage.can_cover(watched)

    def _begin(self, now: float) -> bool:
        """Begin the call that serves the watched tasks, if there is one."""
        rotation = self._schedule.rotation
        if len(rotation) > 1 or (rotation and self._coverage.is_streaming):
            return self._begin_stream(now)
        if not rotation or not self._calls.holds_status:
            return False
        (watched,) = rotation
        status, is_busy = watched.status, watched.needs_get or watched.calls
        # An unknown status may be of any form, and is not sent in a header.
        if is_busy or status is None or not status.is_known or watched.needs_polling:
            return False
        self._coverage.start_status(watched)
        # From now on this is the safety pause of a task that is reported on.
        watched.next_poll_at = now + self._schedule.pause(watched)
        self._start(self._hold(watched, status), now)
        return True

    def _begin_stream(self, now: float) -> bool:
        if not (self._calls.streams_changes and self._may_stream):
            return False
        if self._coverage.long_polled is not None:
            self._lose(now)  # its call has been answered, and no other one follows
        self._is_first = True
        self._start(self._calls.read_changes(self._cursor, self._seconds, self._consume), now)
        return True

    def _start(self, work: Coroutine[Any, Any, None], now: float) -> None:
        try:
            loop = asyncio.get_running_loop()
            request = loop.create_task(work, context=contextvars.Context())
        except BaseException:  # a task factory of the user's
            work.close()
            raise
        self._request, self._began = request, now
        self._requests.add(request)
        request.add_done_callback(self._finished, context=contextvars.Context())

    def _cancel(self, now: float) -> None:
        request, self._request = self._request, None
        self._cursor = None  # from now on any number of changes can follow
        if request is not None:
            request.cancel()
        self._lose(now)

    def _lose(self, now: float) -> None:
        """Rely on polls again."""
        if not self._coverage.has_long_poll:
            return
        watched = self._coverage.stop_long_poll()
        self._remembered.clear()
        self._remembered_since = math.inf
        self._unreported.clear()
        if math.isinf(now):
            return
        if watched is not None and watched.subscribers and not watched.settled:
            self._schedule.poll_again(watched, now)
        self._schedule.end_long_pauses(now)

    # --- what it brings -------------------------------------------------------------------

    async def _hold(self, watched: WatchedTask, known: TaskStatus) -> None:
        status = await self._calls.status(watched.task_id, Wait(self._seconds, str(known)))
        now = loop_time()
        self._record_answer(now, is_news=status != known)
        if watched is self._coverage.long_polled and not watched.settled:
            watched.record_answer(self._began)
            self._results.record_reported(watched, status, None)

    def _consume(self, changes: list[Change]) -> None:
        now = loop_time()
        if self._request is not asyncio.current_task():
            return  # cancelled, and lines that came before are not those of the next stream
        for each in changes:
            if each.task_id is not None:
                self._record_change(each.task_id, TaskStatus(each.status or ""), each.task, now)
            elif each.is_reset or self._is_first:
                self._begin_coverage(each, now)
            self._cursor, self._is_first = each.cursor, False

    def _begin_coverage(self, place: Change, now: float) -> None:
        """Rely on the stream, from its beginning on or from that of an earlier one."""
        # From a cursor on all changes are told, so that the coverage goes on as if nothing had
        # broken.
        if place.is_reset or self._cursor is None:
            self._since = now
        was_any = self._coverage.has_long_poll
        self._coverage.start_stream(self._since)
        if not was_any or place.is_reset:
            self._remembered.clear()
            self._remembered_since = now
            self._schedule.set_timers()
            self._results.wake()

    def _record_change(self, task_id: str, status: TaskStatus, task: Any, now: float) -> None:
        watched = self._schedule.watched.get(task_id)
        self._unreported.pop(task_id, None)
        if watched is None:
            self._remembered.pop(task_id, None)  # so that it is the newest
            self._remembered[task_id] = status
            if len(self._remembered) > MAX_REMEMBERED:
                del self._remembered[next(iter(self._remembered))]
        elif not watched.settled:
            watched.record_answer(now)
            self._results.record_reported(watched, status, task)

    def _finished(self, request: asyncio.Task[None]) -> None:
        self._requests.discard(request)
        # Taken in any case: asyncio complains about an exception that nobody has asked for.
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
        # What is answered sooner than that takes more requests than polls would.
        if now - self._began >= min(0.5 * self._seconds, 1.0 if is_news else math.inf):
            self._health.record_useful()
            return
        weight = NEWS_WEIGHT if is_news else 1.0
        self._health.record_useless(self._began, now, "they are answered at once", weight)

    def _record_failure(self, error: BaseException, now: float) -> None:
        self._failed_at = now
        if isinstance(error, NotHeldError):
            self._health.start(now, "the service does not hold them")
        elif isinstance(error, errors.APIConnectionError | asyncio.CancelledError):
            self._record_cut(now, f"they break off ({type(error).__name__})")
        else:
            self._health.start(now, f"they fail ({type(error).__name__})")
        self._lose(now)

    def _record_cut(self, now: float, why: str) -> None:
        self._cuts += 1
        if self._cuts < MAX_CUTS:
            return
        # A proxy on the way may allow less; a shorter wait is over before.
        shorter = int(0.8 * min(now - self._began, self._seconds))
        if shorter >= SHORTEST_WAIT:
            self._seconds = shorter
        else:
            self._health.start(now, why)
