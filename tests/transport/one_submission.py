"""One submission on the wire, and the transport's classification of it."""

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
from tests.support.wire import Connection, Script

__all__ = ["TEN_PAIRS", "finishing", "kind_of"]

TEN_PAIRS = {f"pair-{number}": "x" for number in range(10)}
"""Metadata that leave no room for a mark, so that no task is looked for."""


def finishing(data: bytes, *, rudely: bool = False) -> Script:
    """A script that sends something after the whole request, then ends the connection.

    Args:
        data: What to send.
        rudely: Whether the connection ends with RST instead of FIN.
    """

    async def script(connection: Connection) -> None:
        await connection.read_request()
        connection.send(data)
        if rudely:
            connection.reset()

    return script


async def kind_of(url: str) -> OutcomeKind:
    """The transport's classification of one submission.

    Args:
        url: The base URL.
    """
    configuration = Configuration.resolve(Secret(KEY), url, 20.0, allow_insecure_http=False)
    transport = Transport(configuration, retry=FAST, options=PoolOptions())
    prepared = prepare(table.RUN_TASK, None, RunTaskRequest("Buy milk"))
    try:
        outcome = await transport.perform(prepared)
    finally:
        await transport.aclose()
    return outcome.kind
