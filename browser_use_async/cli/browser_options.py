"""What `serve` can be told about the browser that carries out its tasks."""

import argparse

from browser_use_async.server import ChromiumSettings

__all__ = ["add_browser_options", "browser_settings"]


def add_browser_options(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    group = parser.add_argument_group("browser", "How the executors chromium and browser_use work.")
    group.add_argument(
        "--browser",
        metavar="FILE",
        help="the Chromium or Chrome to start (default: BROWSER_USE_SERVER_CHROMIUM, or one that "
        "is found under its usual name)",
    )
    group.add_argument(
        "--max-browsers",
        type=_count,
        metavar="N",
        help="how many tasks may have a browser at once; the others wait (default: as many as fit "
        "into free memory)",
    )
    group.add_argument(
        "--allow-private-addresses",
        action="store_true",
        help="let tasks open pages on this machine and in private networks (default: only the "
        "example site, if served)",
    )
    group.add_argument(
        "--proxy",
        dest="proxies",
        action="append",
        default=[],
        type=_proxy,
        metavar="COUNTRY=URL",
        help="the proxy for tasks with use_proxy and this country, such as "
        "us=http://name:password@127.0.0.1:3128; * is any country; can be repeated",
    )
    group.add_argument(
        "--ad-hosts", metavar="FILE", help="a hosts file with more hosts that use_adblock blocks"
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


def browser_settings(options: argparse.Namespace, site_url: str | None) -> ChromiumSettings:
    """What the options say."""
    served = [site_url] if site_url is not None else []
    return ChromiumSettings(
        browser=options.browser,
        allow_private_addresses=options.allow_private_addresses or served,
        proxies=dict(options.proxies),
        ad_hosts=options.ad_hosts,
        max_browsers=options.max_browsers,
    )


def _count(text: str) -> int:
    count = int(text)
    if count < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return count


def _proxy(text: str) -> tuple[str, str]:
    # No message shows the address, in which there may be a password.
    country, separator, address = text.partition("=")
    if not separator or not address or (country != "*" and not country.isalpha()):
        raise argparse.ArgumentTypeError("a country code, = and the address of a proxy")
    return country.lower(), address
