"""`serve`: the bundled Cloud API v1 server, until a signal ends it."""

import argparse
import asyncio
import logging
import os
import shlex
from contextlib import AsyncExitStack
from decimal import Decimal, InvalidOperation
from importlib.util import find_spec
from pathlib import Path
from typing import get_args

from browser_use_async.cli.console import Console
from browser_use_async.cli.exit_codes import ExitCode
from browser_use_async.cli.options import (
    given_key,
    port,
    secret_from_file,
    secret_from_variable,
    whole,
)
from browser_use_async.cli.screen import Style
from browser_use_async.cli.server_options import (
    add_agent_options,
    add_browser_options,
    agent_settings,
    browser_settings,
)
from browser_use_async.errors import ConfigurationError
from browser_use_async.server import Fault, LocalServer, Webhook
from browser_use_async.server.access_log import LOGGER as ACCESS_LOG
from browser_use_async.server.connections import raise_descriptor_limit
from browser_use_async.server.executors.browser.endpoint import BrowserEndpoint
from browser_use_async.server.executors.browser.locate import find_browser, version_warning
from browser_use_async.server.faults import fault_from_text, faults_from_file
from browser_use_async.server.keys.audit import KEPT_DAYS, KEPT_ENTRIES
from browser_use_async.server.listen_address import MIN_EXPOSED_KEY
from browser_use_async.server.shared_database import (
    DEFAULT_DRAIN,
    DEFAULT_LEASE,
    DEFAULT_PLACES,
    Role,
)
from browser_use_async.server.static_site import StaticSite, example_site_directory
from browser_use_async.server.storage.account import DEFAULT_BALANCE_CENTS, Plan
from browser_use_async.server.storage.encryption import KEY_VARIABLE, missing_for_encryption
from browser_use_async.server.storage.postgres.connection import is_postgres

_PORT = 8765
_SITE_PORT = 8780
_LONGEST_PAUSE = 30.0  # seconds between two attempts to reach a webhook


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    _add_place(parser)
    parser.add_argument(
        "--executor",
        choices=("auto", "browser", "chromium", "browser_use", "reader", "scripted"),
        default="auto",
        help="what carries out the tasks: chromium works in a real browser by fixed rules, "
        "browser_use is the open-source agent with a language model of yours, reader opens and "
        "reads pages without a browser, scripted only pretends (default: auto, which takes "
        "chromium if there is one, else the reader)",
    )
    parser.add_argument(
        "--example-site",
        nargs="?",
        type=port,
        const=_SITE_PORT,
        metavar="PORT",
        help="serve the example site too, to read from (default: at the port "
        f"{_SITE_PORT}, or at a free one if that is taken)",
    )
    database = parser.add_mutually_exclusive_group()
    database.add_argument(
        "--database",
        metavar="FILE",
        default=":memory:",
        help="where everything outlives a restart; made if it does not exist. Or postgresql://…, "
        "which several servers share (default: nowhere)",
    )
    database.add_argument(
        "--database-env",
        metavar="VARIABLE",
        help="the environment variable that holds it, such as an address with a password",
    )
    _add_fleet(parser)
    parser.add_argument(
        "--files",
        metavar="URL",
        help="object storage to which files are moved from the database, s3://bucket/prefix; "
        "credentials come from the environment variables of AWS (default: they stay there)",
    )
    parser.add_argument(
        "--page-days",
        type=whole(0),
        default=30,
        metavar="DAYS",
        help="days after the end of a task for which its live and public pages can be looked at "
        "(default: 30)",
    )
    parser.add_argument(
        "--task-days",
        type=whole(1),
        metavar="DAYS",
        help="days after its end for which a task is kept (default: for ever)",
    )
    parser.add_argument(
        "--no-access-log",
        action="store_true",
        help="do not write a line to stderr for each request; secret parts of links are masked",
    )
    add_browser_options(parser)
    add_agent_options(parser)
    _add_search(parser)
    _add_account(parser)
    _add_faults(parser)
    _add_webhook(parser)
    _add_exposure(parser)
    _add_audit(parser)


def _add_fleet(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group(
        "several servers", "What this one does of what those that share a database do."
    )
    group.add_argument(
        "--role",
        choices=get_args(Role),
        default="both",
        help="api creates tasks and runs schedules, worker carries tasks out and delivers events "
        "(default: both)",
    )
    group.add_argument(
        "--places",
        type=whole(1),
        metavar="N",
        help="how many tasks it carries out at once "
        f"(default: --max-browsers, or {DEFAULT_PLACES})",
    )
    group.add_argument(
        "--lease",
        type=whole(1),
        metavar="SECONDS",
        help=f"how long a server may be silent before its tasks fail (default: {DEFAULT_LEASE})",
    )
    group.add_argument(
        "--drain",
        type=whole(0),
        metavar="SECONDS",
        help=f"how long it waits for tasks at work before it ends (default: {DEFAULT_DRAIN})",
    )


def _add_audit(parser: argparse.ArgumentParser) -> None:
    audit = parser.add_argument_group("audit trail", "What `keys audit` shows.")
    audit.add_argument(
        "--audit-entries",
        type=whole(1),
        default=KEPT_ENTRIES,
        metavar="N",
        help=f"how many entries of each name are kept (default: {KEPT_ENTRIES})",
    )
    audit.add_argument(
        "--audit-days",
        type=whole(1),
        default=KEPT_DAYS,
        metavar="DAYS",
        help=f"for how many days (default: {KEPT_DAYS})",
    )


def _add_place(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host", default="127.0.0.1", help="where to listen (default: 127.0.0.1)")
    parser.add_argument(
        "--port", type=port, default=_PORT, help=f"0 takes a free one (default: {_PORT})"
    )
    key = parser.add_mutually_exclusive_group()
    key.add_argument(
        "--api-key",
        metavar="KEY",
        help="the key that clients must bring (default: a random one); other users of the machine "
        "can see it in the process list",
    )
    key.add_argument(
        "--api-key-file", type=Path, metavar="FILE", help="a file that holds the key and no more"
    )
    key.add_argument(
        "--api-key-env", metavar="VARIABLE", help="the environment variable that holds the key"
    )


def _add_exposure(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group(
        "other machines",
        f"They reach the server only with a key of at least {MIN_EXPOSED_KEY} characters, and TLS "
        "or a proxy that does it.",
    )
    group.add_argument(
        "--allow-any-host",
        action="store_true",
        help="let --host be an address that other machines reach",
    )
    group.add_argument("--tls-cert", metavar="FILE", help="the server's certificate, as PEM")
    group.add_argument("--tls-key", metavar="FILE", help="its private key, as PEM")
    group.add_argument(
        "--behind-proxy", action="store_true", help="a proxy in front of the server does TLS"
    )
    admin = group.add_mutually_exclusive_group()
    admin.add_argument(
        "--admin-socket",
        metavar="FILE",
        help="a Unix socket for the routes below /admin, which are refused behind a proxy",
    )
    admin.add_argument(
        "--admin-port",
        type=port,
        metavar="PORT",
        help="a port of 127.0.0.1 for them instead; 0 takes a free one",
    )
    group.add_argument(
        "--allow-origin",
        dest="allow_origins",
        action="append",
        default=[],
        metavar="ORIGIN",
        help="an origin whose web pages may call the API from a browser, such as "
        "http://localhost:5173; * is any; can be repeated",
    )
    group.add_argument(
        "--public-url",
        metavar="URL",
        help="what other machines call the server or its proxy, such as https://tasks.example",
    )


def _add_search(parser: argparse.ArgumentParser) -> None:
    source = parser.add_mutually_exclusive_group()
    source.add_argument(
        "--search",
        nargs="+",
        metavar="URL",
        help="websites that simple-search finds pages on (default: the example site, if served)",
    )
    source.add_argument(
        "--searxng",
        metavar="URL",
        help="a SearXNG server that simple-search finds pages with, such as "
        "http://127.0.0.1:8888/search",
    )


def _add_account(parser: argparse.ArgumentParser) -> None:
    account = parser.add_argument_group("account")
    account.add_argument(
        "--plan",
        choices=get_args(Plan),
        default="subscription",
        help="what the account may do (default: subscription)",
    )
    account.add_argument(
        "--balance-cents",
        type=_amount,
        default=DEFAULT_BALANCE_CENTS,
        metavar="CENTS",
        help=f"the credit to begin with, in US cents (default: {DEFAULT_BALANCE_CENTS})",
    )
    account.add_argument(
        "--max-concurrent-tasks",
        type=whole(1),
        metavar="N",
        help="answer 429 to more tasks at once than this (default: no limit)",
    )


def _add_faults(parser: argparse.ArgumentParser) -> None:
    faults = parser.add_argument_group(
        "faults", "What goes wrong on purpose, for tests of clients."
    )
    faults.add_argument(
        "--fault",
        dest="faults",
        action="append",
        default=[],
        type=_fault,
        metavar="RULE",
        help="KIND [OPERATION,...] [NAME=VALUE ...], such as 'lost_reply run_task calls=1' "
        "or 'status status=429 headers=Retry-After:2 probability=0.1'; can be repeated",
    )
    faults.add_argument(
        "--faults",
        dest="more_faults",
        type=_faults,
        default=(),
        metavar="FILE",
        help='a JSON file {"faults": [{"kind": ..., ...}]} with more of them',
    )


def _add_webhook(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("webhook")
    group.add_argument(
        "--webhook",
        metavar="URL",
        help="an address that is told about tasks, after it has passed a test: https, or http on "
        "this machine",
    )
    secret = group.add_mutually_exclusive_group()
    secret.add_argument(
        "--webhook-secret-file", metavar="FILE", help="a file that holds its secret and no more"
    )
    secret.add_argument(
        "--webhook-secret-env",
        metavar="VARIABLE",
        help="the environment variable that holds its secret",
    )


async def execute(options: argparse.Namespace, console: Console) -> int:
    """Serve until a signal ends the command."""
    ACCESS_LOG.setLevel(logging.WARNING if options.no_access_log else logging.INFO)
    webhooks = _webhooks(options)
    _refuse_useless_key(options)
    _note_visible_secrets(options, console)
    try:
        async with AsyncExitStack() as stack:
            site_url = None
            if options.example_site is not None:
                site_url = (await _open_site(options, stack, console)).url
            raise_descriptor_limit()
            server = await stack.enter_async_context(_server(options, site_url))
            _announce(server, site_url, options, console)
            await _warn_of_old_browser(options, console)
            # A receiver that starts later, as in a compose file, is no reason not to serve.
            await asyncio.gather(
                asyncio.Event().wait(), *(_register(server, each, console) for each in webhooks)
            )
    except asyncio.CancelledError:
        pass  # the one way in which a server ends
    return ExitCode.FINISHED


def _database(options: argparse.Namespace) -> str:
    variable: str | None = options.database_env
    if variable is None:
        return str(options.database)
    return secret_from_variable(variable, "--database-env").strip()


def _refuse_useless_key(options: argparse.Namespace) -> None:
    is_on_disk = _database(options) != ":memory:"
    if is_on_disk and os.environ.get(KEY_VARIABLE) and find_spec("cryptography") is None:
        raise ConfigurationError(
            f"{KEY_VARIABLE} is set, but nothing can be encrypted: {missing_for_encryption()}"
        )


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
        return given_key(options)
    return secret_from_variable(variable, "--api-key-env").strip()


async def _open_site(
    options: argparse.Namespace, stack: AsyncExitStack, console: Console
) -> StaticSite:
    """The example site at its port, or at a free one if that was not asked for."""
    wanted: int = options.example_site
    # A server at any port wants no fixed one for its site either.
    if wanted == _SITE_PORT and options.port == 0:
        wanted = 0
    try:
        return await stack.enter_async_context(StaticSite(example_site_directory(), wanted))
    except OSError as error:
        if wanted != _SITE_PORT:
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
                    f"{told.removeprefix('url: ')}; trying again. Events until then are not sent",
                )
        else:
            console.info(("webhook: ", Style.GOOD), f"{webhook.origin} passed the test event")
            return
        await asyncio.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)


def _server(options: argparse.Namespace, site_url: str | None) -> LocalServer:
    search = options.searxng or options.search
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
        screenshots=options.screenshots,
        recordings=options.recordings,
        plan=options.plan,
        balance_cents=options.balance_cents,
        max_concurrent_tasks=options.max_concurrent_tasks,
        page_lifetime=options.page_days * 86400.0,
        database=_database(options),
        task_days=options.task_days,
        files=options.files,
        search=search,
        faults=[*options.faults, *options.more_faults],
        allow_any_host=options.allow_any_host,
        tls_cert=options.tls_cert,
        tls_key=options.tls_key,
        public_url=options.public_url,
        behind_proxy=options.behind_proxy,
        allow_origins=options.allow_origins,
        admin_socket=options.admin_socket,
        admin_port=options.admin_port,
        audit_entries=options.audit_entries,
        audit_days=options.audit_days,
        role=options.role,
        places=options.places,
        lease=options.lease,
        drain=options.drain,
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
    return [Webhook(options.webhook, secret)]


def _amount(text: str) -> Decimal:
    try:
        amount = Decimal(text)
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite():
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of US cents")
    return amount


def _fault(text: str) -> Fault:
    try:
        return fault_from_text(text)
    except ConfigurationError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _faults(path: str) -> list[Fault]:
    try:
        return faults_from_file(path)
    except ConfigurationError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


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
    if place := server.admin_url or options.admin_socket:
        console.info("administration at ", (str(place), Style.LINK))
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
