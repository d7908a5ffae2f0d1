"""Sends events: signed, in order for each task, again when they were not received."""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Callable
from datetime import datetime

from browser_use_async.api.task_states import TaskEvent
from browser_use_async.errors import ConfigurationError
from browser_use_async.server.failure_log import log_failure
from browser_use_async.server.outbound import Outbound, OutboundError
from browser_use_async.server.storage import TaskRecord
from browser_use_async.server.storage.keeper import Keeper
from browser_use_async.server.webhooks.deliveries import Attempt, Delivery, DeliveryLog
from browser_use_async.server.webhooks.events import (
    STATUS_AFTER,
    TEST_BODY,
    signed_headers,
    status_body,
    wait_after,
)
from browser_use_async.server.webhooks.registrations import Registrations
from browser_use_async.server.webhooks.webhook import Webhook

__all__ = ["WebhookSender"]

_logger = logging.getLogger(__name__)
_ATTEMPT_SECONDS = 10.0
"""How long a receiver may take for its answer."""
_CLOSE_SECONDS = 2.0
"""How long events that are being sent may still take when the server closes."""
_AT_ONCE = 64
"""How many events are being sent to one webhook at the same time."""


class WebhookSender:
    """The webhooks of one server, and what is on its way to them."""

    def __init__(
        self,
        now: Callable[[], datetime],
        first_retry: float,
        duplicates: Callable[[], int],
        keeper: Keeper,
    ) -> None:
        self._now = now
        self._first_retry = first_retry
        self._duplicates = duplicates
        self._outbound = Outbound(
            connect=_ATTEMPT_SECONDS, silence=_ATTEMPT_SECONDS, exchange=_ATTEMPT_SECONDS
        )
        self._webhooks = Registrations(keeper)
        self._places: dict[str, asyncio.Semaphore] = {}
        # One queue and one worker for each address and task: that keeps a task's events in order.
        self._queues: dict[tuple[str, str], deque[Delivery]] = {}
        self._workers: set[asyncio.Task[None]] = set()
        self._closing = asyncio.Event()
        self.log = DeliveryLog(keeper)

    @property
    def webhooks(self) -> tuple[Webhook, ...]:
        """What is told, in the order of registration."""
        return self._webhooks.all

    async def register(self, webhook: Webhook, *, keep: bool = True) -> None:
        """Send the test event, and tell the webhook of everything from now on.

        A webhook for the same address is replaced: this one is told what is still on its way.

        Raises:
            ConfigurationError: It did not answer the test with a 2xx status.
        """
        attempt = await self._send(webhook, TEST_BODY)
        if not attempt.succeeded:
            answer = attempt.problem or f"it answered {attempt.status}, which is not 2xx"
            raise ConfigurationError(f"url: {webhook.origin} did not pass the test event: {answer}")
        self._webhooks.put(webhook, keep=keep)
        self.resume()

    def resume(self) -> None:
        """Send what an earlier server left to be sent, as far as its addresses are known."""
        left, self.log.left_over = self.log.left_over, []
        for delivery in left:
            if self._webhooks.at(delivery.address) is None:
                self.log.left_over.append(delivery)
            else:
                self._enqueue(delivery)

    def remove(self, webhook_id: str) -> bool:
        """Tell a webhook nothing any more; what is still on its way is given up."""
        return self._webhooks.remove(webhook_id)

    def observe(self, record: TaskRecord, event: TaskEvent | None) -> None:
        """Tell all webhooks what happened to a task, if it is something that they are told."""
        status = STATUS_AFTER.get(event)
        if status is None or not self.webhooks or self._closing.is_set():
            return
        body = status_body(record, status, self._now())
        for webhook in self.webhooks:
            delivery = Delivery(webhook.id, webhook.address, record.id, status, body)
            self.log.add(delivery)
            self._enqueue(delivery)

    async def aclose(self) -> None:
        """Finish the attempts that are being made, for a moment; nothing else is sent any more."""
        self._closing.set()
        if self._workers:
            _, late = await asyncio.wait(set(self._workers), timeout=_CLOSE_SECONDS)
            for worker in late:
                worker.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        pending = sum(delivery.state == "pending" for delivery in self.log)
        if pending:
            _logger.warning(
                "%d webhook events were not delivered before the server closed", pending
            )
        await self._outbound.aclose()

    def _enqueue(self, delivery: Delivery) -> None:
        key = (delivery.address, delivery.task_id)
        if key in self._queues:
            self._queues[key].append(delivery)
            return
        self._queues[key] = deque([delivery])
        worker = asyncio.get_running_loop().create_task(self._work(key), name="webhook")
        self._workers.add(worker)
        worker.add_done_callback(self._workers.discard)

    async def _work(self, key: tuple[str, str]) -> None:
        queue = self._queues[key]
        try:
            while queue:
                delivery = queue.popleft()
                await self._deliver(delivery)
                if delivery.state == "pending":
                    break  # the server closes; what comes after this event must not overtake it
        except Exception as error:  # noqa: BLE001 - whatever it is, the server lives
            log_failure(_logger, "sending webhooks failed", error)
        finally:
            del self._queues[key]

    async def _deliver(self, delivery: Delivery) -> None:
        while (webhook := self._webhooks.at(delivery.address)) is not None:
            # What waits for its first attempt when the server closes still gets it.
            if delivery.attempts and self._closing.is_set():
                return
            attempt = await self._attempt(webhook, delivery)
            if attempt.succeeded:
                self.log.conclude(delivery, "delivered")
                for _ in range(self._duplicates()):
                    await self._attempt(webhook, delivery)
                return
            seconds = wait_after(len(delivery.attempts), self._first_retry)
            if seconds is None:
                break
            await self._pass_time(seconds)
        self.log.conclude(delivery, "failed")
        count = len(delivery.attempts)
        where = "a removed webhook" if webhook is None else webhook.origin
        _logger.warning("%s was not told of task %s: %s attempts", where, delivery.task_id, count)

    async def _attempt(self, webhook: Webhook, delivery: Delivery) -> Attempt:
        async with self._places.setdefault(webhook.address, asyncio.Semaphore(_AT_ONCE)):
            attempt = await self._send(webhook, delivery.body)
        delivery.attempts.append(attempt)
        self.log.keep(delivery)
        return attempt

    async def _send(self, webhook: Webhook, body: bytes) -> Attempt:
        now = self._now()
        headers = signed_headers(body, webhook.secret, now)
        try:
            answer = await self._outbound.send("POST", webhook.url, headers=headers, body=body)
        except OutboundError as error:
            return Attempt(now, problem=str(error))
        return Attempt(now, answer.status)

    async def _pass_time(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._closing.wait()
