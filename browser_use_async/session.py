"""`BrowserUseSession`: owns the parts, wires them, and offers the lifecycle verbs."""

import asyncio
import contextlib
import warnings
from collections.abc import Callable, Sequence
from ssl import SSLContext
from types import TracebackType
from typing import TYPE_CHECKING, NoReturn, Self, TypeVar

import aiohttp

from browser_use_async.api import endpoint_table as table
from browser_use_async.api.tasks import TaskEndpoints
from browser_use_async.events import SessionEvent
from browser_use_async.lifecycle.create import Creator
from browser_use_async.lifecycle.reconcile import Reconciler
from browser_use_async.lifecycle.run import Background, Runner
from browser_use_async.lifecycle.submission_age import SubmissionAges
from browser_use_async.polling.policy import PollPolicy
from browser_use_async.polling.poller import TaskPoller
from browser_use_async.transport.client import Transport
from browser_use_async.transport.config import CallLimits, Configuration, Runtime, Secret
from browser_use_async.transport.connection_pool import PoolOptions
from browser_use_async.transport.retry import RetryPolicy
from browser_use_async.verbs.batching import BatchVerbs
from browser_use_async.verbs.creating import CreateVerbs
from browser_use_async.verbs.following import FollowVerbs
from browser_use_async.verbs.listing import ListVerbs
from browser_use_async.verbs.transferring import FileVerbs

if TYPE_CHECKING:
    from browser_use_async.webhooks import EventSource

__all__ = ["BrowserUseSession"]

OutputT = TypeVar("OutputT")


class BrowserUseSession(CreateVerbs, BatchVerbs, FollowVerbs, ListVerbs, FileVerbs):
    """A session with Cloud API v1: the thin endpoint layer, and verbs that live with a task.

    Create it anywhere; it connects on first use, in the running event loop, to which it then
    belongs. Use it as `async with`, or call `aclose()`.

    Attributes:
        tasks: The calls of the API section Tasks.
        scheduled_tasks: The calls of the API section Scheduled Tasks.
        browser_profiles: The calls of the API section Browser Profiles.
        files: The calls of the API section Files.
        search: The calls of the API section Search.
        account: The calls of the API section User.

    Args:
        api_key: The key; else `BROWSER_USE_API_KEY`. `ping` works without one.
        base_url: The URL that ends in `/api/v1`; else `BROWSER_USE_BASE_URL`, else the hosted
            service.
        timeout: Seconds that one attempt may take; else `BROWSER_USE_TIMEOUT`, else 30.
        retry: How failed calls are repeated.
        poll: How often waits poll.
        limits: How many calls are made at once and how fast, and how long to wait for a slot.
        http: Your own aiohttp session for reads and idempotent calls; never closed by us. Calls
            that cost money keep connections of their own.
        proxy: The URL of an HTTP proxy. The environment's proxies are ignored.
        ssl: Your own TLS context, for a private certificate authority.
        trace_configs: aiohttp trace configurations.
        middlewares: aiohttp client middlewares, run for each attempt.
        on_event: Called with each `SessionEvent`; must not block.
        allow_insecure_http: Whether the key may travel unencrypted to another machine.
        surroundings: Another world, for simulations: chance, wall clock and network.

    Raises:
        ConfigurationError: An argument cannot work. Nothing was sent.
    """

    def __init__(
        self,
        api_key: str | None = None,
        *,
        base_url: str | None = None,
        timeout: float | None = None,
        retry: RetryPolicy | None = None,
        poll: PollPolicy | None = None,
        limits: CallLimits | None = None,
        http: aiohttp.ClientSession | None = None,
        proxy: str | None = None,
        ssl: SSLContext | None = None,
        trace_configs: Sequence[aiohttp.TraceConfig] = (),
        middlewares: Sequence[aiohttp.ClientMiddlewareType] = (),
        on_event: Callable[[SessionEvent], None] | None = None,
        allow_insecure_http: bool = False,
        surroundings: Runtime | None = None,
    ) -> None:
        key = Secret.hide(api_key)
        del api_key  # a traceback with locals shows this frame when a later line raises
        configuration = Configuration.resolve(
            key, base_url, timeout, allow_insecure_http=allow_insecure_http
        )
        self._world = world = Runtime() if surroundings is None else surroundings
        self._transport = transport = Transport(
            configuration,
            retry=RetryPolicy() if retry is None else retry,
            options=PoolOptions(proxy, ssl, trace_configs, middlewares, world.connector),
            limits=limits,
            http=http,
            on_event=on_event,
            rng=world.rng,
        )
        self.tasks = TaskEndpoints(transport.call)
        self._poller = TaskPoller(transport, PollPolicy() if poll is None else poll, world.rng)
        self._background = Background()
        server_clock = transport.server_clock
        ages = SubmissionAges(server_clock.now, world.now)
        self._reconciler = Reconciler(
            TaskEndpoints(transport.call_patiently), ages, server_clock.unconfirmed
        )
        self._creator = Creator(transport, self._reconciler, self.tasks.get, ages)
        self._runner = Runner(self._creator, self.tasks, self._poller, self._background)

    # --- life -----------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        self._transport.bind()
        return self

    async def __aexit__(
        self,
        error_class: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the session; twice does no harm.

        Waits and calls under way get `SessionClosedError`. Tasks that are being stopped get five
        seconds. Tasks at the service live on.

        This is done in the session's own loop. Once that is closed, any other may do it: the
        connections are closed. Waits, calls and stops that a closed loop left under way cannot be
        woken, and are not told.

        Raises:
            WrongEventLoopError: The session belongs to another loop, which is not closed.
        """
        if not self._transport.is_in_own_loop:
            # Waits and work under way are the other loop's; so are the connections, unless that
            # loop is closed.
            await self._transport.aclose()
            return
        try:
            await self._poller.aclose()
            await self._background.aclose()
        finally:  # cancelled too, it leaves no connection behind
            await self._transport.aclose()

    def attach(self, receiver: "EventSource") -> None:
        """Let webhooks wake waits at once, and settle submissions whose answer was lost.

        An event is a reason to poll, and the API decides: events may come twice, late, out of
        order or not at all. Once they are seen to arrive, waits poll no more than
        `PollPolicy.safety_interval` asks for; some polling stays, since there is no webhook for a
        task that fails.

        Args:
            receiver: What receives and verifies them, such as a `WebhookReceiver`. It may run in
                another event loop or thread: events are taken in this session's own.
        """
        receiver.subscribe(self._hear)

    def _hear(self, event: object) -> None:
        """Take an event, in the session's own loop whatever loop or thread brings it."""
        home = self._transport.loop
        try:
            here = asyncio.get_running_loop()
        except RuntimeError:  # a thread without one
            here = None
        if home is None or home is here:
            self._learn(event)
            return
        with contextlib.suppress(RuntimeError):  # closed, and with it every wait
            home.call_soon_threadsafe(self._learn, event)

    def _learn(self, event: object) -> None:
        # Loaded already, by whoever made the event.
        from browser_use_async.webhooks.events import (  # noqa: PLC0415
            TaskStatusUpdate,
            WebhookStatus,
        )

        if not isinstance(event, TaskStatusUpdate):
            return
        if event.submission_mark is not None:
            self._reconciler.note(event.task_id, event.submission_mark)
        ends = {WebhookStatus.FINISHED, WebhookStatus.STOPPED}
        self._poller.webhook_received(event.task_id, has_ended=event.status in ends)

    def __del__(self) -> None:
        transport = getattr(self, "_transport", None)
        if transport is not None and transport.is_open:
            warnings.warn(
                "a BrowserUseSession was never closed; use `async with`, or await aclose()",
                ResourceWarning,
                source=self,
                stacklevel=2,
            )

    def __repr__(self) -> str:
        transport = getattr(self, "_transport", None)  # not there yet while __init__ raises
        return f"<BrowserUseSession {transport and transport.configuration.base_url}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a session is not pickled; create one in the other process")

    async def ping(self) -> None:
        """Ask whether the server is there. Needs no key and costs nothing.

        API page: Ping.

        Raises:
            APINotServedError: Something answers, but it does not speak Cloud API v1.
            BrowserUseError: The call did not succeed.
        """
        await self._transport.call(table.PING)
