"""The cost of retrying, the rate limiter and the hooks for a call that succeeds.

A difference of 3 µs drowns in the noise of a call over a socket. So the exchange itself, the part
that talks to aiohttp, is replaced by one that returns an earlier answer, and the rest of the call
is timed: with it, and alone.
"""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from statistics import median
from typing import Any

from benchmarks.harness import FULL, QUICK, Effort, Report, Row, judge
from benchmarks.servers.canned import TASK_ID, canned
from browser_use_async import BrowserUseSession
from browser_use_async.api.endpoint_table import GET_TASK_STATUS
from browser_use_async.transport.request import prepare
from browser_use_async.transport.response import Outcome
from browser_use_async.types import TaskId

CALLS = 20_000
LIMIT = 3.0  # microseconds


async def _timed(call: Callable[[], Awaitable[object]]) -> float:
    started = time.process_time()
    for _ in range(CALLS):
        await call()
    return (time.process_time() - started) / CALLS * 1e6


async def measure(url: str, rounds: int) -> tuple[list[float], list[float]]:
    """Microseconds of the layers, and of everything around the exchange, round by round."""
    async with BrowserUseSession(
        "key", base_url=f"{url}/api/v1", on_event=lambda _event: None
    ) as session:
        await session.tasks.get_status(TASK_ID)
        transport = session._transport  # noqa: SLF001 - this is about its inside
        prepared = prepare(GET_TASK_STATUS, TaskId(TASK_ID), None)
        connections: Any = transport.connections
        answer: Outcome = await connections.send(prepared)

        async def send(*_arguments: object) -> Outcome:
            return answer

        connections.send = send
        layers, around = [], []
        for _ in range(rounds):
            alone = await _timed(lambda: send(prepared))
            layers.append(await _timed(lambda: transport.perform(prepared)) - alone)
            around.append(await _timed(lambda: session.tasks.get_status(TASK_ID)) - alone)
        return layers, around


def report(effort: Effort) -> Report:
    """Measure, and compare with the goal."""
    with canned() as url:
        layers, around = asyncio.run(measure(url, effort.rounds))
    figure = f"{median(layers):.2f} µs"
    row = Row(
        "retry, rate limiter and hooks on a call that succeeds",
        figure,
        "-",
        figure,
        f"≤ {LIMIT:g} µs",
        judge(median(layers), at_most=LIMIT),
    )
    text = (
        f"The layers around one exchange: {figure}; with building the request and handing out the "
        f"answer: {median(around):.2f} µs. Medians of {effort.rounds} rounds of {CALLS:,} calls."
    )
    return Report([row], text)


if __name__ == "__main__":
    print(report(QUICK if "--quick" in sys.argv else FULL).details)
