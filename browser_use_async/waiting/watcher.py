"""The one place that polls. Waits and streams follow it and never poll themselves."""

import asyncio
import contextlib
import heapq
import itertools
import logging
import random
from collections.abc import Callable, Generator
from typing import Protocol

from browser_use_async import errors
from browser_use_async.endpoints import TaskEndpoints
from browser_use_async.models import SessionEvent, Task, TaskStatus, UnknownStatusSeen
from browser_use_async.transport.gate import LONGEST_GAP, REOPENING_SECONDS
from browser_use_async.waiting.policy import PollPolicy
from browser_use_async.waiting.watch import Bell, Follower, Watch

__all__ = ["Service", "Watcher"]

_LOGGER = logging.getLogger("browser_use_async")
MAX_LOOKS = 50  # below the transport's bound, so that waits leave room for other calls
NEW_TASK_GRACE = 30.0  # seconds in which a task of our own may not be found yet
MISSING_LOOKS, MISSING_SECONDS = 3, 10.0  # a task that was seen is gone after both
LONGEST_BACKOFF = 10.0
TICK = 0.001  # timers may fire a little early, and looking at once is better than spinning

# Errors that time heals. Everything else ends the watch at once.
_PASSING = (
    errors.APIConnectionError,
    errors.InternalServerError,
    errors.RateLimitError,
    errors.ResponseDecodeError,
    errors.ConflictError,
)
_PASSING_STATUSES = frozenset({408, 425})  # without a class of their own
_ABSENT = (errors.NotFoundError, errors.APINotServedError)  # the second from a gateway that blinks


class Service(Protocol):
    """What a watcher asks of the transport."""

    @property
    def is_held(self) -> bool:
        """Whether the service wants a rest."""
        ...

    def bind(self) -> object:
        """Raise if the session is closed or belongs to another loop."""
        ...

    def slot_freed(self) -> None:
        """Take note that a task has ended."""
        ...


class Watcher:
    """Looks at every followed task, as often as the policy says and no more.

    Args:
        tasks: The calls to look with; they are made without repetitions of their own.
        policy: How often.
        emit: Told about statuses that this version does not know.
        draw: The source of chance.
        service: Whether looks are welcome.
    """

    def __init__(
        self,
        tasks: TaskEndpoints,
        policy: PollPolicy,
        emit: Callable[[SessionEvent], None],
        draw: random.Random,
        service: Service,
    ) -> None:
        self.policy = policy
        self._service = service
        self._tasks = tasks
        self._emit = emit
        self._draw = draw
        self._watches: dict[str, Watch] = {}
        self._queue: list[tuple[float, int, Watch]] = []
        self._numbers = itertools.count()
        self._bell = Bell()
        self._runner: asyncio.Task[None] | None = None
        self._looks: set[asyncio.Task[None]] = set()
        self._reply_time = 0.05
        self._was_held = False
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
        watch.followers.add(follower)
        if watch.look is None:
            self._schedule(watch)
        return watch

    def detach(self, watch: Watch, follower: Follower) -> None:
        """Stop following. What nobody follows is not looked at, not even to the end of a look.

        Args:
            watch: What `attach` gave.
            follower: Who no longer wants to know.
        """
        watch.followers.discard(follower)
        if watch.followers:
            return
        if watch.look is not None:
            watch.look.cancel()
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
        tasks = [task for task in (*self._looks, self._runner) if task and not task.done()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # --- when -----------------------------------------------------------------------------

    def _schedule(self, watch: Watch) -> None:
        """Queue the next look, unless an entry exists that comes up before it."""
        moment = watch.next_look(self._reply_time)
        if watch.queued is not None and watch.queued <= moment:
            return
        watch.queued = moment
        heapq.heappush(self._queue, (moment, next(self._numbers), watch))
        if self._runner is None or self._runner.done():
            self._runner = asyncio.get_running_loop().create_task(
                self._run(), name="browser_use_async watcher"
            )
        self._bell.ring()

    async def _run(self) -> None:
        """Start each look when it is due; end when nobody follows anything."""
        loop = asyncio.get_running_loop()
        while self._watches:
            moment = self._start_due(loop.time())
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(moment):
                    await self._bell.wait()
        self._queue.clear()

    def _start_due(self, now: float) -> float | None:
        """Start the looks that are due and tell when the next one is."""
        held = self._service.is_held
        if self._was_held and not held:
            self._spread(now)
        self._was_held = held
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
            if now + TICK < watch.next_look(self._reply_time):
                self._schedule(watch)  # the follower that wanted it sooner has left
            else:
                self._start_look(watch, now)
        return None

    def _spread(self, now: float) -> None:
        """Put off the looks that a pause has held up, so that its end is no stampede."""
        waiting = sorted(
            (watch for watch in self._watches.values() if watch.look is None and watch.due <= now),
            key=lambda watch: watch.due,
        )
        for place, watch in enumerate(waiting, start=1):
            watch.due = now + place * min(REOPENING_SECONDS / len(waiting), LONGEST_GAP)
            watch.queued = None
            self._schedule(watch)

    def _start_look(self, watch: Watch, now: float) -> None:
        watch.begin_look(now + TICK, self._reply_time)
        watch.look = asyncio.get_running_loop().create_task(self._look(watch))
        self._looks.add(watch.look)
        watch.look.add_done_callback(self._looked)

    def _looked(self, look: "asyncio.Task[None]") -> None:
        self._looks.discard(look)
        self._bell.ring()

    # --- what -----------------------------------------------------------------------------

    async def _look(self, watch: Watch) -> None:
        loop = asyncio.get_running_loop()
        try:
            await self._ask(watch)
        except errors.BrowserUseError as error:
            self._note_failure(watch, error, loop.time())
        except Exception as error:  # noqa: BLE001 - raised by a user's middleware: theirs to see
            watch.error = error
        else:
            self._note_answer(watch, loop.time())
        watch.look = None
        if watch.settled:
            watch.tell()
        elif watch.followers:
            self._schedule(watch)

    async def _ask(self, watch: Watch) -> None:
        """Find out where the task stands; a terminal status counts once the task confirms it."""
        if not watch.wants_steps:
            status = await self._tasks.get_status(watch.task_id)
            if status.is_known and not status.is_terminal:
                self._note_status(watch, status)
                return
        self._note_task(watch, await self._tasks.get(watch.task_id))

    def _note_task(self, watch: Watch, task: Task) -> None:
        watch.task = task
        if task.status.is_terminal or (not task.status.is_known and task.finished_at is not None):
            watch.ended = True
            self._service.slot_freed()
        self._note_status(watch, task.status)
        if watch.wants_steps:
            watch.tell()

    def _note_status(self, watch: Watch, status: TaskStatus) -> None:
        if not status.is_known and status != watch.reported:
            watch.reported = status
            _LOGGER.warning(
                "task %s has the status %r, which this version does not know; it is taken to be "
                "alive",
                watch.task_id,
                str(status),
            )
            self._emit(UnknownStatusSeen(watch.task_id, status))
        if status != watch.status:
            watch.status = status
            watch.tell()

    def _note_answer(self, watch: Watch, now: float) -> None:
        watch.looks += 1
        watch.failures, watch.failing_since, watch.missing = 0, None, 0
        took = min(max(now - watch.looked_at, 0.0), 5.0)
        self._reply_time += 0.2 * (took - self._reply_time)
        # Counted from now and not from the look before: after the loop was blocked there is no
        # burst of looks to catch up with.
        watch.due = now + self.policy.pause(watch.looks, self._draw)

    def _note_failure(self, watch: Watch, error: errors.BrowserUseError, now: float) -> None:
        if isinstance(error, _ABSENT):
            self._note_missing(watch, error, now)
            return
        if not isinstance(error, _PASSING) and _status_of(error) not in _PASSING_STATUSES:
            error.task_id = watch.task_id
            watch.error = error
            return
        watch.failures += 1
        watch.failing_since = now if watch.failing_since is None else watch.failing_since
        if now - watch.failing_since >= self.policy.outage_tolerance:
            watch.error = errors.WaitInterruptedError(
                f"the API gave no usable answer about task {watch.task_id} for "
                f"{now - watch.failing_since:.0f} s (last: {error}); the task lives on, last seen "
                f"as {watch.status or 'unknown'}: continue with session.handle(task_id)",
                task_id=watch.task_id,
                last_status=watch.status,
            )
            return
        ceiling = min(LONGEST_BACKOFF, 0.5 * 2.0 ** min(watch.failures - 1, 10))
        watch.due = now + self._draw.uniform(0.1, 1.0) * ceiling

    def _note_missing(self, watch: Watch, error: errors.APIStatusError, now: float) -> None:
        """A task of our own may not be listed yet; one that was seen may be missed once."""
        if watch.missing == 0:
            watch.missing_since = now
        watch.missing += 1
        watch.due = now + self.policy.pause(max(watch.looks, 1), self._draw)
        if watch.submitted_at is not None and now - watch.submitted_at < NEW_TASK_GRACE:
            return
        gone = watch.missing >= MISSING_LOOKS and now - watch.missing_since >= MISSING_SECONDS
        if gone or (watch.status is None and watch.submitted_at is None):
            error.task_id = watch.task_id
            watch.error = error


def _status_of(error: errors.BrowserUseError) -> int | None:
    return error.status if isinstance(error, errors.APIStatusError) else None
