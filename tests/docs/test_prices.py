"""The prices on the page about money are right."""

import re
from decimal import Decimal
from pathlib import Path

import pytest

from browser_use_async import prices
from browser_use_async.testing import Scenario, ScriptedExecutor
from browser_use_async.types import LlmModel

PAGE = (Path(__file__).parents[2] / "docs" / "money.md").read_text("utf-8")
ROWS = re.findall(r"^\| (.*`.*) \| .*?\$([\d.]+) \| (.+) \| (.+) \|$", PAGE, re.MULTILINE)


def _models(cell: str) -> list[str]:
    patterns = [each.replace("…", ".*") for each in re.findall(r"`([^`]+)`", cell)]
    known = [each.value for each in LlmModel]
    return [name for name in known for pattern in patterns if re.fullmatch(pattern, name)]


@pytest.mark.parametrize("row", ROWS, ids=[row[0][:30] for row in ROWS])
def test_the_prices_of_models(row):
    """For one step, for ten, and for the most that a task may take."""
    names, step, ten, most = row

    for name in _models(names):
        assert prices.step_cents(name) == Decimal(step) * 100
        assert prices.format_cents(prices.task_cents(10, name)) == ten
        assert prices.format_cents(prices.task_cents(75, name)) == most


def test_every_model_with_a_price_has_a_row():
    """A model without a price is in the last one."""
    listed = {name for row in ROWS for name in _models(row[0])}

    assert set(map(str, prices.STEP_CENTS)) <= listed


@pytest.fixture
def browser_use_server_options():
    """A task that fails, and one that does not end."""
    scenarios = {
        "Fail": Scenario(outcome="failed", steps=["a", "b"], step_seconds=0),
        "Hang": Scenario(hangs=True, steps=["a", "b"], step_seconds=0),
    }
    return {"executor": ScriptedExecutor(scenarios)}


@pytest.mark.parametrize("text", ["Fail", "Hang"])
async def test_failed_and_stopped_tasks_cost_their_steps(
    text, browser_use_session, browser_use_server
):
    """Stopping refunds nothing."""
    handle = await browser_use_session.submit(text)
    if text == "Hang":
        async for step in handle.stream_steps():
            if step.step == 2:
                break
        await handle.stop()
    task = await handle.wait()

    (record,) = browser_use_server.store.tasks
    assert task.status == {"Fail": "failed", "Hang": "stopped"}[text]
    assert record.cost_cents == prices.task_cents(len(task.steps)) > prices.TASK_START_CENTS
