"""The one place that polls. Waits and streams follow it and never poll themselves."""

import asyncio
import contextlib
import heapq
import itertools
import math
import random
from collections.abc import Callable, Generator

from browser_use_async import errors
from browser_use_async.endpoints import TaskEndpoints
from browser_use_async.models import SessionEvent, TaskStatus
from browser_use_async.transport.gate import LONGEST_GAP, REOPENING_SECONDS
from browser_use_async.waiting.crowd import NEWBORN, Crowd
from browser_use_async.waiting.deadlines import Deadlines
from browser_use_async.waiting.hearing import Hearing
from browser_use_async.waiting.learning import Learner, Service
from browser_use_async.waiting.policy import PollPolicy
from browser_use_async.waiting.status_pages import StatusPages
from browser_use_async.waiting.sweeping import TICK, Sweeper
from browser_use_async.waiting.watch import Bell, Follower, Watch

__all__ = ["Watcher"]

MAX_LOOKS = 50  # below the transport's bound, so that waits leave room for other calls
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
        self._hearing = Hearing()
        self._learner = Learner(policy, emit, draw, service, self._hearing)
        self._watches: dict[str, Watch] = {}
        self._deadlines = Deadlines()
        self._queue: list[tuple[float, int, str]] = []
        self._numbers = itertools.count()
        self._bell = Bell()
        self._runner: asyncio.Task[None] | None = None
        self._looks: set[asyncio.Task[None]] = set()
        self._was_held = False
        sweeper = Sweeper(
            pages.read, self._learner, service, policy.list_threshold, self._watches, self
        )
        self._crowd = Crowd(policy, self._learner, sweeper, self._hearing, draw, self._swept)
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
            self._hearing.note_watch(watch)
        if submitted_at is not None:
            watch.submitted_at = submitted_at
            age = asyncio.get_running_loop().time() - submitted_at
            watch.is_late = self._hearing.arrives and age > NEWBORN
        if follower.wants_steps and not watch.wants_steps:
            watch.due = asyncio.get_running_loop().time()  # the others had no use for them
        watch.followers.append(follower)
        self._deadlines.add(follower)
        if watch.told_end and not watch.looks:
            self.confirm(watch)
        self._join(watch)
        if watch.look is None:
            self._schedule(watch)
        return watch

    def _join(self, watch: Watch) -> None:
        """Let a watch take part in sweeps if its followers need no more than a status."""
        if watch.wants_steps or watch.settled:
            self._leave(watch)
        else:
            self._crowd.join(watch)

    def _leave(self, watch: Watch) -> None:
        for each in self._crowd.leave(watch):
            self._schedule(each)

    def detach(self, watch: Watch, follower: Follower) -> None:
        """Stop following. What nobody follows is not looked at, not even to the end of a look.

        Args:
            watch: What `attach` gave.
            follower: Who no longer wants to know.
        """
        watch.followers.remove(follower)
        self._deadlines.remove(follower)
        if watch.followers:
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
        tasks: list[asyncio.Task[object]] = [*self._looks, *self._crowd.sweeps]
        if self._runner is not None:
            tasks.append(self._runner)
        alive = [task for task in tasks if not task.done()]
        for task in alive:
            task.cancel()
        await asyncio.gather(*alive, return_exceptions=True)

    # --- when -----------------------------------------------------------------------------

    def _moment_of(self, watch: Watch) -> float:
        """When to look at a task by itself; infinite if others look for it."""
        reply_time = self._learner.reply_time
        if self._crowd.looks_for(watch):
            return watch.last_chance(reply_time)
        return watch.next_look(reply_time)

    def _schedule(self, watch: Watch) -> None:
        """Queue the next look, unless an entry exists that comes up before it."""
        moment = self._moment_of(watch)
        if watch.queued is None or watch.queued > moment:
            watch.queued = moment
            heapq.heappush(self._queue, (moment, next(self._numbers), watch.task_id))
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
                entry for entry in self._queue if self._queued(entry[2], entry[0]) is not None
            ]
            heapq.heapify(self._queue)

    def _queued(self, task_id: str, moment: float) -> Watch | None:
        """The watch that is to be looked at, unless an earlier entry has replaced this one."""
        watch = self._watches.get(task_id)
        return watch if watch is not None and watch.queued == moment else None

    async def _run(self) -> None:
        """Start each look when it is due; end when nobody follows anything."""
        loop = asyncio.get_running_loop()
        while self._watches:
            now = loop.time()
            held = self._service.is_held
            if self._was_held and not held:
                self._put_off(now)
            self._was_held = held
            moment = min(self._start_due(now, held=held), self._crowd.start_due(now))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(None if math.isinf(moment) else moment):
                    await self._bell.wait()
        self._queue.clear()

    def _start_due(self, now: float, *, held: bool) -> float:
        """Start the looks that are due and tell when the next one is."""
        # While the service wants a rest one look queues with the other calls, as the probe.
        while self._queue and len(self._looks) < (1 if held else MAX_LOOKS):
            moment, _number, task_id = self._queue[0]
            if moment > now + TICK:
                return moment
            heapq.heappop(self._queue)
            watch = self._queued(task_id, moment)
            if watch is None:
                continue
            watch.queued = None
            if watch.settled or watch.look is not None:
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
        if watch is not None and (watch.settled or not watch.followers):
            watch = None
        self._hearing.note_event(task_id, watch, has_ended=has_ended)
        if watch is not None and (has_ended or not watch.wants_only_the_end):
            self.confirm(watch)

    def _look_sooner(self) -> None:
        """Let nobody rest any longer: events do not arrive."""
        now = asyncio.get_running_loop().time()
        for watch in tuple(self._watches.values()):
            pause = self.policy.pause(max(watch.looks, 1), self._draw)
            if not watch.settled and watch.due > now + pause:
                watch.due = now + pause
                if watch.look is None:
                    self._schedule(watch)

    def _swept(self) -> None:
        for watch in self._crowd.settled():
            self._leave(watch)  # perhaps its follower takes its time, and it is not looked at
        self._bell.ring()

    def _looked(self, look: "asyncio.Task[None]") -> None:
        self._looks.discard(look)
        self._bell.ring()

    async def _look(self, watch: Watch) -> None:
        loop = asyncio.get_running_loop()
        looks_before = watch.looks
        try:
            await self._ask(watch)
        except errors.BrowserUseError as error:
            self._learner.note_failure(watch, error, loop.time())
        except Exception as error:  # noqa: BLE001 - raised by a user's middleware: theirs to see
            watch.error = error
        else:
            self._learner.note_answer(watch, loop.time())
            if watch.is_doubted:  # since this look began, so that its answer may be the older news
                watch.due = loop.time()
        watch.look = None
        if watch.ended and self._hearing.note_end(watch, looks_before):
            self._look_sooner()
        if watch.settled:
            self._leave(watch)
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
        was_doubted, watch.is_doubted = watch.is_doubted, False
        try:
            task = await self._tasks.get(watch.task_id)
        except BaseException:
            watch.is_doubted = watch.is_doubted or was_doubted
            raise
        self._learner.note_task(watch, task)
