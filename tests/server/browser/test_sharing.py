"""Many tasks in one browser: what they share, what they do not, and what is left."""

import asyncio
import gc
import os
import signal
import subprocess
from pathlib import Path

import aiohttp
import pytest

from browser_use_async.server import ChromiumSettings, LocalServer
from browser_use_async.server.executors.agent.agent_browser import AgentBrowsers
from browser_use_async.server.executors.browser.browser_folder import BrowserProgram
from browser_use_async.server.executors.browser.browser_pool import (
    BrowserPool,
    browsers_that_fit,
    free_bytes,
)
from browser_use_async.server.executors.browser.context import TaskContext
from browser_use_async.server.executors.browser.executor import ChromiumExecutor
from browser_use_async.server.executors.browser.page import TaskPage
from browser_use_async.server.records import Assignment, Finished
from tests.server.browser.pages import serve_pages
from tests.server.browser.running import START_SECONDS, browse
from tests.server.calling import Caller
from tests.support.patience import until

MEGABYTE = 1024**2
TASKS = 50
MOST_GROWTH = 50 * MEGABYTE


def _processes(pid: int) -> dict[int, int]:
    """The memory of each process of a group, in bytes."""
    asked = subprocess.run(["ps", "-eo", "pid=,pgid="], check=True, capture_output=True, text=True)
    rows = (line.split() for line in asked.stdout.splitlines())
    return {int(each): _own_memory(int(each)) for each, group in rows if int(group) == pid}


def _own_memory(pid: int) -> int:
    """The memory of a process without the shared part, which comes and goes with others."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0  # gone meanwhile
    return next((int(line.split()[1]) * 1024 for line in lines if "Private_Dirty:" in line), 0)


def _drivers() -> set[int]:
    """Playwright's drivers of this process, some of them perhaps of other tests."""
    command = ["ps", "-ww", "-eo", "pid=,ppid=,args="]
    asked = subprocess.run(command, check=True, capture_output=True, text=True)
    rows = (line.split(maxsplit=2) for line in asked.stdout.splitlines())
    return {
        int(pid) for pid, ppid, args in rows if int(ppid) == os.getpid() and "run-driver" in args
    }


def _parent(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[1])


def _browser_pid(executor: ChromiumExecutor, owner: str = "default") -> int:
    process = executor.pool.process_of(owner)
    assert process is not None
    return process.pid


async def test_three_at_once_share_a_browser_and_no_cookies(chromium):
    """Three tasks at once have one browser process, and each only its own cookies."""
    async with serve_pages({"/": "<title>Shop</title><a href='/'>Again</a>"}) as site:
        runs = [
            browse(
                chromium,
                f"Open {site.url}/?cookie={name}. Wait 1 s. Click Again. Wait 1 s.",
                task_id=name,
            )
            for name in ("one", "two", "three")
        ]
        working = asyncio.gather(*runs)
        await until(lambda: chromium.pool.process_of() is not None, START_SECONDS)
        pid = _browser_pid(chromium)
        done = await working

    ends = [each.end for each in done]
    assert all(isinstance(end, Finished) for end in ends), ends
    cookies = [[cookie["value"] for cookie in each.end.cookies] for each in done]  # type: ignore[union-attr]
    assert cookies == [["one"], ["two"], ["three"]]
    # No request has the cookie of another task.
    assert {len(each) for each in site.cookies} <= {0, 1}
    assert sorted(each["visited"] for each in site.cookies if each).count("one") >= 1
    assert _browser_pid(chromium) == pid


async def test_owners_share_no_browser(chromium, site):
    """A browser of one owner that hangs does not affect the tasks of another."""
    async with LocalServer(executor=chromium) as server, aiohttp.ClientSession() as http:
        operator = Caller(server, http)
        ann, bob = await operator.with_new_key("ann"), await operator.with_new_key("bob")
        held = await ann.create(task=f"Open {site}/. Wait for rain")
        await until(lambda: chromium.view(held) is not None, START_SECONDS)
        of_ann = _browser_pid(chromium, "ann")
        os.killpg(of_ann, signal.SIGSTOP)
        # It ends within a minute, and the test does not wait for it.
        task_id = await bob.create(task=f"Open {site}/ and tell me the title")
        done = await bob.reached(task_id, "finished")
        of_bob = _browser_pid(chromium, "bob")

    assert done["output"] == "Tern & Tide Bicycles"
    assert of_bob != of_ann
    assert chromium.pool.process_of() is None


async def test_owners_share_no_driver(chromium, site):
    """A busy driver of one owner's browser does not delay another owner."""
    held = asyncio.create_task(browse(chromium, f"Open {site}/. Wait for rain", owner="ann"))
    await until(lambda: chromium.view("id") is not None, START_SECONDS)
    driver = _parent(_browser_pid(chromium, "ann"))
    os.kill(driver, signal.SIGSTOP)
    try:
        asked = f"Open {site}/ and tell me the title"
        done = await browse(chromium, asked, owner="bob", task_id="two")
    finally:
        os.kill(driver, signal.SIGCONT)
        held.cancel()
        await asyncio.wait([held])

    assert done.output == "Tern & Tide Bicycles"


async def test_one_idle_browser_is_kept_running(chromium, site):
    """Of idle browsers only the one of the latest owner keeps running."""
    for owner in ("ann", "bob"):
        await browse(chromium, f"Open {site}/. Scroll down", owner=owner)
    of_ann, of_bob = map(chromium.pool.process_of, ("ann", "bob"))

    assert of_ann is None
    assert of_bob is not None


async def test_a_browser_for_which_there_is_no_memory_waits(browser_path):
    """It starts when no other browser has a task; the very first one starts at once."""
    asked, begun = asyncio.Event(), asyncio.Event()

    def memory() -> int:
        asked.set()
        return 0

    program = BrowserProgram.of(browser_path, sandbox=True)
    pool = BrowserPool(program, 5, memory=memory)
    policy = ChromiumSettings(browser_path).egress().policy
    ann, bob = Assignment("1", "", owner="ann"), Assignment("2", "", owner="bob")

    async def is_alone() -> bool:
        async with pool.context(bob, policy(bob), None):
            return pool.process_of("ann") is None

    async def hold() -> None:
        async with pool.context(ann, policy(ann), None):
            begun.set()
            await asyncio.Event().wait()

    holding = asyncio.create_task(hold())
    await begun.wait()
    waiting = asyncio.create_task(is_alone())
    await asked.wait()
    # Twice: the second time it cleans up, which continues.
    holding.cancel()
    await asyncio.sleep(0)
    holding.cancel()
    async with asyncio.timeout(START_SECONDS):
        was_alone = await waiting
    await pool.aclose()

    assert was_alone


async def test_owners_that_begin_together_without_memory_take_turns(browser_path):
    """None waits for one that waits for it: each gets its browser when the others have ended."""
    program = BrowserProgram.of(browser_path, sandbox=True)
    pool = BrowserPool(program, 5, memory=lambda: 0)
    policy = ChromiumSettings(browser_path).egress().policy
    at_once: list[int] = []

    async def begin(owner: str) -> None:
        assignment = Assignment(owner, "", owner=owner)
        async with pool.context(assignment, policy(assignment), None):
            at_once.append(sum(pool.process_of(each) is not None for each in owners))

    owners = ("ann", "bob", "cat")
    async with asyncio.timeout(START_SECONDS):
        await asyncio.gather(*map(begin, owners))
    await pool.aclose()

    assert at_once == [1, 1, 1]


async def test_more_than_fit_wait(browser_path):
    """With room for one browser the second task begins when the first has ended."""
    settings = ChromiumSettings(browser_path, allow_private_addresses=True, max_browsers=1)
    executor = ChromiumExecutor(settings)
    try:
        async with serve_pages({"/a": "A", "/b": "B"}) as site:
            await asyncio.gather(
                browse(executor, f"Open {site.url}/a. Wait 0.5 s. Go back.", task_id="a"),
                browse(executor, f"Open {site.url}/b. Scroll down.", task_id="b"),
            )
            asked = [path for path in site.asked if path != "/favicon.ico"]
    finally:
        await executor.aclose()

    assert asked in (["/a", "/b"], ["/b", "/a"])
    assert executor.pool.process_of() is None


@pytest.mark.parametrize("seconds", [0.0, 0.05, 0.15])
async def test_a_task_that_is_stopped_while_the_driver_starts_leaves_none(chromium, site, seconds):
    """The driver is ended once it has started, though its task is gone by then."""
    others = _drivers()
    working = asyncio.create_task(browse(chromium, f"Open {site}/."))
    await until(lambda: _drivers() - others)
    await asyncio.sleep(seconds)
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working
    await chromium.aclose()

    await until(lambda: not _drivers() - others)


async def test_agents_that_begin_together_share_a_driver(browser_path):
    """One is started however many need it, and none is left at the end."""
    others = _drivers()
    browsers = AgentBrowsers(ChromiumSettings(browser_path, max_browsers=2))
    together = asyncio.Barrier(2)

    async def begin(task_id: str) -> int:
        async with browsers.take(Assignment(task_id, "")):
            await together.wait()
            return len(_drivers() - others)

    started = await asyncio.gather(begin("a"), begin("b"))
    await browsers.aclose()

    assert started == [1, 1]
    await until(lambda: not _drivers() - others)


@pytest.mark.parametrize(
    ("free", "fit"), [(0, 1), (400 * MEGABYTE, 1), (1400 * MEGABYTE, 4), (10**12, 32)]
)
def test_browsers_by_memory(free, fit):
    """There is always room for one browser, and never for more than the memory allows."""
    assert browsers_that_fit(free) == fit


def test_browsers_in_this_machines_memory():
    """The free memory of this machine is read."""
    assert 1 <= browsers_that_fit() <= 32


@pytest.mark.parametrize(
    ("place", "limit", "used", "cached"),
    [
        ("", "memory.max", "memory.current", "inactive_file"),
        ("memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    ],
)
def test_memory_of_a_container(tmp_path, place, limit, used, cached):
    """The page cache of files that were read is free for browsers."""
    folder = tmp_path / place
    folder.mkdir(exist_ok=True)
    (folder / limit).write_text("10000000\n")
    (folder / used).write_text("9000000\n")
    (folder / "memory.stat").write_text(f"anon 2000000\n{cached} 7000000\n")

    assert free_bytes(tmp_path) == 8_000_000
    (folder / limit).write_text("max\n")
    assert free_bytes(tmp_path) > 100 * MEGABYTE


async def test_the_data_of_a_task_is_released(chromium, site):
    """Uploads, secrets and cookies of a task are released while its browser serves others."""
    done = await browse(chromium, f"Open {site}/. Click Contact.", files={"cat.png": b"cat"})
    gc.collect()

    assert isinstance(done.end, Finished), done.end
    assert chromium.pool.process_of() is not None
    assert [each for each in gc.get_objects() if isinstance(each, Assignment)] == []
    # The next task's, which has nothing of this one.
    assert sum(isinstance(each, (TaskContext, TaskPage)) for each in gc.get_objects()) <= 2


@pytest.mark.torture
@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="only Linux has it")
@pytest.mark.timeout(300)
async def test_fifty_in_a_row_leave_nothing(chromium, site):
    """50 tasks in a row leave no process and no folder, and neither side grows by 50 MB."""
    task = f"Open {site}/. Click Contact. Fill Your name with Ada. Scroll down."
    for _ in range(5):  # until caches are full and pools have their size
        await browse(chromium, task)
    pid = _browser_pid(chromium)
    process = chromium.pool.process_of()
    assert process is not None
    tasks = process.folder.path / "tasks"
    await until(lambda: not _names(tasks))
    await asyncio.sleep(1)
    before, ours = _processes(pid), _own_memory(os.getpid())
    for _ in range(TASKS):
        done = await browse(chromium, task)
        assert isinstance(done.end, Finished), done.end
    await until(lambda: len(_processes(pid)) <= len(before) + 1)  # the last ones are just ending
    await until(lambda: not _names(tasks))
    await asyncio.sleep(1)
    after, ours_after = _processes(pid), _own_memory(os.getpid())
    print(f"browser {len(before)} processes, {sum(before.values()) / MEGABYTE:.0f} MB before")
    print(f"browser {len(after)} processes, {sum(after.values()) / MEGABYTE:.0f} MB after")
    print(f"server {ours / MEGABYTE:.0f} MB before, {ours_after / MEGABYTE:.0f} MB after")

    assert _browser_pid(chromium) == pid
    assert sum(after.values()) - sum(before.values()) < MOST_GROWTH
    assert ours_after - ours < MOST_GROWTH


def _names(folder: Path) -> list[str]:
    return [each.name for each in folder.iterdir()]
