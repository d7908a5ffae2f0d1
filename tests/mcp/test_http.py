"""The command `mcp` over HTTP: each client with a key of its own."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from browser_use_async.server import LocalServer
from tests.mcp.processes import serving_http, started
from tests.support.patience import PATIENCE

_INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    },
}


@asynccontextmanager
async def _client(address: str, key: str) -> AsyncIterator[Any]:
    import httpx2
    from mcp import Client
    from mcp.client.streamable_http import streamable_http_client

    headers = {"Authorization": f"Bearer {key}"}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=PATIENCE) as http,
        Client(streamable_http_client(address, http_client=http)) as client,
    ):
        yield client


@pytest.mark.long
async def test_each_client_has_its_own_key(server: LocalServer):
    """A good key runs tasks; a wrong one is told so by the Cloud API server, without the key."""
    async with serving_http(server) as address:
        async with _client(address, server.api_key) as client:
            good = await client.call_tool("run_task", {"task": "Buy milk"})
            heard: list[str | None] = []

            async def hear(progress: float, total: float | None, message: str | None) -> None:
                heard.append(message)

            await client.call_tool("run_task", {"task": "Stroll"}, progress_callback=hear)
        async with _client(address, "bu_wrong") as client:
            wrong = await client.call_tool("list_tasks", {})

    assert good.structured_content["output"] == "Done."
    assert any("step 1" in str(each) for each in heard)
    assert wrong.is_error
    assert "401" in wrong.content[0].text
    assert "bu_wrong" not in wrong.content[0].text


@pytest.mark.long
async def test_without_a_key_nothing_is_served(server: LocalServer):
    """The answer says which header is missing; pages of other sites are refused."""
    async with serving_http(server) as address, aiohttp.ClientSession() as http:
        async with http.post(address, json={}) as answer:
            assert (answer.status, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
            assert "Authorization: Bearer KEY" in await answer.text()
        headers = {"Authorization": "Bearer x", "Origin": "https://evil.example"}
        async with http.post(address, json={}, headers=headers) as answer:
            assert answer.status == 403


@pytest.mark.long
async def test_it_ends_in_one_line_while_a_client_listens(server: LocalServer):
    """A signal ends the stream of an open session, and no request is told of as an error."""
    async with aiohttp.ClientSession() as http:
        async with serving_http(server) as address:
            headers = {
                "Authorization": f"Bearer {server.api_key}",
                "Accept": "application/json, text/event-stream",
            }
            async with http.post(address, json=_INITIALIZE, headers=headers) as answer:
                headers["Mcp-Session-Id"] = answer.headers["Mcp-Session-Id"]
            stream = await http.get(address, headers=headers)
            assert stream.status == 200
        assert await stream.content.read() == b""


@pytest.mark.long
async def test_the_key_of_the_command_is_refused(server: LocalServer):
    """Whoever serves others does not lend them its own key."""
    process = await started(server, "--transport", "http", "--api-key", "mine")
    _out, said = await process.communicate()

    assert process.returncode == 2
    assert b"each client sends a key of its own" in said
