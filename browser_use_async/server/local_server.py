"""The bundled server of Cloud API v1, embedded in any asyncio program."""

from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack
from decimal import Decimal
from typing import Self

import attrs

from browser_use_async.api.endpoint_table import API_PREFIX
from browser_use_async.errors import ConfigurationError
from browser_use_async.server import checks
from browser_use_async.server.executors.protocol import Executor
from browser_use_async.server.faults import Fault
from browser_use_async.server.setting_kinds import keywords_of
from browser_use_async.server.settings import ServerSettings
from browser_use_async.server.startup import Assembly
from browser_use_async.server.storage import SqliteDatabase
from browser_use_async.server.storage.database import immediate
from browser_use_async.server.stores import Store
from browser_use_async.server.webhooks import MOST_DELIVERIES, Delivery, Webhook


class LocalServer:
    """A server of Cloud API v1 on this machine, whose tasks are carried out by an executor.

    Use it as an async context manager, or call `start` and `aclose`. It runs in the event loop
    that starts it, without threads, and several run side by side.

    Its keywords are the fields of `ServerSettings`; docs/command-line.md has them as a table, with
    their units and defaults. None is required: the server listens at a free port of this machine
    and makes a random key.

    Attributes:
        settings: The settings that it was made with.
        requests: How many requests came, by the name of the operation or page; `unrouted` for
            those that no route is for.

    Raises:
        ConfigurationError: The host, the port, the key, the certificate, the executor or the
            database cannot be used, or others would reach the server unprotected.
    """

    @keywords_of(ServerSettings)
    def __init__(self, settings: ServerSettings) -> None:
        self.settings = settings
        self._assembly = Assembly(settings)
        self.requests: Counter[str] = self._assembly.requests
        self._url: str | None = None
        self._closing = AsyncExitStack()
        self._closing.callback(self._assembly.close_unstarted)

    @property
    def url(self) -> str:
        """Scheme, host and port.

        Raises:
            ConfigurationError: The server has not been started, so that it has no port.
        """
        if self._url is None:
            raise ConfigurationError("the server has no address yet; start it first")
        return self._url

    @property
    def base_url(self) -> str:
        """The base URL for clients."""
        return self.url + API_PREFIX

    @property
    def api_key(self) -> str:
        """The API key that clients need."""
        return self._assembly.address.api_key

    @property
    def executor(self) -> Executor:
        """The executor, which carries out the tasks."""
        return self._assembly.executor

    @property
    def store(self) -> Store:
        """The data of the server, for a database of its own.

        `store.tasks` are the tasks, oldest first, each a `TaskRecord` with what the client sent and
        what has come of it, as it stood when it was read; `store.task(task_id)` is one of them, and
        `store.file(task_id, name)` the content of a file that it made.

        Raises:
            ConfigurationError: It is in PostgreSQL, which cannot be read without waiting.
        """
        self._require_own("store")
        stores = self._assembly.stores
        return Store(stores.database, stores.tasks, stores.changes)

    def _require_own(self, name: str) -> None:
        self._assembly.deployment.require_alone(
            f"LocalServer.{name} reads without waiting, which PostgreSQL cannot; ask the "
            "server by its API instead"
        )

    @property
    def tasks_created(self) -> int:
        """How many tasks were created, whether or not the client received the response."""
        return self.store.task_count

    @property
    def balance_cents(self) -> Decimal:
        """The remaining credit, in US cents."""
        self._require_own("balance_cents")
        return immediate(self._assembly.stores.account.balance_cents())

    @property
    def faults(self) -> tuple[Fault, ...]:
        """The faults that are injected."""
        return self._assembly.faults.faults

    @property
    def faults_fired(self) -> "Counter[str]":
        """How often each fault has happened since the faults were set, by its label."""
        return self._assembly.faults.fired

    def set_faults(self, faults: Sequence[Fault]) -> None:
        """Replace the faults from the next call on; all counts restart.

        Work that earlier faults have postponed, such as a late commit, is still done.

        Args:
            faults: The new rules, in place of all others.
        """
        self._assembly.faults.set_faults(faults, self._assembly.deployment.require_alone)

    @property
    def webhooks(self) -> tuple[Webhook, ...]:
        """The registered webhooks."""
        return self._assembly.webhooks.webhooks

    @property
    def deliveries(self) -> tuple[Delivery, ...]:
        """The latest events that were sent to webhooks, or are being sent, oldest first."""
        self._require_own("deliveries")
        return tuple(immediate(self._assembly.webhooks.outbox.latest(MOST_DELIVERIES)))

    async def add_webhook(self, webhook: Webhook, *, save: bool = True) -> None:
        """Register a webhook; the test event is sent to it first.

        With a database it stays registered after a restart, if there is a key to encrypt it.

        Args:
            webhook: The webhook. One with the same address is replaced.
            save: Whether a database keeps it. One that is not kept is given again at each start, so
                that its events wait until it passes the test event.

        Raises:
            ConfigurationError: It did not answer the test event with a 2xx status.
        """
        checks.instance("webhook", webhook, Webhook)
        checks.flag("save", save)
        await self._assembly.webhooks.register(attrs.evolve(webhook, by_operator=True), save=save)

    def revoke_links(self, task_id: str) -> bool:
        """Take back the links to the pages of a task, and close those that are open.

        Its `live_url` and `public_share_url` are others from now on.

        Args:
            task_id: Whose links; a task of any key.

        Returns:
            Whether there is such a task.
        """
        checks.text("task_id", task_id)
        self._require_own("revoke_links")
        database = self._assembly.stores.database
        assert isinstance(database, SqliteDatabase)
        return database.at_once(self._assembly.stores.tasks.revoke_links(task_id))

    async def start(self) -> None:
        """Start to listen.

        Raises:
            ConfigurationError: The address cannot be listened on, the server was started before,
                or a webhook did not pass the test event.
        """
        if self._url is not None:
            raise ConfigurationError("a server starts once; make another one")
        address = self._assembly.address
        listener = address.open()
        self._url = address.url(listener)
        async with AsyncExitStack() as stack:
            await self._assembly.start(stack, listener, self._url)
            self._closing = stack.pop_all()

    async def aclose(self) -> None:
        """Stop listening, end the running tasks, and close the executor."""
        await self._closing.aclose()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return f"LocalServer({self._url or 'not started'}, executor={self._assembly.executor.name})"
