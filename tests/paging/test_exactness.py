"""Every task that existed throughout, exactly once, whatever happens between two pages."""

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
    """Read everything; a reader that does not end fails here."""
    rows = PageIterator(tasks.fetch, page_size=page_size, prefetch=prefetch)
    ids: list[str] = []
    async for each in rows:
        ids.append(each.id)
        # Every page may be spoilt by churn once; nothing else makes a reader read on.
        pages = len(tasks.original) // min(page_size, tasks.limit) + 1
        assert tasks.reads <= 3 * pages + 3 * tasks.events + 10
    return ids


def _check(tasks: ChurningList, ids: list[str]) -> None:
    twice = [each for each, count in Counter(ids).items() if count > 1]
    assert not twice, f"given twice: {twice}"
    missed = set(tasks.constant) - set(ids)
    assert not missed, f"missed: {sorted(missed)}"
    assert set(ids) <= set(tasks.original), "a task was given that was born later"


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
# More and more births, so that each page looked at holds the one row that is known.
@example(
    count=9,
    churn=[Churn(births) for births in range(1, 20)],
    page_size=1,
    limit=100,
    echo=True,
    prefetch=0,
)
async def test_births_alone(
    count: int, churn: list[Churn], page_size: int, limit: int, echo: bool, prefetch: int
):
    """C14: tasks are created between pages: 0 duplicates, 0 misses, and an end."""
    tasks = ChurningList.of(count, churn, limit=limit, echo=echo)

    ids = await _ids(tasks, page_size, prefetch)

    _check(tasks, ids)


@given(
    count=st.integers(0, 120),
    churn=st.lists(CHURN, max_size=30),
    page_size=st.integers(1, 30),
    limit=st.integers(1, 30),
    prefetch=st.integers(0, 1),
)
async def test_births_and_deletions(
    count: int, churn: list[Churn], page_size: int, limit: int, prefetch: int
):
    """C14: tasks come and go, even in equal numbers: 0 duplicates, 0 misses, and an end."""
    tasks = ChurningList.of(count, churn, limit=limit)

    ids = await _ids(tasks, page_size, prefetch)

    _check(tasks, ids)


async def test_a_naive_reader_fails_under_the_same_churn():
    """The control: a reader that only drops known ids misses tasks that others delete around."""
    missed = 0
    for count in range(20, 60):
        churn = [Churn(3, (0.0, 0.1, 0.0, 0.2, 0.1))] * 10
        tasks = ChurningList.of(count, churn)
        ids = await naive_ids(tasks.fetch, 5)
        missed += len(set(tasks.constant) - set(ids))

        again = ChurningList.of(count, churn)
        _check(again, await _ids(again, 5))

    print(f"a naive reader missed {missed} tasks")
    assert missed > 0


@pytest.mark.parametrize("prefetch", [0, 1])
async def test_a_quiet_list_costs_its_pages(prefetch: int):
    """Without churn there are exactly as many reads as pages."""
    for count, reads in ((0, 1), (1, 1), (10, 1), (11, 2), (95, 10), (100, 10)):
        tasks = ChurningList.of(count)
        assert await _ids(tasks, 10, prefetch) == tasks.original
        assert tasks.reads == reads


async def test_known_pages_are_skipped():
    """200 births are jumped over, not read through."""
    tasks = ChurningList.of(100, [Churn(200)])

    ids = await _ids(tasks, 10)

    _check(tasks, ids)
    assert tasks.reads <= 13


@pytest.mark.parametrize("limit", [1, 7, 50])
@pytest.mark.parametrize("echo", [True, False], ids=["told", "untold"])
async def test_smaller_pages_than_asked_for(limit: int, echo: bool):
    """A server that caps the page size, whether it says so or not, is read to its end."""
    tasks = ChurningList.of(60, limit=limit, echo=echo)

    assert await _ids(tasks, 100) == tasks.original


class Liar:
    """A server that does not tell the truth about its pages."""

    def __init__(self, **lies: Any) -> None:
        self.tasks = ChurningList.of(25)
        self.lies = lies
        self.reads = 0

    async def fetch(self, page: int, limit: int) -> Any:
        """Read a page and lie about it."""
        self.reads += 1
        assert self.reads < 1000, "this iterator does not end"
        got = await self.tasks.fetch(self.lies.get("read", page), limit)
        for name, lie in self.lies.items():
            if name != "read":
                setattr(got, name, lie(self.reads) if callable(lie) else lie)
        return got


@pytest.mark.parametrize(
    ("lies", "complete"),
    [
        ({"total_pages": 0}, True),
        ({"total_pages": 10**9}, True),
        ({"page": 77}, True),
        ({"limit": 7}, True),
        ({"limit": 0}, True),
        ({"limit": -1}, True),
        ({"total_count": 10**9}, True),
        ({"total_count": 26}, True),
        ({"total_count": -5}, False),
        ({"total_count": 0}, False),
        ({"total_count": lambda reads: 1000 + reads}, True),
        ({"total_count": lambda reads: 1000 - 7 * reads}, False),
        ({"total_count": lambda reads: (5, 900)[reads % 2]}, False),
        ({"read": 1}, False),
        ({"read": 1, "total_count": 10**9}, False),
        ({"read": 1, "total_count": lambda reads: 1000 + reads}, False),
        ({"read": 9}, False),
        ({"read": 9, "total_count": 10**9}, False),
    ],
    ids=[
        "no pages",
        "many pages",
        "another page",
        "smaller limit",
        "no limit",
        "negative limit",
        "more rows",
        "one more row",
        "negative count",
        "no rows",
        "growing",
        "shrinking",
        "jumping",
        "one page for ever",
        "one page of a billion",
        "one page, growing",
        "empty",
        "empty, a billion",
    ],
)
async def test_lying_servers_come_to_an_end(lies: dict[str, Any], complete: bool):
    """C13: whatever the server says, the iterator ends, and gives no task twice."""
    server = Liar(**lies)

    ids = [each.id async for each in PageIterator(server.fetch, page_size=10)]

    assert len(ids) == len(set(ids))
    if complete:
        assert ids == server.tasks.original
    assert server.reads <= (400 if callable(lies.get("total_count")) else 20)


async def test_an_unordered_list_loses_nothing():
    """A server that lists oldest first is read whole, too: nothing is taken for a newborn."""
    tasks = ChurningList.of(35)
    tasks.rows.reverse()

    assert await _ids(tasks, 10) == tasks.original[::-1]


async def test_rows_without_a_date():
    """Rows whose creation time cannot be read are given like any other."""
    tasks = ChurningList.of(35)
    for each in tasks.rows[::2]:
        each.created_at = None

    assert await _ids(tasks, 10) == tasks.original
