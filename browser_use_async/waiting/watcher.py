"""The one place that polls. Waits and streams follow it and never poll themselves."""

import asyncio
import contextlib
import heapq
import itertools
import math
import random
from collections.abc import Callable, Generator, Iterable

from browser_use_async import errors
from browser_use_async.endpoints import TaskEndpoints
from browser_use_async.models import SessionEvent, TaskStatus
from browser_use_async.transport.gate import LONGEST_GAP, REOPENING_SECONDS
from browser_use_async.waiting.learning import Learner, Service
from browser_use_async.waiting.policy import PollPolicy
from browser_use_async.waiting.status_pages import StatusPages
from browser_use_async.waiting.sweeping import Sweeper
from browser_use_async.waiting.watch import Bell, EndFollower, Follower, Watch

__all__ = ["Watcher"]

MAX_LOOKS = 50  # below the transport's bound, so that waits leave room for other calls
TICK = 0.001  # timers may fire a little early, and looking at once is better than spinning
NEWBORN = 2.0  # seconds after its creation in which a task is at the top of the list
STANDING_STILL = frozenset({TaskStatus.CREATED, TaskStatus.PAUSED})
LATE_STEPS = 30.0  # seconds after which a task that stands still shows no more steps


class Watcher:
    """Looks at every followed task, as often as the policy says and no more.

    Args:
        tasks: The calls to look with; they are made without repetitions of their own.
        pages: The same for pages of the task list.
        policy: How often.
        emit: Told about statuses that this version does not know.
        draw: The source of chance.
        service: Whether looks are welcome.
    """

    def __init__(
        self,
        tasks: TaskEndpoints,
        pages: StatusPages,
        policy: PollPolicy,
        emit: Callable[[SessionEvent], None],
        draw: random.Random,
        service: Service,
    ) -> None:
        self.policy = policy
        self._service = service
        self._tasks = tasks
        self._draw = draw
        self._learner = Learner(policy, emit, draw, service)
        self._watches: dict[str, Watch] = {}
        self._queue: list[tuple[float, int, Watch]] = []
        self._numbers = itertools.count()
        self._bell = Bell()
        self._runner: asyncio.Task[None] | None = None
        self._looks: set[asyncio.Task[None]] = set()
        self._was_held = False
        self._crowd: dict[Watch, None] = {}  # those for whom a status is enough
        self._sweeper = Sweeper(
            pages.read, self._learner, service, policy.list_threshold, self._watches, self
        )
        self._sweep: asyncio.Task[None] | None = None
        self._extra_sweep: asyncio.Task[None] | None = None
        self._sweep_due = math.inf
        self._has_fresh = False
        self._closed = False

    def attach(
        self, task_id: str, follower: Follower, *, submitted_at: float | None = None
    ) -> Watch:
        """Begin to watch a task. Every `attach` needs a `detach`.

        Args:
            task_id: The task.
            follower: Who wants to know.
            submitted_at: The loop time at which this session created it, or None.

        Raises:
            SessionClosedError: The session is closed, or being closed.
        """
        if self._closed:
            raise errors.SessionClosedError(
                f"the session is closed, and task {task_id} lives on; continue with "
                "session.handle(task_id) in a new session",
                task_id=task_id,
            )
        self._service.bind()
        watch = self._watches.get(task_id)
        if watch is None or watch.settled:
            # What settled is not looked at again, but a new follower wants fresh news.
            watch = self._watches[task_id] = Watch(task_id)
        if submitted_at is not None:
            watch.submitted_at = submitted_at
        if follower.wants_steps and not watch.wants_steps:
            watch.due = asyncio.get_running_loop().time()  # the others had no use for them
        watch.followers.append(follower)
        self._join(watch)
        if watch.look is None:
            self._schedule(watch)
        return watch

    def _join(self, watch: Watch) -> None:
        """Let a watch take part in sweeps if its followers need no more than a status."""
        now = asyncio.get_running_loop().time()
        if watch.wants_steps:
            self._leave(watch)
            return
        born = watch.submitted_at
        if born is not None and now - born < NEWBORN and watch.place.rank is None:
            watch.place.rank = self._sweeper.map.note_created()
        was_sharing = self._is_sharing
        self._crowd[watch] = None
        if self._is_sharing:
            self._has_fresh = self._has_fresh or watch.is_fresh
            if not was_sharing:
                # Those who were looked at one by one wait no longer for it than they would have.
                dues = [each.due for each in self._crowd if each.looks]
                self._sweep_due = min([now + self._interval(), *dues])

    def _leave(self, watch: Watch) -> None:
        """Let a watch take no part in sweeps; the last one left is looked at by itself."""
        if watch not in self._crowd:
            return
        was_sharing = self._is_sharing
        del self._crowd[watch]
        if was_sharing and not self._is_sharing:
            self._end_sweeps()
            for each in self._crowd:
                each.due = self._sweep_due
                self._schedule(each)

    def detach(self, watch: Watch, follower: Follower) -> None:
        """Stop following. What nobody follows is not looked at, not even to the end of a look.

        Args:
            watch: What `attach` gave.
            follower: Who no longer wants to know.
        """
        watch.followers.remove(follower)
        if watch.followers:
            if not watch.settled:
                self._join(watch)
            return
        if watch.look is not None:
            watch.look.cancel()
        self._leave(watch)
        if self._watches.get(watch.task_id) is watch:
            del self._watches[watch.task_id]
        self._bell.ring()

    @contextlib.contextmanager
    def follow(
        self, task_id: str, follower: Follower, *, submitted_at: float | None = None
    ) -> Generator[Watch, None, None]:
        """Watch a task for as long as the block runs.

        Args:
            task_id: The task.
            follower: Who wants to know.
            submitted_at: The loop time at which this session created it, or None.
        """
        watch = self.attach(task_id, follower, submitted_at=submitted_at)
        try:
            yield watch
        finally:
            self.detach(watch, follower)

    async def aclose(self) -> None:
        """Stop looking. Every wait and stream gets `SessionClosedError`."""
        self._closed = True
        for watch in tuple(self._watches.values()):
            if watch.settled:
                continue  # an answer that has come is not thrown away
            watch.error = errors.SessionClosedError(
                f"the session was closed during a wait for task {watch.task_id}, which lives on; "
                "continue with session.handle(task_id) in a new session",
                task_id=watch.task_id,
            )
            watch.tell()
        tasks = (*self._looks, self._runner, self._sweep, self._extra_sweep)
        alive = [task for task in tasks if task and not task.done()]
        for task in alive:
            task.cancel()
        await asyncio.gather(*alive, return_exceptions=True)

    # --- when -----------------------------------------------------------------------------

    @property
    def _is_sharing(self) -> bool:
        policy = self.policy
        return policy.shared and len(self._crowd) >= max(2, policy.list_threshold)

    def _is_swept(self, watch: Watch) -> bool:
        return watch in self._crowd and not watch.is_doubted and self._is_sharing

    def _moment_of(self, watch: Watch) -> float:
        """When to look at a task by itself; infinite if others look for it."""
        reply_time = self._learner.reply_time
        if self._is_swept(watch):
            return watch.last_chance(reply_time)
        return watch.next_look(reply_time)

    def _interval(self) -> float:
        """Seconds from one sweep to the next."""
        youngest = min((watch.looks for watch in self._crowd), default=0)
        if self.policy.latency_target is None:
            return self.policy.pause(max(youngest, 1), self._draw)
        # One sweep serves all, so there is little to spread out: only sessions among each other.
        # The answer to a sweep, and the task itself, take their time as well.
        target = max(self.policy.latency_target - 2 * self._learner.reply_time, 0.0)
        target = max(target, 0.5 * self.policy.latency_target)
        return target * (1 - 0.2 * self.policy.jitter * self._draw.random())

    def _schedule(self, watch: Watch) -> None:
        """Queue the next look, unless an entry exists that comes up before it."""
        moment = self._moment_of(watch)
        if watch.queued is None or watch.queued > moment:
            watch.queued = moment
            heapq.heappush(self._queue, (moment, next(self._numbers), watch))
            self._forget_the_settled()
        if self._runner is None or self._runner.done():
            self._runner = asyncio.get_running_loop().create_task(
                self._run(), name="browser_use_async watcher"
            )
        self._bell.ring()

    def _forget_the_settled(self) -> None:
        """Let go of what nobody follows: entries for deadlines would hold it for hours."""
        if len(self._queue) > 2 * len(self._watches) + 64:
            self._queue = [
                entry
                for entry in self._queue
                if entry[2].queued == entry[0] and entry[2].followers and not entry[2].settled
            ]
            heapq.heapify(self._queue)

    async def _run(self) -> None:
        """Start each look when it is due; end when nobody follows anything."""
        loop = asyncio.get_running_loop()
        while self._watches:
            now = loop.time()
            held = self._service.is_held
            if self._was_held and not held:
                self._put_off(now)
            self._was_held = held
            moment = min(self._start_due(now, held=held), self._start_sweep(now))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(None if math.isinf(moment) else moment):
                    await self._bell.wait()
        self._queue.clear()

    def _start_due(self, now: float, *, held: bool) -> float:
        """Start the looks that are due and tell when the next one is."""
        # While the service wants a rest one look queues with the other calls, as the probe.
        while self._queue and len(self._looks) < (1 if held else MAX_LOOKS):
            moment, _number, watch = self._queue[0]
            if moment > now + TICK:
                return moment
            heapq.heappop(self._queue)
            if watch.queued != moment:
                continue  # replaced by an earlier entry, which has had its turn
            watch.queued = None
            if not watch.followers or watch.settled or watch.look is not None:
                continue
            if now + TICK < self._moment_of(watch):
                self._schedule(watch)  # the follower that wanted it sooner has left
            else:
                self.look(watch)
        return math.inf

    def _put_off(self, now: float) -> None:
        """Put off the looks that a pause has held up, so that its end is no stampede."""
        waiting = sorted(
            (watch for watch in self._watches.values() if watch.look is None and watch.due <= now),
            key=lambda watch: watch.due,
        )
        for place, watch in enumerate(waiting, start=1):
            watch.due = now + place * min(REOPENING_SECONDS / len(waiting), LONGEST_GAP)
            watch.queued = None
            self._schedule(watch)

    # --- many at once ---------------------------------------------------------------------

    def _start_sweep(self, now: float) -> float:
        """Start the sweep that is due, or an extra one for new watches; tell when the next is."""
        if not self._is_sharing:
            return math.inf
        if self._has_fresh and self._extra_sweep is None:
            self._has_fresh = False
            fresh = [watch for watch in self._crowd if watch.is_fresh and watch.look is None]
            if fresh:
                self._extra_sweep = self._sweep_of(fresh, 0.0)
        if self._sweep is not None:
            return math.inf  # its end rings
        if now + TICK < self._sweep_due:
            return self._sweep_due
        interval = self._interval()
        self._sweep_due = now + interval
        self._sweep = self._sweep_of(list(self._crowd), 0.9 * interval)
        return math.inf

    def _sweep_of(self, watches: Iterable[Watch], seconds: float) -> "asyncio.Task[None]":
        sweep = asyncio.get_running_loop().create_task(self._sweeper.sweep(watches, seconds))
        sweep.add_done_callback(self._swept)
        return sweep

    def _swept(self, sweep: "asyncio.Task[None]") -> None:
        if sweep is self._extra_sweep:
            self._extra_sweep = None
        if sweep is self._sweep:
            self._sweep = None
            now = sweep.get_loop().time()
            # Not earlier than now: after the loop was blocked there is nothing to catch up with.
            self._sweep_due = max(self._sweep_due, now)
            failures = min((watch.failures for watch in self._crowd), default=0)
            if failures:  # all of them, so that the service is down
                self._sweep_due = max(self._sweep_due, now + self._learner.back_off(failures))
        if not sweep.cancelled() and (error := sweep.exception()) is not None:
            for watch in tuple(self._crowd):
                # Raised by a user's middleware: theirs to see.
                watch.error = watch.error or (error if isinstance(error, Exception) else None)
                watch.tell()
        self._bell.ring()

    def _end_sweeps(self) -> None:
        for sweep in (self._sweep, self._extra_sweep):
            if sweep is not None:
                sweep.cancel()

    # --- one by itself --------------------------------------------------------------------

    def look(self, watch: Watch) -> "asyncio.Task[None]":
        """Look at one task by itself; the look that is under way counts.

        Args:
            watch: Which one.
        """
        if watch.look is None:
            loop = asyncio.get_running_loop()
            watch.begin_look(loop.time() + TICK, self._learner.reply_time)
            watch.look = loop.create_task(self._look(watch))
            self._looks.add(watch.look)
            watch.look.add_done_callback(self._looked)
        return watch.look

    def confirm(self, watch: Watch) -> None:
        """Fetch a task that the list calls ended, as soon as there is room.

        Args:
            watch: Which one.
        """
        watch.is_doubted = True
        watch.due = asyncio.get_running_loop().time()
        if watch.look is None:
            self._schedule(watch)

    def hear(self, task_id: str, *, has_ended: bool) -> None:
        """Take note of an event about a task, which is a reason to look and no more than that.

        Args:
            task_id: The task; one that nobody follows is of no interest.
            has_ended: Whether the event says that it has ended.
        """
        watch = self._watches.get(task_id)
        if watch is None or watch.settled or not watch.followers:
            return
        if has_ended or not all(isinstance(each, EndFollower) for each in watch.followers):
            self.confirm(watch)

    def _looked(self, look: "asyncio.Task[None]") -> None:
        self._looks.discard(look)
        self._bell.ring()

    async def _look(self, watch: Watch) -> None:
        loop = asyncio.get_running_loop()
        try:
            await self._ask(watch)
        except errors.BrowserUseError as error:
            self._learner.note_failure(watch, error, loop.time())
        except Exception as error:  # noqa: BLE001 - raised by a user's middleware: theirs to see
            watch.error = error
        else:
            self._learner.note_answer(watch, loop.time())
        watch.look = None
        if watch.settled:
            watch.tell()
        elif watch.followers:
            self._schedule(watch)

    async def _ask(self, watch: Watch) -> None:
        """Find out where the task stands; a terminal status counts once the task confirms it."""
        now = asyncio.get_running_loop().time()
        may_have_steps = watch.wants_steps and not (
            watch.status in STANDING_STILL and now - watch.changed_at > LATE_STEPS
        )
        if not watch.is_doubted and not may_have_steps:
            status = await self._tasks.get_status(watch.task_id)
            if status.is_known and not status.is_terminal:
                changed = status != watch.status
                self._learner.note_status(watch, status)
                if not (changed and watch.wants_steps):
                    return
        self._learner.note_task(watch, await self._tasks.get(watch.task_id))
        watch.is_doubted = False
