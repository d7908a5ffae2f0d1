"""The server that a command connects to: the configured one, or one started for the command."""

import os
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from importlib import import_module
from typing import Any

import attrs

from browser_use_async import BrowserUseSession, PollPolicy
from browser_use_async.cli.console import Console
from browser_use_async.cli.options import ServerOptions
from browser_use_async.cli.session_events import EventReporter
from browser_use_async.errors import ConfigurationError
from browser_use_async.transport.config import DEFAULT_BASE_URL

NO_KEY = (
    "no API key: set BROWSER_USE_API_KEY, or pass --api-key file:PATH. `--local` and "
    "`browser-use-async demo` need none"
)


@attrs.frozen
class Connection:
    """An open session, and the server that it talks to."""

    session: BrowserUseSession  # the open session
    base_url: str  # the address of the API
    has_key: bool  # whether there is a key at all
    site_url: str | None = None  # the example site, if this command started one

    def fill_in(self, task: str) -> str:
        """Replace `{site}` in a text by the address of the example site.

        Raises:
            ConfigurationError: There is none, so that the text would be paid for in vain.
        """
        if "{site}" not in task:
            return task
        if self.site_url is None:
            raise ConfigurationError(
                "{site} stands for the example site of --local; write the address of a page"
            )
        return task.replace("{site}", self.site_url.rstrip("/"))


@asynccontextmanager
async def connect(
    server: ServerOptions, console: Console, *, needs_key: bool = True
) -> AsyncGenerator[Connection, None]:
    """Open a session with the server that the options name; with `--local`, start it first.

    Raises:
        ConfigurationError: An option or a variable cannot work.
    """
    async with AsyncExitStack() as stack:
        key = _key(server)
        base_url, site_url, poll = server.base_url, None, PollPolicy()
        if server.local:
            started, site = await _start_local(stack)
            key, base_url, site_url = started.api_key, started.base_url, site.url
            poll = PollPolicy(interval=0.1, latency_target=0.25)  # our own server, just started
        elif needs_key and key is None:
            # Refused here, so that the message can name the options of the command line.
            raise ConfigurationError(NO_KEY)
        reporter = EventReporter(console)
        stack.callback(reporter.close)
        session = BrowserUseSession(
            key,
            base_url=base_url,
            timeout=server.attempt_timeout,
            poll=poll,
            on_event=reporter.report,
            allow_insecure_http=server.allow_insecure_http,
        )
        stack.push_async_callback(session.aclose)  # not entered: that demands a key
        base_url = base_url or os.environ.get("BROWSER_USE_BASE_URL") or DEFAULT_BASE_URL
        yield Connection(session, base_url, key is not None, site_url)


async def _start_local(stack: AsyncExitStack) -> tuple[Any, Any]:
    # Imported here: commands that use another server must not wait for this one to load.
    server_package: Any = import_module("browser_use_async.server")
    site_module: Any = import_module("browser_use_async.server.static_site")
    site = await stack.enter_async_context(
        site_module.StaticSite(site_module.example_site_directory())
    )
    # Server and task belong to one user, but pages are strangers: of this machine only the example
    # site is open, and what a task names with its port.
    chromium = server_package.ChromiumSettings(allow_private_addresses=[site.url])
    server = server_package.LocalServer(search=[site.url], chromium=chromium)
    return await stack.enter_async_context(server), site


def _key(server: ServerOptions) -> str | None:
    """The key from the options, else from the environment."""
    given = server.given_key()
    # An empty key that was given is an error to report; the environment does not replace it.
    return given if given is not None else os.environ.get("BROWSER_USE_API_KEY") or None
