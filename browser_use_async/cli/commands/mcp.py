"""`mcp`: serve tools with which language models run browser tasks."""

import argparse
import os
import socket
import sys
from importlib.util import find_spec

from browser_use_async.cli.connect import connect
from browser_use_async.cli.console import Console
from browser_use_async.cli.exit import ExitCode
from browser_use_async.cli.options import add_connection_options, amount, given_key, port, seconds
from browser_use_async.errors import ConfigurationError
from browser_use_async.session import BrowserUseSession

_MAX_WAIT = 45.0
_PORT = 8760


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument(
        "--transport",
        choices=("stdio", "http"),
        default="stdio",
        help="stdio serves the client that starts this command, with the key of this command; "
        "http serves clients that send their own (default: stdio)",
    )
    parser.add_argument(
        "--max-wait",
        type=seconds,
        default=_MAX_WAIT,
        metavar="SECONDS",
        help="how long a call of a tool may take, less than the client's own limit "
        f"(default: {_MAX_WAIT:g})",
    )
    parser.add_argument(
        "--budget-cents",
        type=amount,
        metavar="CENTS",
        help="with stdio: what the tasks of this process may cost together, in US cents",
    )
    group = parser.add_argument_group("with --transport http")
    group.add_argument("--host", default="127.0.0.1", help="(default: 127.0.0.1)")
    group.add_argument(
        "--port", type=port, default=_PORT, help=f"0 takes a free one (default: {_PORT})"
    )
    add_connection_options(parser)


async def execute(options: argparse.Namespace, console: Console) -> int:
    """Serve until the client leaves, or until a signal."""
    if find_spec("mcp") is None:
        raise ConfigurationError(
            "this command needs the extra `mcp`: pip install 'browser-use-async[mcp]'"
        )
    if options.transport == "stdio":
        # For streams that the shell closed with `<&-` and `>&-` Python has None.
        if None in (sys.stdin, sys.stdout):
            raise ConfigurationError(
                "standard input and standard output must be open: an MCP client starts this "
                "command and talks to it through them; others connect to --transport http"
            )
        # Loaded by this command only.
        from browser_use_async.mcp.server import serve_stdio  # noqa: PLC0415

        async with connect(options, console) as connection:
            limit = options.budget_cents
            budget = None if limit is None else connection.session.budget(limit)
            await serve_stdio(connection.session, options.max_wait, budget)
    else:
        await _serve_http(options, console)
    return ExitCode.FINISHED


async def _serve_http(options: argparse.Namespace, console: Console) -> None:
    from browser_use_async.mcp.server import (  # noqa: PLC0415
        PATH,
        KeySessions,
        serve_http,
    )

    if options.local or given_key(options) is not None or options.budget_cents is not None:
        raise ConfigurationError(
            "with --transport http each client sends a key of its own: leave out --local, the key "
            "and --budget-cents; `browser-use-async keys add --budget-cents` bounds a key"
        )

    def open_session(key: str) -> BrowserUseSession:
        return BrowserUseSession(
            key,
            base_url=options.base_url,
            timeout=options.attempt_timeout,
            allow_insecure_http=options.allow_insecure_http,
        )

    listener = _listener(options.host, options.port)
    host, taken = listener.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    console.info(f"serving MCP on http://{shown}:{taken}{PATH}; press Ctrl-C to end")
    await serve_http(KeySessions(open_session), options.max_wait, listener, options.host)


def _listener(host: str, number: int) -> socket.socket:
    try:
        family = socket.getaddrinfo(host, number, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, number), family=family)
    except OSError as error:
        reason = error.strerror or os.strerror(error.errno or 0)
        raise ConfigurationError(f"cannot listen on {host}:{number}: {reason}") from None
