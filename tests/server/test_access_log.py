"""The access log: a line for each request, and no secret in any."""

import asyncio
import json
import logging
import re
from datetime import datetime

import aiohttp
import pytest

from browser_use_async import BrowserUseSession
from browser_use_async.server import LocalServer
from browser_use_async.server.executors.scripted import Scenario, ScriptedExecutor
from browser_use_async.server.http.access_log import JsonLines
from tests.server.calling import Caller
from tests.server.keys.test_keys import listed

NAME = "browser_use_async.server.access"


@pytest.fixture
def server_options(caplog):
    """A server whose access log is read."""
    caplog.set_level(logging.INFO, NAME)
    return {"executor": ScriptedExecutor({"Hang": Scenario(steps=["Look"], hangs=True)})}


def _lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    lines = [each.getMessage() for each in caplog.records if each.name == NAME]
    return [re.sub(r"\d+ bytes \d+ ms", "B bytes N ms", each) for each in lines]


async def _get(server: LocalServer, *paths: str) -> None:
    async with aiohttp.ClientSession() as http:
        for path in paths:
            async with http.get(f"{server.url}{path}") as response:
                await response.read()


async def test_a_request_is_a_line(server, caplog):
    """Method, path, status, bytes and milliseconds; the API's own parameters with their values."""
    async with BrowserUseSession(server.api_key, base_url=server.base_url) as session:
        handle = await session.submit("Hang")
        await session.tasks.list(page=1, limit=5)
        await session.tasks.stop(handle.id)

    assert _lines(caplog) == [
        "POST /api/v1/run-task 200 B bytes N ms",
        "GET /api/v1/tasks?page=1&limit=5 200 B bytes N ms",
        f"PUT /api/v1/stop-task?task_id={handle.id} 200 B bytes N ms",
    ]


async def test_links_are_masked(server, caplog):
    """Tokens in paths are masked, whatever surrounds them, and so are unknown parameters."""
    await _get(
        server,
        "/live/abc-secret",
        "/share/abc-secret/socket",
        "/x/LIVE//abc-secret",
        "/live%2Fabc-secret",
        "/files/t1/a.txt?expires=1&signature=abc-secret",
        "/api/v1/tasks?key=abc-secret&abc-secret",
        "/nowhere?a%0Ab=abc-secret&limit=abc-secret",
    )

    lines = _lines(caplog)
    assert "abc-secret" not in "".join(lines)
    assert [each.partition(" 4")[0] for each in lines] == [
        "GET /live/***",
        "GET /share/***/socket",
        "GET /x/LIVE//***",
        "GET /live%2F***",
        "GET /files/t1/a.txt?expires=***&signature=***",
        "GET /api/v1/tasks?key=***&***=***",
        "GET /nowhere?***=***&limit=***",
    ]


async def _get_unchanged(server: LocalServer, path: str) -> bytes:
    """Make a request whose path no client normalises."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(server.url.rpartition(":")[2]))
    writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/%6Cive/{}", "/live/***"),
        ("/l%69v%65/{}/", "/live/***/"),
        ("/sh%61re%2f{}/socket", "/share/***/socket"),
        ("/%256Cive/{}", "/live/***"),
        ("/%25%36Cive%252F{}%0d%0aX", "/live/***"),
    ],
)
async def test_links_are_masked_however_they_are_encoded(server, caplog, path, shown):
    """The server decodes a path, so percent-encoded letters open the same page."""
    async with BrowserUseSession(server.api_key, base_url=server.base_url) as session:
        await session.submit("Hang")
    token = str(server.store.tasks[0].live_token)
    await _get_unchanged(server, path.format(token))

    (line,) = _lines(caplog)[1:]
    assert token not in line
    assert line.startswith(f"GET {shown} ")


async def test_a_request_cannot_write_lines(server, caplog):
    """The text of a client stays on the one line about its request."""
    await _get_unchanged(server, "/a%0d%0aGET%20/b")

    assert _lines(caplog) == ["GET /a%0d%0aGET%20/b 404 B bytes N ms"]


async def test_a_line_of_json_says_who_did_what(server, caplog):
    """Key, call, status and milliseconds; what has no valid key or no route says so."""
    async with aiohttp.ClientSession() as http:
        admin = Caller(server, http)
        shop = await admin.with_new_key("shop", scopes=["run"])
        await shop.post("/run-task", json={"task": "Hang"})
        await shop.get("/balance")
        await Caller(server, http, "bu_a_wrong_one").get("/balance")
        await admin.get(f"{server.url}/nowhere?token=abc-secret")
        (key,) = await listed(admin, "shop")
    lines = [json.loads(JsonLines().format(each)) for each in caplog.records if each.name == NAME]
    found = [(each["key"], each["key_id"], each["call"], each["status"]) for each in lines]

    assert found[:5] == [
        ("default", "default", "admin_add_key", 200),
        ("shop", key["id"], "run_task", 200),
        ("shop", key["id"], "check_balance", 403),
        (None, None, "check_balance", 401),
        (None, None, "unrouted", 404),
    ]
    assert lines[1].keys() == {
        *("at", "key", "key_id", "call", "method", "path", "status", "bytes", "ms", "replayed"),
    }
    assert 0 < lines[1]["ms"] < 60_000
    assert datetime.fromisoformat(lines[1]["at"]).tzinfo is not None
    assert lines[4]["path"] == "/nowhere?token=***"


async def test_nothing_is_written_without_a_reader(caplog, server):
    """At WARNING there is no line at all."""
    caplog.set_level(logging.WARNING, NAME)

    await _get(server, "/")

    assert _lines(caplog) == []
