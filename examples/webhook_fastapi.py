"""Receive webhooks in a FastAPI application that keeps the state of orders.

    pip install fastapi uvicorn
    python examples/webhook_fastapi.py

For a try, the bundled server calls it, also for failed tasks. To serve another server:

    BROWSER_USE_WEBHOOK_SECRET=... uvicorn webhook_fastapi:app --app-dir examples

behind HTTPS, at /webhooks/browser-use. If it sends no `failed`, use `order_and_wait`.
"""

import asyncio
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import uvicorn
from fastapi import FastAPI

from browser_use_async import BrowserUseSession, webhooks
from browser_use_async.server import LocalServer, Webhook
from browser_use_async.testing import Scenario, ScriptedExecutor

SECRET = os.environ.get("BROWSER_USE_WEBHOOK_SECRET", "any text will do to try it")
ENDS = {"finished", "stopped", "failed"}
receiver = webhooks.WebhookReceiver(SECRET, path="/webhooks/browser-use")
orders: dict[str, str] = {}  # in place of a database


@receiver.on(webhooks.TaskStatusUpdate)
async def note(update: webhooks.TaskStatusUpdate) -> None:
    """Runs after the sender has its answer."""
    mark(update.metadata["order"], str(update.status))


def mark(order: str, status: str) -> None:
    """Keep the final status: events may arrive twice and out of order."""
    print(f"order {order}: {status}")
    if orders.get(order) not in ENDS:
        orders[order] = status


async def order_and_wait(session: BrowserUseSession, order: str, task: str) -> None:
    """Mark an order without any event; after a restart the same key finds the same task."""
    handle = await session.submit(task, key=f"order/{order}", metadata={"order": order})
    mark(order, str((await handle.wait()).status))


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncGenerator[None, None]:
    """Close the receiver with the app: the app does not report its own end to a mounted app."""
    yield
    await receiver.aclose()


app = FastAPI(title="Orders", lifespan=lifespan)
app.mount("/webhooks", receiver.asgi)


@app.get("/orders/{order}")
async def show(order: str) -> dict[str, str | None]:
    """Show the status of an order."""
    return {"order": order, "status": orders.get(order)}


async def main() -> None:
    """Serve the app, and let the bundled server send it the events of tasks."""
    serving = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning"))
    work = asyncio.create_task(serving.serve())
    while not serving.started:  # noqa: ASYNC110 - uvicorn has no event for it
        await asyncio.sleep(0.01)
    url = f"http://127.0.0.1:{serving.servers[0].sockets[0].getsockname()[1]}/webhooks/browser-use"
    webhook = Webhook(url, SECRET, events=["started", *ENDS])
    tasks = ScriptedExecutor({"gold": Scenario(outcome="failed", reason="sold out")})
    async with (
        LocalServer(executor=tasks, webhooks=[webhook]) as server,
        BrowserUseSession(server.api_key, base_url=server.base_url) as session,
    ):
        bell = await session.submit("Order a bell", metadata={"order": "4711"})
        gold = await session.submit("Order a bell of gold", metadata={"order": "4712"})
        await order_and_wait(session, "4713", "Order another bell of gold")
        await asyncio.gather(bell.wait(), gold.wait())  # closing sends the last events
    serving.should_exit = True
    await work
    print("GET /orders/... would answer", *[await show(order) for order in sorted(orders)])


if __name__ == "__main__":
    asyncio.run(main())
