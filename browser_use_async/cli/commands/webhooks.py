"""`webhooks`: receive them on this machine, and send sample events to a receiver here."""

import argparse
import asyncio
import json
import uuid
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime

import attrs
from yarl import URL

from browser_use_async.api.limits import is_loopback
from browser_use_async.cli.console import Console
from browser_use_async.cli.exit import ExitCode
from browser_use_async.cli.options import (
    add_action_parsers,
    add_output_options,
    pair,
    port,
    secret_from_file,
    secret_from_variable,
)
from browser_use_async.cli.screen import Style
from browser_use_async.cli.webhook_listener import listen
from browser_use_async.errors import ConfigurationError
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


@attrs.frozen
class _Action:
    summary: str
    configure: Callable[[argparse.ArgumentParser], None]
    execute: Callable[[argparse.Namespace, str, Console], Awaitable[int]]


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the actions."""
    added = add_action_parsers(parser, {name: each.summary for name, each in _ACTIONS.items()})
    for name, action in _ACTIONS.items():
        action.configure(added[name])
        _add_secret(added[name])
        add_output_options(added[name], has_parent=True)


async def execute(options: argparse.Namespace, console: Console) -> int:
    """Run the action that was given."""
    return await _ACTIONS[options.action].execute(options, _secret(options), console)


def _add_secret(parser: argparse.ArgumentParser) -> None:
    source = parser.add_argument_group("secret").add_mutually_exclusive_group()
    source.add_argument("--secret-file", metavar="FILE", help="a file that holds it and no more")
    source.add_argument(
        "--secret-env",
        metavar="VARIABLE",
        default=VARIABLE,
        help=f"the environment variable that holds it (default: {VARIABLE})",
    )


def _secret(options: argparse.Namespace) -> str:
    if options.secret_file is not None:
        return secret_from_file(options.secret_file, "--secret-file")
    if options.secret_env != VARIABLE:
        return secret_from_variable(options.secret_env, "--secret-env")
    try:
        return secret_from_variable(VARIABLE, "--secret-env")
    # The default variable: the message names all ways to give a secret.
    except ConfigurationError:
        raise ConfigurationError(
            f"there is no secret: set {VARIABLE}, or name another source with --secret-file or "
            "--secret-env. To try things out, any text will do on both sides"
        ) from None


def _configure_listen(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host", default="127.0.0.1", help="where to listen (default: 127.0.0.1)")
    parser.add_argument(
        "--port", type=port, default=_PORT, help=f"0 takes a free one (default: {_PORT})"
    )
    parser.add_argument("--path", default=_PATH, help=f"(default: {_PATH})")
    parser.add_argument(
        "--forward",
        type=_local_url,
        metavar="URL",
        help="send each genuine call on to an address of this machine, just as it came",
    )
    parser.add_argument(
        "--allow-any-host",
        action="store_true",
        help="let --host be an address that other machines reach",
    )


async def _listen(options: argparse.Namespace, secret: str, console: Console) -> int:
    if not options.allow_any_host and not is_loopback(options.host):
        raise ConfigurationError(
            f"{options.host} is reachable from other machines; listen on 127.0.0.1, or say "
            "--allow-any-host"
        )
    return await listen(options.host, options.port, options.path, options.forward, secret, console)


def _configure_trigger(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("kind", choices=KINDS, help="what the event tells")
    parser.add_argument(
        "--to",
        type=_local_url,
        metavar="URL",
        default=f"http://127.0.0.1:{_PORT}{_PATH}",
        help="an address of this machine (default: where `webhooks listen` listens)",
    )
    parser.add_argument("--task-id", metavar="ID", help="(default: a new one)")
    parser.add_argument("--session-id", metavar="ID", help="(default: a new one)")
    parser.add_argument(
        "--metadata",
        action="append",
        default=[],
        type=pair,
        metavar="NAME=VALUE",
        help="a pair of the task's metadata; can be repeated",
    )


async def _trigger(options: argparse.Namespace, secret: str, console: Console) -> int:
    return await trigger(
        options.kind,
        options.to,
        secret,
        console,
        task_id=options.task_id,
        session_id=options.session_id,
        metadata=dict(options.metadata),
    )


def _local_url(text: str) -> str:
    try:
        url = URL(text)
        host, has_user = url.host or "", url.user is not None or url.password is not None
    except ValueError:
        url, host, has_user = URL(), "", False
    if url.scheme not in {"http", "https"} or has_user or not is_loopback(host):
        raise argparse.ArgumentTypeError(
            "write an address of this machine, such as http://127.0.0.1:8000/webhook"
        )
    return text


_ACTIONS: Mapping[str, _Action] = {
    "listen": _Action("receive webhooks and show what they tell", _configure_listen, _listen),
    "trigger": _Action(
        "sign a sample event and send it to an address of this machine",
        _configure_trigger,
        _trigger,
    ),
}


async def trigger(
    kind: str,
    url: str,
    secret: str,
    console: Console,
    *,
    task_id: str | None,
    session_id: str | None,
    metadata: Mapping[str, str],
) -> int:
    """Send one event, and report the answer."""
    subject = None if kind == TEST else task_id or str(uuid.uuid4())
    body = TEST_BODY if subject is None else _body(kind, subject, session_id, metadata)
    client = HttpClient(EgressPolicy.of_operator())
    loop = asyncio.get_running_loop()
    began = loop.time()
    try:
        headers = signed_headers(body, secret, datetime.now(UTC))
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
