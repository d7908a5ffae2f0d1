"""stripe: a payment intent, with the idempotency key that its client makes for every POST."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import stripe

from benchmarks.peers.peer import Peer

INTENT: Any = {"amount": 1000, "currency": "eur"}


@asynccontextmanager
async def connect(url: str, timeout: float | None) -> AsyncIterator[stripe.StripeClient]:
    # The timeout belongs to the transport. Without one, the client chooses its transport itself.
    transport = None if timeout is None else stripe.HTTPXClient(timeout=timeout)
    yield stripe.StripeClient("sk_test_key", base_addresses={"api": url}, http_client=transport)


async def create(client: stripe.StripeClient) -> str:
    return (await client.v1.payment_intents.create_async(INTENT)).id


async def create_with_retries(client: stripe.StripeClient) -> str:
    options: Any = {"max_network_retries": 2}
    return (await client.v1.payment_intents.create_async(INTENT, options)).id


PEER = Peer(
    "stripe",
    connect,
    {
        "payment_intents.create_async()": create,
        "payment_intents.create_async() with max_network_retries=2": create_with_retries,
    },
)
