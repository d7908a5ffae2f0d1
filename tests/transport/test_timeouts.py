"""The timeout of one attempt."""

import asyncio
import contextlib
from collections import Counter

import pytest

from browser_use_async import CallLimits, errors
from tests.support.bench import ONCE
from tests.support.wire import Connection


@pytest.mark.looptime
async def test_no_loop_of_calls_overruns_its_deadline(serve, connect, looptime):
    """200 loops whose calls may each take just as long as the loop: none begins another call."""
    limit = 3.0  # aiohttp would round a timeout above 5 s up, out of the turn that matters here

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
    await asyncio.sleep(1)  # a call that began by mistake arrives

    calls = Counter(request.target for request in server.requests)
    again = sum(count > 1 for count in calls.values())
    assert len(calls) == 200
    assert again == 0
