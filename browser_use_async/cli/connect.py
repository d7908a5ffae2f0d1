"""The server that a command connects to: the configured one, or one started for the command."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from importlib import import_module
from typing import Any

import attrs

from browser_use_async import BrowserUseSession, PollPolicy
from browser_use_async.cli.console import Console
from browser_use_async.cli.options import ServerOptions
from browser_use_async.cli.session_events import EventReporter
from browser_use_async.errors import BrowserUseError, ConfigurationError
from browser_use_async.transport.config import Configuration
from browser_use_async.types.secrets import Secret

REMEDY = (
    "run `browser-use-async login`, set BROWSER_USE_API_KEY, or pass --api-key file:PATH. "
    "`--local` and `browser-use-async demo` need none"
)


class KeyRefusedError(BrowserUseError):
    """The server answered that the key is wrong."""


@attrs.frozen
class Connection:
    """An open session, and the server that it talks to."""

    session: BrowserUseSession  # the open session
    configuration: Configuration  # of that session
    site_url: str | None = None  # the example site, if this command started one

    def fill_in(self, task: str) -> str:
        """Replace `{site}` in a text by the address of the example site.

        Raises:
            ConfigurationError: There is none, and the task would cost money in vain.
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
        ConfigurationError: An option or a variable is invalid.
    """
    async with AsyncExitStack() as stack:
        site_url, poll = None, PollPolicy()
        if server.local:
            started, site = await _start_local(stack)
            server = attrs.evolve(server, api_key=started.api_key, base_url=started.base_url)
            site_url = site.url
            poll = PollPolicy(interval=0.1, latency_target=0.25)  # our own server, just started
        configuration = configured(server)
        if needs_key and configuration.api_key is None:
            # Refused here, so that the message can name the options of the command line.
            raise configuration.missing_key(REMEDY)
        reporter = EventReporter(console)
        stack.callback(reporter.close)
        session = BrowserUseSession(
            None if configuration.api_key is None else configuration.api_key.reveal(),
            base_url=configuration.base_url,
            timeout=configuration.timeout,
            poll=poll,
            on_event=reporter.report,
            allow_insecure_http=server.allow_insecure_http,
        )
        stack.push_async_callback(session.aclose)  # not entered, which would need a key
        yield Connection(session, configuration, site_url)


def configured(server: ServerOptions) -> Configuration:
    """The configuration from options, else the environment, else the configuration file.

    Raises:
        ConfigurationError: A value is invalid.
    """
    return Configuration.resolve(
        Secret.hide(server.given_key()),
        server.base_url,
        server.attempt_timeout,
        allow_insecure_http=server.allow_insecure_http,
    )


async def check_key(connection: Connection) -> None:
    """Ask the server, free of charge, whether it accepts the key.

    Raises:
        BrowserUseError: It does not, or cannot be reached.
    """
    if not await connection.session.account.me():
        raise KeyRefusedError(
            "the server does not accept the key; take the one that belongs to "
            f"{connection.configuration.base_url}"
        )


async def _start_local(stack: AsyncExitStack) -> tuple[Any, Any]:
    # Imported here: commands that use another server must not wait for this one to load.
    server_package: Any = import_module("browser_use_async.server")
    site_module: Any = import_module("browser_use_async.server.static_site")
    site = await stack.enter_async_context(
        site_module.StaticSite(site_module.example_site_directory())
    )
    # Server and task belong to one user, but pages are not trusted: on this machine they may open
    # only the example site, and addresses that a task names with their port.
    chromium = server_package.ChromiumSettings(allow_private_addresses=[site.url])
    server = server_package.LocalServer(search=[site.url], chromium=chromium)
    return await stack.enter_async_context(server), site
