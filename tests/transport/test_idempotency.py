"""Stops, pauses, resumes, updates and deletes whose answers are lost."""

import asyncio
import json

import pytest

from browser_use_async import RetryPolicy, TaskStatus, errors
from browser_use_async.server import Fault as ServerFault
from tests.support.fake_api import Call, Fault
from tests.support.fake_task import lives
from tests.support.hygiene import raises

LOST = Fault(cut=True, done=True)


@pytest.mark.looptime
@pytest.mark.parametrize("status", [400, 404, 409, 200])
async def test_a_repeated_stop_succeeds(api, open_session, status):
    """The first stop was executed; for any answer to the second one, the task is stopped."""
    session = await open_session()
    task = api.add(lives(1e6))
    again = Fault(status=status, body='{"detail": "Agent session already stopped"}')
    api.break_calls("stop", {1: LOST, 2: again})

    await session.tasks.stop(task.id)

    assert task.status() == "stopped"
    assert api.count("stop") == 2


@pytest.mark.looptime
async def test_a_stop_that_never_gets_an_answer_is_verified(api, open_session):
    """Every attempt ends in a 500, and the task is stopped."""
    session = await open_session()
    task = api.add(lives(1e6))
    api.break_calls("stop", {0: Fault(status=500, done=True)})

    await session.tasks.stop(task.id)

    assert api.count("status") == 1


@pytest.mark.looptime
async def test_a_stop_that_did_nothing_fails(api, open_session):
    """When the task runs on, the error is raised."""
    session = await open_session()
    task = api.add(lives(1e6))
    api.break_calls("stop", {0: Fault(status=500)})

    with raises(errors.InternalServerError):
        await session.tasks.stop(task.id)

    assert task.status() == "running"


SAYS_ENDED = [
    "Agent session already stopped",
    "Agent session already ended",
    "Task is already finished",
    "session has already been Completed",
]


@pytest.mark.looptime
@pytest.mark.parametrize("attempts", [1, 4])
@pytest.mark.parametrize("code", [400, 409])
@pytest.mark.parametrize("text", SAYS_ENDED)
async def test_a_stop_of_what_has_ended_succeeds(api, open_session, text, code, attempts):
    """A refusal that says that the task has ended is success, in one request."""
    session = await open_session(retry=RetryPolicy(max_attempts=attempts))
    task = api.add(lives(0.0))
    api.break_calls("stop", {1: Fault(status=code, body=json.dumps({"detail": text}))})

    await session.tasks.stop(task.id)

    assert api.count() == 1


@pytest.mark.looptime
@pytest.mark.parametrize("end", ["finished", "stopped", "failed"])
async def test_a_stop_that_is_refused_in_other_words_is_verified(api, open_session, end):
    """A refusal with an unknown message is success if the task's status is terminal."""
    session = await open_session()
    task = api.add(lives(0.0, end))
    api.break_calls("stop", {1: Fault(status=400, body='{"detail": "Cannot do that now"}')})

    await session.tasks.stop(task.id)

    assert api.count("stop", "status") == 2


@pytest.mark.looptime
@pytest.mark.parametrize(
    "text", ["Cannot do that now", "Task was already started", "It is not already stopped", ""]
)
async def test_a_stop_that_is_refused_while_the_task_runs_fails(api, open_session, text):
    """The message is unknown, and the task runs on: the error is raised."""
    session = await open_session()
    task = api.add(lives(1e6))
    api.break_calls("stop", {1: Fault(status=400, body=json.dumps({"detail": text}))})

    with raises(errors.BadRequestError):
        await session.tasks.stop(task.id)

    assert task.status() == "running"


@pytest.mark.looptime
@pytest.mark.parametrize("verb", ["pause", "resume"])
async def test_a_pause_of_what_has_ended_fails(api, open_session, verb):
    """Only a stop requires that the task has ended."""
    session = await open_session()
    task = api.add(lives(0.0))

    with raises(errors.BadRequestError):
        await getattr(session.tasks, verb)(task.id)


@pytest.mark.looptime
async def test_without_repetitions_nothing_is_looked_up(api, open_session):
    """With one attempt a call is one request, and its error is raised."""
    session = await open_session(retry=RetryPolicy(max_attempts=1))
    task = api.add(lives(1e6))
    api.break_calls("stop", {1: LOST})

    with raises(errors.APIConnectionError):
        await session.tasks.stop(task.id)

    assert api.count() == 1


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


@pytest.mark.looptime
@pytest.mark.parametrize("verb", ["pause", "resume"])
async def test_a_switch_that_shows_is_done(api, open_session, verb):
    """The answer is lost, and a status call shows that the call was executed."""
    session = await open_session()
    task = api.add(lives(1e6))
    task.overruled = "paused" if verb == "resume" else None
    api.break_calls(verb, {1: LOST})

    await getattr(session.tasks, verb)(task.id)

    assert api.count(verb, "status") == 2


@pytest.mark.looptime
@pytest.mark.parametrize("status", ["paused", "archived", "failed"])
async def test_a_resume_that_does_not_show_fails(api, open_session, status):
    """Neither an end nor an unknown status means that the task runs."""
    session = await open_session()
    task = api.add(lives(1e6))
    task.overruled = status
    api.break_calls("resume", {1: Fault(cut=True)})

    with raises(errors.APIConnectionError):
        await session.tasks.resume(task.id)

    assert api.count("resume", "status") == 2


@pytest.mark.looptime
@pytest.mark.parametrize("verb", ["pause", "resume"])
async def test_a_switch_that_was_refused_for_load_is_sent_again(api, open_session, verb):
    """After a 429 nothing was executed, so that a repetition is safe."""
    session = await open_session()
    task = api.add(lives(1e6))
    api.break_calls(verb, {1: Fault(status=429)})

    await getattr(session.tasks, verb)(task.id)

    assert api.count(verb) == 2
    assert api.count("status") == 0


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
