"""The MCP server over standard input and output, and over HTTP."""

import asyncio
import contextlib
import os
import socket
import stat
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from typing import Any

import uvicorn
from mcp.server.extension import Extension
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ToolError, UnexpectedToolError
from mcp.server.mcpserver.tools import Tool
from mcp.types import CallToolResult, InputRequiredResult
from pydantic import ValidationError
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from browser_use_async.errors import AuthenticationError
from browser_use_async.mcp.task_handles import TaskHandles
from browser_use_async.mcp.tools import (
    TOOLS,
    AnyContext,
    ScriptsOf,
    SessionOf,
    Tools,
    answering,
    is_left_out,
)
from browser_use_async.money.budgets import Budget
from browser_use_async.session import BrowserUseSession
from browser_use_async.version import __version__


def concise(schema: dict[str, Any]) -> dict[str, Any]:
    """A schema without titles and defaults."""
    short: dict[str, Any] = {}
    for word, value in schema.items():
        if word in {"properties", "$defs"}:
            short[word] = {name: concise(each) for name, each in value.items()}
        elif word == "items":
            short[word] = concise(value)
        elif word == "anyOf":
            one, null = value
            assert null == {"type": "null"}
            short |= _or_null(concise(one))
        elif word not in {"title", "default"}:
            short[word] = value
    return short


def _or_null(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema of what may also be null."""
    if "anyOf" in schema or isinstance(schema["type"], list):
        return schema  # it may be null already
    if "enum" in schema:  # which has no null; several clients convert none
        return {"anyOf": [schema, {"type": "null"}]}
    return {**schema, "type": [schema["type"], "null"]}


def _input_schema(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema of the arguments of a tool, of which all but the required ones may be null."""
    # It does not say that there are no other arguments, since an SDK cannot convert that.
    short = concise(schema)
    required = short.get("required", ())
    arguments = short["properties"].items()
    short["properties"] = {
        name: each if name in required else _or_null(each) for name, each in arguments
    }
    return short


_INPUT = 0  # its descriptor
_CHUNK = 65_536


@asynccontextmanager
async def closable_input() -> AsyncGenerator[None, None]:
    """Put a pipe in front of standard input, which ends when this context is left or cancelled."""
    mode = os.fstat(_INPUT).st_mode
    if not (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or os.isatty(_INPUT)):
        yield  # a file or /dev/null never keeps its reader waiting, and no loop can watch it
        return
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    # The server reads descriptor 0, which becomes the pipe; the real input is copied into it.
    source = os.fdopen(os.dup(_INPUT), "rb", buffering=0)
    incoming, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), source)
    read_end, write_end = os.pipe()
    os.dup2(read_end, _INPUT)
    os.close(read_end)
    outgoing, protocol = await loop.connect_write_pipe(
        asyncio.streams.FlowControlMixin, os.fdopen(write_end, "wb", buffering=0)
    )
    writer = asyncio.StreamWriter(outgoing, protocol, reader, loop)
    copying = asyncio.create_task(
        _copy(reader, writer), name="browser-use: copies the input of the MCP client"
    )
    try:
        yield
    finally:
        copying.cancel()
        await asyncio.wait([copying])
        incoming.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        with contextlib.suppress(ConnectionError):  # the reader has gone
            while chunk := await reader.read(_CHUNK):
                writer.write(chunk)
                await writer.drain()
    finally:
        writer.close()


_GRACE_SECONDS = 2  # for requests that are open when the server ends
_NAME_CHARACTERS = 60  # of what a client calls an argument, in errors
MAX_IDLE = 100  # sessions that no call uses now

OpenSession = Callable[[str], BrowserUseSession]


class KeySessions:
    """Sessions by API key, opened when a key first comes, and closed when it comes no more."""

    # The server that they talk to judges the keys.

    def __init__(self, open_session: OpenSession) -> None:
        self._open = open_session
        self._sessions: dict[str, BrowserUseSession] = {}  # the latest used come last
        self._users: Counter[str] = Counter()  # calls that use a session now
        self._accepted: set[str] = set()  # keys with which a tool has succeeded

    def is_accepted(self, key: str) -> bool:
        """Whether the API server has accepted a key that is in use."""
        return key in self._accepted

    @asynccontextmanager
    async def session(self, key: str) -> AsyncGenerator[BrowserUseSession, None]:
        """The session of a key, which stays open while it is used."""
        session = self._sessions.pop(key, None)
        self._sessions[key] = session = self._open(key) if session is None else session
        self._users[key] += 1
        try:
            yield session
            self._accepted.add(key)
        except AuthenticationError:
            self._accepted.discard(key)
            raise
        finally:
            self._users[key] -= 1
            await self._close_idle()

    async def _close_idle(self) -> None:
        idle = [key for key in self._sessions if not self._users[key]]
        for key in idle[: max(len(idle) - MAX_IDLE, 0)]:
            # Out of the table before it is closed: a call that comes meanwhile opens another one.
            del self._users[key]
            self._accepted.discard(key)
            await self._sessions.pop(key).aclose()

    async def aclose(self) -> None:
        """Close all of them."""
        while self._sessions:
            _key, session = self._sessions.popitem()
            await session.aclose()


# Where the tools are served over HTTP.
PATH = "/mcp"

INSTRUCTIONS = """\
Runs tasks in a real browser. A task lives on its own: run_task answers after some seconds, and \
wait_for_task, called until has_ended is true, gets the result of a longer one. A paused task \
waits for a person, who acts on its live_url; then call resume_task."""

MAX_CALLS = 50  # of one key at once
_MAX_CONNECTIONS = 1_000
MAX_UNKNOWN = 100  # calls at once whose keys the API server has not accepted yet
MAX_BODY_BYTES = 256 * 1024  # the text of a task has up to 20 KB
_BODY_SECONDS = 30
_TOO_SLOW = f"The request did not arrive within {_BODY_SECONDS} seconds\n"

_TOO_MANY = f"{MAX_CALLS} calls of this key are under way already\n"
_TOO_MANY_UNKNOWN = f"{MAX_UNKNOWN} calls with keys that were not used before are under way\n"
_TOO_LARGE = f"A request may have {MAX_BODY_BYTES:,} bytes\n"
_NO_KEY = "Send the API key of the Cloud API server: Authorization: Bearer KEY\n"


class _ToolServer(MCPServer[Any]):
    """A server whose tools refuse arguments that they do not have, instead of leaving them out.

    Clients that must name all arguments leave one out by an empty value.
    """

    # A model that misspells the limit of a task's steps would pay for one without a limit.

    def __init__(self, tools: list[Tool], extension: Extension) -> None:
        self._schemas = {each.name: each.parameters for each in tools}
        super().__init__(
            "browser-use-async",
            version=__version__,
            instructions=INSTRUCTIONS,
            log_level="WARNING",
            tools=tools,
            extensions=[extension],
        )

    async def call_tool(
        self, name: str, arguments: dict[str, Any], context: AnyContext | None = None
    ) -> CallToolResult | InputRequiredResult:
        """Call a tool, if it has all these arguments."""
        schema = self._schemas.get(name, {})
        known = schema.get("properties", arguments)
        unknown = next((each for each in arguments if each not in known), None)
        if unknown is not None:
            shown, takes = unknown[:_NAME_CHARACTERS], ", ".join(known) or "none"
            raise ToolError(f"{name} has no argument {shown}; it takes {takes}. Nothing was sent")
        required = schema.get("required", ())
        given = {
            each: value
            for each, value in arguments.items()
            if each in required or not is_left_out(value)
        }
        try:
            return await super().call_tool(name, given, context)
        except UnexpectedToolError:
            raise
        except ToolError as error:
            cause = error.__cause__
            # The library puts words before ours, which help no model.
            text = str(error).removeprefix(f"Error executing tool {name}: ")
            raise ToolError(_problems(cause) if isinstance(cause, ValidationError) else text) from (
                cause
            )


def _problems(refusal: ValidationError) -> str:
    """The problems of arguments, without their values."""
    problems = [f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in refusal.errors()]
    return "; ".join([*problems, "nothing was sent"])


def new_server(
    session_of: SessionOf, scripts_of: ScriptsOf, timeout: float, budget: Budget | None = None
) -> MCPServer[Any]:
    """A server with all tools, and with tasks of the protocol for clients that know them."""
    tools = Tools(session_of, scripts_of, timeout, budget)
    return _ToolServer([*_tools_of(tools)], TaskHandles(session_of))


def _tools_of(tools: Tools) -> Iterator[Tool]:
    described: list[Any] = []  # a client gets the schema of each model with one tool
    for name, (title, annotations) in TOOLS.items():
        method = getattr(tools, name)
        tool = Tool.from_function(
            answering(method),
            name=name,
            title=title,
            description=" ".join((method.__doc__ or "").split()),
            annotations=annotations,
        )
        tool.parameters = _input_schema(tool.parameters)
        answered = tool.fn_metadata
        is_new = answered.output_model not in described and not answered.wrap_output
        schema = answered.output_schema if is_new else None
        answered.output_schema = None if schema is None else concise(schema)
        described.append(answered.output_model)
        yield tool


async def serve_stdio(
    session: BrowserUseSession,
    read_scripts: Callable[[], Awaitable[list[dict[str, Any]]]],
    timeout: float,
    budget: Budget | None,
) -> None:
    """Serve the client that started this process, until it closes the input."""

    def scripts_of(_context: Context[Any, Any]) -> Awaitable[list[dict[str, Any]]]:
        return read_scripts()

    @asynccontextmanager
    async def session_of(_context: Context[Any, Any]) -> AsyncGenerator[BrowserUseSession, None]:
        async with contextlib.nullcontext() if budget is None else budget:
            yield session

    async with closable_input():
        serving = asyncio.create_task(
            new_server(session_of, scripts_of, timeout, budget).run_stdio_async(),
            name="browser-use: serves an MCP client over stdio",
        )
        await asyncio.wait([serving])  # it is not cancelled: it ends with the input
    with contextlib.suppress(BrokenPipeError):
        try:
            await serving
        except ExceptionGroup as failures:  # of the transport's tasks, of which one fails
            raise failures.exceptions[0] from None


async def serve_http(
    sessions: KeySessions,
    read_scripts: Callable[[str], Awaitable[list[dict[str, Any]]]],
    timeout: float,
    listener: socket.socket,
    host: str,
) -> None:
    """Serve every client that sends a key, each with its own, until cancelled."""

    def key_of(context: Context[Any, Any]) -> str:
        return _bearer((context.headers or {}).get("authorization")) or ""  # one: `_Entrance`

    def session_of(context: Context[Any, Any]) -> AbstractAsyncContextManager[BrowserUseSession]:
        return sessions.session(key_of(context))

    def scripts_of(context: Context[Any, Any]) -> Awaitable[list[dict[str, Any]]]:
        return read_scripts(key_of(context))

    # Without sessions of the protocol, which nothing would close and any key would open: the API
    # server judges a key only when a tool is called.
    application = new_server(session_of, scripts_of, timeout).streamable_http_app(
        streamable_http_path=PATH, host=host, stateless_http=True
    )
    # No access log, and none of headers: a key stands in each request.
    server = _Server(
        uvicorn.Config(
            _Entrance(application, sessions.is_accepted),
            limit_concurrency=_MAX_CONNECTIONS,
            access_log=False,
            log_config=None,
            lifespan="off",
            timeout_graceful_shutdown=_GRACE_SECONDS,
        )
    )
    serving = asyncio.create_task(
        server.serve(sockets=[listener]), name="browser-use: serves MCP clients over HTTP"
    )
    try:
        # The server is not cancelled: it would log a traceback for each open request. These end
        # with the application, and the server ends after them.
        async with application.router.lifespan_context(application):
            await asyncio.wait([serving])
    finally:
        server.should_exit = True
        await asyncio.wait([serving])
        await sessions.aclose()
    await serving


class _Server(uvicorn.Server):
    """One that leaves signals to the command line."""

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


class _Entrance:
    """Admits calls with a key, up to a number for each; the API server judges the key."""

    def __init__(self, application: ASGIApp, is_accepted: Callable[[str], bool]) -> None:
        self._application = application
        self._is_accepted = is_accepted
        self._calls: Counter[str] = Counter()  # under way, by key

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return
        key = _key_in(scope) or ""
        refusal = self._refusal(scope["method"], key)
        if refusal is not None:
            await refusal(scope, receive, send)
            return
        self._calls[key] += 1
        try:
            await self._admit(scope, receive, send)
        finally:
            self._calls[key] -= 1
            if not self._calls[key]:
                del self._calls[key]

    async def _admit(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            # The MCP library would wait for ever, and log a traceback when a client leaves.
            async with asyncio.timeout(_BODY_SECONDS):
                body = await _read_body(receive)
        except TimeoutError:
            await PlainTextResponse(_TOO_SLOW, 408)(scope, receive, send)
            return
        if sum(len(each.get("body", b"")) for each in body) > MAX_BODY_BYTES:
            await PlainTextResponse(_TOO_LARGE, 413)(scope, receive, send)
        elif body[-1]["type"] == "http.request":
            await self._application(scope, _again(body, receive), send)

    def _refusal(self, method: str, key: str) -> PlainTextResponse | None:
        if not key:
            return PlainTextResponse(_NO_KEY, 401, {"WWW-Authenticate": "Bearer"})
        if method != "POST":  # what others do belongs to sessions of the protocol
            return PlainTextResponse(
                "This server has no sessions: use POST\n", 405, {"Allow": "POST"}
            )
        if self._calls[key] >= MAX_CALLS:
            return PlainTextResponse(_TOO_MANY, 429, {"Retry-After": "1"})
        if not self._is_accepted(key) and self._unknown() >= MAX_UNKNOWN:
            return PlainTextResponse(_TOO_MANY_UNKNOWN, 429, {"Retry-After": "1"})
        return None

    def _unknown(self) -> int:
        return sum(calls for key, calls in self._calls.items() if not self._is_accepted(key))


async def _read_body(receive: Receive) -> list[Message]:
    """The messages of a body; it ends early if it is too large or the client leaves."""
    messages: list[Message] = []
    size = 0
    while not messages or (messages[-1].get("more_body") and size <= MAX_BODY_BYTES):
        messages.append(await receive())
        size += len(messages[-1].get("body", b""))
    return messages


def _again(messages: list[Message], receive: Receive) -> Receive:
    """Receives the messages once more, then what comes after them."""
    left = iter(messages)

    async def receive_next() -> Message:
        return next(left, None) or await receive()

    return receive_next


def _key_in(scope: Scope) -> str | None:
    given = [value for name, value in scope["headers"] if name == b"authorization"]
    return _bearer(given[0].decode("latin-1")) if len(given) == 1 else None


def _bearer(header: str | None) -> str | None:
    scheme, _, key = (header or "").partition(" ")
    # With a comma or a space it is several, of which none was chosen.
    is_one = scheme.lower() == "bearer" and not {",", " "} & {*key.strip()}
    return key.strip() or None if is_one else None
