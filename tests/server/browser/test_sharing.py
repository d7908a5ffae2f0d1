"""Many tasks in one browser: what they share, what they do not, and what they leave behind."""

import asyncio
import gc
import os
import subprocess
from pathlib import Path

import pytest

from browser_use_async.server import ChromiumSettings
from browser_use_async.server.executors.browser.browser_pool import browsers_that_fit
from browser_use_async.server.executors.browser.context import TaskContext
from browser_use_async.server.executors.browser.executor import ChromiumExecutor
from browser_use_async.server.executors.browser.page import TaskPage
from browser_use_async.server.executors.protocol import Assignment, Finished
from tests.server.browser.pages import serve_pages
from tests.server.browser.running import START_SECONDS, browse
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
    """What a process has written itself: what others share with it comes and goes with them."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0  # gone meanwhile
    return next((int(line.split()[1]) * 1024 for line in lines if "Private_Dirty:" in line), 0)


def _browser_pid(executor: ChromiumExecutor) -> int:
    process = executor.pool.process
    assert process is not None
    return process.pid


async def test_three_at_once_share_a_browser_and_no_cookies(chromium: ChromiumExecutor):
    """Three tasks at once have one browser process, and each only the cookies that it was given."""
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
        await until(lambda: chromium.pool.process is not None, START_SECONDS)
        pid = _browser_pid(chromium)
        done = await working

    ends = [each.end for each in done]
    assert all(isinstance(end, Finished) for end in ends), ends
    cookies = [[cookie["value"] for cookie in each.end.cookies] for each in done]  # type: ignore[union-attr]
    assert cookies == [["one"], ["two"], ["three"]]
    # No request came with the cookie of another task.
    assert {len(each) for each in site.cookies} <= {0, 1}
    assert sorted(each["visited"] for each in site.cookies if each).count("one") >= 1
    assert _browser_pid(chromium) == pid


async def test_more_than_fit_wait(browser_path: str):
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
    assert executor.pool.process is None


@pytest.mark.parametrize(
    ("free", "fit"), [(0, 1), (400 * MEGABYTE, 1), (1300 * MEGABYTE, 4), (10**12, 32)]
)
def test_browsers_by_memory(free: int, fit: int):
    """There is always room for one browser, and never for more than memory has."""
    assert browsers_that_fit(free) == fit


def test_browsers_in_this_machines_memory():
    """What is free here is found out."""
    assert 1 <= browsers_that_fit() <= 32


async def test_what_a_task_had_is_let_go(chromium: ChromiumExecutor, site: str):
    """Uploads, secrets and cookies of a task are not held while its browser serves others."""
    done = await browse(chromium, f"Open {site}/. Click Contact.", files={"cat.png": b"cat"})
    gc.collect()

    assert isinstance(done.end, Finished), done.end
    assert chromium.pool.process is not None
    assert [each for each in gc.get_objects() if isinstance(each, Assignment)] == []
    # The next task's, which has nothing of this one.
    assert sum(isinstance(each, (TaskContext, TaskPage)) for each in gc.get_objects()) <= 2


@pytest.mark.torture
@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="only Linux tells")
@pytest.mark.timeout(300)
async def test_fifty_in_a_row_leave_nothing(chromium: ChromiumExecutor, site: str):
    """50 tasks in a row leave no process and no folder, and neither side grows over 50 MB."""
    task = f"Open {site}/. Click Contact. Fill Your name with Ada. Scroll down."
    for _ in range(5):  # until caches are full and pools have their size
        await browse(chromium, task)
    pid = _browser_pid(chromium)
    process = chromium.pool.process
    assert process is not None
    tasks = process.folder.path / "tasks"
    # The context that waits for the next task is there at both moments.
    await until(lambda: _names(tasks))
    await asyncio.sleep(1)
    before, ours = _processes(pid), _own_memory(os.getpid())
    for _ in range(TASKS):
        done = await browse(chromium, task)
        assert isinstance(done.end, Finished), done.end
    await until(lambda: len(_processes(pid)) <= len(before) + 1)  # the last ones are just ending
    await until(lambda: _names(tasks))
    await asyncio.sleep(1)
    after, ours_after = _processes(pid), _own_memory(os.getpid())
    left = _names(tasks)
    print(f"browser {len(before)} processes, {sum(before.values()) / MEGABYTE:.0f} MB before")
    print(f"browser {len(after)} processes, {sum(after.values()) / MEGABYTE:.0f} MB after")
    print(f"server {ours / MEGABYTE:.0f} MB before, {ours_after / MEGABYTE:.0f} MB after")

    assert _browser_pid(chromium) == pid
    assert len(left) <= 2  # those of the context that waits for the next task
    assert sum(after.values()) - sum(before.values()) < MOST_GROWTH
    assert ours_after - ours < MOST_GROWTH


def _names(folder: Path) -> list[str]:
    return [each.name for each in folder.iterdir()]
