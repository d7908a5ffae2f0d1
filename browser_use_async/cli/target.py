"""The server that a command talks to: the configured one, or one that lives as long as it does."""

import argparse
import os
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from importlib import import_module
from typing import Any

import attrs

from browser_use_async import (
    BrowserUseSession,
    PollPolicy,
    RetryScheduled,
    SessionEvent,
    SlotAwaited,
    SubmissionAdopted,
)
from browser_use_async.cli.console import Console, Style
from browser_use_async.cli.options import given_key
from browser_use_async.errors import ConfigurationError
from browser_use_async.transport.config import DEFAULT_BASE_URL

__all__ = ["NO_KEY", "Target", "open_target"]

NO_KEY = (
    "no API key: set BROWSER_USE_API_KEY, or pass --api-key-file FILE. `--local` and "
    "`browser-use-async demo` need none"
)


@attrs.frozen
class Target:
    """Where a command sends its calls."""

    session: BrowserUseSession  # the open session
    base_url: str  # the address of the API
    has_key: bool  # whether there is a key at all
    site_url: str | None = None  # the example site, if this command started one

    def filled(self, task: str) -> str:
        """A task's text with the address of the example site in place of `{site}`."""
        return task if self.site_url is None else task.replace("{site}", self.site_url.rstrip("/"))


@asynccontextmanager
async def open_target(
    options: argparse.Namespace, console: Console, *, needs_key: bool = True
) -> AsyncGenerator[Target, None]:
    """Open a session with the server that the options name; `--local` starts it first.

    Raises:
        ConfigurationError: An option or a variable cannot work.
    """
    async with AsyncExitStack() as stack:
        key = _key(options)
        base_url, site_url, poll = options.base_url, None, PollPolicy()
        if options.local:
            server, site = await _start_local(stack)
            key, base_url, site_url = server.api_key, server.base_url, site.url
            poll = PollPolicy(interval=0.1, latency_target=0.25)  # our own server, just started
        elif needs_key and key is None:
            raise ConfigurationError(NO_KEY)
        session = BrowserUseSession(
            key,
            base_url=base_url,
            timeout=options.attempt_timeout,
            poll=poll,
            on_event=lambda event: _tell(event, console),
            allow_insecure_http=options.allow_insecure_http,
        )
        base_url = base_url or os.environ.get("BROWSER_USE_BASE_URL") or DEFAULT_BASE_URL
        yield Target(await stack.enter_async_context(session), base_url, key is not None, site_url)


async def _start_local(stack: AsyncExitStack) -> tuple[Any, Any]:
    # Only here: whoever talks to a server that runs elsewhere does not load one.
    server_room: Any = import_module("browser_use_async.server")
    site_file: Any = import_module("browser_use_async.server.static_site")
    site = await stack.enter_async_context(site_file.StaticSite(site_file.example_site_directory()))
    # Whoever starts the server and the task on one machine may open that machine's pages.
    chromium = server_room.ChromiumSettings(allow_private_addresses=True)
    server = server_room.LocalServer(search=[site.url], chromium=chromium)
    return await stack.enter_async_context(server), site


def _key(options: argparse.Namespace) -> str | None:
    """The key that was given; an empty one is a mistake, and no reason to use another."""
    given = given_key(options)
    return given if given is not None else os.environ.get("BROWSER_USE_API_KEY") or None


def _tell(event: SessionEvent, console: Console) -> None:
    match event:
        case RetryScheduled():
            text = f"{event.reason}; trying again in {event.pause:.1f} s ({event.operation})"
        case SlotAwaited():
            text = "too many tasks run at once; the task is created when one of them has ended"
        case SubmissionAdopted():
            text = f"the answer was lost, and task {event.task_id} found: nothing is paid twice"
        case _:
            text = f"task {event.task_id} is {event.status}, a status that is new to this version"
    console.item([("note: ", Style.WAITING)], text)
