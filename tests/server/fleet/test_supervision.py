"""When a silent server counts as lost, in virtual time."""

import asyncio
from collections.abc import Callable

import attrs
import procrastinate
import psycopg
import pytest
from procrastinate.testing import InMemoryConnector

from browser_use_async.postgres.jobs import JobsAtWork, Supervision
from tests.support.virtual_time import loop_time

pytestmark = pytest.mark.looptime

LEASE = 30.0
UNBROKEN = 45.0  # seconds of contact before anything is repeated
ROUND = LEASE / 6


@attrs.define(eq=False)
class _Jobs(JobsAtWork):
    """Jobs in a database that is away at times."""

    away: Callable[[float], bool] = attrs.field(kw_only=True)
    rescues: list[float] = attrs.field(factory=list, kw_only=True)

    async def check(self) -> None:
        """Ask the database whether it answers."""
        if self.away(loop_time()):
            raise psycopg.OperationalError("the database is away")

    async def rescue(self) -> None:
        """Record the time."""
        self.rescues.append(loop_time())


async def _rescues(away: Callable[[float], bool], until: float) -> list[float]:
    jobs = _Jobs(procrastinate.App(connector=InMemoryConnector()), LEASE, away=away)
    supervision = Supervision(jobs, LEASE, loop_time)
    running = asyncio.create_task(supervision.run())
    await asyncio.sleep(until)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    return jobs.rescues


async def test_no_server_counts_as_lost_at_the_start():
    """The others may have been cut off from the database with this one."""
    rescues = await _rescues(lambda _: False, until=100)

    assert rescues == [UNBROKEN + number * ROUND for number in range(11)]


@pytest.mark.parametrize("seconds", [1, 2 * ROUND, 60])
async def test_no_server_counts_as_lost_after_an_outage(seconds):
    """No server could report that it was alive; all have as long as after a start."""
    began = 99.5
    rescues = await _rescues(lambda now: began < now < began + seconds, until=300)
    before = [each for each in rescues if each < began]
    after = [each for each in rescues if each > began]

    assert before
    assert began + seconds + UNBROKEN <= after[0] <= began + seconds + UNBROKEN + 2 * ROUND
