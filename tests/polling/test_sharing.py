"""Many waits of a session that share their polls."""

import asyncio
import random
from itertools import pairwise
from typing import Any

import pytest

from browser_use_async import BrowserUseSession, PollPolicy, RetryPolicy, TaskStatus, errors
from tests.support.fake_api import Call, FakeApi, FakeTask, Fault
from tests.support.fake_task import lives
from tests.support.virtual_time import loop_time

pytestmark = pytest.mark.looptime


def _pauses(api: FakeApi, tasks: list[FakeTask]) -> list[float]:
    """The times without a poll, each one."""
    times = [api.reported[task.id] for task in tasks]
    return [later - sooner for each in times for sooner, later in pairwise(each)]


class _Misquoted(FakeTask):
    """A task that the list reports as finished all the time."""

    def row(self) -> dict[str, Any]:
        """Its row."""
        return {**super().row(), "status": "finished"}

    def whole(self) -> dict[str, Any]:
        """The whole task."""
        return {**super().whole(), "status": self.status()}


async def _run_many(
    api: FakeApi, session: BrowserUseSession, width: int, count: int
) -> tuple[float, list[float]]:
    """Run tasks of lognormal length, this many at once: polls per task, and sorted delays."""
    draw = random.Random(7)
    api.make = lambda _body: lives(draw.lognormvariate(4.094, 0.8))
    delays: list[float] = []
    looks = finished = left = 0

    async def work() -> None:
        nonlocal left, looks, finished
        while left < count:
            left += 1
            task = api.tasks[(await session.run_and_wait("x")).id]
            delays.append(loop_time() - task.born - task.life[-1][0])
            if left < count:  # so long as so many are running
                looks, finished = api.count("status", "list"), len(delays)

    await asyncio.gather(*(work() for _ in range(width)))
    return looks / finished, sorted(delays)


async def test_a_wait_that_joins_finds_its_task_on_a_page_that_stays_the_same(api, session):
    """An unchanged page still shows all its rows, new statuses and old ones."""
    others = [api.add(lives(1e6)) for _ in range(20)]
    task = api.add(FakeTask([(0.0, "created"), (60.0, "running"), (90.0, "finished")]))
    waits = [asyncio.create_task(session.wait(each.id)) for each in others]
    await asyncio.sleep(30.0)
    before = api.count("status")

    seen = [
        (str(status), loop_time() - task.born) async for status in session.stream_status(task.id)
    ]

    assert [name for name, _at in seen] == ["created", "running", "finished"]
    assert seen[1][1] <= 60.0 + 2.1
    assert seen[2][1] <= 90.0 + 2.1
    assert api.count("status") - before <= 2
    for wait in waits:
        wait.cancel()
    await asyncio.wait(waits)


@pytest.mark.long
@pytest.mark.parametrize(
    ("width", "count", "most"),
    [(10, 60, 5.0), pytest.param(50, 600, 2.5, marks=pytest.mark.torture)],
)
async def test_looks_per_task_are_few(api, session, width, count, most):
    """An end needs few requests, with the delay of a poll every two seconds."""
    looks, delays = await _run_many(api, session, width, count)

    last = delays[int(len(delays) * 0.99)]
    assert looks <= most
    assert last <= 2.1


@pytest.mark.long
async def test_waits_that_do_not_share_cost_ten_times_as_much(api, open_session):
    """With `shared=False` each wait has polls of its own."""
    session = await open_session(poll=PollPolicy(shared=False))

    looks, _delays = await _run_many(api, session, 10, 40)

    assert looks >= 20
    assert api.count("list") == 0


async def test_a_single_wait_asks_for_the_status(api, session):
    """A single wait uses the lightweight status endpoint."""
    task = api.add(lives(60.0))

    await session.wait(task.id)

    assert api.count("list") == 0
    assert api.count("status") >= 25


@pytest.mark.long
async def test_tasks_of_other_programs_are_found(api, session):
    """Two hundred waits for ids that this session did not create: three pages in each round."""
    tasks = [api.add(lives(30.0)) for _ in range(200)]

    ended = [task async for task in session.wait_many(task.id for task in tasks)]

    assert len(ended) == 200
    assert api.count("list", "status") <= 3 * 20
    assert api.count("get") == 200


@pytest.mark.long
async def test_tasks_far_down_the_list_are_found(api, session):
    """Below a thousand newer tasks, a page further is read with each poll round."""
    tasks = [api.add(lives(300.0)) for _ in range(30)]
    for _ in range(1000):
        api.add(lives(1e6))

    ended = await asyncio.gather(*(session.wait(task.id) for task in tasks))

    assert {task.status for task in ended} == {TaskStatus.FINISHED}
    late = [call for call in api.calls if 100.0 <= call.at < 290.0]
    print(f"{len(late)} requests in 190 s for 30 waits, {api.count()} in all")
    assert len(late) <= 2 * 190 / 1.9
    assert api.count("status") <= 30 * 15


@pytest.mark.long
@pytest.mark.timeout(180)
@pytest.mark.parametrize(
    ("width", "pause", "most"),
    [(60, 0.25, 0.0), (400, 0.05, 0.05), (1500, 0.05, 0.05)],
)
async def test_a_list_that_grows_is_followed(api, session, width, pause, most):
    """Tasks move down as others are created: few polls are late, and few are for one task."""
    tasks = [api.add(lives(30.0)) for _ in range(width)]

    async def others() -> None:
        while True:
            await asyncio.sleep(pause)
            api.add(lives(1e6))

    growing = asyncio.create_task(others())
    await asyncio.gather(*(session.wait(task.id) for task in tasks))
    growing.cancel()

    assert loop_time() <= 32.1
    pauses = _pauses(api, tasks)
    late = sum(pause > 2.01 for pause in pauses) / len(pauses)
    pages = api.count("list") / loop_time() * 2
    assert late <= most
    # While all move down by 40 places; by chance of the pauses it is 1.5 to 1.8, and 0 to 8 calls.
    assert pages <= 2 * (width / 100 + 1)
    assert api.count("status") <= max(12, width / 10)


@pytest.mark.long
async def test_pages_follow_the_pace_of_creation(api, open_session, caplog):
    """Tasks that end at their first or second poll, hundreds per second, share polls, too.

    Answers to run-task come in another order than in the list, and later.
    """
    count, source = 900, random.Random(1)
    api.make = lambda _body: lives(source.uniform(0.1, 0.5))

    def fault(call: Call) -> Fault:
        most = 0.01 if call.route == "run" else 0.004
        return Fault(delay=source.uniform(0.2, 1) * most, stall=source.uniform(0.2, 1) * most)

    api.fault = fault
    policy = PollPolicy(interval=0.2, latency_target=0.2)
    session = await open_session(poll=policy)
    late: list[float] = []
    items = iter(range(count))

    async def work() -> None:
        for _item in items:
            handle = await session.submit("x")
            await handle.wait()
            late.append(loop_time() - api.tasks[handle.id].ended_at)

    await asyncio.gather(*(work() for _ in range(100)))

    assert len(late) == count
    assert sorted(late)[round(0.99 * count)] < 0.4
    assert api.count("status", "list") < 0.3 * count
    assert "one by one" not in caplog.text


async def test_many_tasks_are_polled_once_in_each_interval(api, session):
    """Pages that are spread over the interval start a little early, and not twice as often."""
    tasks = [api.add(lives(60.0 + number % 53)) for number in range(1200)]
    waits: list[asyncio.Task[Any]] = []
    for first in range(0, 1200, 37):
        waits += [asyncio.create_task(session.wait(each.id)) for each in tasks[first : first + 37]]
        await asyncio.sleep(0.31)
    await asyncio.sleep(30.0)
    before = api.count("list")
    await asyncio.sleep(20.0)
    pages = (api.count("list") - before) / 10
    for each in waits:
        each.cancel()
    await asyncio.gather(*waits, return_exceptions=True)

    assert pages <= 14.5


@pytest.mark.long
@pytest.mark.timeout(180)
@pytest.mark.parametrize(
    ("width", "stays", "lag"),
    [
        (600, 100, 0.0),
        (60, 12, 0.0),
        (60, 12, 1e6),  # no task is in the list, so that each is polled alone
        (600, 100, 1e6),
    ],
)
async def test_no_task_is_polled_late_when_most_waits_end(api, session, width, stays, lag):
    """Most waits end at one moment; the others are still polled every two seconds."""
    api.list_lag = lag
    tasks = [api.add(lives(30.0)) for _ in range(width)]
    kept = random.Random(width).sample(tasks, stays)
    for task in kept:
        task.life = ((0.0, "running"), (60.0, "finished"))

    await asyncio.gather(*(session.wait(task.id) for task in tasks))

    longest = max(_pauses(api, kept))
    assert longest <= 2.01


async def test_a_list_that_lags_costs_status_calls_only(api, session):
    """A new task that the list does not show yet is polled alone."""
    api.list_lag = 15.0
    api.make = lambda _body: lives(8.0)

    tasks = await asyncio.gather(*(session.run_and_wait(f"{n}") for n in range(20)))

    assert {task.status for task in tasks} == {TaskStatus.FINISHED}
    assert loop_time() <= 8.0 + 2.2


@pytest.mark.parametrize("fault", [Fault(status=500), Fault(cut=True), Fault(status=404)])
@pytest.mark.long
async def test_a_list_that_does_not_work_is_left_alone(api, session, fault):
    """Where only the status endpoint answers, waits use it, and end on time."""
    tasks = [api.add(lives(200.0)) for _ in range(20)]
    api.break_calls("list", {0: fault})

    await asyncio.gather(*(session.wait(task.id) for task in tasks))

    assert loop_time() <= 200.0 + 4.5
    assert api.count("list") <= 3 * (200 / 60 + 2)


@pytest.mark.long
async def test_an_outage_is_asked_little(api, session):
    """In an outage a hundred waits send less than one request a second, and then continue."""
    tasks = [api.add(lives(100.0)) for _ in range(100)]
    down = Fault(status=503)
    api.fault = lambda call: down if 20.0 <= call.at < 320.0 else None

    ended = await asyncio.gather(*(session.wait(task.id) for task in tasks))

    assert len(ended) == 100
    asked = [at for at in api.times() if 20.0 <= at < 320.0]
    print(f"{len(asked)} requests in 300 s of outage for 100 waits")
    # Each probe is a page, and a status call in case only the page fails. Random pauses of 5.5 s on
    # average make that 180, give or take 15; polls as usual would be 15,000.
    assert len(asked) <= 300
    assert loop_time() <= 320.0 + 15.0


@pytest.mark.parametrize("begins", [0.5, 20.0])
async def test_an_outage_is_not_blamed_on_the_list(api, session, caplog, begins):
    """While no call is answered the list is not given up, and its pages are read afterwards."""
    api.make = lambda _body: lives(begins + 50.0)
    handles = [await session.submit(f"{number}") for number in range(3)]
    down = Fault(status=503)
    api.fault = lambda call: down if begins <= call.at < begins + 30.0 else None

    await asyncio.gather(*(handle.wait() for handle in handles))

    assert "task list" not in caplog.text
    assert loop_time() <= begins + 50.0 + 4.0
    assert any(call.route == "list" and call.at > begins + 30.0 for call in api.calls)


async def test_a_page_that_fails_is_asked_for_again(api, session):
    """A page is read twice more; in an outage no sooner than after the usual 2 s."""
    tasks = [api.add(lives(60.0)) for _ in range(100)]
    down = Fault(status=503)
    api.fault = lambda call: down if 20.0 <= call.at < 30.0 else None

    await asyncio.gather(*(session.wait(task.id) for task in tasks))

    sweeps = [at for at in api.times("list") if 20.0 <= at < 30.0]
    assert (
        len([call for call in api.calls if 20.0 <= call.at < 30.0]) >= 6
    )  # status calls probe, too
    assert len(sweeps) >= 4, sweeps
    assert sweeps[2] - sweeps[0] <= 1.0, sweeps
    assert min(after - before for before, after in pairwise(sweeps[2:])) > 1.5, sweeps


async def test_an_outage_beyond_the_tolerance_ends_every_wait(api, open_session):
    """Each gets an error of its own, with its own id."""
    session = await open_session(poll=PollPolicy(outage_timeout=60.0))
    tasks = [api.add(lives(1e6)) for _ in range(30)]
    api.fault = lambda call: Fault(status=503) if call.at >= 10.0 else None

    ended = await asyncio.gather(*(session.wait(t.id) for t in tasks), return_exceptions=True)

    assert {type(each) for each in ended} == {errors.WaitInterruptedError}
    assert [getattr(each, "task_id", None) for each in ended] == [task.id for task in tasks]


async def test_an_end_that_cannot_be_fetched_is_given_up(api, open_session):
    """Each page reports it again, and only get-task, which fails, could confirm it."""
    session = await open_session(poll=PollPolicy(outage_timeout=60.0))
    tasks = [api.add(lives(seconds)) for seconds in (5.0, 200.0, 200.0)]
    api.fault = lambda call: (
        Fault(status=500, delay=3.0) if call.route == "get" and call.at < 150.0 else None
    )

    ended = await asyncio.gather(*(session.wait(t.id) for t in tasks), return_exceptions=True)

    lost, *rest = ended
    assert isinstance(lost, errors.WaitInterruptedError)
    assert lost.task_id == tasks[0].id
    assert len([at for at in api.times("get") if at < 150.0]) <= 40
    assert [getattr(each, "status", None) for each in rest] == [TaskStatus.FINISHED] * 2


async def test_a_key_that_is_refused_ends_every_wait_at_once(api, open_session):
    """After a 401 hardly any request is sent, and each wait names its own task."""
    session = await open_session(retry=RetryPolicy(max_attempts=1))
    tasks = [api.add(lives(1e6)) for _ in range(30)]
    refused = Fault(status=401)
    api.fault = lambda call: refused if call.at >= 10.0 else None

    ended = await asyncio.gather(*(session.wait(t.id) for t in tasks), return_exceptions=True)

    assert {type(each) for each in ended} == {errors.AuthenticationError}
    assert [getattr(each, "task_id", None) for each in ended] == [task.id for task in tasks]
    assert len([at for at in api.times() if at >= 10.0]) <= 3


async def test_a_page_that_lies_ends_no_wait(api, session):
    """The list reports all tasks as finished; the tasks themselves do not, and they decide."""
    life = ((0.0, "running"), (40.0, "finished"))
    tasks = [api.add(_Misquoted(life=life)) for _ in range(5)]

    ended = await asyncio.gather(*(session.wait(task.id) for task in tasks))

    assert {task.status for task in ended} == {TaskStatus.FINISHED}
    assert loop_time() >= 40.0


async def test_a_task_without_a_wait_is_not_polled(api, session):
    """When all but one leave, the last one polls alone; when it leaves, nothing is polled."""
    tasks = [api.add(lives(1e6)) for _ in range(10)]
    waits = [asyncio.create_task(session.wait(task.id)) for task in tasks]
    await asyncio.sleep(20.0)
    lists = api.count("list")

    for wait in waits[1:]:
        wait.cancel()
    await asyncio.sleep(20.0)

    assert api.count("list") == lists
    assert len([at for at in api.times("status", task_id=tasks[0].id) if at >= 20.0]) >= 8
    waits[0].cancel()
    await asyncio.sleep(0.1)
    asked = api.count()
    await asyncio.sleep(60.0)
    assert api.count() == asked
    await asyncio.gather(*waits, return_exceptions=True)


async def test_streams_share_too(api, session):
    """Streams of many tasks yield each change, the first status at once."""
    life = (
        (0.0, "created"),
        (10.0, "running"),
        (30.0, "paused"),
        (50.0, "running"),
        (70.0, "failed"),
    )
    tasks = [api.add(FakeTask(life=life)) for _ in range(20)]
    firsts: list[float] = []

    async def follow(task_id: str) -> list[str]:
        seen = []
        async for status in session.stream_status(task_id):
            if not seen:
                firsts.append(loop_time())
            seen.append(str(status))
        return seen

    statuses = await asyncio.gather(*(follow(task.id) for task in tasks))

    assert set(map(tuple, statuses)) == {("created", "running", "paused", "running", "failed")}
    assert max(firsts) <= 0.5
    assert api.count("status", "list") <= 60


async def test_ended_tasks_are_not_polled(api, session):
    """Results that a slow consumer has not read yet cost no more requests."""
    tasks = [api.add(lives(10.0)) for _ in range(20)]
    waiting = session.wait_many(task.id for task in tasks)
    await anext(waiting)
    await asyncio.sleep(5.0)
    asked = api.count()

    await asyncio.sleep(300.0)

    assert api.count() == asked
    assert len([task async for task in waiting]) == 19
