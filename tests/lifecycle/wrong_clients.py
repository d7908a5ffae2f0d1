"""Clients that are wrong on purpose, in the three usual ways, and this package.

Each can create a task and wait for one; that is all that the comparison needs.
"""

import asyncio
import functools
from collections.abc import Awaitable, Callable
from typing import Protocol

import aiohttp
import tenacity

from browser_use_async import BrowserUseSession
from tests.support.fake_task import TERMINAL

__all__ = ["Client", "Ours", "TenacityOnEverything", "ThreeAttempts", "VendorRule"]

INTERVAL = 2.0  # seconds between two polls


class Client(Protocol):
    """A client of the comparison."""

    async def create(self) -> str:
        """Create a task and give its id."""
        ...

    async def wait(self, task_id: str, timeout: float) -> str:
        """Give the status with which a task ends."""
        ...


class _Wrong:
    """What the wrong clients share: plain calls whose errors are not classified.

    Args:
        http: The aiohttp session, with aiohttp's own defaults.
        url: The base URL.
    """

    def __init__(self, http: aiohttp.ClientSession, url: str) -> None:
        self._http = http
        self._url = url

    async def _post(self) -> str:
        async with self._http.post(f"{self._url}/run-task", json={"task": "x"}) as reply:
            reply.raise_for_status()
            return str((await reply.json())["id"])

    async def _status(self, task_id: str) -> str:
        async with self._http.get(f"{self._url}/task/{task_id}/status") as reply:
            reply.raise_for_status()
            return str(await reply.json())


class ThreeAttempts(_Wrong):
    """What examples do: three attempts on any exception, and a wait that counts its polls."""

    async def create(self) -> str:
        """Create a task; after any error, try again."""
        for attempt in range(2):
            try:
                return await self._post()
            except Exception:  # noqa: BLE001 - that is what is wrong with it
                await asyncio.sleep(2.0**attempt)
        return await self._post()

    async def wait(self, task_id: str, timeout: float) -> str:
        """Poll as often as fits into the timeout if polls took no time."""
        for _look in range(int(timeout / INTERVAL) + 1):
            try:
                status = await self._status(task_id)
            except Exception:  # noqa: BLE001 - that is what is wrong with it
                status = "unknown"
            if status in TERMINAL:
                return status
            await asyncio.sleep(INTERVAL)
        raise TimeoutError


class VendorRule(_Wrong):
    """The vendor's rule: a POST goes out again on 429 only, and any other failure loses the id.

    Polls are repeated after 429, 502, 503, 504 and broken connections, but not after silence.
    """

    async def create(self) -> str:
        """Create a task; on 429 try again."""
        return await self._retried(self._post, frozenset({429}), ())

    async def wait(self, task_id: str, timeout: float) -> str:
        """Poll, sleep a whole interval, and only then read the clock."""
        loop = asyncio.get_running_loop()
        ends = loop.time() + timeout
        while loop.time() < ends:
            status = await self._retried(
                functools.partial(self._status, task_id),
                frozenset({429, 502, 503, 504}),
                (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError),
            )
            if status in TERMINAL:
                return status
            await asyncio.sleep(INTERVAL)
        raise TimeoutError

    @staticmethod
    async def _retried(
        call: Callable[[], Awaitable[str]],
        statuses: frozenset[int],
        failures: tuple[type[Exception], ...],
    ) -> str:
        for attempt in range(3):
            try:
                return await call()
            except aiohttp.ClientResponseError as error:
                if error.status not in statuses:
                    raise
            except failures:
                pass
            await asyncio.sleep(2.0**attempt)
        return await call()


class TenacityOnEverything(_Wrong):
    """Five attempts of every call on any exception, and a clock that is read between calls."""

    async def create(self) -> str:
        """Create a task; after any error, try again."""
        return await self._retrying()(self._post)

    async def wait(self, task_id: str, timeout: float) -> str:
        """Read the clock before each poll, but not while the poll is repeated."""
        loop = asyncio.get_running_loop()
        ends = loop.time() + timeout
        while loop.time() < ends:
            status: str = await self._retrying()(self._status, task_id)
            if status in TERMINAL:
                return status
            await asyncio.sleep(min(INTERVAL, max(ends - loop.time(), 0.0)))
        raise TimeoutError

    @staticmethod
    def _retrying() -> tenacity.AsyncRetrying:
        return tenacity.AsyncRetrying(
            stop=tenacity.stop_after_attempt(5),
            wait=tenacity.wait_exponential(max=10),
            sleep=asyncio.sleep,
            reraise=True,
        )


class Ours:
    """This package.

    Args:
        session: The session.
    """

    def __init__(self, session: BrowserUseSession) -> None:
        self._session = session

    async def create(self) -> str:
        """Create a task, paying once."""
        return (await self._session.submit("x")).id

    async def wait(self, task_id: str, timeout: float) -> str:
        """Wait with a deadline."""
        return str((await self._session.wait(task_id, timeout=timeout)).status)
