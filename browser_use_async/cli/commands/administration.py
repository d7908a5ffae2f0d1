"""`keys`, `backup` and `scripts`: what a bundled server keeps, through its administration."""

import difflib
import os
import sys
from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import aclosing, contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any, BinaryIO

import click
from yarl import URL

from browser_use_async import system
from browser_use_async.api.scalars import parse_timestamp
from browser_use_async.api.script_pairs import SCRIPT_NAME
from browser_use_async.cli.command import Group, command
from browser_use_async.cli.connect import configured
from browser_use_async.cli.console import Console
from browser_use_async.cli.options import (
    Argument,
    ServerOptions,
    amount,
    complete_files,
    option,
    whole,
)
from browser_use_async.cli.screen import Style
from browser_use_async.cli.tables import Column, Listing
from browser_use_async.cli.times import local_time
from browser_use_async.errors import ConfigurationError
from browser_use_async.server.keys.admin_client import AdminClient
from browser_use_async.server.keys.api_key import DEFAULT_SCOPES, NewKey, Scope

_NO_SERVER = (
    "this command needs a bundled server: name a running one with --base-url, "
    "BROWSER_USE_BASE_URL, `browser-use-async login` or --admin-socket"
)
_REMEDY = "run `browser-use-async login`, set BROWSER_USE_API_KEY, or pass --api-key file:PATH"
_ADMIN_SOCKET = option(
    "--admin-socket FILE",
    "the Unix socket of the server's administration (`serve --admin-socket`)",
    type=click.Path(path_type=Path),
)


def _client(server: ServerOptions) -> AdminClient:
    """A client for the administration of the server in the options."""
    configuration, socket = configured(server), server.admin_socket
    if server.local or ("base_url" not in configuration.places and socket is None):
        raise ConfigurationError(_NO_SERVER)
    if configuration.api_key is None:
        raise configuration.missing_key(_REMEDY)
    origin = "" if socket is not None else str(URL(configuration.base_url).origin())
    return AdminClient(origin, configuration.api_key.reveal(), socket)


# --- keys ----------------------------------------------------------------------------------


keys = Group(
    "keys",
    "Make, list and revoke API keys of a bundled server.",
    examples=(
        "keys add shop --scopes run,read --budget-cents 5000",
        "keys list --base-url http://127.0.0.1:8765/api/v1 --api-key file:admin.key",
        "keys revoke KEY_ID",
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
    Argument("name", "NAME", "who uses the key; keys of one name share tasks, files and budget"),
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
    _ADMIN_SOCKET,
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
    added = await _client(server).add(new)
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
    _ADMIN_SOCKET,
    examples=("keys list --columns name,spent_cents,budget_cents",),
)
async def _list(
    console: Console, server: ServerOptions, every: bool
) -> AsyncGenerator[dict[str, Any], None]:
    """List the keys, but not their secret texts."""
    for row in await _client(server).all():
        if every or row["is_valid"]:
            yield row


@keys.action(
    "revoke",
    Argument("key_id", "ID", "the id of the key, as `keys list` shows it", type=_id),
    _ADMIN_SOCKET,
)
async def _revoke(console: Console, server: ServerOptions, key_id: str) -> None:
    """Revoke a key. It stops working at once."""
    revoked = await _client(server).revoke(key_id)
    if revoked is None:
        raise ConfigurationError(f"there is no key {key_id}; `keys list --all` has the ids")
    console.done(f"the key of {revoked['name']} is revoked and stops working at once", revoked)


# --- backup --------------------------------------------------------------------------------


@command(
    "backup",
    Argument(
        "file",
        "FILE",
        "the new file for the copy",
        type=click.Path(path_type=Path),
        shell_complete=complete_files,
    ),
    _ADMIN_SOCKET,
    examples=("backup monday.db",),
)
async def backup(console: Console, server: ServerOptions, file: Path) -> None:
    """Copy the data of a bundled server to a file, while it runs.

    The copy has everything that the server has answered before: tasks with their files, keys,
    spending, schedules, profiles, scripts and webhooks. It is a database for `serve --database`.
    """
    client, size = _client(server), 0
    with _new_file(file) as copy, console.status(f"{file}: the server makes a copy") as update:
        async with aclosing(client.backup()) as chunks:
            async for chunk in chunks:
                size += copy.write(chunk)
                update(f"{file}: {size:,} bytes")
    console.done(f"{file}: {size:,} bytes", {"path": str(file), "bytes": size})


@contextmanager
def _new_file(path: Path) -> Generator[BinaryIO]:
    """A file that nobody sees before it is whole and on the disk; mode 0600."""
    if os.path.lexists(path):
        raise ConfigurationError(f"{path} is there already; name a new file")
    try:
        with (
            system.replaced_file(path, is_new=True) as descriptor,
            os.fdopen(descriptor, "wb", closefd=False) as file,
        ):
            yield file
            file.flush()
            os.fsync(descriptor)
        system.sync_folder(path.resolve().parent)
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be written: {error.strerror}") from None


# --- scripts -------------------------------------------------------------------------------

_ENDING = ".script"
_SCRIPT_FIELDS = (
    *("name", "version", "origin", "made_at", "plays", "failures", "steps", "model_calls"),
    "task_id",
)

scripts = Group(
    "scripts",
    "Show, change and copy the scripts that a bundled server plays.",
    examples=(
        "scripts list",
        "scripts show office",
        "scripts export scripts/",
        "scripts import scripts/office.script",
        "scripts edit office",
    ),
)


def _name(text: str) -> str:
    if SCRIPT_NAME.fullmatch(text) is None:
        raise click.BadParameter(f"{text!r} is no name of a script; `scripts list` has the names")
    return text


_NAME = Argument("name", "NAME", "the script", type=_name)
_VERSION = option("--version N", "the version (default: the latest)", type=whole(1))


_SCRIPTS = Listing(
    "no scripts",
    [Column[dict[str, Any]](name) for name in _SCRIPT_FIELDS if name != "task_id"],
    _SCRIPT_FIELDS,
)


@scripts.listing("list", _SCRIPTS, _ADMIN_SOCKET)
async def _list_scripts(
    console: Console, server: ServerOptions
) -> AsyncGenerator[dict[str, Any], None]:
    """List the scripts, and how often they were played and failed."""
    found = await _client(server).get("/admin/scripts")
    for row in found["scripts"]:
        yield row


@scripts.action("show", _NAME, _VERSION, _ADMIN_SOCKET)
async def _show_script(
    console: Console, server: ServerOptions, name: str, version: int | None
) -> None:
    """Print the text of a script."""
    found = await _versions(server, name)
    if version not in {None, *(each["version"] for each in found)}:
        latest = found[0]["version"]
        raise ConfigurationError(f"{name} has no version {version}; its latest is {latest}")
    shown = await _version(server, name, version or found[0]["version"])
    if console.shows_text:
        console.answer(shown["text"])
    else:
        console.result(shown)


@scripts.action("diff", _NAME, _ADMIN_SOCKET)
async def _compare(console: Console, server: ServerOptions, name: str) -> None:
    """Show what is different between the two latest versions."""
    latest, *before = await _versions(server, name)
    if not before:
        raise ConfigurationError(f"{name} has one version, and nothing to compare it with")
    lines = difflib.unified_diff(
        (await _version(server, name, before[0]["version"]))["text"].splitlines(),
        (await _version(server, name, latest["version"]))["text"].splitlines(),
        f"{name}, version {before[0]['version']}",
        f"{name}, version {latest['version']}",
        lineterm="",
    )
    console.answer("\n".join(lines))


@scripts.action("edit", _NAME, _ADMIN_SOCKET)
async def _edit(console: Console, server: ServerOptions, name: str) -> None:
    """Change the text of a script in an editor ($EDITOR); tasks play the new version."""
    if not sys.stdin.isatty():
        raise ConfigurationError("scripts edit needs a terminal; use scripts export and import")
    latest = (await _versions(server, name))[0]
    text = (await _version(server, name, latest["version"]))["text"]
    changed = click.edit(text, extension=_ENDING)
    if changed is None or changed == text:
        console.info("nothing was changed")
        return
    await _put(console, server, name, changed)


@scripts.action(
    "export",
    Argument("folder", "FOLDER", "where the files are written", type=click.Path(path_type=Path)),
    _ADMIN_SOCKET,
)
async def _export(console: Console, server: ServerOptions, folder: Path) -> None:
    """Write the latest version of each script to a file, NAME.script."""
    found = (await _client(server).get("/admin/scripts"))["scripts"]
    texts = {
        each["name"]: (await _version(server, each["name"], each["version"]))["text"]
        for each in found
    }
    for path in _write(folder, texts):
        console.info(str(path))
    console.result({"exported": [*texts]})


@scripts.action(
    "import",
    Argument(
        "files",
        "FILE",
        "a file, NAME.script",
        nargs=-1,
        required=True,
        type=click.Path(path_type=Path),
    ),
    _ADMIN_SOCKET,
)
async def _import(console: Console, server: ServerOptions, files: tuple[Path, ...]) -> None:
    """Add each file as the latest version of the script with its name."""
    for path in files:
        if path.suffix != _ENDING:
            raise ConfigurationError(f"{path} is not called NAME{_ENDING}")
    for path in files:
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            raise ConfigurationError(f"{path} cannot be read: {error}") from None
        await _put(console, server, path.stem, text)


@scripts.action("delete", _NAME, _ADMIN_SOCKET)
async def _delete_script(console: Console, server: ServerOptions, name: str) -> None:
    """Delete all versions of a script; the next task that names it records it again."""
    await _client(server).delete(f"/admin/scripts/{name}")
    console.done(f"{name}: all versions are deleted", {"id": name, "deleted": True})


def _write(folder: Path, texts: dict[str, str]) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{name}{_ENDING}" for name in texts]
    for path, text in zip(paths, texts.values(), strict=True):
        path.write_text(text, encoding="utf-8")
    return paths


async def _put(console: Console, server: ServerOptions, name: str, text: str) -> None:
    made = await _client(server).put(f"/admin/scripts/{name}", {"text": text})
    console.done(f"{name}: version {made['version']}", made)


async def _version(server: ServerOptions, name: str, version: int) -> dict[str, Any]:
    """One version with its text."""
    answer: dict[str, Any] = await _client(server).get(f"/admin/scripts/{name}/{version}")
    return answer


async def _versions(server: ServerOptions, name: str) -> list[dict[str, Any]]:
    answer = await _client(server).get(f"/admin/scripts/{name}")
    versions: list[dict[str, Any]] = answer["versions"]
    return versions
