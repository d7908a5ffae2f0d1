"""Background work of a server: loops that are restarted when they fail, tasks, and failures."""

import asyncio
import logging
import traceback
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from browser_use_async.server.errors import StorageAwayError, StorageUnavailableError

ResultT = TypeVar("ResultT")


class BackgroundTasks:
    """Background tasks of one owner, which ends them when it closes; named by their work."""

    def __init__(self, what: str) -> None:
        self._name = f"browser-use: {what}"
        self._tasks: set[asyncio.Task[Any]] = set()

    def start(self, work: Coroutine[Any, Any, ResultT]) -> asyncio.Task[ResultT]:
        """Start a task."""
        task = asyncio.get_running_loop().create_task(work, name=self._name)
        # The loop itself keeps no reference to it.
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def __len__(self) -> int:
        return len(self._tasks)

    async def join(self) -> None:
        """Wait until all have ended; errors are ignored."""
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def aclose(self) -> None:
        """End all of them."""
        for task in tuple(self._tasks):
            task.cancel()
        await self.join()


def log_failure(logger: logging.Logger, message: str, error: BaseException) -> None:
    """Log the type and traceback of an exception, without its text.

    An outage of the database is logged by its room alone.
    """
    if isinstance(error, StorageAwayError):
        return
    # The text of an exception may contain a secret: a key, a cookie, a page's text. In an endless
    # recursion the last frames are enough.
    frames = "".join(traceback.format_tb(error.__traceback__, limit=-20))
    logger.error("%s: %s\n%s", message, type(error).__name__, frames)


_LOG_SECONDS = 60.0  # each waiting task tries again every second
# By the loop, whose clock they are read from.
_logged_at: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, float]] = WeakKeyDictionary()


def log_waiting(logger: logging.Logger, message: str, error: StorageUnavailableError) -> None:
    """Log once a minute that something waits for a database or an object storage that refuses."""
    if isinstance(error, StorageAwayError):
        return
    loop = asyncio.get_running_loop()
    logged_at = _logged_at.setdefault(loop, {})
    if loop.time() >= logged_at.get(message, float("-inf")) + _LOG_SECONDS:
        logged_at[message] = loop.time()
        logger.error("%s: %s", message, error)


_FIRST_PAUSE, _LONGEST_PAUSE = 0.3, 5.0  # seconds until a loop is restarted; each doubles
_STEADY = 60.0  # seconds of work after which earlier ends no longer count
_FAILING = 3  # ends in a row after which it counts as failing

_logger = logging.getLogger(__name__)


class Loop:
    """Background work that runs until it is closed; if it fails, it is restarted.

    Args:
        name: Its name in the log and in `/healthz`.
        work: Never returns by itself.
    """

    def __init__(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        self.name = name
        self._work = work
        self._ends = 0  # in a row
        self._ended_at = 0.0
        self._is_closing = False
        self._clock = asyncio.get_running_loop().time
        self._task = asyncio.get_running_loop().create_task(
            self._run(), name=f"browser-use: {name}"
        )

    @property
    def is_failing(self) -> bool:
        """Whether it ends repeatedly, or was ended from outside."""
        if self._is_closing:
            return False
        is_new = self._clock() - self._ended_at < _STEADY
        return self._task.done() or (self._ends >= _FAILING and is_new)

    async def aclose(self) -> None:
        """End the work, and wait for its end."""
        self._is_closing = True
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            begun_at = self._clock()
            try:
                await self._work()
                _logger.error("the loop %s has ended, and is begun again", self.name)
            except asyncio.CancelledError as error:
                # A library may leak the cancellation of another task.
                if self._task.cancelling():
                    raise
                log_failure(_logger, f"the loop {self.name} is begun again", error)
            except Exception as error:  # noqa: BLE001 - the loop survives any error
                log_failure(_logger, f"the loop {self.name} is begun again", error)
            self._ended_at = self._clock()
            self._ends = 1 if self._ended_at - begun_at > _STEADY else self._ends + 1
            await asyncio.sleep(min(_FIRST_PAUSE * 2 ** (self._ends - 1), _LONGEST_PAUSE))


class Loops:
    """All loops of one server."""

    def __init__(self) -> None:
        self._loops: list[Loop] = []

    def start(self, name: str, work: Callable[[], Awaitable[None]]) -> Loop:
        """Start a loop; the caller must close it."""
        loop = Loop(name, work)
        self._loops.append(loop)
        return loop

    @property
    def failing(self) -> list[str]:
        """The names of the failing loops."""
        return [each.name for each in self._loops if each.is_failing]
