"""The database itself: one owner, an order, and clear words when it cannot be used."""

import os
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from browser_use_async.errors import ConfigurationError
from browser_use_async.server import LocalServer
from browser_use_async.server.storage.database import (
    SCHEMA_VERSION,
    SqliteKeeper,
    open_keeper,
)
from browser_use_async.server.storage.keeper import MemoryKeeper
from browser_use_async.server.storage.sealing import KEY_VARIABLE
from tests.support.permissions import as_ordinary_user

KEY = "a key of the operator's own"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the database is."""
    return tmp_path / "server.db"


def _reopened(keeper: SqliteKeeper, path: Path) -> SqliteKeeper:
    keeper.close()
    return SqliteKeeper(path)


def test_documents_come_back_in_their_order(path: Path):
    """A document that is kept again stays in its place; a forgotten one is gone."""
    keeper = SqliteKeeper(path)
    for key in ("b", "a", "c", "d"):
        keeper.keep("thing", key, {"key": key})
    keeper.keep("other", "a", {})
    keeper.keep("thing", "b", {"key": "b", "changed": "\ud800 ü"})
    keeper.forget("thing", "c")

    again = _reopened(keeper, path)
    assert list(again.documents("thing")) == [
        ("b", {"key": "b", "changed": "\ud800 ü"}),
        ("a", {"key": "a"}),
        ("d", {"key": "d"}),
    ]


def test_files_come_back(path: Path):
    """Byte for byte, the empty one too; what is forgotten or unknown is None."""
    keeper = SqliteKeeper(path)
    keeper.keep_file("upload", "a", b"\x00\xff" * 1000)
    keeper.keep_file("upload", "empty", b"")
    keeper.keep_file("upload", "gone", b"x")
    keeper.forget("upload", "gone")

    again = _reopened(keeper, path)
    names = ("a", "empty", "gone", "unknown")
    assert [again.file("upload", name) for name in names] == [b"\x00\xff" * 1000, b"", None, None]


@pytest.mark.case("H4")
def test_nobody_else_can_read_the_file(path: Path):
    """Neither a new one, whatever the mask, nor one that was readable before, nor its log."""
    mask = os.umask(0)
    try:
        keeper = SqliteKeeper(path)
        keeper.keep("thing", "a", {})
        log = path.with_name("server.db-wal")
        modes = [stat.S_IMODE(each.stat().st_mode) for each in (path, log)]
        keeper.close()
        path.chmod(0o644)
        SqliteKeeper(path).close()
    finally:
        os.umask(mask)

    assert modes == [0o600, 0o600]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_closed_database_is_one_file(path: Path):
    """The log is written back, so that the file can be copied."""
    keeper = SqliteKeeper(path)
    keeper.keep("thing", "a", {})
    keeper.close()

    assert list(path.parent.iterdir()) == [path]


def test_a_second_owner_in_the_same_process(path: Path):
    """Refused at once, and free again after the first has gone."""
    keeper = SqliteKeeper(path)
    with pytest.raises(ConfigurationError, match="in use by another server"):
        SqliteKeeper(path)
    keeper.keep("thing", "a", {})

    assert list(_reopened(keeper, path).documents("thing")) == [("a", {})]


@pytest.mark.torture
def test_a_second_owner_in_another_process(path: Path):
    """The same, across processes, for a database with a past and for a new one."""
    program = (
        "import sys; from browser_use_async.server import LocalServer; "
        "LocalServer(database=sys.argv[1])"
    )
    keeper = SqliteKeeper(path)
    for _ in range(2):
        other = subprocess.run(
            [sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=False
        )
        assert other.returncode == 1
        assert "in use by another server" in other.stderr.splitlines()[-1]
        keeper = _reopened(keeper, path)


def test_a_server_that_was_never_started_lets_go(path: Path):
    """Closing it, or dropping it, is enough."""
    server = LocalServer(database=path)
    with pytest.raises(ConfigurationError, match="in use by another server"):
        SqliteKeeper(path)
    del server

    SqliteKeeper(path).close()


def test_a_newer_database(path: Path):
    """Refused before anything is changed."""
    SqliteKeeper(path).close()
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    connection.close()
    before = path.read_bytes()

    with pytest.raises(ConfigurationError, match="newer version"):
        SqliteKeeper(path)
    assert path.read_bytes() == before


def test_a_database_of_another_program(path: Path):
    """Its tables and its mode are left alone."""
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE theirs (a)")
    connection.close()
    path.chmod(0o644)
    before = path.read_bytes()

    with pytest.raises(ConfigurationError, match="another program"):
        SqliteKeeper(path)
    assert path.read_bytes() == before
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


def _overwrite(path: Path, start: int, content: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(start)
        file.write(content)


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(b"Dear diary, " * 1000),
        lambda path: _overwrite(path, 4096 * 2, b"\xff" * 4096 * 3),
        lambda path: path.write_bytes(path.read_bytes()[: 4096 * 3]),
        lambda path: _overwrite(path, 100, b"\x00" * 1000),
    ],
    ids=["no database", "overwritten", "cut off", "no tables"],
)
def test_a_damaged_database(damage: Callable[[Path], object], path: Path):
    """Found at the start, before somebody's data is half served."""
    keeper = SqliteKeeper(path)
    for number in range(200):
        keeper.keep("thing", str(number), {"text": "x" * 500})
    keeper.close()
    damage(path)

    with pytest.raises(ConfigurationError, match="damaged or no database of this server"):
        SqliteKeeper(path)


@pytest.mark.parametrize(
    "place", ["missing/server.db", ".", "/proc/server.db", "\x00", "/dev/null"]
)
def test_a_place_where_no_file_can_be(place: str, tmp_path: Path):
    """Said with the reason of the operating system."""
    with pytest.raises(ConfigurationError, match=r"cannot be used|is not a file"):
        open_keeper(tmp_path / place)


def test_a_read_only_directory(tmp_path: Path):
    """Neither a new file nor the log of one that exists can be made there."""
    path = tmp_path / "server.db"
    SqliteKeeper(path).close()
    tmp_path.chmod(0o500)
    try:
        for each in (path, tmp_path / "new.db"):
            with as_ordinary_user(), pytest.raises(ConfigurationError, match="cannot be used"):
                SqliteKeeper(each)
    finally:
        tmp_path.chmod(0o700)


def test_without_a_database_files_are_held_in_memory():
    """And documents are not: the stores have them."""
    keeper = open_keeper(":memory:")
    keeper.keep_file("upload", "a", b"x")
    keeper.keep("thing", "a", {})

    assert isinstance(keeper, MemoryKeeper)
    assert (keeper.file("upload", "a"), list(keeper.documents("thing"))) == (b"x", [])


# --- secrets ------------------------------------------------------------------------------


@pytest.mark.case("H4")
def test_secrets_come_back_under_the_key(path: Path, monkeypatch: pytest.MonkeyPatch):
    """Sealed in between, and gone once they are forgotten."""
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    keeper = SqliteKeeper(path)
    keeper.keep_secret("schedule", "a", {"password": "canary-7531"})
    keeper.keep_secret("schedule", "b", {"password": "other"})
    keeper.forget_secret("schedule", "b")
    on_disk = b"".join(each.read_bytes() for each in path.parent.iterdir())
    again = _reopened(keeper, path)

    assert keeper.secrets_refused is None
    assert b"canary-7531" not in on_disk
    assert list(again.secrets("schedule")) == [("a", {"password": "canary-7531"})]


@pytest.mark.parametrize(
    ("key", "words"), [("another key, just as long", "does not open"), ("", "is not set")]
)
def test_secrets_under_another_key(
    key: str, words: str, path: Path, monkeypatch: pytest.MonkeyPatch
):
    """The server does not start: its schedules would run without their secrets."""
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    keeper = SqliteKeeper(path)
    keeper.keep_secret("schedule", "a", {"password": "x"})
    keeper.close()
    monkeypatch.setenv(KEY_VARIABLE, key)

    with pytest.raises(ConfigurationError, match=words):
        SqliteKeeper(path)


def test_a_secret_opens_in_its_own_place_only(path: Path, monkeypatch: pytest.MonkeyPatch):
    """Whoever can write the file cannot give one schedule the secrets of another."""
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    keeper = SqliteKeeper(path)
    keeper.keep_secret("schedule", "a", {"password": "x"})
    keeper.close()
    connection = sqlite3.connect(path)
    with connection:
        connection.execute("UPDATE secret SET key = 'b'")
    connection.close()

    with pytest.raises(ConfigurationError, match="does not open"):
        SqliteKeeper(path)


def test_a_key_that_protects_nothing(path: Path, monkeypatch: pytest.MonkeyPatch):
    """A short key is refused, and the file is free again."""
    monkeypatch.setenv(KEY_VARIABLE, "short")
    with pytest.raises(ConfigurationError, match="needs 16 characters"):
        SqliteKeeper(path)
    monkeypatch.delenv(KEY_VARIABLE)

    SqliteKeeper(path).close()


@pytest.mark.case("H4")
def test_without_a_key_secrets_are_not_kept(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    """The reason is logged, the secret is not."""
    monkeypatch.delenv(KEY_VARIABLE, raising=False)
    keeper = SqliteKeeper(path)
    keeper.keep_secret("profile", "a", {"cookies": "canary-7531"})

    assert list(_reopened(keeper, path).secrets("profile")) == []
    assert f"{KEY_VARIABLE} is not set" in caplog.text
    assert "canary" not in caplog.text


def test_without_the_package_secrets_are_not_kept(path: Path):
    """In an interpreter that does not find `cryptography`, the reason names the extra."""
    program = (
        "import sys; from pathlib import Path; sys.modules['cryptography'] = None; "
        "from browser_use_async.server.storage.database import SqliteKeeper; "
        "print(SqliteKeeper(Path(sys.argv[1])).secrets_refused)"
    )
    result = subprocess.run(
        [sys.executable, "-c", program, str(path)],
        env={**os.environ, KEY_VARIABLE: KEY},
        capture_output=True,
        text=True,
        check=True,
    )

    assert "browser-use-async[server]" in result.stdout
