"""Errors of the hosted service: the task ends with their message, or waits."""

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from browser_use_async.errors import ConfigurationError
from browser_use_async.server import CloudModel, CloudSettings, LocalServer
from browser_use_async.types import Task
from tests.server.remote.conftest import Door, Opens
from tests.support.hosted.service import KEY, Course, Fault, HostedService
from tests.support.hosted.v4 import HostedV4
from tests.support.patience import until

_PAID = "POST /runs"


async def _failed(door: Door, text: str = "Buy milk") -> str:
    task: Task = await (await door.session.submit(text)).wait()
    assert task.status == "failed"
    return task.steps[-1].evaluation_previous_goal


async def test_a_wrong_key(hosted: HostedService, opens: Opens) -> None:
    """The reason names the owner of the key, and shows no key."""
    async with opens(hosted, api_key="bu_of_somebody_else") as door:
        reason = await _failed(door)

    assert "does not take the key of this server (401); the service says: Invalid API key" in reason
    assert "bu_of_somebody_else" not in reason


@pytest.mark.parametrize(
    ("status", "detail", "words"),
    [
        (402, {"code": "api_key_monthly_spend_limit_reached", "cap": 5, "spent": 5}, "monthly"),
        (402, "Not\nenough\x07 credits " + KEY, "Not enough credits ***"),
        (403, "Zero Data Retention is enabled", "Zero Data Retention is enabled"),
        (404, "x" * 5000, "xxx…"),
        (409, None, "null"),
    ],
)
async def test_a_refusal_of_the_paid_call(
    hosted: HostedService, opens: Opens, status: int, detail: Any, words: str
) -> None:
    """Its message is the reason: in one line, bounded, without the key; nothing stays open."""
    hosted.faults += [Fault(_PAID, status, {"detail": detail})]
    async with opens(hosted) as door:
        reason = await _failed(door)
        await until(lambda: hosted.at_work == 0)

    assert f"({status})" in reason
    assert words in reason
    assert KEY not in reason
    assert len(reason) < 700


@pytest.mark.parametrize(("status", "words"), [(402, "Insufficient credits"), (403, "Your plan")])
async def test_a_refusal_of_the_first_call(
    hosted: HostedService, opens: Opens, status: int, words: str
) -> None:
    """The empty workspace is refused already: nothing is paid, and the message is passed on."""
    operation = "POST /workspaces"
    hosted.faults += [Fault(operation, status, {"detail": words})]
    async with opens(hosted) as door:
        reason = await _failed(door)

    assert f"({status})" in reason
    assert f"the service says: {words}" in reason
    assert not hosted.paid


@pytest.mark.long
async def test_no_free_place_there(hosted: HostedService, opens: Opens) -> None:
    """A task waits as `created`, while reads go on, and begins when another one has ended."""
    hosted.concurrency = 1
    async with opens(hosted) as door:
        first = await door.session.submit("Wait 30 seconds")
        await until(lambda: hosted.at_work == 1)
        second = await door.session.submit("Buy milk")
        create = "POST /runs"
        await until(lambda: hosted.calls[create] >= 2)

        assert await door.session.tasks.get_status(second.id) == "created"
        await first.stop()
        task = await second.wait()
    assert task.status == "finished"
    assert hosted.paid["Buy milk"] == 1


@pytest.mark.long
async def test_a_requested_pause_delays_all_calls(hosted: HostedService, opens: Opens) -> None:
    """A 429 with Retry-After: no call is sent until then, and none is lost."""
    slow = Fault(_PAID, 429, {"error": "rate_limited"}, {"Retry-After": "2"})
    hosted.faults += [slow]
    async with opens(hosted) as door:
        handle = await door.session.submit("Buy milk")
        await until(lambda: slow.times == 0)
        paused_at, calls = asyncio.get_running_loop().time(), hosted.calls.total()
        other = await door.session.submit("Buy eggs")
        await until(lambda: hosted.calls.total() > calls)
        waited = asyncio.get_running_loop().time() - paused_at
        ended = [await handle.wait(), await other.wait()]

    assert waited > 1.5
    assert [each.status for each in ended] == ["finished", "finished"]


@pytest.mark.long
async def test_too_many_requests_at_once(hosted: HostedService, opens: Opens) -> None:
    """A 429 without Retry-After to a call that needs no slot: all wait for the usual 5 seconds."""
    path = "/runs/{run_id}/status"
    busy = Fault(f"GET {path}", 429, {"detail": "Too many concurrent requests"})
    hosted.faults += [busy]
    async with opens(hosted) as door:
        handle = await door.session.submit("Buy milk")
        await until(lambda: busy.times == 0)
        paused_at, calls = asyncio.get_running_loop().time(), hosted.calls.total()
        await until(lambda: hosted.calls.total() > calls)
        waited = asyncio.get_running_loop().time() - paused_at
        task = await handle.wait()

    assert waited > 4.0
    assert task.output == "Done there."


@pytest.mark.long
@pytest.mark.parametrize("fault", [-1, 500, 503])
async def test_an_outage_is_waited_for(hosted: HostedService, opens: Opens, fault: int) -> None:
    """Polls without an answer end no task."""
    path = "/runs/{run_id}/events"
    hosted.faults += [Fault(f"GET {path}", fault, "down", times=2)]
    async with opens(hosted) as door:
        task = await door.session.run_and_wait("Buy milk")

    assert task.output == "Done there."


async def test_an_unknown_status_ends_no_task(hosted: HostedService, opens: Opens) -> None:
    """The task goes on until a known end."""
    path = "/runs/{run_id}/status"
    body = {"status": "reflecting", "id": "x", "output": None, "cost": None}
    hosted.faults += [Fault(f"GET {path}", 200, body, times=2)]
    hosted.courses["milk"] = Course(looks=12)
    async with opens(hosted) as door:
        task = await door.session.run_and_wait("Buy milk")

    assert task.output == "Done there."
    assert hosted.faults[0].times == 0


async def test_unknown_events_end_no_task(hosted: HostedV4, opens: Opens) -> None:
    """For any name and content; the next events are read from behind them."""
    kinds = ("run.rethought", "browser.exploded", "x", "agent.thought")
    data: list[dict[str, Any]] = [{}, {"live_view_url": 7}, {"text": None}, {"text": ["a"]}]
    events = [
        {"runId": "x", "id": number, "ts": "x", "type": kind, "data": each}
        for number, (kind, each) in enumerate(zip(kinds, data, strict=True))
    ]
    page = {"events": events, "hasMore": False, "nextAfter": None}
    hosted.faults += [Fault("GET /runs/{run_id}/events", 200, page)]
    async with opens(hosted) as door:
        task = await door.session.run_and_wait("Buy milk")

    assert task.output == "Done there."


async def test_a_failure_there(hosted: HostedService, opens: Opens) -> None:
    """It fails here with the service's message; its recording is kept."""
    hosted.courses["milk"] = Course(outcome="failed", reason="The shop is closed")
    async with opens(hosted) as door:
        reason = await _failed(door)
        task = (await door.session.tasks.list()).tasks[0]
        media = await door.session.tasks.get_media(task.id)

    assert "failed on the hosted service; the service says: The shop is closed" in reason
    assert len(media.recordings or ()) == 1


async def test_a_task_that_is_stopped_there(hosted: HostedService, opens: Opens) -> None:
    """At the dashboard, for example: it fails here, and the reason says so."""
    async with opens(hosted) as door:
        handle = await door.session.submit("Wait 30 seconds")
        await until(lambda: hosted.at_work == 1 and hosted.paid)
        hosted.cancel(next(iter(hosted.runs)))
        task = await handle.wait()

    assert "was stopped on the hosted service" in task.steps[-1].evaluation_previous_goal


async def test_an_odd_answer(hosted: HostedService, opens: Opens) -> None:
    """An answer without a required field fails the task, which is stopped there."""
    path = "/runs/{run_id}/events"
    hosted.faults += [Fault(f"GET {path}", 200, {"events": [{}]})]
    async with opens(hosted) as door:
        reason = await _failed(door, "Wait 30 seconds")
        await until(lambda: hosted.at_work == 0)

    assert "answered in an unknown form" in reason


@pytest.mark.parametrize(
    ("end", "words", "said"),
    [
        ("failed", "The budget is spent", "failed on the hosted service; the service says: The "),
        ("cancelled", "The budget is spent", "because of an error; the service says: The budget"),
        ("cancelled", None, "was stopped on the hosted service"),
    ],
)
async def test_a_task_that_reaches_its_cost_limit(
    hosted: HostedV4, opens: Opens, end: str, words: str | None, said: str
) -> None:
    """The service ends it, with or without a message: the reason has the limit, too."""
    hosted.courses["milk"] = Course(looks=-1, cost="5.00")
    hosted.end_at_bound, hosted.words_at_bound = end, words
    async with opens(hosted, max_cost_usd=Decimal("0.50")) as door:
        reason = await _failed(door)
        finished = await door.session.run_and_wait("Buy eggs")

        # Both tasks, and for each its proxy and its browser, in US cents.
        assert door.server.balance_cents == 100 - (50 + Decimal("3.4") + 2 * Decimal("0.7"))
    assert said in reason
    assert "It has cost 0.507 US dollars; --cloud-max-cost-usd allows 0.50" in reason
    assert finished.output == "Done there."
    assert [each["maxCostUsd"] for each in hosted.bodies["POST /runs"]] == [0.5, 0.5]
    assert hosted.at_work == 0


async def test_a_failure_below_the_bound(hosted: HostedV4, opens: Opens) -> None:
    """The limit is not in the reason of an unrelated failure."""
    hosted.courses["milk"] = Course(outcome="failed", reason="The shop is closed")
    async with opens(hosted, max_cost_usd=1) as door:
        reason = await _failed(door)

    assert "The shop is closed" in reason
    assert "max-cost" not in reason


async def test_a_cost_that_is_none(hosted: HostedService, opens: Opens) -> None:
    """An impossible cost is not charged, and the task ends well."""
    hosted.courses["milk"] = Course(cost="9" * 40)
    async with opens(hosted) as door:
        task = await door.session.run_and_wait("Buy milk")

        assert door.server.balance_cents > 90
    assert task.output == "Done there."


@pytest.mark.long
async def test_a_task_that_vanishes(hosted: HostedService, opens: Opens) -> None:
    """It fails after the seconds in which a new task may be unknown."""
    async with opens(hosted) as door:
        handle = await door.session.submit("Wait 30 seconds")
        await until(lambda: hosted.at_work == 1 and hosted.paid)
        hosted.runs.clear()
        task = await handle.wait()

    assert "refused it (404)" in task.steps[-1].evaluation_previous_goal


@pytest.mark.parametrize("dollars", [0, -1, float("nan"), float("inf"), Decimal("1e-999"), True])
def test_a_bound_that_is_no_cost(dollars: Decimal | float) -> None:
    """It is refused before the server starts."""
    with pytest.raises(ConfigurationError, match="US dollars greater than 0"):
        LocalServer(executor="cloud-v4", cloud=CloudSettings("key", max_cost_usd=dollars))


@pytest.mark.parametrize(
    "params", [{"effort": float("nan")}, {"effort": b"high"}], ids=["not a number", "bytes"]
)
def test_parameters_that_cannot_be_sent(params: dict[str, Any]) -> None:
    """They are refused before the server starts, and the model is named."""
    with pytest.raises(ConfigurationError, match=r"gpt-5.6 .* cannot be sent as JSON"):
        CloudSettings("key", models={"*": CloudModel("gpt-5.6", params)})


def test_a_server_without_what_it_needs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without a key or a usable address, or with a key in clear text, it does not start."""
    monkeypatch.delenv("BROWSER_USE_CLOUD_KEY", raising=False)
    given: tuple[tuple[dict[str, Any], str], ...] = (
        ({}, "BROWSER_USE_CLOUD_KEY"),
        ({"api_key": "key", "base_url": "ftp://host"}, "https://host"),
        ({"api_key": "key", "base_url": "http://proxy.example"}, "https only"),
        ({"api_key": "key", "concurrency": 0}, "from 1"),
    )
    for fields, words in given:
        with pytest.raises(ConfigurationError, match=words):
            LocalServer(executor="cloud-v4", cloud=CloudSettings(**fields))
    assert "key" not in repr(CloudSettings("key"))
