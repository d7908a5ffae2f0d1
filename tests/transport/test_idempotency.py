"""Stops, pauses, resumes, updates and deletes whose answers are lost."""

import asyncio
import json

import pytest

from browser_use_async import RetryPolicy, TaskStatus, errors
from browser_use_async.server import Fault as ServerFault
from tests.support.fake_api import LOST_AFTER, LOST_BEFORE, Call, Fault
from tests.support.fake_task import TERMINAL, lives
from tests.support.hygiene import raises


def _says(text, status=400):
    return Fault(status, json.dumps({"detail": text}))


STOPPED = "Agent session already stopped"
ENDED = (
    STOPPED,
    "Agent session already ended",
    "Task is already finished",
    "session has already been Completed",
)
OTHER = "Cannot do that now", "Task was already started", "It is not already stopped", ""
FAILS = Fault(500)
WORKS = Fault(500, done=True)
# (call, status of the task, answers by number, where 0 is all) -> (error or status after, requests)
REFUSED = [
    ("stop", "finished", {1: _says(text, status)}, "finished", "stop")
    for text in ENDED
    for status in (400, 409)
]
CASES = [
    # The first stop was executed: for any answer to the second one, the task is stopped.
    ("stop", "running", {1: LOST_AFTER, 2: _says(STOPPED)}, "stopped", "stop stop"),
    ("stop", "running", {1: LOST_AFTER, 2: _says(STOPPED, 409)}, "stopped", "stop stop"),
    ("stop", "running", {1: LOST_AFTER, 2: _says(STOPPED, 404)}, "stopped", "stop stop status"),
    ("stop", "running", {1: LOST_AFTER, 2: _says(STOPPED, 200)}, "stopped", "stop stop"),
    # No attempt gets an answer: the status says whether the task runs on.
    ("stop", "running", {0: WORKS}, "stopped", "stop stop stop stop status"),
    ("stop", "running", {0: FAILS}, errors.InternalServerError, "stop stop stop stop status"),
    # A refusal that says that the task has ended is success, in one request.
    *REFUSED,
    # After a refusal in other words the status decides.
    *(("stop", end, {1: _says(OTHER[0])}, end, "stop status") for end in sorted(TERMINAL)),
    *(
        ("stop", "running", {1: _says(text)}, errors.BadRequestError, "stop status")
        for text in OTHER
    ),
    # Only a stop requires that the task has ended.
    ("pause", "finished", {}, errors.BadRequestError, "pause"),
    ("resume", "finished", {}, errors.BadRequestError, "resume"),
    # The answer is lost, and the status shows that the call was executed.
    ("pause", "running", {1: LOST_AFTER}, "paused", "pause status"),
    ("resume", "paused", {1: LOST_AFTER}, "running", "resume status"),
    # Neither an end nor an unknown status means that the task runs.
    *(
        ("resume", status, {1: LOST_BEFORE}, errors.APIConnectionError, "resume status")
        for status in ("paused", "archived", "failed")
    ),
    # After a 429 nothing was executed, so that a repetition is safe.
    ("pause", "running", {1: Fault(429)}, "paused", "pause pause"),
    ("resume", "paused", {1: Fault(429)}, "running", "resume resume"),
]
# With one attempt nothing is looked up.
ONCE = [("stop", "running", {1: LOST_AFTER}, errors.APIConnectionError, "stop"), *REFUSED]


@pytest.mark.looptime
@pytest.mark.parametrize(
    ("attempts", "verb", "before", "answers", "result", "requests"),
    [*((4, *case) for case in CASES), *((1, *case) for case in ONCE)],
)
async def test_a_call_is_done_if_the_task_is_as_it_asks(
    api, open_session, attempts, verb, before, answers, result, requests
):
    """A lost answer or a refusal is an error only if the task is not in the state asked for."""
    session = await open_session(retry=RetryPolicy(max_attempts=attempts))
    task = api.add(lives(0.0, before) if before in TERMINAL else lives(1e6, overruled=before))
    api.break_calls(verb, answers)
    call = getattr(session.tasks, verb)

    if isinstance(result, str):
        await call(task.id)
        assert task.status() == result
    else:
        with raises(result):
            await call(task.id)
    assert [each.route for each in api.calls] == requests.split()


@pytest.mark.looptime
async def test_a_pause_is_not_repeated_over_a_resume(api, open_session):
    """The pause was executed, its answer lost, and another client resumed the task."""
    session = await open_session()
    task = api.add(lives(1e6))
    seen: list[str] = []

    def lose_and_resume(call: Call) -> Fault | None:
        if call.route == "pause":
            asyncio.get_running_loop().call_soon(seen.append, task.status())
            asyncio.get_running_loop().call_later(0.01, setattr, task, "overruled", None)
            return Fault(cut=True, done=True, stall=0.02)
        return None

    api.fault = lose_and_resume

    with raises(errors.APIConnectionError) as caught:
        await session.tasks.pause(task.id)

    await asyncio.sleep(60.0)
    assert api.count("pause") == 1
    assert task.status() == "running"
    assert caught.value.sent
    assert "was not sent again" in str(caught.value)


# --- against the bundled server ----------------------------------------------------------------


@pytest.fixture
def session_options(server):
    """A session with it that repeats quickly."""
    quick = RetryPolicy(base_delay=0.001, max_delay=0.002)
    return {"api_key": server.api_key, "base_url": server.base_url, "retry": quick}


async def test_a_delete_whose_answer_is_lost_succeeds(server, session):
    """The second attempt finds nothing, because the first has deleted it."""
    profile = await session.browser_profiles.create(profile_name="a", description="b")
    server.set_faults([ServerFault("lost_reply", "delete_browser_profile", calls=1)])

    await session.browser_profiles.delete(profile.profile_id)

    assert server.requests["delete_browser_profile"] == 2
    with raises(errors.NotFoundError):
        await session.browser_profiles.get(profile.profile_id)


async def test_a_delete_whose_answer_was_lost_before_a_refusal_succeeds(server, session):
    """The refusal of the second attempt for load says nothing about the first one."""
    profile = await session.browser_profiles.create(profile_name="a", description="b")
    lost = ServerFault("lost_reply", "delete_browser_profile", calls=1)
    refused = ServerFault("status", "delete_browser_profile", calls=2, status=429)
    server.set_faults([lost, refused])

    await session.browser_profiles.delete(profile.profile_id)

    assert server.requests["delete_browser_profile"] == 3


async def test_a_delete_of_nothing_is_refused(server, session):
    """A 404 to the first attempt, or to one after a plain refusal, is raised."""
    with raises(errors.NotFoundError):
        await session.browser_profiles.delete("e8a5a3e2-6a0d-4a4b-8c3a-000000000000")

    server.set_faults([ServerFault("status", "delete_browser_profile", calls=1, status=429)])
    with raises(errors.NotFoundError):
        await session.browser_profiles.delete("e8a5a3e2-6a0d-4a4b-8c3a-000000000000")

    assert server.faults_fired.total() == 1


async def test_an_update_whose_answer_is_lost_is_sent_again(server, session):
    """The same body twice, and the final state is the requested one."""
    profile = await session.browser_profiles.create(profile_name="a", description="b")
    server.set_faults([ServerFault("lost_reply", "update_browser_profile", calls=1)])

    await session.browser_profiles.update(profile.profile_id, description="c")

    assert server.requests["update_browser_profile"] == 2
    after = await session.browser_profiles.get(profile.profile_id)
    assert (after.profile_name, after.description) == ("a", "c")


async def test_a_stop_at_the_bundled_server(server, session):
    """The answer to a stop is lost, and the task is stopped."""
    server.set_faults([ServerFault("lost_reply", "stop_task", calls=1)])
    created = await session.tasks.run("x")

    await session.tasks.stop(created.id)

    assert await session.tasks.get_status(created.id) is TaskStatus.STOPPED
