"""The sender of webhook events: signed, in order for each task, with retries."""

import asyncio
import contextlib
import logging
import uuid
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from typing import Any

from browser_use_async.errors import ConfigurationError
from browser_use_async.server.egress.proxy import Egress
from browser_use_async.server.failures import log_failure
from browser_use_async.server.http_client import HttpClient, HttpClientError
from browser_use_async.server.storage.database import Database, stored
from browser_use_async.server.storage.outbox import Attempt, Delivery, Outbox
from browser_use_async.server.storage.webhooks import Webhook
from browser_use_async.server.webhooks.events import (
    TEST_BODY,
    retry_delay,
    signed_headers,
)
from browser_use_async.server.webhooks.exchange import READ_BODY, exchange_of

_logger = logging.getLogger(__name__)
# Seconds that a receiver has for its answer.
_ATTEMPT_SECONDS = 10.0
# Seconds for attempts under way when the server closes.
_CLOSE_SECONDS = 2.0
# Seconds until the events of a task are sent on after an unexpected error.
_AFTER_A_FAULT = 5.0
# Number of events that are sent to one webhook concurrently.
_AT_ONCE = 64


class WebhookSender:
    """Sends events to the webhooks of one server."""

    def __init__(
        self,
        now: Callable[[], datetime],
        first_retry: float,
        duplicates: Callable[[], int],
        database: Database,
        outbox: Outbox,
        egress: Egress,
    ) -> None:
        self._now = now
        self._first_retry = first_retry
        self._duplicates = duplicates
        self._egress = egress
        # One for each webhook: slow look-ups of one do not delay the events of another.
        self._clients: dict[Webhook, HttpClient] = {}
        self._webhooks = outbox.webhooks
        self._slots: dict[str, asyncio.Semaphore] = {}
        # One worker for each address and task, which keeps a task's events in order.
        self._workers: dict[tuple[str, str], asyncio.Task[None]] = {}
        self._closing = asyncio.Event()
        # One change of the registered webhooks at a time, since a test event takes time.
        self._changing = asyncio.Lock()
        self._database = database
        self.outbox = outbox

    @property
    def webhooks(self) -> tuple[Webhook, ...]:
        """The registered webhooks, in order."""
        return self._webhooks.all

    async def register(self, webhook: Webhook, *, save: bool = True) -> None:
        """Send the test event, and register the webhook if it passes.

        A webhook for the same address is replaced, and receives the pending events. With `save`
        false it is given again at each start: events for it are kept until it passes.

        Raises:
            ConfigurationError: It did not answer the test with a 2xx status.
        """
        async with self._changing:
            await self.refresh()
            if not save:
                self._webhooks.expect(webhook)
            await self._test(webhook)
            await self._webhooks.add(webhook, save=save)
        await self._send_pending(webhook)

    async def start(self) -> None:
        """Send the pending events of an earlier run for webhooks that were registered then."""
        await self._webhooks.load()
        for webhook in self.webhooks:
            await self._send_pending(webhook)

    async def refresh(self) -> None:
        """Learn of the webhooks that other servers have registered."""
        await self._webhooks.refresh()

    async def change(self, webhook_id: str, fields: Mapping[str, Any]) -> Webhook | None:
        """Change a webhook; None if there is none with this id.

        Another address or secret has to pass the test event. What is pending for another address
        is given up. A webhook that the server was started with is changed until it ends.

        Raises:
            ConfigurationError: A field cannot be used, or the test was not passed.
        """
        async with self._changing:
            await self.refresh()
            old = self._webhooks.with_id(webhook_id)
            if old is None:
                return None
            new = old.changed(fields)
            if new.address != old.address and self._webhooks.get(new.address) is not None:
                raise ConfigurationError("url: another webhook has this address")
            if (new.url, new.secret) != (old.url, old.secret):
                await self._test(new)
            is_replaced = await self._webhooks.replace(old, new)
            self._clients.pop(old, None)
            return new if is_replaced else None

    async def remove(self, webhook_id: str) -> bool:
        """Remove a webhook and discard its pending events; False if there is none with this id."""
        async with self._changing:
            await self.refresh()
            webhook = self._webhooks.with_id(webhook_id)
            if webhook is None:
                return False
            self._clients.pop(webhook, None)
            await self._webhooks.remove(webhook)
            return True

    def send(self, task_id: str) -> None:
        """Send the events that were written about a task."""
        for webhook in self.webhooks:
            self._work_on(webhook.address, task_id)

    async def send_again(self, delivery_id: str, owner: str) -> Delivery | None:
        """Send the event of an ended delivery again; None if the owner has no such delivery."""

        async def work(at: Database) -> Delivery | None:
            return await self.outbox.repeat(at, delivery_id, owner)

        delivery = await self._database.transact(work)
        if delivery is not None:
            self._work_on(delivery.address, delivery.task_id)
        return delivery

    async def aclose(self) -> None:
        """Wait a moment for attempts under way, and send nothing else."""
        self._closing.set()
        if self._workers:
            _, late = await asyncio.wait(self._workers.values(), timeout=_CLOSE_SECONDS)
            # The rest stays pending in the database, and is sent after a restart.
            for worker in late:
                worker.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        pending = await self.outbox.pending_count()
        if pending:
            _logger.warning(
                "%d webhook events were not delivered before the server closed", pending
            )

    async def _test(self, webhook: Webhook) -> None:
        attempt = await self._send(webhook, str(uuid.uuid4()), TEST_BODY)
        if not attempt.succeeded:
            answer = attempt.problem or f"it answered {attempt.status}, which is not 2xx"
            raise ConfigurationError(f"url: {webhook.origin} did not pass the test event: {answer}")

    async def _send_pending(self, webhook: Webhook) -> None:
        for task_id in await self.outbox.pending_tasks(webhook.address):
            self._work_on(webhook.address, task_id)

    def _work_on(self, address: str, task_id: str) -> None:
        key = (address, task_id)
        if key not in self._workers:
            worker = asyncio.get_running_loop().create_task(
                self._work(*key), name=f"browser-use: delivers webhooks of task {task_id}"
            )
            self._workers[key] = worker

    async def _work(self, address: str, task_id: str) -> None:
        try:
            while not (await self._send_all(address, task_id) or self._closing.is_set()):
                await self._sleep(_AFTER_A_FAULT)
        finally:
            # Nothing was awaited since the last check, so nothing was written meanwhile.
            del self._workers[address, task_id]

    async def _send_all(self, address: str, task_id: str) -> bool:
        find = partial(self.outbox.next_pending, address, task_id)
        try:
            while (delivery := await stored(find)) is not None:
                await self._deliver(delivery)
                if delivery.state == "pending":
                    break  # closing; later events must not overtake this one
        except Exception as error:  # noqa: BLE001 - whatever it is, the events are sent on
            log_failure(_logger, "sending webhooks failed", error)
            return False
        return True

    async def _deliver(self, delivery: Delivery) -> None:
        while (webhook := self._webhooks.get(delivery.address)) is not None:
            # If an event waits for its first attempt when the server closes, it still gets it.
            if delivery.attempts and self._closing.is_set():
                return
            attempt = await self._attempt(webhook, delivery)
            if attempt.succeeded:
                await stored(partial(self.outbox.save, delivery, "delivered"))
                for _ in range(self._duplicates()):
                    await self._attempt(webhook, delivery)
                    await self.outbox.save(delivery)
                return
            seconds = retry_delay(len(delivery.attempts), self._first_retry)
            if seconds is None:
                break
            await stored(partial(self.outbox.save, delivery))
            await self._sleep(seconds)
        await stored(partial(self._give_up, webhook, delivery))

    async def _give_up(self, webhook: Webhook | None, delivery: Delivery) -> None:
        await self.outbox.save(delivery, "failed")
        count = len(delivery.attempts)
        where = "a removed webhook" if webhook is None else webhook.origin
        _logger.warning(
            "%s did not receive an event of task %s: %s attempts", where, delivery.task_id, count
        )

    async def _attempt(self, webhook: Webhook, delivery: Delivery) -> Attempt:
        # The slot is released between attempts, so that retries do not delay other events.
        async with self._slots.setdefault(webhook.address, asyncio.Semaphore(_AT_ONCE)):
            attempt = await self._send(webhook, delivery.id, delivery.body)
        delivery.attempts.append(attempt)
        return attempt

    async def _send(self, webhook: Webhook, message_id: str, body: bytes) -> Attempt:
        now = self._now()
        headers = signed_headers(message_id, body, webhook.secret, now)
        clock = asyncio.get_running_loop().time
        begun, answer, problem = clock(), None, None
        try:
            client = self._client(webhook)
            answer = await client.send(
                "POST", webhook.url, headers=headers, body=body, limit=READ_BODY, whole=False
            )
        except HttpClientError as error:
            problem = str(error)
        exchange = exchange_of(headers, clock() - begun, answer, webhook.hidden)
        return Attempt(now, None if answer is None else answer.status, problem, exchange)

    def _client(self, webhook: Webhook) -> HttpClient:
        client = self._clients.get(webhook)
        if client is None:
            urls, seconds = [webhook.url], _ATTEMPT_SECONDS
            policy = self._egress.policy_naming(urls, opening=urls if webhook.by_operator else ())
            client = HttpClient(policy, connect=seconds, silence=seconds, exchange=seconds)
            self._clients[webhook] = client
        return client

    async def _sleep(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._closing.wait()
