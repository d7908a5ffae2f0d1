"""The database fixtures of the tests of storage, one of each kind."""

from collections.abc import AsyncIterator

import pytest

from browser_use_async.server.secrets.encryption import KEY_VARIABLE
from browser_use_async.server.storage import Database, SqliteDatabase


@pytest.fixture(params=["sqlite", "postgres"])
async def database(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Database]:
    """An empty database, in memory and on PostgreSQL."""
    if request.param == "sqlite":
        yield SqliteDatabase()
        return
    address = request.getfixturevalue("postgres")
    from browser_use_async.server.storage.postgres.database import PostgresDatabase

    monkeypatch.setenv(KEY_VARIABLE, "a-key-of-the-tests-0123456789")
    shared = PostgresDatabase(address)
    await shared.open()
    yield shared
    await shared.aclose()
