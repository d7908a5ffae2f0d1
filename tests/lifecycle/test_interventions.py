"""Requests for a person's help, which a paused task makes."""

import asyncio
from contextlib import aclosing

import pytest

from browser_use_async import Intervention, errors
from browser_use_async.testing import Scenario, ScriptedExecutor, ScriptedStep
from browser_use_async.transport.config import Runtime
from tests.support.chance import NoChance
from tests.support.fake_api import FakeTask, Fault
from tests.support.patience import PATIENCE

_PURCHASE = Scenario(
    steps=[
        "Open the shop",
        ScriptedStep("Tick the box", asks_for="captcha", url="https://shop.test/"),
        "Put tea into the basket",
        ScriptedStep("Pay 12 euros", asks_for="approval"),
        ScriptedStep("Sing a song", asks_for="singing"),
    ],
    output="Bought.",
)


@pytest.fixture
def browser_use_server_options():
    """Tasks that ask for help, and tasks that pause after a step with the given words."""
    standing = {goal: Scenario(steps=[goal], hangs=True) for goal in ("Enter the code", "Read")}
    return {"executor": ScriptedExecutor({"Buy tea": _PURCHASE, **standing})}


async def test_a_task_asks_and_goes_on(browser_use_session):
    """Each request comes once, says what is asked for and where, and waits until it is resumed."""
    handle = await browser_use_session.submit("Buy tea")
    requests: list[Intervention] = []
    async for request in handle.interventions():
        requests.append(request)
        assert await handle.get_status() == "paused"
        await request.resume()
    task = await handle.wait()

    assert task.output == "Bought."
    assert [each.text for each in requests] == [
        "Ask a person (captcha): Tick the box",
        "Ask a person (approval): Pay 12 euros",
        "Ask a person (singing): Sing a song",
    ]
    assert requests[0].page_url == "https://shop.test/"
    assert requests[0].live_url == task.live_url
    assert str(task.live_url) not in repr(requests[0])
    assert requests[0].text == task.steps[1].next_goal


async def test_a_pause_by_hand_is_a_request(browser_use_session):
    """On any server the last step describes the pause; stopping the task ends the requests."""
    handle = await browser_use_session.submit("Enter the code")
    async for _step in handle.stream_steps():
        break
    await handle.pause()
    requests: list[Intervention] = []
    async for request in handle.interventions():
        requests.append(request)
        await request.stop()

    assert [(each.text, each.task_id) for each in requests] == [("Enter the code", handle.id)]


async def test_a_pause_right_after_a_resume_is_another_request(browser_use_session):
    """Though no poll has seen the task run, and no step was taken."""
    handle = await browser_use_session.submit("Read")
    await handle.pause()
    requests = 0
    async for request in handle.interventions(timeout=PATIENCE):
        requests += 1
        await request.resume()
        if requests == 8:
            await request.stop()
            break
        await handle.pause()

    assert requests == 8


async def test_waiting_for_requests_has_an_end(browser_use_session):
    """The given timeout bounds the wait, and the task runs on."""
    handle = await browser_use_session.submit("Read")
    with pytest.raises(errors.WaitTimeoutError):
        await anext(handle.interventions(timeout=0.2))
    await handle.stop()


async def test_a_paused_task_asks_each_listener(browser_use_session):
    """A program that listens later, in another process, gets the open request."""
    handle = await browser_use_session.submit("Buy tea")

    async def first(token: str) -> Intervention:
        async for request in browser_use_session.handle(token).interventions():
            return request
        raise AssertionError

    one, other = await asyncio.gather(first(handle.to_token()), first(handle.to_token()))
    assert one.text == other.text == "Ask a person (captcha): Tick the box"
    await handle.stop()


async def test_a_late_listener_is_asked_about_the_pause_of_the_moment(browser_use_session):
    """A pause that another client has ended is not asked about; the present one is."""
    handle = await browser_use_session.submit("Buy tea")
    late = handle.interventions(timeout=PATIENCE)
    first = await anext(late)
    other = browser_use_session.handle(handle.to_token())
    async with aclosing(other.interventions()) as requests:
        async for request in requests:
            if request.text.endswith("Sing a song"):
                break
            await request.resume()
    second = await anext(late)
    await second.resume()

    assert [each async for each in late] == []
    assert first.text == "Ask a person (captcha): Tick the box"
    assert second.text == "Ask a person (singing): Sing a song"


ONE_PAUSE = (0.0, "running"), (5.0, "paused"), (20.0, "running"), (30.0, "finished")
TWO_PAUSES = *ONE_PAUSE[:3], (40.0, "paused"), (60.0, "finished")
UNSEEN = (0.0, "running"), (5.0, "paused"), (5.2, "running"), (30.0, "finished")


@pytest.mark.looptime
@pytest.mark.parametrize(
    ("life", "steps", "slow", "asked"),
    [
        (TWO_PAUSES, 1, 4, 2),  # a slow reply reports an older state
        # The service may list a step only after the pause that it led to.
        (ONE_PAUSE, lambda age: range(1, 2 if age < 8 else 3), None, 1),
        (UNSEEN, 1, None, 0),  # another client has ended the pause before a poll saw it
    ],
)
async def test_a_person_is_asked_at_each_pause(api, open_session, life, steps, slow, asked):
    """Each pause is asked about once, whatever the polls see of it."""
    session = await open_session(runtime=Runtime(rng=NoChance()))
    task = api.add(FakeTask(life=life, steps=steps))
    stalls = Fault(stall=8.0)
    api.fault = lambda call: stalls if (call.route, call.number) == ("get", slow) else None

    requests = [request.task_id async for request in session.handle(task.id).interventions()]

    assert requests == [task.id] * asked
    polls_in_pause = [at for at in api.times("get") if 5.0 <= at < life[2][0]]
    assert bool(polls_in_pause) is bool(asked)


@pytest.mark.looptime
async def test_an_answer_from_before_the_resume_is_no_other_pause(api, session):
    """A poll that began before the resume may be answered after it."""
    task = api.add(FakeTask(life=((0.0, "running"), (40.0, "finished")), steps=1))
    handle, slow = session.handle(task.id), Fault(stall=6.0)
    await handle.pause()
    asked = 0
    async for request in handle.interventions():
        asked += 1
        api.fault = lambda call: slow if call.route == "get" and call.at < 10.0 else None
        await asyncio.sleep(4.0)  # polls begin meanwhile
        await request.resume()

    assert asked == 1


@pytest.mark.looptime
async def test_a_pause_after_a_long_one_is_seen(api, session):
    """A task in a long pause is polled by its status, and no longer so after it was resumed."""
    task = api.add(FakeTask(life=((0.0, "running"), (200.0, "finished")), steps=1))
    handle = session.handle(task.id)
    await handle.pause()
    asked = 0
    async for request in handle.interventions():
        asked += 1
        await asyncio.sleep(60.0)
        await request.resume()
        if asked == 1:
            await handle.pause()

    assert asked == 2
