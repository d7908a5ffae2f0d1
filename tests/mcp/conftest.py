"""A server whose tasks the test scripts, and MCP clients of the official library."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from browser_use_async import BrowserUseSession, PollPolicy
from browser_use_async.server import LocalServer
from tests.cli.running import Recorder


@pytest.fixture(autouse=True)
def needs_extra() -> None:
    """Without the extra there is nothing to test."""
    pytest.importorskip("mcp", reason="needs the extra `mcp`")


@pytest.fixture
def recorder() -> Recorder:
    """The executor of `server`."""
    return Recorder()


@pytest.fixture
async def server(recorder: Recorder) -> AsyncIterator[LocalServer]:
    """A Cloud API server in the test's own event loop."""
    async with LocalServer(executor=recorder) as running:
        yield running


@pytest.fixture
async def session(server: LocalServer) -> AsyncIterator[BrowserUseSession]:
    """A session with it that polls often."""
    poll = PollPolicy(interval=0.02, latency_target=0.05)
    async with BrowserUseSession(server.api_key, base_url=server.base_url, poll=poll) as opened:
        yield opened


@pytest.fixture
def connected(session: BrowserUseSession) -> Any:
    """A client of a server whose calls may wait for minutes; not entered yet.

    Its cancel scopes must be left in the asyncio task in which they were entered.
    """
    from mcp import Client

    from browser_use_async.mcp.server import new_server

    @asynccontextmanager
    async def session_of(_context: Any) -> AsyncIterator[BrowserUseSession]:
        yield session

    return Client(new_server(session_of, timeout=300.0))
