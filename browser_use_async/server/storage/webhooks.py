"""A webhook, and the registry of webhooks, which a database on disk keeps over restarts."""

import hashlib
import uuid
from collections.abc import Collection, Mapping
from typing import Any

import attrs
from yarl import URL

from browser_use_async.api.limits import is_loopback
from browser_use_async.errors import ConfigurationError
from browser_use_async.server import checks
from browser_use_async.server.records import DEFAULT_OWNER
from browser_use_async.server.storage.account import lock_account
from browser_use_async.server.storage.database import Database
from browser_use_async.server.storage.progress import TaskEvent
from browser_use_async.server.storage.secret_documents import Secrets
from browser_use_async.webhooks.signature import key_of

# The status in the event of a change; None is the creation. A resumption has no event: `started`
# means that a task has started and its browser is available, which happens once.
STATUS_AFTER: Mapping[TaskEvent | None, str] = {
    None: "initializing",
    TaskEvent.START: "started",
    TaskEvent.PAUSE: "paused",
    TaskEvent.STOP: "stopped",
    TaskEvent.FINISH: "finished",
    TaskEvent.FAIL: "failed",
}

# The statuses for which webhooks can get events, in the order of a task's life.
EVENTS = tuple(STATUS_AFTER.values())

# Those that a webhook gets if it names none: the statuses that the API documents. `failed` is not
# among them, so a receiver gets it only if it asks for it.
DEFAULT_EVENTS = frozenset(EVENTS) - {STATUS_AFTER[TaskEvent.FAIL]}

_KIND = "webhook"
_SHORTEST_HIDDEN = 6


def _check_url(_webhook: object, _field: object, url: Any) -> None:
    try:
        target = URL(url) if isinstance(url, str) else URL()
        # yarl checks the port only when the property is read.
        host, _port = target.host, target.port
    except ValueError:
        raise ConfigurationError("url: it is no address") from None
    if target.scheme not in {"http", "https"} or not host:
        raise ConfigurationError("url: a webhook needs an address that begins with https://")
    if target.user is not None or target.password is not None:
        raise ConfigurationError("url: an address with a user name or password is not called")
    if target.scheme == "http" and not is_loopback(host):
        raise ConfigurationError(
            f"url: http:// is for this machine only, and {host} is another; use https://"
        )


def _check_secret(_webhook: object, _field: object, secret: Any) -> None:
    try:
        key_of(secret)
    except ConfigurationError as error:
        raise ConfigurationError(f"secret: {error}") from None


def _check_type(_webhook: object, field: "attrs.Attribute[Any]", value: object) -> None:
    check = checks.flag if field.type is bool else checks.text
    check(field.name, value)


def _events(given: Any) -> frozenset[str]:
    if isinstance(given, str) or not isinstance(given, Collection):
        raise ConfigurationError("events: a list of names is needed")
    for each in given:
        checks.one_of("events", each, EVENTS)
    if not given:
        raise ConfigurationError(f"events: name one or more of {', '.join(EVENTS)}")
    return frozenset(given)


@attrs.frozen(repr=False)
class Webhook:
    """An address that receives events about the tasks of a bundled server.

    Its representation has neither the secret nor the path and the query of the address, which may
    contain another secret.

    Raises:
        ConfigurationError: The address or the secret cannot be used.
    """

    url: str = attrs.field(validator=_check_url)
    secret: str = attrs.field(validator=_check_secret)
    id: str = attrs.field(factory=lambda: str(uuid.uuid4()), validator=_check_type, kw_only=True)
    # Whether the operator configured it, who may use an address of a private network
    by_operator: bool = attrs.field(default=False, validator=_check_type, kw_only=True)
    # The statuses of tasks for which it gets events
    events: frozenset[str] = attrs.field(default=DEFAULT_EVENTS, converter=_events, kw_only=True)
    # Whether it gets any events
    is_active: bool = attrs.field(default=True, validator=_check_type, kw_only=True)

    @property
    def origin(self) -> str:
        """Scheme, host and port of the address: what may be logged."""
        return str(URL(self.url).origin())

    @property
    def address(self) -> str:
        """A digest that identifies the address where it must stay secret: 64 hexadecimal digits."""
        return hashlib.sha256(self.url.encode()).hexdigest()

    @property
    def hidden(self) -> list[str]:
        """What no text of others may show: the secret, and the parts of the address."""
        url = URL(self.url)
        parts = {
            self.url,
            self.origin,
            url.raw_path_qs,
            url.raw_path,
            url.path,
            url.raw_query_string,
        }
        # Shorter parts are no secrets, and occur in any text.
        found = {each for each in parts if len(each) >= _SHORTEST_HIDDEN} | {self.secret}
        return sorted(found, key=len, reverse=True)

    def hears(self, status: str) -> bool:
        """Whether it gets the event of a status."""
        return self.is_active and status in self.events

    def changed(self, fields: Mapping[str, Any]) -> "Webhook":
        """The same webhook with other fields.

        Raises:
            ConfigurationError: One of them cannot be used.
        """
        new = attrs.evolve(self, **fields)
        # The client, not the operator, has chosen the new address.
        return attrs.evolve(new, by_operator=self.by_operator and new.url == self.url)

    def __repr__(self) -> str:
        return f"Webhook({self.origin}, id={self.id})"


class WebhookRegistry:
    """The webhooks of one server, one for each address, in the order of registration."""

    def __init__(self, database: Database, sealed: Secrets) -> None:
        self._database = database
        self._sealed = sealed
        self.is_shared = False  # whether other servers register webhooks, too
        self._webhooks: dict[str, Webhook] = {}
        self._saved: set[str] = set()  # ids of the webhooks in the database
        # By address: webhooks from the start of the server that await their test event.
        self._expected: dict[str, Webhook] = {}

    def expect(self, webhook: Webhook) -> None:
        """Keep events for a webhook whose test event is still awaited."""
        self._expected[webhook.address] = webhook

    async def refresh(self, at: Database | None = None) -> None:
        """Read webhooks that other servers have registered."""
        if self.is_shared:
            await self.load(at)

    async def hearing(self, at: Database, status: str) -> list[Webhook]:
        """Return the webhooks that get the event of a status."""
        await self.refresh(at)
        expected = [each for at, each in self._expected.items() if at not in self._webhooks]
        return [each for each in (*self.all, *expected) if each.hears(status)]

    async def load(self, at: Database | None = None) -> None:
        """Read the registered webhooks from the database."""
        found = await self._sealed.all(_KIND, at)
        # Replaced at once, so that concurrent calls never see a part of them.
        unsaved = {at: each for at, each in self._webhooks.items() if each.id not in self._saved}
        saved = {each.address: each for each in _restored(found)}
        self._webhooks, self._saved = {**unsaved, **saved}, set(found)

    @property
    def all(self) -> tuple[Webhook, ...]:
        """Return all webhooks."""
        return tuple(self._webhooks.values())

    def get(self, address: str) -> Webhook | None:
        """Return the webhook at an address, or None."""
        return self._webhooks.get(address)

    async def add(self, webhook: Webhook, *, save: bool) -> None:
        """Add a webhook, or replace the one at the same address."""
        other = self._webhooks.get(webhook.address)

        async def work(at: Database) -> None:
            # The new webhook has another id, so the old row must be deleted. If two servers add
            # one at the same time, the second waits for the lock and finds the first.
            await lock_account(at, DEFAULT_OWNER)
            stored = _restored(await self._sealed.all(_KIND, at))
            ids = {each.id for each in stored if each.address == webhook.address}
            for webhook_id in ids if other is None else ids | {other.id}:
                await self._sealed.delete(at, _KIND, webhook_id)
            if save:
                await self._put(at, webhook)

        await self._database.transact(work)
        self._webhooks.pop(webhook.address, None)
        self._webhooks[webhook.address] = webhook
        self._expected.pop(webhook.address, None)
        if save:
            self._saved.add(webhook.id)

    def with_id(self, webhook_id: str) -> Webhook | None:
        """Return the webhook with an id, or None."""
        return next((each for each in self.all if each.id == webhook_id), None)

    async def replace(self, old: Webhook, new: Webhook) -> bool:
        """Replace a webhook by one with the same id, also in the database if the old one is there.

        Returns False if another server has removed the old one meanwhile.
        """

        async def work(at: Database) -> bool:
            await lock_account(at, DEFAULT_OWNER)  # the same lock as of a removal
            is_there = await self._sealed.get(_KIND, old.id, at) is not None
            if is_there:
                await self._put(at, new)
            return is_there

        if old.id in self._saved and not await self._database.transact(work):
            self._webhooks.pop(old.address, None)
            return False
        kept = (new if each.id == old.id else each for each in self.all)
        self._webhooks = {each.address: each for each in kept}
        return True

    async def remove(self, webhook: Webhook) -> None:
        """Remove a webhook."""

        async def work(at: Database) -> None:
            await lock_account(at, DEFAULT_OWNER)
            await self._sealed.delete(at, _KIND, webhook.id)

        await self._database.transact(work)
        self._webhooks.pop(webhook.address, None)  # a refresh may have removed it

    async def _put(self, at: Database, webhook: Webhook) -> None:
        document = attrs.asdict(webhook)
        del document["id"]
        document["events"] = sorted(webhook.events)
        await self._sealed.put(at, _KIND, webhook.id, document)


def _restored(documents: Mapping[str, Mapping[str, Any]]) -> list[Webhook]:
    return [Webhook(**fields, id=webhook_id) for webhook_id, fields in documents.items()]
