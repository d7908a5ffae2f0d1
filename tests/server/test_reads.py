"""The reads that clients poll with: what counts them, what refuses them, and what they see."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from browser_use_async.server import LocalServer
from browser_use_async.server.faults import Fault
from browser_use_async.server.http.access import MAX_WRONG_KEYS
from browser_use_async.server.storage import Database, SqliteDatabase
from browser_use_async.server.storage.account import open_account
from tests.server.calling import Caller
from tests.server.keys.test_keys import Clock, listed, revoke
from tests.support.patience import PATIENCE, until

_EXACT = ("/api/v1/task/{}/status", "/api/v1/task/{}", "/api/v1/tasks")


# --- counters and refusals -------------------------------------------------------------------


@pytest.fixture(params=_EXACT)
async def polled(request, caller):
    """The path of each of these calls, which the server has answered before."""
    task_id = await caller.create()
    await caller.reached(task_id, "finished")
    path: str = request.param.format(task_id).removeprefix("/api/v1")
    assert (await caller.get(path)).status == 200
    return path


def _of(task_id: str, polled: str) -> str:
    """The path of the same call about another task."""
    name, _, rest = polled[1:].partition("/")
    return polled if name == "tasks" else f"/task/{task_id}{rest[36:]}"


def _name_of(path: str) -> str:
    if path == "/tasks":
        return "list_tasks"
    return "get_task_status" if path.endswith("/status") else "get_task"


async def test_calls_are_counted(polled, caller):
    """By name, and in the metrics with the status."""
    before = caller.server.requests[_name_of(polled)]
    statuses = [(await caller.get(polled, key=each)).status for each in (True, True, False)]
    metrics = await caller.get(f"{caller.server.url}/metrics")

    assert statuses == [200, 200, 403]
    assert caller.server.requests[_name_of(polled)] == before + 3
    for status in {*statuses}:
        line = f'browser_use_requests_total{{route="{_name_of(polled)}",status="{status}"}} '
        assert line in metrics.text


async def test_each_is_a_line_of_the_access_log(polled, caller, caplog):
    """It has the status and the bytes."""
    with caplog.at_level("INFO", "browser_use_async.server.access"):
        answer = await caller.get(polled)
        await caller.get("/ping")  # its line is written after that of the other

    (line,) = (each for each in caplog.messages if each.startswith(f"GET /api/v1{polled} "))
    _, _, status, sent, *_ = line.split()
    assert (answer.status, status) == (200, "200")
    assert int(sent) > len(answer.body)


async def test_wrong_keys_are_braked(polled, http):
    """Each is counted once, and a right key is answered all the time."""
    async with LocalServer(executor="scripted") as server:
        caller = Caller(server, http)
        path = (
            polled
            if polled == "/tasks"
            else polled.replace(polled.split("/")[2], await caller.create())
        )
        wrong = {"Authorization": "Bearer bu_a_wrong_one"}
        statuses = [
            (await caller.get(path, headers=wrong)).status for _ in range(MAX_WRONG_KEYS + 2)
        ]
        right = await caller.get(path)

    assert statuses == [401] * MAX_WRONG_KEYS + [429] * 2
    assert right.status == 200


async def test_faults_apply_from_the_next_call_on(polled, caller):
    """They end at once, too."""
    caller.server.set_faults([Fault("status", _name_of(polled), status=503)])
    during = await caller.get(polled)
    caller.server.set_faults([])
    after = await caller.get(polled)

    assert (during.status, after.status) == (503, 200)


async def test_a_task_that_lists_do_not_show_yet_stays_hidden(caller):
    """It does so after the fault that hides it has ended."""
    first = await caller.create()
    await caller.reached(first, "finished")
    await caller.get("/tasks")
    caller.server.set_faults([Fault("list_lag", seconds=3600)])
    await caller.create()
    caller.server.set_faults([])
    page = (await caller.get("/tasks")).json

    assert [row["id"] for row in page["tasks"]] == [first]


async def test_a_hidden_task_is_on_the_page_after_the_fault(caller):
    """Nothing else has changed since the page was read without it."""
    caller.server.set_faults([Fault("list_lag", seconds=1)])
    task_id = await caller.create()
    caller.server.set_faults([])
    await caller.reached(task_id, "finished")

    async with asyncio.timeout(PATIENCE):
        while not (page := (await caller.get("/tasks")).json["tasks"]):  # noqa: ASYNC110 - no event
            await asyncio.sleep(0.05)
    assert [row["id"] for row in page] == [task_id]


async def test_a_key_is_refused_from_its_end_on(polled, http):
    """To the second; and not once it is revoked, although it was answered just before."""
    clock = Clock()
    async with LocalServer(executor="scripted", now=clock) as server:
        caller = Caller(server, http)
        ends = await caller.with_new_key("shop", expires_in_days=2)
        gone = await caller.with_new_key("robot")
        calls = [(each, _of(await each.create(), polled)) for each in (ends, gone)]
        clock.now += timedelta(days=2, seconds=-1)
        before = [(await other.get(path)).status for other, path in calls * 2]
        clock.now += timedelta(seconds=1)
        await revoke(caller, (await listed(caller, "robot"))[0]["id"])
        after = [(await other.get(path)).json["detail"] for other, path in calls]

    assert before == [200] * 4
    assert after == ["The API key has expired", "The API key was revoked"]


# --- what is read ---------------------------------------------------------------------------


async def test_the_next_call_reads_each_change(steered, queue):
    """A task that was created, paused, resumed or stopped, by each of the three calls."""

    async def seen() -> tuple[Any, Any, Any]:
        page = (await steered.get("/tasks")).json
        status = (await steered.get(f"/task/{task_id}/status")).json
        return status, (await steered.task(task_id))["status"], page["tasks"][0]["status"]

    counts = [(await steered.get("/tasks")).json["total_count"]]
    task_id = await steered.create()
    counts.append((await steered.get("/tasks")).json["total_count"])
    await steered.reached(task_id, "running")
    found = [await seen()]
    for call in ("pause", "resume", "stop"):
        answer = await steered.put(f"/{call}-task?task_id={task_id}")
        assert answer.status == 200
        found.append(await seen())

    assert counts == [0, 1]
    assert found == [(each,) * 3 for each in ("running", "paused", "running", "stopped")]


async def test_links_that_were_taken_back_are_in_no_answer(caller):
    """Neither in the task nor in the list."""
    task_id = await caller.create()
    await caller.reached(task_id, "finished")

    async def links() -> set[str]:
        (row,) = (await caller.get("/tasks")).json["tasks"]
        return {row["live_url"], (await caller.task(task_id))["live_url"]}

    before = await links()
    assert caller.server.revoke_links(task_id)
    after = await links()

    assert len(before) == len(after) == 1
    assert not before & after


async def test_keys_with_and_without_links_have_answers_of_their_own(caller):
    """A key that may not steer gets no link, although another key of its owner just got it."""
    both = await caller.with_new_key("shop")
    reads = await caller.with_new_key("shop", scopes=["read"])
    task_id = await both.create()
    await until(lambda: caller.stored(task_id).status == "finished")
    found = []
    for other in (both, reads, both, reads):
        (row,) = (await other.get("/tasks")).json["tasks"]
        task = (await other.get(f"/task/{task_id}")).json
        found.append((row["live_url"] is None, task["live_url"] is None))

    assert found == [(False, False), (True, True)] * 2


# --- versions of the database -----------------------------------------------------------------


async def test_each_change_makes_another_version():
    """So does one that is rolled back; within a transaction there is no version."""
    database = SqliteDatabase()

    async def work(at: Database) -> None:
        await at.rows("UPDATE accounts SET tasks = tasks + 1")
        seen.append(database.version)
        if len(seen) == 2:
            raise KeyError

    seen: list[int | None] = []
    await open_account(database, "shop")
    versions = [database.version]
    await database.transact(work)
    versions.append(database.version)
    with pytest.raises(KeyError):
        await database.transact(work)
    versions.append(database.version)
    await database.rows("SELECT tasks FROM accounts")

    assert seen == [None, None]
    assert len({*versions}) == 3
    assert database.version == versions[-1]
    database.close()
