"""The MCP server over standard input and output, and over HTTP."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncGenerator, Generator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from inspect import cleandoc
from typing import Any

import uvicorn
from mcp.server.mcpserver import Context, MCPServer
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from browser_use_async.budget.budget import Budget
from browser_use_async.mcp.sessions import KeySessions
from browser_use_async.mcp.standard_input import closable_input
from browser_use_async.mcp.tools import ANNOTATIONS, SessionOf, Tools, with_tool_errors
from browser_use_async.session import BrowserUseSession
from browser_use_async.version import __version__

PATH = "/mcp"
"""Where the tools are served over HTTP."""

INSTRUCTIONS = """\
Runs tasks in a real browser. A task lives on its own: run_task answers after some seconds, and \
wait_for_task, called until has_ended is true, gets the result of a longer one. A paused task \
waits for a person, who acts on its live_url; then call resume_task."""

_NO_KEY = "Send the API key of the Cloud API server: Authorization: Bearer KEY\n"


def new_server(session_of: SessionOf, max_wait: float) -> MCPServer[Any]:
    """A server with all tools."""
    server: MCPServer[Any] = MCPServer(
        "browser-use-async", version=__version__, instructions=INSTRUCTIONS, log_level="WARNING"
    )
    tools = Tools(session_of, max_wait)
    for name, annotations in ANNOTATIONS.items():
        tool = getattr(tools, name)
        server.add_tool(
            with_tool_errors(tool),
            name=name,
            description=cleandoc(tool.__doc__ or ""),
            annotations=annotations,
        )
    return server


async def serve_stdio(
    session: BrowserUseSession, max_wait: float, budget: Budget | None = None
) -> None:
    """Serve the client that started this process, until it closes the input."""

    @asynccontextmanager
    async def session_of(_context: Context[Any, Any]) -> AsyncGenerator[BrowserUseSession, None]:
        async with contextlib.nullcontext() if budget is None else budget:
            yield session

    async with closable_input():
        serving = asyncio.create_task(new_server(session_of, max_wait).run_stdio_async())
        await asyncio.wait([serving])  # it is not cancelled: it ends with the input
    await serving


async def serve_http(
    sessions: KeySessions, max_wait: float, listener: socket.socket, host: str
) -> None:
    """Serve every client that sends a key, each with its own, until cancelled."""

    def session_of(
        context: Context[Any, Any],
    ) -> AbstractAsyncContextManager[BrowserUseSession]:
        header = (context.headers or {}).get("authorization")
        return sessions.session(_bearer(header) or "")  # there is one: `_RequiresKey`

    application = new_server(session_of, max_wait).streamable_http_app(
        streamable_http_path=PATH, host=host
    )
    # No access log, and none of headers: a key stands in each request.
    config = uvicorn.Config(
        _RequiresKey(application), access_log=False, log_config=None, lifespan="on"
    )
    try:
        await _Server(config).serve(sockets=[listener])
    finally:
        await sessions.aclose()


class _Server(uvicorn.Server):
    """One that leaves signals to the command line."""

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


class _RequiresKey:
    """Answers 401 to requests without a key; which key is good, the Cloud API server says."""

    def __init__(self, application: ASGIApp) -> None:
        self._application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and _key_in(scope) is None:
            headers = {"WWW-Authenticate": "Bearer"}
            await PlainTextResponse(_NO_KEY, 401, headers)(scope, receive, send)
        else:
            await self._application(scope, receive, send)


def _key_in(scope: Scope) -> str | None:
    given = [value for name, value in scope["headers"] if name == b"authorization"]
    return _bearer(given[0].decode("latin-1")) if len(given) == 1 else None


def _bearer(header: str | None) -> str | None:
    scheme, _, key = (header or "").partition(" ")
    return key.strip() or None if scheme.lower() == "bearer" else None
