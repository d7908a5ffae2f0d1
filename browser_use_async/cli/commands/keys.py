"""`keys`: the API keys of a bundled server, through its administration."""

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import click

from browser_use_async.api.scalars import parse_timestamp
from browser_use_async.cli.administration import ADMIN_SOCKET, admin_client
from browser_use_async.cli.command import Group
from browser_use_async.cli.console import Console
from browser_use_async.cli.options import Argument, ServerOptions, option
from browser_use_async.cli.rows import in_local_time, local_time, show_dicts
from browser_use_async.cli.screen import Span, Style
from browser_use_async.cli.values import amount, whole
from browser_use_async.errors import ConfigurationError
from browser_use_async.server.keys.api_key import DEFAULT_SCOPES, Scope
from browser_use_async.server.keys.new_key import NewKey

keys = Group(
    "keys",
    "Make, list and revoke API keys of a bundled server.",
    examples=(
        "keys add shop --scopes run,read --budget-cents 5000",
        "keys list --base-url http://127.0.0.1:8765/api/v1 --api-key file:admin.key",
        "keys revoke KEY_ID",
        "keys audit --name shop --latest 20",
    ),
)


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",")]


def _id(text: str) -> str:
    # As part of a path it must not lead to another route, such as ../links/TASK_ID.
    if text in {"", ".", ".."} or "/" in text or "\\" in text:
        raise click.BadParameter(f"{text!r} is not an id; `keys list --all` has the ids")
    return text


@keys.action(
    "add",
    Argument("name", "NAME", "whose key it is; keys of one name share all"),
    option(
        "--scopes LIST",
        f"what it may do, of {', '.join(Scope)}, with commas; repeatable (default: those "
        "of the other key of this name, else "
        f"{','.join(each for each in Scope if each in DEFAULT_SCOPES)})",
        type=_words,
        multiple=True,
    ),
    option(
        "--budget-cents N",
        "how much the name may spend in all, in US cents (default: unchanged, else no limit)",
        type=amount,
    ),
    option(
        "--concurrency N",
        "how many tasks of the name may run at once (default: unchanged, else no limit)",
        type=whole(1),
    ),
    option("--expires-in DAYS", "when it expires (default: never)", type=whole(1)),
    ADMIN_SOCKET,
    examples=("keys add shop --concurrency 5 --expires-in 90 > shop.key",),
)
async def _add(
    console: Console,
    server: ServerOptions,
    name: str,
    scopes: Sequence[Sequence[str]],
    budget_cents: Decimal | None,
    concurrency: int | None,
    expires_in: int | None,
    admin_socket: Path | None,
) -> None:
    """Make a key, and print it this once."""
    named = [scope for several in scopes for scope in several] or None
    new = NewKey(name, named, budget_cents, concurrency, expires_in)
    added = await admin_client(server, admin_socket).add(new)
    if console.is_json:
        console.result(added)
        return
    console.info(
        ("ok ", Style.GOOD),
        f"key {added['id']} of {added['name']} ({', '.join(added['scopes'])}); it is shown this "
        "once and stored nowhere:",
    )
    console.answer(added["key"])


@keys.action("list", option("--all", "revoked and expired ones, too", name="every"), ADMIN_SOCKET)
async def _list(
    console: Console, server: ServerOptions, every: bool, admin_socket: Path | None
) -> None:
    """List the keys, without their texts."""
    found = await admin_client(server, admin_socket).all()
    rows = [each for each in found if every or each["is_valid"]]
    times = in_local_time("LAST USED"), in_local_time("ENDS")
    headings = ("ID", "NAME", "SCOPES", "SPENT", "BUDGET", "TASKS", *times)
    show_dicts(rows, headings, _key_cells, console)
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


@keys.action(
    "revoke",
    Argument("key_id", "ID", "the id of the key, as `keys list` shows it", type=_id),
    ADMIN_SOCKET,
)
async def _revoke(
    console: Console, server: ServerOptions, key_id: str, admin_socket: Path | None
) -> None:
    """Make a key open nothing any more, at once."""
    revoked = await admin_client(server, admin_socket).revoke(key_id)
    if revoked is None:
        raise ConfigurationError(f"there is no key {key_id}; `keys list --all` has the ids")
    console.info(("ok ", Style.GOOD), f"the key of {revoked['name']} opens nothing any more")
    console.result(revoked)


@keys.action(
    "audit",
    option(
        "--latest N",
        "as many of the latest entries (default: 50)",
        type=whole(1, 100_000),
        default=50,
    ),
    option("--name NAME", "only what keys of this name did"),
    ADMIN_SOCKET,
)
async def _audit(
    console: Console,
    server: ServerOptions,
    latest: int,
    name: str | None,
    admin_socket: Path | None,
) -> None:
    """Show who did what, latest last."""
    entries = await admin_client(server, admin_socket).entries(latest, name)
    headings = (in_local_time("TIME"), "NAME", "CALL", "STATUS", "FROM", "KEY", "ABOUT")
    show_dicts(entries, headings, _entry_cells, console)
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


def _time(text: str | None, missing: str) -> str:
    return missing if text is None else local_time(parse_timestamp(text))
