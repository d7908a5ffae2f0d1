"""Which task is polled when. No I/O: the time is an argument.

Every watched task is in one of two structures. Tasks whose status is enough are in the *rotation*:
the one polled longest ago comes next, and a page of the task list refreshes its neighbours with it.
All others, and single tasks, have *timers*, and so have deadlines. A due task waits in a queue for
a free request slot.
"""

import heapq
import math
import random
from collections import OrderedDict, deque
from collections.abc import Iterable, Sequence
from itertools import islice

from browser_use_async.polling.coverage import Coverage
from browser_use_async.polling.policy import PollPolicy
from browser_use_async.polling.task_list import MIN_SHARED, TaskList
from browser_use_async.polling.watched_task import Interest, WatchedTask

TICK = 0.001  # seconds; timers may fire a little early
UNPACED = 10  # polls per interval that need not be spread
PACING_STEP = 0.1  # seconds; polls due within it start together, so the process wakes less often
NEW_TASK_SECONDS = 2.0  # for which a created task is the newest and need not be polled
MIN_REPLY_TIME = 0.001  # seconds


class Spread:
    """Spreads the polls of one interval: some start early, none late.

    The picture begins half an interval before the rotation's polls are due. Polls start at steps,
    so that the process wakes once for several of them. At each step so many start that they keep up
    with places that are a gap apart:

        step_at  next_step_at                                            due_at
        |        |        |        |        |        |        |        |
        ooo      oo       ooo      oo       ooo                              started early
        .  .  .  .  .  .  .  .  .  .  .  .  .                                places, a gap apart
                       next_place
    """

    def __init__(self) -> None:
        self._gap = 0.0  # seconds; 0 if the polls of an interval are too few to be spread
        self._step = PACING_STEP  # seconds
        self._planned_until = -math.inf
        self._step_at = self._next_step_at = -math.inf  # the step under way, and the one after it
        self._next_place = -math.inf  # the place of the next poll

    def is_planned(self, now: float) -> bool:
        """Whether there is a plan for this interval; it is made once, since that takes long."""
        return now < self._planned_until

    def plan(self, polls: int, interval: float, now: float) -> None:
        """Plan the polls of an interval."""
        # A little closer, or polls would be due before their step.
        self._gap = 0.0 if polls <= UNPACED else 0.98 * interval / polls
        # An interval has whole steps, so polls that started together are due together.
        self._step = interval / math.ceil(interval / PACING_STEP)
        self._planned_until = now + interval

    def start_of(self, due_at: float, interval: float, now: float) -> float:
        """When a poll with this due time starts."""
        if not self._gap:
            return due_at
        place = max(self._next_place, due_at - 0.5 * interval)
        step = now if self._step_at == now else self._next_step_at
        return min(due_at, max(place, step))

    def record_start(self, now: float) -> None:
        """Record that a poll has started; it takes a place at the current step."""
        if self._step_at != now:
            # Steps keep their distance; a late step is not made up for.
            late = min(max(self._next_step_at, now - self._step), now)
            self._step_at, self._next_step_at = now, late + self._step
        # Polls that were due together must not prevent later ones from being spread.
        place = max(self._next_place, now - self._step) + self._gap
        self._next_place = min(place, now + max(self._step, self._gap))


class Schedule:
    """Decides which task is polled next, and when.

    Attributes:
        coverage: The tasks on which webhooks and the long poll report.
        task_list: Where tasks stand in the task list.
        watched: All tasks, by id.
        rotation: Those that take part in the rotation, polled longest ago first.
        is_sharing: Whether these are enough to read list pages.
        reply_time: Seconds that recent replies took.
        interval: Seconds between two polls of a task in the rotation.
        resume_at: The rotation pauses until then, since everything fails.
    """

    def __init__(self, policy: PollPolicy, rng: random.Random) -> None:
        self._policy = policy
        self._rng = rng
        self.coverage = Coverage()
        self.task_list = TaskList()
        self.watched: dict[str, WatchedTask] = {}
        self.rotation: OrderedDict[WatchedTask, None] = OrderedDict()
        self.is_sharing = False
        self.reply_time = 0.05
        self.interval = 0.0
        self.resume_at = -math.inf
        # By id: a deadline may be hours away, and must not keep the task of a wait that is over in
        # memory.
        self._timers: list[tuple[float, str]] = []
        self._ended: deque[WatchedTask] = deque()  # reported as ended, and to be fetched
        self._queue: deque[WatchedTask] = deque()
        self._is_turn_of_queue = False
        self._interval_until = -math.inf
        self._spread = Spread()

    def update(self, watched: WatchedTask, now: float) -> None:
        """Add a task to the rotation or remove it, after its subscribers have changed."""
        if watched.settled or watched.interest is Interest.STEPS:
            self.leave_rotation(watched)
        elif watched not in self.rotation:
            self._join_rotation(watched, now)
        self.set_timer(watched)

    def discard(self, watched: WatchedTask) -> None:
        """Stop watching a task."""
        self.leave_rotation(watched)
        if self.watched.get(watched.task_id) is watched:
            del self.watched[watched.task_id]
        if not self.watched:
            self._queue.clear()
            self._ended.clear()
        if len(self._timers) > 2 * len(self.watched) + 64:
            # Else deadlines of waits that are over would stay in the heap for hours.
            self._timers = [each for each in self._timers if self._timed(*each) is not None]
            heapq.heapify(self._timers)

    def rotates(self, watched: WatchedTask) -> bool:
        """Whether the rotation polls a task, so that it needs no timer."""
        if not self.is_sharing or watched.needs_get or watched not in self.rotation:
            return False
        return not self.coverage.is_any or self.coverage.can_cover(watched)

    @property
    def has_timers(self) -> bool:
        """Whether tasks of the rotation may be polled by their own timers."""
        return self.coverage.is_any or not self.is_sharing

    def _join_rotation(self, watched: WatchedTask, now: float) -> None:
        born = watched.submitted_at
        is_new = born is not None and now - born < NEW_TASK_SECONDS
        self.task_list.add(watched, just_created=is_new, now=now)
        self.rotation[watched] = None
        may_wait = watched.interest is Interest.END and not watched.polls
        # Behind covered tasks, one that is not covered would wait for their long pause.
        may_wait = may_wait and (not self.coverage.is_any or self.coverage.covers(watched))
        if born is not None and is_new and may_wait:
            # This session has just created it, so it has not ended: the first poll can wait.
            watched.rotated_at = max(watched.rotated_at, born)
        else:
            first = next(iter(self.rotation))
            self._move_to_front(watched, min(watched.rotated_at, first.rotated_at))
        self._interval_until = -math.inf  # it may be the youngest, which sets the interval
        self._update_sharing()

    def leave_rotation(self, watched: WatchedTask) -> None:
        """Remove a task from the rotation."""
        if watched in self.rotation:
            del self.rotation[watched]
            self.task_list.discard(watched)
            self._update_sharing()

    def _update_sharing(self) -> None:
        is_sharing = self._policy.shared and len(self.rotation) >= MIN_SHARED
        if is_sharing is self.is_sharing:
            return
        self.is_sharing = is_sharing
        if not is_sharing:
            for each in self.rotation:
                # While pages showed their status, times of their own were not kept up to date.
                each.next_poll_at = each.rotated_at + self.pause(each)
        self.set_timers()

    def _move_to_front(self, watched: WatchedTask, rotated_at: float) -> None:
        if watched in self.rotation:
            watched.rotated_at = rotated_at
            self.rotation.move_to_end(watched, last=False)

    def move_to_back(self, tasks: Iterable[WatchedTask], now: float) -> None:
        """Record that tasks were polled, in this order."""
        rotation = self.rotation
        move = rotation.move_to_end  # looked up once, since it is called for thousands
        for each in tasks:
            if each in rotation:
                each.rotated_at = now
                move(each)

    def begin_request(self, tasks: Sequence[WatchedTask], now: float) -> None:
        """Record that a request starts that should show the status of some tasks."""
        for each in tasks:
            each.in_flight += 1
            each.asked_at = now
        # From the top of the list: new tasks then move others to pages that are still to be read.
        # In the other direction each page would miss a few tasks.
        self.move_to_back(reversed(tasks), now)

    def poll_again(self, watched: WatchedTask, moment: float) -> None:
        """Poll a task at a time, before all others."""
        # In both structures, because the task may enter or leave the rotation until then.
        watched.next_poll_at = moment
        self._move_to_front(watched, moment - self.interval)

    def _has_safety_pause(self, watched: WatchedTask) -> bool:
        """Whether a task of the rotation has the safety pause."""
        # While webhooks arrive, tasks that they do not cover have timers of their own, and the
        # rotation only moves them to the back.
        return self.coverage.webhooks_arrive or self.coverage.covers(watched)

    def _update_interval(self, now: float) -> None:
        target = self._policy.latency_target
        if target is not None:
            # The list, then the task itself, have to be answered.
            self.interval = max(target - 2 * self.reply_time, 0.5 * target) / 1.02
        elif now >= self._interval_until:  # not each time: it takes long for thousands
            youngest = min(each.polls for each in self.rotation)
            self.interval = self._policy.pause(max(youngest, 1), None)
            self._interval_until = now + PACING_STEP

    def _rotation_starts_at(self, now: float) -> float:
        """When the first task of the rotation is polled: when it is due, or earlier if spread."""
        if not self.is_sharing:
            return math.inf
        self._update_interval(now)
        first = next(iter(self.rotation))
        is_covered = self._has_safety_pause(first)
        pause = 0.95 * self._policy.safety_pause(None) if is_covered else self.interval
        # A task that was just polled is never due at once, however short the pause.
        due_at = max(first.rotated_at + max(pause, 2 * TICK), self.resume_at)
        if due_at <= now + TICK or now < self.resume_at or is_covered:
            return due_at
        if not self._spread.is_planned(now):
            listed = self.task_list.pages_needed(now)
            polls = listed + self.task_list.count_unlisted(self.rotation)
            self._spread.plan(polls, self.interval, now)
        return self._spread.start_of(due_at, self.interval, now)

    def pop_due(self, now: float) -> WatchedTask | None:
        """The next task to be polled by now, or None."""
        # 1. First tasks that are reported as ended: one get-task ends their waits.
        if (watched := self._pop(self._ended)) is not None:
            return watched
        # 2. Queue and rotation take turns, so that neither blocks the other.
        self._is_turn_of_queue = not self._is_turn_of_queue
        if self._is_turn_of_queue and (watched := self._pop(self._queue)) is not None:
            return watched
        # 3. In the rotation the task polled longest ago is next: after its pause, or earlier if
        #    so many are due that they are spread.
        while self._rotation_starts_at(now) <= now + TICK:
            first = next(iter(self.rotation))
            # 4. It loses its turn if it cannot be polled now, and so do the tasks behind it that
            #    cannot be polled either.
            if not (first.may_be_polled(now, self.overdue) and self.rotates(first)):
                self.move_to_back(self._busy_with(first, now), now)
                continue
            # 5. Otherwise it takes a place in the spread, and its page polls its neighbours, too.
            self._spread.record_start(now)
            return first
        # 6. If the rotation has nothing due, the queue is served out of turn.
        return self._pop(self._queue)

    def _pop(self, queue: deque[WatchedTask]) -> WatchedTask | None:
        """The first task of a queue that can still be polled."""
        while queue:
            watched = queue.popleft()
            was_queued, watched.is_queued = watched.is_queued, False  # unless both queues had it
            # Checked when it was queued; a page in flight is no reason to skip a final poll.
            is_free = watched.subscribers and not watched.settled and len(watched.calls) < 2
            if was_queued and is_free:
                watched.poll_alone = watched.poll_alone or self.rotates(watched)
                return watched
        return None

    def _busy_with(self, first: WatchedTask, now: float) -> list[WatchedTask]:
        """The first task of the rotation and those behind it that cannot be polled now either."""
        # While pages are slow these may be thousands. The tasks of a page had their turn at the
        # same moment, so their common values are computed once.
        moment, overdue, is_any = first.rotated_at, self.overdue, self.coverage.is_any
        is_covered = self.coverage.covers(first)  # covered tasks have another pause
        busy = [first]
        for each in islice(self.rotation, 1, None):
            if each.rotated_at != moment:
                break
            if is_any and self.coverage.covers(each) is not is_covered:
                break
            if each.may_be_polled(now, overdue) and self.rotates(each):
                break
            busy.append(each)
        return busy

    def next_due(self, now: float) -> float:
        """When `run_timers` or `pop_due` have something to do."""
        return min(self.next_timer, self._rotation_starts_at(now))

    @property
    def next_timer(self) -> float:
        """When `run_timers` has something to do."""
        return self._timers[0][0] if self._timers else math.inf

    @property
    def overdue(self) -> float:
        """Seconds after which a reply counts as too slow, and its tasks are polled again."""
        return max(self.interval, 4 * self.reply_time, 0.5)

    def run_timers(self, now: float) -> None:
        """Queue tasks whose timers are due, and expire subscribers whose time is up."""
        while self._timers and self._timers[0][0] <= now + TICK:
            watched = self._timed(*heapq.heappop(self._timers))
            if watched is None:
                continue
            watched.timer_at = None
            watched.expire_subscribers(now + TICK)
            if min(self._next_own_poll(watched), self._final_poll_at(watched)) <= now + TICK:
                self.queue(watched)
            self.set_timer(watched)

    def queue(self, watched: WatchedTask) -> None:
        """Poll a task as soon as a slot is free; ended tasks come first."""
        watched.is_queued = True
        (self._ended if watched.needs_get else self._queue).append(watched)

    def set_timer(self, watched: WatchedTask) -> None:
        """Set the timer of a task, unless an earlier one is set."""
        own, final = self._next_own_poll(watched), self._final_poll_at(watched)
        moment = min(watched.next_deadline, own, final)
        # A later moment needs no entry: the timer is set again when the earlier one fires.
        if moment < math.inf and (watched.timer_at is None or moment < watched.timer_at):
            watched.timer_at = moment
            heapq.heappush(self._timers, (moment, watched.task_id))

    def set_timers(self) -> None:
        """Set the timers of all tasks that take part in the rotation."""
        for each in self.rotation:
            self.set_timer(each)

    def _timed(self, moment: float, task_id: str) -> WatchedTask | None:
        """The task of a timer, unless another timer has replaced this one."""
        watched = self.watched.get(task_id)
        return watched if watched is not None and watched.timer_at == moment else None

    def _next_own_poll(self, watched: WatchedTask) -> float:
        """When a task is polled by itself."""
        if watched.settled or watched.is_queued:
            return math.inf
        if self.rotates(watched):  # it polls again what is not answered in time
            return math.inf if watched.calls else watched.audit_at
        if watched.in_flight > 1:
            return math.inf
        late = watched.asked_at + self.overdue if watched.in_flight else -math.inf
        return max(late, watched.next_poll_at)

    def _final_poll_at(self, watched: WatchedTask) -> float:
        is_busy = watched.settled or watched.is_queued or watched.calls
        return math.inf if is_busy else watched.final_poll_at(self.reply_time)

    def pause(self, watched: WatchedTask) -> float:
        """Seconds until a task is polled again by itself."""
        if self.coverage.covers(watched):
            return self._policy.safety_pause(self._rng)
        return self._policy.pause(max(watched.polls, 1), self._rng)

    def end_long_pauses(self, now: float) -> None:
        """Poll as often as without webhooks, since they do not arrive."""
        for watched in self.watched.values():
            if not watched.settled:
                watched.next_poll_at = min(watched.next_poll_at, now + self.pause(watched))
                self.set_timer(watched)

    def record_reply_time(self, seconds: float) -> None:
        """Update the reply time: about the time within which four of five replies arrive."""
        # A quantile: a mean would be useless after a few replies of half a minute. Up by a factor
        # of 2, down by 0.84: four steps down undo one step up.
        bounded = min(max(seconds, 0.0), 5.0)
        if bounded > self.reply_time:
            self.reply_time = min(bounded, 2 * self.reply_time)
        else:
            self.reply_time = max(bounded, 0.84 * self.reply_time, MIN_REPLY_TIME)
