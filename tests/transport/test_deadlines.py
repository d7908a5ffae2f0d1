"""The alarm that all attempts of a session share."""

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from browser_use_async import CallLimits, errors
from browser_use_async.transport.deadlines import Deadlines
from tests.bench import ONCE, Connect, Serve
from tests.wire import Connection


async def _hold(deadlines: Deadlines, seconds: float) -> float:
    """How long an attempt took that wanted so many seconds."""
    loop = asyncio.get_running_loop()
    started = loop.time()
    try:
        with deadlines.start():
            await asyncio.sleep(seconds)
    except TimeoutError:
        return started - loop.time()
    return loop.time() - started


@pytest.mark.looptime
async def test_each_attempt_has_its_whole_time_and_no_more():
    """300 attempts that begin and end at odd moments: below 30 s untouched, else ended at 30 s."""
    draw = random.Random(1)
    deadlines = Deadlines(asyncio.get_running_loop(), 30.0)

    async def attempt() -> tuple[float, float]:
        await asyncio.sleep(draw.uniform(0, 100))
        wanted = draw.uniform(0, 60)
        return wanted, await _hold(deadlines, wanted)

    for wanted, took in await asyncio.gather(*(attempt() for _ in range(300))):
        if wanted < 30:
            assert took == pytest.approx(wanted, abs=0.01)
        else:
            assert took == pytest.approx(-30, abs=0.01)


@pytest.mark.looptime
async def test_one_timer_serves_all_attempts(monkeypatch: pytest.MonkeyPatch):
    """1,000 attempts in a row cost one timer per 30 s, and none of their own."""
    loop = asyncio.get_running_loop()
    deadlines = Deadlines(loop, 30.0)
    timers: list[Any] = []
    call_at = loop.call_at

    def counted(when: float, callback: Any, *arguments: Any, **more: Any) -> asyncio.TimerHandle:
        if getattr(callback, "__self__", None) is deadlines:
            timers.append(when)
        return call_at(when, callback, *arguments, **more)

    monkeypatch.setattr(loop, "call_at", counted)
    for _ in range(1000):
        await _hold(deadlines, 0.1)

    assert len(timers) == 4  # at the start, and each time that one has rung during 100 s


@pytest.mark.looptime
async def test_the_end_comes_for_all_at_once(looptime: Any):
    """Ended early, all attempts get the TimeoutError that they would have got later."""
    deadlines = Deadlines(asyncio.get_running_loop(), 30.0)
    attempts = [asyncio.create_task(_hold(deadlines, 60)) for _ in range(10)]
    await asyncio.sleep(5)

    deadlines.end_all()

    assert await asyncio.gather(*attempts) == pytest.approx([-5] * 10, abs=0.01)
    assert looptime < 6


@pytest.mark.looptime
async def test_a_cancellation_wins_over_the_end_of_the_time():
    """E5: cancelled in the very turn in which the time is up: cancelled it is, as by asyncio."""
    deadlines = Deadlines(asyncio.get_running_loop(), 30.0)
    attempt = asyncio.create_task(_hold(deadlines, 60))
    asyncio.get_running_loop().call_later(30, attempt.cancel)

    with pytest.raises(asyncio.CancelledError):
        await attempt


@pytest.mark.case("B16")
@pytest.mark.looptime
async def test_an_outer_deadline_is_not_swallowed():
    """B16: 200 attempts under an outer timeout of the same length: every one of both is heard."""
    deadlines = Deadlines(asyncio.get_running_loop(), 30.0)

    async def attempts() -> str:
        try:
            async with asyncio.timeout(30):
                while True:
                    await _hold(deadlines, 60)
        except TimeoutError:
            return "outer"

    assert await asyncio.gather(*(attempts() for _ in range(200))) == ["outer"] * 200
    assert asyncio.get_running_loop().time() == pytest.approx(30, abs=1)


@pytest.mark.case("B16")
@pytest.mark.looptime
async def test_no_loop_of_calls_overruns_its_deadline(
    serve: Serve, connect: Connect, looptime: Any, figure: Callable[[str], None]
):
    """B16: 200 loops whose calls may each take just as long as the loop: none begins another."""
    limit = 3.0  # aiohttp would round one of more than 5 s up, out of the turn that matters here

    async def stall(connection: Connection) -> None:
        await connection.read_request()
        await connection.stall()

    server = await serve(stall)
    session = await connect(server, retry=ONCE, timeout=limit, limits=CallLimits(max_in_flight=200))

    async def loop(task_id: str) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(limit):
                for _ in range(4):  # one is enough
                    with contextlib.suppress(errors.APITimeoutError):
                        await session.tasks.get_status(task_id)

    await asyncio.gather(*(loop(f"t-{number}") for number in range(200)))
    await asyncio.sleep(1)  # what was begun by mistake arrives

    calls = Counter(request.target for request in server.requests)
    again = sum(count > 1 for count in calls.values())
    figure(f"200 loops of calls as long as the deadline: {again} began another call")
    assert len(calls) == 200
    assert again == 0
