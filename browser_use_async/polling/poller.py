"""The only place that polls. Waits and streams subscribe to it and never poll themselves."""

import asyncio
import contextvars
import copy
import logging
import math
import random
import traceback
from collections.abc import Coroutine, Iterable, Sequence
from typing import Any

from browser_use_async import errors
from browser_use_async.contract.limits import MAX_TASK_PAGE
from browser_use_async.contract.status_page import LIST_STATUSES, StatusPage
from browser_use_async.contract.table import GET_TASK, GET_TASK_STATUS
from browser_use_async.models import PageQuery, Task, TaskId, TaskStatus, UnknownStatusSeen
from browser_use_async.polling.policy import PollPolicy
from browser_use_async.polling.schedule import TICK, Schedule, WebhookHealth
from browser_use_async.polling.task_list import ListPage, TaskList
from browser_use_async.polling.watched_task import (
    MAX_LIST_MISSES,
    Interest,
    Subscriber,
    WatchedTask,
    is_transient,
)
from browser_use_async.transport.client import Transport

__all__ = ["TaskPoller"]

_LOGGER = logging.getLogger("browser_use_async")

MAX_REQUESTS = 50  # below the transport's bound, so that polling leaves room for other calls
MAX_STALE = 25  # further ones instead of as many that are not answered in time
RESERVED = 10  # further ones for tasks that have ended: their waits need just one more answer
MAX_PAGES = 25  # read at once in search of tasks
LOST_PER_PAGE = 25  # tasks that no page has shown for each page read in search of them
MAX_SEARCH = 1000  # pages; a list that never ends is searched no further
PAGE_ATTEMPTS = 3  # for one page, before its tasks are polled one by one
OUTAGE_FAILURES = 4  # failed requests in a row after which nothing is asked for a while
MAX_LIST_FAILURES = 3  # pages in a row that are unanswered, or show too little
LIST_BREAK, MAX_LIST_BREAK = 60.0, 960.0  # seconds without the list then; doubled each time
STRAINED = 10.0  # seconds after a pause that the service asked for
AFTER_CANCEL = 0.5  # seconds after which a poll that was cancelled from outside is made again
STILL = frozenset({TaskStatus.CREATED, TaskStatus.PAUSED})
LATE_STEPS = 30.0  # seconds for which a task that stands still may show another step

_PollAgain = Sequence[WatchedTask]  # whom a request has not told about, and who comes next


class TaskPoller:
    """Polls every watched task as often as the policy says.

    It is driven by one timer and by the ends of its requests. There is no task of its own that
    somebody could cancel, and a request that is lost in whatever way is made again.

    Args:
        transport: Makes the calls, each in one request without retries.
        policy: How often.
        rng: Source of jitter.
    """

    def __init__(self, transport: Transport, policy: PollPolicy, rng: random.Random) -> None:
        self.policy = policy
        self._transport = transport
        self._rng = rng
        self._webhooks = WebhookHealth()
        self._list = TaskList()
        self._schedule = Schedule(policy, self._webhooks, self._list, rng)
        # In flight, oldest first: since when, and which tasks a page should show.
        self._requests: dict[asyncio.Task[_PollAgain], tuple[float, Sequence[WatchedTask]]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._is_woken = False
        # Shared polls belong to no caller, so they run with nobody's context variables.
        self._context = contextvars.Context()
        self._failed_in_a_row = 0
        self._useless_pages = 0
        self._useless_since = -math.inf
        self._list_back_at = -math.inf
        self._list_break = LIST_BREAK
        self._search_page: int | None = None  # the next one to search for tasks on
        self._searched_at = -math.inf
        self._unknown_statuses: set[TaskStatus] = set()
        self._held_at = -math.inf  # when the service last wanted a pause
        self._closed = False

    # --- subscriptions --------------------------------------------------------------------

    def subscribe(
        self, task_id: str, subscriber: Subscriber, *, submitted_at: float | None = None
    ) -> WatchedTask:
        """Poll a task until its last subscriber leaves.

        Raises:
            SessionClosedError: The session is closed.
        """
        if self._closed:
            raise errors.SessionClosedError(
                f"the session is closed, and task {task_id} lives on; continue with "
                "session.handle(task_id) in a new session",
                task_id=task_id,
            )
        self._transport.bind()
        now = _now()
        watched = self._schedule.get(task_id)
        if watched is None or watched.settled:
            # What is settled is not polled again, but a new subscriber wants fresh news.
            watched = WatchedTask(task_id)
            watched.webhook_said_ended = self._webhooks.take_early_end(task_id)
            self._schedule.add(watched)
        if submitted_at is not None:
            watched.submitted_at = submitted_at
        if subscriber.interest is Interest.STEPS and watched.interest is not Interest.STEPS:
            watched.next_poll_at = now  # no other subscriber needed the whole task
        watched.subscribers.append(subscriber)
        if watched.webhook_said_ended and not watched.polls:
            watched.needs_get, watched.next_poll_at = True, now
        self._schedule.update(watched, now)
        self._wake()
        return watched

    def unsubscribe(self, watched: WatchedTask, subscriber: Subscriber) -> None:
        """Leave. A task without subscribers is not polled, and a poll in progress is cancelled."""
        watched.subscribers.remove(subscriber)
        if watched.subscribers:
            self._schedule.update(watched, _now())
        else:
            self._cancel_requests(watched)
            self._schedule.discard(watched)
        self._wake()

    def _cancel_requests(self, watched: WatchedTask) -> None:
        this = asyncio.current_task()
        for each in watched.requests:
            if each is not this:
                each.cancel()

    def webhook_received(self, task_id: str, *, has_ended: bool) -> None:
        """A webhook is a reason to poll; the API decides."""
        watched = self._schedule.get(task_id)
        if watched is not None and (watched.settled or not watched.subscribers):
            watched = None
        were_arriving = self._webhooks.arriving
        self._webhooks.record(task_id, watched, has_ended=has_ended)
        if not were_arriving:
            self._schedule.set_timers()
        if watched is not None and (has_ended or watched.interest is not Interest.END):
            self._confirm(watched)
        if len(self._schedule):  # else there may be no loop yet
            self._wake()

    async def aclose(self) -> None:
        """Stop polling; every wait and stream gets `SessionClosedError`."""
        self._closed = True
        for watched in self._schedule:
            if not watched.settled:  # an answer that has come is not thrown away
                watched.error = errors.SessionClosedError(
                    f"the session was closed during a wait for task {watched.task_id}, which "
                    "lives on; continue with session.handle(task_id) in a new session",
                    task_id=watched.task_id,
                )
                watched.notify()
        self._set_timer(math.inf)
        requests = tuple(self._requests)
        for each in requests:
            each.cancel()
        await asyncio.gather(*requests, return_exceptions=True)

    # --- dispatching ----------------------------------------------------------------------

    def _wake(self) -> None:
        """Look soon at what is due; thousands of subscriptions in one turn make one look."""
        if not self._is_woken and not self._closed:
            self._is_woken = True
            asyncio.get_running_loop().call_soon(self._dispatch, context=self._context)

    def _set_timer(self, moment: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not math.isinf(moment):
            loop = asyncio.get_running_loop()
            self._timer = loop.call_at(moment, self._dispatch, context=self._context)

    def _dispatch(self) -> None:
        """Start what is due, and set the timer for what comes next."""
        self._is_woken = False
        if self._closed:
            return
        now = _now()
        try:
            due = self._start_due(now)
        except Exception as error:  # noqa: BLE001 - see _record_internal_error
            self._record_internal_error(error)
            due = now + 1.0
        self._set_timer(due)

    def _record_internal_error(self, error: Exception) -> None:
        """An error of ours must not end the waits for paid tasks: they are polled one by one."""
        _LOGGER.error("polling: an internal error; please report it\n%s", _text_of(error))
        self._break_list("an internal error")

    def _start_due(self, now: float) -> float:
        """Start what is due as far as there are slots, and return when to look again."""
        schedule = self._schedule
        if not len(schedule):
            schedule.clear()
            return math.inf
        if self._transport.is_held:
            self._held_at = now
        schedule.is_strained = now - self._held_at < STRAINED
        schedule.run_timers(now)
        self._search_further(now)
        while self._slots(now) > 0:
            watched = schedule.pop_due(now)
            if watched is None:
                return schedule.next_due(now)
            self._start_poll(watched, now)
        return schedule.next_timer  # a request that ends wakes the poller, too

    def _slots(self, now: float) -> int:
        limit = MAX_REQUESTS + (RESERVED if self._schedule.is_urgent else 0)
        if self._transport.is_held:
            limit = 1  # the probe
        # What takes too long is left to finish by itself: nobody waits behind it.
        stale, overdue = 0, self._schedule.overdue
        for started, _tasks in self._requests.values():
            if now - started < overdue or stale == MAX_STALE:
                break
            stale += 1
        return limit + stale - len(self._requests)

    def _start_poll(self, watched: WatchedTask, now: float) -> None:
        try:
            is_shared = self._start_shared(watched, now)
        except Exception as error:  # noqa: BLE001 - see _record_internal_error
            self._record_internal_error(error)
            is_shared = False
        if not is_shared:
            self._start_single(watched, now)

    def _start_shared(self, watched: WatchedTask, now: float) -> bool:
        """Read the page that shows a task and its neighbours, if there is one that pays."""
        if watched.needs_get or watched.status_only or watched.is_lost:
            return False
        if now < self._list_back_at or not self._schedule.rotates(watched):
            return False
        if watched.rank is None:
            return self._start_search(now)
        overdue, recently = self._schedule.overdue, now - 0.5 * self._schedule.interval

        def is_wanted(each: WatchedTask) -> bool:
            return each.may_be_polled(now, overdue)  # else another request is about to tell

        page = self._list.plan(watched, is_wanted, self.policy.list_threshold, recently, now)
        if page is None:
            return False
        self._start(self._poll_page(page, now), now, page.tasks)
        return True

    def _start_single(self, watched: WatchedTask, now: float) -> "asyncio.Task[_PollAgain]":
        request = self._start(self._poll_one(watched, now), now, [watched])
        watched.pages -= 1  # but a request of its own
        watched.requests += (request,)
        watched.begin_poll(now + TICK, self._schedule.reply_time)
        self._schedule.set_timer(watched)  # for the case that it is not answered in time
        return request

    def _start(
        self, work: Coroutine[Any, Any, _PollAgain], now: float, tasks: Sequence[WatchedTask] = ()
    ) -> "asyncio.Task[_PollAgain]":
        """Start a request that should tell about some tasks."""
        # From the top of the list: new tasks then move the others on to pages that are yet to be
        # read. The other way round each page would leave a few behind on the one read before.
        for each in reversed(tasks):
            each.pages += 1
            each.asked_at = now
            self._schedule.move_to_back(each, now)
        loop = asyncio.get_running_loop()
        request = loop.create_task(work, context=self._context)
        self._requests[request] = (now, tasks)
        # A callback, and no `finally` inside: a task cancelled before it begins never gets there.
        request.add_done_callback(self._finished, context=self._context)
        return request

    def _finished(self, request: "asyncio.Task[_PollAgain]") -> None:
        started, tasks = self._requests.pop(request)
        again: _PollAgain = ()
        moment = _now()
        if request.cancelled():  # by somebody who cancels all tasks there are
            again, moment = _unanswered(tasks, started), max(moment, started + AFTER_CANCEL)
        elif (error := request.exception()) is None:
            again = request.result()
        elif isinstance(error, Exception):
            self._record_internal_error(error)
        for each in tasks:
            is_own = request in each.requests
            if is_own:
                each.requests = tuple(other for other in each.requests if other is not request)
            else:
                each.pages -= 1
            if is_own or self._webhooks.arriving or not self._schedule.rotates(each):
                self._schedule.set_timer(each)
        for each in reversed(again):
            self._schedule.poll_again(each, moment)
        self._wake()

    # --- list pages -----------------------------------------------------------------------

    async def _poll_page(
        self, page: ListPage, asked: float, attempts: int = PAGE_ATTEMPTS
    ) -> _PollAgain:
        """Read a page; one that is not answered is asked for again before anything else is done."""
        tasks = page.tasks
        for attempt in range(1, attempts + 1):
            error = await self._read_page(page)
            if error is None:
                self._record_missed(page.tasks, asked)
                return _unanswered(tasks, asked)
            if attempt == attempts or not self._may_ask_again(error):
                break
            await asyncio.sleep(self.policy.backoff(attempt, self._rng) / 2)
            left = _unanswered(tasks, asked)
            if tasks and not left:
                return ()
            if left:  # and perhaps moved on to another page by new tasks
                page = self._list.plan(left[0], set(left).__contains__, 1, math.inf, _now()) or page
        assert error is not None
        if tasks:
            return await self._find_out_why(_unanswered(tasks, asked), error, asked)
        self._count_useless_page(asked, _no_answer(error))
        return ()

    def _may_ask_again(self, error: Exception) -> bool:
        if isinstance(error, errors.RateLimitError) or not is_transient(error):
            return False
        return self._failed_in_a_row < OUTAGE_FAILURES

    async def _read_page(self, page: ListPage) -> Exception | None:
        """Read a page and record what it shows, or return why that was not possible."""
        asked = _now()
        try:
            query = PageQuery(page=page.number, limit=page.limit)
            answer: StatusPage = await self._transport.call_once(LIST_STATUSES, query)
        except Exception as error:  # noqa: BLE001 - a user's middleware may raise anything
            self._count_failure(error)
            return error
        self._failed_in_a_row = 0
        self._record_reply_time(asked)
        self._record_page(page, answer, asked)
        return None

    def _record_page(self, page: ListPage, answer: StatusPage, asked: float) -> None:
        now, schedule = _now(), self._schedule
        has_timers = self._webhooks.arriving or not schedule.is_sharing
        rotation = schedule.rotation
        shown: list[tuple[int, WatchedTask]] = []
        for index, (task_id, status) in enumerate(answer.rows):
            watched = schedule.get(task_id)
            # Not asked for `settled`: this runs ten thousand times a second.
            if watched is None or watched.ended or watched.error is not None:
                continue
            if watched.answered_at >= asked:
                continue  # a newer request has told already, or the row stands twice
            if watched in rotation:
                shown.append((index, watched))
            if watched.asked_at < asked or watched.rank is None:  # not expected on this page
                watched.asked_at = asked
                schedule.move_to_back(watched, asked)
            watched.record_answer(asked)
            if has_timers and not schedule.rotates(watched):
                watched.next_poll_at = now + schedule.pause(watched)
            if status != watched.status or watched.unknown_statuses:
                self._record_row(watched, TaskStatus(status), now)
        if not answer.rows:
            self._search_page = None  # the end of the list
        limit = min(page.limit, answer.limit) if answer.limit > 0 else page.limit
        row_bytes = answer.size / len(answer.rows) if answer.rows else None
        for each in self._list.record_page(page, shown, limit, row_bytes, asked, now):
            schedule.set_timer(each)

    def _record_row(self, watched: WatchedTask, status: TaskStatus, now: float) -> None:
        if status.is_known and not status.is_terminal:
            self._record_status(watched, status, now)
        else:
            self._confirm(watched)

    def _record_missed(self, tasks: Sequence[WatchedTask], asked: float) -> None:
        """A page did not show tasks that it should have shown: perhaps the next one does."""
        missed = _unanswered(tasks, asked)
        if 2 * len(missed) <= len(tasks):
            self._useless_pages = 0
        else:
            self._count_useless_page(asked, "its pages do not show the tasks that they should")
        for each in missed:
            each.list_misses += 1
            each.status_only = each.list_misses > 1
            self._note_lost(each)

    def _note_lost(self, watched: WatchedTask) -> None:
        if watched.is_lost and self._search_page is None:
            self._search_page = 1

    async def _find_out_why(
        self, tasks: Sequence[WatchedTask], error: Exception, asked: float
    ) -> _PollAgain:
        """Find out with one status call whether only the list fails, or everything."""
        if not tasks:
            return ()
        if isinstance(error, errors.RateLimitError) or self._failed_in_a_row > OUTAGE_FAILURES:
            self._record_outage(tasks, error)
            return ()
        first, *others = tasks
        request = first.requests[-1] if first.requests else self._start_single(first, _now())
        await asyncio.wait([request])
        is_refused = first.error is not None and not isinstance(first.error, errors.NotFoundError)
        if first.failures or first.broken or is_refused:
            self._record_outage(others, error)
            return ()
        self._count_useless_page(asked, _no_answer(error))
        for each in others:
            each.status_only = True
        return others

    def _count_useless_page(self, asked: float, why: str) -> None:
        """Count pages in a row that told nothing; those in flight together as one."""
        if asked < self._useless_since:
            return
        self._useless_since = _now()
        self._useless_pages += 1
        if self._useless_pages >= MAX_LIST_FAILURES:
            self._break_list(why)

    def _record_outage(self, tasks: Iterable[WatchedTask], error: Exception) -> None:
        """A page that was to tell about these tasks has failed, and so does everything else."""
        now = _now()
        for each in tasks:
            if not each.settled:
                is_ours = isinstance(error, errors.BrowserUseError)
                own = copy.copy(error) if is_ours else error
                each.record_failure(own, now, self.policy, self._rng)
                self._schedule.move_to_back(each, now)
                self._settle_or_reschedule(each)
        failures = self._failed_in_a_row - OUTAGE_FAILURES + 1
        if failures > 0:
            self._schedule.hold_until(now + self.policy.backoff(failures, self._rng))

    def _break_list(self, why: str) -> None:
        """Poll without the list for a while; longer each time when that happens again."""
        now = _now()
        if now < self._list_back_at:
            return
        self._useless_pages = MAX_LIST_FAILURES - 1  # one more is enough when it is back
        was_long_ago = now - self._list_back_at > LIST_BREAK
        self._list_break = LIST_BREAK if was_long_ago else min(2 * self._list_break, MAX_LIST_BREAK)
        self._list_back_at = now + self._list_break
        self._schedule.spread_again()
        _LOGGER.warning(
            "tasks are polled one by one for %.0f s instead of through the task list: %s",
            self._list_break,
            why,
        )

    def _record_reply_time(self, asked: float) -> None:
        if self._held_at < asked:  # else it may have waited for the end of a pause
            self._schedule.record_reply_time(_now() - asked)

    def _count_failure(self, error: BaseException) -> None:
        """Count failed requests in a row; an answer that is no news still is an answer."""
        is_answer = isinstance(error, errors.BrowserUseError) and not is_transient(error)
        self._failed_in_a_row = 0 if is_answer else self._failed_in_a_row + 1

    # --- searching ------------------------------------------------------------------------

    def _start_search(self, now: float) -> bool:
        """Search together for all tasks whose place is unknown; False if that does not pay."""
        overdue = self._schedule.overdue
        tasks = [
            each
            for each in self._schedule.rotation
            if each.rank is None and not each.is_lost and each.may_be_polled(now, overdue)
        ]
        if len(tasks) < self.policy.list_threshold:
            return False
        count = math.ceil(len(tasks) / MAX_TASK_PAGE)
        limit = MAX_TASK_PAGE if count > 1 else min(len(tasks) + 4, MAX_TASK_PAGE)
        search = self._search(range(1, count + 1), limit, tasks, now, PAGE_ATTEMPTS)
        self._start(search, now, tasks)
        return True

    def _search_further(self, now: float) -> None:
        """Read a few pages more in each interval for tasks that no page has shown."""
        number, schedule = self._search_page, self._schedule
        if number is None or now < max(self._searched_at + schedule.interval, self._list_back_at):
            return
        self._searched_at = now
        lost = sum(each.is_lost for each in schedule.rotation)
        if lost < self.policy.list_threshold or number > MAX_SEARCH:
            self._search_page = None
            return
        self._search_page = number + math.ceil(lost / LOST_PER_PAGE)
        numbers = range(number, self._search_page)
        self._start(self._search(numbers, MAX_TASK_PAGE, (), now, 1), now)

    async def _search(
        self,
        numbers: range,
        limit: int,
        tasks: Sequence[WatchedTask],
        asked: float,
        attempts: int,
    ) -> _PollAgain:
        """Read pages that may show tasks whose place is unknown."""
        room = asyncio.Semaphore(MAX_PAGES)

        async def read(number: int) -> None:
            async with room:
                await self._poll_page(self._list.plan_top(number, limit), asked, attempts)

        await asyncio.gather(*map(read, numbers))
        missed = _unanswered(tasks, asked)
        for each in missed:
            each.list_misses = MAX_LIST_MISSES
            self._note_lost(each)
        return missed

    # --- status calls ---------------------------------------------------------------------

    async def _poll_one(self, watched: WatchedTask, asked: float) -> _PollAgain:
        polls_before = watched.polls
        try:
            await self._ask(watched, asked)
        except asyncio.CancelledError:
            raise  # by `unsubscribe`, or from outside
        except BaseException as error:
            self._count_failure(error)
            if watched.answered_at < asked:  # else a newer request was answered
                watched.record_failure(error, _now(), self.policy, self._rng)
            if not isinstance(error, errors.BrowserUseError):
                _LOGGER.warning("a poll of task %s raised\n%s", watched.task_id, _text_of(error))
            if isinstance(error, KeyboardInterrupt | SystemExit):
                raise
        else:
            now = _now()
            self._failed_in_a_row = 0
            self._record_reply_time(asked)
            watched.record_answer(max(asked, watched.answered_at))
            # From now on and not from the poll before: no burst after the loop was blocked.
            watched.next_poll_at = now + (0 if watched.needs_get else self._schedule.pause(watched))
        if watched.ended and self._webhooks.record_end(watched, polls_before):
            self._schedule.end_long_pauses(_now())
        self._settle_or_reschedule(watched)
        return ()

    def _settle_or_reschedule(self, watched: WatchedTask) -> None:
        if watched.settled:
            self._schedule.leave_rotation(watched)
            self._cancel_requests(watched)
            watched.notify()
        elif watched.subscribers:
            self._schedule.set_timer(watched)

    async def _ask(self, watched: WatchedTask, asked: float) -> None:
        """One poll; a terminal status counts once get-task confirms it."""
        whole = watched.interest is Interest.STEPS and not (
            watched.status in STILL and asked - watched.status_since > LATE_STEPS
        )
        task_id = TaskId(watched.task_id)
        if not watched.needs_get and not whole:
            status: TaskStatus = await self._transport.call_once(GET_TASK_STATUS, task_id)
            if status.is_known and not status.is_terminal:
                changed = status != watched.status
                if asked >= watched.answered_at:
                    self._record_status(watched, status, _now())
                if not (changed and watched.interest is Interest.STEPS):
                    return
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
        watched.needs_get, watched.next_poll_at = True, _now()
        if not watched.requests and not watched.is_queued:
            self._schedule.queue(watched, first=True)
        self._wake()

    def _record_task(self, watched: WatchedTask, task: Task, asked: float) -> None:
        if watched.ended or (asked < watched.answered_at and not task.status.is_terminal):
            return  # older than what is known
        watched.task = task
        if task.status.is_terminal or (not task.status.is_known and task.finished_at is not None):
            watched.ended = True
            self._transport.slot_freed()
        self._record_status(watched, task.status, _now())
        if watched.interest is Interest.STEPS:
            watched.notify()

    def _record_status(self, watched: WatchedTask, status: TaskStatus, now: float) -> None:
        if not watched.record_status(status, now):
            return
        self._transport.emit(UnknownStatusSeen(watched.task_id, status))
        if status not in self._unknown_statuses:  # one warning, however many tasks have it
            self._unknown_statuses.add(status)
            _LOGGER.warning(
                "task %s has the status %r, which this version does not know; it is taken to be "
                "alive, and so is every other task with it",
                watched.task_id,
                str(status),
            )


def _now() -> float:
    return asyncio.get_running_loop().time()


def _no_answer(error: Exception) -> str:
    return f"its pages are not answered ({type(error).__name__})"


def _text_of(error: BaseException) -> str:
    """As text: handlers that show the variables of frames would find the key there."""
    return "".join(traceback.format_exception(error))


def _unanswered(tasks: Sequence[WatchedTask], asked: float) -> list[WatchedTask]:
    late = [each for each in tasks if each.answered_at < asked]  # few of ten thousand
    return [each for each in late if each.subscribers and not each.settled]
