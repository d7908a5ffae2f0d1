"""Let webhooks wake waits: they return within a round trip, and few polls are left.

    python examples/webhook_wakes_wait.py

Uses the bundled server, because the hosted service only calls public HTTPS addresses. There the
same four lines do it: make a receiver, mount it, register its address, attach it.
"""

import asyncio
import time

from aiohttp import web

from browser_use_async import BrowserUseSession, PollPolicy, webhooks
from browser_use_async.server import LocalServer, Webhook
from browser_use_async.testing import Scenario, ScriptedExecutor

SECRET = "any text will do to try it"  # noqa: S105 - and it is used nowhere else
CALM = PollPolicy(interval=20, latency_target=20)  # only an event can end a wait early


async def main() -> None:
    """Run twenty tasks of four seconds, and measure when the waits learn of their ends."""
    receiver = webhooks.WebhookReceiver(SECRET)
    finished: dict[str, float] = {}

    @receiver.on(webhooks.TaskStatusUpdate)
    def note(update: webhooks.TaskStatusUpdate) -> None:
        if update.status == webhooks.WebhookStatus.FINISHED:
            finished[update.task_id] = time.monotonic()

    application = web.Application()
    application.router.add_post("/webhook", receiver.aiohttp_handler)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    webhook = Webhook(f"http://127.0.0.1:{runner.addresses[0][1]}/webhook", SECRET)
    tasks = ScriptedExecutor(default=Scenario(steps=["Look", "Buy"], step_seconds=2.0))
    try:
        async with (
            LocalServer(executor=tasks, webhooks=[webhook]) as server,
            BrowserUseSession(server.api_key, base_url=server.base_url, poll=CALM) as session,
        ):
            session.attach(receiver)

            async def run(number: int) -> float:
                task = await session.run_and_wait("Buy milk", metadata={"number": str(number)})
                return time.monotonic() - finished[task.id]

            delays = await asyncio.gather(*map(run, range(20)))
            calls = server.requests["get_task"] + server.requests["get_task_status"]
            calls += server.requests["list_tasks"]
            print(f"woken {max(delays) * 1000:.0f} ms after the event at the latest")
            print(f"{calls} requests to learn of {len(delays)} ends")
    finally:
        await receiver.aclose()
        await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(main())
