"""The routes for load balancers and monitoring systems: /healthz and /metrics."""

import asyncio
import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import pytest
from aiohttp import web
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as parse_openmetrics,
)
from prometheus_client.parser import text_string_to_metric_families

from browser_use_async.server import ChromiumSettings, LocalServer, Webhook
from browser_use_async.server.app.metrics import MOST_OWNERS, OTHER_OWNERS, health_response
from browser_use_async.server.loops import Loops
from browser_use_async.server.records import Failed, Finished
from browser_use_async.server.secrets.encryption import KEY_VARIABLE
from browser_use_async.server.storage import SqliteDatabase
from tests.server.calling import Caller
from tests.server.steering import FromQueue
from tests.server.test_access import BEHIND, reachable
from tests.server.webhooks.receiver import SECRET, receiving
from tests.support.patience import PATIENCE, until
from tests.support.tcp_proxy import TcpProxy

Values = Mapping[tuple[str, ...], float]


async def _scraped(caller: Caller) -> Values:
    """The metrics of a server: the values by the name and the values of the labels."""
    answer = await caller.get(f"{caller.server.url}/metrics")
    assert answer.status == 200, answer.text
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    return {
        (sample.name.removeprefix("browser_use_"), *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


async def test_a_healthy_server_says_so_without_a_key(caller):
    """It answers without a key, and without details."""
    answer = await caller.get(f"{caller.server.url}/healthz", key=False)

    assert (answer.status, answer.json) == (200, {"status": "ok"})


async def test_a_server_whose_database_does_not_answer_is_not_healthy(http, tmp_path):
    """A load balancer gets a 503 without the reason."""
    database = SqliteDatabase(tmp_path / "server.db")
    database.close()

    async def health(request: web.Request) -> web.Response:
        return await health_response(database, Loops())

    application = web.Application()
    application.router.add_get("/healthz", health)
    serving = web.AppRunner(application)
    await serving.setup()
    try:
        site = web.TCPSite(serving, "127.0.0.1", 0)
        await site.start()
        host, port = serving.addresses[0][:2]
        async with http.get(f"http://{host}:{port}/healthz") as answer:
            assert answer.status == 503
            assert await answer.json() == {"status": "unavailable"}
    finally:
        await serving.cleanup()


async def test_tasks_are_counted_as_they_go_on(steered, queue):
    """Tasks in progress, and all that were created, ended and charged."""
    task = await steered.create()
    queue.step("Open it")
    await steered.reached(task, "running", steps=1)
    at_work = await _scraped(steered)
    await steered.ask("PUT", f"/pause-task?task_id={task}")
    paused = await _scraped(steered)
    await steered.ask("PUT", f"/resume-task?task_id={task}")
    queue.items.put_nowait(Finished("It"))
    await steered.reached(task, "finished")
    ended = await _scraped(steered)

    assert (at_work["tasks_running",], at_work["tasks_paused",], at_work["steps_total",]) == (
        1,
        0,
        1,
    )
    assert (paused["tasks_running",], paused["tasks_paused",]) == (0, 1)
    assert (ended["tasks_running",], ended["tasks_created_total",]) == (0, 1)
    assert ended["tasks_ended_total", "finished"] == 1
    assert ended["tasks_ended_total", "failed"] == 0


async def test_tasks_that_nothing_has_begun_are_queued(http):
    """With the age of the oldest, besides the slots: the signal for more machines."""

    class FewBrowsers(FromQueue):
        reports_start = True
        capacity = 2

    now = datetime(2026, 5, 1, tzinfo=UTC)
    async with LocalServer(executor=FewBrowsers(), now=lambda: now) as server:
        caller = Caller(server, http)
        empty = await _scraped(caller)
        for _ in range(3):
            await caller.create()
            now += timedelta(seconds=10)
        full = await _scraped(caller)

    assert (empty["tasks_queued",], empty["tasks_oldest_queued_seconds",]) == (0, 0)
    assert (empty["slots",], empty["slots_free",]) == (2, 2)
    assert (full["tasks_queued",], full["tasks_oldest_queued_seconds",]) == (3, 30)
    assert (full["slots",], full["slots_free",]) == (2, 0)


async def test_failures_are_counted_by_kind(caller, tmp_path, http):
    """The kinds are errors of the executor, the limit of steps, and a restart."""
    await caller.reached(await caller.create(metadata={"scenario": "fails"}), "failed")
    await caller.reached(await caller.create(max_agent_steps=1), "failed")
    failed = await _scraped(caller)
    database = tmp_path / "server.db"
    async with LocalServer(executor=FromQueue(), database=database) as server:
        await Caller(server, http).create()
    async with LocalServer(executor=FromQueue(), database=database) as server:
        restarted = await _scraped(Caller(server, http))

    assert failed["tasks_failed_total", "task"] == 1
    assert failed["tasks_failed_total", "step_limit"] == 1
    assert failed["tasks_ended_total", "failed"] == 2
    assert restarted["tasks_failed_total", "restart"] == 1


async def test_deliveries_are_counted_until_they_arrive_or_are_given_up(http):
    """Events to an unreachable webhook grow old in the metrics, and are given up then."""
    async with receiving() as receiver:
        webhooks = [Webhook(receiver.url, SECRET)]
        async with (
            LocalServer(
                executor="scripted", webhooks=webhooks, webhook_retry_pauses=[60] * 5
            ) as patient,
            LocalServer(
                executor="scripted", webhooks=webhooks, webhook_retry_pauses=[0] * 5
            ) as hasty,
        ):
            receiver.answer = lambda _call: 500
            slow, fast = Caller(patient, http), Caller(hasty, http)
            await slow.create()
            await fast.create()
            await until(lambda: any(each.state == "failed" for each in hasty.deliveries))
            waiting, given_up = await _scraped(slow), await _scraped(fast)

    assert waiting["deliveries_pending",] >= 1
    assert waiting["deliveries_oldest_pending_seconds",] >= 0
    assert waiting["deliveries_failed",] == 0
    assert given_up["deliveries_failed",] >= 1


async def test_money_is_counted_by_owner_and_model(http, tmp_path, queue):
    """In dollars, to the fraction of a cent, as the account has it; spending outlives a restart."""
    database = tmp_path / "server.db"
    async with LocalServer(executor=queue, database=database) as server:
        caller = Caller(server, http)
        shop = await caller.with_new_key("shop")
        task = await shop.create(llm_model="gpt-4.1-mini")
        queue.step("Open it")
        await shop.reached(task, "running", steps=1)
        queue.items.put_nowait(Failed("No such page"))
        await shop.reached(task, "failed", steps=2)
        await caller.create(llm_model="o3")
        counted = await _scraped(caller)
        keys = (await caller.get(f"{server.url}/admin/keys")).json["keys"]
    async with LocalServer(executor=queue, database=database) as server:
        restarted = await _scraped(Caller(server, http))

    assert [each["spent_cents"] for each in keys] == ["2.5"]
    assert counted["task_cost_dollars_total", "gpt-4.1-mini", "shop"] == 0.025
    assert counted["task_cost_dollars_total", "o3", "default"] == 0.01
    assert counted["spent_dollars_total", "shop"] == 0.025
    assert restarted["spent_dollars_total", "shop"] == 0.025
    assert ("task_cost_dollars_total", "gpt-4.1-mini", "shop") not in restarted


async def test_owners_beyond_a_hundred_share_a_series(caller):
    """Nothing is lost of the sum, and an owner keeps its series for as long as the server lives."""
    async with asyncio.TaskGroup() as group:
        for number in range(MOST_OWNERS + 2):
            group.create_task(caller.with_new_key(f"team-{number:03}"))
    later = await caller.with_new_key("a-late-one", scopes=["run", "read"])
    first = await _scraped(caller)
    await later.create()
    second = await _scraped(caller)

    for values in (first, second):
        owners = {labels[0] for name, *labels in values if name == "spent_dollars_total"}
        assert len(owners) == MOST_OWNERS + 1
        assert OTHER_OWNERS in owners
    name = "spent_dollars_total"
    assert sum(second[each] - first[each] for each in second if each[0] == name) > 0


async def test_durations_of_tasks_are_a_histogram(http, queue):
    """By status, from a second to an hour; a task that waited in the queue counts from there."""
    now = datetime(2026, 5, 1, tzinfo=UTC)
    async with LocalServer(executor=queue, now=lambda: now) as server:
        caller = Caller(server, http)
        for seconds in (1, 90, 7200):
            task = await caller.create()
            await caller.reached(task, "running")
            now += timedelta(seconds=seconds)
            queue.items.put_nowait(Finished("It"))
            await caller.reached(task, "finished")
        task = await caller.create()
        now += timedelta(seconds=4)
        await caller.put(f"/stop-task?task_id={task}")
        values = await _scraped(caller)

    name = "task_duration_seconds"
    finished = {
        labels[0]: value
        for (family, *labels), value in values.items()
        if family == f"{name}_bucket" and labels[1] == "finished"
    }
    assert (finished["1.0"], finished["60.0"], finished["120.0"]) == (1, 1, 2)
    assert (finished["3600.0"], finished["+Inf"]) == (2, 3)
    assert (values[f"{name}_sum", "finished"], values[f"{name}_count", "finished"]) == (7291, 3)
    assert values[f"{name}_bucket", "5.0", "stopped"] == 1
    assert values[f"{name}_bucket", "2.5", "stopped"] == 0
    assert values[f"{name}_count", "failed"] == 0


async def test_open_browsers_are_told_by_executors_that_have_some(http):
    """Others have no such metric."""

    class TwoBrowsers(FromQueue):
        open_browsers = 2

    async with (
        LocalServer(executor=TwoBrowsers()) as server,
        LocalServer(executor=FromQueue()) as other,
    ):
        some, none = await _scraped(Caller(server, http)), await _scraped(Caller(other, http))

    assert some["browsers_open",] == 2
    assert ("browsers_open",) not in none


@pytest.mark.long
async def test_servers_of_one_database_report_the_same_queue(postgres, monkeypatch, http):
    """A server for the API alone has no slots; a worker has as many as its setting says."""
    monkeypatch.setenv(KEY_VARIABLE, "a-key-of-the-tests-0123456789")
    shared = {"database": postgres, "api_key": "bu_of-the-tests-of-monitoring"}
    async with LocalServer(executor=FromQueue(), role="api", **shared) as server:
        caller = Caller(server, http)
        await caller.create()
        async with LocalServer(executor=FromQueue(), role="api", **shared) as other:
            queued = [await _scraped(each) for each in (caller, Caller(other, http))]
        browsers = ChromiumSettings(max_browsers=3)
        async with LocalServer(
            executor=FromQueue(), chromium=browsers, drain=0, **shared
        ) as worker:
            taken = Caller(worker, http)
            async with asyncio.timeout(PATIENCE):
                while not (at_work := await _scraped(taken))["tasks_running",]:  # noqa: ASYNC110
                    await asyncio.sleep(0.1)

    assert [each["tasks_queued",] for each in queued] == [1, 1]
    assert [each["slots",] for each in queued] == [0, 0]
    assert (at_work["tasks_queued",], at_work["slots",], at_work["slots_free",]) == (0, 3, 2)


@pytest.mark.long
async def test_a_server_cut_from_its_database_is_not_healthy(postgres, monkeypatch, http):
    """It is healthy again when the database is; each probe is answered in time."""
    monkeypatch.setenv(KEY_VARIABLE, "a-key-of-the-tests-0123456789")
    port = urlsplit(postgres).port or 5432
    async with TcpProxy("127.0.0.1", port) as proxy:
        database = postgres.replace(f":{port}/", f":{proxy.port}/")
        key = "bu_of-the-tests-of-monitoring"
        async with LocalServer(
            executor=FromQueue(), role="api", database=database, api_key=key
        ) as server:
            caller = Caller(server, http)

            async def turns(status: int) -> None:
                async with asyncio.timeout(PATIENCE):
                    while (await caller.get(f"{server.url}/healthz", key=False)).status != status:  # noqa: ASYNC110
                        await asyncio.sleep(0.1)

            await turns(200)
            proxy.hold()
            await turns(503)
            proxy.heal()
            await turns(200)


async def test_requests_are_counted_by_route_and_status(caller):
    """By the name of the route, never by the path, which any client chooses."""
    await caller.create()
    await caller.get("/task/no-such-task")
    await caller.get(f"{caller.server.url}/no/such/page")
    metrics = await _scraped(caller)

    assert metrics["requests_total", "run_task", "200"] == 1
    assert metrics["requests_total", "get_task", "404"] == 1
    assert metrics["requests_total", "unrouted", "404"] == 1


async def test_metrics_are_for_keys_with_the_scope_admin(caller):
    """A monitoring system has a key for nothing else."""
    url = f"{caller.server.url}/metrics"
    reader = await caller.with_new_key("reader", scopes=["read", "run"])
    monitor = await caller.with_new_key("monitor", scopes=["admin"])

    assert (await caller.get(url, key=False)).status == 403
    assert (await reader.get(url)).status == 403
    assert (await monitor.get(url)).status == 200
    assert (await monitor.get("/tasks")).status == 403


async def test_other_machines_read_metrics_behind_a_proxy(http):
    """Everything else of administration is refused there."""
    async with reachable(**BEHIND) as (server, here):
        caller = Caller(server, http)
        proxied = {"X-Forwarded-For": "192.0.2.1"}
        metrics = await caller.get(f"{here}/metrics", headers=proxied)
        faults = await caller.get(f"{here}/admin/faults", headers=proxied)

    assert (metrics.status, faults.status) == (200, 403)


async def test_servers_of_one_program_have_metrics_of_their_own(caller, http):
    """This includes the OpenMetrics format, and the memory of the process."""
    await caller.create()
    async with LocalServer(executor="scripted") as server:
        other = await _scraped(Caller(server, http))
    answer = await caller.get(
        f"{caller.server.url}/metrics",
        headers={"Accept": "application/openmetrics-text; version=1.0.0"},
    )
    families = {family.name: family for family in parse_openmetrics(answer.text)}

    assert other["tasks_created_total",] == 0
    assert families["browser_use_tasks_created"].samples[0].value == 1
    assert families["process_resident_memory_bytes"].samples[0].value > 0


async def test_without_the_package_metrics_say_what_is_missing(caller, monkeypatch):
    """No other part of the server needs the package."""
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    answer = await caller.get(f"{caller.server.url}/metrics")

    assert answer.status == 503
    assert answer.json["detail"].startswith(
        "Telling metrics needs the extra `server` (prometheus_client)"
    )
