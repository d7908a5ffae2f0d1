"""The quota in the header `RateLimit` is read, and not exceeded."""

import asyncio
from collections.abc import AsyncIterator, Mapping

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from browser_use_async import BrowserUseSession, CallLimits, RetryPolicy
from browser_use_async.server.http.call_quota import CallQuota
from browser_use_async.server.http.errors import QuotaSpentError
from browser_use_async.transport.call_quotas import MAX_POLICIES, CallQuotas, read_rate_limit
from tests.support.fake_api import FakeApi, Fault
from tests.support.fake_task import lives
from tests.support.hygiene import KEY
from tests.support.virtual_time import loop_time

pytestmark = pytest.mark.looptime

PATIENT = RetryPolicy(max_attempts=100)


class LimitedApi(FakeApi):
    """A service that limits calls as the bundled server does, with or without the header.

    Attributes:
        quota: The limit; None for no limit.
        says: Whether its answers have the rest, and refusals the time of the next call.
        header: The text of the header instead of that.
        refused: When it refused calls.
    """

    def __init__(self) -> None:
        super().__init__()
        self.quota: CallQuota | None = None
        self.says = True
        self.header: str | None = None
        self.refused: list[float] = []

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        said: Mapping[str, str] = {}
        try:
            if self.quota is not None:
                said = self.quota.spend("owner")
        except QuotaSpentError as refusal:
            self.refused.append(loop_time())
            response: web.StreamResponse = web.json_response(refusal.body, status=429)
            said = refusal.headers
        else:
            response = await super()._handle(request)
        response.headers.update(said if self.says else {})
        if self.header is not None:
            response.headers["RateLimit"] = self.header
        return response


@pytest.fixture
async def limited(nothing_leaks: None) -> AsyncIterator[LimitedApi]:
    """A service without a limit yet."""
    async with LimitedApi() as started:
        started.latency = 0.05
        yield started


def _session(api: FakeApi, in_flight: int = 20) -> BrowserUseSession:
    limits = CallLimits(max_in_flight=in_flight)
    return BrowserUseSession(api_key=KEY, base_url=api.url, retry=PATIENT, limits=limits)


async def _read_statuses(session: BrowserUseSession, task_id: str, count: int) -> None:
    await asyncio.gather(*(session.tasks.get_status(task_id) for _ in range(count)))


@pytest.mark.parametrize("says", [True, False], ids=["with the header", "control"])
async def test_a_limited_service_has_to_refuse_no_call(limited: LimitedApi, *, says: bool):
    """100 calls at 40 in ten seconds: no 429, in the time that the limit requires."""
    limited.quota, limited.says = CallQuota(40, 10), says
    task = limited.add(lives(1e6))

    async with _session(limited) as session:
        await _read_statuses(session, task.id, 100)

    refused = len(limited.refused)
    print(f"{refused} refusals in {loop_time():.1f} s, {len(limited.times())} calls carried out")
    assert refused == 0 if says else refused >= 100
    assert not says or loop_time() <= 21.0


async def test_programs_that_share_a_key_share_its_quota(limited: LimitedApi):
    """Five independent sessions get a few refusals in each window."""
    limited.quota = CallQuota(100, 10)
    task = limited.add(lives(1e6))
    sessions = [_session(limited, in_flight=4) for _ in range(5)]

    async with asyncio.TaskGroup() as group:
        for session in sessions:
            group.create_task(_read_statuses(session, task.id, 50))

    for session in sessions:
        await session.aclose()
    print(f"{len(limited.refused)} refusals in {loop_time():.1f} s")
    assert len(limited.refused) <= 20
    assert loop_time() <= 25.0


async def test_calls_within_the_quota_are_not_delayed(limited: LimitedApi):
    """A hundred calls of a hundred are sent at once."""
    limited.quota = CallQuota(100, 10)
    task = limited.add(lives(1e6))

    async with _session(limited) as session:
        await _read_statuses(session, task.id, 100)

    assert loop_time() <= 0.5
    assert not limited.refused


async def test_a_quota_concerns_the_calls_whose_answers_name_it(limited: LimitedApi):
    """A stop is sent while status calls have to wait, as its answers had no quota."""
    limited.quota = CallQuota(5, 10)
    task = limited.add(lives(1e6))

    async with _session(limited) as session:
        await _read_statuses(session, task.id, 5)
        limited.quota, waiting = None, asyncio.create_task(session.tasks.get_status(task.id))
        await session.tasks.stop(task.id)
        stopped_at = loop_time()
        await waiting

    assert stopped_at <= 0.5
    assert loop_time() >= 9.0


@pytest.mark.parametrize(
    "header",
    [
        '"a";r=999999999999999;t=1',
        '"a";r=9999999999999999999;t=5',  # more digits than an integer of the field has
        '"a";r=0;t=999999999',
        '"a";r=0;t=61',  # beyond what a call waits for, `retry_after_cap`
        '"a";r=-1;t=5',
        '"a";r=0;t=-5',
        '"a";r=0.5;t=5.5',
        '"a";r="0";t="5"',
        '"a";r=0',  # without a time
        '"a";t=5',
        '"a";r=0;t=5;pk=:YQ==:',  # of one partition, and which calls are in it is not known
        '"a";r=0;t=5, ',
        '"a;r=0;t=5',
        "r=0;t=5;;",
        "limit=10, remaining=0, reset=5",  # what an older draft had
        ", ".join(f'"p{number}";r=0;t=5' for number in range(MAX_POLICIES + 1)),
        '"a";r=0;t=5' + " " * 1000 + ',"b";r=0;t=5',
        "\x80",
        "",
    ],
)
async def test_an_invalid_quota_delays_no_call(header: str, limited: LimitedApi):
    """For absurd, malformed or too many values: calls are sent as without the header."""
    limited.header = header
    task = limited.add(lives(1e6))

    async with _session(limited) as session:
        for _ in range(3):
            await _read_statuses(session, task.id, 40)

    assert loop_time() <= 0.5


async def test_made_up_policies_do_not_pile_up(limited: LimitedApi):
    """Each answer names another one, and the session's memory stays bounded."""
    quotas = CallQuotas(60.0)
    for number in range(10_000):
        quotas.learn(f"call {number % 40}", f'"p{number}";r=9;t=5', float(number))
    policies = {id(each) for kept in quotas.by_call.values() for each in kept}

    assert len(policies) <= 33


async def test_retry_after_overrules_the_quota(limited: LimitedApi):
    """The quota says that nothing is left for 50 s, and `Retry-After` two seconds."""
    task = limited.add(lives(1e6))
    limited.header = '"a";r=0;t=50'
    limited.break_calls("stop", {1: Fault(status=429, headers={"Retry-After": "2"})})

    async with _session(limited) as session:
        await session.tasks.get_status(task.id)
        held = asyncio.create_task(session.tasks.get_status(task.id))
        limited.header = None
        await session.tasks.stop(task.id)
        await held

    assert 2.0 <= loop_time() <= 5.0


async def test_a_limit_that_has_gone_is_forgotten(limited: LimitedApi):
    """Once the window is over and the answers have no quota any more, calls are sent at once."""
    limited.quota = CallQuota(10, 10)
    task = limited.add(lives(1e6))

    async with _session(limited) as session:
        await _read_statuses(session, task.id, 10)
        limited.quota = None
        await _read_statuses(session, task.id, 200)

    assert loop_time() <= 11.5


async def test_a_lost_answer_after_the_reset_delays_no_other(limited: LimitedApi):
    """The call that learns the new rest hangs, and the others are sent after a second each."""
    quotas = CallQuotas(60.0)
    quotas.learn("status", '"a";r=0;t=5', 0.0)

    assert quotas.admits_at("status", 0, 1.0) == 5.0
    assert quotas.admits_at("status", 0, 5.0) <= 5.0
    quotas.record_begin("status", 5.0)
    assert quotas.admits_at("status", 1, 5.0) == 6.0
    quotas.record_silence("status", 5.5)
    assert quotas.admits_at("status", 0, 5.5) <= 5.5


def test_answers_out_of_order_do_not_raise_the_rest():
    """The answer with nothing left came before one with one left, and it applies."""
    quotas = CallQuotas(60.0)
    for remaining in (9, 0, 1):
        quotas.learn("status", f'"a";r={remaining};t=8', 0.0)

    assert quotas.admits_at("status", 0, 0.1) == 8.0


def test_the_strictest_of_several_policies_counts():
    """Two windows at once, as services have them."""
    quotas = CallQuotas(60.0)
    quotas.learn("status", '"second";r=9;t=1, "minute";r=0;t=40', 0.0)

    assert quotas.admits_at("status", 0, 0.1) == 40.0


@pytest.mark.parametrize(
    ("text", "limits"),
    [
        ('"default";r=50;t=30', [('"default"', 50, 30)]),
        ('"a b\\"c";r=1;t=2;acme-x=?1', [('"a b\\"c"', 1, 2)]),
        ('"a";r=1;t=2 ,\t"b";r=3;t=4', [('"a"', 1, 2), ('"b"', 3, 4)]),
        ("token;r=1;t=2", [("token", 1, 2)]),
        ('"a"; r=1; t=2;r=7', [('"a"', 7, 2)]),  # of a repeated parameter the last one counts
        ('"none";r=999, "a";r=1;t=2', [('"a"', 1, 2)]),
    ],
)
def test_the_forms_of_the_field(text: str, limits: list[tuple[str, int, int]]):
    """Those of the draft, and what structured fields allow besides."""
    assert read_rate_limit(text) == limits


LIMITS = st.lists(
    st.tuples(st.sampled_from("abc"), st.integers(0, 10**15), st.integers(0, 10**15)), max_size=3
)
STEPS = st.tuples(
    st.sampled_from(["status", "list"]),
    LIMITS | st.just(None),
    st.floats(0.0, 100.0),
    st.booleans(),
)


@given(st.lists(STEPS, max_size=30), st.integers(0, 100))
def test_no_call_is_delayed_for_longer_than_the_longest_wait(
    steps: list[tuple[str, list[tuple[str, int, int]] | None, float, bool]], in_flight: int
):
    """For any headers in any order: the limit that was set here, a minute, is kept."""
    quotas, now = CallQuotas(60.0), 0.0
    for call, limits, seconds, begins in steps:
        now += seconds
        if begins:
            quotas.record_begin(call, now)
        if limits is None:
            quotas.record_silence(call, now)
        else:
            quotas.learn(call, ", ".join(f'"{name}";r={r};t={t}' for name, r, t in limits), now)
        for each in ("status", "list", "stop"):
            assert quotas.admits_at(each, in_flight, now) <= now + 60.0


@given(st.text(max_size=60) | st.text(alphabet='"a;r=t0159,:.?-\\ ', max_size=120))
def test_any_text_is_read_or_ignored(text: str):
    """The result is numbers that may be in a field, and never an exception."""
    for limit in read_rate_limit(text):
        assert limit.remaining >= 0
        assert limit.seconds >= 0
