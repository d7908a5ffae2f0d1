"""Which task is polled when, and what an answer or a failure changes. The time is an argument.

Every watched task has one time, `next_poll_at`, and stands in one heap. When it is due it waits in
a queue for a free request slot. Then the page of the task list that shows it and its neighbours is
read, or a call of its own is made; a page gives all tasks that it shows the same next time. As each
time has a random part, pages and calls drift apart by themselves.
"""

import heapq
import math
import random
from collections import deque
from collections.abc import Callable, Iterable, Sequence

from browser_use_async import errors
from browser_use_async.polling.hints import HintSource
from browser_use_async.polling.policy import JITTER, PollPolicy
from browser_use_async.polling.task_list import MIN_SHARED, TaskList
from browser_use_async.polling.watched_task import Interest, WatchedTask
from browser_use_async.transport.response import is_transient

TICK = 0.001  # seconds; timers may fire a little early
PACING_STEP = 0.1  # seconds until another dispatch after an internal error
NEW_TASK_SECONDS = 2.0  # for which a created task is the newest and need not be polled
MIN_REPLY_TIME = 0.001  # seconds
OUTAGE_FAILURES = 3  # failed requests in a row after which polling pauses


class Schedule:
    """Decides which task is polled next, and when.

    Attributes:
        policy: How often tasks are polled.
        rng: The source of jitter.
        wake: Lets the poller start what has become due.
        sources: What gives hints, so that polls of the tasks that they cover are a safety.
        task_list: Where tasks stand in the task list.
        watched: All tasks, by id.
        shared: Those whose status is enough, so that pages can show it.
        is_sharing: Whether these are enough to read list pages.
        reply_time: Seconds that recent replies took.
        interval: Seconds between two polls of a shared task, at most.
        overdue: Seconds after which a reply counts as too slow, and its tasks are polled again.
        resume_at: No shared task is polled until then, since everything fails.
        answered_at: When the last answer to any request came.
        failed_in_a_row: How many requests have failed since.
        last_failure: The newest of these failures.
    """

    def __init__(self, policy: PollPolicy, rng: random.Random, wake: Callable[[], None]) -> None:
        self.policy = policy
        self.rng = rng
        self.wake = wake
        self.sources: list[HintSource] = []
        self.task_list = TaskList()
        self.watched: dict[str, WatchedTask] = {}
        self.shared: dict[WatchedTask, None] = {}
        self.reply_time = 0.05
        self.resume_at = self.answered_at = -math.inf
        self.failed_in_a_row = 0
        self.last_failure: BaseException | None = None
        self._pauses = 0  # of shared polls in a row, since everything failed
        # By id: a deadline may be hours away, and must not keep the task of a wait that is over in
        # memory.
        self._timers: list[tuple[float, str]] = []
        self._ended: deque[WatchedTask] = deque()  # reported as ended, and to be fetched
        self._pages: deque[WatchedTask] = deque()  # that a page may show
        self._queue: deque[WatchedTask] = deque()  # all others that are due
        self._is_turn_of_pages = False
        self._update_pace()

    def update(self, watched: WatchedTask, now: float) -> None:
        """Share the polls of a task or not, after its subscribers have changed."""
        if watched.settled or watched.interest is Interest.STEPS:
            self.leave(watched)
        elif watched not in self.shared:
            born = watched.submitted_at
            is_new = born is not None and now - born < NEW_TASK_SECONDS
            self.task_list.add(watched, just_created=is_new, now=now)
            self.shared[watched] = None
            self._update_pace()
            may_wait = watched.interest is Interest.END and not (watched.polls or watched.needs_get)
            if is_new and may_wait and self.is_sharing:
                # This session has just created it, so it has not ended: the first poll can wait.
                is_covered = self.covers(watched)
                pause = self.policy.safety_pause(self.rng) if is_covered else self.interval
                watched.next_poll_at = max(watched.next_poll_at, (born or now) + pause)
        self.set_timer(watched)

    def discard(self, watched: WatchedTask) -> None:
        """Stop watching a task."""
        self.leave(watched)
        if self.watched.get(watched.task_id) is watched:
            del self.watched[watched.task_id]
        if not self.watched:
            self._queue.clear()
            self._pages.clear()
            self._ended.clear()

    def may_share(self, watched: WatchedTask) -> bool:
        """Whether a page can show what is asked about a task."""
        return self.is_sharing and watched in self.shared and not watched.needs_get

    def leave(self, watched: WatchedTask) -> None:
        """Poll a task by calls of its own, or no more."""
        if watched in self.shared:
            del self.shared[watched]
            self._update_pace()
            self.task_list.discard(watched)

    def _update_pace(self) -> None:
        """Update what follows from the number of shared tasks and the reply time."""
        # Not properties: they are read for thousands of tasks in a second.
        self.is_sharing = self.policy.shared and len(self.shared) >= MIN_SHARED
        target = self.policy.latency_target
        # The list, then the task itself, have to be answered.
        self.interval = (
            self.policy.pause(1, None)
            if target is None
            else max(target - 2 * self.reply_time, 0.5 * target) / 1.02
        )
        self.overdue = max(self.interval if self.is_sharing else 0.0, 4 * self.reply_time, 0.5)

    def begin_request(self, tasks: Sequence[WatchedTask], now: float) -> None:
        """Record that a request starts that should show the status of some tasks."""
        for each in tasks:
            each.in_flight += 1
            each.asked_at = now
            self.set_timer(each)  # if it is not answered in time

    def poll_again(self, watched: WatchedTask, moment: float) -> None:
        """Poll a task at a time."""
        watched.next_poll_at = moment
        self.set_timer(watched)

    def postpone(self, tasks: Iterable[WatchedTask], now: float) -> None:
        """Give tasks that a page has shown their next time: the same, with one random part."""
        pause = self.interval * (1 - JITTER * self.rng.random())
        is_any = any(each.is_trusted for each in self.sources)  # there may be many tasks
        for each in tasks:
            is_covered = is_any and self.covers(each)
            each.next_poll_at = now + (self.policy.safety_pause(self.rng) if is_covered else pause)

    def covers(self, watched: WatchedTask) -> bool:
        """Whether a source of hints reports on a task, so that polls of it are only a safety."""
        return any(each.is_relied_on(watched) for each in self.sources)

    def pop_due(self, now: float) -> WatchedTask | None:
        """The next task to be polled by now, or None."""
        # 1. First tasks that are reported as ended: one get-task ends their waits.
        # 2. Then the task that is due since longest, unless a page has shown it meanwhile.
        # 3. Pages and calls for single tasks take turns, so that neither keeps the other waiting.
        self._is_turn_of_pages = not self._is_turn_of_pages
        queues = (
            (self._pages, self._queue) if self._is_turn_of_pages else (self._queue, self._pages)
        )
        return next(filter(None, (self._pop(each, now) for each in (self._ended, *queues))), None)

    def _pop(self, queue: deque[WatchedTask], now: float) -> WatchedTask | None:
        """The first task of a queue that can still be polled."""
        while queue:
            watched = queue.popleft()
            was_queued, watched.is_queued = watched.is_queued, False  # unless both queues had it
            if not (was_queued and watched.subscribers and not watched.settled):
                continue
            if len(watched.calls) < 2 and min(*self._moments(watched)) <= now + TICK:
                return watched
            self.set_timer(watched)
        return None

    @property
    def next_timer(self) -> float:
        """When `run_timers` has something to do."""
        return self._timers[0][0] if self._timers else math.inf

    def run_timers(self, now: float) -> None:
        """Queue tasks that are due, and expire subscribers whose time is up."""
        while self._timers and self._timers[0][0] <= now + TICK:
            watched = self._timed(*heapq.heappop(self._timers))
            if watched is None:
                continue
            watched.timer_at = None
            watched.expire_subscribers(now + TICK)
            own, final = self._moments(watched)
            if min(final, watched.audit_at) <= now + TICK:
                # The poll before a deadline, or a check of what the list keeps saying.
                watched.poll_alone = True
            if min(own, final) <= now + TICK:
                self.queue(watched)
            self.set_timer(watched)

    def queue(self, watched: WatchedTask) -> None:
        """Poll a task as soon as a slot is free; ended tasks come first."""
        watched.is_queued = True
        if watched.needs_get:
            self._ended.append(watched)
        elif self.may_share(watched) and not watched.poll_alone:
            self._pages.append(watched)
        else:
            self._queue.append(watched)

    def set_timer(self, watched: WatchedTask) -> None:
        """Set the timer of a task, unless an earlier one is set."""
        moment = min(watched.next_deadline, *self._moments(watched))
        # A later moment needs no entry: the timer is set again when the earlier one fires.
        if moment < math.inf and (watched.timer_at is None or moment < watched.timer_at):
            watched.timer_at = moment
            heapq.heappush(self._timers, (moment, watched.task_id))
        if len(self._timers) > 4 * len(self.watched) + 64:
            # Else deadlines that are hours away would stay in the heap, each several times.
            self._timers = [each for each in self._timers if self._timed(*each) is not None]
            heapq.heapify(self._timers)

    def _timed(self, moment: float, task_id: str) -> WatchedTask | None:
        """The task of a timer, unless another timer has replaced this one."""
        watched = self.watched.get(task_id)
        return watched if watched is not None and watched.timer_at == moment else None

    def _moments(self, watched: WatchedTask) -> tuple[float, float]:
        """When a task is polled next, and when just before a deadline; infinite if it is busy."""
        if watched.settled or watched.is_queued:
            return math.inf, math.inf
        final = math.inf if watched.calls else watched.final_poll_at(self.reply_time)
        # A page does not confirm an end, so one that is under way is no reason to wait.
        under_way = len(watched.calls) if watched.needs_get else watched.in_flight
        if under_way > 1:
            return math.inf, final
        late = watched.asked_at + self.overdue if under_way else -math.inf
        own = min(watched.next_poll_at, watched.audit_at)
        if watched in self.shared and self.is_sharing:
            own = max(own, self.resume_at)
        return max(late, own), final

    def pause(self, watched: WatchedTask) -> float:
        """Seconds until a task is polled again by itself."""
        if self.covers(watched):
            return self.policy.safety_pause(self.rng)
        return self.policy.pause(max(watched.polls, 1), self.rng)

    def end_long_pauses(self, now: float) -> None:
        """Poll as often as without a source that is not relied on any more."""
        for watched in self.watched.values():
            if not watched.settled:
                watched.next_poll_at = min(watched.next_poll_at, now + self.pause(watched))
                self.set_timer(watched)

    # --- answers and failures -------------------------------------------------------------

    @property
    def is_down(self) -> bool:
        """Whether no request is answered any more."""
        return self.failed_in_a_row >= OUTAGE_FAILURES

    def record_failure(self, error: BaseException, now: float) -> None:
        """Count failed requests in a row; a refusal is an answer, and resets the count."""
        if is_refusal(error):
            self.failed_in_a_row = self._pauses = 0
            self.last_failure = None
            return
        self.failed_in_a_row += 1
        self.last_failure = error.with_traceback(None)
        if self.is_down and now >= self.resume_at:
            self._pauses += 1  # once for requests that fail together
            self.resume_at = now + self.policy.backoff(self._pauses, self.rng)

    def record_task_failure(self, watched: WatchedTask, error: BaseException, now: float) -> None:
        """Record a failed poll of a task, and set the time of the next one or end polling."""
        watched.record_failure(error, now, self.policy, self.rng)
        if self.may_share(watched):
            # A shorter pause of one task would make a page of all of them early.
            watched.next_poll_at = max(watched.next_poll_at, now + self.interval)

    def confirm(self, watched: WatchedTask, now: float) -> None:
        """Fetch a task as soon as possible: a hint or a page says that it has changed."""
        is_first_in_queue = watched.needs_get and watched.is_queued
        watched.needs_get, watched.next_poll_at = True, now
        if not watched.calls and not is_first_in_queue:
            self.queue(watched)
        self.wake()

    def settle_or_reschedule(self, watched: WatchedTask) -> None:
        """Notify the subscribers that polling has ended, or set the time of the next poll."""
        if watched.settled:
            self.leave(watched)
            watched.cancel_requests()
            watched.notify()
        elif watched.subscribers:
            self.set_timer(watched)

    def record_reply(self, asked: float, now: float) -> None:
        """Record that a request was answered, and update the reply time.

        That is about the time within which four of five replies arrive.
        """
        self.answered_at = now
        self.failed_in_a_row = self._pauses = 0
        self.last_failure = None
        self.resume_at = -math.inf
        # A quantile: a mean would be useless after a few replies of half a minute. Up by a factor
        # of 2, down by 0.84: four steps down undo one step up.
        bounded = min(max(now - asked, 0.0), 5.0)
        if bounded > self.reply_time:
            self.reply_time = min(bounded, 2 * self.reply_time)
        else:
            self.reply_time = max(bounded, 0.84 * self.reply_time, MIN_REPLY_TIME)
        self._update_pace()


def is_refusal(error: BaseException) -> bool:
    """Whether repeating is useless; exceptions of a user's middleware may be temporary."""
    return isinstance(error, errors.BrowserUseError) and not is_transient(error)
