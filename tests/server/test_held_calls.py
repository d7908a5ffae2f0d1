"""Held calls in raw HTTP: `Prefer: wait`, and the stream of changes."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from browser_use_async.server import Fault, LocalServer
from browser_use_async.server.http import held_calls as server_held_calls
from browser_use_async.server.storage import SqliteDatabase
from browser_use_async.server.storage.database import Row
from browser_use_async.server.tasks import changes as server_changes
from browser_use_async.types import TaskStatus
from tests.server.calling import Answer, Caller
from tests.server.steering import FromQueue
from tests.support.virtual_time import loop_time

pytestmark = pytest.mark.looptime

HEADER = "Browser-Use-Changes"


@pytest.fixture(autouse=True)
def bounds(request, monkeypatch):
    """Other limits of held calls, before there is a server."""
    for name, value in getattr(request, "param", {}).items():
        monkeypatch.setattr(server_held_calls, name, value)


def bounded(**bounds: int) -> pytest.MarkDecorator:
    """Run a test with these limits."""
    return pytest.mark.parametrize("bounds", [bounds], indirect=True, ids=[""])


@pytest.fixture
async def held_task(steered):
    """A server with a task that runs until the test ends it."""
    task_id = await steered.create()
    await steered.reached(task_id, "running")
    return steered, task_id


async def _held(caller: Caller, task_id: str, prefer: str) -> Answer:
    return await caller.get(f"/task/{task_id}/status", headers={"Prefer": prefer})


class _Stream:
    """The lines of a list call that asks for changes."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self.response = response

    async def line(self) -> Any:
        """The next line that is not empty; None at the end."""
        while raw := await self.response.content.readline():
            if raw.strip():
                return json.loads(raw)
        return None


@asynccontextmanager
async def _stream(
    caller: Caller,
    http: aiohttp.ClientSession,
    cursor: str = "now",
    wait: int = 30,
) -> AsyncIterator[_Stream]:
    headers = {
        "Authorization": f"Bearer {caller.api_key}",
        "Prefer": f"wait={wait}",
        HEADER: cursor,
    }
    async with http.get(
        f"{caller.server.base_url}/tasks?page=1&limit=1", headers=headers
    ) as response:
        yield _Stream(response)


async def test_a_status_call_is_held_until_the_status_changes(held_task):
    """It is answered at the change, and its header says for how long it could have waited."""
    caller, task_id = held_task
    call = asyncio.create_task(_held(caller, task_id, "wait=30"))
    await asyncio.sleep(10.0)
    assert not call.done()
    await caller.put(f"/pause-task?task_id={task_id}")

    answer = await call

    assert answer.json == "paused"
    assert answer.headers["Preference-Applied"] == "wait=30"
    assert 10.0 <= loop_time() < 10.5


async def test_a_status_call_without_change_is_answered_in_the_end(held_task):
    """It has the current status; steps in between do not change the status."""
    caller, task_id = held_task
    queue = caller.server.executor
    assert isinstance(queue, FromQueue)
    call = asyncio.create_task(_held(caller, task_id, "respond-async, wait=30"))
    await asyncio.sleep(5.0)
    queue.step()

    answer = await call

    assert answer.json == "running"
    assert 30.0 <= loop_time() < 31.0


async def test_a_change_while_the_status_is_read_is_answered_at_once(held_task, monkeypatch):
    """A shared database answers a moment after the read."""
    caller, task_id = held_task
    has_read, may_answer, by_id = asyncio.Event(), asyncio.Event(), SqliteDatabase.by_id

    async def late(database: SqliteDatabase, table: str, columns: str, row_id: str) -> Row | None:
        found = await by_id(database, table, columns, row_id)
        has_read.set()
        await may_answer.wait()
        return found

    monkeypatch.setattr(SqliteDatabase, "by_id", late)
    call = asyncio.create_task(_held(caller, task_id, "wait=30; status=running"))
    await has_read.wait()
    await caller.put(f"/pause-task?task_id={task_id}")
    may_answer.set()

    answer = await call

    assert answer.json == "paused"
    assert loop_time() < 1.0


@pytest.mark.parametrize(
    ("prefer", "applied"),
    [
        ("wait=30; status=created", "wait=30"),
        ('wait="30"; status="created"', "wait=30"),
        ("wait=0", "wait=0"),
        ("wait=100000000; status=created", "wait=60"),
        ("", None),
        ("wait", None),
        ("wait=-1", None),
        ("wait=soon", None),
        ("return=minimal;wait=30", None),
        (";,;=,", None),
    ],
)
async def test_these_are_answered_at_once(held_task, prefer, applied):
    """A status that the client does not know yet, and invalid preferences."""
    caller, task_id = held_task

    answer = await _held(caller, task_id, prefer)

    assert answer.json == "running"
    assert answer.headers.get("Preference-Applied") == applied
    assert loop_time() < 1.0


async def test_an_ended_task_and_an_unknown_one_are_answered_at_once(held_task):
    """Nothing will change any more."""
    caller, task_id = held_task
    await caller.put(f"/stop-task?task_id={task_id}")

    ended = await _held(caller, task_id, "wait=30; status=stopped")
    unknown = await _held(caller, "nothing", "wait=30")

    assert ended.json == "stopped"
    assert unknown.status == 404
    assert loop_time() < 1.0


@bounded(MAX_HELD=1)
async def test_beyond_the_bound_calls_are_not_held(held_task, http):
    """They are answered at once, and without the header that says so."""
    caller, task_id = held_task
    first = asyncio.create_task(_held(caller, task_id, "wait=30"))
    await asyncio.sleep(1.0)

    second = await _held(caller, task_id, "wait=30")
    async with _stream(caller, http) as stream:
        page = json.loads(await stream.response.read())

    assert second.json == "running"
    assert "Preference-Applied" not in second.headers
    assert page["total_count"] == 1
    assert "Preference-Applied" not in stream.response.headers
    assert loop_time() < 2.0
    assert (await first).headers["Preference-Applied"] == "wait=30"


@bounded(MAX_HELD=4)
async def test_an_owner_has_half_of_the_held_calls(held_task):
    """Others are held while one has its half; the server's own key may use all."""
    caller, task_id = held_task
    shop, other = await caller.with_new_key("shop"), await caller.with_new_key("other")
    ids = {each: await each.create() for each in (shop, other)}
    for each, created in ids.items():
        await each.reached(created, "running")
    held = [asyncio.create_task(_held(shop, ids[shop], "wait=30")) for _ in range(2)]
    await asyncio.sleep(1.0)
    beyond = await _held(shop, ids[shop], "wait=30")
    held.append(asyncio.create_task(_held(other, ids[other], "wait=30")))
    await asyncio.sleep(1.0)
    held.append(asyncio.create_task(_held(caller, task_id, "wait=30")))
    await asyncio.sleep(1.0)
    full = await _held(other, ids[other], "wait=30")

    assert "Preference-Applied" not in beyond.headers
    assert "Preference-Applied" not in full.headers
    assert loop_time() < 4.0
    for answer in await asyncio.gather(*held):
        assert answer.headers["Preference-Applied"] == "wait=30"


@bounded(MAX_STREAMS=2)
async def test_an_owner_has_half_of_the_streams(held_task, http):
    """So that others have a place."""
    shop = await held_task[0].with_new_key("shop")
    other = await held_task[0].with_new_key("other")
    async with _stream(shop, http) as first:
        await first.line()
        async with (
            _stream(shop, http) as second,
            _stream(other, http) as third,
        ):
            await third.line()

    assert "Preference-Applied" not in second.response.headers
    assert third.response.headers["Preference-Applied"] == "wait=30"


@bounded(MAX_HELD=1)
async def test_a_client_that_has_gone_frees_its_place(held_task):
    """Within seconds, and not at the end of its minute."""
    caller, task_id = held_task
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(2.0):
            await _held(caller, task_id, "wait=60")
    await asyncio.sleep(8.0)

    answer = await _held(caller, task_id, "wait=1")

    assert answer.headers["Preference-Applied"] == "wait=1"


async def test_closing_the_server_answers_what_is_held(http):
    """A held call and a stream end at once and complete."""
    async with LocalServer(executor=FromQueue()) as server:
        caller = Caller(server, http)
        task_id = await caller.create()
        await caller.reached(task_id, "running")
        call = asyncio.create_task(_held(caller, task_id, "wait=60"))
        async with _stream(caller, http) as stream:
            await stream.line()
            await asyncio.sleep(1.0)
            closing = asyncio.create_task(server.aclose())

            assert await stream.line() is None
            assert (await call).json == "running"
            await closing

    assert loop_time() < 2.5


async def test_a_stream_has_each_change_of_each_task(held_task, http):
    """New tasks too, and in their order."""
    caller, first = held_task
    async with _stream(caller, http) as stream:
        assert stream.response.headers["Preference-Applied"] == "wait=30"
        assert stream.response.content_type == "application/x-ndjson"
        assert (await stream.line())["reset"] is False
        await asyncio.sleep(10.0)
        second = await caller.create()
        await caller.put(f"/stop-task?task_id={first}")

        events = [await stream.line() for _ in range(3)]

    assert [(each["id"], each["status"]) for each in events if each["id"] == first] == [
        (first, "stopped")
    ]
    of_second = [each["status"] for each in events if each["id"] == second]
    assert of_second == ["created", "running"]
    assert 10.0 <= loop_time() < 10.5


async def test_a_cursor_continues_where_a_stream_broke_off(held_task, http):
    """The changes in between are sent first."""
    caller, task_id = held_task
    async with _stream(caller, http) as stream:
        cursor = (await stream.line())["cursor"]
    await caller.put(f"/pause-task?task_id={task_id}")
    await asyncio.sleep(5.0)
    await caller.put(f"/resume-task?task_id={task_id}")

    async with _stream(caller, http, cursor) as stream:
        place, *events = [await stream.line() for _ in range(3)]

    assert place == {"cursor": cursor, "reset": False}
    assert [each["status"] for each in events] == ["paused", "running"]


async def test_a_list_answer_gives_the_cursor_of_its_moment(held_task, http):
    """The page and the stream that follows it have no gap between them."""
    caller, task_id = held_task
    page = await caller.get("/tasks")
    await caller.put(f"/stop-task?task_id={task_id}")

    async with _stream(caller, http, page.headers[HEADER]) as stream:
        place, events = await stream.line(), await stream.line()

    assert place["reset"] is False
    assert (events["id"], events["status"]) == (task_id, "stopped")


@pytest.mark.parametrize("cursor", ["", "nonsense", "a-1", "-1", "now-0", "9" * 5000])
async def test_an_unknown_cursor_is_refused_safely(held_task, http, cursor):
    """The first line says that changes may be missing, and the stream continues from now."""
    caller, task_id = held_task
    async with _stream(caller, http, cursor) as stream:
        assert (await stream.line())["reset"] is True
        await caller.put(f"/stop-task?task_id={task_id}")
        assert (await stream.line())["status"] == "stopped"


async def test_a_cursor_of_before_a_restart_and_one_that_is_too_old_are_refused(
    held_task, http, monkeypatch
):
    """Another run has other numbers, and only the latest changes are stored."""
    caller, _task_id = held_task
    cursor = (await caller.get("/tasks")).headers[HEADER]
    monkeypatch.setattr(server_changes, "MAX_LOGGED", 2)
    async with LocalServer(executor=FromQueue()) as restarted:
        other = Caller(restarted, http)
        async with _stream(other, http, cursor) as stream:
            assert (await stream.line())["reset"] is True
        old = (await other.get("/tasks")).headers[HEADER]
        for _ in range(3):
            await other.create()
        async with _stream(other, http, old) as stream:
            assert (await stream.line())["reset"] is True


async def test_a_silent_stream_shows_that_it_lives_and_ends_in_time(held_task, http):
    """It sends an empty line every few seconds."""
    caller, _task_id = held_task
    async with _stream(caller, http, wait=10) as stream:
        text = await stream.response.read()

    assert text.count(b"\n\n") >= 2
    assert 10.0 <= loop_time() < 11.0


@pytest.mark.parametrize(
    "fault",
    [
        Fault("status", "list_tasks", status=503),
        Fault("lost_reply", "list_tasks"),
        Fault("truncate", "list_tasks", at_byte=5),
        Fault("latency", "list_tasks", seconds=3.0),
        Fault("content_type", "list_tasks", content_type="text/html"),
    ],
)
async def test_faults_meet_streams_too(held_task, http, fault):
    """Each affects a stream like an answer that is not sent yet, and its place is freed."""
    caller, _task_id = held_task
    caller.server.set_faults([fault])
    try:
        async with _stream(caller, http, wait=5) as stream:
            status, kind = stream.response.status, stream.response.content_type
            await stream.response.read()
    except aiohttp.ClientError:
        assert fault.kind == "lost_reply"
    else:
        assert (status == 503) == (fault.kind == "status")
        assert (kind == "text/html") == (fault.kind == "content_type")
    caller.server.set_faults([])
    async with _stream(caller, http) as stream:
        assert await stream.line() is not None


async def test_a_held_call_needs_the_key(held_task):
    """It is needed as for every call, and refused without a wait."""
    caller, task_id = held_task
    refused = await caller.get(f"/task/{task_id}/status", key=False, headers={"Prefer": "wait=30"})

    assert refused.status == 403
    assert loop_time() < 1.0


@bounded(MAX_STREAMS=1)
async def test_a_client_that_does_not_read_is_let_go(steered, http):
    """Its place is free again, although the connection stays open."""
    log = steered.server.store.change_log
    async with _stream(steered, http, wait=5) as stream:
        for _ in range(60):  # more than the buffers of both sides contain
            for _ in range(1000):
                log.record("x" * 200, TaskStatus.RUNNING)
            await asyncio.sleep(0.03)
        await asyncio.sleep(20.0)
        async with _stream(steered, http) as other:
            assert (await other.line())["reset"] is False
        stream.response.close()


@pytest.mark.long
async def test_a_burst_of_changes_reaches_a_stream_in_order(steered, http):
    """The numbers of their cursors have no gap."""
    async with _stream(steered, http) as stream:
        place = await stream.line()
        ids = [await steered.create() for _ in range(300)]
        events = [await stream.line() for _ in range(600)]

    numbers = [int(each["cursor"].partition("-")[2]) for each in (place, *events)]
    assert numbers == list(range(numbers[0], numbers[0] + 601))
    assert {each["id"] for each in events} == set(ids)
