"""The bundled server of Cloud API v1, embedded in any asyncio program."""

import os
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from types import TracebackType
from typing import Self

import attrs

from browser_use_async.api.endpoint_table import API_PREFIX
from browser_use_async.errors import ConfigurationError
from browser_use_async.server.access import MAX_WRONG_KEYS
from browser_use_async.server.backend import MAX_UPLOAD_BYTES, Backend
from browser_use_async.server.checks import names_its_fields
from browser_use_async.server.connections import MOST_OF_ADDRESS
from browser_use_async.server.cors import CrossOriginPolicy
from browser_use_async.server.executors.choice import choose_executor
from browser_use_async.server.executors.protocol import Executor
from browser_use_async.server.executors.remote.settings import CloudSettings
from browser_use_async.server.executors.settings import AgentSettings, ChromiumSettings
from browser_use_async.server.faults import Fault, FaultInjector
from browser_use_async.server.listen_address import AdminSocket, ListenAddress
from browser_use_async.server.options import check_options
from browser_use_async.server.search.backends import SearchBackend, choose_backend
from browser_use_async.server.search.engine import SearchEngine
from browser_use_async.server.shared_database import fleet_settings_of, open_database
from browser_use_async.server.startup import Parts, start_server
from browser_use_async.server.storage import Database, SqliteDatabase
from browser_use_async.server.storage.account import (
    DEFAULT_BALANCE_CENTS,
    Plan,
    check_webhook_plan,
)
from browser_use_async.server.storage.database import immediate
from browser_use_async.server.storage.object_store import ObjectStore
from browser_use_async.server.stores import Store, Stores
from browser_use_async.server.webhooks import MOST_DELIVERIES, Delivery, Webhook, WebhookSender


def _utc_now() -> datetime:
    return datetime.now(UTC)


def _check_limits(
    task_days: float | None, max_wrong_keys: int, max_connections_per_address: int | None
) -> None:
    if task_days is not None and not 0 < task_days < 100_000:
        raise ConfigurationError("task_days must be a number of days above 0, or None")
    if max_wrong_keys < 1:
        raise ConfigurationError("max_wrong_keys must be a whole number from 1")
    if max_connections_per_address is not None and max_connections_per_address < 1:
        raise ConfigurationError(
            "max_connections_per_address must be a whole number from 1, or None"
        )


@names_its_fields
class LocalServer:
    """A server of Cloud API v1 on this machine, whose tasks are carried out by an executor.

    Use it as an async context manager, or call `start` and `aclose`. It runs in the event loop
    that starts it, without threads, and several run side by side.

    Args:
        host: The address to listen on.
        port: The port; 0 takes a free one.
        api_key: The API key that clients need, of at least 16 characters; by default a random one.
        executor: What carries out the tasks: `chromium` works in a real browser by rules,
            `reader` reads web pages by rules without one, `auto` is the first where there is a
            browser and the second elsewhere, `browser_use` is the open-source agent with a
            language model of yours, `cloud-v4` has the hosted service carry out
            tasks by its present API, `scripted` plays the default scenario, whose answers follow
            the schema of their task, and any other object that has the methods of
            `executors.protocol.Executor` does what it does. The server closes it at the end.
        chromium: What the browser may do, and which one it is.
        agent: The language model of `browser_use`, and how it is asked.
        cloud: The key of the hosted service, what it may leave out and what it may cost, for
            `cloud-v4`.
        screenshots: Whether pictures of the steps are kept.
        recordings: Whether films of the browser are kept, which takes ffmpeg.
        now: The wall clock, for timestamps and expiring links.
        allow_any_host: Whether other addresses than those of this machine are allowed. Clients
            with the key can then have pages opened from this machine, so an `api_key` of at
            least 24 characters is needed, and TLS or a proxy that does it.
        stop_cleanup_delay: Seconds between a stop, which flips the status at once, and the end
            of the executor's work.
        link_lifetime: Seconds for which links to files are good.
        page_lifetime: Seconds after the end of a task for which its pages, `live_url` and
            `public_share_url`, can be looked at. They steer nothing once it has ended.
        plan: `subscription`, or `pay_as_you_go`, which is refused what only a subscription has:
            tasks, schedules, webhooks and a second profile.
        balance_cents: The credit to begin with, in US cents. Tasks and searches cost the
            published prices.
        max_concurrent_tasks: How many tasks may run at once; more are answered with 429.
        max_upload_bytes: What all uploaded files may add up to, and those of one name of keys to
            half of it; more are answered with 507.
        task_days: Days after its end for which a task is kept; None keeps all for ever. The oldest
            are deleted first, with their steps and files, up to the first that is still to be kept.
        database: The file in which everything outlives a restart, used by no other server
            meanwhile. Tasks that were at work are marked failed when the server starts again;
            those of the hosted service go on.
            Secrets, cookies and webhooks are written to it only under the key in the environment
            variable `BROWSER_USE_SERVER_KEY`. Events that webhooks have not received are sent after
            a restart. With `:memory:` nothing is written anywhere. `postgresql://…` is a database
            that other servers share, with the same API key and `BROWSER_USE_SERVER_KEY`
            (docs/fleet.md); it needs the extra `fleet`, and knows no `faults`.
        search: Where simple-search finds addresses: that of a SearXNG server, those of websites
            to index, or an object with the method `addresses`. Without it simple-search
            answers 503.
        faults: What goes wrong on purpose, to test clients with; see `Fault`.
        webhooks: The webhooks that receive events about tasks, once they pass the test event.
        webhook_retry_delay: Seconds before the first of 5 retries of an event that a webhook
            did not receive; each further one waits twice as long.
        tls_cert: A PEM file with the server's certificate and those that vouch for it.
        tls_key: A PEM file with its private key, without a password.
        public_url: The https address that others use, if it is not that of `host` and `port`: it
            stands in `url`, in `live_url` and in links to files.
        behind_proxy: Whether a proxy in front of the server does TLS, at `public_url`.
        trusted_proxies: Addresses or networks of the proxies whose `X-Forwarded-For` is believed;
            by default those of this machine.
        allow_origins: The origins of web pages that may call the API from a browser, such as
            `http://localhost:5173`; `*` allows every page that has the key.
        admin_socket: A Unix socket on which the routes below `/admin` listen, open to the server's
            user alone. Behind a proxy they are refused at `host` and `port`.
        max_wrong_keys: How many wrong API keys an address may send in a minute; for a minute after
            that its wrong keys are answered with 429. Right ones are always taken.
        max_connections_per_address: How many connections an address may have at once; further ones
            are answered with 429. By default 64 if other machines reach the server without a proxy
            in front, and any number otherwise.
        role: What this server does of what several with one database do: `api` creates tasks and
            runs schedules, `worker` carries tasks out and delivers events, `both` does both. A
            worker answers calls, too.
        slots: How many tasks it carries out at once; by default as many as `chromium` may have
            browsers, or 10.
        lease: Seconds after which others believe that a silent server is lost, whose tasks fail
            then; 30 by default, and 10 at least.
        drain: Seconds that tasks at work have to end when it closes; 600 by default.
        node_url: Where people's browsers reach this server, `https://worker-1.example`: the live
            pages of its tasks lead there from all servers. `{hostname}` in it stands for the name
            of this machine.
        files: Object storage to which the bytes of files are moved from the database,
            `s3://bucket/prefix`; it needs the extra `s3`.

    Attributes:
        requests: How many requests came, by the name of the operation or page; `unrouted` for
            those that no route is for.

    Raises:
        ConfigurationError: The host, the port, the key, the certificate, the executor or the
            database cannot be used, or others would reach the server unprotected.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        api_key: str | None = None,
        executor: str | Executor = "auto",
        chromium: ChromiumSettings | None = None,
        agent: AgentSettings | None = None,
        cloud: CloudSettings | None = None,
        screenshots: bool = True,
        recordings: bool = True,
        now: Callable[[], datetime] | None = None,
        allow_any_host: bool = False,
        stop_cleanup_delay: float = 0.0,
        link_lifetime: float = 3600.0,
        page_lifetime: float = 30 * 86400.0,
        plan: Plan = "subscription",
        balance_cents: Decimal | float = DEFAULT_BALANCE_CENTS,
        max_concurrent_tasks: int | None = None,
        max_upload_bytes: int = MAX_UPLOAD_BYTES,
        task_days: float | None = None,
        database: str | os.PathLike[str] = ":memory:",
        search: SearchBackend | str | Sequence[str] | None = None,
        faults: Sequence[Fault] | None = None,
        webhooks: Sequence[Webhook] = (),
        webhook_retry_delay: float = 1.0,
        tls_cert: str | os.PathLike[str] | None = None,
        tls_key: str | os.PathLike[str] | None = None,
        public_url: str | None = None,
        behind_proxy: bool = False,
        trusted_proxies: Sequence[str] = (),
        allow_origins: Sequence[str] = (),
        admin_socket: str | os.PathLike[str] | None = None,
        max_wrong_keys: int = MAX_WRONG_KEYS,
        max_connections_per_address: int | None = None,
        role: str = "both",
        slots: int | None = None,
        lease: float | None = None,
        drain: float | None = None,
        node_url: str | None = None,
        files: str | None = None,
    ) -> None:
        check_options(locals())  # all options, by their names
        _check_limits(task_days, max_wrong_keys, max_connections_per_address)
        address = ListenAddress.validated(
            host=host,
            port=port,
            api_key=api_key,
            allow_any_host=allow_any_host,
            tls_cert=tls_cert,
            tls_key=tls_key,
            public_url=public_url,
            behind_proxy=behind_proxy,
            trusted_proxies=trusted_proxies,
        )
        if max_connections_per_address is None and address.is_exposed and not behind_proxy:
            max_connections_per_address = MOST_OF_ADDRESS
        admin_socket_file = None if admin_socket is None else AdminSocket.of(admin_socket)
        if webhooks:
            check_webhook_plan(plan)
        self._url: str | None = None
        self._closing = AsyncExitStack()
        self.requests: Counter[str] = Counter()
        browser = ChromiumSettings() if chromium is None else chromium
        browser = browser.where(is_exposed=address.is_exposed)
        fleet = fleet_settings_of(
            database, api_key, role, slots, browser.max_browsers, lease, drain, node_url
        )
        cross_origin, clock = CrossOriginPolicy(allow_origins), now or _utc_now
        work = choose_executor(executor, browser, agent, cloud)
        objects = None if files is None else ObjectStore(files)
        search_backend = choose_backend(search)
        # After what may be refused, because it takes the lock of a file.
        self._stores = self._open_stores(
            open_database(database),
            partial(
                Stores,
                now=clock,
                plan=plan,
                balance_cents=Decimal(str(balance_cents)),
            ),
        )
        self._stores.database.objects = objects
        egress = browser.egress()
        injector = FaultInjector(self._stores.tasks, is_shared=self._stores.database.is_shared)
        injector.set_faults(faults or ())
        sender = WebhookSender(
            clock,
            webhook_retry_delay,
            injector.duplicates,
            self._stores.database,
            self._stores.sealed,
            egress,
        )
        self._parts = Parts(
            address=address,
            admin_socket=admin_socket_file,
            cross_origin=cross_origin,
            executor=work,
            stores=self._stores,
            fleet=fleet,
            search=SearchEngine(search_backend, egress),
            faults=injector,
            webhooks=sender,
            first_webhooks=tuple(webhooks),
            requests=self.requests,
            now=clock,
            max_wrong_keys=max_wrong_keys,
            max_connections_per_address=max_connections_per_address,
            stop_cleanup_delay=stop_cleanup_delay,
            link_lifetime=link_lifetime,
            page_lifetime=page_lifetime,
            new_backend=partial(
                Backend,
                max_concurrent_tasks=max_concurrent_tasks,
                max_upload_bytes=max_upload_bytes,
                task_lifetime=None if task_days is None else timedelta(days=task_days),
                screenshots=screenshots,
                recordings=recordings,
            ),
        )

    def _open_stores(self, database: Database, make: Callable[[Database], Stores]) -> Stores:
        if not isinstance(database, SqliteDatabase):
            return make(database)
        self._closing.callback(database.close)
        try:
            stores = make(database)
            immediate(stores.open())
        except BaseException:
            database.close()  # the caller gets no server to close
            raise
        return stores

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
        """What a client takes as its base URL."""
        return self.url + API_PREFIX

    @property
    def api_key(self) -> str:
        """The API key that clients need."""
        return self._parts.address.api_key

    @property
    def executor(self) -> Executor:
        """The executor, which carries out the tasks."""
        return self._parts.executor

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
        return Store(self._stores.database, self._stores.tasks)

    def _require_own(self, name: str) -> None:
        if self._stores.database.is_shared:
            raise ConfigurationError(
                f"LocalServer.{name} reads without waiting, which PostgreSQL cannot; ask the "
                "server by its API instead"
            )

    @property
    def tasks_created(self) -> int:
        """How many tasks were created, whether or not the client received the response."""
        return self.store.task_count

    @property
    def balance_cents(self) -> Decimal:
        """The credit that is left, in US cents."""
        self._require_own("balance_cents")
        return immediate(self._stores.account.balance_cents())

    @property
    def faults(self) -> tuple[Fault, ...]:
        """The faults that are injected."""
        return self._parts.faults.faults

    @property
    def faults_fired(self) -> "Counter[str]":
        """How often each fault has happened since the faults were set, by its label."""
        return self._parts.faults.fired

    def set_faults(self, faults: Sequence[Fault]) -> None:
        """Replace the faults from the next call on; all counts restart.

        Work that earlier faults have postponed, such as a late commit, is still done.

        Args:
            faults: The new rules, in place of all others.
        """
        self._parts.faults.set_faults(faults)

    @property
    def webhooks(self) -> tuple[Webhook, ...]:
        """The registered webhooks."""
        return self._parts.webhooks.webhooks

    @property
    def deliveries(self) -> tuple[Delivery, ...]:
        """The latest events that were sent to webhooks, or are being sent, oldest first."""
        self._require_own("deliveries")
        return tuple(immediate(self._parts.webhooks.outbox.latest(MOST_DELIVERIES)))

    async def add_webhook(self, webhook: Webhook, *, save: bool = True) -> None:
        """Register a webhook; the test event is sent to it first.

        With a database it stays registered after a restart, if there is a key to encrypt it.

        Args:
            webhook: The webhook. One with the same address is replaced.
            save: Whether a database keeps it. One that is not kept is given again at each start, so
                that its events wait until it passes the test event.

        Raises:
            ConfigurationError: It did not answer the test event with a 2xx status, or the plan
                has no webhooks.
        """
        check_webhook_plan(self._stores.account.plan)
        await self._parts.webhooks.register(attrs.evolve(webhook, by_operator=True), save=save)

    def revoke_links(self, task_id: str) -> bool:
        """Take back the links to the pages of a task, and close those that are open.

        Its `live_url` and `public_share_url` are others from now on.

        Args:
            task_id: Whose links; a task of any key.

        Returns:
            Whether there is such a task.
        """
        self._require_own("revoke_links")
        return immediate(self._stores.tasks.revoke_links(task_id))

    async def start(self) -> None:
        """Start to listen.

        Raises:
            ConfigurationError: The address cannot be listened on, the server was started before,
                or a webhook did not pass the test event.
        """
        if self._url is not None:
            raise ConfigurationError("a server starts once; make another one")
        parts = self._parts
        listener = parts.address.open()
        self._url = parts.address.url(listener)
        async with AsyncExitStack() as stack:
            await start_server(parts, stack, listener, self._url)
            self._closing = stack.pop_all()

    async def aclose(self) -> None:
        """Stop listening, end the running tasks, and close the executor."""
        await self._closing.aclose()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return f"LocalServer({self._url or 'not started'}, executor={self._parts.executor.name})"
