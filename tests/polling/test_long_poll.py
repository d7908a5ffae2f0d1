"""Waits with a server that holds calls: few requests, and ends without delay."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import aiohttp
import pytest

from browser_use_async import BrowserUseSession, PollPolicy, TaskStatus, errors
from browser_use_async.polling import hints
from browser_use_async.server import Fault, LocalServer
from browser_use_async.server.executors.protocol import Executor
from browser_use_async.server.records import Finished
from browser_use_async.server.tasks import changes as server_changes
from tests.server.steering import FromQueue
from tests.support.patience import until
from tests.support.virtual_time import loop_time

pytestmark = pytest.mark.looptime


class Sleeper(Executor):
    """An executor whose tasks take the seconds in their text."""

    name = "sleeper"

    async def run(self, assignment: Any, _control: Any) -> AsyncIterator[Any]:
        """Sleep."""
        await asyncio.sleep(float(assignment.task))
        yield Finished("Slept.")

    async def aclose(self) -> None:
        """Nothing is open."""


@pytest.fixture
def server_options(nothing_leaks):
    """A server whose tasks sleep."""
    return {"executor": Sleeper(), "balance_cents": 10**9}


@asynccontextmanager
async def session_with(
    server: LocalServer, url: str | None = None, **options: Any
) -> AsyncIterator[BrowserUseSession]:
    """A session with a server, perhaps by another address."""
    base_url = server.base_url if url is None else url
    async with BrowserUseSession(server.api_key, base_url=base_url, **options) as session:
        yield session


def detections(server: LocalServer) -> int:
    """The requests that read statuses."""
    return server.requests["get_task_status"] + server.requests["list_tasks"]


async def ends_of(session: BrowserUseSession, seconds: list[float]) -> list[float]:
    """By how many seconds each wait outlasted its task."""

    async def one(each: float) -> float:
        handle = await session.submit(str(each))
        began = loop_time()
        await handle.wait()
        return loop_time() - began - each

    return await asyncio.gather(*map(one, seconds))


async def test_a_lone_wait_holds_its_status_call(server):
    """Ten minutes need a request every half minute, and the end is noticed at once."""
    async with session_with(server) as session:
        (late,) = await ends_of(session, [600.0])

    assert late < 0.1
    assert detections(server) <= 25
    assert server.requests["get_task"] == 1


async def test_many_waits_share_one_stream(server):
    """A hundred tasks need hardly more requests than one."""
    async with session_with(server) as session:
        late = await ends_of(session, [5.0 + each for each in range(100)])

    assert max(late) < 0.1
    assert detections(server) <= 40


async def test_each_end_is_fetched_once(server):
    """A line is a reason to ask, and the answer of get-task ends the wait."""
    async with session_with(server) as session:
        handles = [await session.submit(str(5.0 + each)) for each in range(10)]
        tasks = await asyncio.gather(*(each.wait() for each in handles))
        asked = server.requests["get_task"]

    assert asked == 10
    assert {each.output for each in tasks} == {"Slept."}


@pytest.mark.long
async def test_tasks_that_come_one_after_the_other_share_it(server):
    """Each new one is in the stream from its creation on."""
    async with session_with(server) as session:
        waits = [asyncio.create_task(ends_of(session, [20.0])) for _ in range(2)]
        for _ in range(100):
            await asyncio.sleep(1.0)
            waits.append(asyncio.create_task(ends_of(session, [20.0])))
        late = [(await each)[0] for each in waits]

    assert max(late) < 0.1
    assert detections(server) <= 30


@pytest.mark.parametrize(
    "faults",
    [
        [Fault("latency", "run_task", calls=1, seconds=10.0, when="after")],
        [Fault("lost_reply", "run_task", calls=1), Fault("list_lag", seconds=10.0, calls=1)],
    ],
    ids=["late answer", "lost answer"],
)
async def test_an_end_before_the_stream_begins_is_noticed(server, faults):
    """The task ends before the stream begins, which does not report it."""
    server.set_faults(faults)
    async with session_with(server) as session:
        early = asyncio.create_task(session.submit("0.05"))
        await until(lambda: server.tasks_created == 1)
        await asyncio.sleep(1.0)  # it has ended
        others = asyncio.create_task(ends_of(session, [60.0, 60.0]))
        handle = await early
        began = loop_time()
        task = await handle.wait()
        seconds = loop_time() - began
        await others

    assert (task.status, server.tasks_created) == ("finished", 3)
    assert seconds < 3.0


async def test_tasks_that_end_before_a_wait_are_noticed(server):
    """The stream may report changes before the answer to run-task has come."""
    async with session_with(server) as session:
        others = asyncio.create_task(ends_of(session, [30.0, 30.0]))
        await asyncio.sleep(5.0)
        late = await ends_of(session, [0.0] * 20)
        await others

    assert max(late) < 0.5


async def test_tasks_that_end_before_a_wait_are_not_polled(server):
    """Their ends are reported before the answer to run-task has come, and kept until then.

    This applies also when there is no wait at times, as in a batch whose tasks end at once.
    """
    async with session_with(server) as session:
        await ends_of(session, [1.5, 1.5])
        asked = sum(server.requests.values())
        server.set_faults([Fault("latency", "run_task", seconds=0.5, when="after")])
        for _ in range(20):
            late = await ends_of(session, [0.0] * 20)
            assert max(late) < 0.1

    assert sum(server.requests.values()) - asked <= 2 * 400 + 2


async def test_what_is_kept_of_unwatched_tasks_is_bounded(server, monkeypatch):
    """A task with more reported changes than are kept is polled, and its end is found."""
    monkeypatch.setattr(hints, "MAX_ENDS", 10)
    async with session_with(server) as session:
        others = asyncio.create_task(ends_of(session, [30.0, 30.0]))
        await asyncio.sleep(5.0)
        server.set_faults([Fault("latency", "run_task", seconds=1.0, when="after")])
        late = await ends_of(session, [0.0] * 20)
        await others

    assert max(late) < 2.5


async def test_a_stream_ends_soon_after_the_last_wait(server):
    """It goes on for a moment only, and a later wait begins another one."""
    async with session_with(server) as session:
        await ends_of(session, [5.0, 5.0])
        asked = detections(server)
        await asyncio.sleep(300.0)
        assert detections(server) == asked
        assert not any("long poll" in each.get_name() for each in asyncio.all_tasks())
        late = await ends_of(session, [5.0, 5.0])

    assert max(late) < 0.1


async def test_an_old_task_is_polled_once_and_then_in_the_stream(server):
    """The stream does not report what happened before it began."""
    async with session_with(server) as session:
        handles = [await session.submit(str(20.0 + each)) for each in range(10)]
        await asyncio.sleep(15.0)
        ended = await asyncio.gather(*(session.wait(each.id) for each in handles))

    assert {each.status for each in ended} == {TaskStatus.FINISHED}
    assert loop_time() < 29.5
    assert detections(server) <= 8


async def test_a_stream_of_statuses_gets_each_change(nothing_leaks):
    """Alone and with others, it gets a pause at once."""
    async with LocalServer(executor=FromQueue()) as server, session_with(server) as session:
        handle = await session.submit("a")
        other = await session.submit("b")
        for company in (False, True):
            waiting = [asyncio.create_task(other.wait())] if company else []
            seen = []
            async for status in handle.stream_status():
                seen.append((status, loop_time()))
                if status is TaskStatus.RUNNING and len(seen) < 3:
                    await asyncio.sleep(10.0)
                    await handle.pause()
                    paused = loop_time()
                elif status is TaskStatus.PAUSED:
                    break
            await handle.resume()
            assert seen[-1][1] - paused < 0.2
            for each in waiting:
                each.cancel()
    assert detections(server) <= 12


async def test_it_can_be_switched_off(server):
    """Then no call is held, and no header asks for it."""
    async with session_with(server, poll=PollPolicy(long_poll=False)) as session:
        await ends_of(session, [60.0])

    assert detections(server) >= 25


async def test_a_session_with_few_connections_holds_none_of_them(server):
    """A held call would occupy the only connection."""
    connector = aiohttp.TCPConnector(limit=1)
    async with (
        aiohttp.ClientSession(connector=connector) as http,
        session_with(server, http=http) as session,
    ):
        late = await ends_of(session, [30.0 + each for each in range(10)])

    assert max(late) < 2.5
    assert detections(server) >= 15


async def test_a_timeout_is_kept_in_a_held_call(server):
    """With the final poll before it, and also with other waits."""
    async with session_with(server) as session:
        handles = [await session.submit("100") for _ in range(3)]
        for count in (1, 3):
            began = loop_time()
            waits = [each.wait(timeout=20.0) for each in handles[:count]]
            raised = await asyncio.gather(*waits, return_exceptions=True)
            assert {type(each) for each in raised} == {errors.WaitTimeoutError}
            assert 19.9 <= loop_time() - began <= 20.05


async def test_a_cancelled_wait_ends_its_call(server):
    """Closing the session ends the others."""
    async with session_with(server) as session:
        handles = [await session.submit("100") for _ in range(3)]
        lone = asyncio.create_task(handles[0].wait())
        await asyncio.sleep(10.0)
        lone.cancel()
        await asyncio.wait([lone])
        several = [asyncio.create_task(each.wait()) for each in handles]
        await asyncio.sleep(10.0)
        asked = detections(server)
        await session.aclose()
        raised = await asyncio.gather(*several, return_exceptions=True)

    assert lone.cancelled()
    assert {type(each) for each in raised} == {errors.SessionClosedError}
    await asyncio.sleep(60.0)
    assert detections(server) == asked


@pytest.mark.parametrize("count", [1, 20])
async def test_a_proxy_that_cuts_calls_after_five_seconds(server, count):
    """Held calls get shorter than that, and no end is noticed later than by polls."""
    async with cutting(server, 5.0) as url, session_with(server, url) as session:
        late = await ends_of(session, [100.0 + each for each in range(count)])

    assert max(late) < 2.5
    assert detections(server) <= 60


@pytest.mark.parametrize("count", [1, 20])
async def test_a_proxy_that_cuts_calls_after_one_second(server, count):
    """Held calls are given up, and tasks are polled."""
    policy = PollPolicy(long_poll=False)
    async with session_with(server, poll=policy) as session:
        await ends_of(session, [100.0 + each for each in range(count)])
    before = detections(server)
    async with cutting(server, 1.0) as url, session_with(server, url) as session:
        late = await ends_of(session, [100.0 + each for each in range(count)])

    assert max(late) < 2.5
    assert detections(server) - before <= before + 15


@pytest.mark.parametrize("count", [1, 20])
async def test_a_restart_in_a_held_call(nothing_leaks, tmp_path, count):
    """An older cursor is refused, and each task is polled again."""
    async with AsyncExitStack() as stack:
        first = LocalServer(executor=FromQueue(), database=tmp_path / "server.db")
        await first.start()
        port = int(first.url.rpartition(":")[2])
        session = await stack.enter_async_context(session_with(first))
        handles = [await session.submit("x") for _ in range(count)]
        waits = [asyncio.create_task(each.wait()) for each in handles]
        await asyncio.sleep(20.0)
        await first.aclose()
        await asyncio.sleep(5.0)
        again = LocalServer(
            executor=FromQueue(),
            database=tmp_path / "server.db",
            port=port,
            api_key=first.api_key,
        )
        await stack.enter_async_context(again)
        ended = await asyncio.gather(*waits)

    assert {each.status for each in ended} == {TaskStatus.FAILED}
    assert loop_time() < 40.0


@pytest.mark.long
async def test_changes_that_a_stream_has_missed_are_polled(nothing_leaks, monkeypatch):
    """The stream reports the loss, and each task is polled once more."""
    monkeypatch.setattr(server_changes, "MAX_LOGGED", 10)
    async with LocalServer(executor=Sleeper()) as server, session_with(server) as session:
        waiting = asyncio.create_task(ends_of(session, [30.0, 100.0, 100.0]))
        await asyncio.sleep(20.0)
        await until(lambda: any(each.status.is_terminal for each in server.store.tasks))
        for _ in range(20):  # more changes than are kept, before the end is reported
            server.store.change_log.record("another", TaskStatus.RUNNING)
        late = await waiting

    assert late[0] < 3.0
    assert max(late[1:]) < 0.1


async def test_an_outage_in_a_held_call_ends_the_wait_as_ever(server):
    """Ordinary polls find the outage, and tolerate it for its time."""
    policy = PollPolicy(outage_timeout=60.0)
    async with cutting(server, 1e9) as url, session_with(server, url, poll=policy) as session:
        handle = await session.submit("1000")
        waiting = asyncio.create_task(handle.wait())
        await asyncio.sleep(40.0)
        server.set_faults([Fault("reset")])
        with pytest.raises(errors.WaitInterruptedError):
            await waiting

    assert 90.0 < loop_time() < 150.0


async def test_a_pause_that_the_service_asks_for_is_kept(server):
    """A held call can be refused like any other, and none begins during the pause."""
    async with session_with(server) as session:
        waiting = asyncio.create_task(ends_of(session, [100.0, 100.0]))
        await asyncio.sleep(20.0)
        asked = sum(server.requests.values())
        fault = Fault("status", status=429, headers={"Retry-After": "50"}, first=1)
        server.set_faults([fault])
        await asyncio.sleep(50.0)
        within = sum(server.requests.values()) - asked
        late = await waiting

    assert within <= 3
    assert max(late) < 0.1


@asynccontextmanager
async def cutting(server: LocalServer, seconds: float) -> AsyncIterator[str]:
    """The base URL of a proxy that closes connections without an answer for this long."""
    port = int(server.url.rpartition(":")[2])
    tasks: set[asyncio.Task[None]] = set()

    async def pump(reader: Any, writer: Any, alive: list[float]) -> None:
        while data := await reader.read(65536):
            alive[0] = loop_time()
            writer.write(data)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", port)
        alive = [loop_time()]
        pumps = [
            asyncio.create_task(pump(reader, there_writer, alive)),
            asyncio.create_task(pump(there_reader, writer, alive)),
        ]
        try:
            while (left := alive[0] + seconds - loop_time()) > 0.001:
                done, _ = await asyncio.wait(
                    pumps, timeout=left, return_when=asyncio.FIRST_COMPLETED
                )
                if done:
                    break
        finally:
            for each in pumps:
                each.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            for each in (writer, there_writer):
                each.close()
                with contextlib.suppress(ConnectionError):
                    await each.wait_closed()
            tasks.discard(task)

    proxy = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{proxy.sockets[0].getsockname()[1]}/api/v1"
    finally:
        proxy.close()
        if tasks:  # their clients have gone
            await asyncio.wait(tasks)


async def test_a_long_poll_is_named_for_what_it_waits_for(server):
    """`asyncio.all_tasks` shows the task whose change is awaited, or that it is all of them."""
    names: list[set[str]] = []
    async with session_with(server) as session:
        waits = []
        for _count in range(2):
            handle = await session.submit("60")
            waits.append(asyncio.create_task(handle.wait()))
            await asyncio.sleep(10.0)
            names.append({each.get_name() for each in asyncio.all_tasks()})
        first = (await asyncio.gather(*waits))[0]

    assert f"long poll: a change of task {first.id}" in names[0]
    assert "long poll: changes of all tasks" in names[1]
