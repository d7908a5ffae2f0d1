"""The only place that polls. Waits and streams subscribe to it and never poll themselves."""

import asyncio
import contextvars
import copy
import logging
import math
import random
import traceback
from collections.abc import Coroutine, Sequence
from typing import TYPE_CHECKING, Any

from browser_use_async import errors
from browser_use_async.api.endpoint_table import GET_TASK, GET_TASK_STATUS
from browser_use_async.api.limits import MAX_TASK_PAGE
from browser_use_async.api.serialization import LIST_STATUSES, StatusPage, read_task
from browser_use_async.events import UnknownStatusSeen
from browser_use_async.polling.long_poll import LongPoll
from browser_use_async.polling.policy import PollPolicy
from browser_use_async.polling.schedule import PACING_STEP, TICK, Schedule, WebhookHealth
from browser_use_async.polling.task_list import ListHealth, ListPage, TaskList
from browser_use_async.polling.watched_task import (
    MAX_LIST_MISSES,
    Interest,
    Subscriber,
    WatchedTask,
)
from browser_use_async.timeline import Timeline, TimelineKind
from browser_use_async.transport.client import Transport
from browser_use_async.transport.response import is_transient
from browser_use_async.types import PageQuery, Task, TaskId, TaskStatus

if TYPE_CHECKING:
    from browser_use_async.telemetry import Telemetry

_LOGGER = logging.getLogger("browser_use_async")

MAX_REQUESTS = 50  # below the transport's bound, so that polling leaves room for other calls
MAX_STALE = 25  # further ones instead of as many that are not answered in time
MAX_PAGES = 25  # read at once in search of tasks
LOST_PER_PAGE = 25  # tasks that no page has shown for each page read in search of them
MAX_KNOWN = 10_000  # tasks of waits that are over
MAX_SEARCH = 1000  # pages; a list that never ends is searched no further
PAGE_ATTEMPTS = 3  # for one page, before its tasks are polled one by one
OUTAGE_FAILURES = 3  # failed requests in a row after which nothing is asked for a while
AFTER_CANCEL = 0.5  # seconds after which a poll that was cancelled from outside is made again
STILL = frozenset({TaskStatus.CREATED, TaskStatus.PAUSED})
LATE_STEPS = 30.0  # seconds for which a task that stands still may show another step

_Tasks = Sequence[WatchedTask]
_Request = asyncio.Task[_Tasks]  # gives the tasks that come next, since it told nothing about them


class TaskPoller:
    """Polls every watched task as often as the policy says.

    It is driven by one timer and by the ends of its requests, and has no task of its own that a
    caller could cancel. A request that is lost for any reason is made again. Each call is one
    request without retries.
    """

    def __init__(self, transport: Transport, policy: PollPolicy, rng: random.Random) -> None:
        self.policy = policy
        self._transport = transport
        self._rng = rng
        self._webhooks = WebhookHealth()
        self._list = TaskList()
        self._list_health = ListHealth()
        self._schedule = Schedule(policy, self._webhooks, self._list, rng)
        self._long_poll = LongPoll(
            transport, self._schedule, self._record_reported, self._wake, is_wanted=policy.long_poll
        )
        # In flight, oldest first: since when, and about which tasks.
        self._requests: dict[_Request, tuple[float, _Tasks]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._is_woken = False
        self._is_full = False  # whether something is due that no slot is free for
        # Shared polls belong to no caller, so they run without the context variables of any.
        self._context = contextvars.Context()
        self._answered_at = -math.inf  # when any request was
        self._failed_in_a_row = 0
        self._last_failure: BaseException | None = None  # of them
        self._known: dict[str, None] = {}  # tasks seen by waits that are over, oldest first
        self._pauses = 0  # of the rotation in a row, since everything failed
        self._search_page: int | None = None  # the next one to search for tasks on
        self._searched_at = -math.inf
        self._unknown_statuses: set[TaskStatus] = set()
        self._closed = False

    # --- subscriptions --------------------------------------------------------------------

    def subscribe(
        self,
        task_id: str,
        subscriber: Subscriber,
        *,
        submitted_at: float | None = None,
        exists: bool = False,
    ) -> WatchedTask:
        """Poll a task until its last subscriber leaves."""
        if self._closed:
            raise _session_closed(task_id)
        self._transport.bind()
        now = _now()
        watched = self._schedule.watched.get(task_id)
        if watched is None or watched.settled:
            # What is settled is not polled again, but a new subscriber wants fresh news.
            timelines = self._transport.timelines
            watched = WatchedTask(task_id, timelines, recorder=timelines.find(task_id))
            self._schedule.watched[task_id] = watched
            watched.webhook_said_ended = self._webhooks.has_ended(task_id)
        watched.exists = watched.exists or exists or task_id in self._known
        if submitted_at is not None:
            watched.submitted_at = submitted_at
        if subscriber.interest > watched.interest:
            # What others needed may be old, and a task fetched for an earlier stream is.
            watched.task = None
            self._schedule.poll_again(watched, now)
        watched.subscribers.append(subscriber)
        self._long_poll.recall(watched, now)
        if watched.webhook_said_ended and not watched.polls:
            watched.needs_get, watched.next_poll_at = True, now
        self._schedule.update(watched, now)
        self._wake()
        return watched

    def unsubscribe(self, watched: WatchedTask, subscriber: Subscriber) -> None:
        """Remove a subscriber; without any, the task is not polled and its request is cancelled."""
        watched.subscribers.remove(subscriber)
        if watched.subscribers:
            self._schedule.update(watched, _now())
        else:
            _cancel_requests(watched)
            self._schedule.discard(watched)
            if watched.is_known:
                self.record_known(watched.task_id)
        if not self._schedule.watched:
            self._long_poll.stop()
            if self._timer is not None:
                self._timer.cancel()
        if watched.subscribers or not (watched.settled and self._schedule.is_sharing):
            self._wake()  # else it left the rotation before, and nothing is due sooner

    @property
    def telemetry(self) -> "Telemetry | None":
        """What writes the spans of the session, if anything does."""
        return self._transport.telemetry

    def timeline_of(self, task_id: str) -> Timeline:
        """What this session knows to have happened to a task."""
        return self._transport.timelines.of(task_id).timeline()

    def record_stop(self, task_id: str, action: str) -> None:
        """Record that the service has accepted to stop or pause a task."""
        recorder = self._transport.timelines.of(task_id)
        recorder.record(TimelineKind.STOP_ASKED, f"{action} accepted")

    def watched(self, task_id: str) -> WatchedTask | None:
        """What is known of a task while something waits for it."""
        return self._schedule.watched.get(task_id)

    def record_known(self, task_id: str) -> None:
        """Remember that a task exists, so that a wait for it sits out an outage."""
        self._known[task_id] = None
        if len(self._known) > MAX_KNOWN:
            del self._known[next(iter(self._known))]

    def last_failure(self, watched: WatchedTask) -> BaseException | None:
        """Why nothing newer is known of a task; None if the last poll was answered."""
        # In an outage few polls are made, so this one may be of another task.
        return watched.last_failure or self._last_failure

    def webhook_received(self, task_id: str, *, has_ended: bool) -> None:
        """Poll a task that a webhook is about."""
        # A webhook is only a reason to poll: what counts is the answer of the API.
        were_arriving = self._webhooks.arriving
        self._webhooks.record(task_id, has_ended=has_ended)
        if not were_arriving:
            self._schedule.set_timers()
        watched = self._schedule.watched.get(task_id)
        if watched is not None and not watched.settled:
            watched.webhook_said_ended = watched.webhook_said_ended or has_ended
            if has_ended or watched.interest is not Interest.END:
                self._confirm(watched)
        self._wake()

    async def aclose(self) -> None:
        """Stop polling; every wait and stream gets `SessionClosedError`."""
        self._closed = True
        for watched in self._schedule.watched.values():
            if not watched.settled:  # an answer that has come is not thrown away
                watched.settle_with(_session_closed(watched.task_id))
                watched.notify()
        if self._timer is not None:
            self._timer.cancel()
        requests = tuple(self._requests)
        for each in requests:
            each.cancel()
        await asyncio.gather(*requests, return_exceptions=True)
        await self._long_poll.aclose()

    # --- dispatching ----------------------------------------------------------------------

    def _wake(self) -> None:
        """Schedule one dispatch, however many subscriptions ask for it in this loop iteration."""
        # Without watched tasks there may be no running loop yet: a receiver can be attached first.
        if self._schedule.watched and not self._is_woken and not self._closed:
            self._is_woken = True
            asyncio.get_running_loop().call_soon(self._dispatch, context=self._context)

    def _dispatch(self) -> None:
        """Start what is due, and set the timer for what comes next."""
        self._is_woken = False
        if self._closed:
            return
        now = _now()
        try:
            held_due = self._long_poll.update(now, self._answered_at)
            due = min(self._start_due(now), held_due)
        except Exception as error:  # noqa: BLE001 - see _record_internal_error
            self._record_internal_error(error)
            due = now + PACING_STEP
        if self._timer is not None:
            self._timer.cancel()
        if not math.isinf(due):
            loop = asyncio.get_running_loop()
            self._timer = loop.call_at(due, self._dispatch, context=self._context)

    def _record_internal_error(self, error: Exception) -> None:
        """Log an internal error and poll without the list for a while."""
        # It must not end the waits for paid tasks, and status calls are the simpler code.
        _LOGGER.error("polling: an internal error; please report it\n%s", _text_of(error))
        self._list_health.start_break(_now(), "an internal error")
        self._schedule.end_long_pauses(_now())  # what was about to be polled is polled soon

    def _start_due(self, now: float) -> float:
        """Start what is due as far as there are slots, and return the time of the next dispatch."""
        schedule = self._schedule
        if not schedule.watched:
            return math.inf
        # Timers first: they put into the queue what the slots below are for.
        schedule.run_timers(now)
        if self._search_page is not None:
            self._search_further(self._search_page, now)
        self._is_full = False
        while self._slots(now) > 0:
            watched = schedule.pop_due(now)
            if watched is None:
                return schedule.next_due(now)
            if not self._start_page(watched, now):
                self._start_single(watched, now)
        self._is_full = True  # so that a request that ends wakes the poller, too
        return schedule.next_timer

    def _slots(self, now: float) -> int:
        # Requests that take too long do not block others: up to MAX_STALE do not count.
        stale, overdue = 0, self._schedule.overdue
        for started, _tasks in self._requests.values():
            if now - started < overdue or stale == MAX_STALE:
                break
            stale += 1
        limit = 1 if self._transport.is_paused else MAX_REQUESTS  # the first is the probe
        return limit + stale - len(self._requests)

    def _start_page(self, watched: WatchedTask, now: float) -> bool:
        """Read the page that shows a task and its neighbours, if there is one that pays."""
        if watched.needs_get or watched.status_only or watched.is_lost:
            return False
        if now < self._list_health.back_at or not self._schedule.rotates(watched):
            return False
        overdue, recently = self._schedule.overdue, now - 0.5 * self._schedule.interval
        threshold = self.policy.list_threshold
        if watched.rank is not None:
            page = self._list.plan(watched, threshold, recently, overdue, now)
            if page is not None:
                self._start(self._poll_page(page, now), now, page.tasks)
            return page is not None
        rotation = self._schedule.rotation
        # Tasks of unknown rank are searched for together: any page can show several of them.
        unplaced = [each for each in rotation if each.rank is None and not each.is_lost]
        unknown = [each for each in unplaced if each.may_be_polled(now, overdue)]
        if len(unknown) >= threshold:
            count = math.ceil(len(unknown) / MAX_TASK_PAGE)
            self._start(self._search(1, count, unknown, now), now, unknown)
        return len(unknown) >= threshold

    def _start_single(self, watched: WatchedTask, now: float) -> _Request:
        request = self._start(self._poll_one(watched, now), now, [watched])
        watched.calls += (request,)
        watched.begin_poll(now + TICK, self._schedule.reply_time)
        self._schedule.set_timer(watched)  # for the case that it is not answered in time
        return request

    def _start(self, work: Coroutine[Any, Any, _Tasks], now: float, tasks: _Tasks) -> _Request:
        """Start a request that should tell about some tasks."""
        self._schedule.begin_request(tasks, now)
        # A context of its own: an eager task begins at once, inside of the poller's, and a context
        # cannot be entered twice.
        try:
            request = asyncio.get_running_loop().create_task(work, context=contextvars.Context())
        except BaseException:  # a task factory of the user's
            work.close()
            for each in tasks:
                each.in_flight -= 1
            raise
        self._requests[request] = (now, tasks)
        # A callback, and no `finally` inside: a task cancelled before it begins never gets there.
        request.add_done_callback(self._finished, context=self._context)
        return request

    def _finished(self, request: _Request) -> None:
        started, tasks = self._requests.pop(request)
        again: _Tasks = ()
        moment = _now()
        if request.cancelled():  # from outside, as by a program that cancels all its tasks
            again, moment = _unanswered(tasks, started), max(moment, started + AFTER_CANCEL)
        elif (error := request.exception()) is None:
            again = request.result()
        elif isinstance(error, Exception):
            self._record_internal_error(error)
        for each in reversed(_unanswered(again, started)):  # another page may have told meanwhile
            self._schedule.poll_again(each, moment)
        schedule, rotation = self._schedule, self._schedule.rotation
        is_single = len(tasks) == 1
        if is_single and tasks[0].calls:
            tasks[0].calls = tuple(each for each in tasks[0].calls if each is not request)
        has_timers = schedule.has_timers or is_single
        is_end = schedule.is_sharing
        for each in tasks:
            each.in_flight -= 1
            if each in rotation and not (has_timers or each.needs_get):
                is_end = False  # and its timer stands, as for nearly all that a page tells about
            elif not each.settled:
                is_end = False
                schedule.set_timer(each)
        # Nothing becomes due sooner by an end, as long as the others share their polls.
        if (has_timers and not is_end) or again or self._is_full:
            self._wake()

    # --- list pages -----------------------------------------------------------------------

    async def _poll_page(self, page: ListPage, asked: float) -> _Tasks:
        """Read a page; gives the tasks that it did not tell about."""
        error = await self._read_page(page, asked)
        tasks = _unanswered(page.tasks, asked)
        if error is not None:
            return await self._record_page_failure(tasks, error, asked)
        if 2 * len(tasks) <= len(page.tasks) or self._list.is_ordered:
            self._list_health.record_useful()
        else:
            why = "its pages do not show the tasks that they should"
            self._list_health.record_useless(asked, _now(), why)
        for each in tasks:
            each.list_misses += 1
            each.status_only = each.list_misses > 1  # perhaps the next page shows it
        self._search_for(tasks)
        return tasks

    async def _record_page_failure(self, tasks: _Tasks, error: Exception, asked: float) -> _Tasks:
        """A page is asked for again, then its tasks one by one, but for an outage."""
        if not tasks:
            return ()  # other requests have told about them
        # These fail for every call, so polling the tasks one by one would only multiply them.
        is_for_all = isinstance(error, errors.RateLimitError | errors.AuthenticationError)
        if is_for_all or self._failed_in_a_row >= OUTAGE_FAILURES:
            for each in tasks:
                # A copy for each, because `settle_with` sets the task id on it.
                own = copy.copy(error) if isinstance(error, errors.BrowserUseError) else error
                each.record_failure(own, _now(), self.policy, self._rng)
                self._schedule.move_to_back([each], _now())
                self._settle_or_reschedule(each)
            # One call finds out whether only the list fails, and not one whole interval later.
            tasks[0].status_only = True
            self._schedule.poll_again(tasks[0], max(_now(), self._schedule.resume_at))
            self._wake()
            return ()
        attempts = 0
        for each in tasks:
            attempts = max(attempts, failed := each.record_page_failure())
            each.status_only = _is_refusal(error) or failed >= PAGE_ATTEMPTS
        if 2 * sum(each.status_only for each in tasks) > len(tasks):
            self._list_health.record_useless(asked, _now(), _failure_of_pages(error))
        else:
            await asyncio.sleep(self.policy.backoff(attempts, self._rng) / 2)
        return tasks

    async def _read_page(self, page: ListPage, asked: float) -> Exception | None:
        """Read a page and record what it shows, or return why that was not possible."""
        query = PageQuery(page=page.number, limit=page.limit)
        try:
            answer: StatusPage = await self._transport.call_once(LIST_STATUSES, query)
        except Exception as error:  # noqa: BLE001 - a user's middleware may raise anything
            self._count_failure(error)
            return error
        self._record_reply(asked)
        self._record_page(page, answer, asked)
        return None

    def _record_page(self, page: ListPage, answer: StatusPage, asked: float) -> None:
        now, schedule = _now(), self._schedule
        rotation = schedule.rotation
        has_timers = schedule.has_timers
        shown: list[WatchedTask | None] = [*map(schedule.watched.get, answer.ids)]
        for index, (watched, status) in enumerate(zip(shown, answer.statuses, strict=True)):
            if watched is None:
                continue
            answered_before = watched.answered_at
            if answered_before >= asked or watched.settled:
                shown[index] = None  # a newer request has told already, or the row stands twice
                continue
            if watched not in rotation:
                shown[index] = None
            if watched.asked_at < asked or watched.rank is None:  # not expected on this page
                watched.asked_at = asked
                schedule.move_to_back([watched], asked)
            watched.record_answer(asked)
            if has_timers and not schedule.rotates(watched):
                watched.next_poll_at = now + schedule.pause(watched)
            if status != watched.status or watched.unknown_statuses:
                self._record_row(watched, TaskStatus(status), answered_before, now)
        if not answer.ids:
            self._search_page = None  # the end of the list
        for each in self._list.record_page(page, answer, shown, asked, now):
            schedule.set_timer(each)

    def _record_row(
        self, watched: WatchedTask, status: TaskStatus, answered_before: float, now: float
    ) -> None:
        if status.is_known and not status.is_terminal:
            self._record_status(watched, status, now)
            return
        watched.unconfirmed = status
        if status.is_terminal:
            self._long_poll.record_end(watched, answered_before, now)
        self._confirm(watched)

    def _record_reply(self, asked: float) -> None:
        self._answered_at = _now()
        self._failed_in_a_row = self._pauses = 0
        self._last_failure = None
        self._schedule.resume_at = -math.inf
        self._schedule.record_reply_time(_now() - asked)

    def _count_failure(self, error: BaseException) -> None:
        """Count failed requests in a row; an answer that is no news still is an answer."""
        if _is_refusal(error):
            self._failed_in_a_row = self._pauses = 0
            self._last_failure = None
            return
        self._failed_in_a_row += 1
        self._last_failure = error.with_traceback(None)
        if self._failed_in_a_row >= self._transport.retry.max_attempts:
            self._give_up_unknown(error)
        now, schedule = _now(), self._schedule
        if self._failed_in_a_row >= OUTAGE_FAILURES and now >= schedule.resume_at:
            self._pauses += 1  # and not one for each of those that fail together
            schedule.resume_at = now + self.policy.backoff(self._pauses, self._rng)

    def _give_up_unknown(self, error: BaseException) -> None:
        """In an outage, end the waits for tasks that perhaps do not exist, as a call would end."""
        health = self._transport.health
        unknown = [each for each in self._schedule.watched.values() if not each.is_known]
        if not health.is_down or not unknown:
            return
        for each in unknown:
            each.interrupt(
                f"the service gave no answer about task {each.task_id} "
                f"({self._failed_in_a_row} requests failed in a row; last: {error})",
                error,
            )
            self._settle_or_reschedule(each)

    # --- searching ------------------------------------------------------------------------

    def _search_further(self, first: int, now: float) -> None:
        """Read a few pages more in each interval for tasks that no page has shown."""
        schedule = self._schedule
        if now < max(self._searched_at + schedule.interval, self._list_health.back_at):
            return
        self._searched_at = now
        lost = sum(each.is_lost for each in schedule.rotation)
        self._search_page = None
        if lost >= self.policy.list_threshold and first <= MAX_SEARCH:
            count = math.ceil(lost / LOST_PER_PAGE)
            self._search_page = first + count
            self._start(self._search(first, count, (), now), now, ())

    def _search_for(self, missed: _Tasks) -> None:
        if self._search_page is None and any(each.is_lost for each in missed):
            self._search_page = 1

    async def _search(self, first: int, count: int, tasks: _Tasks, asked: float) -> _Tasks:
        """Read pages that may show these tasks, or lost ones."""
        limit = min(len(tasks) + 4, MAX_TASK_PAGE) if tasks else MAX_TASK_PAGE
        room = asyncio.Semaphore(MAX_PAGES)

        async def read(number: int) -> None:
            async with room:
                error: Exception | None = None
                for attempt in range(1, (PAGE_ATTEMPTS if tasks else 1) + 1):
                    error = await self._read_page(self._list.search_page(number, limit), _now())
                    if error is None:
                        return
                    await asyncio.sleep(self.policy.backoff(attempt, self._rng) / 2)
                now = _now()
                if now - self._answered_at <= 2 * self._schedule.interval:  # else all calls fail
                    self._list_health.record_useless(asked, now, _failure_of_pages(error))

        await asyncio.gather(*map(read, range(first, first + count)))
        missed = _unanswered(tasks, asked)
        for each in missed:
            each.list_misses = MAX_LIST_MISSES
        self._search_for(missed)
        return missed

    # --- status calls ---------------------------------------------------------------------

    async def _poll_one(self, watched: WatchedTask, asked: float) -> _Tasks:
        polls_before, answered_before = watched.polls, watched.answered_at
        was_reported = watched.needs_get
        try:
            await self._ask(watched, asked)
        except asyncio.CancelledError:
            raise  # by `unsubscribe`, or from outside
        except BaseException as error:
            if not isinstance(error, errors.BrowserUseError):
                _LOGGER.warning("a poll of task %s raised\n%s", watched.task_id, _text_of(error))
            self._count_failure(error)
            # Else a newer request was answered, unless only get-task can tell what is needed.
            if watched.answered_at <= asked or watched.needs_get:
                watched.record_failure(error, _now(), self.policy, self._rng)
            if isinstance(error, KeyboardInterrupt | SystemExit):
                raise
        else:
            now = _now()
            self._record_reply(asked)
            watched.record_answer(max(asked, watched.answered_at))
            # From now on and not from the poll before: no burst after the loop was blocked.
            watched.next_poll_at = now + (0 if watched.needs_get else self._schedule.pause(watched))
        if watched.ended:
            if not was_reported:
                self._long_poll.record_end(watched, answered_before, _now())
            is_reported = watched.change_confirmed  # before its webhook came
            if not is_reported and self._webhooks.record_end(watched, polls_before):
                self._schedule.end_long_pauses(_now())
        self._settle_or_reschedule(watched)
        return ()

    def _settle_or_reschedule(self, watched: WatchedTask) -> None:
        if watched.settled:
            self._schedule.leave_rotation(watched)
            _cancel_requests(watched)
            watched.notify()
        elif watched.subscribers:
            self._schedule.set_timer(watched)

    async def _ask(self, watched: WatchedTask, asked: float) -> None:
        """One poll; a terminal status counts once get-task confirms it."""
        is_still = watched.status in STILL and asked - watched.status_since > LATE_STEPS
        whole = watched.interest is Interest.STEPS and (watched.task is None or not is_still)
        task_id = TaskId(watched.task_id)
        # A task that cannot be read is asked whether it has ended: until then it is waited for.
        is_unreadable = watched.undecodable is not None
        if is_unreadable or not (watched.needs_get or whole):
            watched.needs_get = watched.needs_get and not is_unreadable
            status: TaskStatus = await self._transport.call_once(
                GET_TASK_STATUS, task_id, wait=self._long_poll.question
            )
            if status.is_known and not status.is_terminal:
                changed = status != watched.status
                if asked >= watched.answered_at:
                    self._record_status(watched, status, _now())
                if watched.interest is not Interest.STEPS or not (changed or watched.task is None):
                    return
            else:
                watched.unconfirmed = status
        # Reset before the request: a webhook during it asks for another get afterwards.
        needed, watched.needs_get = watched.needs_get, False
        try:
            task: Task = await self._transport.call_once(GET_TASK, task_id)
        except BaseException:
            watched.needs_get = watched.needs_get or needed
            raise
        self._record_task(watched, task, asked)

    # --- results --------------------------------------------------------------------------

    def _confirm(self, watched: WatchedTask) -> None:
        """Fetch a task that something else called ended."""
        is_first_in_queue = watched.needs_get and watched.is_queued
        watched.needs_get, watched.next_poll_at = True, _now()
        if not watched.calls and not is_first_in_queue:
            self._schedule.queue(watched)
        self._wake()

    def _record_reported(self, watched: WatchedTask, status: TaskStatus, value: Any) -> None:
        """Record what a held call told of a task; `value` is the JSON of the task, if it came."""
        if status.is_known and not status.is_terminal:
            self._record_status(watched, status, _now())
        elif not watched.change_confirmed:
            # Once: where get-task knows of no end, the task is polled as any other.
            watched.change_confirmed, watched.unconfirmed = True, status
            task = None if value is None else read_task(value)
            if task is not None and task.has_ended and task.id == watched.task_id:
                self._record_task(watched, task, _now())
                self._settle_or_reschedule(watched)
            else:
                self._confirm(watched)

    def _record_task(self, watched: WatchedTask, task: Task, asked: float) -> None:
        if watched.settled or (asked < watched.task_asked_at and not task.status.is_terminal):
            return  # older than what is known
        watched.task, watched.task_asked_at, watched.undecodable = task, asked, None
        if task.has_ended:
            watched.settled = True
            self._transport.release_slot()
            if self.telemetry is not None:
                self.telemetry.record_task(task)
        if watched.settled or asked >= watched.answered_at:  # else a page tells a newer one
            self._record_status(watched, task.status, _now())
        if watched.interest is Interest.STEPS:
            watched.notify()

    def _record_status(self, watched: WatchedTask, status: TaskStatus, now: float) -> None:
        if not watched.record_status(status, now):
            return
        self._transport.emit(UnknownStatusSeen(watched.task_id, status))
        if status not in self._unknown_statuses:  # one warning, however many tasks have it
            self._unknown_statuses.add(status)
            text = "task %s has the status %r, which this version does not know; it is taken to be "
            text += "alive, and so is every other task with it"
            _LOGGER.warning(text, watched.task_id, str(status))


def _now() -> float:
    return asyncio.get_running_loop().time()


def _session_closed(task_id: str) -> errors.SessionClosedError:
    what = f"the session is closed, and task {task_id} lives on"
    advice = "continue with session.handle(task_id) in a new session"
    return errors.SessionClosedError(f"{what}; {advice}", task_id=task_id)


def _cancel_requests(watched: WatchedTask) -> None:
    # The poll that has found the end runs this, and must not cancel itself.
    this = asyncio.current_task()
    for each in watched.calls:
        if each is not this:
            each.cancel()


def _is_refusal(error: BaseException) -> bool:
    """Whether asking again is of no use; a user's middleware may raise only now and then."""
    return isinstance(error, errors.BrowserUseError) and not is_transient(error)


def _failure_of_pages(error: BaseException | None) -> str:
    return f"its pages are not answered ({type(error).__name__})"


def _text_of(error: BaseException) -> str:
    """As text: handlers that show the variables of frames would find the key there."""
    return "".join(traceback.format_exception(error))


def _unanswered(tasks: _Tasks, asked: float) -> list[WatchedTask]:
    late = [each for each in tasks if each.answered_at < asked]  # few of ten thousand
    return [each for each in late if each.subscribers and not each.settled]
