"""Submission keys: the same key is the same task, and a lost answer is repeated."""

import asyncio
import itertools
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiohttp import ClientHandlerType, ClientRequest, ClientResponse

from browser_use_async import BrowserUseSession, RetryPolicy, errors
from browser_use_async.batch import ItemState
from browser_use_async.events import KeyIgnored, SubmissionAdopted
from browser_use_async.server import LocalServer
from browser_use_async.server.executors.scripted import Scenario, ScriptedExecutor
from browser_use_async.server.faults import Fault
from browser_use_async.server.http.static_site import StaticSite
from browser_use_async.transport.config import Runtime
from tests.support.fake_api import LOST_AFTER, FakeTask
from tests.support.hygiene import KEY
from tests.support.patience import until
from tests.support.wire import Connection, Request, WireServer, answering, response

FAST = RetryPolicy(base_delay=0.001, max_delay=0.002)
QUICK = Scenario(steps=("Open it",), step_seconds=0, output="The answer")
HANGS = Scenario(steps=("Wait",), step_seconds=0, hangs=True)
BAD_KEYS: list[Any] = ["", "x" * 256, "a\nb", 7]


@pytest.fixture(params=[True, False], ids=["keys are kept", "no keys"])
def server_options(nothing_leaks, request):
    """Servers that keep keys, and servers that know none."""
    executor = ScriptedExecutor({"hangs": HANGS}, default=QUICK)
    return {"executor": executor, "submission_keys": request.param}


@pytest.fixture
async def keeper(nothing_leaks):
    """A server that keeps keys."""
    executor = ScriptedExecutor({"hangs": HANGS}, default=QUICK)
    async with LocalServer(executor=executor) as started:
        yield started


def _session(server: LocalServer, **options: Any) -> BrowserUseSession:
    given = {"api_key": server.api_key, "base_url": server.base_url, "retry": FAST, **options}
    return BrowserUseSession(**given)


async def _count(session: BrowserUseSession) -> int:
    return (await session.tasks.list(limit=1)).total_count


def _answered_with(status: int, every: int) -> Any:
    """Show some answers to run-task as if a proxy had given them another status."""
    numbers = itertools.count(1)

    async def replace(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        answer = await handler(request)
        if request.method == "POST" and next(numbers) % every == 0:
            answer.status = status
        return answer

    return replace


# --- redirects --------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [302, 303])
async def test_a_task_whose_creation_was_answered_with_a_redirect_is_found(
    server, tmp_path, status
):
    """A fifth of the items of a batch: each has its task, and a second run pays none again."""
    texts = [f"Pay {number}" for number in range(60)]
    options: Any = {"ledger": tmp_path / "run.db", "concurrency": 20, "max_agent_steps": 1}
    middlewares = (_answered_with(status, every=5),)
    async with _session(server, middlewares=middlewares) as session:
        for _ in range(2):
            results = await session.run_many(texts, **options).collect()
            ids = [each.task_id for each in results if each.state is ItemState.DONE]

            assert len(set(ids)) == len(texts) == await _count(session)


# --- one task for one key ---------------------------------------------------------------------


async def test_the_same_key_is_the_same_task(server):
    """Also from another session, and after the task has ended."""
    async with _session(server) as first, _session(server) as second:
        task = await first.run_and_wait("Pay", key="invoice-7")
        again = await second.run_and_wait("Pay", key="invoice-7")
        other = await second.submit("Pay", key="invoice-8")

        assert task.id == again.id != other.id
        assert again.output == "The answer"
        assert await _count(first) == 2


async def test_many_submissions_with_one_key_are_one_task(keeper):
    """At the same moment, from two sessions."""
    async with _session(keeper) as first, _session(keeper) as second:
        handles = await asyncio.gather(
            *(session.submit("Pay", key="k") for session in (first, second) for _ in range(20))
        )

        assert len({handle.id for handle in handles}) == 1
        assert await _count(first) == 1


async def test_a_key_of_another_request_is_refused(server):
    """With the fields that differ, and none of their values."""
    async with _session(server) as session:
        more: Any = {"key": "k", "allowed_domains": ["localhost"]}
        first = await session.submit("Pay 7 to Ann", secrets={"pin": "4711"}, **more)
        with pytest.raises(errors.SubmissionKeyConflictError) as caught:
            await session.submit("Pay 8 to Ann", secrets={"pin": "4712"}, **more)

        assert (caught.value.key, caught.value.task_id) == ("k", first.id)
        assert "task" in caught.value.fields
        for value in ("Ann", "4711", "4712"):
            assert value not in str(caught.value)
        assert await _count(session) == 1


async def test_a_trace_does_not_make_another_request(keeper):
    """The pairs that clients add to the metadata for themselves are not compared."""
    async with _session(keeper) as first, _session(keeper) as second:
        handle = await first.submit("Pay", key="k", metadata={"team": "a"})
        again = await second.submit("Pay", key="k", metadata={"team": "a"})
        with pytest.raises(errors.SubmissionKeyConflictError) as caught:
            await second.submit("Pay", key="k", metadata={"team": "b"})

        assert handle.id == again.id
        assert caught.value.fields == ("metadata",)


@pytest.mark.parametrize("key", BAD_KEYS)
async def test_what_is_no_key_is_refused(nothing_leaks, key):
    """Before anything is sent."""
    async with BrowserUseSession(KEY, base_url="http://127.0.0.1:9/api/v1") as session:
        with pytest.raises(errors.InvalidRequestError, match="1 to 255 printable") as caught:
            await session.submit("Pay", key=key)

    assert caught.value.field == "key"


async def test_a_cancelled_call_leaves_the_task_of_its_key(keeper):
    """Other callers may wait for the task, and the key finds it again."""
    async with _session(keeper) as session:
        call = asyncio.create_task(session.run_and_wait("hangs", key="k"))
        other = await session.submit("hangs", key="k")
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call

        assert not (await other.get_status()).is_terminal


async def test_a_task_that_exists_costs_a_budget_nothing(keeper):
    """A call that joins a task pays nothing."""
    async with _session(keeper) as session:
        await session.run_and_wait("Pay", key="k", max_agent_steps=5)
        async with session.budget(100) as budget:
            await session.run_and_wait("Pay", key="k", max_agent_steps=5)

        assert budget.spent_cents == budget.reserved_cents == 0


# --- lost answers -----------------------------------------------------------------------------


async def test_a_first_lost_answer_is_asked_for_again(keeper):
    """One page of the list shows that keys are kept, and has the task."""
    events: list[object] = []
    async with _session(keeper, on_event=events.append) as session:
        keeper.set_faults([Fault("lost_reply", ("run_task",), calls=(1,))])
        handle = await session.submit("Pay")

        assert (await handle.wait()).output == "The answer"
        assert await _count(session) == 1
        assert SubmissionAdopted in map(type, events)


@pytest.mark.parametrize("kind", ["lost_reply", "reset"])
async def test_a_later_lost_answer_is_asked_for_again_at_once(keeper, kind):
    """The list is not read, whether the request was executed or not."""
    async with _session(keeper) as session:
        await session.submit("Pay")
        keeper.set_faults(
            [
                Fault(kind, ("run_task",), calls=(1,)),
                Fault("status", ("list_tasks",), status=500, name="list"),
            ]
        )
        handle = await session.submit("Pay")

        assert keeper.faults_fired == {f"{kind} run_task": 1}
        keeper.set_faults([])
        assert (await handle.wait()).output == "The answer"
        assert await _count(session) == 2


async def test_requests_that_never_arrived_are_sent_again(keeper):
    """The list does not show the task, and the key makes the repetition safe."""
    async with _session(keeper) as session:
        keeper.set_faults([Fault("reset", ("run_task",), calls=(1, 2), when="before")])
        await session.submit("Pay")

        assert await _count(session) == 1


@pytest.mark.parametrize("status", [402, 422])
@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_refusal_after_a_lost_answer_is_resolved(keeper, status, when):
    """A refused repetition says nothing of the first request: the error finds its task."""
    runtime = Runtime(settle_window=0.2)
    async with _session(keeper, runtime=runtime) as session, session.budget(cents=30) as budget:
        await session.run_and_wait("First", max_agent_steps=1)
        spent = budget.spent_cents
        lost = Fault("reset", ("run_task",), calls=(1,), when=when)
        keeper.set_faults([lost, Fault("status", ("run_task",), calls=(2,), status=status)])
        with pytest.raises(
            errors.SubmissionUnknownError, match="its repetition was refused"
        ) as caught:
            await session.submit("Pay", max_agent_steps=10)

        assert isinstance(caught.value.__cause__, errors.APIStatusError)
        assert caught.value.__cause__.status == status
        assert budget.reserved_cents == 26
        found = await caught.value.resolve()
        assert (found is not None) == (when == "after")
        if found is not None:
            await session.wait(found)
        assert (budget.reserved_cents, budget.spent_cents > spent) == (0, when == "after")


async def test_a_key_needs_no_pair_of_metadata_where_it_is_kept(keeper):
    """The list shows that keys are kept, before anything is sent."""
    pairs = {f"pair-{number}": "x" for number in range(10)}
    async with _session(keeper) as session:
        first = await session.submit("Pay", metadata=pairs, key="k")
        again = await session.submit("Pay", metadata=pairs, key="k")

    assert first.id == again.id
    assert (first.joined, again.joined) == (False, True)


@pytest.mark.parametrize("has_own_key", [True, False])
async def test_all_metadata_may_be_the_callers_own(keeper, has_own_key):
    """Where keys are kept, no pair is needed to find the task again."""
    pairs = {f"pair-{number}": "x" for number in range(10)}
    key = "k" if has_own_key else None
    async with _session(keeper) as session:
        await session.submit("First")
        keeper.set_faults([Fault("lost_reply", ("run_task",), calls=(1,))])
        handle = await session.submit("Pay", metadata=pairs, key=key)

        assert (await session.tasks.get(handle.id)).metadata == pairs
        assert await _count(session) == 2


async def test_all_creating_calls_are_made_good(keeper):
    """This includes plain calls, and each creates one thing."""
    async with _session(keeper) as session:
        await session.tasks.run("First")
        before = await session.browser_profiles.list()
        lost = ("run_task", "create_browser_profile", "create_scheduled_task")
        keeper.set_faults([Fault("lost_reply", (call,), calls=(1,)) for call in lost])
        task = await session.tasks.run("Pay")
        profile = await session.browser_profiles.create(profile_name="p")
        schedule = await session.scheduled_tasks.create(
            "Pay",
            schedule_type="interval",
            interval_minutes=60,
            start_at=datetime.now(UTC) + timedelta(days=1),
        )

        assert sum(keeper.faults_fired.values()) == 3
        assert (await session.tasks.list()).tasks[0].id == task.id
        assert await _count(session) == 2
        after = await session.browser_profiles.list()
        schedules = (await session.scheduled_tasks.list()).tasks
        assert [each for each in after.profiles if each not in before.profiles] == [profile]
        assert [each.id for each in schedules] == [schedule.id]


@pytest.mark.parametrize("call", ["simple_search", "search_url"])
async def test_a_lost_search_is_asked_for_again(call, nothing_leaks, tmp_path):
    """It is paid once, where an answer has shown that keys are kept; else it is lost."""
    (tmp_path / "index.html").write_text("<title>Baker</title><p>We bake bread.</p>")
    async with (
        StaticSite(tmp_path) as site,
        LocalServer(executor="scripted", search=[site.url]) as server,
        _session(server) as session,
    ):
        searches = {
            "simple_search": lambda: session.search.simple_search("bread", max_websites=1),
            "search_url": lambda: session.search.search_url(site.url, "bread"),
        }
        server.set_faults([Fault("lost_reply", (call,), calls=(1,))])
        with pytest.raises(errors.APIConnectionError, match="may have been paid for"):
            await searches[call]()
        first = await searches[call]()
        before = (await session.account.get_balance()).cents
        server.set_faults([Fault("lost_reply", (call,), calls=(1, 2))])
        again = await searches[call]()
        paid = before - (await session.account.get_balance()).cents

    assert again == first
    assert paid == 2


# --- services without keys ----------------------------------------------------------------------


@pytest.mark.looptime
async def test_keys_are_searched_for_within_their_window(api, open_session):
    """The list is read a day back, and not further."""
    api.epoch -= timedelta(hours=40)
    first = await (await open_session()).submit("Pay", key="k")
    assert not first.joined
    for _ in range(150):
        api.add(FakeTask(task="newer"))
    session = await open_session()
    again = await session.submit("Pay", key="k")
    api.epoch += timedelta(hours=20)
    for _ in range(150):
        api.add(FakeTask(task="much newer"))
    api.epoch += timedelta(hours=20)
    for _ in range(150):
        api.add(FakeTask(task="newest"))
    anew = await (await open_session()).submit("Pay", key="k")

    assert first.id == again.id != anew.id
    assert again.joined


@pytest.mark.looptime
async def test_lost_answers_with_a_key_are_searched_for(api, session):
    """The search is the same as without a key."""
    api.break_calls("run", {1: LOST_AFTER})
    handle = await session.submit("Pay", key="k")

    assert handle.id == api.only_task().id
    assert api.count("run") == 1


@pytest.mark.looptime
async def test_a_key_needs_a_pair_of_metadata_there(api, session):
    """Without the pair the task could not be found again."""
    with pytest.raises(errors.InvalidRequestError, match="one of the 10 pairs"):
        await session.submit("Pay", key="k", metadata={f"p{n}": "x" for n in range(10)})

    assert api.count("run") == 0


# --- proxies ------------------------------------------------------------------------------------


class _Between:
    """A server with keys behind a proxy that changes each answer to run-task."""

    def __init__(self, *treatments: str) -> None:
        self.treatments = list(treatments)
        self.created: list[str] = []

    async def __call__(self, connection: Connection) -> None:
        while True:
            request = await connection.read_request()
            if request.method == "POST" and "run-task" in request.target:
                treatment = self.treatments.pop(0)
                self.created.append(f"task-{len(self.created)}")
                if treatment == "lost":
                    connection.reset()
                    return
                headers = _echo(request) if treatment == "echo" else {}
                if treatment == "of another":
                    headers = {**_echo(request), "Idempotency-Key": '"another"'}
                connection.send(_json({"id": self.created[-1]}, headers))
            else:
                page = {"tasks": [], "total_pages": 0, "page": 1, "limit": 100, "total_count": 0}
                connection.send(_json(page, _echo(request)))


def _json(content: dict[str, Any], headers: dict[str, str]) -> bytes:
    return response(200, json.dumps(content), headers=[*headers.items()])


def _echo(request: Request) -> dict[str, str]:
    key = request.headers.get("idempotency-key")
    supported = {"Idempotency-Key-Supported": "?1"}
    return supported if key is None else {"Idempotency-Key": key, **supported}


async def test_a_proxy_that_takes_keys_away_is_reported(nothing_leaks):
    """The warning comes once, and keys are not relied on any more."""
    events: list[object] = []
    between = _Between("echo", "lost", "stripped", "stripped", "lost")
    async with (
        WireServer(between) as wire,
        BrowserUseSession(
            KEY,
            base_url=wire.url,
            retry=FAST,
            on_event=events.append,
            runtime=Runtime(settle_window=0.0),
        ) as session,
    ):
        await session.submit("one")
        second = await session.submit("two")
        await session.submit("three")
        with pytest.raises(errors.SubmissionUnknownError):
            await session.submit("four")

    assert second.id == "task-2"
    ignored = [event for event in events if isinstance(event, KeyIgnored)]
    assert ignored == [KeyIgnored("run_task", "task-2", may_be_second=True)]
    assert "may be the second one" in str(ignored[0])
    assert between.treatments == []


async def test_an_answer_with_another_key_is_not_believed(nothing_leaks):
    """A cache may answer so; the request is sent again."""
    between = _Between("echo", "of another", "echo")
    async with (
        WireServer(between) as wire,
        BrowserUseSession(KEY, base_url=wire.url, retry=FAST) as session,
    ):
        await session.submit("one")
        handle = await session.submit("two")

    assert handle.id == "task-2"


@pytest.mark.parametrize("echo", ["", "0815", '"another"', "invoice-7"])
async def test_other_servers_may_use_the_header_in_their_own_way(nothing_leaks, echo):
    """Without the header that confirms keys, theirs is ignored."""
    created = response(200, '{"id": "t-1"}', headers=[("Idempotency-Key", echo)])
    async with (
        WireServer(answering(created)) as wire,
        BrowserUseSession(KEY, base_url=wire.url, retry=FAST) as session,
    ):
        assert (await session.tasks.run("Pay")).id == "t-1"


async def test_connections_are_kept_where_keys_are(nothing_leaks):
    """The first call uses a connection of its own, since nothing is known before its answer."""
    between = _Between(*["echo"] * 6)
    async with (
        WireServer(between) as wire,
        BrowserUseSession(KEY, base_url=wire.url) as session,
    ):
        for number in range(6):
            await session.submit(f"task {number}")

        assert len(between.created) == 6
        assert len(wire.connections) == 2
    await until(lambda: all(each.client_closed for each in wire.connections))
