"""`serve`: the bundled Cloud API v1 server, until a signal ends it."""

import asyncio
import logging
import os
import shlex
from collections.abc import Mapping
from contextlib import AsyncExitStack
from importlib.util import find_spec
from typing import Any

import attrs

from browser_use_async import system
from browser_use_async.api.endpoint_table import API_PREFIX
from browser_use_async.cli.command import command
from browser_use_async.cli.console import Console
from browser_use_async.cli.exit import ExitCode
from browser_use_async.cli.screen import Style
from browser_use_async.cli.setting_options import (
    given,
    named_variables,
    options_of,
    visible_secrets,
)
from browser_use_async.errors import ConfigurationError
from browser_use_async.postgres.address import is_postgres
from browser_use_async.server import (
    AgentSettings,
    ChromiumSettings,
    LocalServer,
    ServerSettings,
    Webhook,
)
from browser_use_async.server.executors.browser.locate import find_browser, version_warning
from browser_use_async.server.executors.choice import has_browser
from browser_use_async.server.http.access_log import LOGGER as ACCESS_LOG
from browser_use_async.server.http.access_log import JsonLines
from browser_use_async.server.http.connections import DESCRIPTORS
from browser_use_async.server.http.static_site import StaticSite, example_site_directory
from browser_use_async.server.secrets.encryption import KEY_VARIABLE, missing_for_encryption
from browser_use_async.server.secrets.sources import file_of, variable_of
from browser_use_async.server.setting_kinds import (
    URL_TEXT,
    one_of,
    secret,
    setting,
    whole,
)
from browser_use_async.server.settings import GROUPS

# Where the example site is served unless that port is taken.
DEFAULT_SITE_PORT = 8780
_LONGEST_PAUSE = 30.0  # seconds between two attempts to register a webhook


@attrs.frozen(kw_only=True)
class ServeSettings:
    """What the command adds to a server."""

    example_site: int | None = setting(
        None,
        attrs.evolve(whole(0, 65_535, unit="port", metavar="PORT"), implied=DEFAULT_SITE_PORT),
        "serve the example site, too",
        more=f"At the port {DEFAULT_SITE_PORT}, or at a free one if that is taken, unless a port "
        "is given.",
        option="--example-site",
        explained=True,
    )
    access_log: str = setting(
        "text",
        one_of("text", "json", "none", metavar="FORM"),
        "the line on stderr for each request",
        more="Secret parts of links are hidden in these lines. Those of `json` also say key and "
        "call.",
        option="--access-log",
    )
    webhook: str | None = setting(
        None,
        URL_TEXT,
        "an address that receives events about tasks",
        more="It has to accept the test event; https, or http on this machine.",
        option="--webhook",
        explained=True,
    )
    webhook_secret: str | None = setting(
        None, secret("secret", "SECRET"), "its secret", option="--webhook-secret"
    )


_EXECUTORS: dict[str, type] = {
    "chromium": ChromiumSettings,
    "agent": AgentSettings,
}
_OWNERS = (ServerSettings, *_EXECUTORS.values(), ServeSettings)


@command(
    "serve",
    *(option for title, owner in GROUPS for option in options_of(title, owner)),
    *options_of("command", ServeSettings),
    connects=False,
    examples=(
        "serve --example-site",
        "serve --database tasks.db --port 8765",
        "serve --executor scripted --fault 'lost_reply run_task calls=1'",
    ),
)
async def serve(console: Console, **values: Any) -> int:
    """Run a Cloud API v1 server on this machine.

    KEY and other secrets are given as file:PATH, env:NAME or plain text. All settings, also those
    without an option: docs/command-line.md.
    """
    system.close_memory()  # it has keys and secrets, also in the initial environment
    own = ServeSettings(**given(ServeSettings, values))
    for option in visible_secrets(_OWNERS, values):
        console.note_visible(option)
    try:
        async with AsyncExitStack() as stack:
            _log_accesses(own.access_log, stack)
            settings = given(ServerSettings, values)
            site_url = None
            if own.example_site is not None:
                site = await _open_site(own.example_site, settings["port"], stack, console)
                site_url = site.url
            system.raise_descriptor_limit(DESCRIPTORS)
            system.return_freed_memory()
            settings |= _groups(values, site_url, settings)
            server = LocalServer(**settings)
            webhooks = _webhooks(own)
            _refuse_useless_key(server.settings)
            await stack.enter_async_context(server)
            _announce(console, server, site_url, values["api_key"])
            await _warn_of_old_browser(server.settings, console)
            _close_environment(values)
            # A receiver may start later, as in a compose file; the server does not wait for it.
            await asyncio.gather(
                asyncio.Event().wait(), *(_register(server, each, console) for each in webhooks)
            )
    except asyncio.CancelledError:
        pass  # the normal end of a server
    return ExitCode.FINISHED


def _log_accesses(form: str, stack: AsyncExitStack) -> None:
    ACCESS_LOG.setLevel(logging.WARNING if form == "none" else logging.INFO)
    if form == "json":
        handler = logging.StreamHandler()
        handler.setFormatter(JsonLines())
        ACCESS_LOG.addHandler(handler)
        stack.callback(ACCESS_LOG.removeHandler, handler)
        ACCESS_LOG.propagate = False  # else the line would be there as text, too
        stack.callback(setattr, ACCESS_LOG, "propagate", True)


def _groups(
    values: Mapping[str, Any], site_url: str | None, settings: Mapping[str, Any]
) -> dict[str, Any]:
    """The settings of the executors; tasks and searches may read the example site."""
    found: dict[str, Any] = {}
    for name, owner in _EXECUTORS.items():
        group = given(owner, values)
        if site_url is not None and owner is ChromiumSettings:
            # The example site is on this machine, where tasks may open nothing else.
            group.setdefault("allow_private_addresses", [site_url])
        if group:
            found[name] = owner(**group)
    if site_url is not None and "search" not in settings:
        found["search"] = [site_url]
    return found


def _refuse_useless_key(settings: ServerSettings) -> None:
    is_on_disk = settings.database != ":memory:"
    if is_on_disk and os.environ.get(KEY_VARIABLE) and find_spec("cryptography") is None:
        raise ConfigurationError(
            f"{KEY_VARIABLE} is set, but nothing can be encrypted: {missing_for_encryption()}"
        )


def _close_environment(values: Mapping[str, Any]) -> None:
    """Remove the variables with keys, which were read: no program may inherit them."""
    for variable in (KEY_VARIABLE, "BROWSER_USE_API_KEY", *named_variables(_OWNERS, values)):
        os.environ.pop(variable, None)


async def _open_site(wanted: int, port: int, stack: AsyncExitStack, console: Console) -> StaticSite:
    """The example site at its port, or at a free port if none was chosen."""
    # With any port for the server, the site gets any port, too.
    if wanted == DEFAULT_SITE_PORT and port == 0:
        wanted = 0
    try:
        return await stack.enter_async_context(StaticSite(example_site_directory(), wanted))
    except OSError as error:
        if wanted != DEFAULT_SITE_PORT:
            raise ConfigurationError(
                f"the example site cannot be served at the port {wanted}: {error.strerror}"
            ) from error
    console.info(
        ("note: ", Style.WAITING),
        f"the port {wanted} is taken, so the example site has another address after each start; "
        "--example-site PORT names one",
    )
    return await stack.enter_async_context(StaticSite(example_site_directory()))


async def _warn_of_old_browser(settings: ServerSettings, console: Console) -> None:
    if not has_browser(settings.executor):
        return
    program = find_browser(settings.browser.browser)
    warning = program and await asyncio.to_thread(version_warning, program)
    if warning:
        console.info(("warning: ", Style.BAD), warning)


def _webhooks(own: ServeSettings) -> list[Webhook]:
    if own.webhook is None and own.webhook_secret is None:
        return []
    if own.webhook is None or own.webhook_secret is None:
        raise ConfigurationError("--webhook and --webhook-secret come together")
    return [Webhook(own.webhook, own.webhook_secret)]


async def _register(server: LocalServer, webhook: Webhook, console: Console) -> None:
    """Register a webhook, as soon as its receiver answers."""
    pause, shown = 1.0, ""
    # Servers that share a database know of no webhook before it has passed.
    waiting = "" if is_postgres(server.settings.database) else ". Events until then wait for it"
    while True:
        try:
            # Not saved, since the command line has it again after a restart.
            await server.add_webhook(webhook, save=False)
        except ConfigurationError as error:
            if str(error) != shown:
                shown = str(error)
                console.labelled(
                    [("webhook: ", Style.WAITING)],
                    f"{shown.removeprefix('url: ')}; trying again{waiting}",
                )
        else:
            console.info(("webhook: ", Style.GOOD), f"{webhook.origin} passed the test event")
            return
        await asyncio.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)


def _announce(
    console: Console, server: LocalServer, site_url: str | None, given_key: str | None
) -> None:
    url = server.url
    base_url = url + API_PREFIX
    console.info("Cloud API v1; executor of the tasks: ", (server.executor.name, Style.STRONG))
    # The part after # is never sent, and the page removes it from the address bar.
    fragment = f"#key={server.api_key}" if given_key is None else ""
    console.info("all tasks at ", (f"{url}/{fragment}", Style.LINK))
    if site_url is not None:
        console.info("example site at ", (f"{site_url}/", Style.LINK))
    if server.settings.admin_socket is not None:
        console.info("administration at ", (str(server.settings.admin_socket), Style.LINK))
    console.info()
    console.info(f"export BROWSER_USE_BASE_URL={shlex.quote(base_url)}")
    console.info(_export_of_key(server, given_key))
    console.info(
        "or, so that all terminals know them: ",
        f"browser-use-async login --base-url {shlex.quote(base_url)}",
    )
    console.info()
    page = f"{site_url}/" if site_url is not None else "https://example.com"
    console.info(f'then: browser-use-async run "Open {page} and tell me its title"')
    console.info("Ctrl-C ends the server")
    if not console.shows_text:
        key = server.api_key if given_key is None else None
        console.result({"base_url": base_url, "api_key": key, "site_url": site_url})


def _export_of_key(server: LocalServer, given_key: str | None) -> str:
    """The line that sets the key for other commands; it shows only a generated key."""
    if given_key is None:
        return f"export BROWSER_USE_API_KEY={shlex.quote(server.api_key)}"
    if (file := file_of(given_key)) is not None:
        return f'export BROWSER_USE_API_KEY="$(cat {shlex.quote(file)})"'
    if (variable := variable_of(given_key)) is not None:
        return f'export BROWSER_USE_API_KEY="${variable}"'
    # The shell asks for it without an echo.
    return "read -rs BROWSER_USE_API_KEY && export BROWSER_USE_API_KEY"
