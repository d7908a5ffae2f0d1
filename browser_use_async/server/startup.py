"""The start of a server: its parts in order, and how they are closed in reverse."""

import asyncio
import socket
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from decimal import Decimal
from functools import partial
from pathlib import Path

import attrs
from aiohttp import web

from browser_use_async.server.app.application import build_administration, build_application
from browser_use_async.server.app.metrics import Metrics
from browser_use_async.server.egress.proxy import Egress
from browser_use_async.server.executors.choice import choose_executor
from browser_use_async.server.executors.scripts.check import read_folder
from browser_use_async.server.faults import FaultInjector
from browser_use_async.server.fleet.handoff import Handoff
from browser_use_async.server.http.access import ApiKeyCheck
from browser_use_async.server.http.access_log import LOGGER as ACCESS_LOG
from browser_use_async.server.http.access_log import AccessLogger
from browser_use_async.server.http.authorization import Authorization
from browser_use_async.server.http.connections import (
    HEAD_SECONDS,
    Connections,
    limit_unsent,
    most_connections,
)
from browser_use_async.server.http.held_calls import HeldCalls
from browser_use_async.server.loops import Loops
from browser_use_async.server.operations.expiry import expire_daily
from browser_use_async.server.operations.scheduler import Scheduler
from browser_use_async.server.pages.links import Links
from browser_use_async.server.running_server import RunningServer
from browser_use_async.server.search.backends import choose_backend
from browser_use_async.server.search.engine import SearchEngine
from browser_use_async.server.settings import ServerSettings
from browser_use_async.server.settings.listen_address import ListenAddress, open_admin_socket
from browser_use_async.server.storage import Database, SqliteDatabase
from browser_use_async.server.storage.database import immediate
from browser_use_async.server.storage.file_mover import FileMover
from browser_use_async.server.storage.object_store import ObjectStore
from browser_use_async.server.storage.scripts import Origin
from browser_use_async.server.storage.secret_documents import server_key
from browser_use_async.server.storage.shared_database import Nodes, open_database
from browser_use_async.server.stores import Stores
from browser_use_async.server.tasks.deployment import Deployment, SingleServer
from browser_use_async.server.tasks.runner import TaskRunner
from browser_use_async.server.tasks.script_turns import ScriptTurns
from browser_use_async.server.webhooks import WebhookSender

# Seconds for pending requests when the server closes.
_CLOSE_SECONDS = 2.0


class Assembly:
    """The parts of one server, and the order in which they start and end.

    Raises:
        ConfigurationError: A part cannot be created from these settings.
    """

    def __init__(self, settings: ServerSettings) -> None:
        self.settings = settings
        self.address = ListenAddress(settings)
        self.requests: Counter[str] = Counter()
        browser = settings.browser
        self.executor = choose_executor(settings.executor, browser, settings.agent)
        objects = None if settings.files is None else ObjectStore(settings.files)
        egress = browser.egress()
        self._scripts: Mapping[str, str] = {}
        if settings.scripts is not None:
            self._scripts = read_folder(Path(settings.scripts))
        self._search = SearchEngine(choose_backend(settings.search), egress)
        # After all checks that may fail, because it locks a file.
        self._database = open_database(settings.database)
        self.stores = _open_stores(self._database, settings)
        self._database.objects = objects
        self.faults = FaultInjector(self.stores.tasks)
        self._worker = str(uuid.uuid4())
        self._runner = TaskRunner(
            self.executor,
            self.stores.tasks,
            self._worker,
            ScriptTurns(
                self.stores.scripts,
                self.stores.changes,
                are_attended=not settings.scripts_unattended,
            ),
        )
        self._nodes = Nodes(self._database, settings.now)
        self._loops = Loops()
        self.deployment, self.webhooks = self._new_deployment(egress)
        self.faults.set_faults(settings.faults or (), self.deployment.require_alone)

    def close_unstarted(self) -> None:
        """Close the database of a server that was never started."""
        if isinstance(self._database, SqliteDatabase):
            self._database.close()

    async def start(self, stack: AsyncExitStack, listener: socket.socket, url: str) -> None:
        """Start one part after the other, and push their closing on the stack."""
        stack.callback(listener.close)
        # Closed in reverse order: the scheduler ends before the runner ends the tasks.
        await self._open_database(stack)
        stack.push_async_callback(self.executor.aclose)
        stack.push_async_callback(self.webhooks.aclose)
        stack.push_async_callback(self._runner.aclose)
        server = await self._running(url)
        await self._begin(stack, server)
        authorization = self._authorization()
        metrics = Metrics(server, self._nodes, self.requests)
        hosts = self.address.allowed_hosts(*filter(None, (url, self.settings.node_address)))
        application = build_application(server, authorization, hosts, metrics)
        listening = await self._prepare_service(stack, application, listener)
        # Pushed last, so closed first: the other parts wait for calls that a fault may delay.
        stack.push_async_callback(self.faults.aclose)
        stack.callback(server.held_calls.close)
        await listening.start_serving()
        if self.settings.admin_socket is not None:
            administration = build_administration(server, authorization, metrics)
            admin_listener = stack.enter_context(open_admin_socket(self.settings.admin_socket))
            await _serve_administration(stack, administration, admin_listener)
        # The server still answers while its tasks end.
        stack.push_async_callback(self.deployment.drain)
        self.deployment.work()

    async def _open_database(self, stack: AsyncExitStack) -> None:
        database = self._database
        if database.objects is not None:
            await database.objects.check()
        if isinstance(database, SqliteDatabase):
            stack.callback(database.close)
            return
        await database.open()
        stack.push_async_callback(database.aclose)
        await self.stores.open()

    async def _running(self, url: str) -> RunningServer:
        settings = self.settings
        links = Links(
            url,
            settings.now,
            await server_key(self._database, "signing_key", 32),
        )
        return RunningServer(
            settings=settings,
            stores=self.stores,
            links=links,
            runner=self._runner,
            deployment=self.deployment,
            search=self._search,
            webhooks=self.webhooks,
            faults=self.faults,
            held_calls=HeldCalls(self.stores.changes),
            loops=self._loops,
            handoff=Handoff(self._nodes, links, self._worker, settings.node_address),
        )

    async def _begin(self, stack: AsyncExitStack, server: RunningServer) -> None:
        """Start the background work: webhooks, schedules and unfinished tasks."""
        deployment = self.deployment
        stack.push_async_callback(deployment.aclose)
        await deployment.open()
        await self.webhooks.start()
        for webhook in self.settings.webhooks:
            # Not saved, since the constructor passes them again after a restart.
            by_operator = attrs.evolve(webhook, by_operator=True)
            await self.webhooks.register(by_operator, save=False)
        for name, text in self._scripts.items():
            await self.stores.scripts.put(name, text, Origin.LOADED)
        if deployment.continues_tasks:
            # After the webhooks are registered, which get the events.
            for record, assignment in await self.stores.tasks.restart():
                server.runner.start(record, assignment)
        beside: dict[str, Callable[[], Awaitable[None]]] = {}
        if deployment.sends_at_once:
            beside["deliveries"] = self.webhooks.keep_sending
        if deployment.schedules:
            beside["scheduler"] = Scheduler(server, self.settings.now).run
        beside["expiry"] = partial(expire_daily, self.stores, self.settings)
        if (objects := self._database.objects) is not None:
            beside["files"] = FileMover(self._database, objects).run
        for name, work in beside.items():
            stack.push_async_callback(self._loops.start(name, work).aclose)

    def _new_deployment(self, egress: Egress) -> tuple[Deployment, WebhookSender]:
        """Create the deployment: a fleet if servers share the database, else a single server."""
        settings, stores, database = self.settings, self.stores, self._database
        sending = (
            settings.now,
            settings.webhook_retry_pauses,
            self.faults.duplicates,
            database,
            stores.outbox,
            egress,
        )
        if isinstance(database, SqliteDatabase):
            sender = WebhookSender(*sending)
            most = settings.max_concurrent_tasks
            return SingleServer(database, self._runner, stores.changes, sender, most), sender
        # These need an extra.
        from browser_use_async.server.fleet.fleet import Fleet  # noqa: PLC0415
        from browser_use_async.server.webhooks.sender import FleetSender  # noqa: PLC0415

        shared = FleetSender(*sending)
        fleet = Fleet(
            settings,
            self._worker,
            database,
            stores,
            self._runner,
            shared,
            self._nodes,
            self._loops,
        )
        return fleet, shared

    def _authorization(self) -> Authorization:
        settings = self.settings
        keys = ApiKeyCheck(
            *(self.address.api_key.encode("ascii"), self.stores.api_keys, settings.now),
            settings.proxy_networks,
        )
        return Authorization(keys)

    async def _prepare_service(
        self, stack: AsyncExitStack, application: web.Application, listener: socket.socket
    ) -> asyncio.Server:
        """Prepare the application at its address; it answers once serving has started."""
        serving = web.AppRunner(application, shutdown_timeout=_CLOSE_SECONDS)
        stack.push_async_callback(serving.cleanup)
        await serving.setup()
        assert serving.server is not None
        connections = Connections(most_connections(), self.settings.connections_of_address)
        protocols = connections.factory(
            serving.server, access_log=ACCESS_LOG, access_log_class=AccessLogger
        )
        limit_unsent(listener)
        tls = self.address.tls
        listening = await asyncio.get_running_loop().create_server(
            protocols,
            sock=listener,
            backlog=128,
            ssl=tls,
            # Connections are counted after the TLS handshake.
            ssl_handshake_timeout=HEAD_SECONDS if tls is not None else None,
            start_serving=False,
        )
        stack.callback(listening.close)
        return listening


def _open_stores(database: Database, settings: ServerSettings) -> Stores:
    try:
        stores = Stores(database, settings.now, Decimal(str(settings.balance_cents)))
        if isinstance(database, SqliteDatabase):
            immediate(stores.open())
    except BaseException:
        if isinstance(database, SqliteDatabase):
            database.close()  # the caller has no server to close
        raise
    return stores


async def _serve_administration(
    stack: AsyncExitStack, application: web.Application, listener: socket.socket
) -> None:
    serving = web.AppRunner(
        application,
        access_log=ACCESS_LOG,
        access_log_class=AccessLogger,
        shutdown_timeout=_CLOSE_SECONDS,
    )
    stack.push_async_callback(serving.cleanup)
    await serving.setup()
    await web.SockSite(serving, listener).start()
