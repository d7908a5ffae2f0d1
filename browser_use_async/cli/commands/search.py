"""`search`: passages on live pages that fit a query, from the web or from one website."""

import argparse
import re

from browser_use_async.api.converter import unstructure
from browser_use_async.cli.connect import Connection, connect
from browser_use_async.cli.console import Console
from browser_use_async.cli.exit import ExitCode
from browser_use_async.cli.options import add_connection_options, whole
from browser_use_async.cli.screen import Style
from browser_use_async.prices import format_cents, search_url_cents, simple_search_cents
from browser_use_async.types import SearchResult

# The defaults and bounds of the API; the price depends on both.
_WEBSITES, _DEPTH = 5, 2
_MOST_WEBSITES, _DEEPEST = 10, 5


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("query", metavar="QUERY", type=_query, help="what to look for")
    place = parser.add_mutually_exclusive_group()
    place.add_argument(
        "--max-websites",
        type=whole(1, _MOST_WEBSITES),
        metavar="N",
        help=f"how many websites at most, 1 to {_MOST_WEBSITES} (default: {_WEBSITES})",
    )
    place.add_argument(
        "--url",
        type=_address,
        help="search this one website; with --local, {site} stands for the example site",
    )
    parser.add_argument(
        "--depth",
        type=whole(_DEPTH, _DEEPEST),
        default=_DEPTH,
        metavar="D",
        help=f"how deep each website is read, {_DEPTH} to {_DEEPEST} (default: {_DEPTH})",
    )
    add_connection_options(parser)


async def execute(options: argparse.Namespace, console: Console) -> int:
    """Print the cost of the search, and make it."""
    async with connect(options, console) as connection:
        if options.url is not None:
            return await _search_url(connection, options, console)
        return await _search_web(connection, options, console)


async def _search_web(connection: Connection, options: argparse.Namespace, console: Console) -> int:
    websites = options.max_websites or _WEBSITES
    cents = simple_search_cents(websites, options.depth)
    console.info(("cost: ", Style.WAITING), f"{format_cents(cents)} at most (depth x websites)")
    with console.status("reading websites"):
        found = await connection.session.search.simple_search(
            options.query, max_websites=websites, depth=options.depth
        )
    if not found:
        console.info("nothing was found")
    if console.stdout_is_tty:
        for result in found:
            _print(result, console)
    else:
        console.result([unstructure(result) for result in found])
    return ExitCode.FINISHED


async def _search_url(connection: Connection, options: argparse.Namespace, console: Console) -> int:
    url = connection.fill_in(options.url)
    cents = search_url_cents(options.depth)
    console.info(("cost: ", Style.WAITING), f"{format_cents(cents)} (one for each level of depth)")
    with console.status("reading the website"):
        found = await connection.session.search.search_url(url, options.query, depth=options.depth)
    if console.stdout_is_tty:
        _print(found, console)
    else:
        console.result(unstructure(found))
    return ExitCode.FINISHED


def _print(result: SearchResult, console: Console) -> None:
    console.line((result.url, Style.STRONG))
    console.answer(result.content)
    console.line()


def _query(text: str) -> str:
    if not text.strip():
        raise argparse.ArgumentTypeError("it is empty; say what to look for")
    return text


def _address(text: str) -> str:
    # `{site}` becomes an address when the example site is up.
    if not re.fullmatch(r"(?:https?://[^\s/?#]|\{site\})\S*", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not an address; write https://shop.example")
    return text
