"""The receiver of `webhooks listen`: prints each event, and forwards it."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from typing import Any

from aiohttp import web

from browser_use_async.api.scalars import format_timestamp
from browser_use_async.cli.console import Console
from browser_use_async.cli.exit import ExitCode
from browser_use_async.cli.screen import Span, Style
from browser_use_async.errors import ConfigurationError
from browser_use_async.logs import LOGGER
from browser_use_async.server.egress.policy import EgressPolicy
from browser_use_async.server.http_client import HttpClient, HttpClientError
from browser_use_async.webhooks import Answer, Event, TaskStatusUpdate, TestEvent, WebhookReceiver
from browser_use_async.webhooks.events import STATUS_UPDATE, TEST
from browser_use_async.webhooks.signature import Headers, header_pairs
from browser_use_async.webhooks.standard import HEADERS as STANDARD_HEADERS

_STYLES = {
    "finished": Style.GOOD,
    "stopped": Style.BAD,
    "paused": Style.WAITING,
    "started": Style.CYAN,
}
_WIDTH = len("initializing")
_FORWARDED_HEADERS = frozenset(
    {"content-type", "x-browser-use-timestamp", "x-browser-use-signature", *STANDARD_HEADERS}
)
_HEADER_SECONDS = 10.0
_MAX_QUEUED = 1000

Call = tuple[bytes, Mapping[str, str]]


class _ForwardingReceiver(WebhookReceiver):
    """A receiver that queues verified requests unchanged, also repeated ones."""

    def __init__(self, secret: str, *, path: str, calls: "asyncio.Queue[Call] | None") -> None:
        super().__init__(secret, path=path)
        self._calls = calls

    def receive(self, body: bytes, headers: Headers) -> Answer:
        """Verify a request, and queue it for forwarding if it is genuine."""
        answer = super().receive(body, headers)
        if answer.is_accepted and self._calls is not None:
            forwarded = {
                name: text for name, text in header_pairs(headers) if name in _FORWARDED_HEADERS
            }
            try:
                # The caller waits for the answer, so this must not block on a full queue.
                self._calls.put_nowait((body, forwarded))
            except asyncio.QueueFull:
                logging.getLogger(__name__).warning(
                    "too many calls wait to be sent on; dropped one"
                )
        return answer


async def listen(
    host: str, port: int, path: str, forward: str | None, secret: str, console: Console
) -> int:
    """Receive webhooks until a signal ends the command."""
    # The receiver logs at INFO why it refused a request; its answer does not say why.
    if not LOGGER.isEnabledFor(logging.INFO):
        LOGGER.setLevel(logging.INFO)
    calls: asyncio.Queue[Call] | None = asyncio.Queue(_MAX_QUEUED) if forward else None
    try:
        async with AsyncExitStack() as stack:
            receiver = _ForwardingReceiver(secret, path=path, calls=calls)
            await stack.enter_async_context(receiver)
            _show_events(receiver, console)
            url = await stack.enter_async_context(_served(receiver, host, port, path))
            _announce(url, forward, console)
            if forward is None or calls is None:
                await asyncio.Event().wait()
            else:
                await _forward(calls, forward, console)
    except asyncio.CancelledError:
        pass  # a signal: the normal end
    return ExitCode.FINISHED


@asynccontextmanager
async def _served(
    receiver: WebhookReceiver, host: str, port: int, path: str
) -> AsyncGenerator[str, None]:
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", receiver.aiohttp_handler)
    runner = web.AppRunner(
        application, access_log=None, shutdown_timeout=1.0, keepalive_timeout=_HEADER_SECONDS
    )
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, host, port).start()
        except (OSError, OverflowError) as error:
            raise ConfigurationError(
                f"cannot listen on {host} port {port}: {error}; port 0 takes a free one"
            ) from error
        address, bound_port = runner.addresses[0][:2]
        yield (
            f"http://[{address}]:{bound_port}{path}"
            if ":" in address
            else (f"http://{address}:{bound_port}{path}")
        )
    finally:
        await runner.cleanup()


def _announce(url: str, forward: str | None, console: Console) -> None:
    console.info("listening for webhooks at ", (url, Style.LINK))
    if forward is not None:
        console.info("genuine calls are sent on to ", (forward, Style.LINK))
    console.info(
        "to get events of a server here: browser-use-async serve "
        f"--webhook {url} --webhook-secret env:..."
    )
    console.info(f"to try it: browser-use-async webhooks trigger finished --to {url}")
    console.info("Ctrl-C ends it")
    if not console.shows_text:
        console.result({"url": url})


def _show_events(receiver: WebhookReceiver, console: Console) -> None:
    def show(event: Event) -> None:
        word, subject = _describe(event)
        clock = datetime.now().astimezone().strftime("%H:%M:%S")
        prefix: list[Span] = [
            (f"{clock}  ", Style.FAINT),
            (f"{word:<{_WIDTH}}  ", _STYLES.get(word, Style.PLAIN)),
        ]
        console.labelled(prefix, subject)
        if not console.shows_text:
            console.result(_as_json(event))

    receiver.subscribe(show)


def _describe(event: Event) -> tuple[str, str]:
    if isinstance(event, TaskStatusUpdate):
        pairs = "  ".join(f"{name}={value}" for name, value in event.metadata.items())
        return str(event.status), f"{event.task_id}  {pairs}".rstrip()
    if isinstance(event, TestEvent):
        return "test", " ".join(f"{name}={value}" for name, value in event.payload.items())
    return "unknown", f"an event of the type {event.type!r}"


def _as_json(event: Event) -> dict[str, Any]:
    """The event in its wire format, without the submission token in its metadata."""
    timestamp = None if event.timestamp is None else format_timestamp(event.timestamp)
    if isinstance(event, TaskStatusUpdate):
        payload: Any = {
            "session_id": event.session_id,
            "task_id": event.task_id,
            "status": event.status,
            "metadata": event.metadata,
            **event.extra,
        }
        return {"type": STATUS_UPDATE, "timestamp": timestamp, "payload": payload}
    if isinstance(event, TestEvent):
        return {"type": TEST, "timestamp": timestamp, "payload": event.payload}
    return event.body


async def _forward(calls: "asyncio.Queue[Call]", url: str, console: Console) -> None:
    """Forward requests one after the other, so that they arrive in order."""
    client = HttpClient(EgressPolicy.of_operator())
    while True:
        body, headers = await calls.get()
        try:
            answer = await client.send("POST", url, headers=headers, body=body)
        except HttpClientError as error:
            console.info(("          sent on: ", Style.FAINT), (str(error), Style.BAD))
        else:
            style = Style.GOOD if 200 <= answer.status < 300 else Style.BAD
            console.info(("          sent on: ", Style.FAINT), (str(answer.status), style))
