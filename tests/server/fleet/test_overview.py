"""The page of the fleet: which servers there are, and how many of their slots are in use."""

from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest

from browser_use_async.server.executors.scripted import Scenario, ScriptedExecutor
from tests.browser.driver import Browser, browser, browser_address
from tests.server.calling import Caller
from tests.server.fleet.conftest import Start, eventually, reached
from tests.server.pages.application import open_page, rows, violations

__all__ = ["browser", "browser_address"]

pytestmark = pytest.mark.timeout(90)


def _hanging() -> ScriptedExecutor:
    return ScriptedExecutor(default=Scenario(steps=("Look",), step_seconds=0, hangs=True))


async def _nodes(api: Caller) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await api.get(f"{api.server.url}/admin/fleet")).json["nodes"]
    return found


async def test_idle_servers_are_shown_with_their_slots(start: Start, browser: Browser):
    """Those that have no address, too; one that leaves tasks to the others says so."""
    api = await start(role="api")
    await start(role="worker", slots=3, executor=_hanging())
    task_id = await api.create("Wait")
    await reached(api, task_id, "running")
    await start(role="worker", slots=7)
    this, *others = await _nodes(api)
    page = await open_page(browser, api, "/fleet")
    shown = await rows(page, "tbody tr")
    found = await violations(page)

    assert (this["is_this"], this["slots"], this["tasks"]) == (True, 0, 0)
    assert sorted((each["slots"], each["tasks"]) for each in others) == [(3, 1), (7, 0)]
    assert not any(each["is_silent"] for each in others)
    assert "leaves tasks to the others" in shown[0]
    assert sorted(" ".join(each.split()[1:5]) for each in shown[1:]) == [
        "at work 1 of",
        "idle 0 of 7",
    ]
    assert found == []
    assert page.complaints == []


async def test_a_server_that_ended_is_not_shown(start: Start, http: aiohttp.ClientSession):
    """It says so; one that was silent for long is shown as such while it has tasks."""
    api = await start(role="api")
    await start(role="worker", executor=_hanging())
    await reached(api, await api.create("Wait"), "running")
    idle = await start(role="worker")
    later = await start(role="api", now=lambda: datetime.now(UTC) + timedelta(minutes=10))
    before, from_later = await _nodes(api), await _nodes(later)
    await idle.server.aclose()

    async def is_gone() -> bool:
        return len(await _nodes(api)) == len(before) - 1

    await eventually(is_gone)

    assert len(before) == 3
    assert [each["is_silent"] for each in from_later] == [False, True]
