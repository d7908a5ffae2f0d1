"""`webhooks`: receive them on this machine, and send sample events to a receiver here."""

import asyncio
import json
import os
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import click
from yarl import URL

from browser_use_async.api.limits import is_loopback
from browser_use_async.cli.command import Group
from browser_use_async.cli.console import Console
from browser_use_async.cli.exit import ExitCode
from browser_use_async.cli.options import (
    Argument,
    Choice,
    option,
)
from browser_use_async.cli.screen import Style
from browser_use_async.cli.values import given_secret, pair, port
from browser_use_async.cli.webhook_listener import listen
from browser_use_async.errors import ConfigurationError
from browser_use_async.secret_sources import WAYS, is_source
from browser_use_async.server.egress.policy import EgressPolicy
from browser_use_async.server.http_client import HttpClient, HttpClientError
from browser_use_async.server.webhooks.events import TEST_BODY, signed_headers
from browser_use_async.webhooks import WebhookStatus
from browser_use_async.webhooks.events import STATUS_UPDATE, TEST

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
    option(
        "--port PORT",
        f"0 means any free port (default: {_PORT})",
        type=port,
        default=_PORT,
    ),
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
) -> int:
    """Receive webhooks and show their events."""
    secret = _secret(secret, console)
    if not allow_any_host and not is_loopback(host):
        raise ConfigurationError(
            f"{host} is reachable from other machines; listen on 127.0.0.1, or say --allow-any-host"
        )
    return await listen(host, port, path, forward, secret, console)


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
