"""The start of a server: its parts, in an order in which they can be closed again."""

import asyncio
import socket
import uuid
from collections import Counter
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import datetime
from typing import TYPE_CHECKING

import attrs
from aiohttp import web

from browser_use_async.errors import ConfigurationError
from browser_use_async.server.access import ApiKeyCheck
from browser_use_async.server.access_log import LOGGER as ACCESS_LOG
from browser_use_async.server.access_log import AccessLogger
from browser_use_async.server.administration import check_local_client, refuse_client
from browser_use_async.server.application import build_administration, build_application
from browser_use_async.server.backend import Backend
from browser_use_async.server.connections import (
    HEAD_SECONDS,
    Connections,
    limit_unsent,
    most_connections,
)
from browser_use_async.server.cors import CrossOriginPolicy
from browser_use_async.server.executors.protocol import Executor
from browser_use_async.server.expiry import FileExpiry
from browser_use_async.server.faults import FaultInjector
from browser_use_async.server.file_mover import FileMover
from browser_use_async.server.held_calls import HeldCalls
from browser_use_async.server.jobs.launch import continue_tasks
from browser_use_async.server.jobs.runner import TaskRunner
from browser_use_async.server.keys.administration import KeyAdministration
from browser_use_async.server.keys.authorization import Authorization
from browser_use_async.server.listen_address import AdminSocket, ListenAddress
from browser_use_async.server.live_view.handoff import Handoff
from browser_use_async.server.loops import Loops
from browser_use_async.server.metrics import Metrics
from browser_use_async.server.scheduler import Scheduler
from browser_use_async.server.search.engine import SearchEngine
from browser_use_async.server.shared_database import FleetSettings, Nodes
from browser_use_async.server.signed_links import Links
from browser_use_async.server.storage import Database, SqliteDatabase
from browser_use_async.server.storage.secret_documents import server_key
from browser_use_async.server.stores import Stores
from browser_use_async.server.webhooks import Webhook, WebhookSender
from browser_use_async.types import LlmModel

if TYPE_CHECKING:
    from browser_use_async.server.jobs.fleet.fleet import Fleet
    from browser_use_async.server.storage.postgres.database import PostgresDatabase

# Seconds for requests under way when the server closes.
_CLOSE_SECONDS = 2.0


@attrs.frozen
class Parts:
    """What a server is made of before it starts."""

    address: ListenAddress
    admin_socket: AdminSocket | None
    cross_origin: CrossOriginPolicy
    executor: Executor
    stores: Stores
    fleet: FleetSettings
    search: SearchEngine
    faults: FaultInjector
    webhooks: WebhookSender
    first_webhooks: tuple[Webhook, ...]
    requests: "Counter[str]"
    now: Callable[[], datetime]
    max_wrong_keys: int
    max_connections_per_address: int | None
    stop_cleanup_delay: float
    link_lifetime: float
    page_lifetime: float
    new_backend: Callable[..., Backend]


async def start_server(
    parts: Parts, stack: AsyncExitStack, listener: socket.socket, url: str
) -> None:
    """Start everything, and leave on the stack what closes it."""
    stack.callback(listener.close)
    await _Start(parts, url).run(stack, listener)


class _Start:
    def __init__(self, parts: Parts, url: str) -> None:
        self._parts = parts
        self._url = url
        self._worker = str(uuid.uuid4())
        self._runner = TaskRunner(
            parts.executor, parts.stores.tasks, parts.stop_cleanup_delay, self._worker
        )
        database = parts.stores.database
        if database.is_shared and self._runner.durable is not None:
            raise ConfigurationError(
                "an executor that has the hosted service do the tasks needs a database of its own: "
                "of servers that share one none could tell whether another still waits for a task"
            )
        self._slots = parts.fleet.capacity if database.is_shared else self._runner.slots
        self._nodes = Nodes(database, parts.now)
        self._metrics = Metrics(
            database,
            parts.stores.tasks.counts,
            self._runner,
            self._slots,
            self._nodes,
            parts.now,
        )
        self._loops = Loops()

    async def run(self, stack: AsyncExitStack, listener: socket.socket) -> None:
        """Start one part after the other."""
        parts = self._parts
        # Closed in reverse order: the scheduler starts no task while the runner ends them.
        await self._open_database(stack)
        stack.push_async_callback(parts.executor.aclose)
        stack.push_async_callback(parts.webhooks.aclose)
        stack.push_async_callback(self._runner.aclose)
        backend = await self._backend()
        fleet = await self._begin(stack, backend)
        authorization = self._authorization()
        listening = await _prepare_service(
            stack,
            self._application(backend, authorization),
            Connections(most_connections(), parts.max_connections_per_address),
            parts.address,
            listener,
        )
        # Pushed last, so closed first: the others wait for calls that a fault may delay.
        stack.push_async_callback(parts.faults.aclose)
        stack.callback(backend.held_calls.close)
        await listening.start_serving()
        await self._start_administration(stack, backend, authorization)
        if fleet is not None:
            # While its tasks end, the server still answers.
            stack.push_async_callback(fleet.drain)
            fleet.work()

    async def _start_administration(
        self, stack: AsyncExitStack, backend: Backend, authorization: Authorization
    ) -> None:
        parts = self._parts
        if parts.admin_socket is None:
            return
        administration = build_administration(
            backend,
            authorization,
            parts.requests,
            self._metrics,
            parts.faults,
            parts.webhooks,
        )
        await _serve_administration(stack, administration, parts.admin_socket)

    async def _open_database(self, stack: AsyncExitStack) -> None:
        stores = self._parts.stores
        if stores.database.objects is not None:
            await stores.database.objects.check()
        if isinstance(stores.database, SqliteDatabase):
            stack.callback(stores.database.close)
            return
        database = _shared(stores.database)
        await database.open()
        stack.push_async_callback(database.aclose)
        await stores.open()

    async def _backend(self) -> Backend:
        stores = self._parts.stores
        links = Links(
            self._url,
            self._parts.link_lifetime,
            self._parts.now,
            await server_key(self._parts.stores.database, "signing_key", 32),
            page_lifetime=self._parts.page_lifetime,
        )
        return self._parts.new_backend(
            self._parts.stores.database,
            stores.tasks,
            self._runner,
            links,
            self._parts.executor.name,
            stores.account,
            stores.profiles,
            stores.schedules,
            stores.uploads,
            stores.sealed,
            self._parts.search,
            KeyAdministration(stores.api_keys, stores.audit_trail, self._parts.now),
            held_calls=HeldCalls(),
            loops=self._loops,
            handoff=Handoff(self._nodes, links, self._worker, self._parts.fleet.node_url),
        )

    async def _begin(self, stack: AsyncExitStack, backend: Backend) -> "Fleet | None":
        """Begin what goes on beside answering calls."""
        tasks = self._parts.stores.tasks
        # Not in __init__: a server that is never started would stay in memory as a cycle.
        tasks.observer.write = self._parts.webhooks.write
        tasks.observer.committed = self._parts.webhooks.send
        fleet = await self._join_fleet(stack)
        await self._parts.webhooks.start()
        for webhook in self._parts.first_webhooks:
            # Not saved: the constructor gives them again after a restart.
            by_operator = attrs.evolve(webhook, by_operator=True)
            await self._parts.webhooks.register(by_operator, save=False)
        if fleet is None:
            # Now that webhooks are registered, which get their events.
            await continue_tasks(backend, LlmModel.GPT_4_1)
        if fleet is None or fleet.schedules:
            scheduler = Scheduler(backend, self._parts.now)
            scheduler.start()
            stack.push_async_callback(scheduler.aclose)
        stack.push_async_callback(FileExpiry(backend, self._parts.now).aclose)
        objects = self._parts.stores.database.objects
        if objects is not None:
            mover = FileMover(self._parts.stores.database, objects, self._loops)
            stack.push_async_callback(mover.aclose)
        return fleet

    async def _join_fleet(self, stack: AsyncExitStack) -> "Fleet | None":
        if not self._parts.stores.database.is_shared:
            return None
        from browser_use_async.server.jobs.fleet.fleet import Fleet  # noqa: PLC0415 - needs an extra

        fleet = Fleet(
            self._parts.fleet,
            self._worker,
            _shared(self._parts.stores.database),
            self._parts.stores.tasks,
            self._runner,
            self._parts.webhooks,
            self._nodes,
            self._loops,
        )
        stack.push_async_callback(fleet.aclose)
        await fleet.open()
        return fleet

    def _authorization(self) -> Authorization:
        keys = ApiKeyCheck(
            self._parts.address.api_key,
            self._parts.stores.api_keys.find,
            self._parts.now,
            proxies=self._parts.address.proxies,
            max_wrong_keys=self._parts.max_wrong_keys,
        )
        return Authorization(keys, self._parts.stores.audit_trail.record, self._parts.now)

    def _application(self, backend: Backend, authorization: Authorization) -> web.Application:
        return build_application(
            backend,
            authorization,
            self._parts.address.allowed_hosts(
                *filter(None, (self._url, self._parts.fleet.node_url))
            ),
            self._parts.requests,
            self._metrics,
            self._parts.faults,
            self._parts.webhooks,
            self._parts.cross_origin,
            refuse_client if self._parts.address.behind_proxy else check_local_client,
            is_encrypted=self._parts.address.is_exposed and self._url.startswith("https:"),
        )


def _shared(database: Database) -> "PostgresDatabase":
    # Needs an extra, which is there: the database was made.
    from browser_use_async.server.storage.postgres import database as postgres  # noqa: PLC0415

    assert isinstance(database, postgres.PostgresDatabase)
    return database


# --- the applications at their addresses ----------------------------------------------------


async def _prepare_service(
    stack: AsyncExitStack,
    application: web.Application,
    connections: Connections,
    address: ListenAddress,
    listener: socket.socket,
) -> asyncio.Server:
    """Get everything ready to answer at an address; calls are answered once it serves."""
    serving = web.AppRunner(application, shutdown_timeout=_CLOSE_SECONDS)
    stack.push_async_callback(serving.cleanup)
    await serving.setup()
    assert serving.server is not None
    protocols = connections.factory(
        serving.server, access_log=ACCESS_LOG, access_log_class=AccessLogger
    )
    limit_unsent(listener)
    tls = address.tls
    listening = await asyncio.get_running_loop().create_server(
        protocols,
        sock=listener,
        backlog=128,
        ssl=tls,
        # Connections count from the end of the handshake on.
        ssl_handshake_timeout=HEAD_SECONDS if tls is not None else None,
        start_serving=False,
    )
    stack.callback(listening.close)
    return listening


async def _serve_administration(
    stack: AsyncExitStack, application: web.Application, admin_socket: AdminSocket
) -> None:
    listener = admin_socket.open()
    stack.callback(admin_socket.remove)
    stack.callback(listener.close)
    serving = web.AppRunner(
        application,
        access_log=ACCESS_LOG,
        access_log_class=AccessLogger,
        shutdown_timeout=_CLOSE_SECONDS,
    )
    stack.push_async_callback(serving.cleanup)
    await serving.setup()
    await web.SockSite(serving, listener).start()
