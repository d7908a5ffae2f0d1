"""The refusals at the start of a server that shares a database."""

import asyncio
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest

from browser_use_async.errors import ConfigurationError
from browser_use_async.server import Fault, LocalServer
from browser_use_async.server.secrets.encryption import KEY_VARIABLE
from browser_use_async.server.storage.postgres.connection import connect
from browser_use_async.server.storage.rows import to_moment
from tests.server.conftest import SHARED_KEY
from tests.server.fleet.conftest import locked, stored_rows
from tests.support.tcp_proxy import TcpProxy, without_notifications

Rewrite = Callable[[bytes], bytes]


def _server(database: str, **options: Any) -> LocalServer:
    return LocalServer(database=database, api_key=SHARED_KEY, executor="scripted", **options)


async def _refusal(database: str, **options: Any) -> str:
    server = _server(database, **options)
    try:
        with pytest.raises(ConfigurationError) as caught:
            await server.start()
    finally:
        await server.aclose()
    return str(caught.value)


async def _refusal_through(postgres: str, rewrite: Rewrite) -> str:
    parts = urlsplit(postgres)
    async with TcpProxy("127.0.0.1", parts.port or 5432, rewrite) as proxy:
        netloc = f"{parts.username}@127.0.0.1:{proxy.port}"
        return await _refusal(urlunsplit(parts._replace(netloc=netloc)))


async def test_no_postgresql(postgres_server):
    """The error has the address without its password."""
    said = await _refusal("postgresql://me:hush@127.0.0.1:9/tasks")

    assert "postgresql://127.0.0.1:9/tasks cannot be reached" in said
    assert "hush" not in said


async def test_one_that_is_too_old(postgres):
    """The error names the oldest supported version."""

    def older(data: bytes) -> bytes:
        at = data.find(b"server_version\0")
        return data if at < 0 else data[: at + 15] + b"12" + data[at + 17 :]

    assert "is PostgreSQL 12, and 13 or newer is needed" in await _refusal_through(postgres, older)


@pytest.mark.long
async def test_a_pooler_of_transactions(postgres):
    """Notifications get lost in it: the error asks for the server itself."""
    said = await _refusal_through(postgres, without_notifications)

    assert "PgBouncer in transaction mode" in said


async def test_a_clock_that_is_off(postgres):
    """The error says by how much: links, schedules and leases follow the clocks."""

    def years_ago(data: bytes) -> bytes:
        return re.sub(rb"20\d\d(-\d\d-\d\d \d\d:)", rb"2001\1", data)

    said = await _refusal_through(postgres, years_ago)

    assert "the clock of this machine" in said
    assert "set them by NTP" in said


@pytest.mark.parametrize(
    ("version", "words"),
    [
        (99, "newer version of this server (schema 99"),
        (9, "version before 1.0.0 (schema 9"),
    ],
)
async def test_tables_of_another_version(start, postgres, version, words):
    """A server leaves them unchanged, and says what to do."""
    await start(role="api")
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute("UPDATE browser_use_server.schema_version SET version = %s", [version])

    assert words in await _refusal(postgres)


async def test_tables_of_another_procrastinate(start, postgres):
    """A server leaves them unchanged, and says which one made them."""
    await start(role="api")
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute("UPDATE browser_use_server.engine_version SET version = '04.00.00'")

    assert "has the tables of procrastinate 04.00.00" in await _refusal(postgres)


async def test_statements_have_a_time_limit(postgres):
    """PostgreSQL ends a statement after a minute, unless the operator's address differs."""
    limits = []
    for address in (
        postgres,
        f"{postgres}{'&' if '?' in postgres else '?'}options=-c%20statement_timeout%3D2min",
    ):
        async with await connect(address) as connection:
            cursor = await connection.execute("SHOW statement_timeout")
            limits += await cursor.fetchone() or ()

    assert limits == ["1min", "2min"]


async def test_another_key(start, postgres, monkeypatch):
    """The second server fails at its start, not when it cannot open the first secret."""
    await start(role="api")
    monkeypatch.setenv(KEY_VARIABLE, "another-key-of-the-tests-0123")

    assert f"the key in {KEY_VARIABLE} does not open" in await _refusal(postgres)


async def test_no_key(postgres, monkeypatch):
    """Without a key no task with secrets could be passed on."""
    monkeypatch.delenv(KEY_VARIABLE)

    assert f"{KEY_VARIABLE} is not set" in await _refusal(postgres)


_UNLIKE = {
    True: "this server keeps no submission keys and the other servers of postgresql://",
    False: "this server keeps submission keys and the other servers of postgresql://",
}
_WAYS_OUT = {
    True: "start it without --no-submission-keys, or end the other servers first",
    False: "start it with --no-submission-keys, or end the other servers first",
}


@pytest.mark.parametrize("others", [True, False])
async def test_servers_that_keep_keys_and_one_that_keeps_none(start, postgres, *, others):
    """A call that is repeated at the other one would be paid twice; nothing of it is left."""
    first = await start(role="api", submission_keys=others)
    _add_node(postgres, "dead", keeps_keys=not others, seconds=91)
    before = _traces(postgres)

    refused = await _refusal(postgres, submission_keys=not others)
    after = _traces(postgres)
    await first.server.aclose()
    later = await start(role="api", submission_keys=not others)

    assert _UNLIKE[others] in refused
    assert _WAYS_OUT[others] in refused
    assert after == before
    assert ("Idempotency-Key-Supported" in (await later.get("/tasks")).headers) is not others


@pytest.mark.parametrize("others", [True, False])
async def test_a_server_that_was_killed_counts_for_a_while(start, postgres, *, others):
    """Its last announcement is 80 seconds old; the error says how long it counts."""
    first = await start(role="api")
    await first.server.aclose()
    _add_node(postgres, "killed", keeps_keys=others, seconds=80)

    refused = await _refusal(postgres, submission_keys=not others)

    assert "one that was killed counts for 90 seconds" in refused


async def test_servers_that_differ_and_start_at_once(start, postgres):
    """One of them starts, and the other one is refused."""
    await (await start(role="api")).server.aclose()
    servers = [_server(postgres, submission_keys=keeps) for keeps in (True, False)]
    async with locked(postgres, "LOCK TABLE nodes IN SHARE ROW EXCLUSIVE MODE") as queued:
        starting = asyncio.gather(*(each.start() for each in servers), return_exceptions=True)
        await queued(2)
    ends = await starting
    names = stored_rows(postgres, "SELECT keeps_keys FROM nodes")
    for each in servers:
        await each.aclose()

    assert sorted(type(each) for each in ends if isinstance(each, Exception)) == [
        ConfigurationError
    ]
    assert names == [(int(not isinstance(ends[0], Exception)),)]


def _add_node(postgres: str, worker: str, *, keeps_keys: bool, seconds: int) -> None:
    """Announce a server that was heard of some seconds ago."""
    seen_at = to_moment(datetime.now(UTC) - timedelta(seconds=seconds))
    stored_rows(
        postgres,
        "INSERT INTO nodes (worker, url, slots, keeps_keys, seen_at) VALUES "
        f"('{worker}', '', 1, {int(keeps_keys)}, '{seen_at}') RETURNING 1",
    )


def _traces(postgres: str) -> tuple[list[Any], int]:
    """The servers that are announced, and the connections to the database that listen."""
    listening = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'LISTEN %'"
    nodes = stored_rows(postgres, "SELECT worker FROM nodes ORDER BY worker")
    return nodes, stored_rows(postgres, listening)[0][0]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"api_key": None}, "need the same api_key"),
        ({"role": "boss"}, "role: 'boss' is none of api, worker, both"),
        ({"lease": 9}, "lease must be a number of seconds from 10"),
        ({"node_url": "10.0.0.5:8765"}, "node_url must be an address such as"),
        ({"node_url": "http://me:hush@10.0.0.5/x"}, "without a path or user"),
        ({"faults": [Fault("reset")]}, "faults are for a server with a database of its own"),
        ({"database": ":memory:", "role": "worker"}, "are for servers that share a database"),
    ],
)
def test_wrong_settings(options, words):
    """They are refused before anything is opened."""
    pytest.importorskip("psycopg_pool")
    place = "postgresql://127.0.0.1:9/x"
    given = {"database": place, "api_key": SHARED_KEY, "executor": "scripted"}
    with pytest.raises(ConfigurationError, match=words):
        LocalServer(**{**given, **options})  # type: ignore[arg-type]


def test_a_missing_package(monkeypatch):
    """The error names the extra that has it."""
    monkeypatch.setitem(sys.modules, "procrastinate", None)

    with pytest.raises(ConfigurationError, match=r"procrastinate: .*browser-use-async\[fleet\]"):
        LocalServer(database="postgresql://127.0.0.1:9/x", api_key=SHARED_KEY, executor="scripted")


async def test_the_synchronous_view_is_refused(start):
    """The synchronous view of the data says why it does not exist."""
    server = (await start(role="api")).server
    for name in ("store", "balance_cents", "deliveries", "tasks_created"):
        with pytest.raises(ConfigurationError, match="which PostgreSQL cannot"):
            getattr(server, name)


@pytest.mark.long
def test_a_server_of_its_own_loads_none_of_it():
    """Neither the driver nor the jobs are imported for SQLite, nor by the command line."""
    program = (
        "import sys, browser_use_async.cli.commands.serve; "
        "from browser_use_async.server import LocalServer; LocalServer(executor='scripted'); "
        "print({'psycopg', 'psycopg_pool', 'procrastinate'} & set(sys.modules))"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )

    assert result.stdout == "set()\n"


@pytest.mark.long
@pytest.mark.timeout(120)
async def test_the_command_line(postgres):
    """`serve` reads the address from a variable, so that its password is in no process list."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "browser_use_async", "serve", "--port", "0"),
        *("--database", "env:DATABASE", "--api-key", "env:KEY", "--executor", "scripted"),
        *("--role", "worker", "--max-browsers", "2"),
        env={**os.environ, "DATABASE": postgres, "KEY": SHARED_KEY},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert process.stdout is not None
    said = await process.stdout.readline()
    process.terminate()
    rest = await process.stdout.read()
    await process.wait()

    assert json.loads(said + rest)["base_url"].startswith("http://127.0.0.1:")
    assert process.returncode == 0
