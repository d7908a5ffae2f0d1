"""Reading lists of unknown direction while they change."""

from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from browser_use_async.paging.cursor import UnorderedCursor

CHURN = st.lists(
    st.tuples(st.integers(0, 30), st.lists(st.integers(0, 500), max_size=6)), max_size=40
)


def _read(
    newest_first: bool, start: int, size: int, churn: Sequence[tuple[int, list[int]]]
) -> tuple[list[int], set[int], int]:
    """Read a list that changes before each page after the first.

    Returns:
        What was given, what existed throughout, and how many pages were read.
    """
    rows = list(range(start))
    throughout, born, given_rows, pages = set(rows), start, list[int](), 0
    reader: UnorderedCursor[int] = UnorderedCursor(str, size)
    changes = iter(churn)
    while reader.page is not None and pages < 5_000:
        if pages:
            births, deaths = next(changes, (0, []))
            rows += range(born, born + births)
            born += births
            for index in deaths:
                if rows:
                    throughout.discard(rows.pop(index % len(rows)))
        listed = rows[::-1] if newest_first else rows
        top = (reader.page - 1) * size
        given_rows += reader.feed(listed[top : top + size], len(listed))
        pages += 1
    return given_rows, throughout, pages


@pytest.mark.long
@given(st.booleans(), st.integers(0, 120), st.integers(1, 20), CHURN)
def test_nothing_is_missed_or_given_twice_when_rows_only_come(
    newest_first: bool, start: int, size: int, churn: list[tuple[int, list[int]]]
):
    """Births in either direction: exact, and it ends."""
    births = [(count, []) for count, _deaths in churn]
    given_rows, throughout, pages = _read(newest_first, start, size, births)

    assert len(given_rows) == len(set(given_rows))
    assert throughout <= set(given_rows)
    assert pages < 5_000


@pytest.mark.long
@given(st.booleans(), st.integers(0, 120), st.integers(1, 20), CHURN)
def test_nothing_is_missed_or_given_twice_when_rows_only_go(
    newest_first: bool, start: int, size: int, churn: list[tuple[int, list[int]]]
):
    """Deletions anywhere: exact, and it ends."""
    deaths = [(0, indices) for _count, indices in churn]
    given_rows, throughout, pages = _read(newest_first, start, size, deaths)

    assert len(given_rows) == len(set(given_rows))
    assert throughout <= set(given_rows)
    assert pages < 5_000


@pytest.mark.parametrize("newest_first", [True, False])
def test_rows_that_come_for_ever_do_not_keep_the_reader(newest_first: bool):
    """A page full of births before every page, and the reading ends all the same."""
    given_rows, throughout, pages = _read(newest_first, 100, 10, [(10, [])] * 1000)

    assert throughout <= set(given_rows)
    assert pages < 100


@pytest.mark.parametrize(
    ("newest_first", "births", "known"), [(True, 3, True), (False, 3, False), (True, 0, None)]
)
def test_a_birth_betrays_the_direction(newest_first: bool, births: int, known: bool | None):
    """And only a birth does."""
    rows = list(range(20))
    reader: UnorderedCursor[int] = UnorderedCursor(str, 5)
    reader.feed((rows[::-1] if newest_first else rows)[:5], 20)
    rows += range(20, 20 + births)
    listed = rows[::-1] if newest_first else rows
    reader.feed(listed[5:10], len(listed))
    if reader.page == 1:  # read once more to find out
        reader.feed(listed[:5], len(listed))

    assert reader.newest_first is known


def test_a_naive_reader_misses_rows():
    """The control: page after page without compensation loses what deletions pull up."""
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


def test_lying_servers_are_left():
    """Lists of schedules and profiles end too, whatever the server says, without repeats."""
    most = 0
    for name, (count_of, always) in LIES.items():
        reader: UnorderedCursor[int] = UnorderedCursor(str, 10)
        given_rows, pages = list[int](), 0
        while reader.page is not None and pages <= BOUND:
            pages += 1
            top = 10 * ((always or reader.page) - 1)
            given_rows += reader.feed(range(25)[top : top + 10], count_of(pages))
        most = max(most, pages)
        assert pages <= BOUND, name
        assert len(given_rows) == len(set(given_rows)), name


def test_a_server_that_repeats_itself_is_left():
    """The same page for ever, and a count that is never reached."""
    reader: UnorderedCursor[int] = UnorderedCursor(str, 10)
    pages = 0
    while reader.page is not None:
        reader.feed(range(10), 10**9)
        pages += 1
        assert pages < 20
