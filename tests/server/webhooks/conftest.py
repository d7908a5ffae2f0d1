"""A receiver for each test, and a server that the test controls and that sends it all events."""

import pytest

from browser_use_async.server import LocalServer, Webhook
from tests.server.calling import Caller
from tests.server.webhooks.receiver import SECRET


@pytest.fixture
async def notified(http, queue, receiver):
    """A server whose tasks do what the test puts into `queue`, with a webhook."""
    webhooks = [Webhook(receiver.url + "/hook?token=canary-token", SECRET)]
    async with LocalServer(
        executor=queue, webhooks=webhooks, webhook_retry_pauses=[0.01] * 5
    ) as server:
        yield Caller(server, http)
