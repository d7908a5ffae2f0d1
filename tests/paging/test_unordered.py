"""Reading lists of unknown direction while they change."""

from collections.abc import Callable, Coroutine, Sequence
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from browser_use_async.paging import ListIterator


class Page(NamedTuple):
    """A page of the list, whose server does not say how many rows a page has."""

    rows: Sequence[int]
    total_count: int
    limit: int = 0


Fetch = Callable[..., Coroutine[Any, Any, Page]]

CHURN = st.lists(
    st.tuples(st.integers(0, 30), st.lists(st.integers(0, 500), max_size=6)), max_size=40
)


class Listed:
    """A list without dates, such as schedules, that changes before each read after the first."""

    def __init__(
        self, start: int, churn: Sequence[tuple[int, list[int]]], *, newest_first: bool
    ) -> None:
        self.rows = list(range(start))
        self.throughout = set(self.rows)
        self.reads: list[int] = []
        self._born = start
        self._changes = iter(churn)
        self._newest_first = newest_first

    async def fetch(self, page: int, limit: int) -> Page:
        """Read a page."""
        if self.reads:
            births, deaths = next(self._changes, (0, []))
            self.rows += range(self._born, self._born + births)
            self._born += births
            for index in deaths:
                if self.rows:
                    self.throughout.discard(self.rows.pop(index % len(self.rows)))
        self.reads.append(page)
        assert len(self.reads) < 5_000, "this reading does not end"
        listed = self.rows[::-1] if self._newest_first else self.rows
        return Page(listed[(page - 1) * limit : page * limit], len(listed))


async def _ids(fetch: Fetch, size: int) -> list[int]:
    iterator = ListIterator(
        fetch, lambda page: page.rows, str, kind="schedules", page_size=size, prefetch=0
    )
    return [each async for each in iterator]


@pytest.mark.long
@given(st.booleans(), st.integers(0, 120), st.integers(1, 20), CHURN)
async def test_births_cause_no_miss_and_no_duplicate(newest_first, start, size, churn):
    """Births in either direction: exact, and it ends."""
    listed = Listed(start, [(births, []) for births, _deaths in churn], newest_first=newest_first)

    ids = await _ids(listed.fetch, size)

    assert len(ids) == len(set(ids))
    assert listed.throughout <= set(ids)


@pytest.mark.long
@given(st.booleans(), st.integers(0, 120), st.integers(1, 20), CHURN)
async def test_deletions_cause_no_miss_and_no_duplicate(newest_first, start, size, churn):
    """Deletions anywhere: exact, and it ends."""
    listed = Listed(start, [(0, deaths) for _births, deaths in churn], newest_first=newest_first)

    ids = await _ids(listed.fetch, size)

    assert len(ids) == len(set(ids))
    assert listed.throughout <= set(ids)


@pytest.mark.parametrize("newest_first", [True, False])
async def test_rows_that_come_for_ever_do_not_keep_the_reader(newest_first):
    """A page full of births before every page does not keep the reader from its end."""
    listed = Listed(100, [(10, [])] * 1000, newest_first=newest_first)

    ids = await _ids(listed.fetch, 10)

    assert listed.throughout <= set(ids)
    assert len(listed.reads) < 100


@pytest.mark.parametrize(
    ("newest_first", "births", "pages"),
    [
        (True, 0, [1, 2, 3, 4]),
        (True, 4, [1, 2, 1, 3, 2, 3, 4, 5]),  # page 3 would be next if four more had come
        (False, 4, [1, 2, 1, 2, 3, 4]),  # what was created after the start is not read
    ],
)
async def test_a_birth_shows_the_order(newest_first, births, pages):
    """When the list grows, the first page is read once more, and then only unread rows."""
    listed = Listed(20, [(births, [])], newest_first=newest_first)

    assert listed.throughout <= set(await _ids(listed.fetch, 5))
    assert listed.reads == pages


def test_a_naive_reader_misses_rows():
    """The control: page after page without compensation loses rows that deletions move up."""
    rows, given_rows = list(range(100)), list[int]()
    for page in range(10):
        given_rows += rows[page * 10 : page * 10 + 10]
        del rows[:5]

    assert len(set(range(50, 100)) - set(given_rows)) > 0


LIES: dict[str, tuple[Callable[[int], int], int | None]] = {
    "no rows": (lambda _reads: 0, None),
    "negative count": (lambda _reads: -5, None),
    "a billion": (lambda _reads: 10**9, None),
    "growing": (lambda reads: 1000 + reads, None),
    "shrinking": (lambda reads: 1000 - 7 * reads, None),
    "jumping": (lambda reads: (5, 900)[reads % 2], None),
    "one page for ever": (lambda _reads: 25, 1),
    "one page of a billion": (lambda _reads: 10**9, 1),
    "one page, growing": (lambda reads: 1000 + reads, 1),
    "empty": (lambda _reads: 25, 9),
    "empty, a billion": (lambda _reads: 10**9, 9),
}
"""What a server says about the count, and which page it always gives."""

BOUND = 400  # pages


class Liar:
    """A server of 25 rows with any count, which may always return one page."""

    def __init__(self, count_of: Callable[[int], int], always: int | None) -> None:
        self.reads = 0
        self._count_of, self._always = count_of, always

    async def fetch(self, page: int, limit: int) -> Page:
        """Read a page and change the answer."""
        self.reads += 1
        assert self.reads <= BOUND, "this reading does not end"
        top = limit * ((self._always or page) - 1)
        return Page(range(25)[top : top + limit], self._count_of(self.reads))


async def test_reading_ends_on_servers_with_wrong_answers():
    """Lists of schedules and profiles end too, for any answers, without repeats."""
    for name, (count_of, always) in LIES.items():
        liar = Liar(count_of, always)

        ids = await _ids(liar.fetch, 10)

        assert len(ids) == len(set(ids)), name


async def test_reading_ends_on_a_server_that_repeats_a_page():
    """The same page for ever, and a count that is never reached."""
    liar = Liar(lambda _reads: 10**9, 1)

    assert await _ids(liar.fetch, 10) == [*range(10)]
    assert liar.reads < 20
