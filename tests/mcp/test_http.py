"""The command `mcp` over HTTP: each client with a key of its own."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import aiohttp
import pytest
from yarl import URL

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
async def test_each_client_has_its_own_key(server):
    """A good key runs tasks; a wrong one gets the error of the server, without the key."""
    async with serving_http(server) as address:
        async with _client(address, server.api_key) as client:
            good = await client.call_tool("run_task", {"task": "Buy milk"})
            scripts = await client.call_tool("list_scripts", {})
            heard: list[str | None] = []

            async def hear(progress: float, total: float | None, message: str | None) -> None:
                heard.append(message)

            await client.call_tool("run_task", {"task": "Stroll"}, progress_callback=hear)
        async with _client(address, "bu_wrong") as client:
            wrong = await client.call_tool("list_tasks", {})
            stranger = await client.call_tool("list_scripts", {})

    assert scripts.structured_content["result"] == []
    assert stranger.is_error
    assert "401" in stranger.content[0].text
    assert "bu_wrong" not in stranger.content[0].text
    assert good.structured_content["output"] == "Done."
    assert any("step 1" in str(each) for each in heard)
    assert wrong.is_error
    assert "401" in wrong.content[0].text
    assert "bu_wrong" not in wrong.content[0].text


@pytest.mark.long
async def test_without_a_key_nothing_is_served(server):
    """The answer names the missing header; pages of other sites are refused."""
    async with serving_http(server) as address, aiohttp.ClientSession() as http:
        async with http.post(address, json={}) as answer:
            assert (answer.status, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
            assert "Authorization: Bearer KEY" in await answer.text()
        headers = {"Authorization": "Bearer x", "Origin": "https://evil.example"}
        async with http.post(address, json={}, headers=headers) as answer:
            assert answer.status == 403


def _headers(key: str) -> dict[str, str]:
    return {
        "Authorization": f"Bearer {key}",
        "Accept": "application/json, text/event-stream",
        "MCP-Protocol-Version": "2025-06-18",
    }


@pytest.mark.long
async def test_it_ends_with_one_line_while_a_client_waits(server):
    """A signal ends the stream of an open call, and no request is logged as an error."""
    arguments = {"task": "Hang", "wait_seconds": 40}
    params = {"name": "run_task", "arguments": arguments, "_meta": {"progressToken": 1}}
    call = {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": params}
    async with aiohttp.ClientSession() as http:
        async with serving_http(server) as address:
            stream = await http.post(address, json=call, headers=_headers(server.api_key))
            assert (stream.status, stream.content_type) == (200, "text/event-stream")
            while b"notifications/progress" not in await stream.content.readline():
                pass
        assert b'"result"' not in await stream.content.read()


@pytest.mark.long
async def test_no_key_opens_a_lasting_session(server):
    """A greeting opens no session, since no key is checked before a call."""
    async with serving_http(server) as address, aiohttp.ClientSession() as http:
        for key in ("bu_wrong", server.api_key):
            async with http.post(address, json=_INITIALIZE, headers=_headers(key)) as answer:
                assert answer.status == 200
                assert "Mcp-Session-Id" not in answer.headers
        for ask in (http.get, http.delete):
            async with ask(address, headers=_headers("bu_wrong")) as answer:
                assert (answer.status, answer.headers["Allow"]) == (405, "POST")
        two = _headers("bu_one, Bearer bu_two")
        async with http.post(address, json=_INITIALIZE, headers=two) as answer:
            assert answer.status == 401


@pytest.mark.long
async def test_calls_of_one_key_leave_room_for_the_others(server):
    """A key with 50 running calls gets 429, until one of them has ended."""
    async with AsyncExitStack() as stack:
        address = await stack.enter_async_context(serving_http(server))
        http = await stack.enter_async_context(aiohttp.ClientSession())
        held = [await _hold(URL(address), "bu_greedy", stack) for _ in range(50)]

        async def status(key: str) -> int:
            async with http.post(address, json=_INITIALIZE, headers=_headers(key)) as answer:
                return answer.status

        while_held = (await status("bu_greedy"), await status("bu_other"))
        held[0].close()
        async with asyncio.timeout(PATIENCE):
            while await status("bu_greedy") != 200:  # noqa: ASYNC110 - no event for it
                await asyncio.sleep(0.05)

    assert while_held == (429, 200)


@pytest.mark.long
async def test_keys_that_nobody_knows_leave_room_for_accepted_ones(server):
    """Beyond 100 calls with such keys the next one gets 429; a key that was used is served."""
    async with AsyncExitStack() as stack:
        address = await stack.enter_async_context(serving_http(server))
        http = await stack.enter_async_context(aiohttp.ClientSession())

        async def status(key: str) -> int:
            async with http.post(address, json=_INITIALIZE, headers=_headers(key)) as answer:
                return answer.status

        async with _client(address, server.api_key) as client:
            await client.call_tool("balance", {})
        for number in range(100):
            await _hold(URL(address), f"bu_{number}", stack)
        unknown, known = await status("bu_other"), await status(server.api_key)

    assert (unknown, known) == (429, 200)


@pytest.mark.long
async def test_a_long_request_is_refused(server):
    """One with more than 256 KB is not kept until it is whole."""
    async with serving_http(server) as address, aiohttp.ClientSession() as http:

        async def status(size: int) -> int:
            body = json.dumps(_INITIALIZE).ljust(size)
            headers = _headers("bu_x") | {"Content-Type": "application/json"}
            async with http.post(address, data=body, headers=headers) as answer:
                return answer.status

        statuses = [await status(size) for size in (256 * 1024, 256 * 1024 + 1)]

    assert statuses == [200, 413]


async def _hold(url: URL, key: str, stack: AsyncExitStack) -> asyncio.StreamWriter:
    """Begin a call with a missing body, and wait until the server reads the body."""
    reader, writer = await asyncio.open_connection(url.host, url.port)
    stack.callback(writer.close)
    lines = ["POST /mcp HTTP/1.1", f"Host: {url.host}:{url.port}", f"Authorization: Bearer {key}"]
    lines += ["Accept: application/json, text/event-stream", "Content-Type: application/json"]
    lines += ["Content-Length: 100", "Expect: 100-continue", "", ""]
    writer.write("\r\n".join(lines).encode())
    async with asyncio.timeout(PATIENCE):
        assert b"100 Continue" in await reader.readline()
    return writer


@pytest.mark.long
async def test_the_key_of_the_command_is_refused(server):
    """A server for other clients does not lend them its own key."""
    process = await started(server, "--transport", "http", "--api-key", "mine")
    _out, said = await process.communicate()

    assert process.returncode == 2
    assert b"each client sends a key of its own" in said
