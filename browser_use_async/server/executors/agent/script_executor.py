"""An agent that records scripts, and a browser that plays them."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import cast

import attrs

from browser_use_async.server.executors.agent.executor import BrowserUseExecutor
from browser_use_async.server.executors.browser.executor import ChromiumExecutor
from browser_use_async.server.executors.protocol import Control, Executor, FieldProblem
from browser_use_async.server.executors.view import View
from browser_use_async.server.records import Assignment, Failed, Finished, Step


class ScriptExecutor(Executor):
    """Plays scripts, and gives other tasks to the agent.

    If a script does not fit and has changed nothing yet, the agent does the task from its
    beginning, and its actions become the next version.
    """

    reports_start = True  # a task waits for one of few browsers
    plays_scripts = True

    def __init__(self, agent: BrowserUseExecutor, player: ChromiumExecutor) -> None:
        self._agent = agent
        self._player = player
        self.name = agent.name
        self.capacity = agent.capacity

    @property
    def open_browsers(self) -> int:
        """How many browsers are open."""
        return self._agent.open_browsers + self._player.open_browsers

    def check(self, assignment: Assignment) -> FieldProblem | None:
        """Say which settings cannot be followed."""
        return self._agent.check(assignment)

    async def run(
        self, assignment: Assignment, control: Control
    ) -> AsyncIterator[Step | Finished | Failed]:
        """Carry out one task."""
        order = assignment.script
        first = self._player if order is not None and order.text else self._agent
        failed: Failed | None = None
        async with aclosing(_items(first, assignment, control)) as items:
            async for item in items:
                if isinstance(item, Failed) and item.script is not None and item.script.may_go_on:
                    failed = item
                else:
                    yield item
        if failed is None or failed.script is None or order is None:
            return
        yield Step("Give the task to the agent", failed.reason, failed.url, failed.screenshot)
        async with aclosing(_items(self._agent, assignment, control)) as items:
            async for item in items:
                if isinstance(item, Step):
                    yield item
                else:
                    text = item.script.text if item.script is not None else ""
                    outcome = attrs.evolve(failed.script, version=order.version, text=text)
                    yield attrs.evolve(item, script=outcome)

    def view(self, task_id: str) -> View | None:
        """The browser of a task, or None before it has one and after it has ended."""
        return self._player.view(task_id) or self._agent.view(task_id)

    async def aclose(self) -> None:
        """End what starts browsers."""
        try:
            await self._player.aclose()
        finally:
            await self._agent.aclose()


def _items(
    executor: Executor, assignment: Assignment, control: Control
) -> AsyncGenerator[Step | Finished | Failed, None]:
    """The items of a task; both executors are async generators, which have to be closed."""
    return cast("AsyncGenerator[Step | Finished | Failed, None]", executor.run(assignment, control))
