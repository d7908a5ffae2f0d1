"""The sender of webhook events: signed, in order for each task, with retries."""

import asyncio
import codecs
import contextlib
import logging
import math
import unicodedata
import uuid
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import attrs

from browser_use_async.errors import ConfigurationError
from browser_use_async.server.egress.http_client import (
    USER_AGENT,
    HttpClient,
    HttpClientError,
    HttpResponse,
)
from browser_use_async.server.egress.proxy import Egress
from browser_use_async.server.loops import log_failure
from browser_use_async.server.storage.database import Database, stored
from browser_use_async.server.storage.outbox import Attempt, Delivery, Exchange, Outbox
from browser_use_async.server.storage.webhooks import Webhook
from browser_use_async.server.webhooks.events import (
    LIFETIME,
    TEST_BODY,
    retry_pause,
    signed_headers,
)

# The most characters of the body of an answer that are kept.
KEPT_BODY = 4096
# The most characters of the headers of an answer that are kept.
KEPT_HEADERS = 4096

# The text in place of a secret.
HIDDEN = "(hidden)"

_MARGIN = 2048  # bytes that are read beyond it
# The most bytes of a body that are read: one more than is kept shows that there is more.
READ_BODY = KEPT_BODY + _MARGIN + 1

_CREDENTIALS = {"set-cookie", "set-cookie2"}  # they open the receiver
_KEPT_CONTROLS = {"\n", "\t"}
# Characters that change the order in which text is shown.
_BIDIRECTIONAL = frozenset(
    "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
)
_UNSEEN = {"Cc", "Cs", "Zl", "Zp"}


def exchange_of(
    sent: Mapping[str, str], seconds: float, answer: HttpResponse | None, hidden: Sequence[str]
) -> Exchange:
    """The stored part of an attempt.

    Args:
        sent: The headers that were sent.
        seconds: How long it took.
        answer: What came back, if anything did.
        hidden: What an answer might repeat, and must not be kept: longer texts first.
    """
    milliseconds = round(seconds * 1000)
    shown = {**sent, "User-Agent": USER_AGENT}
    if answer is None:
        return Exchange(shown, milliseconds)
    read = [(name, _value(name, value, hidden)) for name, value in answer.headers.items()]
    headers = _bounded(read)
    # Secrets are replaced before the text is cut; else half of one could be at the end.
    ends = len(answer.body) < READ_BODY
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    body = _cleaned(decoder.decode(answer.body[: READ_BODY - 1], final=ends), hidden)
    is_cut = not ends or len(body) > KEPT_BODY or len(headers) < len(read)
    return Exchange(shown, milliseconds, headers, body[:KEPT_BODY], is_cut)


def _value(name: str, value: str, hidden: Sequence[str]) -> str:
    return HIDDEN if name.lower() in _CREDENTIALS else _cleaned(value, hidden)


def _bounded(headers: list[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    kept, room = [], KEPT_HEADERS
    for name, value in headers:
        room -= len(name) + len(value)
        if room < 0:
            break
        kept.append((name, value))
    return tuple(kept)


def _cleaned(text: str, hidden: Sequence[str]) -> str:
    """A foreign text without control characters, invisible ones and secrets."""
    lines = text.replace("\r\n", "\n")
    for each in hidden:
        lines = lines.replace(each, HIDDEN)
    return "".join("\ufffd" if _is_unseen(each) else each for each in lines)


def _is_unseen(character: str) -> bool:
    if character in _KEPT_CONTROLS:
        return False
    return character in _BIDIRECTIONAL or unicodedata.category(character) in _UNSEEN


_logger = logging.getLogger(__name__)
# Seconds that a receiver has for its answer.
_ATTEMPT_SECONDS = 10.0
# Seconds for attempts under way when the server closes.
_CLOSE_SECONDS = 2.0
# Seconds until the events of a task are sent on after an unexpected error.
_AFTER_A_FAULT = 5.0
# Number of events that are sent to one webhook concurrently.
_AT_ONCE = 64
# Number of events that a server of a fleet sends concurrently to a webhook that is away: each takes
# the time of an attempt, and other webhooks need room.
_AT_ONCE_AWAY = 5
_WITHOUT_ROOM = 5.0  # seconds until an event beyond that is looked at again
# Makes the jobs of one webhook's events due.
_JOBS_DUE = (
    "UPDATE procrastinate_jobs SET scheduled_at = NULL "
    "WHERE queue_name = 'webhooks' AND status = 'todo' AND lock LIKE :lock"
)
# Number of tasks with events for one webhook that are in memory.
_MOST_WORKERS = 256
# The longest time until it is looked whether an event is due: the wall clock may be set.
_LOOK = timedelta(minutes=1)


@attrs.define(eq=False, repr=False)
class WebhookSender:
    """Sends events to the webhooks of one server.

    An event that has to be sent again later is in the database and nowhere else.
    """

    _now: Callable[[], datetime]
    _pauses: Sequence[float]
    _duplicates: Callable[[], int]
    _database: Database
    outbox: Outbox
    _egress: Egress
    # One for each webhook: slow look-ups of one do not delay the events of another.
    _clients: dict[Webhook, HttpClient] = attrs.field(factory=dict, init=False)
    _slots: dict[str, asyncio.Semaphore] = attrs.field(factory=dict, init=False)
    # By address, then by task: one worker for both, which keeps a task's events in order.
    _workers: dict[str, dict[str, asyncio.Task[None]]] = attrs.field(factory=dict, init=False)
    # Addresses for which the database has more to send now than there are workers.
    _behind: set[str] = attrs.field(factory=set, init=False)
    _sooner: asyncio.Event = attrs.field(factory=asyncio.Event, init=False)
    _looks_at: float = attrs.field(default=math.inf, init=False)  # in the time of the loop
    _closing: asyncio.Event = attrs.field(factory=asyncio.Event, init=False)
    # One change of the registered webhooks at a time, since a test event takes time.
    _changing: asyncio.Lock = attrs.field(factory=asyncio.Lock, init=False)

    @property
    def webhooks(self) -> tuple[Webhook, ...]:
        """The registered webhooks, in order."""
        return self.outbox.webhooks.all

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
                self.outbox.webhooks.expect(webhook)
            await self._test(webhook)
            await self.outbox.webhooks.add(webhook, save=save)
            # The receiver has just answered, so nothing waits for its next attempt.
            await self.outbox.make_due(webhook.address)
        await self._send_pending(webhook.address)

    async def start(self) -> None:
        """Read the webhooks that were registered in an earlier run; their events are sent on."""
        await self.outbox.webhooks.load()
        self._behind.update(each.address for each in self.webhooks)

    async def keep_sending(self) -> None:
        """Send again what is due, and give up what is too old, until this is cancelled."""
        clock = asyncio.get_running_loop().time
        while True:
            self._sooner.clear()
            self._looks_at = math.inf  # an attempt that fails meanwhile is not overlooked
            self._looks_at = clock() + await self._send_due()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(self._looks_at):
                    await self._sooner.wait()

    async def refresh(self) -> None:
        """Learn of the webhooks that other servers have registered."""
        await self.outbox.webhooks.refresh()

    async def change(self, webhook_id: str, fields: Mapping[str, Any]) -> Webhook | None:
        """Change a webhook; None if there is none with this id.

        Another address or secret has to pass the test event. What is pending for another address
        is given up. A webhook that the server was started with is changed until it ends.

        Raises:
            ConfigurationError: A field cannot be used, or the test was not passed.
        """
        async with self._changing:
            await self.refresh()
            old = self.outbox.webhooks.with_id(webhook_id)
            if old is None:
                return None
            new = old.changed(fields)
            if new.address != old.address and self.outbox.webhooks.get(new.address) is not None:
                raise ConfigurationError("url: another webhook has this address")
            if (new.url, new.secret) != (old.url, old.secret):
                await self._test(new)
            is_replaced = await self.outbox.webhooks.replace(old, new)
            if new.address != old.address:
                await self.outbox.give_up_for(old.address)
            self._clients.pop(old, None)
            return new if is_replaced else None

    async def remove(self, webhook_id: str) -> bool:
        """Remove a webhook and discard its pending events; False if there is none with this id."""
        async with self._changing:
            await self.refresh()
            webhook = self.outbox.webhooks.with_id(webhook_id)
            if webhook is None:
                return False
            self._clients.pop(webhook, None)
            await self.outbox.webhooks.remove(webhook)
            await self.outbox.give_up_for(webhook.address)
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
        workers = [worker for each in self._workers.values() for worker in each.values()]
        if workers:
            _, late = await asyncio.wait(workers, timeout=_CLOSE_SECONDS)
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

    async def _send_due(self) -> float:
        """Send what is due; returns the seconds after which to look again."""
        now = self._now()
        count = await self.outbox.give_up_before(now - LIFETIME)
        if count:
            _logger.warning("%d webhook events were given up after three days", count)
        behind, self._behind = self._behind, set()
        next_look = now + _LOOK
        for webhook in self.webhooks:
            address = webhook.address
            if address in behind:
                await self._send_pending(address)
            for task_id in await self.outbox.due_tasks(address, _MOST_WORKERS):
                self._work_on(address, task_id)
            next_look = min(next_look, await self.outbox.next_due(address) or next_look)
        return max(0.0, (next_look - self._now()).total_seconds())

    async def _send_pending(self, address: str) -> None:
        found = await self.outbox.pending_tasks(address, _MOST_WORKERS)
        if len(found) == _MOST_WORKERS:
            self._behind.add(address)  # there may be more
        for task_id in found:
            self._work_on(address, task_id)

    def _work_on(self, address: str, task_id: str) -> None:
        workers = self._workers.setdefault(address, {})
        if task_id in workers:
            return
        if len(workers) >= _MOST_WORKERS:
            self._behind.add(address)
            return
        workers[task_id] = asyncio.get_running_loop().create_task(
            self._work(address, task_id), name=f"browser-use: delivers webhooks of task {task_id}"
        )

    async def _work(self, address: str, task_id: str) -> None:
        try:
            while not (await self._send_all(address, task_id) or self._closing.is_set()):
                await self._sleep(_AFTER_A_FAULT)
        finally:
            # Nothing was awaited since the last check, so nothing was written meanwhile.
            workers = self._workers[address]
            del workers[task_id]
            if address in self._behind and len(workers) <= _MOST_WORKERS // 2:
                self._sooner.set()
            if not workers:
                del self._workers[address]

    async def _send_all(self, address: str, task_id: str) -> bool:
        find = partial(self.outbox.next_pending, address, task_id)
        try:
            while (delivery := await stored(find)) is not None:
                # Later events must not overtake one that waits.
                if delivery.due is not None and delivery.due > self._now():
                    break
                # If an event waits for its first attempt when the server closes, it still gets it.
                if delivery.attempts and self._closing.is_set():
                    break
                webhook = self.outbox.webhooks.get(address)
                pause = await self._try(webhook, delivery)
                if pause is not None:
                    if asyncio.get_running_loop().time() + pause.total_seconds() < self._looks_at:
                        self._sooner.set()
                    break
        except Exception as error:  # noqa: BLE001 - whatever it is, the events are sent on
            log_failure(_logger, "sending webhooks failed", error)
            return False
        return True

    async def _try(self, webhook: Webhook | None, delivery: Delivery) -> timedelta | None:
        """Send an event once; returns the time until the next attempt, or None if it has ended."""
        age = self._now() - delivery.since
        if webhook is not None and age <= LIFETIME:
            attempt = await self._attempt(webhook, delivery)
            if attempt.succeeded:
                await stored(partial(self.outbox.save, delivery, "delivered"))
                for _ in range(self._duplicates()):
                    await self._attempt(webhook, delivery)
                    await self.outbox.save(delivery)
                return None
            pause = retry_pause(len(delivery.attempts), age, self._pauses)
            if pause is not None:
                due = self._now() + pause
                await stored(partial(self.outbox.save, delivery, due=due))
                return pause
        await stored(partial(self._give_up, webhook, delivery))
        return None

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


@attrs.define(eq=False, repr=False)
class FleetSender(WebhookSender):
    """Sends one event for each job that this server takes."""

    _away: set[str] = attrs.field(factory=set, init=False)  # addresses that took no event last
    _under_way: Counter[str] = attrs.field(factory=Counter, init=False)  # attempts, by address

    async def register(self, webhook: Webhook, *, save: bool = True) -> None:
        """Register a webhook for all servers: it is always saved."""
        await super().register(webhook, save=True)
        await self._database.rows(_JOBS_DUE, lock=f"{webhook.address}/%")

    async def deliver(self, number: int) -> float | None:
        """Try once to deliver an event; returns the seconds until the next attempt, or None.

        The caller ensures that events about one task come one after the other.
        """
        delivery = await self.outbox.get(number)
        if delivery is None or delivery.state != "pending":
            return None
        address = delivery.address
        if address in self._away and self._under_way[address] >= _AT_ONCE_AWAY:
            return _WITHOUT_ROOM
        self._under_way[address] += 1
        try:
            await self.refresh()
            pause = await self._try(self.outbox.webhooks.get(address), delivery)
        finally:
            self._under_way[address] -= 1
        if pause is None:
            self._away.discard(address)
            return None
        self._away.add(address)
        return pause.total_seconds()

    def _work_on(self, address: str, task_id: str) -> None:
        """Do nothing: each event has a job, written with it."""

    async def aclose(self) -> None:
        """Do nothing: the other servers deliver the rest."""
