"""Outages are reported once and in time, and errors say what is known."""

import asyncio
import logging
import random
from collections.abc import Callable

import attrs
import pytest

from browser_use_async import (
    BrowserUseSession,
    PollPolicy,
    RetryPolicy,
    ServiceRecovered,
    ServiceUnreachable,
    TaskStatus,
    errors,
)
from tests.support.fake_api import Call, Fault
from tests.support.fake_task import lives
from tests.support.hygiene import KEY
from tests.support.virtual_time import loop_time
from tests.support.wire import bound_socket

pytestmark = pytest.mark.looptime

CUT = Fault(cut=True)
UNAVAILABLE = Fault(status=503)


@attrs.define
class Heard:
    """The outages that a session reported, with the times of the loop."""

    down: list[tuple[float, ServiceUnreachable]] = attrs.field(factory=list)
    up: list[tuple[float, ServiceRecovered]] = attrs.field(factory=list)

    def on_event(self, event: object) -> None:
        """Record an event."""
        if isinstance(event, ServiceUnreachable):
            self.down.append((loop_time(), event))
        elif isinstance(event, ServiceRecovered):
            self.up.append((loop_time(), event))


@pytest.fixture
def heard():
    """The events of `on_event`."""
    return Heard()


@pytest.fixture
def records(caplog):
    """The messages of one level that the package logged."""
    with caplog.at_level(logging.INFO, "browser_use_async"):
        yield lambda level: [
            record.getMessage()
            for record in caplog.records
            if record.name == "browser_use_async" and record.levelno == level
        ]


def _outage(begin: float, end: float, fault: Fault) -> Callable[[Call], Fault | None]:
    return lambda call: fault if begin <= call.at < end else None


@pytest.fixture
async def unserved(heard):
    """A session whose service does not listen."""
    with bound_socket() as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/api/v1"
        async with BrowserUseSession(KEY, base_url=url, on_event=heard.on_event) as session:
            yield session


@pytest.mark.long
@pytest.mark.parametrize("fault", [CUT, UNAVAILABLE], ids=["cut", "503"])
@pytest.mark.parametrize(("count", "seconds"), [(1, 300.0), (1000, 15.0)])
async def test_an_outage_is_reported_once_and_in_time(
    api, open_session, heard, records, count, seconds, fault
):
    """Five minutes without an answer are one event and one warning, and the same at their end."""
    session = await open_session(on_event=heard.on_event)
    end = 10.0 + seconds
    tasks = [api.add(lives(end + 10.0)) for _ in range(count)]
    api.fault = _outage(10.0, end, fault)

    ended = await asyncio.gather(*(session.wait(task.id) for task in tasks))

    assert {each.status for each in ended} == {TaskStatus.FINISHED}
    ((down_at, down),), ((up_at, up),) = heard.down, heard.up
    first, *_others = failed = [at for at in api.times() if 10.0 <= at < end]
    assert first + 1.0 <= down_at <= first + 2.0
    assert down.seconds == pytest.approx(down_at - first, abs=0.1)
    assert 2 <= down.failures <= len([at for at in failed if at <= down_at])
    assert up_at == pytest.approx(min(at for at in api.times() if at >= end), abs=0.1)
    assert up.seconds == pytest.approx(up_at - first, abs=0.1)
    assert up.failures == len(failed)
    (warning,) = records(logging.WARNING)
    assert warning == f"no answer for {down.seconds:.0f} s: {down.reason}"
    assert [text for text in records(logging.INFO) if "answers again" in text]


@pytest.mark.long
async def test_each_outage_is_reported(api, open_session, heard):
    """A second outage of the same wait is reported, too."""
    session = await open_session(on_event=heard.on_event)
    task = api.add(lives(200.0))
    first, second = _outage(10.0, 40.0, CUT), _outage(100.0, 130.0, UNAVAILABLE)
    api.fault = lambda call: first(call) or second(call)

    await session.wait(task.id)

    assert [event.reason for _at, event in heard.down] == [
        "the server closed the connection without an answer",
        "status 503",
    ]
    assert len(heard.up) == 2


@pytest.mark.long
@pytest.mark.parametrize(("count", "seconds"), [(1, 500.0), (300, 150.0)])
async def test_single_lost_requests_are_no_outage(
    api, open_session, heard, records, count, seconds
):
    """With 5 % of all requests lost, nothing is reported."""
    session = await open_session(on_event=heard.on_event)
    draw = random.Random(1)
    lost = []

    def fault(call: Call) -> Fault | None:
        is_lost = draw.random() < 0.05
        lost.extend([call] * is_lost)
        return CUT if is_lost else None

    api.fault = fault
    tasks = [api.add(lives(seconds)) for _ in range(count)]

    await asyncio.gather(*(session.wait(task.id) for task in tasks))

    assert len(lost) >= 5
    assert (heard.down, heard.up, records(logging.WARNING)) == ([], [], [])


@pytest.mark.long
@pytest.mark.parametrize("count", [2, 30])
@pytest.mark.parametrize(
    "fault",
    [UNAVAILABLE, CUT, Fault(status=429), Fault(status=200, body="<html>")],
    ids=["503", "cut", "429", "a page"],
)
async def test_a_route_that_fails_is_no_outage(api, open_session, heard, fault, count):
    """While status calls are answered, a list that fails is not reported."""
    session = await open_session(on_event=heard.on_event)
    api.fault = lambda call: fault if call.route == "list" else None
    tasks = [api.add(lives(60.0)) for _ in range(count)]

    await asyncio.gather(*(session.wait(task.id) for task in tasks))

    assert api.count("list") >= 3
    assert (heard.down, heard.up) == ([], [])


@pytest.mark.parametrize("status", [429, 409, 425])
async def test_a_refusal_is_no_outage(api, open_session, heard, status):
    """A service that refuses with a reason is reachable."""
    session = await open_session(on_event=heard.on_event)
    api.fault = _outage(5.0, 60.0, Fault(status=status))
    task = api.add(lives(60.0))

    await session.wait(task.id)

    assert (heard.down, heard.up) == ([], [])


async def test_an_unanswered_call_and_a_much_later_one_are_no_outage(api, open_session, heard):
    """Between them no call was made for ten minutes, so nothing is known of that time."""
    session = await open_session(on_event=heard.on_event, retry=RetryPolicy(max_attempts=1))
    api.fault = lambda _call: CUT
    for _call in range(2):
        with pytest.raises(errors.APIConnectionError):
            await session.ping()
        await asyncio.sleep(600.0)

    assert (heard.down, heard.up) == ([], [])


async def test_an_outage_without_calls_goes_on(api, open_session, heard):
    """Once it is reported only an answer ends it, and it is one outage."""
    session = await open_session(on_event=heard.on_event, retry=RetryPolicy(max_attempts=1))
    api.fault = lambda _call: CUT
    for pause in (1.0, 3.0, 120.0, 1.0, 3.0):
        await asyncio.sleep(pause)
        with pytest.raises(errors.APIConnectionError):
            await session.ping()
    await asyncio.sleep(3.0)
    api.fault = lambda _call: None
    await session.ping()

    assert (len(heard.down), len(heard.up)) == (1, 1)
    assert heard.up[0][1].failures == 5


async def test_a_web_page_ends_no_outage(api, open_session, heard):
    """A proxy's page with status 200 says nothing about the service behind it."""
    session = await open_session(on_event=heard.on_event)
    task = api.add(lives(70.0))
    pages = _outage(10.0, 60.0, Fault(status=200, body="<html>"))
    cuts = _outage(10.0, 60.0, CUT)
    api.fault = lambda call: cuts(call) if call.number % 2 else pages(call)

    await session.wait(task.id)

    assert (len(heard.down), len(heard.up)) == (1, 1)
    assert heard.up[0][0] >= 60.0


async def test_an_outage_begins_with_the_last_answer(api, open_session, heard):
    """It does not begin with a request that was sent before another answer, and lost later."""
    session = await open_session(on_event=heard.on_event, retry=RetryPolicy(max_attempts=1))
    api.break_calls("ping", {1: Fault(cut=True, stall=10.0), 3: CUT, 4: CUT})
    lost = asyncio.create_task(session.ping())
    await asyncio.sleep(5.0)
    await session.ping()
    with pytest.raises(errors.APIConnectionError):
        await lost
    for _call in range(2):
        with pytest.raises(errors.APIConnectionError):
            await session.ping()
        await asyncio.sleep(2.5)

    ((at, down),) = heard.down
    assert at >= 12.5  # a lost request proves nothing about the time since
    assert down.seconds == pytest.approx(at - 5.0, abs=0.1)


async def test_a_list_that_is_refused_a_connection_is_an_outage(unserved, heard):
    """No server listens, so that no other call is needed to know it."""
    for _call in range(2):
        with pytest.raises(errors.APIConnectionError):
            await unserved.tasks.list()
        await asyncio.sleep(2.5)

    assert len(heard.down) == 1


async def test_calls_that_are_made_again_report_an_outage(api, open_session, heard):
    """Besides waits, the attempts of a call count, and the next answered call ends it."""
    session = await open_session(
        on_event=heard.on_event, retry=RetryPolicy(max_attempts=6, base_delay=4.0)
    )
    api.fault = lambda _call: CUT
    with pytest.raises(errors.APIConnectionError):
        await session.ping()
    api.fault = lambda _call: None
    await session.ping()

    assert (len(heard.down), len(heard.up)) == (1, 1)


async def test_nothing_is_reported_after_closing(api, open_session, heard):
    """A session that was closed between the failure and the report is silent."""
    session = await open_session(on_event=heard.on_event)
    api.fault = lambda _call: CUT
    task = api.add(lives(60.0))
    waiting = asyncio.create_task(session.wait(task.id))
    await asyncio.sleep(1.5)
    await session.aclose()
    with pytest.raises(errors.SessionClosedError):
        await waiting
    await asyncio.sleep(10.0)

    assert heard.down == []


# --- a task that was never seen -------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 200])
async def test_a_task_that_was_never_seen_is_not_waited_for(unserved, count):
    """No server listens: the waits fail within seconds, and say why and what to check."""
    raised = await asyncio.gather(
        *(unserved.wait(f"task-{number}") for number in range(count)), return_exceptions=True
    )

    assert loop_time() <= 15.0
    assert {type(error) for error in raised} == {errors.WaitInterruptedError}
    for number, error in enumerate(raised):
        assert isinstance(error, errors.WaitInterruptedError)
        assert error.task_id == f"task-{number}"
        assert isinstance(error.__cause__, errors.APIConnectionError)
        assert "Connection refused" in str(error)
        assert "base_url" in str(error)
        assert "lives on" not in str(error)
        assert "live on" not in str(error)


async def test_a_timeout_quotes_the_refused_connection(unserved):
    """It does not claim that a task runs that was never seen."""
    with pytest.raises(errors.WaitTimeoutError) as caught:
        await unserved.wait("x", timeout=1.0)

    assert loop_time() == pytest.approx(1.0, abs=0.05)
    assert isinstance(caught.value.__cause__, errors.APIConnectionError)
    assert "Connection refused" in str(caught.value)
    assert "live" not in str(caught.value)


async def test_a_timeout_of_a_seen_task_quotes_the_outage(api, session):
    """The error has the last status, and the failure since then."""
    handle = session.handle(api.add(lives(1e6)).id)
    api.fault = _outage(5.0, 1e9, CUT)

    with pytest.raises(errors.WaitTimeoutError) as caught:
        await handle.wait(timeout=60.0)

    assert caught.value.last_status is TaskStatus.RUNNING
    assert isinstance(caught.value.__cause__, errors.APIConnectionError)
    assert "last seen as running" in str(caught.value)
    assert "closed the connection" in str(caught.value)
    assert "may live on" in str(caught.value)


async def test_a_timeout_without_a_failure_has_no_cause(api, session):
    """A task that only takes longer runs on."""
    api.fault = lambda call: CUT if call.number == 3 else None

    with pytest.raises(errors.WaitTimeoutError) as caught:
        await session.wait(api.add(lives(1e6)).id, timeout=60.0)

    assert caught.value.__cause__ is None
    assert "It lives on" in str(caught.value)


@pytest.mark.parametrize("how", ["created here", "seen by a stream", "seen by an earlier wait"])
async def test_a_known_task_is_waited_for(api, session, how):
    """Five minutes of outage from the first poll of a wait on are tolerated."""
    api.make = lambda _body: lives(200.0)
    handle = await session.submit("x")
    if how != "created here":
        handle = session.handle(handle.id)
    if how == "seen by a stream":
        assert await anext(handle.stream_status()) is TaskStatus.RUNNING
    elif how == "seen by an earlier wait":
        with pytest.raises(errors.WaitTimeoutError):
            await session.wait(handle.id, timeout=5.0)
    api.fault = _outage(loop_time(), loop_time() + 300.0, CUT)

    ended = await handle.wait()

    assert ended.status is TaskStatus.FINISHED


async def test_a_service_that_comes_back_at_once_loses_no_unseen_task(api, open_session):
    """Single failures at the start of a wait do not end it."""
    session = await open_session(poll=PollPolicy(latency_target=None))
    api.fault = lambda call: CUT if call.number <= 2 else None

    ended = await session.wait(api.add(lives(5.0)).id)

    assert ended.status is TaskStatus.FINISHED
