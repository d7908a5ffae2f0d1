"""An agent that records scripts, and a browser that plays them."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import cast

import attrs

from browser_use_async.server.executors.agent.executor import BrowserUseExecutor
from browser_use_async.server.executors.browser.executor import ChromiumExecutor
from browser_use_async.server.executors.protocol import Control, Executor, FieldProblem
from browser_use_async.server.executors.view import View
from browser_use_async.server.records import (
    Assignment,
    Failed,
    Finished,
    ScriptOrder,
    ScriptOutcome,
    Step,
)


class ScriptExecutor(Executor):
    """Plays scripts; everything else is for the agent, which also goes on where one ends.

    A script that does not fit, and has changed nothing yet, is done anew by the agent, and what it
    did becomes the next version.
    """

    reports_start = True  # a task waits for one of few browsers
    plays_scripts = True

    def __init__(self, agent: BrowserUseExecutor, player: ChromiumExecutor) -> None:
        self._agent = agent
        self._player = player
        self.name = agent.name
        self.capacity = agent.capacity

    def check(self, assignment: Assignment) -> FieldProblem | None:
        """Say which settings cannot be followed."""
        return self._agent.check(assignment)

    async def run(
        self, assignment: Assignment, control: Control
    ) -> AsyncIterator[Step | Finished | Failed]:
        """Carry out one task."""
        order = assignment.script
        if order is None or not order.text:
            async with aclosing(_items(self._agent, assignment, control)) as items:
                async for item in items:
                    yield item
            return
        failed: Failed | None = None
        async with aclosing(_items(self._player, assignment, control)) as items:
            async for item in items:
                if isinstance(item, Failed) and item.script is not None and item.script.may_go_on:
                    failed = item
                else:
                    yield item
        if failed is None or failed.script is None:
            return
        yield Step("Give the task to the agent", failed.reason, failed.url, failed.screenshot)
        async with aclosing(self._go_on(assignment, control, order, failed.script)) as rest:
            async for item in rest:
                yield item

    async def _go_on(
        self, assignment: Assignment, control: Control, order: ScriptOrder, played: ScriptOutcome
    ) -> AsyncGenerator[Step | Finished | Failed, None]:
        """Have the agent do the task from its beginning."""
        async with aclosing(_items(self._agent, assignment, control)) as items:
            async for item in items:
                if isinstance(item, Finished | Failed):
                    text = item.script.text if item.script is not None else ""
                    outcome = attrs.evolve(played, version=order.version, text=text)
                    yield attrs.evolve(item, script=outcome)
                else:
                    yield item

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
