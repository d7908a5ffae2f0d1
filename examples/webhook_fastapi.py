"""Receive webhooks in a FastAPI application.

    pip install fastapi uvicorn
    python examples/webhook_fastapi.py

For a try, the bundled server calls it. To serve the hosted service instead:

    BROWSER_USE_WEBHOOK_SECRET=... uvicorn webhook_fastapi:app --app-dir examples

behind an HTTPS address, whose URL ends in /webhooks/browser-use in the dashboard.
"""

import asyncio
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import uvicorn
from fastapi import FastAPI

from browser_use_async import BrowserUseSession, webhooks
from browser_use_async.server import LocalServer, Webhook

SECRET = os.environ.get("BROWSER_USE_WEBHOOK_SECRET", "any text will do to try it")

receiver = webhooks.WebhookReceiver(SECRET, path="/webhooks/browser-use")
last_status: dict[str, str] = {}


@receiver.on(webhooks.TaskStatusUpdate)
async def note(update: webhooks.TaskStatusUpdate) -> None:
    """Runs after the sender has its answer.

    Events may arrive out of order: keep the final status.
    """
    print(f"{update.status}: {update.metadata}")
    if last_status.get(update.task_id) not in {"finished", "stopped"}:
        last_status[update.task_id] = str(update.status)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncGenerator[None, None]:
    """Close the receiver with the app: the app does not report its own end to a mounted app."""
    yield
    await receiver.aclose()


app = FastAPI(title="Orders", lifespan=lifespan)
app.mount("/webhooks", receiver.asgi)


@app.get("/tasks/{task_id}")
async def show(task_id: str) -> dict[str, str | None]:
    """Show what the webhooks reported."""
    return {"id": task_id, "status": last_status.get(task_id)}


async def main() -> None:
    """Serve the app, and let the bundled server send it the events of a task."""
    serving = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning"))
    work = asyncio.create_task(serving.serve())
    while not serving.started:  # noqa: ASYNC110 - uvicorn has no event for it
        await asyncio.sleep(0.01)
    port = serving.servers[0].sockets[0].getsockname()[1]
    webhook = Webhook(f"http://127.0.0.1:{port}/webhooks/browser-use", SECRET)
    async with (
        LocalServer(executor="scripted", webhooks=[webhook]) as server,
        BrowserUseSession(server.api_key, base_url=server.base_url) as session,
    ):
        task = await session.run_and_wait("Order a bell", metadata={"order": "4711"})
    serving.should_exit = True
    await work
    print("GET /tasks/... would answer", await show(task.id))


if __name__ == "__main__":
    asyncio.run(main())
