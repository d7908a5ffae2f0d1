"""The connection breaks at every single byte, in both possible ways."""

import pytest

from browser_use_async.api import endpoint_table as table
from browser_use_async.transport.client import Transport
from browser_use_async.transport.config import Configuration
from browser_use_async.transport.connection_pool import PoolOptions
from browser_use_async.transport.request import prepare
from browser_use_async.transport.response import OutcomeKind
from browser_use_async.types import RunTaskRequest
from browser_use_async.types.secrets import Secret
from tests.support.bench import FAST
from tests.support.hygiene import KEY
from tests.support.wire import Connection, response

ANSWER = response(200, '{"id":"t-1"}', [("Date", "Sat, 01 Nov 2025 10:48:01 GMT")])


class Cutter:
    """Breaks each connection at a chosen place, and knows whether the task was created.

    Attributes:
        request_bytes: How much of the request is read; None for all of it.
        answer_bytes: How much of the answer is sent.
        rudely: Whether the connection ends with RST instead of FIN.
        created: Whether the whole request was read, upon which a service would act.
    """

    request_bytes: int | None = None
    answer_bytes = 0
    rudely = False
    created = False

    async def __call__(self, connection: Connection) -> None:
        """Handle one connection."""
        if self.request_bytes is None:
            await connection.read_request()
            self.created = True
            connection.send(ANSWER[: self.answer_bytes])
        else:
            await connection.read(self.request_bytes)
        if self.rudely:
            connection.reset()
        else:
            connection.finish()


@pytest.mark.parametrize("rudely", [False, True], ids=["FIN", "RST"])
async def test_no_cut_is_misjudged(serve, *, rudely):
    """A created task is never "not sent", a missing one never "accepted", with one POST each."""
    cutter = Cutter()
    server = await serve(cutter)
    configuration = Configuration.resolve(Secret(KEY), server.url, 5.0, allow_insecure_http=False)
    transport = Transport(configuration, retry=FAST, options=PoolOptions())
    prepared = prepare(table.RUN_TASK, None, RunTaskRequest("Buy milk"))
    cutter.answer_bytes = len(ANSWER)
    await transport.perform(prepared)
    whole_request = len(server.connections[0].received)
    cutter.rudely = rudely
    cuts = [(count, 0) for count in range(whole_request)]
    cuts += [(None, count) for count in range(len(ANSWER) + 1)]
    wrong = []

    for request_bytes, answer_bytes in cuts:
        cutter.request_bytes, cutter.answer_bytes = request_bytes, answer_bytes
        cutter.created = False
        server.connections.clear()
        prepared.attempts = 0
        outcome = await transport.perform(prepared)
        if (
            (outcome.kind is OutcomeKind.NOT_SENT and cutter.created)
            or (outcome.kind is OutcomeKind.ACCEPTED and answer_bytes < len(ANSWER))
            or (outcome.kind is OutcomeKind.REJECTED)
            or (prepared.attempts, len(server.connections)) != (1, 1)
        ):
            wrong.append((request_bytes, answer_bytes, outcome.kind))

    await transport.aclose()
    assert not wrong
