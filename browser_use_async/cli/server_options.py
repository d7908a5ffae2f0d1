"""Options of `serve` for the server itself: its address, account, faults, webhook and storage."""

from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, get_args

import click
from yarl import URL

from browser_use_async.cli.cloud_options import CLOUD_EXECUTOR
from browser_use_async.cli.option_collector import OptionCollector
from browser_use_async.cli.options import Choice
from browser_use_async.cli.values import port, whole
from browser_use_async.errors import ConfigurationError
from browser_use_async.removals import REMOVED
from browser_use_async.server import Fault
from browser_use_async.server.faults import fault_from_text, faults_from_file
from browser_use_async.server.http.connections import MOST_OF_ADDRESS
from browser_use_async.server.listen_address import MIN_EXPOSED_KEY
from browser_use_async.server.storage.account import DEFAULT_BALANCE_CENTS, Plan

# Where the example site is served unless that port is taken.
DEFAULT_SITE_PORT = 8780

_PORT = 8765


def add_server_options(parser: OptionCollector) -> None:
    """Add the options of which each server has one."""
    _add_place(parser)
    parser.add_argument(
        "--executor",
        type=_Executor(
            (
                *("auto", "browser", "chromium", "browser_use", CLOUD_EXECUTOR),
                *("reader", "scripted"),
            )
        ),
        default="auto",
        help="what carries out the tasks: chromium (or browser) works in a real browser by rules, "
        "browser_use is the open-source agent with a language model of yours, cloud-v4 has "
        "the hosted service do them, reader opens and "
        "reads pages without a browser, scripted only pretends (default: auto, which takes "
        "chromium if there is one, else the reader)",
    )
    parser.add_argument(
        "--example-site",
        is_flag=False,
        flag_value=DEFAULT_SITE_PORT,
        type=port,
        metavar="PORT",
        help="serve the example site too, to read from (default: at the port "
        f"{DEFAULT_SITE_PORT}, or at a free one if that is taken)",
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


def add_service_options(parser: OptionCollector) -> None:
    """Add the options of what the server does besides: searches, the account, faults, webhooks."""
    _add_search(parser)
    _add_account(parser)
    _add_faults(parser)
    _add_webhook(parser)
    _add_exposure(parser)


class _Executor(Choice):
    """The name of an executor; one that earlier versions had is refused with what replaces it."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return a name that is known."""
        if (advice := REMOVED.get(f"executor {value}")) is not None:
            self.fail(f"the executor {value} is gone: {advice}", param, ctx)
        return super().convert(value, param, ctx)


def _add_place(parser: OptionCollector) -> None:
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


def _add_exposure(parser: OptionCollector) -> None:
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
    group.add_argument(
        "--trusted-proxy",
        dest="trusted_proxies",
        action="append",
        default=[],
        metavar="ADDRESS",
        help="with --behind-proxy: an address or network of proxies whose X-Forwarded-For is "
        "believed (default: this machine); can be given several times",
    )
    group.add_argument("--tls-cert", metavar="FILE", help="the server's certificate, as PEM")
    group.add_argument("--tls-key", metavar="FILE", help="its private key, as PEM")
    group.add_argument(
        "--behind-proxy", action="store_true", help="a proxy in front of the server does TLS"
    )
    group.add_argument(
        "--max-connections-per-address",
        type=whole(1),
        metavar="N",
        help="how many connections an address may have at once (default: "
        f"{MOST_OF_ADDRESS} with --allow-any-host and TLS, otherwise no limit)",
    )
    group.add_argument(
        "--admin-socket",
        metavar="FILE",
        help="a Unix socket for the routes below /admin, which are refused behind a proxy",
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


def _add_search(parser: OptionCollector) -> None:
    source = parser.add_mutually_exclusive_group()
    source.add_argument(
        "--search",
        action="append",
        type=_address,
        metavar="URL",
        help="a website that simple-search finds pages on (default: the example site, if "
        "served); can be repeated",
    )
    source.add_argument(
        "--searxng",
        type=_address,
        metavar="URL",
        help="a SearXNG server that simple-search finds pages with, such as "
        "http://127.0.0.1:8888/search",
    )


def _address(text: str) -> str:
    try:
        is_one = text.startswith(("http://", "https://")) and bool(URL(text).host)
    except ValueError:
        is_one = False
    if not is_one:
        raise click.BadParameter(f"{text!r} is no address that begins with http(s)://")
    return text


def _add_account(parser: OptionCollector) -> None:
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


def _add_faults(parser: OptionCollector) -> None:
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
        default=None,
        metavar="FILE",
        help='a JSON file {"faults": [{"kind": ..., ...}]} with more of them',
    )


def _add_webhook(parser: OptionCollector) -> None:
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


def _amount(text: str) -> Decimal:
    try:
        amount = Decimal(text)
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite():
        raise click.BadParameter(f"{text!r} is not a number of US cents")
    return amount


def _fault(text: str) -> Fault:
    try:
        return fault_from_text(text)
    except ConfigurationError as error:
        raise click.BadParameter(str(error)) from None


def _faults(path: str) -> list[Fault]:
    try:
        return faults_from_file(path)
    except ConfigurationError as error:
        raise click.BadParameter(str(error)) from None
