"""Calls that fail, hang or answer wrongly while many tasks are polled: waits end in time."""

import asyncio
import itertools
import random
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest

from browser_use_async import errors
from tests.support.fake_api import Call, FakeTask, Fault
from tests.support.fake_task import lives

pytestmark = pytest.mark.looptime


def _now() -> float:
    return asyncio.get_running_loop().time()


async def _delays(session: Any, tasks: list[FakeTask]) -> list[float]:
    """Wait for tasks that start now: the sorted seconds from each end to the end of its wait."""

    async def wait(task: FakeTask) -> float:
        ended = await session.wait(task.id)
        assert ended.id == task.id
        return _now() - task.born - task.life[-1][0]

    return sorted(await asyncio.gather(*map(wait, tasks)))


def _lifetimes(count: int, seed: int, longest: float = 120.0) -> list[float]:
    rng = random.Random(seed)
    return [rng.uniform(20.0, longest) for _ in range(count)]


def _fails(share: float, seed: int, fault: Fault) -> Callable[[Call], Fault | None]:
    rng = random.Random(seed)
    return lambda call: fault if call.at > 5.0 and rng.random() < share else None


@pytest.mark.long
@pytest.mark.parametrize("fault", [Fault(cut=True), Fault(stall=8.0)], ids=["cut", "slow"])
async def test_a_page_that_fails_while_tasks_are_created_ends_no_wait(api, session, fault):
    """The oldest of ten pages fails sometimes, and the list grows by 30 each second."""
    tasks = [api.add(lives(seconds)) for seconds in _lifetimes(1000, seed=1, longest=60.0)]
    api.fault = lambda call: fault if call.route == "list" and call.number % 41 == 0 else None

    async def others() -> None:
        while True:
            await asyncio.sleep(1.0)
            for _ in range(30):
                api.add(lives(1e6))

    growing = asyncio.create_task(others())
    delays = await _delays(session, tasks)
    growing.cancel()

    # Two seconds until a reply is late, two until the next round of polls, and the confirmation.
    assert delays[int(0.99 * len(delays))] <= 4.5
    assert delays[-1] <= 10.0  # of a page that is slow twice in a row
    assert api.count("status") <= 1000


@pytest.mark.long
@pytest.mark.parametrize(
    ("share", "fault", "latest", "most"),
    [
        (0.05, Fault(cut=True), 4.0, 3.0),
        (0.20, Fault(cut=True), 8.0, 5.0),
        (0.20, Fault(status=503), 8.0, 5.0),
    ],
    ids=["5 % cut", "20 % cut", "20 % 503"],
)
async def test_a_share_of_calls_fails(api, session, share, fault, latest, most):
    """A failed page is read again as a whole, and not in ninety-nine parts."""
    tasks = [api.add(lives(seconds)) for seconds in _lifetimes(300, seed=2)]
    api.fault = _fails(share, 3, fault)

    delays = await _delays(session, tasks)

    p99, requests = delays[int(0.99 * len(delays))], api.count() / len(tasks)
    assert p99 <= latest
    assert requests <= most


@pytest.mark.long
@pytest.mark.parametrize("route", ["list", "get", "status"])
async def test_a_slow_reply_delays_no_other(api, session, route):
    """Every fortieth reply of a kind takes 25 s; only its own tasks are polled once more."""
    tasks = [api.add(lives(seconds)) for seconds in _lifetimes(300, seed=4)]
    slow = Fault(stall=25.0)
    api.fault = lambda call: slow if call.route == route and call.number % 40 == 7 else None

    delays = await _delays(session, tasks)

    late = sum(delay > 3.0 for delay in delays) / len(delays)
    assert late <= 0.04
    assert delays[-1] <= 8.0


async def test_a_single_wait_does_not_wait_for_a_slow_reply(api, session):
    """It does not send a third request while two are in progress, either."""
    task = api.add(lives(30.0))
    api.fault = lambda call: Fault(stall=25.0) if call.number % 17 == 0 else None

    (delay,) = await _delays(session, [task])

    assert delay <= 5.0
    assert api.most_in_flight <= 2


def _is_internal(task: "asyncio.Task[Any]") -> bool:
    """Whether a task of the loop runs a coroutine of the package, and not of a caller."""
    coroutine = task.get_coro()
    return "/browser_use_async/" in getattr(coroutine, "cr_code", coroutine).co_filename


@pytest.mark.parametrize("count", [1, 50])
async def test_polls_that_are_cancelled_from_outside_are_made_again(api, session, count):
    """Another part of the program cancels all foreign tasks of the loop, for four seconds."""
    tasks = [api.add(lives(20.0)) for _ in range(count)]
    api.latency = 0.02

    async def disturb() -> None:
        await asyncio.sleep(8.0)
        while _now() < 12.0:
            for each in asyncio.all_tasks():
                if _is_internal(each):
                    each.cancel()
            await asyncio.sleep(0.05)

    disturbing = asyncio.create_task(disturb())
    delays = await _delays(session, tasks)
    await disturbing

    assert delays[-1] <= 2.5


@pytest.mark.long
@pytest.mark.parametrize("kind", [KeyError, GeneratorExit, asyncio.CancelledError])
async def test_a_middleware_that_raises_now_and_then_ends_no_wait(api, open_session, kind):
    """For any exception, a lost poll is repeated."""
    calls = itertools.count()

    async def flaky(
        request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        if next(calls) % 3 == 1:
            raise kind
        return await handler(request)

    session = await open_session(middlewares=[flaky])
    tasks = [api.add(lives(seconds)) for seconds in [*[30.0] * 20, 90.0]]

    delays = await _delays(session, tasks)

    # A lost poll and a lost get-task each cost up to an interval.
    assert delays[-1] <= 6.0


class MiddlewareError(Exception):
    """Cannot be copied: it needs two arguments."""

    def __init__(self, one: int, two: int) -> None:
        super().__init__(f"{one} and {two}")


async def test_a_middleware_that_always_raises_ends_the_wait(api, open_session):
    """The exception is the cause of an error that names the task, even if it cannot be copied."""

    async def broken(
        _request: aiohttp.ClientRequest, _handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        raise MiddlewareError(1, 2)

    session = await open_session(middlewares=[broken])

    raised = await asyncio.gather(
        session.wait("t1"), session.wait("t1"), session.wait("t2"), return_exceptions=True
    )

    assert {type(error) for error in raised} == {errors.WaitInterruptedError}
    assert [getattr(error, "task_id", None) for error in raised] == ["t1", "t1", "t2"]
    causes = [error.__cause__ for error in raised if isinstance(error, Exception)]
    assert [str(cause) for cause in causes] == ["1 and 2"] * 3


def _lying(kind: str) -> Callable[[list[FakeTask]], tuple[list[FakeTask], int]]:
    rng = random.Random(kind)

    def lie(rows: list[FakeTask]) -> tuple[list[FakeTask], int]:
        if kind == "shuffled":
            rows = rng.sample(rows, len(rows))
        elif kind == "reversed":
            rows = rows[::-1]
        elif kind == "missing":
            rows = [row for row in rows if rng.random() < 0.8]
        elif kind == "repeated":
            rows = [row for row in rows for _ in range(2)]
        elif kind == "empty":
            rows = []
        totals = {"zero": 0, "capped": 100, "huge": 10**9, "random": rng.randrange(10**6)}
        return rows, totals.get(kind, len(rows))

    return lie


LIES = "zero capped huge random shuffled reversed missing repeated empty".split()


@pytest.mark.long
@pytest.mark.parametrize("kind", LIES)
async def test_a_wrong_list_costs_requests_and_no_wait(api, session, kind):
    """There are at most one and a half times as many requests as status calls alone."""
    tasks = [api.add(lives(seconds)) for seconds in _lifetimes(150, seed=5, longest=60.0)]
    for _ in range(150):  # so that there are pages beyond those of interest
        api.add(lives(1e6))
    api.list_lies = _lying(kind)

    delays = await _delays(session, tasks)

    plain = sum(task.life[-1][0] / 1.9 for task in tasks)
    used = api.count("list", "status")
    assert delays[int(0.99 * len(delays))] <= 4.0
    assert used <= 1.5 * plain
    if kind in {"zero", "capped", "huge", "random"}:  # the total is not used
        assert used <= 0.1 * plain


class _Stale(FakeTask):
    """A task that the list shows as running for ever."""

    def row(self) -> dict[str, Any]:
        """Its row."""
        return {**super().row(), "status": "running"}

    def whole(self) -> dict[str, Any]:
        """The whole task."""
        return {**super().whole(), "status": self.status()}


@pytest.mark.long
async def test_a_list_that_never_shows_an_end_is_found_out(api, session):
    """A status call sometimes checks what the list keeps reporting."""
    stale = api.add(_Stale(life=((0.0, "running"), (100.0, "finished"))))
    others = [api.add(lives(1000.0)) for _ in range(30)]
    waits = [asyncio.create_task(session.wait(task.id)) for task in others]

    ended = await session.wait(stale.id)

    assert ended.id == stale.id
    assert _now() <= 605.0
    assert api.count("status") <= 2 * len(others)
    for wait in waits:
        wait.cancel()
    await asyncio.gather(*waits, return_exceptions=True)


@pytest.mark.long
@pytest.mark.timeout(180)
@pytest.mark.parametrize("is_own", [False, True], ids=["of others", "of this session"])
async def test_waits_that_start_together_are_few_requests(api, session, is_own):
    """Thousands of waits read pages from their first poll on, and not each status alone."""
    count = 2000
    api.make = lambda _body: lives(1e6)
    if is_own:
        handles = await asyncio.gather(*(session.submit("x") for _ in range(count)))
        waits = [asyncio.create_task(handle.wait()) for handle in handles]
    else:
        waits = [asyncio.create_task(session.wait(api.add(lives(1e6)).id)) for _ in range(count)]
    begin = _now()
    await asyncio.sleep(10.0)

    pages = count / 100
    polls = api.count("list", "status")
    assert _now() == pytest.approx(begin + 10.0)
    assert polls <= 1.3 * pages * (10.0 / 1.86 + 1)
    for wait in waits:
        wait.cancel()
    await asyncio.gather(*waits, return_exceptions=True)
