"""Completion of values in a shell: words with commas between them, and ids from the server.

A shell waits for the answer while its user types, so ids that need more than a second are left out.
"""

import asyncio
import os
import re
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

import click
from click.shell_completion import CompletionItem

from browser_use_async import BrowserUseSession
from browser_use_async.cli.connect import connect
from browser_use_async.cli.console import Console, printable
from browser_use_async.cli.options import SERVER_OPTIONS, ServerOptions
from browser_use_async.errors import BrowserUseError

Completer = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]

_SECONDS = 1.0
_MOST = 100  # one page, the newest first
_LONGEST_HELP = 60
# A shell puts a completed word into the command line without quotes, and would run what it says.
_HARMLESS = re.compile(r"[A-Za-z0-9_.-]+")


def complete_words(known: Iterable[str], *, several: bool = False) -> Completer:
    """Complete one of some words, or with `several` a list with commas."""
    words = list(known)

    def complete(
        _context: click.Context, _parameter: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        before, comma, last = incomplete.rpartition(",") if several else ("", "", incomplete)
        taken = before.split(",")
        return [
            CompletionItem(f"{before}{comma}{word}")
            for word in words
            if word.startswith(last) and word not in taken
        ]

    return complete


_Ids = Sequence[tuple[str, str]]  # with words about each
_Read = Callable[[BrowserUseSession], Awaitable[_Ids]]


def _complete_ids(read: _Read) -> Completer:
    def complete(
        context: click.Context, _parameter: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        found = asyncio.run(_found(context, read))
        return [
            CompletionItem(identity, help=printable(words)[:_LONGEST_HELP])
            for identity, words in found
            if identity.startswith(incomplete) and _HARMLESS.fullmatch(identity)
        ]

    return complete


async def _found(context: click.Context, read: _Read) -> _Ids:
    names = [str(each.name) for each in SERVER_OPTIONS]
    given: dict[str, Any] = {
        name: context.params[name] for name in names if context.params.get(name) is not None
    }
    server, console = ServerOptions(**given), Console()
    console.is_quiet = True
    if server.local:
        return ()  # a server that is not running yet has no ids
    try:
        async with asyncio.timeout(_SECONDS), connect(server, console) as connection:
            return await read(connection.session)
    except BrowserUseError:
        return ()
    except TimeoutError:
        # Nothing to print, and a look-up of a name would delay the end of the process.
        os._exit(0)


async def _tasks(session: BrowserUseSession) -> _Ids:
    page = await session.tasks.list(limit=_MOST)
    return [(each.id, f"{each.status}: {each.task}") for each in page.tasks]


async def _schedules(session: BrowserUseSession) -> _Ids:
    page = await session.scheduled_tasks.list(limit=_MOST)
    return [(each.id, each.task) for each in page.tasks]


async def _profiles(session: BrowserUseSession) -> _Ids:
    page = await session.browser_profiles.list(limit=_MOST)
    return [(each.profile_id, each.profile_name) for each in page.profiles]


complete_tasks = _complete_ids(_tasks)
complete_schedules = _complete_ids(_schedules)
complete_profiles = _complete_ids(_profiles)
