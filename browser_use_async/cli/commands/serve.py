"""`serve`: the bundled Cloud API v1 server, until a signal ends it."""

import argparse
import asyncio
import logging
import os
import shlex
from contextlib import AsyncExitStack
from importlib.util import find_spec
from typing import Any

from browser_use_async import system
from browser_use_async.cli.cloud_options import add_cloud_options, cloud_settings
from browser_use_async.cli.command import command
from browser_use_async.cli.console import Console
from browser_use_async.cli.database_options import add_database_options, given_database
from browser_use_async.cli.executor_options import (
    add_agent_options,
    add_browser_options,
    agent_settings,
    browser_settings,
)
from browser_use_async.cli.exit import ExitCode
from browser_use_async.cli.option_collector import OptionCollector
from browser_use_async.cli.options import Option, ServerOptions
from browser_use_async.cli.screen import Style
from browser_use_async.cli.server_options import (
    DEFAULT_SITE_PORT,
    add_server_options,
    add_service_options,
)
from browser_use_async.cli.values import secret_from_file, secret_from_variable
from browser_use_async.errors import ConfigurationError
from browser_use_async.postgres.address import is_postgres
from browser_use_async.server import LocalServer, Webhook
from browser_use_async.server.encryption import KEY_VARIABLE, missing_for_encryption
from browser_use_async.server.executors.browser.locate import find_browser, version_warning
from browser_use_async.server.executors.settings import BrowserEndpoint
from browser_use_async.server.http.access_log import LOGGER as ACCESS_LOG
from browser_use_async.server.http.connections import DESCRIPTORS
from browser_use_async.server.static_site import StaticSite, example_site_directory
from browser_use_async.server.storage.account import check_webhook_plan
from browser_use_async.server.walls import close_memory

_SECRET_VARIABLES = (
    KEY_VARIABLE,
    "BROWSER_USE_CLOUD_KEY",
    "BROWSER_USE_BROWSER_ENDPOINT",
    "BROWSER_USE_API_KEY",
    "OPENAI_API_KEY",
)
_LONGEST_PAUSE = 30.0  # seconds between two attempts to reach a webhook


def _options() -> list[Option]:
    found: list[Option] = []
    collector = OptionCollector(found)
    add_server_options(collector)
    add_database_options(collector)
    add_browser_options(collector)
    add_agent_options(collector)
    add_cloud_options(collector)
    add_service_options(collector)
    return found


@command(
    "serve",
    *_options(),
    connects=False,
    examples=(
        "serve --example-site",
        "serve --database tasks.db --port 8765",
        "serve --executor scripted --fault 'lost_reply run_task calls=1'",
    ),
)
async def serve(console: Console, **values: Any) -> int:
    """Run a Cloud API v1 server on this machine."""
    options = argparse.Namespace(**values)
    close_memory()  # which holds keys and secrets, also in the environment as it was
    ACCESS_LOG.setLevel(logging.WARNING if options.no_access_log else logging.INFO)
    webhooks = _webhooks(options)
    _refuse_useless_key(options)
    _note_visible_secrets(options, console)
    try:
        async with AsyncExitStack() as stack:
            site_url = None
            if options.example_site is not None:
                site_url = (await _open_site(options, stack, console)).url
            system.raise_descriptor_limit(DESCRIPTORS)
            server = await stack.enter_async_context(_server(options, site_url))
            _announce(server, site_url, options, console)
            await _warn_of_old_browser(options, console)
            _close_environment(options)
            # A receiver that starts later, as in a compose file, is no reason not to serve.
            await asyncio.gather(
                asyncio.Event().wait(), *(_register(server, each, console) for each in webhooks)
            )
    except asyncio.CancelledError:
        pass  # the one way in which a server ends
    return ExitCode.FINISHED


def _refuse_useless_key(options: argparse.Namespace) -> None:
    is_on_disk = given_database(options) != ":memory:"
    if is_on_disk and os.environ.get(KEY_VARIABLE) and find_spec("cryptography") is None:
        raise ConfigurationError(
            f"{KEY_VARIABLE} is set, but nothing can be encrypted: {missing_for_encryption()}"
        )


def _close_environment(options: argparse.Namespace) -> None:
    """Forget the variables with keys, which have been read: no program is to inherit them."""
    named = [value for name, value in vars(options).items() if name.endswith("_env") and value]
    for variable in (*_SECRET_VARIABLES, *named):
        os.environ.pop(variable, None)


def _note_visible_secrets(options: argparse.Namespace, console: Console) -> None:
    proxies: list[tuple[str, str]] = options.proxies
    is_visible = {
        "--api-key": options.api_key is not None,
        "--database": is_postgres(options.database) and "@" in options.database,
        "--proxy": any("@" in address for _, address in proxies),
        "--browser-endpoint": options.browser_endpoint is not None,
    }
    for option in (name for name, visible in is_visible.items() if visible):
        console.labelled(
            [("note: ", Style.WAITING)],
            f"other users of this machine can see what is given with {option} in the process list; "
            f"give it with {'' if option == '--database' else f'{option}-file or '}{option}-env",
        )


def _key(options: argparse.Namespace) -> str | None:
    variable: str | None = options.api_key_env
    if variable is None:
        return ServerOptions(api_key=options.api_key, api_key_file=options.api_key_file).given_key()
    return secret_from_variable(variable, "--api-key-env").strip()


async def _open_site(
    options: argparse.Namespace, stack: AsyncExitStack, console: Console
) -> StaticSite:
    """The example site at its port, or at a free one if that was not asked for."""
    wanted: int = options.example_site
    # A server at any port wants no fixed one for its site either.
    if wanted == DEFAULT_SITE_PORT and options.port == 0:
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


async def _warn_of_old_browser(options: argparse.Namespace, console: Console) -> None:
    is_remote = BrowserEndpoint.find(browser_settings(options, None)) is not None
    if is_remote or options.executor not in {"auto", "browser", "chromium", "browser_use"}:
        return
    program = find_browser(options.browser)
    warning = program and await asyncio.to_thread(version_warning, program)
    if warning:
        console.info(("warning: ", Style.BAD), warning)


async def _register(server: LocalServer, webhook: Webhook, console: Console) -> None:
    """Register a webhook, as soon as its receiver answers."""
    pause, told = 1.0, ""
    while True:
        try:
            # Not saved: the command line gives it again after a restart.
            await server.add_webhook(webhook, save=False)
        except ConfigurationError as error:
            if str(error) != told:
                told = str(error)
                console.labelled(
                    [("webhook: ", Style.WAITING)],
                    f"{told.removeprefix('url: ')}; trying again. Events until then wait for it",
                )
        else:
            console.info(("webhook: ", Style.GOOD), f"{webhook.origin} passed the test event")
            return
        await asyncio.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)


def _server(options: argparse.Namespace, site_url: str | None) -> LocalServer:
    search = options.searxng or options.search or None
    # Without another source, simple-search finds the pages of the example site.
    if search is None and site_url is not None:
        search = [site_url]
    return LocalServer(
        host=options.host,
        port=options.port,
        api_key=_key(options),
        executor=options.executor,
        chromium=browser_settings(options, site_url),
        agent=agent_settings(options),
        cloud=cloud_settings(options),
        screenshots=options.screenshots,
        recordings=options.recordings,
        plan=options.plan,
        balance_cents=options.balance_cents,
        max_concurrent_tasks=options.max_concurrent_tasks,
        page_lifetime=options.page_days * 86400.0,
        database=given_database(options),
        task_days=options.task_days,
        files=options.files,
        search=search,
        faults=[*options.faults, *(options.more_faults or ())],
        allow_any_host=options.allow_any_host,
        tls_cert=options.tls_cert,
        tls_key=options.tls_key,
        public_url=options.public_url,
        behind_proxy=options.behind_proxy,
        trusted_proxies=options.trusted_proxies,
        allow_origins=options.allow_origins,
        admin_socket=options.admin_socket,
        max_connections_per_address=options.max_connections_per_address,
        role=options.role,
        slots=options.slots,
        node_url=options.node_url,
        **{
            name: getattr(options, name)
            for name in ("lease", "drain")
            if getattr(options, name) is not None
        },
    )


def _webhooks(options: argparse.Namespace) -> list[Webhook]:
    file: str | None = options.webhook_secret_file
    variable: str | None = options.webhook_secret_env
    if (options.webhook is None) != (file is None and variable is None):
        raise ConfigurationError(
            "--webhook comes with --webhook-secret-file or --webhook-secret-env, and they with it"
        )
    if variable is not None:
        secret = secret_from_variable(variable, "--webhook-secret-env")
    elif file is not None:
        secret = secret_from_file(file, "--webhook-secret-file")
    else:
        return []
    check_webhook_plan(options.plan)
    return [Webhook(options.webhook, secret)]


def _announce(
    server: LocalServer, site_url: str | None, options: argparse.Namespace, console: Console
) -> None:
    key_is_known = _key(options) is not None
    console.info("Cloud API v1; executor of the tasks: ", (server.executor.name, Style.STRONG))
    # What stands behind # is never sent, and the page takes it out of the address bar.
    fragment = "" if key_is_known else f"#key={server.api_key}"
    console.info("all tasks at ", (f"{server.url}/{fragment}", Style.LINK))
    if site_url is not None:
        console.info("example site at ", (f"{site_url}/", Style.LINK))
    if options.admin_socket is not None:
        console.info("administration at ", (options.admin_socket, Style.LINK))
    console.info()
    console.info(f"export BROWSER_USE_BASE_URL={shlex.quote(server.base_url)}")
    if options.api_key_file is not None:
        file = shlex.quote(str(options.api_key_file))
        console.info(f'export BROWSER_USE_API_KEY="$(cat {file})"')
    elif options.api_key_env is not None:
        console.info(f'export BROWSER_USE_API_KEY="${options.api_key_env}"')
    elif not key_is_known:
        console.info(f"export BROWSER_USE_API_KEY={shlex.quote(server.api_key)}")
    else:
        console.info("BROWSER_USE_API_KEY is the key given with --api-key")
    console.info()
    page = f"{site_url}/" if site_url is not None else "https://example.com"
    console.info(f'then: browser-use-async run "Open {page} and tell me its title"')
    console.info("Ctrl-C ends the server")
    if not console.stdout_is_tty:
        key = None if key_is_known else server.api_key
        console.result({"base_url": server.base_url, "api_key": key, "site_url": site_url})
