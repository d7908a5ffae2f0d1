"""`keys`, on a server that is running."""

import json
import tempfile
from pathlib import Path

import aiohttp
import pytest

from browser_use_async.server import LocalServer
from tests.server.calling import Caller

from .running import environment, run, run_on_terminal


@pytest.mark.long
async def test_on_a_running_server(server):
    """A key is created, printed alone on stdout, listed and revoked."""
    env = environment(server)
    words = ("--scopes", "run,read", "--budget-cents", "50.5", "--concurrency", "9")
    added = await run("keys", "add", "shop", *words, "--expires-in", "30", env=env)
    key = added.stdout.strip()
    async with aiohttp.ClientSession() as http:
        me = await Caller(server, http, key).get("/me")
        listed = await run("keys", "list", env=env)
        revoked = await run("keys", "revoke", listed.json["id"], env=env)
        gone = await Caller(server, http, key).get("/me")
    after = await run("keys", "list", env=env)
    everything = await run("keys", "list", "--all", env=env)

    assert added.stdout == f"{key}\n"
    assert key.startswith("bu_")
    assert (me.status, gone.status) == (200, 401)
    assert (listed.json["name"], listed.json["scopes"]) == ("shop", ["read", "run"])
    assert (listed.json["budget_cents"], listed.json["concurrency"]) == ("50.5", 9)
    assert revoked.json["id"] == listed.json["id"]
    assert (after.stdout, len(everything.json_lines)) == ("", 1)
    assert key not in listed.stdout + revoked.stdout + added.stderr


@pytest.mark.parametrize("columns", [80, 130])
async def test_on_a_terminal_of_some_width(server, columns):
    """A table that is wider than the terminal has a line for each cell, so that none is broken."""
    env = environment(server)
    added = await run("keys", "add", "shop", "--json", env=env)
    written = await run_on_terminal("keys", "list", "--plain", env=env, columns=columns)
    lines = written.splitlines()

    assert max(map(len, lines)) <= columns
    if columns == 80:
        assert [["ID", added.json["id"]], ["NAME", "shop"]] == [line.split() for line in lines[:2]]
    else:
        assert lines[0].split()[:3] == ["ID", "NAME", "SCOPES"]


@pytest.mark.long
async def test_over_the_socket_of_administration(server):
    """This works without the API's port, as behind a proxy."""
    with tempfile.TemporaryDirectory(prefix="admin-") as folder:
        path = Path(folder) / "admin"
        async with LocalServer(executor="scripted", admin_socket=path) as behind:
            env = environment(BROWSER_USE_API_KEY=behind.api_key)
            added = await run("keys", "add", "shop", "--admin-socket", str(path), env=env)
            listed = await run("keys", "list", "--admin-socket", str(path), env=env)

    assert added.stdout.startswith("bu_")
    assert listed.json["name"] == "shop"


async def test_tables_on_a_terminal(server):
    """Keys in aligned columns."""
    env = environment(server)
    await run("keys", "add", "shop", "--budget-cents", "5", env=env)
    await run("keys", "add", "a-much-longer-name", env=env)
    listed = await run_on_terminal("keys", "list", "--plain", env=env, columns=200)
    lines = listed.splitlines()

    assert lines[0].split()[:5] == ["ID", "NAME", "SCOPES", "SPENT", "BUDGET"]
    assert (
        len({line.index(word) for line, word in zip(lines[1:3], ("shop", "a-much"), strict=True)})
        == 1
    )
    assert "$0.05" in listed


@pytest.mark.parametrize(
    ("words", "code", "named"),
    [
        (("add", "a b"), 2, "the name of a key"),
        (("add", "shop", "--scopes", "sing"), 2, "scopes are one or more of run, read, admin"),
        (("add", "shop", "--budget-cents", "much"), 2, "no number of cents"),
        (("add", "shop", "--concurrency", "0"), 2, "must be 1 or more"),
        (("add", "shop", "--expires-in", "never"), 2, "not a whole number"),
        (("revoke", "nothing"), 2, "there is no key nothing"),
        (("list", "--local"), 2, "--admin-socket"),
        (("list", "--base-url", "http://tasks.example/api/v1"), 2, "unencrypted"),
        (("list", "--base-url", "http://127.0.0.1:1/api/v1"), 4, "no connection to 127.0.0.1:1"),
    ],
)
async def test_mistakes(words, code, named, server):
    """Each is one line that says what to do."""
    result = await run("keys", *words, env=environment(server))

    assert (result.code, named in result.stderr) == (code, True), result.stderr
    assert result.stdout == ""


async def test_without_a_server():
    """The hosted service has keys of its own."""
    result = await run("keys", "list")

    assert (result.code, "--admin-socket" in result.stderr) == (2, True)


async def test_a_key_without_the_scope(server):
    """The server refuses it, and the error names the scope."""
    added = await run("keys", "add", "shop", env=environment(server))
    env = {**environment(server), "BROWSER_USE_API_KEY": added.stdout.strip()}
    result = await run("keys", "list", env=env)

    assert (result.code, "scope admin" in result.stderr) == (3, True)
    assert json.dumps(added.stdout.strip())[1:-1] not in result.stderr
