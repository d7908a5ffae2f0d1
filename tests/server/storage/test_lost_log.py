"""A database file whose log is missing or damaged after its server was killed."""

import asyncio
import logging
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from browser_use_async.server.storage.secret_documents import server_key
from browser_use_async.server.storage.sqlite import SqliteDatabase
from tests.support.patience import PATIENCE

ROWS = 40
WARNING = "was not closed"


def log_of(database_path: Path) -> Path:
    """The log of a database."""
    return database_path.with_name(f"{database_path.name}-wal")


async def fill(database: SqliteDatabase, count: int = ROWS, size: int = 500) -> None:
    """Add this many rows, each in a transaction of its own."""
    for number in range(count):
        await server_key(database, f"key {number}", size)


def kill(database_path: Path, database: SqliteDatabase) -> Path:
    """The files as after the death of their owner, which lives on."""
    left = database_path.parent / "left" / database_path.name
    left.parent.mkdir(exist_ok=True)
    for each in (database_path, log_of(database_path)):
        shutil.copy(each, left.parent)
    database.close()
    return left


async def open_again(
    database_path: Path, caplog: pytest.LogCaptureFixture
) -> tuple[int, list[str]]:
    """The rows that a new owner finds, and its warnings."""
    caplog.clear()
    database = SqliteDatabase(database_path)
    rows = await database.value("SELECT COUNT(*) FROM server_keys")
    database.close()
    return rows, [each.getMessage() for each in caplog.records if each.levelno >= logging.WARNING]


def _flip(log: Path, place: float) -> None:
    content = bytearray(log.read_bytes())
    content[int(place * len(content)) if isinstance(place, float) else place] ^= 1
    log.write_bytes(content)


DAMAGES: dict[str, Callable[[Path], object]] = {
    "gone": Path.unlink,
    "emptied": lambda log: os.truncate(log, 0),
    "zeroed": lambda log: log.write_bytes(bytes(log.stat().st_size)),
    "no header": lambda log: _flip(log, 17),
    "flipped at the start": lambda log: _flip(log, 32 + 24 + 9),
    "flipped in the middle": lambda log: _flip(log, 0.5),
}


@pytest.mark.parametrize("damage", DAMAGES)
async def test_a_lost_log_is_warned_of(damage, database_path, caplog):
    """Once, with the names of both files; later writes are kept and cause no warning."""
    database = SqliteDatabase(database_path)
    await fill(database)
    left = kill(database_path, database)
    DAMAGES[damage](log_of(left))

    rows, warnings = await open_again(left, caplog)

    assert rows < ROWS
    assert len(warnings) == 1
    assert WARNING in warnings[0]
    assert str(left) in warnings[0]
    assert str(log_of(left)) in warnings[0]
    assert await open_again(left, caplog) == (rows, [])


@pytest.mark.parametrize("count", [0, 1, ROWS, 1000])
async def test_a_death_with_its_log_loses_nothing(count, database_path, caplog):
    """Whether or not the log began anew; nor does another death after that."""
    database = SqliteDatabase(database_path)
    await fill(database, count, size=3000)
    left = kill(database_path, database)
    again = kill(left, SqliteDatabase(left))

    assert await open_again(again, caplog) == (count, [])


async def test_a_death_in_the_middle_of_a_write_is_no_loss(database_path, caplog):
    """The written part of a transaction that was never committed is no damage."""
    database = SqliteDatabase(database_path)
    await fill(database)
    before = log_of(database_path).stat().st_size
    await server_key(database, "large", 20_000)
    left = kill(database_path, database)
    log = log_of(left)
    assert log.stat().st_size > before + 3 * 4096
    whole, copy = log.read_bytes(), left.with_name("copy.db")

    for length in range(before, len(whole) - 1, 1000):
        log.write_bytes(whole[:length])
        shutil.copy(left, copy)
        shutil.copy(log, log_of(copy))
        assert await open_again(copy, caplog) == (ROWS, [])


async def test_a_copy_of_a_closed_database_is_whole(database_path, caplog):
    """A backup of one file, and a server that was dropped without being closed."""
    database = SqliteDatabase(database_path)
    await fill(database)
    database.close()
    copy = database_path.with_name("backup.db")
    shutil.copy(database_path, copy)
    dropped = SqliteDatabase(database_path)
    await fill(dropped, ROWS + 1)
    del dropped

    assert await open_again(copy, caplog) == (ROWS, [])
    assert await open_again(database_path, caplog) == (ROWS + 1, [])


@pytest.mark.long
async def test_serve_warns_of_it(database_path):
    """On stderr, when it starts without the log of the server that was killed."""

    async def started() -> asyncio.subprocess.Process:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "browser_use_async", "serve", "--port", "0"),
            *("--database", str(database_path), "--executor", "scripted"),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        assert process.stdout is not None
        async with asyncio.timeout(PATIENCE):
            await process.stdout.readline()
        return process

    first = await started()
    first.kill()
    await first.communicate()
    log_of(database_path).unlink()
    second = await started()
    second.terminate()
    _out, said = await second.communicate()

    assert said.decode().count(WARNING) == 1
