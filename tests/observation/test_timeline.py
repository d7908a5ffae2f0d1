"""The timeline in errors and handles, and its cost."""

import asyncio
import gc
import pickle
import re
import tracemalloc

import pytest

from browser_use_async import PollPolicy, RetryPolicy, errors
from browser_use_async.events import Timeline
from tests.support.fake_api import Fault
from tests.support.fake_task import lives
from tests.support.hygiene import KEY, SECRET, raises

pytestmark = pytest.mark.looptime

LOST = Fault(cut=True, done=True)
GONE = "the server closed the connection without an answer"


def _entries(timeline: Timeline | None) -> list[tuple[str, str]]:
    """Kinds and texts, without the random length of the pauses."""
    assert timeline is not None
    return [(each.kind, re.sub(r"[\d.]+ s$", "N s", each.text)) for each in timeline]


async def test_a_lost_answer_is_recorded_to_its_end(api, session):
    """A lost reply, two 503s and an adoption: these entries, in this order, and no others."""
    faults = {("run", 1): LOST, ("list", 1): Fault(status=503), ("list", 2): Fault(status=503)}
    api.fault = lambda call: faults.get((call.route, call.number))

    handle = await session.submit("Buy milk", secrets={"a": SECRET}, allowed_domains=["a.example"])

    timeline = handle.timeline()
    assert _entries(timeline) == [
        ("sent", "POST /run-task, attempt 1"),
        ("failed", f"POST /run-task: {GONE}"),
        ("failed", "GET /tasks: status 503"),
        ("retried", "after N s"),
        ("failed", "GET /tasks: status 503"),
        ("retried", "after N s"),
        ("answered", "GET /tasks"),
        ("adopted", f"task {handle.id}"),
    ]
    assert [each.time for each in timeline] == sorted(each.time for each in timeline)


async def test_a_lost_answer_without_a_task(api, session):
    """The error has the request, its failure, and the search without a result."""
    api.break_calls("run", {1: Fault(cut=True)})

    with raises(errors.SubmissionUnknownError) as caught:
        await session.submit("Buy milk")

    assert _entries(caught.value.timeline) == [
        ("sent", "POST /run-task, attempt 1"),
        ("failed", f"POST /run-task: {GONE}"),
        ("not found", "a task with the mark of this submission, in N s"),
    ]


async def test_waits_for_slots_are_recorded(api, session):
    """Each refusal for lack of a slot, that the call waits for one, and each request after that."""
    full = Fault(status=429, body='{"detail": "Too many concurrent tasks"}')
    api.break_calls("run", {1: full, 2: full})

    handle = await session.submit("Buy milk")

    refused = ("failed", "POST /run-task: status 429")
    assert _entries(handle.timeline()) == [
        ("sent", "POST /run-task, attempt 1"),
        refused,
        ("waited", "for a free agent slot"),
        ("sent", "POST /run-task, attempt 2"),
        refused,
        ("sent", "POST /run-task, attempt 3"),
        ("answered", f"POST /run-task: task {handle.id}"),
    ]


async def test_the_life_of_a_task(api, open_session):
    """Statuses in order, failed polls and stops; successful polls are counted and not listed."""
    session = await open_session(poll=PollPolicy(interval=1.0))
    api.next_tasks = [lives(1e6)]
    api.break_calls("status", {3: Fault(status=503), 4: Fault(status=503)})
    handle = await session.submit("Buy milk")

    with raises(errors.WaitTimeoutError) as caught:
        await handle.wait(timeout=60.0)
    await handle.stop()
    task = await session.wait(handle.id)

    failed = ("failed", "GET /task/{task_id}/status: status 503")
    assert _entries(handle.timeline()) == [
        ("sent", "POST /run-task, attempt 1"),
        ("answered", f"POST /run-task: task {handle.id}"),
        ("status seen", "running"),
        failed,
        failed,
        ("stop asked", "stop accepted"),
        ("status seen", "stopped"),
    ]
    assert _entries(caught.value.timeline) == _entries(handle.timeline())[:5]
    assert task.status == handle.timeline()[-1].text == "stopped"
    assert handle.timeline().polls > caught.value.timeline.polls > 5  # type: ignore[union-attr]
    assert session.handle(handle.id).timeline() == handle.timeline()


async def test_the_error_of_a_failed_task_has_its_timeline(api, session):
    """The error of `run_and_wait` about a task that ended has the whole timeline."""
    api.next_tasks = [lives(5.0, "failed")]

    with raises(errors.TaskFailedError) as caught:
        await session.run_and_wait("Buy milk")

    kinds = [kind for kind, _text in _entries(caught.value.timeline)]
    assert (kinds[:2], kinds[-1]) == (["sent", "answered"], "status seen")


async def test_a_call_that_fails(api, open_session):
    """Each attempt and each pause; one that fails at once has one entry."""
    session = await open_session(retry=RetryPolicy(max_attempts=2))
    api.break_calls("ping", {0: Fault(status=503)})

    with raises(errors.InternalServerError) as caught:
        await session.ping()
    with raises(errors.NotFoundError) as missing:
        await session.tasks.get("nowhere")

    failed = ("failed", "GET /ping: status 503")
    assert _entries(caught.value.timeline) == [failed, ("retried", "after N s"), failed]
    assert _entries(missing.value.timeline) == [("failed", "GET /task/{task_id}: status 404")]


async def test_a_wait_for_another_clients_task(api, session):
    """A wait without entries has at least its last status."""
    task = api.add(lives(1e6))

    with raises(errors.WaitTimeoutError) as caught:
        await session.wait(task.id, timeout=10.0)

    assert _entries(caught.value.timeline) == [("status seen", "running")]
    assert caught.value.timeline is not None
    assert caught.value.timeline.polls > 0


async def test_an_empty_timeline(session):
    """Without a call there is no entry."""
    with raises(errors.InvalidRequestError) as caught:
        await session.submit("x", key="")

    assert caught.value.timeline is None
    assert str(session.handle("a").timeline()) == "nothing was recorded"


@pytest.mark.long
async def test_it_is_bounded(api, open_session):
    """A thousand retries keep the first entries and the last ones, and count the others."""
    policy = RetryPolicy(max_attempts=1000, base_delay=0.01, max_delay=0.01, budget=None)
    session = await open_session(retry=policy)
    api.break_calls("ping", {0: Fault(status=503)})

    with raises(errors.InternalServerError) as caught:
        await session.ping()

    timeline = caught.value.timeline
    assert timeline is not None
    assert len(timeline) == 50
    assert timeline.dropped == 2 * 1000 - 1 - 50
    assert len(str(timeline).splitlines()) == 51
    assert "1,949 more" in str(timeline)
    assert len(pickle.dumps(timeline)) < 10_000


async def test_it_pickles_and_shows_no_secret(api, open_session):
    """Pickled errors and their copies have it; no event shows a secret either."""
    events: list[object] = []
    session = await open_session(on_event=events.append)
    full = Fault(status=429, body='{"detail": "Too many concurrent tasks"}')
    api.break_calls("run", {1: full, 2: LOST})
    api.list_lag = 1e6
    with raises(errors.SubmissionUnknownError) as caught:
        await session.submit(
            "Buy milk",
            secrets={"a": SECRET},
            allowed_domains=["a.example"],
        )

    copied = pickle.loads(pickle.dumps(caught.value))
    assert copied.timeline == caught.value.timeline
    assert hash(copied.timeline) == hash(caught.value.timeline)
    assert events
    shown = f"{copied.timeline} {copied.timeline!r} {events} {[*map(str, events)]}"
    assert [each for each in (KEY, SECRET, "Buy milk") if each in shown] == []
    first = str(copied.timeline).splitlines()[0]
    assert first.endswith("  sent         POST /run-task, attempt 1")


@pytest.mark.long
async def test_waits_stay_light(api, open_session):
    """Ten thousand waits without a failure record nothing."""
    count = 10_000
    session = await open_session(poll=PollPolicy(interval=300.0))
    tracemalloc.start()
    try:
        waits = [asyncio.create_task(session.wait(f"t{number}")) for number in range(count)]
        await asyncio.sleep(0)
        gc.collect()
        snapshot = tracemalloc.take_snapshot()
    finally:
        tracemalloc.stop()
    for wait in waits:
        wait.cancel()
    await asyncio.gather(*waits, return_exceptions=True)
    files = ("events", "observing/timeline", "observing/observers")
    filters = [tracemalloc.Filter(True, f"*/browser_use_async/{each}.py") for each in files]
    ours = snapshot.filter_traces(filters)
    each = sum(statistic.size for statistic in ours.statistics("filename")) / count

    assert each < 20
