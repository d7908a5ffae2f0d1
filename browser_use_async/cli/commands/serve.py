"""`serve`: the bundled Cloud API v1 server, until it is told to end."""

import argparse
import asyncio
import shlex
from contextlib import AsyncExitStack

from browser_use_async.cli.console import Console, Style
from browser_use_async.cli.exit_codes import ExitCode
from browser_use_async.server import LocalServer
from browser_use_async.server.static_site import StaticSite, example_site_directory

__all__ = ["configure", "execute"]

_PORT = 8765


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options.

    Args:
        parser: The command's parser.
    """
    parser.add_argument("--host", default="127.0.0.1", help="where to listen (default: 127.0.0.1)")
    parser.add_argument(
        "--port", type=int, default=_PORT, help=f"0 takes a free one (default: {_PORT})"
    )
    parser.add_argument(
        "--api-key", metavar="KEY", help="the key that clients must bring (default: a random one)"
    )
    parser.add_argument(
        "--executor",
        choices=("auto", "reader", "scripted"),
        default="auto",
        help="what carries out the tasks: reader opens and reads pages by fixed rules, "
        "scripted only pretends (default: auto, which takes the reader)",
    )
    parser.add_argument(
        "--example-site", action="store_true", help="serve the example site too, to read from"
    )
    parser.add_argument(
        "--database",
        metavar="FILE",
        default=":memory:",
        help="where everything outlives a restart; made if it does not exist (default: nowhere)",
    )
    parser.add_argument(
        "--allow-any-host",
        action="store_true",
        help="let --host be an address that other machines reach",
    )


async def execute(options: argparse.Namespace, console: Console) -> int:
    """Serve until a signal comes.

    Args:
        options: The parsed command line.
        console: Where to write.
    """
    server = LocalServer(
        host=options.host,
        port=options.port,
        api_key=options.api_key,
        executor=options.executor,
        database=options.database,
        allow_any_host=options.allow_any_host,
    )
    try:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(server)
            site_url = None
            if options.example_site:
                site = await stack.enter_async_context(StaticSite(example_site_directory()))
                site_url = site.url
            _announce(server, site_url, console, key_is_known=options.api_key is not None)
            await asyncio.Event().wait()
    except asyncio.CancelledError:
        pass  # the one way in which a server ends
    return ExitCode.FINISHED


def _announce(
    server: LocalServer, site_url: str | None, console: Console, *, key_is_known: bool
) -> None:
    console.say("Cloud API v1, carried out by the ", (server.executor.name, Style.STRONG))
    console.say("all tasks at ", (f"{server.url}/", Style.LINK))
    if site_url is not None:
        console.say("example site at ", (f"{site_url}/", Style.LINK))
    console.say()
    console.say(f"export BROWSER_USE_BASE_URL={shlex.quote(server.base_url)}")
    if key_is_known:
        console.say("export BROWSER_USE_API_KEY=", ("the key given with --api-key", Style.FAINT))
    else:
        console.say(f"export BROWSER_USE_API_KEY={shlex.quote(server.api_key)}")
    console.say()
    page = f"{site_url}/" if site_url is not None else "https://example.com"
    console.say(f'then: browser-use-async run "Open {page} and tell me its title"')
    console.say("Ctrl-C ends the server")
    if not console.results_are_read_by_people:
        key = None if key_is_known else server.api_key
        console.emit({"base_url": server.base_url, "api_key": key, "site_url": site_url})
