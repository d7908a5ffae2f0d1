"""`keys`: the API keys of a bundled server, through its administration."""

import argparse
import os
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import attrs
from yarl import URL

from browser_use_async.api.limits import is_loopback
from browser_use_async.api.scalars import parse_timestamp
from browser_use_async.cli.actions import in_local_time, local_time
from browser_use_async.cli.console import Console
from browser_use_async.cli.exit import ExitCode
from browser_use_async.cli.options import (
    add_action_parsers,
    add_connection_options,
    add_output_options,
    given_key,
    whole,
)
from browser_use_async.cli.screen import Span, Style
from browser_use_async.errors import ConfigurationError
from browser_use_async.server.keys.admin_client import AdminClient
from browser_use_async.server.keys.api_key import DEFAULT_SCOPES, Scope
from browser_use_async.server.keys.new_key import NewKey
from browser_use_async.types.secrets import Secret

_NO_SERVER = (
    "keys are those of a bundled server: name a running one with --base-url (or "
    "BROWSER_USE_BASE_URL) or --admin-socket"
)
_NO_KEY = (
    "no API key: set BROWSER_USE_API_KEY to a key with the scope admin, or pass --api-key-file"
)


@attrs.frozen
class _Action:
    summary: str
    configure: Callable[[argparse.ArgumentParser], None]
    execute: Callable[[AdminClient, argparse.Namespace, Console], Awaitable[None]]


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the actions."""
    added = add_action_parsers(parser, {name: each.summary for name, each in _ACTIONS.items()})
    for name, action in _ACTIONS.items():
        action.configure(added[name])
        _add_place(added[name])
        add_connection_options(added[name])
        add_output_options(added[name], has_parent=True)


async def execute(options: argparse.Namespace, console: Console) -> int:
    """Run the action that was given."""
    await _ACTIONS[options.action].execute(_admin_client(options), options, console)
    return ExitCode.FINISHED


def _add_place(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--admin-socket",
        type=Path,
        metavar="FILE",
        help="the Unix socket on which the running server's administration listens",
    )


def _admin_client(options: argparse.Namespace) -> AdminClient:
    key = given_key(options) or os.environ.get("BROWSER_USE_API_KEY")
    base_url = options.base_url or os.environ.get("BROWSER_USE_BASE_URL")
    if options.local or (base_url is None and options.admin_socket is None):
        raise ConfigurationError(_NO_SERVER)
    if not key:
        raise ConfigurationError(_NO_KEY)
    Secret(key).check_as_key()
    return AdminClient(_origin(base_url or "", options), key, options.admin_socket)


def _origin(base_url: str, options: argparse.Namespace) -> str:
    if options.admin_socket is not None:
        return ""
    try:
        url = URL(base_url)
        origin, host = str(url.origin()), url.host or ""
    except ValueError:
        raise ConfigurationError("--base-url must be the address of a server") from None
    if url.scheme != "https" and not is_loopback(host) and not options.allow_insecure_http:
        raise ConfigurationError(
            f"{origin} would get the key in the clear; use https://, or ask on its machine"
        )
    return origin


# --- add ----------------------------------------------------------------------------------


def _configure_add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="whose key it is; keys of one name share all")
    parser.add_argument(
        "--scopes",
        action="extend",
        type=_words,
        metavar="LIST",
        help=f"what it may do, of {', '.join(Scope)}, with commas; repeatable (default: those "
        "of the other key of this name, else "
        f"{','.join(each for each in Scope if each in DEFAULT_SCOPES)})",
    )
    parser.add_argument(
        "--budget-cents",
        metavar="N",
        help="how much the name may spend in all, in US cents (default: as it is, else no limit)",
    )
    parser.add_argument(
        "--concurrency",
        type=whole(1),
        metavar="N",
        help="how many tasks of the name may run at once (default: as it is, else no limit)",
    )
    parser.add_argument(
        "--expires-in", type=whole(1), metavar="DAYS", help="when it expires (default: never)"
    )


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",")]


async def _add(keys: AdminClient, options: argparse.Namespace, console: Console) -> None:
    new = NewKey(
        options.name,
        options.scopes,
        options.budget_cents,
        options.concurrency,
        options.expires_in,
    )
    added = await keys.add(new)
    if options.json:
        console.result(added)
        return
    console.info(
        ("ok ", Style.GOOD),
        f"key {added['id']} of {added['name']} ({', '.join(added['scopes'])}); it is shown this "
        "once and stored nowhere:",
    )
    console.answer(added["key"])


def _add_id(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "key_id", type=_id, metavar="ID", help="the id of the key, as `keys list` shows it"
    )


def _id(text: str) -> str:
    # As part of a path it must not lead to another route, such as ../links/TASK_ID.
    if text in {"", ".", ".."} or "/" in text or "\\" in text:
        raise argparse.ArgumentTypeError(f"{text!r} is not an id; `keys list --all` has the ids")
    return text


# --- list, revoke -------------------------------------------------------------------------


def _configure_list(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--all", action="store_true", help="revoked and expired ones, too")


async def _list(keys: AdminClient, options: argparse.Namespace, console: Console) -> None:
    rows = [each for each in await keys.all() if options.all or each["is_valid"]]
    times = in_local_time("LAST USED"), in_local_time("ENDS")
    headings = ("ID", "NAME", "SCOPES", "SPENT", "BUDGET", "TASKS", *times)
    _show(rows, headings, _key_cells, console)
    if not rows:
        console.info("no keys but the one that the server is started with")


def _key_cells(row: dict[str, Any]) -> Sequence[Span]:
    budget, concurrency = row["budget_cents"], row["concurrency"]
    ended = row["revoked_at"] or row["expires_at"]
    word = "revoked " if row["revoked_at"] else ""
    return (
        row["id"],
        row["name"],
        ",".join(row["scopes"]),
        f"{row['spent_cents']} ¢",
        "no limit" if budget is None else f"{budget} ¢",
        "no limit" if concurrency is None else str(concurrency),
        _time(row["last_used_at"], "never"),
        f"{word}{_time(ended, 'never')}",
    )


def _configure_revoke(parser: argparse.ArgumentParser) -> None:
    _add_id(parser)


async def _revoke(keys: AdminClient, options: argparse.Namespace, console: Console) -> None:
    revoked = await keys.revoke(options.key_id)
    if revoked is None:
        raise ConfigurationError(f"there is no key {options.key_id}; `keys list --all` has the ids")
    console.info(("ok ", Style.GOOD), f"the key of {revoked['name']} opens nothing any more")
    console.result(revoked)


# --- audit --------------------------------------------------------------------------------


def _configure_audit(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--latest",
        type=whole(1, 100_000),
        default=50,
        metavar="N",
        help="as many of the latest entries (default: 50)",
    )
    parser.add_argument("--name", metavar="NAME", help="only what keys of this name did")


async def _audit(keys: AdminClient, options: argparse.Namespace, console: Console) -> None:
    entries = await keys.entries(options.latest, options.name)
    headings = (in_local_time("TIME"), "NAME", "CALL", "STATUS", "FROM", "KEY", "ABOUT")
    _show(entries, headings, _entry_cells, console)
    if not entries:
        console.info("no entries")


def _entry_cells(row: dict[str, Any]) -> Sequence[Span]:
    return (
        _time(row["at"], ""),
        row["name"] or "?",
        row["call"],
        str(row["status"]),
        row["address"] or "?",
        row["key_id"] or "?",
        row["subject"] or "",
    )


def _show(
    rows: Sequence[dict[str, Any]],
    headings: Sequence[str],
    cells: Callable[[dict[str, Any]], Sequence[Span]],
    console: Console,
) -> None:
    """Write rows to stdout, as a table on a terminal, else as JSON lines."""
    if console.stdout_is_tty:
        console.table(headings, [cells(each) for each in rows])
        return
    for row in rows:
        console.result(row)


def _time(text: str | None, missing: str) -> str:
    return missing if text is None else local_time(parse_timestamp(text))


_ACTIONS = {
    "add": _Action("make a key, and print it this once", _configure_add, _add),
    "list": _Action("list the keys, without their texts", _configure_list, _list),
    "revoke": _Action("make a key open nothing any more, at once", _configure_revoke, _revoke),
    "audit": _Action("show who did what, latest last", _configure_audit, _audit),
}
