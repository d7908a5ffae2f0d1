"""Several pages at the same time: as exact as one by one, for any order of the answers."""

import asyncio
import random
from datetime import timedelta

import pytest

from browser_use_async.paging import PageIterator
from browser_use_async.types import TaskPage
from tests.paging.parallel import ParallelServer, check, drawn_list, read
from tests.paging.simulation import EPOCH, Churn, ChurningList, naive_ids

DEPTHS = (1, 4, 8)


async def _sweep(seeds: range, depth: int, *, deletions: bool) -> int:
    """Read many lists, and count those with simultaneous reads."""
    at_once = 0
    for seed in seeds:
        draw = random.Random(seed)
        tasks, size = drawn_list(draw, deletions=deletions)
        server = ParallelServer(tasks, draw)

        check(tasks, await read(server, size, depth))

        assert server.most <= depth
        at_once += server.most > 1
    return at_once


@pytest.mark.long
@pytest.mark.parametrize("deletions", [False, True], ids=["births", "births and deletions"])
@pytest.mark.parametrize("depth", DEPTHS)
async def test_exact_under_churn(depth, deletions):
    """Answers in any order while tasks come and go: 0 duplicates, 0 misses, and an end."""
    at_once = await _sweep(range(120), depth, deletions=deletions)

    assert at_once > 60 or depth == 1


@pytest.mark.torture
@pytest.mark.parametrize("deletions", [False, True], ids=["births", "births and deletions"])
@pytest.mark.parametrize("depth", DEPTHS)
async def test_exact_under_much_churn(depth, deletions):
    """The same for some thousand lists."""
    await _sweep(range(1000, 4000), depth, deletions=deletions)


async def test_a_naive_reader_misses_tasks_of_these_lists():
    """The control: a reader that only skips known ids misses tasks of the same lists."""
    missed = 0
    for seed in range(60):
        tasks, size = drawn_list(random.Random(seed), deletions=True)
        missed += len(set(tasks.constant) - set(await naive_ids(tasks.fetch, size)))

    assert missed > 20


class Backwards:
    """Answers simultaneous reads from the last page to the first.

    Args:
        tasks: The list.
        before: The changes before it answers a page for the first time, by page.
        late: Pages that it answers after all others, in this order.
    """

    def __init__(
        self, tasks: ChurningList, before: dict[int, Churn], late: tuple[int, ...] = ()
    ) -> None:
        self.tasks = tasks
        self.before = before
        self.late = late
        self.asked: list[int] = []
        self.in_flight = 0
        self.widths: list[int] = []

    async def fetch(self, page: int, limit: int) -> TaskPage:
        """Read a page."""
        self.asked.append(page)
        self.in_flight += 1
        self.widths.append(self.in_flight)
        try:
            turn = self.late.index(page) if page in self.late else -page
            await asyncio.sleep(1.0 + turn / 1000)
            self.tasks.churn = [self.before.pop(page, Churn())]
            self.tasks.reads = min(self.tasks.reads, 1)
            return await self.tasks.fetch(page, limit)
        finally:
            self.in_flight -= 1


@pytest.mark.looptime
async def test_a_deletion_that_a_birth_hides():
    """Rows move between two pages while the count stays equal, and are yielded.

    Pages 9 to 5 are answered, then 2 and 3; the oldest task disappears, another one is born, and
    page 4 is answered last: what was its last row would have become the first one of page 5.
    """
    server = Backwards(ChurningList.of(100), {4: Churn(1, (1.0,))}, late=(2, 3, 4))

    iterator = PageIterator(server.fetch, page_size=10, prefetch=8)
    ids = [each.id async for each in iterator]

    check(server.tasks, ids)
    assert ids == server.tasks.constant
    # It was noticed at once, for page 4 began with a row of page 3.
    assert server.asked[:11] == [*range(1, 11), 4]


@pytest.mark.looptime
async def test_births_between_answers_keep_the_order():
    """Rows that births push between two pages are read before the page below them is yielded."""
    server = Backwards(ChurningList.of(200), {page: Churn(3) for page in range(2, 9)})

    ids = [each.id async for each in PageIterator(server.fetch, page_size=10, prefetch=4)]

    assert ids == server.tasks.original


@pytest.mark.looptime
async def test_back_to_one_at_a_time_when_the_count_shrinks():
    """After a task disappeared there is never more than one running read."""
    server = Backwards(ChurningList.of(300), {9: Churn(0, (0.5,) * 3)})

    ids = [each.id async for each in PageIterator(server.fetch, page_size=10, prefetch=4)]

    check(server.tasks, ids)
    assert max(server.widths) == 4
    after = server.asked.index(9)
    assert set(server.widths[after + 8 :]) == {1}


@pytest.mark.looptime
@pytest.mark.parametrize(("depth", "seconds"), [(1, 40), (4, 11), (8, 6)])
async def test_as_many_at_once_as_asked_for(depth, seconds):
    """40 pages that take a second each: the deeper the faster, and never more at once."""
    server = Backwards(ChurningList.of(400), {})

    ids = [each.id async for each in PageIterator(server.fetch, page_size=10, prefetch=depth)]

    assert ids == server.tasks.original
    assert max(server.widths) == depth
    assert asyncio.get_running_loop().time() == pytest.approx(seconds, abs=0.9)


@pytest.mark.looptime
async def test_closing_ends_all_reads():
    """A caller that stops leaves none of eight reads running."""
    server = Backwards(ChurningList.of(400), {})
    pages = PageIterator(server.fetch, page_size=10, prefetch=8).pages()
    await anext(pages)
    await asyncio.sleep(0.5)
    assert server.in_flight == 8

    await pages.aclose()

    assert server.in_flight == 0


@pytest.mark.parametrize("depth", [4, 8])
async def test_the_reads_of_a_quiet_list(depth):
    """Without changes there are exactly as many reads as pages."""
    for count, reads in ((0, 1), (10, 1), (30, 3), (31, 4), (100, 10), (990, 99)):
        tasks = ChurningList.of(count)
        iterator = PageIterator(tasks.fetch, page_size=10, prefetch=depth)
        assert [each.id async for each in iterator] == tasks.original
        assert tasks.reads == reads, count


@pytest.mark.parametrize("limit", [1, 7, 50])
async def test_smaller_pages_than_asked_for(limit):
    """A server that limits the page size is read to its end, in order."""
    tasks = ChurningList.of(60, limit=limit)

    iterator = PageIterator(tasks.fetch, page_size=100, prefetch=8)

    assert [each.id async for each in iterator] == tasks.original


async def test_created_after_stops_early():
    """Nothing older is yielded, and running reads beyond it are dropped."""
    tasks = ChurningList.of(1000)
    after = EPOCH + timedelta(seconds=850)

    iterator = PageIterator(tasks.fetch, page_size=10, prefetch=4, created_after=after)
    ids = [each.id async for each in iterator]

    assert ids == [str(number) for number in range(999, 849, -1)]
    assert tasks.reads <= 16 + 4


async def test_a_list_that_is_not_newest_first():
    """It is read one page at a time, completely."""
    tasks = ChurningList.of(100)
    tasks.rows.reverse()
    server = ParallelServer(tasks, random.Random(1))

    iterator = PageIterator(server.fetch, page_size=10, prefetch=8)

    assert [each.id async for each in iterator] == tasks.original[::-1]
    assert server.most == 1
