"""The bundled server calls, a program's own endpoint verifies, and the session is woken."""

import asyncio

import attrs
import pytest

from browser_use_async import BrowserUseSession, PollPolicy, TaskStatus, webhooks
from browser_use_async.server import Fault, LocalServer, Webhook
from browser_use_async.server.executors.scripted import Scenario, ScriptedExecutor
from tests.support.patience import PATIENCE, until
from tests.support.webhook_servers import in_aiohttp

SECRET = "whsec_of_the_endpoint"


@attrs.frozen
class Endpoint:
    """A program's own endpoint.

    Attributes:
        url: Where it is.
        receiver: The receiver behind it.
        events: The events that it got.
    """

    url: str
    receiver: webhooks.WebhookReceiver
    events: list[webhooks.Event]


@pytest.fixture
async def endpoint(nothing_leaks):
    """An endpoint that listens."""
    events: list[webhooks.Event] = []
    receiver = webhooks.WebhookReceiver(SECRET, on_event=events.append)
    async with receiver, in_aiohttp(receiver) as url:
        yield Endpoint(url, receiver, events)


async def test_a_lost_answer_is_made_good_by_a_webhook(endpoint):
    """No answer, a list that shows nothing, each event twice: one task, found at once."""
    faults = [
        Fault("lost_reply", "run_task", calls=1),
        Fault("list_lag", seconds=300),
        Fault("duplicate_webhook"),
    ]
    poll = PollPolicy(interval=20, latency_target=60)  # the events end this test early
    async with (
        LocalServer(
            executor="scripted", webhooks=[Webhook(endpoint.url, SECRET)], faults=faults
        ) as server,
        BrowserUseSession(server.api_key, base_url=server.base_url, poll=poll) as session,
    ):
        session.attach(endpoint.receiver)

        task = await session.run_and_wait("Buy milk", metadata={"order": "7"})

        assert task.status is TaskStatus.FINISHED
        assert task.metadata == {"order": "7"}
        assert server.tasks_created == 1
        assert server.faults_fired["lost_reply run_task"] == 1
        await until(lambda: server.faults_fired["duplicate_webhook"] >= 2)
        await until(lambda: endpoint.receiver.metrics.duplicates.total() >= 2)

    updates = [each for each in endpoint.events if isinstance(each, webhooks.TaskStatusUpdate)]
    assert isinstance(endpoint.events[0], webhooks.TestEvent)
    assert [str(each.status) for each in updates][:2] == ["initializing", "started"]
    assert {tuple(each.metadata.items()) for each in updates} == {(("order", "7"),)}


@pytest.mark.long
async def test_a_hundred_waits_are_woken(endpoint):
    """Over real sockets each end costs its confirming get, and hardly any other request."""
    poll = PollPolicy(interval=60, latency_target=60)
    executor = ScriptedExecutor(default=Scenario(steps=["Look"], step_seconds=0.5))
    async with (
        LocalServer(executor=executor, webhooks=[Webhook(endpoint.url, SECRET)]) as server,
        BrowserUseSession(server.api_key, base_url=server.base_url, poll=poll) as session,
    ):
        session.attach(endpoint.receiver)
        async with asyncio.timeout(PATIENCE):  # sooner than any poll
            done = await asyncio.gather(*(session.run_and_wait(f"Task {n}") for n in range(100)))
        routes = ("get_task", "get_task_status", "list_tasks")
        asked = {name: server.requests[name] for name in routes}

    assert {task.status for task in done} == {TaskStatus.FINISHED}
    assert sum(asked.values()) <= 120
