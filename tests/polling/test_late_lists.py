"""Lists that show what was true some time ago, as of a cache: waits end in time all the same."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Iterable
from datetime import timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from aiohttp import web

from browser_use_async import PollPolicy, Task
from tests.support.fake_api import FakeApi
from tests.support.fake_service import Asked
from tests.support.fake_task import FakeTask, lives
from tests.support.virtual_time import loop_time

pytestmark = pytest.mark.looptime

TARGET = 10.0  # seconds: the latency target
POLL = PollPolicy(latency_target=TARGET)


class LateApi(FakeApi):
    """Its rows are late, and its answers have the `Date` of the loop's clock.

    Attributes:
        late: Seconds by which its rows are old.
        ahead: Seconds by which the clock of the `Date` is ahead of that of the tasks.
        tells_ends: Whether get-task says when a task has ended.
    """

    def __init__(self) -> None:
        super().__init__()
        self.late = 0.0
        self.ahead = 0.0
        self.tells_ends = True

    def respond(self, request: web.Request, asked: Asked) -> web.Response:
        """Answer with the service's date."""
        answer = super().respond(request, asked)
        date = self.epoch + timedelta(seconds=loop_time() + self.ahead)
        answer.headers["Date"] = format_datetime(date.replace(microsecond=0), usegmt=True)
        return answer

    def _about(self, task: FakeTask, asked: Asked) -> tuple[int, Any]:
        status, content = super()._about(task, asked)
        if asked.route == "get" and not self.tells_ends:
            content = {**content, "finished_at": None}
        return status, content

    def shown(self, task: FakeTask) -> object:
        """The row as it was some seconds ago."""
        late = min(self.late, task.age)
        task.born += late
        try:
            return super().shown(task)
        finally:
            task.born -= late


@pytest.fixture
def api_class():
    """An API whose list may be late."""
    return LateApi


@pytest.fixture
def breaks(caplog):
    """The warnings that the list is left alone."""
    caplog.set_level(logging.WARNING, "browser_use_async")
    return lambda: [text for text in caplog.messages if "one by one" in text]


async def _ends(waits: Iterable[Awaitable[Task]]) -> list[float]:
    """The loop times at which waits end."""

    async def end(wait: Awaitable[Task]) -> float:
        await wait
        return loop_time()

    return await asyncio.gather(*map(end, waits))


def _p99(seconds: list[float]) -> float:
    return sorted(seconds)[int(0.99 * len(seconds))]


@pytest.mark.parametrize(
    ("late", "tells_ends", "targets"),
    [(60.0, True, 3), (900.0, True, 3), (900.0, False, 4)],
    ids=["a minute", "a quarter of an hour", "and no dates of ends"],
)
async def test_a_list_that_lags_is_left_alone(api, open_session, breaks, late, tells_ends, targets):
    """From the first end that shows it on, waits end within a few latency targets.

    Without dates it is shown by a page that is read two targets after an end.
    """
    api.late, api.tells_ends = late, tells_ends
    draw = random.Random(7)
    session = await open_session(poll=POLL)
    tasks = [api.add(lives(draw.uniform(5.0, 900.0))) for _ in range(80)]

    ends = await _ends(session.wait(task.id) for task in tasks)

    noticed = min(ends)
    delays = [end - max(task.ended_at, noticed) for end, task in zip(ends, tasks, strict=True)]
    assert _p99(delays) <= targets * TARGET
    assert any("as not ended" in text for text in breaks())


@pytest.mark.parametrize("is_own", [False, True], ids=["of others", "of this session"])
@pytest.mark.parametrize("ahead", [0.0, 3600.0, -3600.0])
async def test_a_list_that_is_right_is_read(api, open_session, breaks, ahead, is_own):
    """Whatever the service's clocks say: at most one break shows that they differ."""
    api.ahead = ahead
    draw = random.Random(8)
    session = await open_session(poll=POLL)
    api.make = lambda _body: lives(draw.uniform(5.0, 400.0))
    if is_own:
        handles = [await session.submit("x") for _ in range(80)]
        waits = [handle.wait() for handle in handles]
    else:
        waits = [session.wait(api.create("x").id) for _ in range(80)]

    ends = await _ends(waits)

    tasks = api.tasks.values()
    delays = [end - task.ended_at for end, task in zip(ends, tasks, strict=True)]
    assert _p99(delays) <= 1.5 * TARGET
    assert len(breaks()) == (1 if ahead > 0 and not is_own else 0)
