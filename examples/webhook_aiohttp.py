"""Receive webhooks in an aiohttp application.

    python examples/webhook_aiohttp.py

For a try, the bundled server calls it. To serve the hosted service instead, run the
application behind an HTTPS address, and give the receiver the secret that the dashboard shows.
"""

import asyncio
import os
from collections.abc import AsyncGenerator

from aiohttp import web

from browser_use_async import BrowserUseSession, webhooks
from browser_use_async.server import LocalServer, Webhook

SECRET = os.environ.get("BROWSER_USE_WEBHOOK_SECRET", "any text will do to try it")


def make_application(receiver: webhooks.WebhookReceiver) -> web.Application:
    """Mount the receiver, and close it with the application."""

    async def life(application: web.Application) -> AsyncGenerator[None, None]:
        yield
        await receiver.aclose()  # waits for handlers, for ten seconds at most

    application = web.Application()
    application.router.add_post("/webhook", receiver.aiohttp_handler)
    application.cleanup_ctx.append(life)
    return application


async def main() -> None:
    """Serve the application, and let the bundled server send it the events of a task."""
    receiver = webhooks.WebhookReceiver(SECRET)

    @receiver.on(webhooks.TestEvent)
    def welcome(event: webhooks.TestEvent) -> None:
        print("registered; the test event says", event.payload)

    @receiver.on(webhooks.TaskStatusUpdate)
    async def note(update: webhooks.TaskStatusUpdate) -> None:
        # The receiver has answered the sender already, so the handler may take its time.
        await asyncio.sleep(0.1)
        print(f"order {update.metadata['order']} is {update.status}")

    runner = web.AppRunner(make_application(receiver))
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        webhook = Webhook(f"http://127.0.0.1:{runner.addresses[0][1]}/webhook", SECRET)
        async with (
            LocalServer(executor="scripted", webhooks=[webhook]) as server,
            BrowserUseSession(server.api_key, base_url=server.base_url) as session,
        ):
            await session.run_and_wait("Order a bicycle bell", metadata={"order": "4711"})
    finally:
        await runner.cleanup()
    print("received:", dict(receiver.metrics.received))


if __name__ == "__main__":
    asyncio.run(main())
