"""`WebhookReceiver`: answers webhook calls in any web framework, and dispatches their events."""

# The adapters to ASGI and aiohttp import neither at the module level.

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable, MutableMapping, Sequence
from contextlib import aclosing
from datetime import datetime
from typing import TYPE_CHECKING, Any, Self, TypeVar

from browser_use_async.api.limits import check_counts, check_seconds
from browser_use_async.errors import (
    ConfigurationError,
    WebhookVerificationError,
    WrongEventLoopError,
)
from browser_use_async.logs import LOGGER
from browser_use_async.webhooks.dispatcher import Dispatcher, ReceiverMetrics, label_of
from browser_use_async.webhooks.events import Event, read_event
from browser_use_async.webhooks.signature import MAX_BODY, Headers, VerifiedCall, keys_of
from browser_use_async.webhooks.verifier import (
    ACCEPTED,
    Answer,
    LatestEvents,
    RequestHead,
    RequestVerifier,
    digest_of,
    refusal,
)

if TYPE_CHECKING:
    from aiohttp import web


_RETRY_LATER = {"Retry-After": "5"}  # seconds after which a sender may try again
_CLOSING = {"Connection": "close"}
# The further headers of refusals, by their reasons
_HEADERS = {
    "closed": _RETRY_LATER,
    "gone": _CLOSING,
    "method": {"Allow": "POST"},
    "too_slow": _CLOSING,
}

EventT = TypeVar("EventT", bound=Event)
ResultT = TypeVar("ResultT")


class WebhookReceiver:
    """Verifies webhook calls, answers them at once, and runs handlers after the answers.

    Mount `.asgi` in FastAPI, Starlette, Litestar or Quart, or add `.aiohttp_handler` to an aiohttp
    application; for anything else there is `receive`. `session.attach(receiver)` lets events wake
    the session's waits.

    A receiver belongs to the event loop of its first call, in which handlers run as well. A call in
    another loop raises `WrongEventLoopError`, unless the first loop was closed. An attached session
    may use another loop, even in another thread: its waits are woken there.

    An event is handled once, however often it is sent: the latest `remember` events are recognized
    by their content. If an event is lost or late, waits still end by polling.

    Attributes:
        metrics: The counters.
        asgi: The receiver as an ASGI application, for the scopes http and lifespan. Its shutdown
            closes the receiver. A framework that mounts it does not forward the shutdown, so call
            `aclose` in the framework's shutdown.

    Args:
        secret: The secret of the dashboard, or several while one replaces another.
        on_event: Called with every event, like a handler of `on`.
        path: Answer this path only, with 404 elsewhere; by default any path.
        max_body: The longest body in bytes; longer ones are refused with 413, unread.
        queue_size: How many events may be queued or in handlers. Further ones are answered with
            503, so that the sender tries again later.
        tolerance: Seconds by which the timestamp header may differ from now. So a retry with an
            old timestamp is refused. None allows any difference, and so also replays of events
            that are no longer remembered.
        body_timeout: Seconds in which a body has to arrive; else the call is refused.
        handler_timeout: Seconds after which a handler of an event is cancelled; None for no limit.
        concurrency: How many events are handled at once. Events of one task are always handled
            one after the other, in the order in which they came.
        remember: How many events are remembered.
        drain_timeout: Seconds that closing waits for handlers.
        now: The wall clock, for tests.

    Raises:
        ConfigurationError: A secret is no text or blank, there is none, or a number is invalid.
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
        keys_of(secret)  # to refuse an unusable secret now and not at the first call
        counts = {"queue_size": queue_size, "concurrency": concurrency, "remember": remember}
        check_counts(max_body=max_body, **counts)
        check_seconds(body_timeout=body_timeout, drain_timeout=drain_timeout)
        check_seconds(is_optional=True, tolerance=tolerance, handler_timeout=handler_timeout)
        if max_body > MAX_BODY:
            raise ConfigurationError(f"max_body must be {MAX_BODY} bytes or less, not {max_body}")
        if path is not None and not path.startswith("/"):
            raise ConfigurationError(f"path must begin with a slash, not {path!r}")
        self.metrics = ReceiverMetrics()
        self.asgi = AsgiApplication(self)
        self._verifier = RequestVerifier(
            secrets=(secret,) if isinstance(secret, str) else tuple(secret),
            path=path and (path.rstrip("/") or "/"),
            max_body=max_body,
            tolerance=tolerance,
            now=now,
        )
        self._accepted = LatestEvents(remember)
        self._dispatcher = Dispatcher(queue_size, concurrency, handler_timeout, self.metrics)
        self._body_timeout = body_timeout
        self._drain_timeout = drain_timeout
        self._subscribers: list[Callable[[Event], None]] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_closed = False
        if on_event is not None:
            self._dispatcher.add_handler(None, on_event)

    # --- subscribers ----------------------------------------------------------------------

    def on(
        self, kind: type[EventT]
    ) -> Callable[[Callable[[EventT], ResultT]], Callable[[EventT], ResultT]]:
        """Call a function with each event of a class, after the call is answered.

        Args:
            kind: `TaskStatusUpdate`, `TestEvent` or `UnknownEvent`.

        Returns:
            A decorator for a function of one argument. It may be a coroutine function; any other
            function must not block. Its exceptions are logged and counted in `metrics`.
        """

        def add(handler: Callable[[EventT], ResultT]) -> Callable[[EventT], ResultT]:
            self._dispatcher.add_handler(kind, handler)
            return handler

        return add

    def subscribe(self, callback: Callable[[Event], None], /) -> None:
        """Call a function with each event before it is answered; this is how sessions attach.

        Args:
            callback: Must not block or raise. It is also called for an event that is answered with
                503, and again when that event is repeated.
        """
        self._subscribers.append(callback)

    # --- calls ----------------------------------------------------------------------------

    def receive(self, body: bytes, headers: Headers) -> Answer:
        """Verify a call that any framework has read, and accept its event.

        Args:
            body: The body as it came.
            headers: The headers: any mapping or pairs.

        Returns:
            The answer to send: `status`, `headers` and `body`.

        Raises:
            WrongEventLoopError: The receiver belongs to another event loop.
        """
        self._bind()
        try:
            self._refuse_if_closed()
            call = self._verifier.check(body, headers)
        except WebhookVerificationError as error:
            return self._refuse(error)
        return self._accept(call)

    async def answer(self, head: RequestHead, chunks: AsyncGenerator[bytes, None]) -> Answer:
        """Verify a call and read its body piece by piece; used by the adapters."""
        self._bind()
        try:
            self._refuse_if_closed()
            self._verifier.check_head(head)
        except WebhookVerificationError as error:
            return self._refuse(error)
        try:
            async with asyncio.timeout(self._body_timeout):
                body = await self._read(chunks)
        except TimeoutError:
            return self._refuse(
                WebhookVerificationError(
                    "the body did not come in time", status=408, reason="too_slow"
                )
            )
        except Exception:  # noqa: BLE001 - each framework has its own for this
            return self._refuse(WebhookVerificationError("the body broke off", reason="gone"))
        return self.receive(body, head.headers)

    async def aiohttp_handler(self, request: "web.Request") -> "web.StreamResponse":
        """Answer a call as a handler of an aiohttp application.

        Use `application.router.add_post("/webhook", receiver.aiohttp_handler)`, and
        `application.on_cleanup.append(...)` with a function that awaits `aclose()`.

        Args:
            request: aiohttp's request.

        Raises:
            WrongEventLoopError: The receiver belongs to another event loop.
        """
        # Imported here: loading `aiohttp.web` takes time, and only users of this adapter need it.
        from aiohttp import web  # noqa: PLC0415

        path = request.path.rstrip("/") or "/"
        head = RequestHead.of(request.method, [path], request.headers.items())
        answer = await self.answer(head, _aiohttp_chunks(request))
        response = web.Response(status=answer.status, body=answer.body, headers=answer.headers)
        if not request.content.is_eof():
            await _close_connection(request, response)
        return response

    async def _read(self, chunks: AsyncGenerator[bytes, None]) -> bytes:
        """The body, or as much of it as shows that it is too long."""
        body = bytearray()
        async with aclosing(chunks):
            async for chunk in chunks:
                body += chunk
                if len(body) > self._verifier.max_body:
                    break
        return bytes(body)

    def _refuse_if_closed(self) -> None:
        if self._is_closed:
            raise WebhookVerificationError("the receiver is closed", status=503, reason="closed")

    def _refuse(self, error: WebhookVerificationError) -> Answer:
        self.metrics.refused[error.reason] += 1
        LOGGER.info("a webhook call was refused with %d: %s", error.status, error)
        return refusal(error.status, _HEADERS.get(error.reason))

    def _accept(self, call: VerifiedCall) -> Answer:
        event, metrics = read_event(call.body), self.metrics
        label, digest = label_of(event), digest_of(call, event)
        metrics.received[label] += 1
        if self._accepted.knows(digest, call.id):
            metrics.duplicates[label] += 1
            return ACCEPTED
        # Before the queue is checked: a session can use an event even if no handler gets it.
        for callback in self._subscribers:
            # An exception of a subscriber must not change the answer to the sender.
            try:
                callback(event)
            except Exception:
                LOGGER.exception("a subscriber to webhooks failed on an event %s", label)
        if self._dispatcher.full:
            # Not remembered, so that it is accepted when it comes again.
            metrics.queue_full[label] += 1
            return refusal(503, _RETRY_LATER)
        self._accepted.add(digest, call.id)
        metrics.delivered[label] += 1
        self._dispatcher.put(event)
        return ACCEPTED

    # --- life -----------------------------------------------------------------------------

    async def aclose(self) -> None:
        """Accept no more events, and wait for handlers. Closing it twice is harmless.

        Later calls are answered with 503, so that the sender tries again. Handlers that need longer
        than `drain_timeout` are cancelled, and the number of their events is logged.
        """
        self._is_closed = True
        if self._loop is asyncio.get_running_loop():
            await self._dispatcher.aclose(self._drain_timeout)

    async def __aenter__(self) -> Self:
        self._bind()
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return f"<WebhookReceiver {sum(self.metrics.received.values())} events received>"

    def _bind(self) -> None:
        loop = asyncio.get_running_loop()
        if self._loop is None or self._loop.is_closed():
            self._loop = loop
            self._dispatcher.drop()
        elif self._loop is not loop:
            raise WrongEventLoopError(
                "the webhook receiver belongs to another event loop than the one that calls it "
                "now; make one receiver for each event loop"
            )


Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class AsgiApplication:
    """A receiver as an ASGI application, for the scopes http and lifespan."""

    # An object and not a method: frameworks take a function for a handler, and an object for an
    # application.

    def __init__(self, receiver: WebhookReceiver) -> None:
        self._receiver = receiver

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one scope."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            await self._answer(scope, receive, send)
        elif scope["type"] == "websocket":
            # A handshake has to be received before it can be refused.
            await receive()
            await send({"type": "websocket.close", "code": 1000})
        else:
            raise ValueError(f"there is no answer to the ASGI scope {scope['type']!r}")

    async def _live(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                await send({"type": "lifespan.startup.complete"})
            else:
                await self._receiver.aclose()
                await send({"type": "lifespan.shutdown.complete"})
                return

    async def _answer(self, scope: Message, receive: Receive, send: Send) -> None:
        head = RequestHead.of(scope["method"], _paths(scope), scope["headers"])
        answer = await self._receiver.answer(head, _asgi_chunks(receive))
        length = (b"content-length", str(len(answer.body)).encode())
        # HTTP/2 and later have no header `Connection`.
        headers = [
            (name.lower().encode(), value.encode())
            for name, value in answer.headers.items()
            if name != "Connection" or scope.get("http_version", "1.1").startswith("1")
        ]
        start = {"type": "http.response.start", "status": answer.status}
        await send({**start, "headers": [*headers, length]})
        await send({"type": "http.response.body", "body": answer.body})


def _paths(scope: Message) -> list[str]:
    """The path with and without the prefix under which the application is mounted."""
    # Frameworks differ in whether `path` still has the prefix that `root_path` names.
    path, root = scope["path"], scope.get("root_path", "")
    whole = path if path.startswith(root) else root + path
    return [each.rstrip("/") or "/" for each in (path, whole, whole[len(root) :])]


async def _asgi_chunks(receive: Receive) -> AsyncGenerator[bytes, None]:
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ConnectionResetError("the caller hung up")
        yield message.get("body", b"")
        if not message.get("more_body", False):
            return
        # Else a server that already has the whole body would never yield to other tasks.
        await asyncio.sleep(0)


# --- aiohttp --------------------------------------------------------------------------------


async def _aiohttp_chunks(request: "web.Request") -> AsyncGenerator[bytes, None]:
    if request.content.at_eof():  # a middleware has read it, or it is empty
        yield await request.read()
        return
    async for chunk in request.content.iter_any():
        yield chunk


async def _close_connection(request: "web.Request", response: "web.Response") -> None:
    """Answer and close the connection: aiohttp would read the rest of the body for seconds."""
    response.force_close()
    with contextlib.suppress(ConnectionError):  # the caller has closed it already
        await response.prepare(request)
        await response.write_eof()
    request.protocol.force_close()
