"""The bundled server calls, a program's own endpoint verifies, and the session hears of it."""

from collections.abc import AsyncIterator, Callable

import pytest
from aiohttp import web

from browser_use_async import BrowserUseSession, PollPolicy, TaskStatus, errors, webhooks
from browser_use_async.server import Fault, LocalServer, Webhook
from tests.hygiene import nothing_leaks

__all__ = ["nothing_leaks"]

SECRET = "whsec_of_the_endpoint"


class Endpoint:
    """A program's own endpoint.

    Attributes:
        url: Where it is.
        events: What it was told.
    """

    def __init__(self) -> None:
        self.url = ""
        self.events: list[webhooks.Event] = []
        self._hear: list[Callable[[webhooks.Event], None]] = []

    def subscribe(self, hear: Callable[[webhooks.Event], None], /) -> None:
        """Call something with each event."""
        self._hear.append(hear)

    async def answer(self, request: web.Request) -> web.Response:
        """Verify a call and hand its event on."""
        try:
            event = webhooks.unwrap(await request.read(), request.headers, SECRET)
        except errors.WebhookVerificationError as error:
            return web.Response(status=error.status)
        self.events.append(event)
        for hear in self._hear:
            hear(event)
        return web.Response()


@pytest.fixture
async def endpoint(nothing_leaks: None) -> AsyncIterator[Endpoint]:
    """An endpoint that listens."""
    made = Endpoint()
    application = web.Application()
    application.router.add_post("/hook", made.answer)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    yield made
    await runner.cleanup()


@pytest.mark.case("A25")
async def test_a_lost_answer_is_made_good_by_a_webhook(endpoint: Endpoint):
    """A25: no answer, a list that shows nothing, each event twice: one task, found at once."""
    faults = [
        Fault("lost_reply", "run_task", calls=1),
        Fault("list_lag", seconds=300),
        Fault("duplicate_webhook"),
    ]
    poll = PollPolicy(interval=20, latency_target=60)  # what ends this test soon is the events
    async with (
        LocalServer(
            executor="scripted", webhooks=[Webhook(endpoint.url, SECRET)], faults=faults
        ) as server,
        BrowserUseSession(server.api_key, base_url=server.base_url, poll=poll) as session,
    ):
        session.attach(endpoint)

        task = await session.run_and_wait("Buy milk", metadata={"order": "7"})

        assert task.status is TaskStatus.FINISHED
        assert task.metadata == {"order": "7"}
        assert server.tasks_created == 1
        assert server.faults_fired["lost_reply run_task"] == 1
        assert server.faults_fired["duplicate_webhook"] >= 2

    updates = [each for each in endpoint.events if isinstance(each, webhooks.TaskStatusUpdate)]
    assert isinstance(endpoint.events[0], webhooks.TestEvent)
    assert [str(each.status) for each in updates[::2]][:2] == ["initializing", "started"]
    assert {tuple(each.metadata.items()) for each in updates} == {(("order", "7"),)}
