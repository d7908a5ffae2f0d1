"""Lets the tasks of a batch start, one after the other, as its budget admits them."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from decimal import Decimal

import attrs

from browser_use_async.batch.budget import Budget, nothing_would_run
from browser_use_async.batch.pricing import TaskPrice
from browser_use_async.errors import BrowserUseError
from browser_use_async.types import RunTaskRequest, Task

__all__ = ["Admission"]

_LOGGER = logging.getLogger("browser_use_async")

FRESH_SECONDS = 10.0  # for which the steps that a running task showed are not asked for again


@attrs.define(eq=False)
class _RunningTask:
    """A task that runs, and the loop time at which its steps were last known."""

    id: str
    seen_at: float


class Admission:
    """A queue in front of a budget: who came first is admitted first.

    Before a task starts on the strength of an estimate, running tasks are asked for the steps that
    they show. That takes one request for each item at most, and none while the budget is ample.
    """

    def __init__(self, budget: Budget, get_task: Callable[[str], Awaitable[Task]]) -> None:
        self.budget = budget
        self._get_task = get_task
        self._running: dict[int, _RunningTask] = {}
        self._credit = 0  # requests that may be made to look at running tasks
        self._turn = asyncio.Lock()  # a fair one
        self._changed = asyncio.Event()

    async def admit(self, index: int, request: RunTaskRequest) -> bool:
        """Make a reservation for a task, as soon as the budget admits it.

        Raises:
            InvalidRequestError: The budget is strict and too small for any task.
        """
        price = TaskPrice.of(request)
        async with self._turn:
            while not await self._admits(price):
                if self.budget.is_idle:
                    self._refuse(price)
                    return False
                self._changed.clear()
                await self._changed.wait()
            self.budget.reserve(index, price)
            self._credit += 1
            return True

    async def _admits(self, price: TaskPrice) -> bool:
        if self.budget.is_ample_for(price):
            return True
        if not self.budget.admits(price):
            return False
        await self._look()
        return self.budget.admits(price)

    def _refuse(self, price: TaskPrice) -> None:
        budget = self.budget
        too_small = budget.limit_cents is not None and price.maximum_cents > budget.limit_cents
        if budget.is_strict and budget.is_untouched and too_small:
            assert budget.limit_cents is not None
            raise nothing_would_run(price, budget.limit_cents)
        budget.refuse(price)

    async def _look(self) -> None:
        """Learn how many steps running tasks show, those first of which that is not known."""
        now = asyncio.get_running_loop().time()
        known_longest = sorted(self._running.items(), key=lambda each: each[1].seen_at)
        stale = [each for each in known_longest if now - each[1].seen_at >= FRESH_SECONDS]
        chosen = stale[: self._credit]
        self._credit -= len(chosen)
        for _index, task in chosen:
            task.seen_at = now
        await asyncio.gather(*(self._look_at(index, task.id) for index, task in chosen))

    async def _look_at(self, index: int, task_id: str) -> None:
        try:
            task = await self._get_task(task_id)
        except BrowserUseError as error:
            _LOGGER.debug("the steps of task %s are not known: %s", task_id, error)
        else:
            self.budget.observe(index, len(task.steps))

    # --- what becomes of tasks ------------------------------------------------------------

    def follow(self, index: int, request: RunTaskRequest) -> None:
        """Make a reservation for a task that an earlier run created, or may have created."""
        self.budget.meet()
        self.budget.reserve(index, TaskPrice.of(request))

    def created(self, index: int, task_id: str) -> None:
        """Note that a task runs."""
        self._running[index] = _RunningTask(task_id, asyncio.get_running_loop().time())

    def settle(self, index: int, steps: int) -> Decimal:
        """Note that a task ended, and give what it cost."""
        cost = self.budget.settle(index, steps)
        self._forget(index)
        return cost

    def release(self, index: int) -> None:
        """Give a reservation back, if there is one: nothing was created."""
        self.budget.release(index)
        self._forget(index)

    def abandon(self, index: int) -> None:
        """Note that a task runs on, or may do so, and that this run will not learn its end."""
        self.budget.abandon(index)
        self._forget(index)

    def _forget(self, index: int) -> None:
        self._running.pop(index, None)
        self._changed.set()
