"""`webhooks`: receive them on this machine, and send sample events to a receiver here."""

import asyncio
import json
import logging
import os
import uuid
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import Any

import click
from aiohttp import web
from yarl import URL

from browser_use_async.api.limits import is_loopback
from browser_use_async.api.scalars import format_timestamp
from browser_use_async.cli.command import Group
from browser_use_async.cli.console import Console
from browser_use_async.cli.exit import ExitCode
from browser_use_async.cli.options import Argument, Choice, given_secret, option, pair, port
from browser_use_async.cli.screen import Style
from browser_use_async.errors import ConfigurationError
from browser_use_async.logs import LOGGER
from browser_use_async.server.egress.http_client import HttpClient, HttpClientError
from browser_use_async.server.egress.policy import EgressPolicy
from browser_use_async.server.secrets.sources import WAYS, is_source
from browser_use_async.server.webhooks.events import TEST_BODY, signed_headers
from browser_use_async.webhooks import (
    Answer,
    Event,
    TaskStatusUpdate,
    TestEvent,
    WebhookReceiver,
    WebhookStatus,
)
from browser_use_async.webhooks.events import STATUS_UPDATE, TEST
from browser_use_async.webhooks.signature import Headers, header_pairs
from browser_use_async.webhooks.standard import HEADERS as STANDARD_HEADERS

_STYLES = {
    "finished": Style.GOOD,
    "stopped": Style.BAD,
    "failed": Style.BAD,
    "paused": Style.WAITING,
    "started": Style.CYAN,
}
_WIDTH = len("initializing")
_FORWARDED_HEADERS = frozenset(
    {"content-type", "x-browser-use-timestamp", "x-browser-use-signature", *STANDARD_HEADERS}
)
_HEADER_SECONDS = 10.0
_MAX_QUEUED = 1000

_logger = logging.getLogger(__name__)


class _ForwardingReceiver(WebhookReceiver):
    """A receiver that queues verified requests unchanged, also repeated ones."""

    def __init__(self, secret: str, *, path: str) -> None:
        super().__init__(secret, path=path)
        self.calls = asyncio.Queue[tuple[bytes, Mapping[str, str]]](_MAX_QUEUED)

    def receive(self, body: bytes, headers: Headers) -> Answer:
        """Verify a request, and queue it for forwarding if it is genuine."""
        answer = super().receive(body, headers)
        if answer.is_accepted:
            forwarded = {
                name: text for name, text in header_pairs(headers) if name in _FORWARDED_HEADERS
            }
            try:
                # The caller waits for the answer, so this must not block on a full queue.
                self.calls.put_nowait((body, forwarded))
            except asyncio.QueueFull:
                _logger.warning("too many calls wait to be sent on; dropped one")
        return answer


async def _receive(
    host: str, port: int, path: str, forward: str | None, secret: str, console: Console
) -> None:
    """Receive webhooks until a signal ends the command."""

    def show(event: Event) -> None:
        word, subject, record = _described(event)
        clock = datetime.now().astimezone().strftime("%H:%M:%S")
        style = _STYLES.get(word, Style.PLAIN)
        console.labelled([(f"{clock}  ", Style.FAINT), (f"{word:<{_WIDTH}}  ", style)], subject)
        if not console.shows_text:
            console.result(record)

    # The receiver logs at INFO why it refused a request; its answer does not say why.
    if not LOGGER.isEnabledFor(logging.INFO):
        LOGGER.setLevel(logging.INFO)
    forwarding = None if forward is None else _ForwardingReceiver(secret, path=path)
    async with forwarding or WebhookReceiver(secret, path=path) as receiver:
        receiver.subscribe(show)
        async with _served(receiver, host, port, path) as url:
            _announce(url, forward, console)
            if forward is None or forwarding is None:
                await asyncio.Event().wait()
            else:
                await _forward(forwarding, forward, console)


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
        yield f"http://{f'[{address}]' if ':' in address else address}:{bound_port}{path}"
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


def _described(event: Event) -> tuple[str, str, dict[str, Any]]:
    """The kind and the subject of an event, and its JSON without the submission token."""
    if isinstance(event, TaskStatusUpdate):
        pairs = "  ".join(f"{name}={value}" for name, value in event.metadata.items())
        word, subject, kind = str(event.status), f"{event.task_id}  {pairs}".rstrip(), STATUS_UPDATE
        payload: dict[str, Any] = {
            "session_id": event.session_id,
            "task_id": event.task_id,
            "status": event.status,
            "metadata": event.metadata,
            **event.extra,
        }
    elif isinstance(event, TestEvent):
        word, payload, kind = "test", event.payload, TEST
        subject = " ".join(f"{name}={value}" for name, value in payload.items())
    else:
        return "unknown", f"an event of the type {event.type!r}", event.body
    timestamp = None if event.timestamp is None else format_timestamp(event.timestamp)
    return word, subject, {"type": kind, "timestamp": timestamp, "payload": payload}


async def _forward(receiver: _ForwardingReceiver, url: str, console: Console) -> None:
    """Forward requests one after the other, so that they arrive in order."""
    client = HttpClient(EgressPolicy.of_operator())
    while True:
        body, headers = await receiver.calls.get()
        try:
            answer = await client.send("POST", url, headers=headers, body=body)
        except HttpClientError as error:
            said, style = str(error), Style.BAD
        else:
            said = str(answer.status)
            style = Style.GOOD if 200 <= answer.status < 300 else Style.BAD
        console.info(("          sent on: ", Style.FAINT), (said, style))


VARIABLE = "BROWSER_USE_WEBHOOK_SECRET"
_PORT = 8766
_PATH = "/webhook"

# The kinds of sample events.
KINDS = (*(status.value for status in WebhookStatus), TEST)
_LONGEST_ANSWER = 500

webhooks = Group(
    "webhooks",
    "Receive webhooks on this machine, and send samples of them.",
    examples=(
        "webhooks listen --forward http://127.0.0.1:8000/webhook",
        "webhooks trigger finished",
    ),
)


def _local_url(text: str) -> str:
    try:
        url = URL(text)
        host, has_user = url.host or "", url.user is not None or url.password is not None
    except ValueError:
        url, host, has_user = URL(), "", False
    if url.scheme not in {"http", "https"} or has_user or not is_loopback(host):
        raise click.BadParameter(
            "write an address of this machine, such as http://127.0.0.1:8000/webhook"
        )
    return text


_SECRET = option(
    "--secret SECRET",
    f"the secret that signs the calls, as {WAYS} or as plain text (default: {VARIABLE})",
)


def _secret(given: str | None, console: Console) -> str:
    if given is not None:
        if not is_source(given):
            console.note_visible("--secret")
        return given_secret(given, "--secret")
    if os.environ.get(VARIABLE, "").strip():
        return os.environ[VARIABLE]
    raise ConfigurationError(
        f"there is no secret: set {VARIABLE}, or name another source with --secret {WAYS}. To try "
        "things out, any text will do on both sides"
    )


@webhooks.action(
    "listen",
    option("--host HOST", "the address to listen on (default: 127.0.0.1)", default="127.0.0.1"),
    option("--port PORT", f"0 means any free port (default: {_PORT})", type=port, default=_PORT),
    option("--path PATH", f"the path of the address (default: {_PATH})", default=_PATH),
    option(
        "--forward URL",
        "forward each call with a valid signature, unchanged, to an address of this machine",
        type=_local_url,
    ),
    option("--allow-any-host", "allow a --host that other machines can reach"),
    _SECRET,
    connects=False,
)
async def _listen(
    console: Console,
    host: str,
    port: int,
    path: str,
    forward: str | None,
    allow_any_host: bool,
    secret: str | None,
) -> None:
    """Receive webhooks and show their events."""
    secret = _secret(secret, console)
    if not allow_any_host and not is_loopback(host):
        raise ConfigurationError(
            f"{host} is reachable from other machines; listen on 127.0.0.1, or say --allow-any-host"
        )
    with suppress(asyncio.CancelledError):  # a signal: the normal end
        await _receive(host, port, path, forward, secret, console)


@webhooks.action(
    "trigger",
    Argument("kind", "KIND", f"one of {', '.join(KINDS)}", type=Choice(KINDS)),
    option(
        "--to URL",
        "an address of this machine (default: where `webhooks listen` listens)",
        type=_local_url,
        name="url",
        default=f"http://127.0.0.1:{_PORT}{_PATH}",
    ),
    option("--task-id ID", "the id of the task (default: a new one)"),
    option("--session-id ID", "the id of the session (default: a new one)"),
    option(
        "--metadata NAME=VALUE",
        "a pair of the task's metadata; repeatable",
        type=pair,
        multiple=True,
    ),
    _SECRET,
    connects=False,
)
async def _trigger(
    console: Console,
    kind: str,
    url: str,
    task_id: str | None,
    session_id: str | None,
    metadata: Sequence[tuple[str, str]],
    secret: str | None,
) -> int:
    """Sign a sample event and send it to an address of this machine."""
    key = _secret(secret, console)
    subject = None if kind == TEST else task_id or str(uuid.uuid4())
    body = TEST_BODY if subject is None else _body(kind, subject, session_id, dict(metadata))
    client = HttpClient(EgressPolicy.of_operator())
    loop = asyncio.get_running_loop()
    began = loop.time()
    try:
        headers = signed_headers(str(uuid.uuid4()), body, key, datetime.now(UTC))
        answer = await client.send("POST", url, headers=headers, body=body)
    except HttpClientError as error:
        console.error(f"{url} did not take the event: {error}")
        return ExitCode.UNREACHABLE
    text = answer.body.decode("utf-8", "replace")[:_LONGEST_ANSWER]
    accepted = 200 <= answer.status < 300
    console.info(
        ("ok " if accepted else "refused ", Style.GOOD if accepted else Style.BAD),
        f"{kind}{f' of task {subject}' if subject else ''}: answered {answer.status} after "
        f"{(loop.time() - began) * 1000:.0f} ms",
    )
    console.result(
        {"url": url, "kind": kind, "task_id": subject, "status": answer.status, "answer": text}
    )
    return ExitCode.FINISHED if accepted else ExitCode.API


def _body(kind: str, task_id: str, session_id: str | None, metadata: Mapping[str, str]) -> bytes:
    return json.dumps(
        {
            "type": STATUS_UPDATE,
            "timestamp": datetime.now(UTC).isoformat(),
            "payload": {
                "session_id": session_id or str(uuid.uuid4()),
                "task_id": task_id,
                "status": kind,
                "metadata": dict(metadata),
            },
        }
    ).encode()
