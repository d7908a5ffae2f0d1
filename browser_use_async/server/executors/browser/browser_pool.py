"""One browser for all tasks of an owner; as many tasks at once as memory allows.

A lost browser is started anew.
"""

import asyncio
import contextlib
import logging
import os
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from playwright.async_api import Error as PlaywrightError
from playwright.async_api import Playwright, async_playwright

from browser_use_async.server.egress.policy import EgressPolicy
from browser_use_async.server.egress.proxy import Gateway, Upstream
from browser_use_async.server.executors.browser import launch
from browser_use_async.server.executors.browser.browser_folder import (
    BrowserProgram,
    clean_up_after_the_dead,
)
from browser_use_async.server.executors.browser.context import TaskContext
from browser_use_async.server.executors.browser.memory_watch import MEMORY_MB, MemoryWatch
from browser_use_async.server.executors.browser.page import ANSWER_SECONDS
from browser_use_async.server.executors.owner_slots import OwnerSlots
from browser_use_async.server.records import DEFAULT_OWNER, Assignment

_logger = logging.getLogger(__name__)

_ALIVE_SECONDS = 10.0  # its answer comes after earlier work for pages that flood it
_BUSY_SECONDS = 5.0
"""How long a browser may take for a new page before the task is given another browser."""

_SHARED_BYTES = 400 * 1024**2
"""The memory of a browser and its driver without pages, and the reserve of the machine."""

_EACH_BYTES = 250 * 1024**2
"""The memory of a task's pages: most need less, heavy ones more."""

_MOST = 32
# Each start takes much of a core: browsers that start together would all be slow.
_OPENED_AT_ONCE = max(2, os.cpu_count() or 1)
_ENDED = "the browser has ended unexpectedly"
_CONTROL_GROUPS = Path("/sys/fs/cgroup")
# For both versions of cgroups: folder, limit, usage, and the cached part of it.
_LIMITS = (
    ("", "memory.max", "memory.current", "inactive_file"),
    ("memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
)

Viewport = tuple[int, int]


class PlaywrightDriver:
    """Playwright's driver of browsers, started on first use."""

    def __init__(self) -> None:
        # One start for all callers. It goes on even if their tasks are stopped: then it is still
        # known here, and `stop` ends it.
        self._starting: asyncio.Task[Playwright] | None = None
        self._has_cleaned_up = False

    async def start(self) -> Playwright:
        """Return the running driver."""
        if not self._has_cleaned_up:
            self._has_cleaned_up = True
            count = await asyncio.to_thread(clean_up_after_the_dead)
            if count:
                _logger.warning("removed what %s killed servers left of their browsers", count)
        if self._starting is None:
            self._starting = asyncio.create_task(
                async_playwright().start(), name="browser-use: starts Playwright"
            )
        try:
            return await asyncio.shield(self._starting)
        except (OSError, PlaywrightError) as error:
            self._starting = None
            raise launch.BrowserNotStartedError(f"Playwright's driver failed: {error}") from error

    async def stop(self) -> None:
        """End it, and with it the browsers that it has started."""
        starting, self._starting = self._starting, None
        if starting is not None:
            with contextlib.suppress(OSError, PlaywrightError):
                await (await asyncio.shield(starting)).stop()


class BrowserPool:
    """The browsers, one for each owner that has tasks, and room in them for each task."""

    def __init__(
        self,
        program: BrowserProgram,
        capacity: int,
        *,
        trace: bool = False,
        memory: Callable[[], int] | None = None,
        megabytes: int = MEMORY_MB,
    ) -> None:
        self._program = program
        self._trace = trace
        self._free_bytes = memory or free_bytes
        self._room = OwnerSlots(capacity)
        self._starting = asyncio.Lock()
        self._opening = asyncio.Semaphore(_OPENED_AT_ONCE)
        self._processes: dict[str, launch.BrowserProcess] = {}  # by owner
        self._drivers: dict[launch.BrowserProcess, PlaywrightDriver] = {}
        self._places: dict[str, launch.BrowserProcess] = {}  # the browser of each task
        self._task_ended = asyncio.Event()
        # Browsers that get no more tasks, and end with their last task.
        self._draining: list[launch.BrowserProcess] = []
        self._bytes = megabytes * 1024**2
        self._watch = MemoryWatch(self._bounds)

    def process_of(self, owner: str = DEFAULT_OWNER) -> launch.BrowserProcess | None:
        """The browser of an owner, if one is running."""
        return self._processes.get(owner)

    @property
    def count(self) -> int:
        """How many browsers are open."""
        return len(self._all())

    async def start(self) -> None:
        """Start the browser that the first task then has.

        Raises:
            BrowserNotStartedError: It does not start on this machine.
        """
        await self._running(DEFAULT_OWNER)

    @asynccontextmanager
    async def context(
        self, assignment: Assignment, policy: EgressPolicy, upstream: Upstream | None
    ) -> AsyncGenerator[TaskContext, None]:
        """A context for one task, as soon as there is room for it."""
        async with self._room.slot(assignment.owner):
            process = self._places[assignment.task_id] = await self._running(assignment.owner)
            self._watch.start()
            context: TaskContext | None = None
            try:
                try:
                    context = await self._open(process, assignment.viewport)
                except launch.BrowserError as error:
                    # It has ended, or is blocked by pages. Nothing of the task has been done yet,
                    # so another browser can do it.
                    _logger.warning("a task is given a new browser, because %s", error)
                    self._drain(process)
                    del self._places[assignment.task_id]  # else it might wait for its own end
                    process = await self._running(assignment.owner)
                    self._places[assignment.task_id] = process
                    context = await self._open(process, assignment.viewport, ANSWER_SECONDS)
                context.gateway.admit(policy, upstream)
                await context.begin(assignment, trace=self._trace)
                yield context
            except (launch.NoAnswerError, launch.PageLostError):
                if await _is_alive(process):
                    if context is not None:
                        context.check_bounds()  # an exceeded bound is why it did not answer
                    raise
                # The ends of pages are reported before the end of their browser.
                is_hung = process.browser.is_connected()
                await self._retire(process)
                how = "the browser hung, and was ended" if is_hung else _ENDED
                raise launch.BrowserLostError(how) from None
            finally:
                self._places.pop(assignment.task_id, None)
                await asyncio.shield(self._clean_up(process, context, assignment))

    async def _clean_up(
        self, process: launch.BrowserProcess, context: TaskContext | None, assignment: Assignment
    ) -> None:
        """Clean up after a task, even if its caller is cancelled."""
        try:
            if context is not None:
                await self._close(context, process)
            await self._end_unused(process)
        finally:
            self._task_ended.set()  # else a task that waits for memory might wait for ever

    async def aclose(self) -> None:
        """End the browsers and their drivers."""
        await self._watch.aclose()
        for process in self._all():
            await self._retire(process)

    async def _open(
        self, process: launch.BrowserProcess, viewport: Viewport, seconds: float = _BUSY_SECONDS
    ) -> TaskContext:
        gateway = Gateway()
        await gateway.start()
        context = TaskContext(process, gateway, viewport)
        try:
            async with self._opening:
                await context.open(seconds)
        except BaseException:
            await asyncio.shield(self._close(context, process))
            raise
        return context

    async def _running(self, owner: str) -> launch.BrowserProcess:
        """The browser of an owner, started once one more fits or no task runs."""
        while True:
            async with self._starting:
                process = self._processes.get(owner)
                if process is not None and process.browser.is_connected():
                    return process
                if process is not None:
                    await self._retire(process)
                await self._end_unused(None)
                if not self._places or self._free_bytes() >= _SHARED_BYTES + _EACH_BYTES:
                    return await self._start(owner)
                self._task_ended.clear()
            # Without the lock, so that tasks of owners with a browser go on.
            await self._task_ended.wait()

    async def _start(self, owner: str) -> launch.BrowserProcess:
        # One for each browser, so that no owner waits for the pages of another.
        driver = PlaywrightDriver()
        try:
            process = await launch.BrowserProcess.start(await driver.start(), self._program)
        except BaseException:
            await asyncio.shield(driver.stop())
            raise
        self._drivers[process] = driver
        self._processes[owner] = process
        return process

    def _bounds(self) -> Mapping[launch.BrowserProcess, int]:
        """The memory limits of browsers with tasks, with a usual page for each further task."""
        tasks = Counter(self._places.values())
        return {each: self._bytes + (count - 1) * _EACH_BYTES for each, count in tasks.items()}

    def _all(self) -> tuple[launch.BrowserProcess, ...]:
        return (*self._draining, *self._processes.values())

    async def _retire(self, process: launch.BrowserProcess) -> None:
        """End a browser and all tasks in it."""
        self._drain(process)
        if process in self._draining:  # the first of several tasks that find it lost or hanging
            self._draining.remove(process)
            if not process.browser.is_connected():
                _logger.error("%s, and is started anew", _ENDED)
            await asyncio.shield(self._end(process))

    async def _end(self, process: launch.BrowserProcess) -> None:
        try:
            await process.end()
        finally:
            await self._drivers.pop(process).stop()

    def _drain(self, process: launch.BrowserProcess) -> None:
        for owner, each in [*self._processes.items()]:
            if each is process:
                del self._processes[owner]
                self._draining.append(process)

    async def _end_unused(self, kept: launch.BrowserProcess | None) -> None:
        """End browsers without tasks, except one for the next task."""
        for process in self._all():
            is_kept = process is kept and process not in self._draining
            if not is_kept and process not in self._places.values():
                await self._retire(process)

    async def _close(self, context: TaskContext, process: launch.BrowserProcess) -> None:
        try:
            await context.aclose()
        except launch.BrowserError as error:
            # A page of one task must not end the tasks of others.
            _logger.error("the browser is given no task, because it keeps a page: %s", error)  # noqa: TRY400 - the text says it
            self._drain(process)
            await self._end_unused(process)


async def _is_alive(process: launch.BrowserProcess) -> bool:
    try:
        async with asyncio.timeout(_ALIVE_SECONDS):
            session = await process.browser.new_browser_cdp_session()
            await session.send("Browser.getVersion")
            await session.detach()
    except (PlaywrightError, TimeoutError):
        return False
    return True


def browsers_that_fit(free: int | None = None, each_bytes: int = _EACH_BYTES) -> int:
    """How many tasks may have a browser at once with so many free bytes; at least one."""
    free = free_bytes() if free is None else free
    return max(1, min(_MOST, (free - _SHARED_BYTES) // each_bytes))


def free_bytes(control_groups: Path = _CONTROL_GROUPS) -> int:
    """The free memory of this machine, limited to that of this process."""
    free = _free_on_machine()
    for place, limit, used, cached in _LIMITS:
        folder = control_groups / place
        try:
            lines = (folder / "memory.stat").read_text().splitlines()
            # The memory of cached files is available.
            taken = int((folder / used).read_text()) - int(dict(map(str.split, lines))[cached])
            free = min(free, int((folder / limit).read_text()) - taken)
        except (OSError, ValueError, KeyError):
            continue  # no such limit
    return free


def _free_on_machine() -> int:
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvail"))
    except (OSError, StopIteration):
        # Not Linux: half of the installed memory.
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
