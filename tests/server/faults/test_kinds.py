"""Each kind of fault on the wire, and whether the call is executed."""

import asyncio
import json
import random
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from browser_use_async.server import Fault, LocalServer, faults
from tests.server.faults.raw import Exchange, create, exchange

PACE = 20.0  # bytes per second
CALLS = (2, 5)

pytestmark = pytest.mark.looptime


@pytest.fixture
def server_options(nothing_leaks):
    """A server whose tasks end at once, without faults at first."""
    return {"executor": "scripted"}


def _is_cut(got: Exchange) -> bool:
    return (got.received, got.ended) == (b"", "fin")


def _is_reset(got: Exchange) -> bool:
    return (got.received, got.ended) == (b"", "rst")


def _is_slow(got: Exchange) -> bool:
    return got.is_whole and 7 <= got.seconds < 8


def _is_refused(got: Exchange) -> bool:
    return got.is_whole and got.status == 429 and got.headers["retry-after"] == "2"


def _is_short(got: Exchange) -> bool:
    return len(got.body) == 9 and int(got.headers["content-length"]) == 45


def _is_no_http(got: Exchange) -> bool:
    return bool(got.received) and got.status == 0


def _is_dripping(got: Exchange) -> bool:
    return got.is_whole and got.seconds == pytest.approx(len(got.body) / PACE, abs=0.2)


def _is_html(got: Exchange) -> bool:
    return got.is_whole and got.headers["content-type"] == "text/html"


def _is_right(got: Exchange) -> bool:
    return (
        got.is_whole
        and got.status == 200
        and got.ended == "fin"
        and got.seconds < 0.5
        and got.headers["content-type"] == "application/json"
    )


Sight = Callable[[Exchange], bool]

# The fields of a fault, what the client sees, and whether the task is created.
KINDS: dict[str, tuple[dict[str, Any], Sight, bool]] = {
    "latency": ({"seconds": 7}, _is_slow, True),
    "latency after": ({"seconds": 7, "when": "after"}, _is_slow, True),
    "status": ({"status": 429, "headers": {"Retry-After": "2"}}, _is_refused, False),
    "status after": (
        {"status": 429, "headers": {"Retry-After": "2"}, "when": "after"},
        _is_refused,
        True,
    ),
    "lost_reply": ({}, _is_cut, True),
    "lost_reply by rst": ({"by": "rst"}, _is_reset, True),
    "late_commit": ({"seconds": 60}, _is_cut, False),
    "late_commit by rst": ({"seconds": 60, "by": "rst"}, _is_reset, False),
    "reset": ({}, _is_reset, False),
    "reset after": ({"when": "after"}, _is_reset, True),
    "truncate": ({"at_byte": 9}, _is_short, True),
    "garbage": ({}, _is_no_http, True),
    "garbage before": ({"when": "before"}, _is_no_http, False),
    "drip": ({"bytes_per_second": PACE}, _is_dripping, True),
    "content_type": ({"content_type": "text/html"}, _is_html, True),
}


def test_every_kind_is_tried():
    """A kind that changes no answer has tests of its own."""
    by_themselves = {"list_lag", "duplicate_webhook"}

    assert {which.split()[0] for which in KINDS} | by_themselves == set(faults.KINDS)


@pytest.mark.parametrize("which", KINDS)
async def test_a_fault_meets_the_calls_that_it_is_for(server, which):
    """Of six calls the second and the fifth fail in the way of the kind, and no other."""
    fields, is_wrong, is_executed = KINDS[which]
    kind, *_ = which.split()
    server.set_faults([Fault(kind, "run_task", calls=CALLS, **fields)])

    got = [await create(server) for _ in range(6)]

    assert [_is_right(each) for each in got] == [True, False, True, True, False, True]
    assert [is_wrong(got[number - 1]) for number in CALLS] == [True, True]
    assert server.tasks_created == (6 if is_executed else 4)
    assert server.requests == {"run_task": 6}
    assert server.faults_fired == {f"{kind} run_task": 2}


@pytest.mark.long
async def test_every_fault_is_counted(server):
    """Random faults of a seed are those on the wire, and those that are counted."""
    asked, seen, counted = Counter[str](), Counter[str](), Counter[str]()
    for seed, (which, (fields, is_wrong, _)) in enumerate(KINDS.items()):
        kind, *_ = which.split()
        server.set_faults([Fault(kind, probability=0.3, seed=seed, name=which, **fields)])
        draw = random.Random(seed).random
        drawn = [draw() < 0.3 for _ in range(20)]
        got = [await create(server) for _ in drawn]
        assert [not _is_right(each) for each in got] == drawn
        asked[which] += sum(drawn)
        seen[which] += sum(map(is_wrong, got))
        counted += server.faults_fired

    assert asked == seen == counted


async def test_late_commit(server):
    """The answer is lost at once; the task is created when the time has passed, and not before."""
    server.set_faults([Fault("late_commit", "run_task", first=1, seconds=60)])

    got = await create(server, "Come late")
    await asyncio.sleep(59)
    before = server.tasks_created
    await asyncio.sleep(2)

    assert _is_cut(got)
    assert got.seconds < 1
    assert (before, [record.task for record in server.store.tasks]) == (0, ["Come late"])


async def test_a_late_commit_ends_with_the_server(nothing_leaks):
    """A server that closes does not wait for it, and does not execute it either."""
    async with LocalServer(
        executor="scripted", faults=[Fault("late_commit", seconds=3600)]
    ) as server:
        await create(server)
    closed = asyncio.get_running_loop().time()
    await asyncio.sleep(3700)

    assert closed < 5
    assert server.tasks_created == 0


async def test_list_lag(server):
    """A new task is found by its id at once, and in the list only later."""
    server.set_faults([Fault("list_lag", calls=2, seconds=30)])
    ids = [json.loads((await create(server, f"Task {number}")).body)["id"] for number in range(3)]

    async def listed() -> tuple[list[str], int, int]:
        page = json.loads((await exchange(server, "GET", "/api/v1/tasks?limit=2")).body)
        return [row["id"] for row in page["tasks"]], page["total_count"], page["total_pages"]

    lagging = await exchange(server, "GET", f"/api/v1/task/{ids[1]}")
    at_first = await listed()
    await asyncio.sleep(31)

    assert json.loads(lagging.body)["task"] == "Task 1"
    assert at_first == ([ids[2], ids[0]], 2, 1)
    assert await listed() == ([ids[2], ids[1]], 3, 2)
    assert server.faults_fired == {"list_lag": 1}
    assert server.tasks_created == 3


async def test_a_lag_needs_a_task(server):
    """A refused call creates nothing that could be late."""
    server.set_faults([Fault("list_lag", seconds=30)])

    got = await exchange(server, "POST", "/api/v1/run-task", {"task": ""})

    assert got.status == 422
    assert server.faults_fired == {}


@pytest.mark.parametrize("at_byte", range(0, 46, 5))
async def test_truncation_at_any_byte(server, at_byte):
    """Exactly this many bytes of the body arrive; a shorter answer is complete."""
    server.set_faults([Fault("truncate", "run_task", at_byte=at_byte)])

    got = await create(server)

    assert len(got.body) == at_byte
    assert got.headers["content-length"] == "45"
    assert got.headers["date"]
    assert server.faults_fired["truncate run_task"] == (at_byte < 45)


async def test_truncation_by_a_reset(server):
    """On request the connection ends with a reset, too."""
    server.set_faults([Fault("truncate", at_byte=9, by="rst")])

    assert (await create(server)).ended == "rst"


async def test_garbage_of_ones_own(server):
    """The given bytes arrive."""
    server.set_faults([Fault("garbage", body="SSH-2.0-OpenSSH_9.9\r\n")])

    assert (await create(server)).received == b"SSH-2.0-OpenSSH_9.9\r\n"


@pytest.mark.parametrize(
    ("fields", "status", "body"),
    [
        ({"status": 503}, 503, b'{"detail":"Service Unavailable"}'),
        ({"status": 520}, 520, b'{"detail":"Status 520"}'),
        ({"status": 200, "body": ""}, 200, b""),
        ({"status": 429, "body": '{"detail":"too many concurrent"}'}, 429, None),
    ],
    ids=str,
)
async def test_status(server, fields, status, body):
    """Any status, with a detail like the service's or the given body."""
    server.set_faults([Fault("status", **fields)])

    got = await create(server)

    assert (got.status, got.headers["content-type"]) == (status, "application/json")
    assert got.body == (fields["body"].encode() if body is None else body)


async def test_headers_replace_the_usual_ones(server):
    """A redirect or a page of a proxy is made by headers."""
    headers = {"Location": "https://example.com/", "Content-Type": "text/html"}
    server.set_faults([Fault("status", status=307, headers=headers, body="<p>Elsewhere</p>")])

    got = await create(server)

    assert (got.status, got.body) == (307, b"<p>Elsewhere</p>")
    assert (got.headers["location"], got.headers["content-type"]) == (
        "https://example.com/",
        "text/html",
    )


async def test_faults_in_a_row(server):
    """Each fault is a layer around the call: one that an outer one prevents does not count."""
    late = Fault("latency", seconds=7)
    busy = Fault("status", status=503)
    server.set_faults([late, busy, Fault("lost_reply")])

    got = await create(server)

    assert (got.status, got.seconds >= 7) == (503, True)
    assert server.faults_fired == {"latency": 1, "status": 1}
    assert server.tasks_created == 0


async def test_a_broken_connection_is_broken_once(server):
    """An outer fault has no effect once an inner one closed the connection."""
    server.set_faults([Fault("content_type", content_type="text/html"), Fault("lost_reply")])

    assert _is_cut(await create(server))
    assert server.faults_fired == {"lost_reply": 1}
    assert server.tasks_created == 1


async def test_a_late_commit_that_lags(server):
    """A lag is about the task, whether the answer arrives or not."""
    server.set_faults([Fault("list_lag", seconds=30), Fault("late_commit", "run_task", seconds=10)])
    await create(server)
    counts = []
    for _ in range(4):
        await asyncio.sleep(11)
        page = await exchange(server, "GET", "/api/v1/tasks")
        counts.append((server.tasks_created, json.loads(page.body)["total_count"]))

    assert counts == [(1, 0), (1, 0), (1, 0), (1, 1)]


async def test_refusals_get_lost_too(server):
    """The answer to a wrong key or to a bad request is subject to it as well."""
    server.set_faults([Fault("lost_reply")])

    wrong_key = await exchange(server, "GET", "/api/v1/tasks", key="wrong")
    bad = await exchange(server, "POST", "/api/v1/run-task", {})

    assert _is_cut(wrong_key)
    assert _is_cut(bad)
    assert server.tasks_created == 0


async def test_a_body_that_is_too_large(server):
    """It is refused as usual, because no fault can read it."""
    server.set_faults([Fault("lost_reply")])

    got = await exchange(server, "POST", "/api/v1/run-task", {"task": "x" * 1_100_000})

    assert got.status in {0, 413}  # the answer may be lost: the rest of the body is not read
    assert server.faults_fired == {}


@pytest.mark.parametrize("kind", ["drip", "truncate"])
async def test_files_break_off_when_a_rule_names_them(server, kind):
    """Signed links are no calls of the API, and fail only when a rule names them."""
    fields: dict[str, Any] = {"at_byte": 5} if kind == "truncate" else {"bytes_per_second": 500}
    created = json.loads((await create(server)).body)["id"]
    await asyncio.sleep(5)
    shots = await exchange(server, "GET", f"/api/v1/task/{created}/screenshots")
    link = json.loads(shots.body)["screenshots"][0].removeprefix(server.url)
    server.set_faults([Fault(kind, **fields)])
    spared = await exchange(server, "GET", link)
    server.set_faults([Fault(kind, "file", **fields)])
    no_body = await exchange(server, "HEAD", link)
    got = await exchange(server, "GET", link)

    assert spared.is_whole
    assert no_body.status == 200
    assert (got.is_whole, len(got.body) == 5) == (kind == "drip", kind == "truncate")
    assert got.seconds == pytest.approx(len(got.body) / 500 if kind == "drip" else 0, abs=0.2)
    assert server.faults_fired == {f"{kind} file": 1}


async def test_a_page_far_behind_a_list_that_lags(server):
    """It is empty, as in any list."""
    server.set_faults([Fault("list_lag", seconds=30)])
    await create(server)
    got = await exchange(server, "GET", f"/api/v1/tasks?page={2**62}&limit=100")

    assert (got.status, json.loads(got.body)["tasks"]) == (200, [])


async def test_pages_are_spared(server):
    """A rule for all calls applies to those of the API, and not to pages for people."""
    server.set_faults([Fault("reset")])

    assert (await exchange(server, "GET", "/")).status == 200
    assert (await exchange(server, "GET", "/openapi.json")).status == 200
    assert _is_reset(await exchange(server, "GET", "/api/v1/ping"))


@pytest.mark.parametrize("fields", [{"seconds": 3600}, {"seconds": 3600, "when": "after"}], ids=str)
async def test_closing_ends_a_latency(nothing_leaks, fields):
    """A delayed call is cut when the server closes, and is not executed then."""
    begun = asyncio.get_running_loop().time()
    async with LocalServer(executor="scripted", faults=[Fault("latency", **fields)]) as server:
        waiting = asyncio.create_task(create(server))
        while not server.faults_fired:  # noqa: ASYNC110 - the server has nothing to wait on
            await asyncio.sleep(0)
    got = await waiting

    assert _is_cut(got)
    assert asyncio.get_running_loop().time() - begun < 1
    assert server.tasks_created == (1 if "when" in fields else 0)


async def test_a_client_that_leaves_a_dripping_answer(server):
    """Nothing is logged or left after the client disconnects."""
    server.set_faults([Fault("drip", bytes_per_second=1)])
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(3):
            await create(server)
    await asyncio.sleep(60)

    assert server.faults_fired == {"drip": 1}
