"""`mcp`: serve tools with which language models run browser tasks."""

import os
import socket
import sys
from decimal import Decimal
from functools import partial
from importlib.util import find_spec
from typing import Any, Literal

from yarl import URL

from browser_use_async.cli.command import command
from browser_use_async.cli.connect import configured, connect
from browser_use_async.cli.console import Console
from browser_use_async.cli.options import (
    Choice,
    ServerOptions,
    amount,
    group,
    option,
    port,
    seconds,
)
from browser_use_async.errors import ConfigurationError
from browser_use_async.server.keys.admin_client import AdminClient
from browser_use_async.session import BrowserUseSession

_MAX_WAIT = 45.0
_PORT = 8760


@command(
    "mcp",
    option(
        "--transport",
        "stdio: for the client that starts this command, with the key of this command; http: for "
        "clients that send their own keys (default: stdio)",
        type=Choice(("stdio", "http")),
        default="stdio",
    ),
    option(
        "--timeout SECONDS",
        "the most time for one tool call; less than the limit of the client "
        f"(default: {_MAX_WAIT:g})",
        type=seconds,
        default=_MAX_WAIT,
    ),
    option(
        "--budget-cents CENTS",
        "with stdio: the most that the tasks of this process may cost together, in US cents",
        type=amount,
    ),
    *group(
        "with --transport http",
        option("--host HOST", "(default: 127.0.0.1)", default="127.0.0.1"),
        option("--port PORT", f"0 takes a free one (default: {_PORT})", type=port, default=_PORT),
    ),
    examples=(
        "mcp --budget-cents 500",
        "mcp --transport http --base-url http://127.0.0.1:8765/api/v1",
    ),
)
async def mcp(
    console: Console,
    server: ServerOptions,
    transport: Literal["stdio", "http"],
    timeout: float,
    budget_cents: Decimal | None,
    host: str,
    port: int,
) -> None:
    """Serve MCP tools, so that a language model can run browser tasks."""
    if find_spec("mcp") is None:
        raise ConfigurationError(
            "this command needs the extra `mcp`: pip install 'browser-use-async[mcp]'"
        )
    if transport == "http":
        if server.local or server.given_key() is not None or budget_cents is not None:
            raise ConfigurationError(
                "with --transport http each client sends a key of its own: leave out --local, the "
                "key and --budget-cents; `browser-use-async keys add --budget-cents` bounds a key"
            )
        await _serve_http(server, timeout, host, port, console)
        return
    # Python has None for streams that the shell closed with `<&-` and `>&-`.
    if None in (sys.stdin, sys.stdout):
        raise ConfigurationError(
            "standard input and standard output must be open: an MCP client starts this "
            "command and talks to it through them; others connect to --transport http"
        )
    # Loaded only by this command.
    from browser_use_async.mcp.server import serve_stdio  # noqa: PLC0415

    async with connect(server, console) as connection:
        budget = None if budget_cents is None else connection.session.budget(budget_cents)
        key = connection.configuration.api_key
        assert key is not None  # `connect` refuses to begin without one
        read = partial(_scripts, connection.configuration.base_url, key.reveal())
        await serve_stdio(connection.session, read, timeout, budget)


async def _scripts(base_url: str, key: str) -> list[dict[str, Any]]:
    """The scripts of a key."""
    admin = AdminClient(str(URL(base_url).origin()), key)
    scripts: list[dict[str, Any]] = (await admin.get("/admin/scripts"))["scripts"]
    return scripts


async def _serve_http(
    server: ServerOptions, timeout: float, host: str, number: int, console: Console
) -> None:
    from browser_use_async.mcp.server import PATH, KeySessions, serve_http  # noqa: PLC0415

    # Resolved once: an invalid value is reported at the start, not to each client.
    configuration = configured(server)

    def open_session(key: str) -> BrowserUseSession:
        return BrowserUseSession(
            key,
            base_url=configuration.base_url,
            timeout=configuration.timeout,
            allow_insecure_http=server.allow_insecure_http,
        )

    listener = _listener(host, number)
    address, taken = listener.getsockname()[:2]
    shown = f"[{address}]" if ":" in address else address
    console.info(f"serving MCP on http://{shown}:{taken}{PATH}; press Ctrl-C to end")
    read = partial(_scripts, configuration.base_url)
    await serve_http(KeySessions(open_session), read, timeout, listener, host)


def _listener(host: str, number: int) -> socket.socket:
    try:
        family = socket.getaddrinfo(host, number, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, number), family=family)
    except OSError as error:
        reason = error.strerror or os.strerror(error.errno or 0)
        raise ConfigurationError(f"cannot listen on {host}:{number}: {reason}") from None
