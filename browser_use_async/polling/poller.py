"""The only place that polls. Waits and streams subscribe to it and never poll themselves."""

import asyncio
import contextvars
import math
import random
import traceback
from collections.abc import Coroutine, Sequence
from typing import Any

from browser_use_async import errors
from browser_use_async.api.endpoint_table import GET_TASK, GET_TASK_STATUS
from browser_use_async.logs import LOGGER
from browser_use_async.observing.observers import StopAsked, WatchEnded
from browser_use_async.polling.hints import Hints
from browser_use_async.polling.list_reader import ListReader
from browser_use_async.polling.policy import PollPolicy
from browser_use_async.polling.schedule import PACING_STEP, TICK, Schedule
from browser_use_async.polling.watched_task import (
    Interest,
    Subscriber,
    WatchedTask,
    loop_time,
    unanswered,
)
from browser_use_async.transport.client import Transport
from browser_use_async.types import Task, TaskId, TaskStatus

MAX_REQUESTS = 50  # below the transport's bound, so that polling leaves room for other calls
MAX_STALE = 25  # more requests, in place of those that are not answered in time
MAX_KNOWN = 10_000  # tasks of waits that are over
AFTER_CANCEL = 0.5  # seconds after which a poll that was cancelled from outside is made again
STILL = frozenset({TaskStatus.CREATED, TaskStatus.PAUSED})
LATE_STEPS = 30.0  # seconds for which a task that stands still may show another step

_Tasks = Sequence[WatchedTask]
_Request = asyncio.Task[_Tasks]  # returns the tasks that it did not show, to poll next


class TaskPoller:
    """Polls every watched task as often as the policy says.

    It is driven by one timer and by the ends of its requests, and has no asyncio task that a caller
    could cancel. A lost request is repeated, whatever the reason. Each call is one request without
    retries.

    Attributes:
        hints: What sources of hints report to.
        schedule: Which task is polled when.
    """

    def __init__(self, transport: Transport, policy: PollPolicy, rng: random.Random) -> None:
        self.policy = policy
        self.transport = transport
        self._rng = rng
        schedule = self.schedule = Schedule(policy, rng, self._wake)
        self.hints = Hints(
            schedule.sources, schedule.watched, schedule.confirm, schedule.end_long_pauses
        )
        self._list_reader = ListReader(transport, schedule, self.hints)
        # In flight, oldest first: the start time and the tasks.
        self._requests: dict[_Request, tuple[float, _Tasks]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._is_woken = False
        self._is_full = False  # whether a poll is due but no slot is free
        # Shared polls belong to no caller, so they run without the context variables of any.
        self._context = contextvars.Context()
        self._known: dict[str, None] = {}  # tasks seen by waits that are over, oldest first
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
        """Poll a task until its last subscriber has left."""
        if self._closed:
            raise _session_closed(task_id)
        self.transport.bind()
        now = loop_time()
        watched = self.schedule.watched.get(task_id)
        if watched is None or watched.settled:
            # A settled task is not polled again, but a new subscriber needs a fresh answer.
            watched = WatchedTask(task_id, self.transport.observers)
            self.schedule.watched[task_id] = watched
        watched.exists = watched.exists or exists or task_id in self._known
        if submitted_at is not None:
            watched.submitted_at = submitted_at
        if subscriber.interest > watched.interest:
            # The task was fetched for earlier subscribers, so it may be old.
            watched.task = None
            self.schedule.poll_again(watched, now)
        watched.subscribers.append(subscriber)
        self.hints.recall(watched)
        self.schedule.update(watched, now)
        self._wake()
        return watched

    def unsubscribe(self, watched: WatchedTask, subscriber: Subscriber) -> None:
        """Remove a subscriber; after the last one, polling ends and requests are cancelled."""
        watched.subscribers.remove(subscriber)
        if watched.subscribers:
            self.schedule.update(watched, loop_time())
        else:
            watched.cancel_requests()
            self.schedule.discard(watched)
            self.transport.observers.notify(WatchEnded(watched.polls), watched.task_id)
            if watched.is_known:
                self.record_known(watched.task_id)
        if not self.schedule.watched:
            for each in self._requests:  # pages that are no longer needed
                each.cancel()
            self._dispatch()  # for sources of hints alone
        self._wake()

    def record_stop(self, task_id: str, action: str) -> None:
        """Record that the service has accepted to stop or pause a task."""
        self.transport.observers.notify(StopAsked(action), task_id)

    def record_resume(self, task_id: str) -> None:
        """Record that the service has resumed a task: a later pause is a new one."""
        watched = self.schedule.watched.get(task_id)
        if watched is not None:
            # Answers to earlier requests are old, and the next poll fetches the whole task.
            watched.paused_at, watched.task_asked_at = None, loop_time()
            watched.status_since = loop_time()

    def watched(self, task_id: str) -> WatchedTask | None:
        """The state of a task while a wait or stream subscribes to it."""
        return self.schedule.watched.get(task_id)

    def record_known(self, task_id: str) -> None:
        """Remember that a task exists, so that its waits go on through an outage."""
        self._known[task_id] = None
        if len(self._known) > MAX_KNOWN:
            del self._known[next(iter(self._known))]

    def last_failure(self, watched: WatchedTask) -> BaseException | None:
        """Why the last poll of a task failed; None if it was answered."""
        # In an outage there are few polls, so the last one may be of another task.
        return watched.last_failure or self.schedule.last_failure

    async def aclose(self) -> None:
        """Stop polling; every wait and stream gets `SessionClosedError`."""
        # First, since requests that end below would start others.
        self._closed = True
        for watched in self.schedule.watched.values():
            if not watched.settled:  # an answer that has arrived is kept
                watched.settle_with(_session_closed(watched.task_id))
                watched.notify()
        if self._timer is not None:
            self._timer.cancel()
        requests = tuple(self._requests)
        for each in requests:
            each.cancel()
        await asyncio.gather(*requests, return_exceptions=True)
        await self.hints.aclose()

    # --- dispatching ----------------------------------------------------------------------

    def _wake(self) -> None:
        """Schedule one dispatch in this iteration of the loop, however often this is called."""
        # Without watched tasks there may be no running loop yet: a receiver can be attached first.
        if self.schedule.watched and not self._is_woken and not self._closed:
            self._is_woken = True
            asyncio.get_running_loop().call_soon(self._dispatch, context=self._context)

    def _dispatch(self) -> None:
        """Start what is due, and set the timer for what comes next."""
        self._is_woken = False
        if self._closed:
            return
        now = loop_time()
        try:
            hints_due = self.hints.update(now)
            due = min(self._start_due(now), hints_due)
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
        # It must not end waits for paid tasks, and status calls are the simpler code.
        LOGGER.error("polling: an internal error; please report it\n%s", _text_of(error))
        self._list_reader.health.start(loop_time(), "an internal error")
        self.schedule.end_long_pauses(loop_time())  # polls that were due are made soon

    def _start_due(self, now: float) -> float:
        """Start due requests while slots are free; returns the time of the next dispatch."""
        schedule = self.schedule
        if not schedule.watched:
            return math.inf
        # Timers first: they fill the queue that is served below.
        schedule.run_timers(now)
        if (search := self._list_reader.next_search(now)) is not None:
            self._start(*search, now)
        self._is_full = False
        while self._slots(now) > 0:
            watched = schedule.pop_due(now)
            if watched is None:
                return schedule.next_timer
            page = self._list_reader.request_for(watched, now) if schedule.is_sharing else None
            if page is None:
                self._start_single(watched, now)
            else:
                self._start(*page, now)
        self._is_full = True  # then the end of a request wakes the poller, too
        return schedule.next_timer

    def _slots(self, now: float) -> int:
        # Requests that take too long do not block others: up to MAX_STALE do not count.
        stale, overdue = 0, self.schedule.overdue
        for started, _tasks in self._requests.values():
            if now - started < overdue or stale == MAX_STALE:
                break
            stale += 1
        # While nothing is answered, one request is enough to notice the end of that.
        is_probing = self.transport.is_paused or self.schedule.is_down
        limit = 1 if is_probing else MAX_REQUESTS
        return limit + stale - len(self._requests)

    def _start_single(self, watched: WatchedTask, now: float) -> _Request:
        request = self._start(self._poll_one(watched, now), [watched], now)
        watched.calls += (request,)
        # A timer may fire a tick early: without adding it, the final poll would not count as the
        # final one, and would be repeated.
        watched.begin_poll(now + TICK, self.schedule.reply_time)
        self.schedule.set_timer(watched)  # if it is not answered in time
        return request

    def _start(self, work: Coroutine[Any, Any, _Tasks], tasks: _Tasks, now: float) -> _Request:
        """Start a request that should show the status of some tasks."""
        self.schedule.begin_request(tasks, now)
        # A context of its own: an eager task begins at once, while the poller's context is entered,
        # and a context cannot be entered twice.
        try:
            request = asyncio.get_running_loop().create_task(
                work, name=_request_name(tasks), context=contextvars.Context()
            )
        except BaseException:  # a task factory of the user's
            work.close()
            for each in tasks:
                each.in_flight -= 1
            raise
        self._requests[request] = (now, tasks)
        # A callback and no `finally`: a task that is cancelled before it begins would not reach it.
        request.add_done_callback(self._finished, context=self._context)
        return request

    def _finished(self, request: _Request) -> None:
        started, tasks = self._requests.pop(request)
        again: _Tasks = ()
        moment = loop_time()
        if request.cancelled():  # from outside, by a program that cancels all its tasks
            again, moment = unanswered(tasks, started), max(moment, started + AFTER_CANCEL)
        elif (error := request.exception()) is None:
            again = request.result()
            moment += self.schedule.reply_time  # another page may be about to show them
        elif isinstance(error, Exception):
            self._record_internal_error(error)
        # Backwards, since each is put before all others.
        for each in reversed(unanswered(again, started)):  # another page may have shown it
            self.schedule.poll_again(each, moment)
        if len(tasks) == 1 and tasks[0].calls:
            tasks[0].calls = tuple(each for each in tasks[0].calls if each is not request)
        for each in tasks:
            each.in_flight -= 1
            if not each.settled:
                self.schedule.set_timer(each)
        self._give_up_unknown()
        self._wake()

    def _give_up_unknown(self) -> None:
        """In an outage, end the waits for tasks that may not exist, as a call would end."""
        failed = self.schedule.failed_in_a_row
        if failed < self.transport.retry.max_attempts or not self.transport.health.is_down:
            return
        for each in tuple(self.schedule.watched.values()):
            if not each.is_known:
                each.interrupt(
                    f"the service gave no answer about task {each.task_id} "
                    f"({failed} requests failed in a row; last: {self.schedule.last_failure})",
                    self.schedule.last_failure,
                )
                self.schedule.settle_or_reschedule(each)

    # --- status calls ---------------------------------------------------------------------

    async def _poll_one(self, watched: WatchedTask, asked: float) -> _Tasks:
        answered_before = watched.answered_at
        was_reported = watched.needs_get
        try:
            await self._ask(watched, asked)
        except asyncio.CancelledError:
            raise  # by `unsubscribe`, or from outside
        except BaseException as error:
            if not isinstance(error, errors.BrowserUseError):
                LOGGER.warning("a poll of task %s raised\n%s", watched.task_id, _text_of(error))
            now = loop_time()
            self.schedule.record_failure(error, now)
            self._list_reader.record_single_failure(error)
            # Else a newer request was answered, unless get-task is needed.
            if watched.answered_at <= asked or watched.needs_get:
                self.schedule.record_task_failure(watched, error, now)
            if isinstance(error, KeyboardInterrupt | SystemExit):
                raise
        else:
            now = loop_time()
            self.schedule.record_reply(asked, now)
            # Two polls may be in flight at once: an older answer changes nothing.
            watched.record_answer(max(asked, watched.answered_at))
            # From now and not from the previous poll: no burst after the loop was blocked.
            watched.next_poll_at = now + (0 if watched.needs_get else self.schedule.pause(watched))
        if watched.ended:
            self._list_reader.record_end(watched, -math.inf if was_reported else answered_before)
        self.schedule.settle_or_reschedule(watched)
        return ()

    async def _ask(self, watched: WatchedTask, asked: float) -> None:
        """One poll; a terminal status counts once get-task confirms it."""
        # A task that stands still gets no more steps after some seconds: its status is enough.
        is_still = watched.status in STILL and asked - watched.status_since > LATE_STEPS
        whole = watched.interest is Interest.STEPS and (watched.task is None or not is_still)
        task_id = TaskId(watched.task_id)
        # If the answers of get-task cannot be decoded, the status call shows whether it has ended.
        is_unreadable = watched.undecodable is not None
        if is_unreadable or not (watched.needs_get or whole):
            watched.needs_get = watched.needs_get and not is_unreadable
            status: TaskStatus = await self.transport.call_once(
                GET_TASK_STATUS,
                task_id,
                wait=self.hints.question,
                on_headers=self.hints.learn,
            )
            if status.is_known and not status.is_terminal:
                changed = status != watched.status
                # Else a page has shown a newer one meanwhile.
                if asked >= watched.answered_at:
                    watched.record_status(status, loop_time())
                if watched.interest is not Interest.STEPS or not (changed or watched.task is None):
                    return
            else:
                if status.is_terminal:
                    self.hints.record_end(watched, status)
                watched.unconfirmed = status
        # Reset before the request: a webhook during it asks for another get afterwards.
        needed, watched.needs_get = watched.needs_get, False
        try:
            task: Task = await self.transport.call_once(GET_TASK, task_id)
        except BaseException:
            watched.needs_get = watched.needs_get or needed
            raise
        watched.record_task(task, asked, loop_time())
        if watched.ended:
            # One agent slot is free again, and a refused submission may be waiting for it.
            self.transport.release_slot()


def _request_name(tasks: _Tasks) -> str:
    """The name of a request in debuggers and `asyncio.all_tasks`."""
    if len(tasks) == 1:
        return f"poll of task {tasks[0].task_id}"
    return f"poll of {len(tasks)} tasks through the task list" if tasks else "task list search"


def _session_closed(task_id: str) -> errors.SessionClosedError:
    what = f"the session is closed, and task {task_id} lives on"
    advice = "continue with session.handle(task_id) in a new session"
    return errors.SessionClosedError(f"{what}; {advice}", task_id=task_id)


def _text_of(error: BaseException) -> str:
    """The traceback as text: a log handler that shows local variables would show the key."""
    return "".join(traceback.format_exception(error))
