"""A server that is killed before each statement of a task's life, and continues afterwards."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import aclosing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.server.storage.dying import CENTS
from tests.server.webhooks.receiver import Call, Receiver
from tests.support.patience import PATIENCE

ROOT = Path(__file__).parents[3]


async def _points(
    folder: Path, receiver: Receiver, first: int, stride: int, mode: str
) -> AsyncIterator[tuple[int, list[str]]]:
    """The errors after a death at each point."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.server.storage.dying",
        str(folder), receiver.url, str(first), str(stride), mode,
        cwd=ROOT, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    lines: list[Any] = []
    try:
        while True:
            async with asyncio.timeout(PATIENCE):
                line = json.loads(await process.stdout.readline())
            if "point" in line:
                point, lines = line["point"], []
            elif "tasks" in line:
                yield point, _problems(line, lines, receiver.calls)
            elif "end" in line:
                return
            else:
                lines.append(line)
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


def _problems(stored: Any, lines: list[Any], calls: list[Call]) -> list[str]:
    problems = [f"it failed: {each['error']}" for each in lines if "error" in each]
    ids = [task["id"] for task in stored["tasks"]]
    for task in stored["tasks"]:
        problems += _problems_of(task, calls)
    spent = sum(Decimal(task["cents"]) for task in stored["tasks"])
    if Decimal(stored["cents"]) + spent != CENTS:
        problems.append(f"{stored['cents']} cents are left after {spent}")
    if sorted(stored["listed"]) != sorted(ids) or stored["total"] != len(ids):
        problems.append(f"the list has {stored['total']} tasks of {len(ids)}")
    runs = sum(task["by"] == "schedule" for task in stored["tasks"])
    if runs != len(stored["schedules"]):
        problems.append(f"{runs} runs of {len(stored['schedules'])} schedules")
    for each in lines:
        if each.get("task", ids[:1] and ids[0]) not in ids and "task" in each:
            problems.append("a task that was answered is gone")
        if "schedule" in each and each["schedule"] not in stored["schedules"]:
            problems.append("a schedule that was answered is gone")
    return problems


def _problems_of(task: Any, calls: list[Call]) -> list[str]:
    problems = []
    if task["numbers"] != list(range(1, len(task["numbers"]) + 1)):
        problems.append(f"steps {task['numbers']}")
    if task["file"] != (task["status"] == "finished"):
        problems.append(f"a task that is {task['status']} has a file: {task['file']}")
    bodies = [c.body for c in calls if c.status != "test" and _task_of(c) == task["id"]]
    # A receiver may get an event again that it answered to a dead server: the same bytes.
    statuses = [json.loads(body)["payload"]["status"] for body in dict.fromkeys(bodies)]
    expected = ["initializing", *["started"] * task["started"]]
    expected += ["finished"] * (task["status"] == "finished")
    if statuses != expected:
        problems.append(f"sent {statuses} instead of {expected}")
    return problems


def _task_of(call: Call) -> Any:
    return call.event["payload"]["task_id"]


async def _assert_exact(folder: Path, receiver: Receiver, first: int, stride: int) -> None:
    points = 0
    async with aclosing(_points(folder, receiver, first, stride, "transactions")) as found:
        async for point, problems in found:
            points += 1
            assert problems == [], f"killed in front of statement {point}"
    assert points >= 5


@pytest.mark.long
async def test_some_statements(tmp_path, receiver):
    """Money, steps, webhooks and schedules are exact after a death at every 15th statement."""
    await _assert_exact(tmp_path, receiver, 48, 15)


@pytest.mark.torture
@pytest.mark.timeout(600)
async def test_each_statement(tmp_path, receiver):
    """The same at each statement, also at those that create the tables of a new file."""
    await _assert_exact(tmp_path, receiver, 1, 1)


@pytest.mark.long
async def test_without_transactions(tmp_path, receiver):
    """The control: where each statement is committed alone, a death leaves half of a change."""
    async with aclosing(_points(tmp_path, receiver, 62, 1, "none")) as found:
        async for _point, problems in found:
            if problems:
                return
    raise AssertionError("transactions make no difference")
