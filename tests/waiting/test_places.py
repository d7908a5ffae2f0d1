"""Which pages of the task list tell where tasks stand. Pure."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from browser_use_async.waiting.places import ListMap, ListPlace, PageToRead


def _map(total: int, row_bytes: float = 300.0) -> ListMap:
    known = ListMap()
    known.note_page(1, 100, total, 100, round(100 * row_bytes), 0.0)
    known.row_bytes = row_bytes
    return known


def _shows(page: PageToRead[ListPlace], place: int) -> bool:
    return (page.page - 1) * page.limit <= place < page.page * page.limit


def _fits(places: list[int], limit: int) -> bool:
    return min(places) // limit == max(places) // limit


@given(
    places=st.lists(st.integers(0, 3000), min_size=1, max_size=80, unique=True),
    threshold=st.integers(1, 6),
)
def test_every_task_is_looked_at_once(places: list[int], threshold: int):
    """Each is on one page that shows its place, or is asked for by itself; no page is too large."""
    known = _map(5000)
    tasks = [ListPlace(rank=5000 - place) for place in places]

    pages, singles = known.plan(tasks, threshold)

    told = [task for page in pages for task in page.tasks]
    assert sorted(map(tasks.index, told + singles)) == list(range(len(places)))
    for page in pages:
        assert 1 <= page.limit <= 100
        assert len(page.tasks) >= threshold
        assert all(_shows(page, places[tasks.index(task)]) for task in page.tasks)


@given(
    places=st.lists(st.integers(0, 3000), min_size=1, max_size=80, unique=True),
    created=st.integers(0, 40),
)
def test_pages_follow_what_was_created_since(places: list[int], created: int):
    """A page read later shows its newest tasks where they stand by then, and says how many."""
    known = _map(5000)
    tasks = [ListPlace(rank=5000 - place) for place in places]
    pages, _singles = known.plan(tasks, 1)
    for _ in range(created):
        known.note_created()

    for page in pages:
        aimed, shown = known.aim(page)

        now = [places[tasks.index(task)] + created for task in page.tasks]
        assert 1 <= aimed.limit <= 100
        assert 1 <= shown <= len(now)
        assert list(aimed.tasks) == list(page.tasks[:shown])
        assert all(_shows(aimed, place) for place in now[:shown])
        if any(_fits([max(now[0] - 2, 0), now[-1] + 2], limit) for limit in range(50, 101)):
            assert shown == len(now)


def test_whom_a_page_no_longer_shows_the_next_one_does():
    """Twenty new tasks push the last of a hundred off their page, in front of those below."""
    known = _map(5000)
    tasks = [ListPlace(rank=5000 - place) for place in range(150)]
    (first, second), _singles = known.plan(tasks, 1)
    for _ in range(20):
        known.note_created()

    aimed, shown = known.aim(first)
    rest = second.joined_by(first.tasks[shown:], first.places[shown:])
    below, all_the_rest = known.aim(rest)

    assert len(tasks) > shown >= 70
    assert list(rest.tasks) == tasks[shown:]
    assert all(_shows(aimed, 5020 - task.rank) for task in tasks[:shown] if task.rank)
    newest = rest.tasks[:all_the_rest]
    assert all(_shows(below, 5020 - task.rank) for task in newest if task.rank)


def test_what_others_create_is_reckoned_with():
    """A list that grew by ten tasks a second for a while has ten more a second later."""
    known = ListMap()
    for seconds in range(20):
        known.note_page(1, 100, 500 + 10 * seconds, 100, 40_000, float(seconds))

    known.advance(20.0)

    assert known.total == 700
    known.advance(20.0)
    assert known.total == 700
    for seconds in range(21, 40):
        known.note_page(1, 100, 700, 100, 40_000, float(seconds))
    known.advance(40.0)
    assert known.total == 700


def test_what_this_session_creates_is_counted_once():
    """Its tasks are counted as they are created, and no others are expected because of them."""
    known = ListMap()
    for seconds in range(20):
        known.note_page(1, 100, 500 + 10 * seconds, 100, 40_000, float(seconds))
        for _ in range(10):
            known.note_created()

    known.advance(20.0)

    assert known.total == 700


def test_the_page_stays_where_nothing_was_created():
    """Neither what has become known since nor a list that seems shorter moves a page."""
    known = ListMap()
    (first, second), _singles = known.plan([ListPlace() for _ in range(200)], 2)
    known.note_page(1, 100, 300, 100, 40_000, 0.0)

    assert (known.aim(first), known.aim(second)) == ((first, 100), (second, 100))

    (planned,), _singles = known.plan([ListPlace(rank=200), ListPlace(rank=201)], 2)
    known.note_page(1, 100, 290, 100, 40_000, 0.0)
    assert known.aim(planned) == (planned, 2)


@given(places=st.lists(st.integers(0, 3000), min_size=2, max_size=80, unique=True))
def test_pages_never_cost_more_requests(places: list[int]):
    """There are no more requests than tasks, and no more than one per hundred places and task."""
    known = _map(5000)

    pages, singles = known.plan([ListPlace(rank=5000 - place) for place in places], 2)

    assert len(pages) + len(singles) <= len(places)
    blocks = len({place // 100 for place in places})
    assert len(pages) + len(singles) <= 2 * blocks


def test_a_dense_crowd_takes_one_page_per_hundred():
    """Ten thousand tasks in a row are a hundred pages of a hundred rows."""
    known = _map(10_000)

    pages, singles = known.plan([ListPlace(rank=rank) for rank in range(1, 10_001)], 2)

    assert not singles
    assert len(pages) <= 103


def test_few_tasks_at_the_top_take_a_small_page():
    """Three tasks among the newest four do not bring a hundred rows along."""
    known = _map(500)

    (page,), singles = known.plan([ListPlace(rank=500 - place) for place in (0, 2, 3)], 2)

    assert (page.page, singles) == (1, [])
    assert page.limit <= 8


def test_a_straggler_is_asked_for_by_itself():
    """A page for one task would tell no more than its status does."""
    known = _map(5000)

    tasks = [ListPlace(rank=5000), ListPlace(rank=4999), ListPlace(rank=1)]
    pages, singles = known.plan(tasks, 2)

    assert len(pages) == 1
    assert singles == tasks[2:]


@pytest.mark.parametrize(("row_bytes", "reads_page"), [(300.0, True), (14_000.0, False)])
def test_heavy_rows_have_to_tell_more(row_bytes: float, reads_page: bool):
    """Ten tasks spread over a page of 1.4 MB are cheaper to ask for one by one."""
    known = _map(500, row_bytes)

    pages, singles = known.plan([ListPlace(rank=500 - place) for place in range(0, 95, 10)], 2)

    assert bool(pages) is reads_page
    assert len(singles) == (0 if reads_page else 10)


def test_tasks_of_unknown_place_are_hoped_for_at_the_top():
    """Without any knowledge 250 tasks are looked for on the first three pages."""
    pages, singles = ListMap().plan([ListPlace() for _ in range(250)], 2)

    assert [(page.page, page.limit) for page in pages[:2]] == [(1, 100), (2, 100)]
    assert (pages[2].page - 1) * pages[2].limit <= 200
    assert pages[2].page * pages[2].limit >= 250
    assert not singles


def test_lost_tasks_are_asked_for():
    """What pages did not show three times is not looked for on pages."""
    known = _map(500)

    tasks = [ListPlace(rank=490, unseen=3), ListPlace(rank=491, unseen=3)]
    pages, singles = known.plan(tasks, 2)

    assert (pages, singles) == ([], tasks)


def test_a_rank_is_for_life():
    """However the list grows, the place of a task follows from its rank."""
    draw = random.Random(5)
    known = _map(300)
    rank = known.rank_at(2, 100, 17, 300)

    for _ in range(50):
        total = 300 + draw.randrange(1000)
        place = total - rank
        page, index = place // 100 + 1, place % 100
        assert known.rank_at(page, 100, index, total) == rank
