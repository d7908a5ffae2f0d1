"""`WebhookReceiver`: answers webhook calls in any web framework, and works behind the answers."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from browser_use_async.api.limits import is_count, is_seconds
from browser_use_async.errors import ConfigurationError, WrongEventLoopError
from browser_use_async.webhooks.answers import Answer, refusal
from browser_use_async.webhooks.asgi import AsgiApplication
from browser_use_async.webhooks.bodies import MAX_BODY
from browser_use_async.webhooks.dispatching import Dispatcher
from browser_use_async.webhooks.events import Event
from browser_use_async.webhooks.headers import Headers
from browser_use_async.webhooks.metrics import ReceiverMetrics, label_of
from browser_use_async.webhooks.reception import Decision, Head, Reception, Refusal
from browser_use_async.webhooks.verification import keys_of

if TYPE_CHECKING:
    from aiohttp import web

__all__ = ["WebhookReceiver"]

_LOGGER = logging.getLogger("browser_use_async")

EventT = TypeVar("EventT", bound=Event)
ResultT = TypeVar("ResultT")


class WebhookReceiver:
    """Verifies webhook calls, answers them at once, and hands their events on behind the answers.

    Mount `.asgi` in FastAPI, Starlette, Litestar or Quart, or add `.aiohttp_handler` to an aiohttp
    application; for anything else there is `receive`. `session.attach(receiver)` lets events wake
    the session's waits.

    A receiver belongs to the event loop that makes its first call, where handlers run as well. A
    call in another loop raises `WrongEventLoopError`, unless the first one was closed. A session
    that is attached may live in another loop, even of another thread: its waits are woken there.

    An event that was taken is told once, however often it is sent: the latest `remember` are known
    again by their content. Should an event be lost or late all the same, waits find out by polling.

    Attributes:
        metrics: What has been counted.
        asgi: The receiver as an ASGI application, for the scopes http and lifespan. Its shutdown
            is that of the receiver; a framework that mounts it keeps that to itself, so call
            `aclose` in the framework's own shutdown.

    Args:
        secret: The secret of the dashboard, or several while one replaces another.
        on_event: Called with every event, like a handler of `on`.
        path: Answer this path only, with 404 elsewhere; by default any that leads here.
        max_body: The longest body in bytes; longer ones are refused with 413, unread.
        queue_size: How many events may be waiting for handlers or in them. More are answered with
            503, so that the sender tries again later.
        tolerance: Seconds by which the timestamp header may be off in either direction. A retry
            under an old timestamp is refused then. None allows any, and with it replays of what
            `remember` has forgotten.
        body_timeout: Seconds within which a body has to come; then the call is cut off.
        handler_timeout: Seconds that one handler may take for one event, then it is cancelled; None
            for no limit.
        concurrency: How many events are being handled at once. Those of one task always follow
            each other, in the order in which they came.
        remember: How many events are remembered.
        drain_timeout: Seconds that closing waits for handlers.
        now: The wall clock, for tests.

    Raises:
        ConfigurationError: A secret is no text or blank, there is none, or a number cannot work.
    """

    def __init__(
        self,
        secret: str | Sequence[str],
        *,
        on_event: Callable[[Event], object] | None = None,
        path: str | None = None,
        max_body: int = MAX_BODY,
        queue_size: int = 1000,
        tolerance: float | None = 300,
        body_timeout: float = 10.0,
        handler_timeout: float | None = 60.0,
        concurrency: int = 10,
        remember: int = 10_000,
        drain_timeout: float = 10.0,
        now: Callable[[], datetime] | None = None,
    ) -> None:
        keys_of(secret)  # refuses what is no secret
        _check_counts(
            max_body=max_body, queue_size=queue_size, concurrency=concurrency, remember=remember
        )
        _check_seconds(
            tolerance=tolerance,
            body_timeout=body_timeout,
            handler_timeout=handler_timeout,
            drain_timeout=drain_timeout,
        )
        if max_body > MAX_BODY:
            raise ConfigurationError(f"max_body must be {MAX_BODY} bytes or less, not {max_body}")
        if path is not None and not path.startswith("/"):
            raise ConfigurationError(f"path must begin with a slash, not {path!r}")
        self.metrics = ReceiverMetrics()
        self.asgi = AsgiApplication(self)
        self._reception = Reception(
            (secret,) if isinstance(secret, str) else tuple(secret),
            path=path and (path.rstrip("/") or "/"),
            max_body=max_body,
            tolerance=tolerance,
            remember=remember,
            now=now,
        )
        self._dispatcher = Dispatcher(queue_size, concurrency, handler_timeout, self.metrics)
        self._body_timeout = body_timeout
        self._drain_timeout = drain_timeout
        self._subscribers: list[Callable[[Event], None]] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_closed = False
        if on_event is not None:
            self._dispatcher.add(None, on_event)

    # --- who hears of events --------------------------------------------------------------

    def on(
        self, kind: type[EventT]
    ) -> Callable[[Callable[[EventT], ResultT]], Callable[[EventT], ResultT]]:
        """Have a function called with each event of a class, after the sender has its answer.

        Args:
            kind: `TaskStatusUpdate`, `TestEvent` or `UnknownEvent`.

        Returns:
            A decorator for a function of one argument. It may be a coroutine function; any other
            must not block. What it raises is logged, counted in `metrics` and goes no further.
        """

        def add(handler: Callable[[EventT], ResultT]) -> Callable[[EventT], ResultT]:
            self._dispatcher.add(kind, handler)
            return handler

        return add

    def subscribe(self, hear: Callable[[Event], None], /) -> None:
        """Call something with each event before it is answered; this is how sessions attach.

        Args:
            hear: What to call; it does not block and raises nothing. It hears of events that are
                put off with 503 too, and then again.
        """
        self._subscribers.append(hear)

    # --- calls ----------------------------------------------------------------------------

    def receive(self, body: bytes, headers: Headers) -> Answer:
        """Judge a call that a framework of your choice has read, and take its event.

        Args:
            body: The body as it came.
            headers: The headers: any mapping or pairs.

        Returns:
            What to answer: `status`, `headers` and `body`.

        Raises:
            WrongEventLoopError: The receiver belongs to another event loop.
        """
        self._bind()
        if self._is_closed:
            return self._refuse(_CLOSED)
        has_room = self._dispatcher.has_room
        decision = self._reception.decide(body, headers, has_room=has_room)
        if isinstance(decision, Refusal):
            return self._refuse(decision)
        self._take(decision)
        return decision.answer

    async def answer(self, head: Head, chunks: AsyncGenerator[bytes, None]) -> Answer:
        """Judge a call whose body is still to be read: what the adapters do.

        Args:
            head: What came before the body.
            chunks: The body, piece by piece. An exception means that no more of it will come.

        Returns:
            What to answer.

        Raises:
            WrongEventLoopError: The receiver belongs to another event loop.
        """
        self._bind()
        refused = _CLOSED if self._is_closed else self._reception.look_at_head(head)
        if refused is not None:
            return self._refuse(refused)
        try:
            async with asyncio.timeout(self._body_timeout):
                body = await self._read(chunks)
        except TimeoutError:
            return self._refuse(_TOO_SLOW)
        except Exception:  # noqa: BLE001 - each framework has its own for this
            return self._refuse(_GONE)
        return self.receive(body, head.headers)

    async def aiohttp_handler(self, request: "web.Request") -> "web.StreamResponse":
        """Answer a call as a handler of an aiohttp application.

        `application.router.add_post("/webhook", receiver.aiohttp_handler)`, and
        `application.on_cleanup.append(...)` with something that awaits `aclose()`.

        Args:
            request: aiohttp's request.

        Raises:
            WrongEventLoopError: The receiver belongs to another event loop.
        """
        # Here and not above: `aiohttp.web` costs time, and only some need it.
        from browser_use_async.webhooks.aiohttp_adapter import respond  # noqa: PLC0415

        return await respond(self, request)

    async def _read(self, chunks: AsyncGenerator[bytes, None]) -> bytes:
        """The body, or as much of it as shows that it is too long."""
        body = bytearray()
        async with aclosing(chunks):
            async for chunk in chunks:
                body += chunk
                if len(body) > self._reception.max_body:
                    break
        return bytes(body)

    def _refuse(self, refused: Refusal) -> Answer:
        self.metrics.refused[refused.reason] += 1
        _LOGGER.info(
            "a webhook call was refused with %d: %s", refused.answer.status, refused.problem
        )
        return refused.answer

    def _take(self, decision: Decision) -> None:
        event, metrics = decision.event, self.metrics
        label = label_of(event)
        metrics.received[label] += 1
        if decision.is_repeated:
            metrics.duplicates[label] += 1
            return
        for hear in self._subscribers:
            try:
                hear(event)
            except Exception:
                _LOGGER.exception("a subscriber to webhooks failed on an event %s", label)
        if decision.is_put_off:
            metrics.queue_full[label] += 1
            return
        metrics.delivered[label] += 1
        self._dispatcher.put(event)

    # --- life -----------------------------------------------------------------------------

    async def aclose(self) -> None:
        """Take nothing more, and wait for handlers; twice does no harm.

        Calls that still come are answered with 503, so that the sender tries again. Handlers that
        outlast `drain_timeout` are cancelled; how many events that concerned is logged.
        """
        self._is_closed = True
        if self._loop is asyncio.get_running_loop():
            await self._dispatcher.aclose(self._drain_timeout)

    async def __aenter__(self) -> Self:
        self._bind()
        return self

    async def __aexit__(
        self,
        error_class: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return f"<WebhookReceiver {sum(self.metrics.received.values())} events received>"

    def _bind(self) -> None:
        loop = asyncio.get_running_loop()
        if self._loop is None or self._loop.is_closed():
            self._loop = loop
            self._dispatcher.forget()
        elif self._loop is not loop:
            raise WrongEventLoopError(
                f"the webhook receiver belongs to {self._loop!r} and was called in {loop!r}; "
                "make one receiver for each event loop"
            )


_CLOSED = Refusal(refusal(503, Retry_After="5"), "closed", "the receiver is closed")
_TOO_SLOW = Refusal(refusal(408, Connection="close"), "too_slow", "the body did not come in time")
_GONE = Refusal(refusal(400, Connection="close"), "gone", "the body broke off")


def _check_counts(**counts: Any) -> None:
    for name, value in counts.items():
        if not is_count(value):
            raise ConfigurationError(f"{name} must be a whole number from 1, not {value!r}")


def _check_seconds(**seconds: Any) -> None:
    for name, value in seconds.items():
        is_open = value is None and name in {"tolerance", "handler_timeout"}
        if not is_open and not is_seconds(value):
            raise ConfigurationError(f"{name} must be a number of seconds of 0 or more")
