"""The database itself: one owner, an order, and clear errors when it cannot be used."""

import asyncio
import os
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from browser_use_async.errors import ConfigurationError
from browser_use_async.server import LocalServer
from browser_use_async.server.errors import StorageUnavailableError
from browser_use_async.server.secrets.encryption import KEY_VARIABLE
from browser_use_async.server.storage.database import Database
from browser_use_async.server.storage.files import FileFacts, Files
from browser_use_async.server.storage.rows import from_text, to_text
from browser_use_async.server.storage.schema import SCHEMA_VERSION
from browser_use_async.server.storage.secret_documents import Secrets, server_key
from browser_use_async.server.storage.sqlite import SqliteDatabase
from tests.support.permissions import as_ordinary_user

KEY = "a key of the operator's own"
_READ_ONLY = "cannot be written by this user; change its permissions, or name a file elsewhere"


async def _add(database: Database, *names: str) -> None:
    for name in names:
        await server_key(database, name, 500)


async def _names(database: Database) -> list[str]:
    return [name for (name,) in await database.rows("SELECT name FROM server_keys ORDER BY name")]


@pytest.mark.parametrize("is_in_memory", [False, True])
async def test_a_transaction_is_done_all_or_not_at_all(is_in_memory, database_path):
    """The writes before its failure are undone; the next one is done."""
    database = SqliteDatabase(None if is_in_memory else database_path)

    async def fails(at: Database) -> None:
        await _add(at, "a")
        raise LookupError("in the middle")

    with pytest.raises(LookupError):
        await database.transact(fails)
    await database.transact(lambda at: _add(at, "b", "c"))

    assert await _names(database) == ["b", "c"]
    database.close()


async def test_a_transaction_waits_for_nothing(database_path):
    """Otherwise statements of others would become part of it; nothing of it is written."""
    database = SqliteDatabase(database_path)

    async def waits(at: Database) -> None:
        await _add(at, "a")
        await asyncio.sleep(0)

    with pytest.raises(RuntimeError, match="wait for nothing but the database"):
        await database.transact(waits)

    assert await _names(database) == []
    database.close()


_TEXTS = ("id", "webhook_id", "address", "task_id", "status", "body", "attempts", "state", "since")


async def _add_event(database: Database, event_id: str) -> None:
    await database.insert(
        "outbox",
        dict.fromkeys(_TEXTS, "") | {"id": event_id, "state": "0", "owner": "", "place": 0},
    )


async def test_a_look_up_sees_every_change_made_before_it(database):
    """This applies however many others look up rows meanwhile, whose answers it may share."""
    names = ["changed", *map(str, range(20))]
    for name in names:
        await _add_event(database, name)
    is_over = False

    async def look(name: str) -> None:
        while not is_over:
            row = await database.by_id("outbox", "id, state", name)
            assert row is not None
            assert row[0] == name
            await asyncio.sleep(0)  # SQLite itself never waits

    async with asyncio.TaskGroup() as group:
        for name in names:
            group.create_task(look(name))
        for number in range(100):
            await database.update("outbox", {"state": str(number)}, id="changed")
            row = await database.by_id("outbox", "id, state", "changed")
            assert row == ("changed", str(number))
        is_over = True


async def test_a_look_up_that_is_cancelled_ends_alone(database):
    """Others that wait for the same answer get it."""
    await _add_event(database, "a")
    looks = [asyncio.ensure_future(database.by_id("outbox", "id", "a")) for _ in range(30)]
    await asyncio.sleep(0)
    for each in looks[::2]:
        each.cancel()
    found = await asyncio.gather(*looks, return_exceptions=True)
    assert found[1::2] == [("a",)] * 15


@pytest.mark.parametrize("text", ["", "unknown", "a\0b", "\x01", "half \ud83d of a pair"])
async def test_a_look_up_of_any_text(text, database):
    """A text that no row has is not found, and disturbs no other look-up."""
    await _add_event(database, "a")
    ids = ("a", text, "a")
    found = await asyncio.gather(*(database.by_id("outbox", "id", each) for each in ids))
    assert found == [("a",), None, ("a",)]


@pytest.mark.long
@pytest.mark.parametrize(
    "text", ["", "plain", "ü 🎉", "a\nb\x7f", "a\0b", "\x01", "half \ud83d of a pair", "\x01\ud83d"]
)
async def test_any_text_comes_back(text, database):
    """This includes what databases refuse: NUL, and halves of surrogate pairs."""
    stored = to_text(text)
    found = await database.rows("SELECT :text", text=stored)

    assert from_text(found[0][0]) == text
    assert "\0" not in stored
    assert stored.encode().decode() == stored


@pytest.mark.long
@pytest.mark.parametrize("size", [0, 1, 2**20, 2**20 + 1, 5 * 2**20])
async def test_files_are_read_in_parts(size, database):
    """Any range of a file of any length; a deleted or unknown file has no facts."""
    files = Files(database)
    content = bytes(number % 251 for number in range(size))
    await files.put("a", b"replaced")
    await files.put("a", content)
    await files.put("b", b"other")
    ends = {0, 1, size // 2, 2**20 - 1, 2**20, 2**20 + 1, size}
    ranges = [range(i, j) for i in ends for j in ends if i <= j <= size]

    assert await files.facts("a") == FileFacts.of(content)
    assert all([await files.get("a", each) == content[each.start : each.stop] for each in ranges])
    await files.delete("a")
    assert await files.facts("a") is None
    assert await files.get("b", range(5)) == b"other"


def test_only_the_owner_can_read_the_file(database_path):
    """Neither a new one, for any mask, nor one that was readable before, nor its log."""
    mask = os.umask(0)
    try:
        database = SqliteDatabase(database_path)
        asyncio.run(_add(database, "a"))
        log = database_path.with_name("server.db-wal")
        modes = [stat.S_IMODE(each.stat().st_mode) for each in (database_path, log)]
        database.close()
        database_path.chmod(0o644)
        SqliteDatabase(database_path).close()
    finally:
        os.umask(mask)

    assert modes == [0o600, 0o600]
    assert stat.S_IMODE(database_path.stat().st_mode) == 0o600


async def test_a_closed_database_is_one_file(database_path):
    """The log is written back, so that the file can be copied without the reserve of its disk."""
    database = SqliteDatabase(database_path)
    await _add(database, "a")
    database.close()

    assert sorted(each.name for each in database_path.parent.iterdir()) == [
        database_path.name,
        f"{database_path.name}-reserve",
    ]


async def test_a_second_owner_in_the_same_process(database_path):
    """It is refused at once; the database is free when the first one has gone."""
    database = SqliteDatabase(database_path)
    with pytest.raises(ConfigurationError, match="in use by another server"):
        SqliteDatabase(database_path)
    await _add(database, "a")
    database.close()

    again = SqliteDatabase(database_path)
    assert await _names(again) == ["a"]
    again.close()


@pytest.mark.torture
def test_a_second_owner_in_another_process(database_path):
    """The same across processes, for an existing database and for a new one."""
    program = (
        "import sys; from browser_use_async.server import LocalServer; "
        "LocalServer(database=sys.argv[1])"
    )
    database = SqliteDatabase(database_path)
    for _ in range(2):
        other = subprocess.run(
            [sys.executable, "-c", program, str(database_path)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert other.returncode == 1
        assert "in use by another server" in other.stderr.splitlines()[-1]
        database.close()
        database = SqliteDatabase(database_path)
    database.close()


def test_a_server_that_was_never_started_releases_the_file(database_path):
    """Closing it, or dropping it, is enough."""
    server = LocalServer(database=database_path)
    with pytest.raises(ConfigurationError, match="in use by another server"):
        SqliteDatabase(database_path)
    del server

    SqliteDatabase(database_path).close()


def test_a_server_that_is_refused_takes_no_file(database_path):
    """Settings are refused before the file is locked, so that another server can open it."""
    with pytest.raises(ConfigurationError, match="s3://") as refusal:
        LocalServer(database=database_path, files="a folder")

    # While the error, and with it the failed server, still exists.
    SqliteDatabase(database_path).close()
    assert refusal.value


@pytest.mark.parametrize(
    ("version", "words"),
    [
        (SCHEMA_VERSION + 1, "newer version of this server .* upgrade browser-use-async"),
        (SCHEMA_VERSION - 1, "version before 1.0.0 .* name another database to start anew"),
        (1, "version before 1.0.0"),
    ],
)
def test_a_database_of_another_version(database_path, version, words):
    """It is refused before anything is changed, and the error says what to do."""
    SqliteDatabase(database_path).close()
    connection = sqlite3.connect(database_path)
    connection.execute(f"PRAGMA user_version = {version}")
    connection.close()
    before = database_path.read_bytes()

    with pytest.raises(ConfigurationError, match=words):
        SqliteDatabase(database_path)
    assert database_path.read_bytes() == before


def test_a_database_of_another_program(database_path):
    """Its tables and its mode are unchanged."""
    connection = sqlite3.connect(database_path)
    connection.execute("CREATE TABLE theirs (a)")
    connection.close()
    database_path.chmod(0o644)
    before = database_path.read_bytes()

    with pytest.raises(ConfigurationError, match="another program; name another file"):
        SqliteDatabase(database_path)
    assert database_path.read_bytes() == before
    assert stat.S_IMODE(database_path.stat().st_mode) == 0o644


def _overwrite(database_path: Path, start: int, content: bytes) -> None:
    with database_path.open("r+b") as file:
        file.seek(start)
        file.write(content)


@pytest.mark.parametrize(
    "damage",
    [
        lambda database_path: database_path.write_bytes(b"Dear diary, " * 1000),
        lambda database_path: _overwrite(database_path, 4096 * 2, b"\xff" * 4096 * 3),
        lambda database_path: database_path.write_bytes(database_path.read_bytes()[: 4096 * 3]),
        lambda database_path: _overwrite(database_path, 100, b"\x00" * 1000),
    ],
    ids=["no database", "overwritten", "cut off", "no tables"],
)
async def test_a_damaged_database(damage, database_path):
    """It is found at the start, before a part of the data is served."""
    database = SqliteDatabase(database_path)
    await _add(database, *map(str, range(200)))
    database.close()
    damage(database_path)

    with pytest.raises(ConfigurationError, match="damaged or no database of this server"):
        SqliteDatabase(database_path)


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("missing/server.db", "there is no folder .*missing; make it, or name another file"),
        (".", "is not a file; name another one"),
        ("/dev/null", "is not a file; name another one"),
        ("/proc/server.db", "cannot be used: .*another file|cannot be written by this user"),
        ("\x00", "cannot be used: .*; name another file"),
    ],
)
def test_a_place_where_no_file_can_be(place, words, tmp_path):
    """The error has the reason, and says what to do."""
    with pytest.raises(ConfigurationError, match=words):
        SqliteDatabase(tmp_path / place)


def test_a_read_only_directory(tmp_path):
    """Neither a new file nor the log of an existing one can be created there."""
    database_path = tmp_path / "server.db"
    SqliteDatabase(database_path).close()
    tmp_path.chmod(0o500)
    try:
        for each in (database_path, tmp_path / "new.db"):
            with as_ordinary_user(), pytest.raises(ConfigurationError, match=_READ_ONLY) as raised:
                SqliteDatabase(each)
            assert f"{tmp_path} cannot be written" in str(raised.value)
    finally:
        tmp_path.chmod(0o700)


def test_a_read_only_file(database_path):
    """It is refused at the start, and unchanged."""
    SqliteDatabase(database_path).close()
    database_path.chmod(0o400)
    with as_ordinary_user(), pytest.raises(ConfigurationError, match=_READ_ONLY):
        SqliteDatabase(database_path)

    assert stat.S_IMODE(database_path.stat().st_mode) == 0o400


async def test_a_full_disk(database_path):
    """A typed error that says what to do, and no partial write; with room it continues."""
    database = SqliteDatabase(database_path)
    (pages,) = (await database.rows("PRAGMA page_count"))[0]
    await database.rows(f"PRAGMA max_page_count = {pages + 5}")

    async def work(at: Database) -> None:
        for number in range(100):
            await _add(at, str(number))

    with pytest.raises(
        StorageUnavailableError, match="is full, and nothing was written; make room"
    ):
        await database.transact(work)
    assert await _names(database) == []
    await database.rows(f"PRAGMA max_page_count = {pages + 1000}")
    await database.transact(work)
    database.close()

    again = SqliteDatabase(database_path)
    assert len(await _names(again)) == 100
    again.close()


# --- secrets ------------------------------------------------------------------------------


async def _put(database_path: Path, kind: str, key: str, document: dict[str, str]) -> None:
    database = SqliteDatabase(database_path)
    secrets = Secrets(database)
    await secrets.open()
    await secrets.put(database, kind, key, document)
    database.close()


async def _opened(database_path: Path) -> dict[str, Any]:
    database = SqliteDatabase(database_path)
    try:
        secrets = Secrets(database)
        await secrets.open()
        return await secrets.all("schedule")
    finally:
        database.close()


async def test_secrets_come_back_under_the_key(database_path, monkeypatch):
    """They are sealed meanwhile, and deleted once they are forgotten."""
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    await _put(database_path, "schedule", "a", {"password": "canary-7531"})
    database = SqliteDatabase(database_path)
    secrets = Secrets(database)
    await secrets.open()
    await secrets.put(database, "schedule", "b", {"password": "other"})
    await secrets.delete(database, "schedule", "b")
    on_disk = b"".join(each.read_bytes() for each in database_path.parent.iterdir())
    database.close()

    assert secrets.refusal is None
    assert b"canary-7531" not in on_disk
    assert await _opened(database_path) == {"a": {"password": "canary-7531"}}


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("another key, just as long", "does not open; give the server the key"),
        ("", "is not set; start the server with what it had"),
    ],
)
def test_secrets_under_another_key(key, words, database_path, monkeypatch):
    """The server does not start: its schedules would run without their secrets."""
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    asyncio.run(_put(database_path, "schedule", "a", {"password": "x"}))
    monkeypatch.setenv(KEY_VARIABLE, key)
    before = database_path.read_bytes()

    for _ in range(2):  # the first refusal has released the file
        with pytest.raises(ConfigurationError, match=words):
            LocalServer(database=database_path)
    assert database_path.read_bytes() == before


async def test_a_secret_opens_in_its_own_place_only(database_path, monkeypatch):
    """A program that can write the file cannot give one schedule the secrets of another."""
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    await _put(database_path, "schedule", "a", {"password": "x"})
    connection = sqlite3.connect(database_path)
    with connection:
        connection.execute("UPDATE secrets SET key = 'b'")
    connection.close()

    with pytest.raises(ConfigurationError, match="does not open"):
        await _opened(database_path)


async def test_a_key_that_protects_nothing(database_path, monkeypatch):
    """A short key is refused, and the file is free again."""
    monkeypatch.setenv(KEY_VARIABLE, "short")
    with pytest.raises(ConfigurationError, match="needs 16 characters"):
        LocalServer(database=database_path)
    monkeypatch.delenv(KEY_VARIABLE)

    SqliteDatabase(database_path).close()


async def test_without_a_key_secrets_are_not_kept(database_path, monkeypatch, caplog):
    """The reason is logged, and the secret is not."""
    monkeypatch.delenv(KEY_VARIABLE, raising=False)
    await _put(database_path, "profile", "a", {"cookies": "canary-7531"})

    assert await _opened(database_path) == {}
    assert f"{KEY_VARIABLE} is not set" in caplog.text
    assert "canary" not in caplog.text


@pytest.mark.long
def test_without_the_package_secrets_are_not_kept(database_path):
    """In an interpreter without `cryptography`, the reason names the extra."""
    program = (
        "import sys; from pathlib import Path; sys.modules['cryptography'] = None; "
        "from browser_use_async.server.storage.sqlite import SqliteDatabase; "
        "from browser_use_async.server.storage.secret_documents import Secrets; "
        "from browser_use_async.server.storage.database import immediate; "
        "secrets = Secrets(SqliteDatabase(Path(sys.argv[1]))); "
        "immediate(secrets.open()); print(secrets.refusal)"
    )
    result = subprocess.run(
        [sys.executable, "-c", program, str(database_path)],
        env={**os.environ, KEY_VARIABLE: KEY},
        capture_output=True,
        text=True,
        check=True,
    )

    assert "browser-use-async[server]" in result.stdout


async def test_what_was_announced_is_heard_once_it_is_committed():
    """In its order; announcements of a transaction that was rolled back are not sent."""
    database, heard = SqliteDatabase(), list[tuple[str, str]]()
    database.heard = lambda subject, news: heard.append((subject, news))

    async def work(at: Database, *, fails: bool) -> None:
        await at.announce("one", "created default")
        await at.announce("two", "step default")
        assert heard == []
        if fails:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await database.transact(lambda at: work(at, fails=True))
    assert heard == []
    await database.transact(lambda at: work(at, fails=False))
    assert heard == [("one", "created default"), ("two", "step default")]
    await database.announce("three", "step default")
    assert heard[2:] == [("three", "step default")]
