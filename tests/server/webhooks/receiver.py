"""A receiver on a real socket that records every call."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import attrs
from aiohttp import web
from multidict import CIMultiDictProxy

from browser_use_async.server.storage import Database
from browser_use_async.server.storage.outbox import Outbox
from browser_use_async.server.storage.secret_documents import Secrets
from browser_use_async.server.storage.webhooks import WebhookRegistry
from browser_use_async.webhooks.signature import SIGNATURE_HEADER, TIMESTAMP_HEADER, sign
from tests.support.patience import until

__all__ = ["SECRET", "Call", "Receiver", "outbox_of", "receiving"]

SECRET = "canary-of-a-webhook-secret"


@attrs.frozen
class Call:
    """One call, unchanged."""

    body: bytes
    timestamp: str
    signature: str

    @property
    def event(self) -> Any:
        """The parsed body."""
        return json.loads(self.body)

    @property
    def status(self) -> str:
        """The task's status, or `test`."""
        return str(self.event["payload"].get("status", "test"))

    @property
    def is_genuine(self) -> bool:
        """Whether the signature is right."""
        return self.signature == sign(self.body, self.timestamp, SECRET)


class Receiver:
    """The calls, and the answers to them."""

    def __init__(self, url: str = "") -> None:
        self.url = url
        self.calls: list[Call] = []
        self.requests: list[tuple[bytes, CIMultiDictProxy[str]]] = []  # bodies and headers
        self.answer: Callable[[Call], int] = lambda _: 200
        self.headers: dict[str, str] = {}
        self.body = b""
        self.gate = asyncio.Event()
        self.gate.set()

    @property
    def statuses(self) -> list[str]:
        """The statuses of the calls, in the order in which they came."""
        return [call.status for call in self.calls]

    async def handle(self, request: web.Request) -> web.Response:
        """Record a call."""
        headers = request.headers
        call = Call(await request.read(), headers[TIMESTAMP_HEADER], headers[SIGNATURE_HEADER])
        self.calls.append(call)
        self.requests.append((call.body, request.headers))
        await self.gate.wait()
        status = self.answer(call)
        headers = {"Location": f"{self.url}/elsewhere", **self.headers}
        return web.Response(status=status, headers=headers, body=self.body)

    async def has(self, count: int) -> None:
        """Wait for this many calls."""
        await until(lambda: len(self.calls) >= count)


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    """A receiver that listens."""
    receiver = Receiver()
    application = web.Application()
    application.router.add_post("/{tail:.*}", receiver.handle)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield receiver
    finally:
        await runner.cleanup()


def outbox_of(database: Database) -> Outbox:
    """The outbox of a database without webhooks."""
    registry = WebhookRegistry(database, Secrets(database))
    return Outbox(database, registry, lambda: datetime.now(UTC))
