"""The number of calls that a server answers in a window of time."""

import asyncio

import pytest

from browser_use_async.errors import ConfigurationError
from browser_use_async.server import LocalServer
from tests.server.calling import Caller


@pytest.fixture
async def limited(http):
    """A server that answers three calls in a minute."""
    async with LocalServer(executor="scripted", max_calls=3) as server:
        yield Caller(server, http)


@pytest.mark.parametrize("path", ["/balance", "/task/none", "/tasks"])
async def test_the_call_after_the_last_one_is_refused(limited, path):
    """Refused calls count, too; the fourth call is refused, with the time to retry."""
    answers = [
        await limited.get("/balance"),
        await limited.get("/task/none"),
        await limited.post("/run-task", json={"task": 1}),
        await limited.get(path),
    ]

    assert [each.status for each in answers] == [200, 404, 422, 429]
    assert 0 < int(answers[3].headers["Retry-After"]) <= 60
    assert answers[3].json == {"detail": "Too many calls: 3 in 60 s are allowed"}


@pytest.mark.looptime
async def test_a_new_window_begins(http):
    """After as many seconds as the refusal says."""
    async with LocalServer(executor="scripted", max_calls=1) as server:
        caller = Caller(server, http)
        first, refused = await caller.get("/balance"), await caller.get("/balance")
        await asyncio.sleep(float(refused.headers["Retry-After"]))
        again = await caller.get("/balance")

    assert [each.status for each in (first, refused, again)] == [200, 429, 200]


async def test_each_owner_has_a_quota(limited):
    """Two keys of one name share it, and a key of another name has its own."""
    first = await limited.with_new_key("robot")
    second = await limited.with_new_key("robot")
    other = await limited.with_new_key("other")
    calls = [first, second, first, second, other]

    statuses = [(await each.get("/balance")).status for each in calls]

    assert statuses == [200, 200, 200, 429, 200]


async def test_what_is_not_the_owners_call_does_not_count(limited):
    """Calls without a key, with a wrong one, and those of administration do not count."""
    for _ in range(5):
        await limited.get("/ping", key=False)
        await limited.get("/balance", headers={"Authorization": "Bearer wrong"}, key=False)
        await limited.get(f"{limited.server.url}/admin/keys")

    statuses = [(await limited.get("/balance")).status for _ in range(4)]

    assert statuses == [200, 200, 200, 429]


def test_a_quota_that_cannot_be_is_refused():
    """It is refused when the server is created."""
    with pytest.raises(ConfigurationError):
        LocalServer(max_calls=0)
