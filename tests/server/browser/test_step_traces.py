"""The trace of a step in the browser: addresses, errors, requests, times."""

import asyncio
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from browser_use_async.server import LocalServer
from browser_use_async.server.records import FailedRequest, Step, StepTrace
from tests.server.calling import Caller
from tests.server.steering import FromQueue

_PAGE = """<title>Shop</title><p>Shop</p><img src="/missing.png">
<script>
  console.error("The price is missing");
  console.log("not an error");
  console.error("y".repeat(293) + new URLSearchParams(location.search).get("pin"));
  setTimeout(() => { throw new Error("out of stock"); });
  fetch("/refused").catch(() => 0);
</script>"""
_FLOOD = """<title>Flood</title><p>Flood</p><script>
  for (let n = 0; n < 5000; n++) console.error("again " + "x".repeat(500) + n);
</script>"""


@pytest.fixture
async def broken_site():
    """A site whose pages have errors."""

    def page(text: str):
        async def answer(_: web.Request) -> web.Response:
            return web.Response(text=text, content_type="text/html")

        return answer

    async def refused(request: web.Request) -> web.Response:
        assert request.transport is not None
        request.transport.close()
        return web.Response()

    application = web.Application()
    application.router.add_get("/", page(_PAGE))
    application.router.add_get("/flood", page(_FLOOD))
    application.router.add_get("/refused", refused)
    async with TestServer(application) as server:
        yield str(server.make_url("/")).rstrip("/")


@pytest.fixture
def server_options(chromium):
    """A server whose tasks run in a browser."""
    return {"executor": chromium}


async def _traces(caller: Caller, task_id: str) -> list[dict[str, Any]]:
    count = len((await caller.task(task_id))["steps"])
    place = f"{caller.server.url}/admin/overview/{task_id}/steps"
    return [(await caller.get(f"{place}/{number + 1}")).json["trace"] for number in range(count)]


async def test_errors_and_failed_requests_are_noted(caller, broken_site):
    """In their step, with the address and the duration."""
    task = f"Open {broken_site}/?pin=s3cret-pin and tell me its title"
    task_id = await caller.create(task, secrets={"pin": "s3cret-pin"})
    await caller.reached(task_id, "finished")
    traces = await _traces(caller, task_id)
    steps = (await caller.get(f"{caller.server.url}/admin/overview/{task_id}")).json["steps_more"]
    noted = [error for trace in traces for error in trace["console"]]
    failed = [(each["url"], each["problem"]) for trace in traces for each in trace["failed"]]

    assert traces[0]["addresses"] == [f"200 {broken_site}/?pin=***"]
    assert "The price is missing" in noted
    assert any("Uncaught out of stock" in each for each in noted)
    assert not any("not an error" in each or "load resource" in each for each in noted)
    assert (f"{broken_site}/missing.png", "status 404") in failed
    assert any(url == f"{broken_site}/refused" for url, _ in failed)
    assert traces[0]["requests"] >= 3
    assert traces[0]["seconds"] > 0
    assert sum(each["problems"] for each in steps) >= 4
    # Masked before it is cut: a half secret would not be found.
    assert "y" * 293 + "***" in noted
    assert "s3cr" not in str(traces)


async def test_the_step_that_failed_has_its_trace(caller, broken_site):
    """It is the step for which people look."""
    task_id = await caller.create(f"Open {broken_site}/nothing")
    await caller.reached(task_id, "failed")
    trace = (await _traces(caller, task_id))[-1]

    assert trace["addresses"] == [f"404 {broken_site}/nothing"]


async def test_a_flood_of_errors_is_bounded(caller, broken_site):
    """A page with thousands of them costs a few kilobytes."""
    task_id = await caller.create(f"Open {broken_site}/flood and tell me its title")
    async with asyncio.timeout(60):
        await caller.reached(task_id, "finished")
    trace = (await _traces(caller, task_id))[0]

    assert len(trace["console"]) == 20
    assert max(map(len, trace["console"])) <= 300
    assert trace["omitted"] > 0


async def test_a_trace_is_for_its_owner_alone(http):
    """A step without a trace has null; another owner's task and an unknown step are not found."""
    executor = FromQueue(
        Step(
            "Look", trace=StepTrace(seconds=1.5, failed=[FailedRequest("GET", "a", "b s3cret-1")])
        ),
        Step("Look again"),
    )
    async with LocalServer(executor=executor) as server:
        caller = Caller(server, http)
        task_id = await caller.create(secrets={"pin": "s3cret-1"})
        await caller.reached(task_id, "running", steps=2)
        place = f"{server.url}/admin/overview/{task_id}/steps"
        known, unknown, missing = [await caller.get(f"{place}/{each}") for each in (1, 2, 3)]
        other = await caller.with_new_key("other")
        foreign = await other.get(f"{place}/1")

    assert known.json["trace"]["failed"] == [{"method": "GET", "url": "a", "problem": "b ***"}]
    assert unknown.json == {"trace": None}
    assert (missing.status, foreign.status) == (404, 404)
    assert "2 steps" in missing.json["detail"]
