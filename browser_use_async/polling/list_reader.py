"""Polls many tasks at once through pages of the task list, and searches it for their places."""

import asyncio
import copy
import math
from collections.abc import Coroutine, Sequence
from typing import Any

from browser_use_async import errors
from browser_use_async.api.limits import MAX_TASK_PAGE
from browser_use_async.api.serialization import LIST_STATUSES, StatusPage
from browser_use_async.polling.hints import Hints
from browser_use_async.polling.policy import JITTER, MAX_PAUSE, SAFETY_PAUSE, Break
from browser_use_async.polling.schedule import TICK, Schedule, is_refusal
from browser_use_async.polling.task_list import MIN_SHARED, ListPage
from browser_use_async.polling.watched_task import WatchedTask, loop_time, unanswered
from browser_use_async.transport.client import Transport
from browser_use_async.types import PageQuery, TaskStatus

MAX_PAGES = 25  # read at once in search of tasks
LOST_PER_PAGE = 25  # tasks that no page has shown for each page read in search of them
MAX_SEARCH = 1000  # pages; a list that never ends is searched no further
MAX_KNOWN = 256  # pages whose last answers are remembered
MAX_ENDS = 1000  # tasks whose ends are remembered
PAGE_ATTEMPTS = 3  # for one page, before its tasks are polled one by one

_STATUSES: dict[str, str] = {each: each for each in TaskStatus}

_Tasks = Sequence[WatchedTask]
_BREAK = "tasks are polled one by one for up to %.0f s instead of through the task list: %s"

ListRequest = tuple[Coroutine[Any, Any, _Tasks], _Tasks]
"""A request that has not started, and the tasks whose status it should show."""


class ListReader:
    """Decides when pages of the task list are read, reads them, and records what they show.

    Attributes:
        health: Whether pages show the tasks that they should.
    """

    def __init__(self, transport: Transport, schedule: Schedule, hints: Hints) -> None:
        self.health = Break(_BREAK)
        self._transport = transport
        self._policy = schedule.policy
        self._schedule = schedule
        self._list = schedule.task_list
        self._hints = hints
        # By number and limit, the one read longest ago first.
        self._pages: dict[tuple[int, int], StatusPage] = {}
        self._search_page: int | None = None  # the next one to search for tasks on
        self._searched_at = -math.inf
        self._failed_since = math.inf  # the first failure since the last page that was answered
        self._max_lag = 2 * (schedule.policy.latency_target or MAX_PAUSE)  # seconds
        # Seconds by which dates of tasks are behind the `Date` of answers, as far as seen.
        self._clock_error = 0.0
        # By the id of a task, oldest first: the loop time at which its end was confirmed.
        self._ends: dict[str, float] = {}

    def request_for(self, watched: WatchedTask, now: float) -> ListRequest | None:
        """The page that shows a task and its neighbours, if one is worth its cost."""
        schedule = self._schedule
        if not schedule.may_share(watched) or watched.poll_alone or watched.is_lost:
            return None
        if now < self.health.back_at:
            return None
        # In an outage every other request is for a single task: perhaps only the list fails.
        if self._schedule.is_down and self._schedule.failed_in_a_row % 2:
            return None
        overdue = schedule.overdue - TICK  # as timers fire a little early
        if watched.rank is not None:
            # Safety polls have random times within some seconds, and are made together.
            is_safety = schedule.covers(watched)
            soon = JITTER * SAFETY_PAUSE if is_safety else 0.5 * schedule.interval
            page = self._list.plan(watched, now + soon, overdue, now)
            return None if page is None else (self._poll_page(page, now), page.tasks)
        # Tasks of unknown rank are searched for together: any page can show several of them.
        unknown = [
            each
            for each in schedule.shared
            if each.rank is None
            and not each.is_lost
            and (each is watched or each.may_be_polled(now, overdue))
        ]
        if len(unknown) >= MIN_SHARED:
            # If they are many, all others may stand above them.
            is_part = 10 * len(unknown) < len(schedule.shared)
            rows = len(unknown) if is_part else len(schedule.shared)
            return self._search(1, math.ceil(rows / MAX_TASK_PAGE), unknown, now), unknown
        return None

    async def _poll_page(self, page: ListPage, asked: float) -> _Tasks:
        """Read a page; returns the tasks that it did not show."""
        error = await self._read_page(page, asked)
        tasks = unanswered(page.tasks, asked)
        if error is not None:
            return await self._record_page_failure(tasks, error, asked)
        if 2 * len(tasks) <= len(page.tasks) or self._list.is_ordered:
            self.health.record_useful()
        else:
            why = "its pages do not show the tasks that they should"
            self.health.record_useless(asked, loop_time(), why)
        for each in tasks:
            each.list_misses += 1
            each.poll_alone = each.list_misses > 1  # perhaps the next page shows it
        self._search_for(tasks)
        return tasks

    async def _record_page_failure(self, tasks: _Tasks, error: Exception, asked: float) -> _Tasks:
        """Repeat the page, then poll its tasks one by one, except in an outage."""
        if not tasks:
            return ()  # other requests have shown them
        # These fail for every call, so polling the tasks one by one would only multiply them.
        is_for_all = isinstance(error, errors.AuthenticationError)
        if isinstance(error, errors.RateLimitError):
            # A 429 without a pause concerns this page alone, and the next may be answered.
            failed = max(0 if each.failed is None else each.failed.pages for each in tasks)
            is_for_all = self._transport.is_paused or failed + 1 >= PAGE_ATTEMPTS
        if is_for_all or self._schedule.is_down:
            self._postpone(tasks, error, asked)
            return ()
        attempts = 0
        for each in tasks:
            attempts = max(attempts, failed := each.record_page_failure())
            each.poll_alone = is_refusal(error) or failed >= PAGE_ATTEMPTS
        if 2 * sum(each.poll_alone for each in tasks) > len(tasks):
            self.health.record_useless(asked, loop_time(), _failure_of_pages(error))
        else:
            # A pause inside the request: its tasks stay in flight, so no other page is read for
            # them meanwhile.
            await asyncio.sleep(self._policy.backoff(attempts, self._schedule.rng) / 2)
        return tasks

    def _postpone(self, tasks: _Tasks, error: Exception, asked: float) -> None:
        """Poll tasks later, and one of them now: its call shows whether only the list fails."""
        now, is_limited = loop_time(), isinstance(error, errors.RateLimitError)
        # Since the first failure, calls for single tasks were answered, and none was limited.
        if is_limited and self._schedule.answered_at > self._failed_since:
            self.health.record_useless(asked, now, _failure_of_pages(error))
        for each in tasks:
            # A copy for each task, because `settle_with` sets its task id.
            own = copy.copy(error) if isinstance(error, errors.BrowserUseError) else error
            self._schedule.record_task_failure(each, own, now)
            self._schedule.settle_or_reschedule(each)
        tasks[0].poll_alone = True
        self._schedule.poll_again(tasks[0], max(now, self._schedule.resume_at))
        self._schedule.wake()

    def record_single_failure(self, error: BaseException) -> None:
        """Record why a call for a single task failed."""
        # Then not only the list is limited, and pages need fewer calls.
        if isinstance(error, errors.RateLimitError):
            self._failed_since = math.inf
            self.health.end(loop_time())

    async def _read_page(self, page: ListPage, asked: float) -> Exception | None:
        """Read a page and record what it shows, or return why that was not possible."""
        query = PageQuery(page=page.number, limit=page.limit)
        known = self._pages.get((page.number, page.limit))
        try:
            answer: StatusPage = await self._transport.call_once(
                LIST_STATUSES, query, known=known, on_headers=self._hints.learn
            )
        except Exception as error:  # noqa: BLE001 - a user's middleware may raise anything
            now = loop_time()
            self._schedule.record_failure(error, now)
            self._failed_since = min(self._failed_since, now)
            return error
        self._schedule.record_reply(asked, loop_time())
        self._failed_since = math.inf
        if not answer.ids:
            self._search_page = None  # the end of the list
        self._record_page(page, answer, asked)
        return None

    def _record_page(self, page: ListPage, answer: StatusPage, asked: float) -> None:
        """Record what the rows of a page say of watched tasks."""
        now, shared = loop_time(), self._schedule.shared
        rows: list[WatchedTask | None] = [*map(self._schedule.watched.get, answer.ids)]
        self._remember(page, answer, rows)
        self._list.record_page(
            page, answer, [each if each in shared else None for each in rows], asked
        )
        # Nothing new of others: a newer request, or a row above, has a newer status.
        news = [
            (each, status)
            for each, status in zip(rows, answer.statuses, strict=True)
            if each is not None and not each.settled and each.answered_at < asked
        ]
        for watched, status in news:
            if watched.answered_at >= asked:
                continue  # it is on the page twice
            # By identity, which is fast for known statuses; the others are few.
            changed = None if status is watched.status else TaskStatus(status)
            if changed is not None and changed.is_terminal:
                self._hints.record_end(watched, changed)
            watched.record_row(asked)
            if changed is not None:
                self._record_status(watched, changed, now)
            if watched.unconfirmed is None:
                watched.listed_at = asked
        self._schedule.postpone([each for each, _status in news if not each.needs_get], now)
        for task_id in self._ends.keys() & answer.ids:
            status = TaskStatus(answer.statuses[answer.ids.index(task_id)])
            if status.is_known and not status.is_terminal:
                self._record_lag(asked - self._ends[task_id], task_id)

    def _record_status(self, watched: WatchedTask, status: TaskStatus, now: float) -> None:
        """Record a changed status; get-task confirms an end."""
        if status.is_known and not status.is_terminal:
            watched.record_status(status, now)
            return
        watched.unconfirmed = status
        self._schedule.confirm(watched, now)

    def record_end(self, watched: WatchedTask, alive_at: float) -> None:
        """Compare an end that get-task has just confirmed with what the list has shown.

        `alive_at` is when the last answer began that did not show the end.
        """
        # By the `Date` of the same answer, since this machine's clock may be wrong. The service's
        # clocks may differ, too, so what is known otherwise of the life of the task corrects them.
        now, task, listed_at = loop_time(), watched.task, watched.listed_at
        self._ends[watched.task_id] = now
        if len(self._ends) > MAX_ENDS:
            del self._ends[next(iter(self._ends))]
        date = self._transport.server_clock.unconfirmed()
        if date is None or task is None or task.finished_at is None:
            return
        ended_at = now - (date - task.finished_at).total_seconds()
        if alive_at > listed_at:  # by a call for this task alone
            self._clock_error = max(self._clock_error, alive_at - ended_at)
        if watched.submitted_at is not None and task.duration is not None:
            least = watched.submitted_at + task.duration - ended_at
            self._clock_error = max(self._clock_error, least)
        self._record_lag(listed_at - ended_at - self._clock_error, watched.task_id)

    def _record_lag(self, seconds: float, task_id: str) -> None:
        """Poll tasks one by one if the list shows them alive for long after their ends."""
        if seconds > self._max_lag:
            why = f"it showed task {task_id} as not ended {seconds:.0f} s after its end"
            self.health.start(loop_time(), why)

    def _remember(
        self, page: ListPage, answer: StatusPage, rows: Sequence[WatchedTask | None]
    ) -> None:
        """Remember the answer of a page, so that it need not be read if it comes again."""
        if len(answer.ids) > MAX_TASK_PAGE:
            return  # a service may answer anything, so the size is limited
        place = (page.number, page.limit)
        if self._pages.pop(place, None) is not answer:
            # With the ids of the watched tasks, so that the answer's own hundreds of ids are freed.
            for index, watched in enumerate(rows):
                if watched is not None:
                    answer.ids[index] = watched.task_id
            answer.statuses[:] = [_STATUSES.get(each, each) for each in answer.statuses]
        self._pages[place] = answer
        if len(self._pages) > MAX_KNOWN:
            del self._pages[next(iter(self._pages))]

    # --- searches -------------------------------------------------------------------------

    def next_search(self, now: float) -> ListRequest | None:
        """The next pages to search for tasks that no page has shown: a few in each interval."""
        schedule, first = self._schedule, self._search_page
        # An outage leaves room for one request. It must be a call for a single task, which shows
        # that the service answers again although the list still fails.
        if first is None or self._schedule.is_down:
            return None
        if now < max(self._searched_at + schedule.interval, self.health.back_at):
            return None
        self._searched_at = now
        lost = sum(each.is_lost for each in schedule.shared)
        self._search_page = None
        if lost >= MIN_SHARED and first <= MAX_SEARCH:
            count = math.ceil(lost / LOST_PER_PAGE)
            self._search_page = first + count
            return self._search(first, count, (), now), ()
        return None

    def _search_for(self, missed: _Tasks) -> None:
        if self._search_page is None and any(each.is_lost for each in missed):
            self._search_page = 1

    async def _search(self, first: int, count: int, tasks: _Tasks, asked: float) -> _Tasks:
        """Read pages that may show these tasks, or lost ones."""
        limit = min(len(tasks) + 4, MAX_TASK_PAGE) if tasks else MAX_TASK_PAGE
        room = asyncio.Semaphore(MAX_PAGES)

        async def read(number: int) -> Exception | None:
            async with room:
                error: Exception | None = None
                for attempt in range(1, (PAGE_ATTEMPTS if tasks else 1) + 1):
                    error = await self._read_page(ListPage(number, limit, ()), loop_time())
                    if error is None:
                        return None
                    await asyncio.sleep(self._policy.backoff(attempt, self._schedule.rng) / 2)
                now, answered_at = loop_time(), self._schedule.answered_at
                is_limited = isinstance(error, errors.RateLimitError)
                # Else all calls fail or are limited, and single calls would only add to them.
                if now - answered_at <= 2 * self._schedule.interval and not is_limited:
                    self.health.record_useless(asked, now, _failure_of_pages(error))
                return error

        failures = await asyncio.gather(*map(read, range(first, first + count)))
        missed = unanswered(tasks, asked)
        for error in failures:
            if missed and isinstance(error, errors.RateLimitError):
                self._postpone(missed, error, asked)
                return ()
        for each in missed:
            each.list_misses += 2  # others may have been created above it meanwhile
        self._search_for(missed)
        return missed


def _failure_of_pages(error: BaseException | None) -> str:
    return f"its pages are not answered ({type(error).__name__})"
