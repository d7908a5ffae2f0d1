"""Dispatches events to handlers: a bounded queue, in order for each task."""

import asyncio
import inspect
from collections import Counter, deque
from collections.abc import Callable
from typing import Any

import attrs

from browser_use_async.logs import LOGGER
from browser_use_async.webhooks.events import Event, TaskStatusUpdate, TestEvent

REVIVAL_SECONDS = 1.0  # until queued events get another worker in place of a cancelled one

# Called with an event; an awaitable result is awaited.
Handler = Callable[[Any], object]


@attrs.define(eq=False)
class ReceiverMetrics:
    """Counters since the receiver was made. Events are counted by their `label_of`.

    Each call counts as one of `delivered`, `duplicates`, `queue_full` and `refused`.
    """

    # Authentic events, also repeated ones
    received: "Counter[str]" = attrs.field(factory=Counter)
    delivered: "Counter[str]" = attrs.field(factory=Counter)  # accepted events, once each
    duplicates: "Counter[str]" = attrs.field(factory=Counter)  # repetitions of accepted events
    # Events answered with 503, because too many are being handled
    queue_full: "Counter[str]" = attrs.field(factory=Counter)
    # Calls that were refused, by reason: `method`, `path`, `content_type`, `encoding`,
    # `header`, `stale`, `signature`, `body`, `too_large`, `too_slow`, `gone` and `closed`
    refused: "Counter[str]" = attrs.field(factory=Counter)
    # Events whose handlers all succeeded
    handled: "Counter[str]" = attrs.field(factory=Counter)
    # Handlers that raised, took too long or were cancelled
    handler_failures: "Counter[str]" = attrs.field(factory=Counter)

    @property
    def calls(self) -> int:
        """How many calls came, whatever their result."""
        ends = (self.delivered, self.duplicates, self.queue_full, self.refused)
        return sum(end.total() for end in ends)


def label_of(event: Event) -> str:
    """The label of an event in counters: its status, `test`, `other status` or `unknown`."""
    if isinstance(event, TaskStatusUpdate):
        # Unknown statuses share one counter, since a sender may invent any number.
        return str(event.status) if event.status.is_known else "other status"
    return "test" if isinstance(event, TestEvent) else "unknown"


@attrs.define(eq=False, repr=False)
class Dispatcher:
    """Calls handlers with events: those of one task in order, those of others concurrently."""

    _queue_size: int
    _concurrency: int
    _handler_timeout: float | None
    _metrics: ReceiverMetrics
    _handlers: list[tuple[type[Any] | None, Handler]] = attrs.field(factory=list)
    # The events of each task that wait; a task is ready while none of its events is handled.
    _queues: dict[object, deque[Event]] = attrs.field(factory=dict)
    _ready: deque[object] = attrs.field(factory=deque)
    _workers: "set[asyncio.Task[None]]" = attrs.field(factory=set)
    # Not the size of that set: a worker leaves it one step of the loop after its end.
    _working: int = 0
    _pending: int = 0
    _cancels: bool = False  # whether closing cancels workers

    @property
    def full(self) -> bool:
        """Whether no other event can be accepted."""
        return self._pending >= self._queue_size

    def add_handler(self, kind: type[Any] | None, handler: Handler) -> None:
        """Call a handler with the events of a class, or with all of them, from now on."""
        self._handlers.append((kind, handler))

    def put(self, event: Event) -> None:
        """Queue an event; without a handler it counts as handled at once."""
        if not self._handlers_of(event):
            self._metrics.handled[label_of(event)] += 1
            return
        self._pending += 1
        # Events of a task are handled in order, and those without a task in order by type.
        key = event.task_id if isinstance(event, TaskStatusUpdate) else type(event)
        if key in self._queues:
            self._queues[key].append(event)
            return
        self._queues[key] = deque([event])
        self._ready.append(key)
        self._start_workers(1)

    def _start_workers(self, most: int) -> None:
        for _ in range(min(most, self._concurrency - self._working)):
            self._working += 1
            worker = asyncio.get_running_loop().create_task(
                self._work(), name="browser-use: runs webhook handlers"
            )
            self._workers.add(worker)
            worker.add_done_callback(self._worker_ended)

    def _worker_ended(self, worker: "asyncio.Task[None]") -> None:
        self._workers.discard(worker)
        if worker.cancelled() and not self._cancels:
            # Cancelled by its handler or by the program; not revived at once, as the program may
            # end.
            self._working -= 1
            worker.get_loop().call_later(REVIVAL_SECONDS, self._revive)

    def _revive(self) -> None:
        """Start workers for the tasks that are ready."""
        self._start_workers(len(self._ready))

    async def aclose(self, seconds: float) -> None:
        """Wait for pending events, then cancel what is left."""
        self._revive()
        # A handler that closes the receiver must not wait for itself.
        own = asyncio.current_task()
        if others := self._workers - {own}:
            await asyncio.wait(others, timeout=seconds)
        late = self._workers - {own}
        self._cancels = True
        for worker in late:
            worker.cancel()
        if late:
            # A handler that suppresses its cancellation is not waited for.
            await asyncio.wait(late, timeout=1.0)
        if own in self._workers:
            return  # it handles the queued events when its handler has returned
        if self._pending:
            LOGGER.warning(
                "%d webhook events were not handled to their end, since the receiver was closed "
                "%g s after it was asked to",
                self._pending,
                seconds,
            )
        self.drop()

    def drop(self) -> None:
        """Drop all pending events, whose event loop is closed."""
        self._queues.clear()
        self._ready.clear()
        self._workers.clear()
        self._pending = self._working = 0

    def _handlers_of(self, event: Event) -> list[Handler]:
        return [each for kind, each in self._handlers if kind is None or isinstance(event, kind)]

    async def _work(self) -> None:
        # An eager task factory begins it at once, before the event is answered.
        await asyncio.sleep(0)
        while self._ready:
            # The queue keeps its place in `_queues` while its event is handled, so that another
            # event of the task joins it and does not make the task ready for a second worker.
            key = self._ready.popleft()
            queue = self._queues[key]
            try:
                await self._handle(queue.popleft())
            except asyncio.CancelledError:
                if not self._cancels:
                    self._put_back(key, queue)
                raise
            self._put_back(key, queue)
        self._working -= 1

    def _put_back(self, key: object, queue: deque[Event]) -> None:
        """Make a task ready again whose event was handled, if it has more."""
        self._pending -= 1
        if queue:
            self._ready.append(key)
        else:
            self._queues.pop(key, None)  # missing if the receiver was closed meanwhile

    async def _handle(self, event: Event) -> None:
        label = label_of(event)
        outcomes = [await self._try(handler, event) for handler in self._handlers_of(event)]
        failures = outcomes.count(False)
        self._metrics.handler_failures[label] += failures
        self._metrics.handled[label] += not failures

    async def _try(self, handler: Handler, event: Event) -> bool:
        """Call a handler; returns whether it succeeded."""
        try:
            async with asyncio.timeout(self._handler_timeout):
                result = handler(event)
                if inspect.isawaitable(result):
                    await result
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is not None and task.cancelling():  # this worker is cancelled, as by closing
                if not self._cancels:
                    _log(handler, event, error, "it was cancelled")
                self._metrics.handler_failures[label_of(event)] += 1
                raise
            _log(handler, event, error, "something that it awaited was cancelled")
        except TimeoutError as error:
            _log(handler, event, error, f"it took longer than {self._handler_timeout} s")
        except Exception as error:  # noqa: BLE001 - it must not stop the worker
            _log(handler, event, error, f"it raised {type(error).__name__}")
        else:
            return True
        return False


def _log(handler: Handler, event: Event, error: BaseException, problem: str) -> None:
    name = getattr(handler, "__qualname__", type(handler).__qualname__)
    LOGGER.error(
        "the webhook handler %s failed on an event %s: %s",
        name,
        label_of(event),
        problem,
        exc_info=error,
    )
