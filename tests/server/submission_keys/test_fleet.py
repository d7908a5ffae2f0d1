"""Servers that share a database, some of which keep submission keys."""

import asyncio
from typing import Any

import pytest

from tests.server.calling import Caller
from tests.server.fleet.conftest import (
    Start,
    eventually,
    postgres,
    postgres_server,
    server_key,
    start,
    stored_rows,
)

__all__ = ["postgres", "postgres_server", "server_key", "start"]

pytestmark = pytest.mark.long


async def _submit(api: Caller) -> Any:
    return await api.post(
        "/run-task", json={"task": "Go"}, headers={"Idempotency-Key": '"invoice-7"'}
    )


async def _says_so(api: Caller) -> bool:
    answer = await api.get("/tasks")
    return "Idempotency-Key-Supported" in answer.headers


async def test_a_repeat_at_another_server(start: Start):
    """It finds the task of the first one."""
    one, two = await start(role="api"), await start(role="api")
    first, again = await _submit(one), await _submit(two)

    assert first.body == again.body
    assert "Idempotency-Replayed" in again.headers


async def test_many_at_once_at_two_servers(start: Start):
    """One of them is first, and the others wait for it."""
    servers = [await start(role="api"), await start(role="api")]
    answers = await asyncio.gather(*(_submit(each) for each in servers * 50))
    page = await servers[0].get("/tasks")

    assert {each.status for each in answers} == {200}
    assert len({each.body for each in answers}) == 1
    assert sum("Idempotency-Replayed" not in each.headers for each in answers) == 1
    assert page.json["total_count"] == 1


@pytest.mark.parametrize("role", ["api", "worker", "both"])
async def test_one_without_keys(role: str, start: Start):
    """While it is there, the others do not announce keys, but continue to keep them."""
    without = await start(role=role, submission_keys=False, lease=10)
    beside = await start(lease=10)
    answers = [await _submit(beside) for _ in range(2)]
    said = [await _says_so(without), await _says_so(beside)]
    await without.server.aclose()
    later = await start(lease=10)

    assert said == [False, False]
    assert answers[0].body == answers[1].body
    assert await _says_so(later)
    await eventually(lambda: _says_so(beside))


async def test_one_that_was_killed(start: Start, postgres: str):
    """After three missed announcements it does not count any more."""
    await start(lease=10)
    supporting = stored_rows(
        postgres,
        "INSERT INTO nodes (worker, url, slots, keeps_keys, seen_at) VALUES "
        "('dead', '', 1, 0, '2026-01-01T00:00:00.000000Z') RETURNING 1",
    )
    assert supporting == [(1,)]
    assert await _says_so(await start(lease=10))
