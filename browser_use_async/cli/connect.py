"""The server that a command connects to: the configured one, or one started for the command."""

import asyncio
import logging
import re
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager

import attrs

from browser_use_async import BrowserUseSession, PollPolicy, events
from browser_use_async.cli.console import Console
from browser_use_async.cli.options import ServerOptions
from browser_use_async.cli.screen import Style
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
        """Replace `{site}` in a text by the address of the example site."""
        if "{site}" not in task:
            return task
        if self.site_url is None:  # the task would cost money in vain
            raise ConfigurationError(
                "{site} stands for the example site of --local; write the address of a page"
            )
        return task.replace("{site}", self.site_url.rstrip("/"))


@asynccontextmanager
async def connect(
    server: ServerOptions,
    console: Console,
    *,
    needs_key: bool = True,
    outage_timeout: float | None = None,
) -> AsyncGenerator[Connection, None]:
    """Open a session with the server that the options name; with `--local`, start it first.

    `outage_timeout` is that of its `PollPolicy`.
    """
    async with AsyncExitStack() as stack:
        site_url, poll = None, PollPolicy()
        if server.local:
            key, base_url, site_url = await _start_local(stack)
            server = attrs.evolve(server, api_key=key, base_url=base_url)
            poll = PollPolicy(interval=0.1, latency_target=0.25)  # our own server, just started
        if outage_timeout is not None:
            poll = attrs.evolve(poll, outage_timeout=outage_timeout)
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
    """The configuration from options, else the environment, else the configuration file."""
    return Configuration.resolve(
        Secret.hide(server.given_key()),
        server.base_url,
        server.attempt_timeout,
        allow_insecure_http=server.allow_insecure_http,
    )


async def check_key(connection: Connection) -> None:
    """Ask the server, free of charge, whether it accepts the key; an error says if it does not."""
    if not await connection.session.account.me():
        raise KeyRefusedError(
            "the server does not accept the key; take the one that belongs to "
            f"{connection.configuration.base_url}"
        )


async def _start_local(stack: AsyncExitStack) -> tuple[str, str, str]:
    """Start a server and the example site: the key, and the addresses of both."""
    # Imported here: commands that use another server must not wait for this one to load.
    from browser_use_async.server import ChromiumSettings, LocalServer  # noqa: PLC0415
    from browser_use_async.server.http import static_site  # noqa: PLC0415

    site = static_site.StaticSite(static_site.example_site_directory())
    await stack.enter_async_context(site)
    # Server and task belong to one user, but pages are not trusted: on this machine they may open
    # only the example site, and addresses that a task names with their port.
    chromium = ChromiumSettings(allow_private_addresses=[site.url])
    server = await stack.enter_async_context(LocalServer(search=[site.url], chromium=chromium))
    return server.api_key, server.base_url, site.url


_TICK = 1.0  # seconds between two updates of the status line
# Left out: the address is known from the options, and a status line is short.
_ADDRESS = re.compile(r"no connection to \S+: (?=\S)")


class EventReporter:
    """Shows the events of one session; call `close` at its end."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._down_since = 0.0  # the loop time at which the outage began
        self._timer: asyncio.TimerHandle | None = None

    def report(self, event: events.SessionEvent) -> None:
        """Show what an event says; an outage for as long as it lasts."""
        if isinstance(event, events.ServiceUnreachable):
            self._begin_outage(event)
            return
        if isinstance(event, events.ServiceRecovered):
            self.close()
        text = str(event)
        if isinstance(event, events.EndActionAttempted):
            text += _next_command(event)
        if event.level >= logging.WARNING:
            self._console.labelled([("warning: ", Style.BAD)], text)
        else:
            self._console.note(text)

    def close(self) -> None:
        """Stop showing an outage."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._console.set_notice(None)

    def _begin_outage(self, event: events.ServiceUnreachable) -> None:
        self._down_since = asyncio.get_running_loop().time() - event.seconds
        outage = attrs.evolve(event, reason=_brief(event.reason))
        # A terminal shows it in the status line; any other output gets a line.
        if not self._console.is_interactive:
            self._console.note(str(outage))
        self._tick(outage)

    def _tick(self, outage: events.ServiceUnreachable) -> None:
        loop = asyncio.get_running_loop()
        seconds = loop.time() - self._down_since
        self._console.set_notice(str(attrs.evolve(outage, seconds=seconds)))
        self._timer = loop.call_later(_TICK, self._tick, outage)


def _next_command(event: events.EndActionAttempted) -> str:
    """The command that the user may need next, as it continues the event's sentence."""
    if event.problem is not None:
        return f": browser-use-async {event.action} {event.task_id}"
    is_paused = event.action == "pause"
    return f"; to continue it: browser-use-async resume {event.task_id}" if is_paused else ""


def _brief(reason: str) -> str:
    """The reason without the address; the first letter is small, as in the middle of a line."""
    brief = _ADDRESS.sub("", reason)
    # "TLS" stays in capitals.
    is_word = brief[1:2].islower()
    return brief[:1].lower() + brief[1:] if brief != reason and is_word else brief
