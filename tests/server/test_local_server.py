"""The server object: options, start, end, and that nothing is left."""

import asyncio
import gc
import logging
import re
import socket
import sys
import warnings
from datetime import UTC, datetime

import aiohttp
import pytest

from browser_use_async.errors import ConfigurationError
from browser_use_async.server import LocalServer
from browser_use_async.server.executors.browser.locate import find_browser
from browser_use_async.server.executors.scripted import Scenario, ScriptedExecutor
from tests.server.calling import Caller
from tests.server.steering import FromQueue
from tests.support.hygiene import open_sockets


async def test_addresses_and_key():
    """A free port on this machine, and a random key that the repr does not show."""
    async with LocalServer(executor="scripted") as server:
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+", server.url)
        assert server.base_url == server.url + "/api/v1"
        assert re.fullmatch(r"bu_local_[\w-]{32}", server.api_key)
        assert server.url in repr(server)
        assert server.api_key not in repr(server)
        assert server.executor.name == "scripted"


async def test_a_key_of_ones_own(http):
    """For programs whose key is in a file."""
    async with LocalServer(executor=FromQueue(), api_key="bu_mine_and_nobody_else_s") as server:
        assert (await Caller(server, http).get("/me")).body == b"true"


@pytest.mark.parametrize(
    "options",
    [
        {"host": "0.0.0.0"},
        {"host": "::"},
        {"host": "192.0.2.1"},
        {"host": "example.com"},
        {"host": ""},
        {"port": -1},
        {"port": 65536},
        {"executor": "magic"},
        {"api_key": ""},
        {"api_key": "k" * 15},
        {"api_key": "with space in it, and long"},
        {"api_key": "ümlaut-and-long-enough"},
        {"api_key": "line\nbreak-and-long-enough"},
    ],
    ids=str,
)
def test_options_that_cannot_work(options):
    """They are refused before anything is opened, without the key in the error."""
    with pytest.raises(ConfigurationError) as caught:
        LocalServer(**{"executor": "scripted", **options})

    assert options.get("api_key") in {None, ""} or options["api_key"] not in str(caught.value)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.2", "::1"])
async def test_every_name_of_this_machine(host, http):
    """IPv6 addresses get brackets."""
    if host == "::1" and not _has_ipv6():
        pytest.skip("no IPv6 on this machine")
    async with LocalServer(executor="scripted", host=host) as server:
        assert (await Caller(server, http).get("/ping")).status == 200


def _has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


async def test_a_port_that_is_taken():
    """A typed error says what to do, and the executor is closed."""
    async with LocalServer(executor="scripted") as server:
        port = int(server.url.rsplit(":")[-1])
        with pytest.raises(ConfigurationError, match="port 0 takes a free one"):
            await LocalServer(executor="scripted", port=port).start()


async def test_an_address_only_after_the_start():
    """Before the start there is no port."""
    server = LocalServer(executor="scripted")
    with pytest.raises(ConfigurationError, match="start it first"):
        _ = server.url
    assert "not started" in repr(server)

    await server.aclose()


async def test_a_server_starts_once():
    """It does not start again after its end, either."""
    async with LocalServer(executor="scripted") as server:
        with pytest.raises(ConfigurationError, match="starts once"):
            await server.start()
    with pytest.raises(ConfigurationError, match="starts once"):
        await server.start()


async def test_a_browser_or_none_is_the_default():
    """`auto` is Chromium where there is one, and the plain hand elsewhere."""
    expected = "ChromiumExecutor" if find_browser() else "PlainExecutor"
    async with LocalServer() as auto, LocalServer(executor="plain") as plain:
        assert type(auto.executor).__name__ == expected
        assert type(plain.executor).__name__ == "PlainExecutor"


async def test_two_servers_side_by_side(http):
    """Each server has keys, tasks and counts of its own."""
    async with (
        LocalServer(executor="scripted") as one,
        LocalServer(executor="scripted") as two,
    ):
        first, second = Caller(one, http), Caller(two, http)
        task_id = await first.create()
        missing = await second.get(f"/task/{task_id}")
        headers = {"Authorization": f"Bearer {one.api_key}"}
        wrong_key = await second.get("/tasks", headers=headers)

    assert missing.json == {"detail": "Task not found"}
    assert wrong_key.status == 401
    assert (one.tasks_created, two.tasks_created) == (1, 0)
    assert two.requests == {"get_task": 1, "list_tasks": 1}


async def test_timestamps_come_from_the_clock_that_was_given(http):
    """One wall clock is used everywhere, so that tests can set it."""
    moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    async with LocalServer(executor="scripted", now=lambda: moment) as server:
        caller = Caller(server, http)
        task = await caller.reached(await caller.create(), "finished")

    assert task["created_at"] == task["finished_at"] == "2026-01-02T03:04:05.000000Z"


async def test_the_end_leaves_nothing_behind():
    """No task, no socket and no warning, though tasks hang and a client stays connected."""
    sockets, before = open_sockets(), asyncio.all_tasks()
    queue = FromQueue()
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        async with aiohttp.ClientSession() as http:
            async with LocalServer(executor=queue) as server:
                caller = Caller(server, http)
                for _ in range(3):
                    await caller.reached(await caller.create(), "running")
            assert asyncio.all_tasks() == before
        await asyncio.sleep(0)  # closed transports release their sockets in the next turn
        gc.collect()

    assert [warning for warning in warned if issubclass(warning.category, ResourceWarning)] == []
    assert (queue.ended, queue.closed) == (3, True)
    assert open_sockets() <= sockets


async def test_closing_waits_for_the_clean_up():
    """Executors have some seconds for it."""
    queue = FromQueue(cleanup=0.05)
    async with aiohttp.ClientSession() as http, LocalServer(executor=queue) as server:
        caller = Caller(server, http)
        await caller.reached(await caller.create(), "running")

    assert queue.ended == 1


@pytest.mark.looptime
async def test_closing_does_not_wait_for_ever(caplog):
    """An executor that ignores its end is named in the log."""
    queue = FromQueue(cleanup=3600)
    async with aiohttp.ClientSession() as http, LocalServer(executor=queue) as server:
        task_id = await Caller(server, http).create()
        await asyncio.sleep(1)
    late = asyncio.get_running_loop().time()
    await asyncio.sleep(3600)

    assert late < 60
    assert task_id in caplog.text
    assert "did not end" in caplog.text


async def test_closing_twice_is_harmless():
    """Programs close in `finally` too: the second call does nothing."""
    queue = FromQueue()
    server = LocalServer(executor=queue)
    await server.start()
    await server.aclose()
    first, queue.closed = queue.closed, False
    await server.aclose()

    assert (first, queue.closed) == (True, False)


async def test_nothing_is_logged_by_default(caller, caplog, capfd):
    """The exception is the access log, shown where a program enables it; it has no secret."""
    with caplog.at_level(logging.DEBUG):
        task = await caller.reached(await caller.create(), "finished")
        await caller.get(task["live_url"])

    ours = [each for each in caplog.records if each.name.startswith(("aiohttp", "browser_use"))]
    assert {each.name for each in ours} == {"browser_use_async.server.access"}
    assert task["live_url"].rpartition("/")[2] not in caplog.text
    assert capfd.readouterr() == ("", "")


@pytest.mark.long
@pytest.mark.looptime
async def test_an_hour_of_polling_in_virtual_time():
    """The server runs in the test's own loop, so that an hour takes no time."""
    scenario = Scenario(steps=["Go on"] * 60, step_seconds=60)
    executor = ScriptedExecutor(default=scenario)
    async with aiohttp.ClientSession() as http, LocalServer(executor=executor) as server:
        caller = Caller(server, http)
        task_id = await caller.create()
        looks = 0
        while (await caller.get(f"/task/{task_id}/status")).json != "finished":
            looks += 1
            await asyncio.sleep(10)
        task = await caller.task(task_id)

    assert len(task["steps"]) == 60
    assert 359 <= looks <= 361
    assert 3600 <= asyncio.get_running_loop().time() < 3700


@pytest.mark.long
async def test_scripted_needs_no_pages():
    """Only the executor that is used is imported."""
    code = (
        "import sys, browser_use_async.server as s; s.LocalServer(executor='scripted');"
        "print([name for name in sys.modules if 'executors.plain' in name])"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()

    assert output.strip() == b"[]"
