"""Wrong clients and this package, with the same lost answers and the same deadlines."""

import asyncio
import contextlib
import functools
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import aiohttp
import attrs
import pytest

from browser_use_async import BrowserUseSession
from tests.lifecycle.wrong_clients import (
    Client,
    Ours,
    TenacityOnEverything,
    ThreeAttempts,
    VendorRule,
)
from tests.support.fake_api import Call, FakeApi, FakeTask, Fault
from tests.support.fake_task import lives
from tests.support.hygiene import KEY

pytestmark = [pytest.mark.looptime, pytest.mark.usefixtures("nothing_leaks")]

TIMEOUT = 60.5  # seconds of each wait; no multiple of an interval of a client
PRECISION = 0.05  # seconds by which a wait may overrun

Connect = Callable[[FakeApi], AbstractAsyncContextManager[Client]]
FaultOf = Callable[[Call], Fault | None]
Wrong = ThreeAttempts | VendorRule | TenacityOnEverything

# The first answer to run-task is lost. In all but the last two the task was created before.
LOST: Mapping[str, Fault] = {
    "cut": Fault(cut=True, done=True),
    "500": Fault(status=500, done=True),
    "502": Fault(status=502, done=True),
    "503": Fault(status=503, done=True),
    "504": Fault(status=504, done=True),
    "520": Fault(status=520, done=True),
    "nonsense": Fault(status=200, body="<html>", done=True),
    "stall": Fault(stall=400.0, done=True),
    "cut before": Fault(cut=True),
    "503 before": Fault(status=503),
}

# The fault during a wait with a deadline, for a task that never ends.
SPOILED: Mapping[str, FaultOf] = {
    "nothing": lambda _call: None,
    "slow answers": lambda call: Fault(stall=25.0) if call.at > 50.0 else None,
    "silence": lambda call: Fault(stall=900.0) if call.at > 50.0 else None,
    "outage": lambda call: Fault(status=503) if call.at > 5.0 else None,
    "latency": lambda _call: Fault(stall=0.5),
    "cuts": lambda call: Fault(cut=True) if call.number % 3 == 0 else None,
}


@attrs.frozen
class Comparison:
    """The figures of a client; all but the last in percent.

    Attributes:
        duplicates: Of the jobs, those that became more than one task.
        lost: Of the jobs, those with a task that the caller cannot name.
        unserved: Of the jobs, those without a task.
        overruns: Of the waits, those that ended after their deadline.
        died: Of the waits, those that gave up a task before the deadline, or one that had ended.
        worst: The longest overrun in seconds.
    """

    duplicates: int
    lost: int
    unserved: int
    overruns: int
    died: int
    worst: float

    def __str__(self) -> str:
        return (
            f"dup {self.duplicates} %, lost {self.lost} %, not run {self.unserved} %, overrun "
            f"{self.overruns} % (worst {self.worst:.1f} s), wait died {self.died} %"
        )


@asynccontextmanager
async def _wrong(kind: type[Wrong], api: FakeApi) -> AsyncIterator[Client]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30.0)) as http:
        yield kind(http, api.url)


@asynccontextmanager
async def _ours(api: FakeApi) -> AsyncIterator[Client]:
    async with BrowserUseSession(api_key=KEY, base_url=api.url) as session:
        yield Ours(session)


async def _create(connect: Connect, fault: Fault) -> tuple[int, bool]:
    """How many tasks one job became, and whether the caller can name all of them."""
    async with FakeApi() as api, connect(api) as client:
        api.break_calls("run", {1: fault})
        known = set()
        with contextlib.suppress(Exception):
            known.add(await client.create())
        return len(api.tasks), api.tasks.keys() <= known


async def _wait(connect: Connect, spoil: FaultOf, task: FakeTask) -> tuple[float, bool]:
    """By how many seconds a wait overran, and whether it gave up too early."""
    loop = asyncio.get_running_loop()
    async with FakeApi() as api, connect(api) as client:
        api.add(task)
        started = loop.time()
        api.fault = lambda call: spoil(attrs.evolve(call, at=call.at - started))
        given_up = False
        try:
            await client.wait(task.id, TIMEOUT)
        except Exception:  # noqa: BLE001 - whatever it is, the caller has no result
            took = loop.time() - started
            given_up = took < TIMEOUT - PRECISION or task.life[-1][0] < TIMEOUT
        return max(loop.time() - started - TIMEOUT, 0.0), given_up


async def _compare(connect: Connect) -> Comparison:
    jobs = [await _create(connect, fault) for fault in LOST.values()]
    waits = [await _wait(connect, spoil, lives(1e6)) for spoil in SPOILED.values()]
    waits.append(await _wait(connect, lambda _call: None, lives(TIMEOUT - 0.3)))
    overruns = [overrun for overrun, _given_up in waits]
    return Comparison(
        duplicates=_percent([tasks > 1 for tasks, _named in jobs]),
        lost=_percent([not named for _tasks, named in jobs]),
        unserved=_percent([tasks == 0 for tasks, _named in jobs]),
        overruns=_percent([overrun > PRECISION for overrun in overruns]),
        died=_percent([given_up for _overrun, given_up in waits]),
        worst=max(overruns),
    )


def _percent(hits: list[bool]) -> int:
    return round(100 * sum(hits) / len(hits))


@pytest.mark.long
async def test_ours_pays_once_and_ends_on_time():
    """No duplicate, no task without a name, no overrun, and no wait that ends early."""
    found = await _compare(_ours)

    assert found == Comparison(0, 0, unserved=20, overruns=0, died=0, worst=found.worst)


@pytest.mark.long
async def test_three_attempts_pay_twice():
    """Three attempts on any exception create a second task, and its waits overrun."""
    found = await _compare(functools.partial(_wrong, ThreeAttempts))

    assert found.duplicates == found.lost == 80
    assert found.overruns > 50


@pytest.mark.long
async def test_the_vendor_rule_loses_the_id():
    """A client that repeats on 429 only pays once and loses the id; its waits end early."""
    found = await _compare(functools.partial(_wrong, VendorRule))

    assert found.duplicates == 0
    assert found.lost == 80
    assert found.overruns > 0
    assert found.died > 0


@pytest.mark.long
async def test_tenacity_on_everything_pays_twice():
    """Retrying every call creates a second task, and retries go on past the deadline."""
    found = await _compare(functools.partial(_wrong, TenacityOnEverything))

    assert found.duplicates == found.lost == 80
    assert found.overruns > 0
