"""`keys`: the API keys of a bundled server, through its administration."""

from collections.abc import AsyncGenerator, Sequence
from decimal import Decimal
from typing import Any

import click

from browser_use_async.api.scalars import parse_timestamp
from browser_use_async.cli.administration import ADMIN_SOCKET, admin_client
from browser_use_async.cli.command import Group
from browser_use_async.cli.console import Console
from browser_use_async.cli.lists import Column, Listing
from browser_use_async.cli.options import Argument, ServerOptions, option
from browser_use_async.cli.screen import Style
from browser_use_async.cli.times import local_time
from browser_use_async.cli.values import amount, whole
from browser_use_async.errors import ConfigurationError
from browser_use_async.server.keys.api_key import DEFAULT_SCOPES, NewKey, Scope

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
    # As part of a path it must not reach another route, such as ../links/TASK_ID.
    if text in {"", ".", ".."} or "/" in text or "\\" in text:
        raise click.BadParameter(f"{text!r} is not an id; `keys list --all` has the ids")
    return text


@keys.action(
    "add",
    Argument(
        "name",
        "NAME",
        "who uses the key; keys of one name share tasks, files and budget",
    ),
    option(
        "--scopes LIST",
        f"what the key may do: {', '.join(Scope)}, with commas between them; repeatable "
        "(default: as the other keys of this name, or "
        f"{','.join(each for each in Scope if each in DEFAULT_SCOPES)} for a new name)",
        type=_words,
        multiple=True,
    ),
    option(
        "--budget-cents N",
        "the most that all keys of the name may spend, in US cents (default: unchanged; no limit "
        "for a new name)",
        type=amount,
    ),
    option(
        "--concurrency N",
        "the most tasks of the name at the same time (default: unchanged; no limit for a new name)",
        type=whole(1),
    ),
    option("--expires-in DAYS", "after how many days it expires (default: never)", type=whole(1)),
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
) -> None:
    """Make a key and print it. It is not shown again."""
    named = [scope for several in scopes for scope in several] or None
    new = NewKey(name, named, budget_cents, concurrency, expires_in)
    added = await admin_client(server).add(new)
    if console.is_json:
        console.result(added)
        return
    console.info(
        ("ok ", Style.GOOD),
        f"key {added['id']} of {added['name']} ({', '.join(added['scopes'])}); it is shown this "
        "once and stored nowhere:",
    )
    console.answer(added["key"])


def _ends(row: dict[str, Any]) -> str | None:
    if row["revoked_at"] is None:
        return str(row["expires_at"]) if row["expires_at"] else None
    revoked = parse_timestamp(row["revoked_at"])
    return f"revoked {local_time(revoked)}"


_KEYS = Listing[dict[str, Any]](
    "no keys but the one that the server is started with",
    (
        Column("id"),
        Column("name"),
        Column("scopes", lambda row: ",".join(row["scopes"]), is_text=True),
        Column("spent_cents"),
        Column("budget_cents", missing="no limit"),
        Column("concurrency", missing="no limit"),
        Column("last_used_at", missing="never"),
        Column("expires_at", _ends, missing="never"),
    ),
    (
        *("id", "name", "scopes", "created_at", "expires_at", "revoked_at", "last_used_at"),
        *("spent_cents", "budget_cents", "concurrency", "is_valid"),
    ),
)


@keys.listing(
    "list",
    _KEYS,
    option("--all", "also revoked and expired keys", name="every"),
    ADMIN_SOCKET,
    examples=("keys list --columns name,spent_cents,budget_cents",),
)
async def _list(
    console: Console, server: ServerOptions, every: bool
) -> AsyncGenerator[dict[str, Any], None]:
    """List the keys, but not their secret texts."""
    for row in await admin_client(server).all():
        if every or row["is_valid"]:
            yield row


@keys.action(
    "revoke",
    Argument("key_id", "ID", "the id of the key, as `keys list` shows it", type=_id),
    ADMIN_SOCKET,
)
async def _revoke(console: Console, server: ServerOptions, key_id: str) -> None:
    """Revoke a key. It stops working at once."""
    revoked = await admin_client(server).revoke(key_id)
    if revoked is None:
        raise ConfigurationError(f"there is no key {key_id}; `keys list --all` has the ids")
    console.done(f"the key of {revoked['name']} is revoked and stops working at once", revoked)


_ENTRIES = Listing[dict[str, Any]](
    "no entries",
    (
        Column("at"),
        Column("name", missing="?"),
        Column("call"),
        Column("status"),
        Column("address", missing="?"),
        Column("key_id", missing="?"),
        Column("subject", is_text=True),
    ),
    ("at", "name", "call", "status", "address", "key_id", "subject"),
)


@keys.listing(
    "audit",
    _ENTRIES,
    option(
        "--latest N",
        "how many of the newest entries (default: 50)",
        type=whole(1, 100_000),
        default=50,
    ),
    option("--name NAME", "only calls with keys of this name"),
    ADMIN_SOCKET,
)
async def _audit(
    console: Console, server: ServerOptions, latest: int, name: str | None
) -> AsyncGenerator[dict[str, Any], None]:
    """Show which key did what, the newest entry last."""
    for row in await admin_client(server).entries(latest, name):
        yield row
