"""Receiving webhooks as users type it. Checked by mypy and pyright, never run."""

import asyncio
from typing import assert_type

from browser_use_async import BrowserUseSession, webhooks


def receivers(queue: "asyncio.Queue[webhooks.Event]") -> list[webhooks.WebhookReceiver]:
    """Every way to make one."""
    return [
        webhooks.WebhookReceiver("secret"),
        webhooks.WebhookReceiver(["new", "old"], on_event=queue.put_nowait, tolerance=None),
        webhooks.WebhookReceiver("secret", path="/webhook", handler_timeout=None, queue_size=10),
    ]


async def handlers(receiver: webhooks.WebhookReceiver, session: BrowserUseSession) -> None:
    """Handlers keep their types, and get events of their class."""
    updates: list[webhooks.TaskStatusUpdate] = []

    @receiver.on(webhooks.TaskStatusUpdate)
    async def note(update: webhooks.TaskStatusUpdate) -> None:
        assert_type(update.status, webhooks.WebhookStatus)

    @receiver.on(webhooks.TestEvent)
    def count(event: webhooks.TestEvent) -> int:
        return len(event.payload)

    receiver.on(webhooks.TaskStatusUpdate)(updates.append)
    receiver.on(webhooks.UnknownEvent)(note)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    assert_type(count(webhooks.TestEvent()), int)
    session.attach(receiver)
    answer = receiver.receive(b"", {})
    assert_type(answer, webhooks.Answer)
    assert_type(answer.status, int)
    assert_type(receiver.metrics.calls, int)
    await receiver.aclose()
