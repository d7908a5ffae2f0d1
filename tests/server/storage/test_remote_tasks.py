"""Tasks that another service executes: what is stored of them, and their cost."""

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path

import pytest

from browser_use_async import BrowserUseSession
from browser_use_async.errors import BadRequestError, UnprocessableEntityError
from browser_use_async.server import LocalServer
from browser_use_async.server.executors.protocol import Control, DurableExecutor, FieldProblem
from browser_use_async.server.records import Assignment, Failed, Finished, RemoteTask, Step
from tests.support.patience import until

_KEY = "bu_test_of_remote_tasks"


class _Forwarder(DurableExecutor):
    """Remembers each task once, and ends it when `may_end` is set."""

    name = "forwarder"
    reports_start = True
    pause_refusal = "The service cannot pause"

    def __init__(self) -> None:
        self.seen: list[Assignment] = []
        self.left_alone: list[bool] = []
        self.may_end = asyncio.Event()

    def check(self, assignment: Assignment) -> FieldProblem | None:
        """Refuse a setting."""
        is_asked = "use_adblock" in assignment.requested
        return FieldProblem("use_adblock", "the service has none") if is_asked else None

    async def run(
        self, assignment: Assignment, control: Control
    ) -> AsyncIterator[Step | Finished | Failed]:
        self.seen.append(assignment)
        if not assignment.remote.identity:
            await control.remember(RemoteTask({"run": "7"}, "https://live.example/7"))
        control.started()
        yield Step("Begun there")
        await control.charge(Decimal("12.5"))
        try:
            await self.may_end.wait()
        except asyncio.CancelledError:
            self.left_alone.append(control.is_left_alone)
            raise
        yield Finished("done")

    async def aclose(self) -> None:
        """Nothing to release."""


def _server(executor: _Forwarder, database: Path | str) -> LocalServer:
    return LocalServer(executor=executor, database=database, api_key=_KEY, balance_cents=100)


def _session(server: LocalServer) -> BrowserUseSession:
    return BrowserUseSession(api_key=_KEY, base_url=server.base_url)


async def test_a_remote_task_survives_a_restart(tmp_path: Path) -> None:
    """It is resumed with the stored data, and its steps and its cost count once."""
    first, second = _Forwarder(), _Forwarder()
    async with _server(first, tmp_path / "db") as server, _session(server) as session:
        handle = await session.submit("Buy milk", max_agent_steps=9)
        await until(lambda: server.balance_cents == Decimal("87.5"))
        before = await session.tasks.get(handle.id)
    assert first.left_alone == [True]

    second.may_end.set()
    async with _server(second, tmp_path / "db") as server, _session(server) as session:
        task = await session.wait(handle.id)
        (row,) = (await session.tasks.list()).tasks

        assert server.balance_cents == Decimal("87.5")
    assert [each.remote.identity for each in second.seen] == [{"run": "7"}]
    assert second.seen[0].task == "Buy milk"
    assert second.seen[0].max_agent_steps == 9
    assert task.output == "done"
    assert task.steps == before.steps
    assert [each.live_url for each in (before, task, row)] == ["https://live.example/7"] * 3


async def test_a_stop_differs_from_the_end_of_the_server(tmp_path: Path) -> None:
    """The remote task is left alone only when a server with a file closes."""
    executor = _Forwarder()
    async with _server(executor, tmp_path / "db") as server, _session(server) as session:
        handle = await session.submit("Buy milk")
        await until(lambda: server.balance_cents == Decimal("87.5"))
        await handle.stop()
        await until(lambda: executor.left_alone)
    async with _server(executor, ":memory:") as server, _session(server) as session:
        await session.submit("Buy milk")
        await until(lambda: server.balance_cents == Decimal("87.5"))

    assert executor.left_alone == [False, False]


async def test_what_an_executor_cannot_do_is_refused() -> None:
    """A setting at run-task, by the name of its field, and a pause with the reason."""
    executor = _Forwarder()
    async with _server(executor, ":memory:") as server, _session(server) as session:
        with pytest.raises(UnprocessableEntityError, match=r"use_adblock.*the service has none"):
            await session.submit("Buy milk", use_adblock=True)
        handle = await session.submit("Buy milk")
        await until(lambda: server.balance_cents == Decimal("87.5"))
        with pytest.raises(BadRequestError, match="The service cannot pause"):
            await handle.pause()

        assert server.tasks_created == 1
