"""A server whose tasks the test scripts, and MCP clients of the official library."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from browser_use_async import BrowserUseSession, PollPolicy
from browser_use_async.server.keys.admin_client import AdminClient


@pytest.fixture(autouse=True)
def needs_extra():
    """Without the extra there is nothing to test."""
    pytest.importorskip("mcp", reason="needs the extra `mcp`")


@pytest.fixture
def server_options(recorder):
    """A server whose tasks the test scripts."""
    return {"executor": recorder}


@pytest.fixture
def session_options(server):
    """A session with it that polls often."""
    poll = PollPolicy(interval=0.02, latency_target=0.05)
    return {"api_key": server.api_key, "base_url": server.base_url, "poll": poll}


@pytest.fixture
def connected(session, server):
    """A client of a server whose calls may wait for minutes; not entered yet.

    Its cancel scopes must be left in the asyncio task in which they were entered.
    """
    from mcp import Client

    from browser_use_async.mcp.server import new_server

    @asynccontextmanager
    async def session_of(_context: Any) -> AsyncIterator[BrowserUseSession]:
        yield session

    async def scripts_of(_context: Any) -> list[dict[str, Any]]:
        client = AdminClient(server.url, server.api_key)
        scripts: list[dict[str, Any]] = (await client.get("/admin/scripts"))["scripts"]
        return scripts

    return Client(new_server(session_of, scripts_of, timeout=300.0))
