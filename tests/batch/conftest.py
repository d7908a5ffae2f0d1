"""A bundled server whose tasks are quick, sessions with it, and helpers to read the results."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any, Protocol

import attrs
import pytest

from browser_use_async import BrowserUseSession, PollPolicy, RetryPolicy
from browser_use_async.server import LocalServer
from browser_use_async.server.executors.protocol import Control
from browser_use_async.server.executors.scripted import Scenario, ScriptedExecutor
from browser_use_async.server.records import Assignment, Failed, Step
from browser_use_async.transport.config import Runtime
from tests.batch.program import Program

QUICK = Scenario(steps=("Look",), step_seconds=0.01)
POLL = PollPolicy(interval=0.02, latency_target=0.03)
BRIEF = attrs.evolve(POLL, outage_timeout=0.3)  # ends a batch soon after an outage begins
RETRY = RetryPolicy(base_delay=0.01, max_delay=0.02)


def hanging(others: "dict[str, Scenario] | None" = None) -> ScriptedExecutor:
    """An executor whose tasks run until they are stopped.

    Args:
        others: Scenarios of tasks that do not.
    """
    return ScriptedExecutor(others or {}, default=Scenario(hangs=True))


class Held(ScriptedExecutor):
    """Begins with tasks when `released` is set.

    Args:
        text: Those of this text only; by default all.
        scenario: How each task goes.

    Attributes:
        released: Set when they are to begin.
        text: The text of the tasks that wait, None for all.
    """

    def __init__(self, text: str | None = None, scenario: Scenario = QUICK) -> None:
        super().__init__(default=scenario)
        self.released = asyncio.Event()
        self.text = text

    async def run(self, assignment: Assignment, control: Control) -> AsyncIterator[Any]:
        """Wait until released, then run the task."""
        if self.text in {None, assignment.task}:
            await self.released.wait()
        async for item in super().run(assignment, control):
            yield item


class Mended(ScriptedExecutor):
    """Tasks whose text contains a broken one fail, until that is removed.

    Attributes:
        broken: The texts by which tasks fail.
    """

    def __init__(self, *broken: str) -> None:
        super().__init__(default=QUICK)
        self.broken = set(broken)

    async def run(self, assignment: Assignment, control: Control) -> AsyncIterator[Any]:
        """Take a step and fail, or run the task."""
        if any(text in assignment.task for text in self.broken):
            yield Step("Look", "Looked", "about:blank")
            yield Failed("The site is down")
            return
        async for item in super().run(assignment, control):
            yield item


class Serve(Protocol):
    """Starts a server that lives until the end of the test."""

    async def __call__(self, *, scenarios: Any = None, **options: Any) -> LocalServer:
        """Start one; `options` are the server's."""
        ...


class Open(Protocol):
    """Opens a session with a server."""

    async def __call__(
        self, server: LocalServer, *, settle_window: float | None = None, **options: Any
    ) -> BrowserUseSession:
        """Open one; `options` are the session's, and `settle_window` is of its runtime."""
        ...


@pytest.fixture
async def launch(nothing_leaks):
    """Start servers; at the end none may be left."""
    async with AsyncExitStack() as stack:

        async def start(*, scenarios: Any = None, **options: Any) -> LocalServer:
            executor = ScriptedExecutor(scenarios or {}, default=QUICK)
            server = LocalServer(**{"executor": executor, **options})
            return await stack.enter_async_context(server)

        yield start


@pytest.fixture
async def session_with(launch):
    """Open sessions."""
    async with AsyncExitStack() as stack:

        async def open_one(
            server: LocalServer, *, settle_window: float | None = None, **options: Any
        ) -> BrowserUseSession:
            runtime = Runtime(settle_window=settle_window)
            session = BrowserUseSession(
                server.api_key,
                base_url=server.base_url,
                **{"poll": POLL, "retry": RETRY, "runtime": runtime, **options},
            )
            return await stack.enter_async_context(session)

        yield open_one


@pytest.fixture
async def program():
    """The program that is killed."""
    async with Program() as started:
        yield started


@pytest.fixture
def ledger(tmp_path):
    """A path without a ledger."""
    return tmp_path / "run.db"


@pytest.fixture
def texts():
    """This many different tasks."""
    return lambda count: [f"Task {number}" for number in range(count)]
