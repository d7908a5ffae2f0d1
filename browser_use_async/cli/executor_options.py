"""Options of `serve` for the browser and the agent that carry out its tasks."""

import argparse
import os

import click

from browser_use_async.cli.option_collector import OptionCollector
from browser_use_async.cli.values import secret_from_file, secret_from_variable, whole
from browser_use_async.errors import ConfigurationError
from browser_use_async.server import AgentSettings, ChromiumSettings
from browser_use_async.server.executors.settings import DEFAULT_MEMORY_MB, DEFAULT_TIMEOUT

_EXECUTOR = "browser_use"
_WITH_ENDPOINT = frozenset({"auto", "browser", "chromium"})


def add_agent_options(parser: OptionCollector) -> None:
    """Add the options."""
    group = parser.add_argument_group(
        "agent", "How the executor browser_use works, which needs the extra local-agent."
    )
    group.add_argument(
        "--llm-base-url",
        metavar="URL",
        help="the OpenAI-compatible endpoint of the model, such as http://127.0.0.1:11434/v1 "
        "(default: OPENAI_BASE_URL)",
    )
    group.add_argument(
        "--llm-model",
        metavar="NAME",
        help="the model for every task (default: what the task asks for if the endpoint knows it, "
        "or the only one that the endpoint has)",
    )
    group.add_argument(
        "--llm-key-env",
        metavar="VARIABLE",
        help="the environment variable that holds the endpoint's key (default: OPENAI_API_KEY)",
    )
    group.add_argument(
        "--llm-timeout",
        type=whole(1),
        metavar="SECONDS",
        help=f"how long the model may take for one answer (default: {DEFAULT_TIMEOUT})",
    )
    group.add_argument(
        "--llm-reads-only",
        action="store_true",
        help="show the model no screenshots, for one that takes none",
    )
    group.add_argument(
        "--agent-python",
        metavar="FILE",
        help="a Python of another environment that has browser-use (default: this one)",
    )


def agent_settings(options: argparse.Namespace) -> AgentSettings | None:
    """The agent settings that the options give, or None for another executor.

    Raises:
        ConfigurationError: They are for an executor that is not asked for, or the variable of the
            key is empty.
    """
    if options.executor != _EXECUTOR:
        _refuse_all(options)
        return None
    return AgentSettings(
        llm_base_url=options.llm_base_url,
        llm_model=options.llm_model,
        llm_key=_key(options.llm_key_env),
        llm_timeout=options.llm_timeout or DEFAULT_TIMEOUT,
        llm_sees_pictures=not options.llm_reads_only,
        python=options.agent_python,
    )


def _refuse_all(options: argparse.Namespace) -> None:
    names = ("llm_base_url", "llm_model", "llm_key_env", "llm_timeout", "llm_reads_only")
    for name in (*names, "agent_python"):
        if getattr(options, name):
            flag = f"--{name.replace('_', '-')}"
            raise ConfigurationError(f"{flag} is for --executor {_EXECUTOR}")


def _key(variable: str | None) -> str | None:
    if variable is None:
        return None
    key = os.environ.get(variable, "")
    if not key:
        # The message leaves out the value: it is the key itself if the option was misunderstood.
        raise ConfigurationError("the environment variable that --llm-key-env names is empty")
    return key


def add_browser_options(parser: OptionCollector) -> None:
    """Add the options."""
    group = parser.add_argument_group("browser", "How the executors chromium and browser_use work.")
    group.add_argument(
        "--browser",
        metavar="FILE",
        help="the Chromium or Chrome to start (default: BROWSER_USE_SERVER_CHROMIUM, or one that "
        "is found under its usual name)",
    )
    _add_endpoint(group)
    group.add_argument(
        "--max-browsers",
        type=whole(1),
        metavar="N",
        help="how many tasks may have a browser at once; the others wait (default: as many as fit "
        "into free memory; 1 with --browser-endpoint)",
    )
    group.add_argument(
        "--browser-memory",
        type=whole(256),
        default=DEFAULT_MEMORY_MB,
        metavar="MB",
        help="how much memory a browser may take with one task in it, before the page that takes "
        f"most is ended; each further task in it adds 250 (default: {DEFAULT_MEMORY_MB})",
    )
    group.add_argument(
        "--allow-private-addresses",
        action="store_true",
        help="let tasks, searches and webhooks open all of this machine and of private networks "
        "(default: the example site, if served, and what a request names of this machine with its "
        "port)",
    )
    _add_proxies(group)
    group.add_argument(
        "--ad-hosts", metavar="FILE", help="a hosts file with more hosts that use_adblock blocks"
    )
    group.add_argument(
        "--no-sandbox",
        dest="sandbox",
        action="store_false",
        help="run pages without Chromium's sandbox, on machines that let it have none: a page that "
        "finds a hole in the browser then has the rights of the browser's user",
    )
    _add_recordings(group)


def _add_proxies(group: OptionCollector) -> None:
    group.add_argument(
        "--proxy",
        dest="proxies",
        action="append",
        default=[],
        type=_proxy,
        metavar="COUNTRY=URL",
        help="the proxy for tasks with use_proxy and this country, such as "
        "us=http://127.0.0.1:3128; * is any country; can be repeated. Other users of the machine "
        "can see its password in the process list",
    )
    more = group.add_mutually_exclusive_group()
    more.add_argument(
        "--proxy-file",
        metavar="FILE",
        help="a file with more of them, one a line, such as us=http://name:password@127.0.0.1:3128",
    )
    more.add_argument(
        "--proxy-env",
        metavar="VARIABLE",
        help="the environment variable that holds more of them, with blanks between them",
    )


def _add_recordings(group: OptionCollector) -> None:
    group.add_argument(
        "--trace",
        choices=("always", "failure", "off"),
        default="off",
        help="of which tasks a Playwright trace is an output file, trace.zip; never of tasks with "
        "secrets (default: off)",
    )
    group.add_argument(
        "--no-screenshots",
        dest="screenshots",
        action="store_false",
        help="keep no pictures of the steps",
    )
    group.add_argument(
        "--no-recordings",
        dest="recordings",
        action="store_false",
        help="keep no films of the browser, which are made where there is ffmpeg",
    )


def _add_endpoint(group: OptionCollector) -> None:
    endpoint = group.add_mutually_exclusive_group()
    endpoint.add_argument(
        "--browser-endpoint",
        metavar="URL",
        help="a remote browser, such as wss://host/?token=KEY, instead of one of this machine "
        "(default: BROWSER_USE_BROWSER_ENDPOINT); other users of the machine can see it in the "
        "process list",
    )
    endpoint.add_argument(
        "--browser-endpoint-file", metavar="FILE", help="a file that holds that URL and no more"
    )
    endpoint.add_argument(
        "--browser-endpoint-env",
        metavar="VARIABLE",
        help="the environment variable that holds that URL",
    )
    group.add_argument(
        "--browser-protocol",
        choices=("cdp", "playwright"),
        default="cdp",
        help="what the remote browser speaks: playwright for a Playwright server (default: cdp)",
    )


def _endpoint(options: argparse.Namespace) -> str | None:
    """The endpoint that the options give.

    Raises:
        ConfigurationError: It cannot be read, or another executor is asked for.
    """
    endpoint: str | None = options.browser_endpoint
    if options.browser_endpoint_file is not None:
        endpoint = secret_from_file(options.browser_endpoint_file, "--browser-endpoint-file")
    if options.browser_endpoint_env is not None:
        endpoint = secret_from_variable(options.browser_endpoint_env, "--browser-endpoint-env")
    if endpoint is not None and options.executor not in _WITH_ENDPOINT:
        raise ConfigurationError("--browser-endpoint is for --executor chromium")
    return endpoint


def browser_settings(options: argparse.Namespace, site_url: str | None) -> ChromiumSettings:
    """The browser settings that the options give.

    Raises:
        ConfigurationError: The proxies or the endpoint cannot be read.
    """
    # The example site is on this machine, where tasks may otherwise open nothing.
    served = [site_url] if site_url is not None else []
    return ChromiumSettings(
        browser=options.browser,
        allow_private_addresses=options.allow_private_addresses or served,
        proxies={**_more_proxies(options), **dict(options.proxies)},
        ad_hosts=options.ad_hosts,
        max_browsers=options.max_browsers,
        browser_memory_mb=options.browser_memory,
        sandbox=options.sandbox,
        trace=options.trace,
        endpoint=_endpoint(options),
        endpoint_protocol=options.browser_protocol,
    )


def _more_proxies(options: argparse.Namespace) -> dict[str, str]:
    """The proxies of `--proxy-file` or `--proxy-env`."""
    if options.proxy_file is not None:
        option, text = "--proxy-file", secret_from_file(options.proxy_file, "--proxy-file")
    elif options.proxy_env is not None:
        option, text = "--proxy-env", secret_from_variable(options.proxy_env, "--proxy-env")
    else:
        return {}
    proxies = dict[str, str]()
    for number, line in enumerate(text.splitlines(), start=1):
        words = () if line.lstrip().startswith("#") else line.split()
        try:
            proxies.update(map(_proxy, words))
        except click.BadParameter as error:
            raise ConfigurationError(f"{option}, line {number}: {error} is due") from None
    return proxies


def _proxy(text: str) -> tuple[str, str]:
    # No message shows the address, in which there may be a password.
    country, separator, address = text.partition("=")
    # `*` is the proxy for all countries that have none of their own.
    if not separator or not address or (country != "*" and not country.isalpha()):
        raise click.BadParameter("a country code, = and the address of a proxy")
    return country.lower(), address
