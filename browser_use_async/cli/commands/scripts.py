"""`scripts`: the scripts that a bundled server keeps, through its administration."""

import difflib
import sys
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import click

from browser_use_async.api.script_pairs import SCRIPT_NAME
from browser_use_async.cli.administration import ADMIN_SOCKET, admin_client
from browser_use_async.cli.command import Group
from browser_use_async.cli.console import Console
from browser_use_async.cli.lists import Column, Listing
from browser_use_async.cli.options import Argument, ServerOptions, option
from browser_use_async.cli.values import whole
from browser_use_async.errors import ConfigurationError

ENDING = ".script"
_FIELDS = (
    *("name", "version", "origin", "made_at", "plays", "failures", "steps", "model_calls"),
    *("healed", "task_id"),
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


_ROWS = Listing(
    "no scripts",
    [Column[dict[str, Any]](name) for name in _FIELDS if name != "task_id"],
    _FIELDS,
)


@scripts.listing("list", _ROWS, ADMIN_SOCKET)
async def _list(console: Console, server: ServerOptions) -> AsyncGenerator[dict[str, Any], None]:
    """List the scripts, and how often they were played and failed."""
    found = await admin_client(server).get("/admin/scripts")
    for row in found["scripts"]:
        yield row


@scripts.action("show", _NAME, _VERSION, ADMIN_SOCKET)
async def _show(console: Console, server: ServerOptions, name: str, version: int | None) -> None:
    """Print the text of a script."""
    found = await _versions(server, name)
    shown = _chosen(found, name, version)
    if console.shows_text:
        console.answer(shown["text"])
    else:
        console.result(shown)


@scripts.action("diff", _NAME, ADMIN_SOCKET)
async def _diff(console: Console, server: ServerOptions, name: str) -> None:
    """Show what is different between the two latest versions."""
    latest, *before = await _versions(server, name)
    if not before:
        raise ConfigurationError(f"{name} has one version, and nothing to compare it with")
    lines = difflib.unified_diff(
        before[0]["text"].splitlines(),
        latest["text"].splitlines(),
        f"{name}, version {before[0]['version']}",
        f"{name}, version {latest['version']}",
        lineterm="",
    )
    console.answer("\n".join(lines))


@scripts.action("edit", _NAME, ADMIN_SOCKET)
async def _edit(console: Console, server: ServerOptions, name: str) -> None:
    """Change the text of a script in an editor ($EDITOR); tasks play the new version."""
    if not sys.stdin.isatty():
        raise ConfigurationError("scripts edit needs a terminal; use scripts export and import")
    text = (await _versions(server, name))[0]["text"]
    changed = click.edit(text, extension=ENDING)
    if changed is None or changed == text:
        console.info("nothing was changed")
        return
    await _put(console, server, name, changed)


@scripts.action(
    "export",
    Argument("folder", "FOLDER", "where the files are written", type=click.Path(path_type=Path)),
    ADMIN_SOCKET,
)
async def _export(console: Console, server: ServerOptions, folder: Path) -> None:
    """Write the latest version of each script to a file, NAME.script."""
    client = admin_client(server)
    names = [each["name"] for each in (await client.get("/admin/scripts"))["scripts"]]
    texts = {
        name: (await client.get(f"/admin/scripts/{name}"))["versions"][0]["text"] for name in names
    }
    for path in _write(folder, texts):
        console.info(str(path))
    console.result({"exported": names})


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
    ADMIN_SOCKET,
)
async def _import(console: Console, server: ServerOptions, files: tuple[Path, ...]) -> None:
    """Add each file as the latest version of the script with its name."""
    for path in files:
        if path.suffix != ENDING:
            raise ConfigurationError(f"{path} is not called NAME{ENDING}")
    for path in files:
        await _put(console, server, path.stem, _read(path))


@scripts.action("delete", _NAME, ADMIN_SOCKET)
async def _delete(console: Console, server: ServerOptions, name: str) -> None:
    """Delete all versions of a script; the next task that names it records it again."""
    await admin_client(server).delete(f"/admin/scripts/{name}")
    console.done(f"{name}: all versions are deleted", {"id": name, "deleted": True})


def _write(folder: Path, texts: dict[str, str]) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{name}{ENDING}" for name in texts]
    for path, text in zip(paths, texts.values(), strict=True):
        path.write_text(text, encoding="utf-8")
    return paths


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{path} cannot be read: {error}") from None


async def _put(console: Console, server: ServerOptions, name: str, text: str) -> None:
    made = await admin_client(server).put(f"/admin/scripts/{name}", {"text": text})
    console.done(f"{name}: version {made['version']}", made)


async def _versions(server: ServerOptions, name: str) -> list[dict[str, Any]]:
    answer = await admin_client(server).get(f"/admin/scripts/{name}")
    versions: list[dict[str, Any]] = answer["versions"]
    return versions


def _chosen(versions: list[dict[str, Any]], name: str, number: int | None) -> dict[str, Any]:
    found = [each for each in versions if number in {None, each["version"]}]
    if not found:
        raise ConfigurationError(
            f"{name} has no version {number}; its latest is {versions[0]['version']}"
        )
    return found[0]
