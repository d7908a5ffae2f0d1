"""Runs handlers behind the answers: a bounded number of events, in order for each task."""

import asyncio
import inspect
import logging
from collections import deque
from collections.abc import Callable
from typing import Any

from browser_use_async.webhooks.events import Event, TaskStatusUpdate
from browser_use_async.webhooks.metrics import ReceiverMetrics, label_of

__all__ = ["Dispatcher", "Handler"]

_LOGGER = logging.getLogger("browser_use_async")

Handler = Callable[[Any], object]
"""Takes an event; what it returns is awaited if it can be."""


class Dispatcher:
    """Hands events to handlers: those of one task in order, others side by side."""

    def __init__(
        self,
        queue_size: int,
        concurrency: int,
        handler_timeout: float | None,
        metrics: ReceiverMetrics,
    ) -> None:
        self._queue_size = queue_size
        self._concurrency = concurrency
        self._handler_timeout = handler_timeout
        self._metrics = metrics
        self._handlers: list[tuple[type[Any] | None, Handler]] = []
        # The events of each task that wait; a task is ready while none of its events is handled.
        self._lanes: dict[object, deque[Event]] = {}
        self._ready: deque[object] = deque()
        self._workers: set[asyncio.Task[None]] = set()
        self._at_work = 0  # not the size of that set, which a worker leaves a turn after its end
        self._held = 0

    @property
    def has_room(self) -> bool:
        """Whether another event can be taken."""
        return self._held < self._queue_size

    @property
    def held(self) -> int:
        """How many events wait for their handlers or are in them."""
        return self._held

    def add(self, kind: type[Any] | None, handler: Handler) -> None:
        """Have events handled from now on."""
        self._handlers.append((kind, handler))

    def put(self, event: Event) -> None:
        """Have an event handled soon; without a handler for it, it is handled already."""
        if not self._handlers_of(event):
            self._metrics.handled[label_of(event)] += 1
            return
        self._held += 1
        key = event.task_id if isinstance(event, TaskStatusUpdate) else type(event)
        if key in self._lanes:
            self._lanes[key].append(event)
            return
        self._lanes[key] = deque([event])
        self._ready.append(key)
        if self._at_work < self._concurrency:
            self._at_work += 1
            worker = asyncio.get_running_loop().create_task(
                self._work(), name="browser_use_async webhook handlers"
            )
            self._workers.add(worker)
            worker.add_done_callback(self._workers.discard)

    async def aclose(self, seconds: float) -> None:
        """Wait for what is held, then cut off what is left."""
        if self._workers:
            await asyncio.wait(set(self._workers), timeout=seconds)
        late = set(self._workers)
        for worker in late:
            worker.cancel()
        if late:
            # A handler that does not let itself be cancelled is left behind.
            await asyncio.wait(late, timeout=1.0)
        if self._held:
            _LOGGER.warning(
                "%d webhook events were not handled to their end, since the receiver was closed "
                "%g s after it was asked to",
                self._held,
                seconds,
            )
        self.forget()

    def forget(self) -> None:
        """Let go of everything, for which there is no event loop any more."""
        self._lanes.clear()
        self._ready.clear()
        self._workers.clear()
        self._held = self._at_work = 0

    def _handlers_of(self, event: Event) -> list[Handler]:
        return [each for kind, each in self._handlers if kind is None or isinstance(event, kind)]

    async def _work(self) -> None:
        while self._ready:
            key = self._ready.popleft()
            lane = self._lanes[key]
            await self._handle(lane.popleft())
            self._held -= 1
            if lane:
                self._ready.append(key)
            else:
                del self._lanes[key]
        self._at_work -= 1

    async def _handle(self, event: Event) -> None:
        label = label_of(event)
        outcomes = [await self._try(handler, event) for handler in self._handlers_of(event)]
        failures = outcomes.count(False)
        self._metrics.handler_failures[label] += failures
        self._metrics.handled[label] += not failures

    async def _try(self, handler: Handler, event: Event) -> bool:
        """Call a handler, and tell whether that went well."""
        try:
            await self._call(handler, event)
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is not None and task.cancelling():  # the receiver closes
                self._metrics.handler_failures[label_of(event)] += 1
                raise
            _log(handler, event, error, "something that it awaited was cancelled")
        except TimeoutError as error:
            _log(handler, event, error, f"it took longer than {self._handler_timeout} s")
        except Exception as error:  # noqa: BLE001 - a handler's failure is nobody else's
            _log(handler, event, error, f"it raised {type(error).__name__}")
        else:
            return True
        return False

    async def _call(self, handler: Handler, event: Event) -> None:
        async with asyncio.timeout(self._handler_timeout):
            result = handler(event)
            if inspect.isawaitable(result):
                await result


def _log(handler: Handler, event: Event, error: BaseException, problem: str) -> None:
    name = getattr(handler, "__qualname__", type(handler).__qualname__)
    _LOGGER.error(
        "the webhook handler %s failed on an event %s: %s",
        name,
        label_of(event),
        problem,
        exc_info=error,
    )
