"""Keys as rows: what a transaction finds that another one has begun, committed or rolled back."""

import asyncio
import contextlib
from datetime import UTC, datetime

import pytest

from browser_use_async.server.errors import NoCreditError
from browser_use_async.server.http.submission_keys import answer_once
from browser_use_async.server.storage import Database, SqliteDatabase
from browser_use_async.server.storage.database import Claim
from browser_use_async.server.storage.submission_keys import (
    KeyedCall,
    KeyTakenError,
    SubmissionKeys,
    differing,
)
from browser_use_async.types import Created, RunTaskRequest
from tests.server.fleet.conftest import eventually

_TASK = "run_task"
_WAITING = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = :name"


def _now() -> datetime:
    return datetime(2026, 3, 1, tzinfo=UTC)


def _keyed(resource_id: str, owner: str = "default") -> KeyedCall:
    return KeyedCall(owner, _TASK, "invoice-7", resource_id, '{"id":"x"}', {"task": "digest"})


@pytest.fixture
async def keys(database):
    """The keys of an empty database."""
    keys = SubmissionKeys(database, _now)
    await keys.open()
    return keys


async def test_a_key_is_claimed_once(database, keys):
    """Once by each owner; the stored answer is read unchanged."""
    first, other = _keyed("1"), _keyed("2", "shop")
    for each in (first, other):
        await database.transact(lambda at, each=each: keys.claim(at, each))
    with pytest.raises(KeyTakenError):
        await database.transact(lambda at: keys.claim(at, _keyed("3")))

    assert await keys.find(_TASK, "invoice-7") == first
    assert await keys.of("shop").find(_TASK, "invoice-7") == other
    assert await keys.find("create_scheduled_task", "invoice-7") is None


@pytest.mark.long
@pytest.mark.parametrize("is_committed", [True, False])
async def test_the_second_waits_for_the_first(is_committed, postgres):
    """The second gets the key if the first one is rolled back. On SQLite no two run at once."""
    from browser_use_async.server.storage.postgres.database import PostgresDatabase

    database = PostgresDatabase(postgres)
    await database.open()
    keys = SubmissionKeys(database, _now)
    name = postgres.rpartition("/")[2]
    claimed, may_end = asyncio.Event(), asyncio.Event()

    async def slowly(at: Database) -> None:
        await keys.claim(at, _keyed("1"))
        claimed.set()
        await may_end.wait()
        if not is_committed:
            raise ZeroDivisionError

    async def waits() -> bool:
        return bool(await database.rows(_WAITING, name=name))

    try:
        first = asyncio.ensure_future(database.transact(slowly))
        await claimed.wait()
        second = asyncio.ensure_future(database.transact(lambda at: keys.claim(at, _keyed("2"))))
        await eventually(waits)
        may_end.set()
        with contextlib.nullcontext() if is_committed else pytest.raises(ZeroDivisionError):
            await first
        with pytest.raises(KeyTakenError) if is_committed else contextlib.nullcontext():
            await second
        found = await keys.find(_TASK, "invoice-7")
    finally:
        await database.aclose()

    assert found == _keyed("1" if is_committed else "2")


@pytest.mark.parametrize("is_taken", [True, False])
async def test_a_refusal_for_what_the_first_call_has_spent(is_taken, database, keys):
    """Where the key was claimed since the look-up, the call gets the stored answer."""

    async def refuse(claim: Claim) -> Created:
        if is_taken:
            await database.transact(lambda at: claim(at, Created("1")))
        raise NoCreditError("Insufficient credits")

    answer = answer_once(keys, _TASK, "invoice-7", _request(), refuse)
    if not is_taken:
        with pytest.raises(NoCreditError):
            await answer
        return
    response = await answer

    assert response.body == b'{"id":"1"}'
    assert response.headers["Idempotency-Replayed"] == "?1"


# --- digests ------------------------------------------------------------------------------


def _request(**fields: object) -> RunTaskRequest:
    return RunTaskRequest("Pay invoice 7", **fields)  # type: ignore[arg-type]


async def test_digests_say_nothing_about_other_keys(keys):
    """Digests of the same values differ by owner, call and key."""
    found = [
        keys.digests(_TASK, "a", _request()),
        keys.digests(_TASK, "b", _request()),
        keys.of("shop").digests(_TASK, "a", _request()),
        keys.digests("create_scheduled_task", "a", _request()),
    ]

    assert len({each["task"] for each in found}) == 4
    assert not any("invoice" in str(each) for each in found)


async def test_the_values_of_secrets_have_no_part_in_a_digest(keys):
    """A value could be guessed from it; names are compared."""
    first, other, renamed, none = [
        keys.digests(_TASK, "k", _request(secrets=each))
        for each in ({"a": "1", "b": "2"}, {"b": "3", "a": "4"}, {"a": "1", "c": "2"}, {})
    ]

    assert differing(first, other) == []
    assert differing(first, renamed) == differing(first, none) == ["secrets"]


async def test_digests_are_the_same_after_a_restart(tmp_path):
    """Their key is in the database."""
    found = []
    for _ in range(2):
        database = SqliteDatabase(tmp_path / "server.db")
        keys = SubmissionKeys(database, _now)
        await keys.open()
        found.append(keys.digests(_TASK, "k", _request(secrets={"p": "hunter2"})))
        database.close()

    assert found[0] == found[1]
