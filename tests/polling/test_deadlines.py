"""Deadlines: no wait ends late, and no result just before a deadline is lost."""

import asyncio

import pytest

from browser_use_async import PollPolicy, TaskStatus, errors
from browser_use_async.transport.config import Runtime
from tests.support.chance import NoChance
from tests.support.fake_api import Call, FakeTask, Fault
from tests.support.fake_task import lives
from tests.support.virtual_time import loop_time


@pytest.mark.looptime
async def test_the_deadline_hits_while_sleeping(api, session):
    """Between two polls the wait ends on time, carries the id, and leaves the task alone."""
    task = api.add(lives(1e6))

    with pytest.raises(errors.WaitTimeoutError) as caught:
        await session.wait(task.id, timeout=100.0)

    assert loop_time() == pytest.approx(100.0, abs=0.05)
    assert caught.value.task_id == task.id
    assert caught.value.last_status is TaskStatus.RUNNING
    assert isinstance(caught.value, TimeoutError)
    assert api.count("stop", "pause") == 0


@pytest.mark.looptime
async def test_the_deadline_hits_while_polling(api, session):
    """A poll in progress is dropped at the deadline."""
    task = api.add(lives(1e6))
    api.fault = lambda call: Fault(delay=25.0) if call.at > 50.0 else None

    with pytest.raises(errors.WaitTimeoutError):
        await session.wait(task.id, timeout=60.0)

    assert loop_time() == pytest.approx(60.0, abs=0.05)
    await asyncio.sleep(0.1)
    assert api.in_flight == 0


@pytest.mark.looptime
async def test_the_deadline_hits_while_backing_off(api, session):
    """An outage does not move the deadline."""
    task = api.add(lives(1e6))
    api.fault = lambda call: Fault(status=503) if call.at > 5.0 else None

    with pytest.raises(errors.WaitTimeoutError):
        await session.wait(task.id, timeout=60.0)

    assert loop_time() == pytest.approx(60.0, abs=0.05)


@pytest.mark.looptime
@pytest.mark.parametrize("before", [0.05, 0.2, 0.5, 1.0, 1.9])
async def test_a_task_that_ends_just_before_the_deadline_is_given(api, session, before):
    """A final poll comes just before the deadline, whatever the poll interval is."""
    task = api.add(lives(60.0 - before))

    ended = await session.wait(task.id, timeout=60.0)

    assert ended.status is TaskStatus.FINISHED


@pytest.mark.looptime
async def test_the_last_look_starts_early_enough_for_slow_replies(api, session):
    """With replies of 1.5 s the final poll begins early enough for both of its calls."""
    api.latency = 1.5
    task = api.add(lives(55.0))

    ended = await session.wait(task.id, timeout=60.0)

    assert ended.status is TaskStatus.FINISHED


@pytest.mark.looptime
async def test_there_is_one_last_look(api, open_session):
    """The poll before the deadline is one poll, although replies get faster all the time."""
    policy = PollPolicy(interval=7.0, latency_target=7.0)
    session = await open_session(poll=policy, runtime=Runtime(rng=NoChance()))
    task = api.add(lives(1e6))

    with pytest.raises(errors.WaitTimeoutError):
        await session.wait(task.id, timeout=60.0)

    assert api.times() == pytest.approx([*range(0, 57, 7), 59.95], abs=0.05)


@pytest.mark.looptime
async def test_a_last_look_is_dropped_at_the_deadline(api, session):
    """A final poll that takes longer than all others does not delay the end."""
    task = api.add(lives(30.0))
    api.fault = lambda call: Fault(delay=20.0) if call.at > 29.0 else None

    with pytest.raises(errors.WaitTimeoutError):
        await session.wait(task.id, timeout=31.0)

    assert loop_time() == pytest.approx(31.0, abs=0.05)


@pytest.mark.looptime
async def test_an_answer_in_the_turn_of_the_deadline_counts(api, session):
    """An answer that arrives in the turn of the loop in which the deadline passes counts."""
    task = api.add(lives(9.0))

    def slow(call: Call) -> Fault | None:
        # Both calls of the final poll together end exactly at the deadline.
        return Fault(delay=10.0 - call.at) if call.route == "get" else None

    api.fault = slow

    try:
        ended = await session.wait(task.id, timeout=10.0)
    except errors.WaitTimeoutError as error:
        assert error.last_status is TaskStatus.RUNNING  # noqa: PT017 - either is right
    else:
        assert ended.status is TaskStatus.FINISHED
    assert loop_time() == pytest.approx(10.0, abs=0.05)


@pytest.mark.looptime
async def test_timeout_zero_ends_at_once(api, session):
    """A timeout of 0 is a timeout, and leaves no request behind."""
    task = api.add(lives(0.0))

    with pytest.raises(errors.WaitTimeoutError):
        await session.wait(task.id, timeout=0)

    assert loop_time() <= 0.05


@pytest.mark.parametrize(
    "timeout", [-1, -0.001, float("nan"), float("inf"), "5", pytest.param(10**400, id="huge")]
)
async def test_impossible_timeouts_are_refused(api, session, timeout):
    """Every method that waits refuses them with a typed error, before any request."""
    handle = session.handle("t1")

    for verb in (
        session.wait("t1", timeout=timeout),
        session.run_and_wait("x", timeout=timeout),
        handle.wait(timeout=timeout),
        handle.wait_for_live_url(timeout=timeout),
        anext(aiter(session.stream_status("t1", timeout=timeout))),
        anext(aiter(session.stream_steps("t1", timeout=timeout))),
        anext(aiter(session.wait_many(["t1"], timeout=timeout))),
    ):
        with pytest.raises(errors.InvalidRequestError) as caught:
            await verb
        assert caught.value.field == "timeout"

    assert api.count() == 0


@pytest.mark.looptime
async def test_each_follower_has_its_own_deadline(api, session):
    """Waits of one task with different timeouts each end at their own time."""
    task = api.add(lives(50.0))

    async def length(timeout: float) -> tuple[float, str]:
        try:
            ended = await session.wait(task.id, timeout=timeout)
        except errors.WaitTimeoutError:
            return round(loop_time(), 1), "timeout"
        return round(loop_time(), 1), str(ended.status)

    results = await asyncio.gather(*(length(timeout) for timeout in (5.0, 20.0, 49.0, 120.0)))

    assert [round(at) for at, _how in results[:3]] == [5, 20, 49]
    assert [how for _at, how in results] == ["timeout", "timeout", "timeout", "finished"]


@pytest.mark.looptime
async def test_cancellation_wins_over_the_deadline(api, session):
    """Cancelled in the turn of the loop in which the deadline passes, a wait is cancelled."""
    task = api.add(lives(1e6))
    loop = asyncio.get_running_loop()
    for shift in (-1e-6, 0.0, 1e-6):
        wait = asyncio.create_task(session.wait(task.id, timeout=10.0))
        await asyncio.sleep(0)
        loop.call_at(loop.time() + 10.0 + min(shift, 0.0), wait.cancel)
        done, _pending = await asyncio.wait([wait], timeout=11.0)
        assert done
        if shift <= 0:
            assert wait.cancelled()
        else:
            assert wait.cancelled() or isinstance(wait.exception(), errors.WaitTimeoutError)


@pytest.mark.long
@pytest.mark.looptime
@pytest.mark.parametrize("inner", [False, True], ids=["outer", "inner and outer"])
async def test_no_wait_overruns(api, session, inner):
    """200 concurrent waits end at their deadline, each at another moment of its polls.

    With the time limits that most clients use, every second one overruns. `make bench` counts
    them in real time.
    """
    api.latency = 0.05
    tasks = [api.add(lives(1e6)) for _ in range(200)]
    limits = [0.4 + 0.005 * number for number in range(200)]

    async def overrun(task: FakeTask, limit: float) -> float:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(limit):
                await session.wait(task.id, timeout=limit if inner else None)
        return loop_time() - limit

    overruns = await asyncio.gather(*map(overrun, tasks, limits))

    overran = sum(each > 0.001 for each in overruns)
    assert overran == 0
    assert min(overruns) >= -0.001
