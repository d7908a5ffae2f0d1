"""The places of tasks in a list that grows at its top, as far as pages show them."""

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from browser_use_async.api.serialization import StatusPage
from browser_use_async.polling.task_list import ListPage, TaskList
from browser_use_async.polling.watched_task import Subscriber, WatchedTask

ROWS = 100  # on the largest page


class Service:
    """A list, newest first, with some watched tasks."""

    def __init__(self, seed: int, count: int, share: float) -> None:
        self._draw = random.Random(seed)
        self.rows: list[str] = []
        self.watched: dict[str, WatchedTask] = {}
        self.places = TaskList()
        for _task in range(count):
            self.create(watched=self._draw.random() < share)

    def create(self, *, watched: bool) -> None:
        """Create a task of another client at the top."""
        task_id = f"t{len(self.rows)}"
        self.rows.insert(0, task_id)
        if watched:
            self.watched[task_id] = _waited_for(task_id)

    def read(self, page: ListPage, now: float) -> set[str]:
        """Read a page, update the known places from it, and return its ids."""
        first = (page.number - 1) * page.limit
        shown = self.rows[first : first + page.limit]
        known = [self.watched.get(each) for each in shown]
        for watched in known:
            if watched is not None:
                watched.record_answer(now)
        statuses = ["running"] * len(shown)
        answer = StatusPage(shown, statuses, page.limit, len(self.rows), 400 * len(shown))
        self.places.record_page(page, answer, known, now)
        return set(shown)

    def read_all(self, now: float) -> None:
        """Read the whole list once."""
        for number in range(1, len(self.rows) // ROWS + 2):
            self.read(ListPage(number, ROWS, ()), now)


def _waited_for(task_id: str) -> WatchedTask:
    return WatchedTask(task_id, subscribers=[Subscriber(print, None, math.inf)])


def _plan(service: Service, each: WatchedTask, now: float) -> ListPage | None:
    return service.places.plan(each, now + 0.5, 1.0, now)


@pytest.mark.long
@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), count=st.integers(2, 900), share=st.floats(0.02, 1.0))
def test_a_planned_page_shows_the_tasks_that_it_should(seed, count, share):
    """While no task is created, each plan is exact, however the tasks are spread."""
    service = Service(seed, count, share)
    service.read_all(1.0)

    for each in list(service.watched.values()):
        if (page := _plan(service, each, 2.0)) is not None:
            shown = service.read(page, 2.0)
            assert each in page.tasks
            assert {task.task_id for task in page.tasks} <= shown
            assert page.limit <= ROWS


@pytest.mark.long
@given(place=st.integers(100, 199), gone=st.integers(0, 20))
def test_a_dense_page_is_read_from_its_first_place_on(place, gone):
    """Tasks at its top have ended: a page from another place on would leave a remainder."""
    service = Service(1, 300, 1.0)
    service.read_all(1.0)
    for each in service.rows[100 : min(100 + gone, place)]:
        service.places.discard(service.watched[each])

    page = _plan(service, service.watched[service.rows[place]], 2.0)

    assert page is not None
    assert (page.number, page.limit) == (2, ROWS)


@given(ranks=st.lists(st.integers(1, 5), min_size=1, max_size=30), data=st.data())
def test_discarding_takes_away_that_task_alone(ranks, data):
    """Ranks that are guesses may be equal."""
    places = TaskList()
    tasks = [_waited_for(f"t{number}") for number in range(len(ranks))]
    for each, each.rank in zip(tasks, ranks, strict=True):
        places.add(each, just_created=False, now=0.0)
    gone = data.draw(st.sampled_from(tasks))

    places.discard(gone)
    places.discard(gone)

    newest = ListPage(1, ROWS, ())
    places.record_page(newest, StatusPage([], [], ROWS, 0, 0), [], 0.0)
    left = {each.task_id for each in tasks if each is not gone}
    for each in tasks:
        page = places.plan(each, -1.0, 1.0, 0.0)
        if each is not gone and page is not None:
            assert {task.task_id for task in page.tasks} <= left
