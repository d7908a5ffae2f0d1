"""`search`: passages on live pages that fit a query, from the web or from one website."""

import re
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

import click

from browser_use_async.api.converter import unstructure
from browser_use_async.cli.command import command
from browser_use_async.cli.connect import connect
from browser_use_async.cli.console import Console
from browser_use_async.cli.options import Argument, ServerOptions, either, option, whole
from browser_use_async.cli.screen import Style
from browser_use_async.prices import format_cents, search_url_cents, simple_search_cents
from browser_use_async.types import SearchResult

# The defaults and bounds of the API; the price depends on both.
_WEBSITES, _DEPTH = 5, 2
_MOST_WEBSITES, _DEEPEST = 10, 5


def _query(text: str) -> str:
    if not text.strip():
        raise click.BadParameter("it is empty; say what to look for")
    return text


def _address(text: str) -> str:
    # `{site}` becomes an address once the example site runs.
    if not re.fullmatch(r"(?:https?://[^\s/?#]|\{site\})\S*", text):
        raise click.BadParameter(f"{text!r} is not an address; write https://shop.example")
    return text


@command(
    "search",
    Argument("query", "QUERY", "what to look for", type=_query),
    *either(
        option(
            "--max-websites N",
            f"how many websites at most, 1 to {_MOST_WEBSITES} (default: {_WEBSITES})",
            type=whole(1, _MOST_WEBSITES),
        ),
        option(
            "--url URL",
            "search this one website; with --local, {site} stands for the example site",
            type=_address,
        ),
    ),
    option(
        "--depth D",
        f"how deep each website is read, {_DEPTH} to {_DEEPEST} (default: {_DEPTH})",
        type=whole(_DEPTH, _DEEPEST),
        default=_DEPTH,
    ),
    examples=(
        'search "opening hours" --max-websites 3',
        'search "opening hours" --url https://shop.example --depth 3',
    ),
)
async def search(
    console: Console,
    server: ServerOptions,
    query: str,
    max_websites: int | None,
    url: str | None,
    depth: int,
) -> None:
    """Search the web or one website, on live pages."""
    async with connect(server, console) as connection:
        api = connection.session.search
        ask: Callable[[], Awaitable[SearchResult | Sequence[SearchResult]]]
        if url is None:
            websites = max_websites or _WEBSITES
            cents, how = simple_search_cents(websites, depth), "at most (depth x websites)"
            ask = partial(api.simple_search, query, max_websites=websites, depth=depth)
        else:
            cents, how = search_url_cents(depth), "(one for each level of depth)"
            ask = partial(api.search_url, connection.fill_in(url), query, depth=depth)
        console.info(("cost: ", Style.WAITING), f"{format_cents(cents)} {how}")
        with console.status("reading websites" if url is None else "reading the website"):
            answer = await ask()
        found = [answer] if isinstance(answer, SearchResult) else answer
        if not found:
            console.info("nothing was found")
        if not console.shows_text:
            records = [unstructure(each) for each in found]
            console.result(records if url is None else records[0])
            return
        for each in found:
            console.line((each.url, Style.STRONG))
            console.answer(each.content)
            console.line()
