"""Servers that share a database, some of which keep submission keys."""

import asyncio
from typing import Any

import pytest

from tests.server.calling import Caller
from tests.server.fleet.conftest import eventually, stored_rows

pytestmark = pytest.mark.long


async def _submit(caller: Caller) -> Any:
    return await caller.post(
        "/run-task", json={"task": "Go"}, headers={"Idempotency-Key": '"invoice-7"'}
    )


async def _says_so(caller: Caller) -> bool:
    answer = await caller.get("/tasks")
    return "Idempotency-Key-Supported" in answer.headers


async def test_a_repeat_at_another_server(start):
    """It finds the task of the first one."""
    one, two = await start(role="api"), await start(role="api")
    first, again = await _submit(one), await _submit(two)

    assert first.body == again.body
    assert "Idempotency-Replayed" in again.headers


async def test_many_at_once_at_two_servers(start):
    """One of them is first, and the others wait for it."""
    servers = [await start(role="api"), await start(role="api")]
    answers = await asyncio.gather(*(_submit(each) for each in servers * 50))
    page = await servers[0].get("/tasks")

    assert {each.status for each in answers} == {200}
    assert len({each.body for each in answers}) == 1
    assert sum("Idempotency-Replayed" not in each.headers for each in answers) == 1
    assert page.json["total_count"] == 1


async def test_one_without_keys_that_comes_back(start, postgres):
    """It stood still while the others started; they say no more that they keep keys, and do."""
    caller = await start(lease=10)
    before = await _says_so(caller)
    stored_rows(
        postgres,
        "INSERT INTO nodes (worker, url, slots, keeps_keys, seen_at) VALUES "
        "('back', '', 1, 0, '2999-01-01T00:00:00.000000Z') RETURNING 1",
    )

    async def is_silent() -> bool:
        return not await _says_so(caller)

    await eventually(is_silent)
    answers = [await _submit(caller) for _ in range(2)]
    stored_rows(postgres, "DELETE FROM nodes WHERE worker = 'back' RETURNING 1")

    assert before
    assert answers[0].body == answers[1].body
    await eventually(lambda: _says_so(caller))


async def test_one_that_was_killed(start, postgres):
    """A minute and a half after its last announcement it does not count any more."""
    await start(lease=10)
    supporting = stored_rows(
        postgres,
        "INSERT INTO nodes (worker, url, slots, keeps_keys, seen_at) VALUES "
        "('dead', '', 1, 0, '2026-01-01T00:00:00.000000Z') RETURNING 1",
    )
    assert supporting == [(1,)]
    assert await _says_so(await start(lease=10))
