"""Requests for a person's help, as a task that is paused makes them."""

import asyncio
from contextlib import aclosing

import pytest

from browser_use_async import BrowserUseSession, Intervention, InterventionKind, errors
from browser_use_async.testing import Scenario, ScriptedExecutor, ScriptedStep
from tests.support.api_bench import OpenSession
from tests.support.fake_api import FakeApi, FakeTask, Fault
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
def browser_use_server_options() -> dict[str, object]:
    """Tasks that ask, and tasks that stand still after a step of the given words."""
    goals = ("Enter the 2FA code", "Please sign in", "Click Confirm", "I am not a robot", "Read")
    standing = {goal: Scenario(steps=[goal], hangs=True) for goal in goals}
    return {"executor": ScriptedExecutor({"Buy tea": _PURCHASE, **standing})}


async def test_a_task_asks_and_goes_on(browser_use_session: BrowserUseSession):
    """Each request comes once, says what is asked for and where, and waits until it is resumed."""
    handle = await browser_use_session.submit("Buy tea")
    requests: list[Intervention] = []
    async for request in handle.interventions():
        requests.append(request)
        assert await handle.status() == "paused"
        await request.resume()
    task = await handle.wait()

    assert task.output == "Bought."
    assert [(each.kind, each.text) for each in requests] == [
        (InterventionKind.CAPTCHA, "Tick the box"),
        (InterventionKind.APPROVAL, "Pay 12 euros"),
        (InterventionKind.OTHER, "Sing a song"),
    ]
    assert requests[0].page_url == "https://shop.test/"
    assert requests[0].live_url == task.live_url
    assert str(task.live_url) not in repr(requests[0])
    assert task.steps[1].next_goal == "Ask a person (captcha): Tick the box"


@pytest.mark.parametrize(
    ("goal", "kind"),
    [
        ("Enter the 2FA code", "code"),
        ("Please sign in", "login"),
        ("Click Confirm", "approval"),
        ("I am not a robot", "captcha"),
        ("Read", "other"),
    ],
)
async def test_a_pause_by_hand_is_a_request(
    browser_use_session: BrowserUseSession, goal: str, kind: str
):
    """On any server: the last step's words tell what may be needed; stopping ends the requests."""
    handle = await browser_use_session.submit(goal)
    async for _step in handle.stream_steps():
        break
    await handle.pause()
    requests: list[Intervention] = []
    async for request in handle.interventions():
        requests.append(request)
        await request.stop()

    assert [(each.kind, each.text, each.task_id) for each in requests] == [(kind, goal, handle.id)]


async def test_waiting_for_requests_has_an_end(browser_use_session: BrowserUseSession):
    """The time that was given bounds it, and the task lives on."""
    handle = await browser_use_session.submit("Read")
    with pytest.raises(errors.WaitTimeoutError):
        await anext(handle.interventions(timeout=0.2))
    await handle.stop()


async def test_a_paused_task_asks_each_listener(browser_use_session: BrowserUseSession):
    """A program that comes later, in another process, gets the request that is open."""
    handle = await browser_use_session.submit("Buy tea")

    async def first(token: str) -> Intervention:
        async for request in browser_use_session.handle(token).interventions():
            return request
        raise AssertionError

    one, other = await asyncio.gather(first(handle.to_token()), first(handle.to_token()))
    assert (one.kind, other.kind) == ("captcha", "captcha")
    await handle.stop()


async def test_a_late_listener_is_asked_about_the_pause_of_the_moment(
    browser_use_session: BrowserUseSession,
):
    """Those that somebody else has ended meanwhile are over; this one is a request of its own."""
    handle = await browser_use_session.submit("Buy tea")
    late = handle.interventions(timeout=PATIENCE)
    first = await anext(late)
    other = browser_use_session.handle(handle.to_token())
    async with aclosing(other.interventions()) as requests:
        async for request in requests:
            if request.text == "Sing a song":
                break
            await request.resume()
    second = await anext(late)
    await second.resume()

    assert [each async for each in late] == []
    assert (first.text, second.text) == ("Tick the box", "Sing a song")


@pytest.mark.looptime
async def test_a_person_is_asked_at_each_pause(api: FakeApi, open_session: OpenSession):
    """Once, whatever a slow reply tells from before; and again, though no step was taken."""
    session = await open_session()
    slow = Fault(stall=8.0)
    api.fault = lambda call: slow if call.route == "get" and call.number == 4 else None
    life = ((0.0, "running"), (5.0, "paused"), (20.0, "running"), (40.0, "paused"))
    task = api.add(FakeTask(life=(*life, (60.0, "finished")), steps=1))

    asked = [request.task_id async for request in session.handle(task.id).interventions()]

    assert asked == [task.id] * 2


@pytest.mark.looptime
async def test_a_step_that_is_listed_late_is_no_second_request(
    api: FakeApi, open_session: OpenSession
):
    """The service may show it only after the pause that it led to."""
    session = await open_session()
    life = ((0.0, "running"), (5.0, "paused"), (20.0, "running"), (30.0, "finished"))
    task = api.add(FakeTask(life=life, steps=lambda age: range(1, 2 if age < 8 else 3)))

    asked = [request.task_id async for request in session.handle(task.id).interventions()]

    assert asked == [task.id]
