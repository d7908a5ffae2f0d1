"""Each task that existed throughout comes exactly once, for any changes between two pages."""

import random
from collections import Counter
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from browser_use_async.paging import PageIterator
from tests.paging.simulation import Churn, ChurningList, naive_ids

BIRTHS = st.builds(Churn, births=st.integers(0, 40))
CHURN = st.builds(
    Churn,
    births=st.integers(0, 40),
    deletions=st.lists(st.floats(0, 1), max_size=15).map(tuple),
)


async def _ids(tasks: ChurningList, page_size: int, prefetch: int = 0) -> list[str]:
    """Read everything; a reader without an end fails here."""
    rows = PageIterator(tasks.fetch, page_size=page_size, prefetch=prefetch)
    ids: list[str] = []
    async for each in rows:
        ids.append(each.id)
        # Changes may spoil each page once; nothing else makes a reader read on.
        pages = len(tasks.original) // min(page_size, tasks.limit) + 1
        assert tasks.reads <= 3 * pages + 3 * tasks.events + 10
    return ids


def _check(tasks: ChurningList, ids: list[str]) -> None:
    twice = [each for each, count in Counter(ids).items() if count > 1]
    assert not twice, f"given twice: {twice}"
    missed = set(tasks.constant) - set(ids)
    assert not missed, f"missed: {sorted(missed)}"
    assert set(ids) <= set(tasks.original), "a task was given that was born later"


@pytest.mark.long
@given(
    count=st.integers(0, 120),
    churn=st.lists(BIRTHS, max_size=30),
    page_size=st.integers(1, 30),
    limit=st.integers(1, 30),
    echo=st.booleans(),
    prefetch=st.integers(0, 1),
)
@example(count=50, churn=[Churn(10)] * 20, page_size=10, limit=100, echo=True, prefetch=1)
@example(count=9, churn=[Churn(1)] * 30, page_size=1, limit=100, echo=True, prefetch=1)
# More and more births, so that each page read has the one known row.
@example(
    count=9,
    churn=[Churn(births) for births in range(1, 20)],
    page_size=1,
    limit=100,
    echo=True,
    prefetch=0,
)
async def test_births_alone(count, churn, page_size, limit, echo, prefetch):
    """Tasks are created between pages: 0 duplicates, 0 misses, and an end."""
    tasks = ChurningList.of(count, churn, limit=limit, echo=echo)

    ids = await _ids(tasks, page_size, prefetch)

    _check(tasks, ids)


@pytest.mark.long
@given(
    count=st.integers(0, 120),
    churn=st.lists(CHURN, max_size=30),
    page_size=st.integers(1, 30),
    limit=st.integers(1, 30),
    prefetch=st.integers(0, 1),
)
async def test_births_and_deletions(count, churn, page_size, limit, prefetch):
    """Tasks are created and deleted, also in equal numbers: 0 duplicates, 0 misses, and an end."""
    tasks = ChurningList.of(count, churn, limit=limit)

    ids = await _ids(tasks, page_size, prefetch)

    _check(tasks, ids)


@pytest.mark.long
@pytest.mark.timeout(180)
async def test_a_thousand_lists_in_motion():
    """Random births and deletions: missed = 0, while a reader that only skips ids misses.

    The control is the naive reader: it shows that the churn would be noticed.
    """
    draw = random.Random(14)
    missed = twice = naively_missed = rows = 0
    for _ in range(1000):
        count, size = draw.randrange(20, 80), draw.randrange(1, 12)
        churn = [
            Churn(draw.randrange(5), tuple(draw.random() ** 3 for _ in range(draw.randrange(4))))
            for _ in range(draw.randrange(12))
        ]
        tasks = ChurningList.of(count, churn)
        ids = await _ids(tasks, size)
        missed += len(set(tasks.constant) - set(ids))
        twice += len(ids) - len(set(ids))
        rows += len(tasks.constant)
        again = ChurningList.of(count, churn)
        naively_missed += len(set(again.constant) - set(await naive_ids(again.fetch, size)))

    assert missed == twice == 0
    assert naively_missed > 100


@pytest.mark.parametrize("prefetch", [0, 1])
async def test_a_quiet_list_costs_its_pages(prefetch):
    """Without changes there are exactly as many reads as pages."""
    for count, reads in ((0, 1), (1, 1), (10, 1), (11, 2), (95, 10), (100, 10)):
        tasks = ChurningList.of(count)
        assert await _ids(tasks, 10, prefetch) == tasks.original
        assert tasks.reads == reads


async def test_known_pages_are_skipped():
    """200 births are skipped, not read through."""
    tasks = ChurningList.of(100, [Churn(200)])

    ids = await _ids(tasks, 10)

    _check(tasks, ids)
    assert tasks.reads <= 13


async def test_a_row_on_a_page_while_one_comes_and_one_goes():
    """Each page has the known row, and the count is unchanged: all rows are read."""
    tasks = ChurningList.of(40, [Churn(1, (1.0,))] * 20)

    ids = await _ids(tasks, 1)

    _check(tasks, ids)
    assert len(tasks.constant) == 20


@pytest.mark.parametrize("limit", [1, 7, 50])
@pytest.mark.parametrize("echo", [True, False], ids=["echoed", "silent"])
async def test_smaller_pages_than_asked_for(limit, echo):
    """A server that limits the page size, whether it says so or not, is read to its end."""
    tasks = ChurningList.of(60, limit=limit, echo=echo)

    assert await _ids(tasks, 100) == tasks.original


class Liar:
    """A server with wrong answers about its pages."""

    def __init__(self, **lies: Any) -> None:
        self.tasks = ChurningList.of(25)
        self.lies = lies
        self.reads = 0

    async def fetch(self, page: int, limit: int) -> Any:
        """Read a page and change the answer."""
        self.reads += 1
        assert self.reads < 1000, "this iterator does not end"
        got = await self.tasks.fetch(self.lies.get("read", page), limit)
        for name, lie in self.lies.items():
            if name != "read":
                setattr(got, name, lie(self.reads) if callable(lie) else lie)
        return got


LIES: dict[str, tuple[dict[str, Any], bool]] = {
    "no pages": ({"total_pages": 0}, True),
    "many pages": ({"total_pages": 10**9}, True),
    "another page": ({"page": 77}, True),
    "smaller limit": ({"limit": 7}, True),
    "no limit": ({"limit": 0}, True),
    "negative limit": ({"limit": -1}, True),
    "more rows": ({"total_count": 10**9}, True),
    "one more row": ({"total_count": 26}, True),
    "negative count": ({"total_count": -5}, False),
    "no rows": ({"total_count": 0}, False),
    "growing": ({"total_count": lambda reads: 1000 + reads}, True),
    "shrinking": ({"total_count": lambda reads: 1000 - 7 * reads}, False),
    "jumping": ({"total_count": lambda reads: (5, 900)[reads % 2]}, False),
    "one page for ever": ({"read": 1}, False),
    "one page of a billion": ({"read": 1, "total_count": 10**9}, False),
    "one page, growing": ({"read": 1, "total_count": lambda reads: 1000 + reads}, False),
    "empty": ({"read": 9}, False),
    "empty, a billion": ({"read": 9, "total_count": 10**9}, False),
}
"""The wrong answers of a server, and whether its tasks can be read nevertheless."""

BOUND, BOUND_OF_CHANGING_LIES = 30, 400  # pages; a count that changes may be a real change


@pytest.mark.parametrize("prefetch", [0, 1])
async def test_reading_ends_on_servers_with_wrong_answers(prefetch):
    """For any answers of the server, the iterator ends, and yields no task twice."""
    most = most_changing = 0
    for name, (lies, complete) in LIES.items():
        server = Liar(**lies)

        rows = PageIterator(server.fetch, page_size=10, prefetch=prefetch)
        ids = [each.id async for each in rows]

        assert len(ids) == len(set(ids)), name
        if complete:
            assert ids == server.tasks.original, name
        if callable(lies.get("total_count")):
            most_changing = max(most_changing, server.reads)
        else:
            most = max(most, server.reads)

    assert most <= BOUND
    assert most_changing <= BOUND_OF_CHANGING_LIES


async def test_an_unordered_list_loses_nothing():
    """A list with the oldest first is read completely, too."""
    tasks = ChurningList.of(35)
    tasks.rows.reverse()

    assert await _ids(tasks, 10) == tasks.original[::-1]


async def test_rows_without_a_date():
    """Rows without a readable creation time are yielded like any other."""
    tasks = ChurningList.of(35)
    for each in tasks.rows[::2]:
        each.created_at = None

    assert await _ids(tasks, 10) == tasks.original
