"""The iterator for users: filters, pages, reading ahead, and errors."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from browser_use_async import BrowserUseSession, TaskStatus, errors
from browser_use_async.paging import PageIterator
from browser_use_async.types import TaskPage
from tests.paging.simulation import EPOCH, Churn, ChurningList, row
from tests.support.fake_api import FakeTask, Fault


class Slow:
    """A list whose pages take a second, and that counts simultaneous reads."""

    def __init__(self, count: int) -> None:
        self.tasks = ChurningList.of(count)
        self.in_flight = self.most = self.cancelled = 0
        self.asked: list[int] = []

    async def fetch(self, page: int, limit: int) -> TaskPage:
        """Read a page."""
        self.asked.append(page)
        self.in_flight += 1
        self.most = max(self.most, self.in_flight)
        try:
            await asyncio.sleep(1.0)
            return await self.tasks.fetch(page, limit)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.in_flight -= 1


@pytest.mark.looptime
@pytest.mark.parametrize(("prefetch", "seconds"), [(0, 10.0), (1, 6.0)])
async def test_reading_ahead(prefetch, seconds):
    """With prefetch one read runs while the caller works, and never two."""
    server = Slow(50)
    during: list[int] = []

    async for _rows in PageIterator(server.fetch, page_size=10, prefetch=prefetch).pages():
        await asyncio.sleep(0.5)
        during.append(server.in_flight)
        await asyncio.sleep(0.5)

    assert during == [prefetch] * 4 + [0]
    assert server.most == 1
    assert asyncio.get_running_loop().time() == pytest.approx(seconds, abs=0.01)


@pytest.mark.looptime
@pytest.mark.parametrize("by", ["rows", "pages"])
async def test_a_caller_that_stops_cancels_the_read_ahead(by):
    """Closing the iterator ends the running read, before `aclose` returns."""
    server = Slow(50)
    iterator = PageIterator(server.fetch, page_size=10)
    rows: Any = aiter(iterator) if by == "rows" else iterator.pages()
    await anext(rows)
    await asyncio.sleep(0.5)
    assert server.in_flight == 1

    await rows.aclose()

    assert (server.in_flight, server.cancelled) == (0, 1)
    assert server.asked == [1, 2]


@pytest.mark.looptime
async def test_a_cancelled_caller_leaves_no_read():
    """Cancelled while it waits for a page, the iterator cancels its read."""
    server = Slow(50)

    async def read() -> None:
        async for _row in PageIterator(server.fetch, page_size=10):
            pass

    reading = asyncio.create_task(read())
    await asyncio.sleep(1.5)
    reading.cancel()
    await asyncio.wait([reading])

    assert reading.cancelled()
    assert server.in_flight == 0


@pytest.mark.looptime
async def test_a_failed_read_ahead_is_raised_when_its_page_is_due():
    """The rows of the page before come first; a caller that stops gets no error."""
    server = Slow(50)

    async def fetch(page: int, limit: int) -> TaskPage:
        if page == 2:
            raise errors.APIConnectionError("no", sent=False)
        return await server.fetch(page, limit)

    ids: list[str] = []

    async def read() -> None:
        async for each in PageIterator(fetch, page_size=10):
            ids.append(each.id)  # noqa: PERF401 - what came before the error counts

    with pytest.raises(errors.APIConnectionError):
        await read()
    assert len(ids) == 10

    pages = PageIterator(fetch, page_size=10).pages()
    await anext(pages)
    await asyncio.sleep(5.0)
    await pages.aclose()


async def test_statuses():
    """Only the given statuses, by name or by member, one or several, unknown ones too."""
    tasks = ChurningList.of(0)
    names = ["running", "finished", "failed", "archived"] * 5
    tasks.rows = [row(number, names[number]) for number in reversed(range(20))]

    async def count(statuses: Any) -> int:
        return len([each async for each in PageIterator(tasks.fetch, statuses=statuses)])

    assert await count(None) == 20
    assert await count("finished") == 5
    assert await count(TaskStatus.FINISHED) == 5
    assert await count({"finished", TaskStatus.FAILED}) == 10
    assert await count([TaskStatus("archived")]) == 5
    assert await count([]) == 0


async def test_created_after_stops_early():
    """Only tasks of this time or later are yielded, and no page beyond them is read."""
    tasks = ChurningList.of(100)

    rows = PageIterator(tasks.fetch, page_size=10, created_after=EPOCH + timedelta(seconds=75))
    ids = [each.id async for each in rows]

    assert ids == [str(number) for number in range(99, 74, -1)]
    assert tasks.reads == 3


async def test_created_after_misses_nothing_that_deletions_move():
    """Deletions pull a page into the older ones; the rows above it are read."""
    tasks = ChurningList.of(100, [Churn(0, (0.0,) * 20)])

    rows = PageIterator(tasks.fetch, page_size=20, created_after=EPOCH + timedelta(seconds=50))
    ids = {each.id async for each in rows}

    wanted = {each for each in tasks.constant if int(each) >= 50}
    assert wanted <= ids


async def test_pages_are_lists():
    """`.pages()` yields the same rows in lists, and leaves out pages without a wanted row."""
    tasks = ChurningList.of(0)
    tasks.rows = [
        row(number, "failed" if number % 20 == 0 else "x") for number in range(99, -1, -1)
    ]

    pages = [
        [each.id for each in page]
        async for page in PageIterator(tasks.fetch, page_size=10, statuses="failed").pages()
    ]

    assert pages == [["80"], ["60"], ["40"], ["20"], ["0"]]


async def test_each_loop_reads_anew():
    """The iterator can be used again: a second loop starts from the top."""
    tasks = ChurningList.of(15)
    iterator = PageIterator(tasks.fetch, page_size=10)

    first = [each.id async for each in iterator]
    second = [each.id async for each in iterator]

    assert first == second == tasks.original


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"page_size": 0}, "page_size"),
        ({"page_size": 101}, "page_size"),
        ({"page_size": "10"}, "page_size"),
        ({"page_size": 1.5}, "page_size"),
        ({"prefetch": 9}, "prefetch"),
        ({"prefetch": -1}, "prefetch"),
        ({"created_after": datetime(2025, 1, 1)}, "created_after"),  # noqa: DTZ001
        ({"created_after": date(2025, 1, 1)}, "created_after"),
        ({"created_after": "2025-01-01"}, "created_after"),
    ],
    ids=str,
)
async def test_impossible_options_are_refused(options, field):
    """Options are checked before any read."""
    async with BrowserUseSession(api_key="bu_x") as session:
        with pytest.raises(errors.InvalidRequestError) as caught:
            session.iterate_all_tasks(**options)

    assert caught.value.field == field


@pytest.mark.looptime
async def test_a_session_reads_its_tasks(api, session):
    """Over the wire: all tasks once, newest first, with a fault that is retried."""
    for number in range(25):
        api.add(FakeTask(task=str(number)))
    api.break_calls("list", {2: Fault(status=503)})

    rows = session.iterate_all_tasks(page_size=10, created_after=datetime(2020, 1, 1, tzinfo=UTC))
    texts = [each.task async for each in rows]

    assert texts == [str(number) for number in reversed(range(25))]
    assert api.count("list") == 4


@pytest.mark.looptime
async def test_a_naive_loop_over_a_busy_account(api, session):
    """Over the wire, tasks are created all the time, and none comes twice or is missed."""
    before = [api.add(FakeTask()).id for _ in range(80)]
    api.latency = 0.1
    born = 0

    ids: list[str] = []
    async for each in session.iterate_all_tasks(page_size=10):
        ids.append(each.id)
        if len(ids) % 4 == 0:
            api.add(FakeTask())
            born += 1

    assert ids == before[::-1]
    assert born == 20
