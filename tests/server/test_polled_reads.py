"""Reads that are answered before the application have the answers of the application."""

import asyncio
import json
import re
import socket
import time
import uuid
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from urllib.request import Request, urlopen

import aiohttp
import attrs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from yarl import URL

from browser_use_async.server import LocalServer
from browser_use_async.server.faults import Fault
from browser_use_async.server.http.ready_answers import ReadyAnswers
from browser_use_async.server.storage import Database, SqliteDatabase
from browser_use_async.server.storage.account import open_account
from browser_use_async.server.storage.records import session_id_of
from browser_use_async.server.threaded_server import ThreadedServer
from tests.server.calling import Caller
from tests.server.keys.test_keys import Clock, listed, revoke
from tests.server.steering import FromQueue
from tests.server.test_access import KEY
from tests.support.patience import PATIENCE, until

ORIGIN = "https://app.example"
APPLICATION = "Prefer: handling=lenient"
"""A header that changes no answer, with which the application answers."""


# --- the same request, answered by both -----------------------------------------------------


@attrs.frozen
class Served:
    """A server with tasks, and the ids that requests to it may name."""

    server: ThreadedServer
    ids: Sequence[str]  # its own tasks', then one of another owner
    keys: Mapping[str, str]  # by what they are

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens."""
        url = URL(self.server.url)
        return url.host or "", url.port or 0


def _asked(served: Served, method: str, path: str, key: str, body: object = None) -> Any:
    request = Request(
        served.server.url + path,
        method=method,
        headers={"Authorization": f"Bearer {key}", "Content-Type": "application/json"},
        data=None if body is None else json.dumps(body).encode(),
    )
    with urlopen(request) as answer:
        return json.loads(answer.read())


@contextmanager
def serving(**options: Any) -> Generator[Served]:
    """A server on which nothing changes any more, with a key of each kind."""
    clock = Clock()
    with ThreadedServer(
        executor="scripted", api_key=KEY, max_wrong_keys=10**6, now=clock, **options
    ) as server:
        served = Served(server, [], {})
        keys: dict[str, str] = {"right": KEY, "wrong": "bu_of_nobody_at_all"}
        for name, fields in (
            ("other", {}),
            ("writer", {"scopes": ["run"]}),
            ("reader", {"scopes": ["read"]}),
            ("expired", {"expires_in_days": 1}),
            ("revoked", {}),
        ):
            made = _asked(served, "POST", "/admin/keys", KEY, {"name": name, **fields})
            keys[name] = made["key"]
        text = "Überprüfe „das“ \\ \n" * 3
        ids = [
            _asked(served, "POST", "/api/v1/run-task", key, {"task": text, "metadata": {"ä": "ü"}})
            for key in (KEY, KEY, keys["other"])
        ]
        done = [each["id"] for each in ids]
        while {each.status for each in server.store.tasks} != {"finished"}:
            time.sleep(0.01)
        revoked = _asked(served, "GET", "/admin/keys", KEY)["keys"]
        (gone,) = (each["id"] for each in revoked if each["name"] == "revoked")
        # It was used before, so that the server knows it.
        _asked(served, "GET", "/api/v1/tasks", keys["revoked"])
        _asked(served, "GET", "/api/v1/tasks", keys["expired"])
        _asked(served, "DELETE", f"/admin/keys/{gone}", KEY)
        clock.now += timedelta(days=1)
        yield Served(server, done, keys)


@pytest.fixture(scope="module", params=["closed", "open", "shared origin"])
def served(request: pytest.FixtureRequest) -> Iterator[Served]:
    """Servers that pages of other origins may call or may not."""
    origins = {"closed": [], "open": ["*"], "shared origin": [ORIGIN]}[request.param]
    with serving(allow_origins=origins) as there:
        yield there


def exchange(served: Served, requests: Sequence[tuple[str, str, Sequence[str]]]) -> bytes:
    """All answers of a connection to requests that are sent at once."""
    parts = []
    for place, (method, target, headers) in enumerate(requests):
        last = ["Connection: close"] if place == len(requests) - 1 else []
        lines = "\r\n".join([f"{method} {target} HTTP/1.1", *headers, *last])
        parts.append(f"{lines}\r\n\r\n".encode("utf-8", "surrogateescape"))
    with socket.create_connection(served.address, timeout=30) as connection:
        connection.sendall(b"".join(parts))
        pieces = []
        while piece := connection.recv(2**16):
            pieces.append(piece)
    return b"".join(pieces)


def comparable(answers: bytes) -> list[tuple[bytes, list[bytes]]]:
    """The answers without the time of day, whose headers have no order."""
    answers = re.sub(rb"\r\nDate: [^\r]+", b"\r\nDate: now", answers)
    found = []
    for answer in re.split(rb"(?=HTTP/1\.[01] \d{3} )", answers):
        head, _, body = answer.partition(b"\r\n\r\n")
        status, *headers = head.split(b"\r\n")
        found.append((status + b"\n" + body, sorted(headers)))
    return found


_EXACT = ("/api/v1/task/{}/status", "/api/v1/task/{}", "/api/v1/tasks")
_PATHS = st.sampled_from(
    [
        *_EXACT * 4,
        "/api/v1/task/{}/status/",
        "/api/v1/task/{}/",
        "/api/v1//task/{}/status",
        "/api/v1/./task/{}",
        "/api/v1/task/{}%2Fstatus",
        "/api/v1/t%61sk/{}/status",
        "/API/v1/task/{}",
        "/api/v2/task/{}",
        "/api/v1/task/{}/status#there",
        "/api/v1/tasks/",
        "/api/v1/task//status",
        "http://127.0.0.1/api/v1/task/{}",
        "http://elsewhere.example/api/v1/tasks",
    ]
)
_NUMBERS = st.sampled_from(["1", "2", "01", "0", "-1", "100", "101", "999999", "10000000", "x", ""])
_QUERIES = st.one_of(
    st.just(""),
    st.builds(
        lambda pairs: "?" + "&".join(f"{name}={value}" for name, value in pairs),
        st.lists(st.tuples(st.sampled_from(["page", "limit", "p%61ge", "other"]), _NUMBERS)),
    ),
    st.sampled_from(["?", "?page", "?page=1&", "?page=1;limit=2", "?page=1#2", "?page=%31"]),
)
HEADERS = [
    f"Origin: {ORIGIN}",
    "Origin: https://evil.example",
    "Origin: null",
    "Host: evil.example",
    "Host: localhost",
    "Host: 127.0.0.1:1",
    "Host:",
    "If-None-Match: *",
    'If-None-Match: "other"',
    "If-None-Match: garbage",
    "Expect: 100-continue",
    "Expect: nothing",
    "Prefer: wait=0",
    "Prefer: handling=strict",
    "Idempotency-Key: one",
    "Accept: text/html",
    "Accept-Encoding: gzip",
    "Range: bytes=0-1",
    "X-Forwarded-For: 1.2.3.4",
    "X-HTTP-Method-Override: DELETE",
    "Upgrade: websocket",
    "Access-Control-Request-Method: GET",
    "Access-Control-Request-Headers: authorization",
    "Content-Length: 0",
    "Content-Type: application/json",
    "Cookie: a=b",
    "X-Odd: \udcff",
]
KEYS = ("right", "reader", "other", "writer", "expired", "revoked", "wrong", "", "basic")
_HEADERS = st.lists(
    st.sampled_from(HEADERS), max_size=3, unique_by=lambda header: header.partition(":")[0]
)
_KEYS = st.sampled_from([*KEYS, *["right"] * 5])
_REQUESTS = st.lists(
    st.tuples(
        st.sampled_from(["GET"] * 8 + ["HEAD", "OPTIONS", "POST", "DELETE", "get"]),
        _PATHS,
        st.sampled_from(["own", "own", "other", "unknown", "capitals", "encoded", "session"]),
        _QUERIES,
        _KEYS,
        st.sampled_from(["Bearer ", "bearer ", "BEARER   "]),
        _HEADERS,
    ),
    min_size=1,
    max_size=3,
)


def _id_of(served: Served, kind: str) -> str:
    own, second, other = served.ids
    return {
        "own": own,
        "other": other,
        "unknown": str(uuid.UUID(int=7)),
        "capitals": own.upper(),
        "encoded": f"%{ord(second[0]):02x}{second[1:]}",
        "session": session_id_of(own) or "",
    }[kind]


def _with_key(
    served: Served, headers: Sequence[str], key: str, scheme: str = "Bearer "
) -> list[str]:
    """The headers of a request with a key, and with a host if they have none."""
    host = [] if any(each.startswith("Host") for each in headers) else ["Host: 127.0.0.1"]
    if key == "basic":
        return [*host, *headers, "Authorization: Basic YTpi"]
    return [*host, *headers, *([f"Authorization: {scheme}{served.keys[key]}"] if key else [])]


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("path", [*_EXACT, "/api/v1/tasks?page=1&limit=2"])
def test_each_header_is_answered_as_by_the_application(served: Served, key: str, path: str):
    """With each key; a third of these requests is unusual."""
    target = path.format(served.ids[2 if key in {"other", "expired"} else 0])
    for header in HEADERS:
        given = _with_key(served, [header], key)
        plain = exchange(served, [("GET", target, given)])
        slow = exchange(served, [("GET", target, [*given, APPLICATION])])

        assert comparable(plain) == comparable(slow), header
    given = _with_key(served, [], key)
    if found := re.search(rb"ETag: ([^\r]+)", exchange(served, [("GET", target, given)])):
        known = [*given, f"If-None-Match: {found[1].decode()}"]
        plain = exchange(served, [("GET", target, known)])

        assert plain.startswith(b"HTTP/1.1 304 ")
        assert comparable(plain) == comparable(
            exchange(served, [("GET", target, [*known, APPLICATION])])
        )


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(_REQUESTS)
def test_any_request_is_answered_as_by_the_application(served: Served, requests: Sequence[Any]):
    """Status, headers and body are the same, whatever the request contains."""
    plain = [
        (
            method,
            path.format(_id_of(served, kind)) + query,
            _with_key(served, headers, key, scheme),
        )
        for method, path, kind, query, key, scheme, headers in requests
    ]
    slow = [(method, target, [*given, APPLICATION]) for method, target, given in plain]

    assert comparable(exchange(served, plain)) == comparable(exchange(served, slow))


@pytest.mark.parametrize("path", _EXACT)
def test_http_1_0_is_answered_as_by_the_application(served: Served, path: str):
    """It has no host, and the connection ends."""
    head = f"GET {path.format(served.ids[0])} HTTP/1.0\r\nAuthorization: Bearer {KEY}\r\n"

    def ask(more: str) -> bytes:
        with socket.create_connection(served.address, timeout=30) as connection:
            connection.sendall(f"{head}{more}\r\n".encode())
            return b"".join(iter(lambda: connection.recv(2**16), b""))

    plain = ask("")

    assert plain.startswith(b"HTTP/1.0 200 ")
    assert comparable(plain) == comparable(ask(f"{APPLICATION}\r\n"))


@pytest.mark.parametrize("path", _EXACT)
def test_a_body_is_not_read_as_the_next_request(served: Served, path: str):
    """A GET may have a body; the connection continues after it."""
    target = path.format(served.ids[0])
    own = ["Host: localhost", f"Authorization: Bearer {KEY}"]
    answers = []
    for more in ([], [APPLICATION]):
        first = ("GET", target, [*own, *more, "Content-Length: 18", "", "GET / HTTP/1.1\r\n\r\n"])
        # The empty line after the first request belongs to no request, and is skipped.
        answers.append(comparable(exchange(served, [first, ("GET", target, [*own, *more])])))

    assert answers[0] == answers[1]
    assert [each[0][:12] for each in answers[0][1:]] == [b"HTTP/1.1 200"] * 2


# --- counters and refusals -------------------------------------------------------------------


@pytest.fixture(params=_EXACT)
async def polled(request: pytest.FixtureRequest, api: Caller) -> str:
    """The path of each of these calls, which the server has answered before."""
    task_id = await api.create()
    await api.reached(task_id, "finished")
    path: str = request.param.format(task_id).removeprefix("/api/v1")
    assert (await api.get(path)).status == 200
    return path


def _of(task_id: str, polled: str) -> str:
    """The path of the same call about another task."""
    name, _, rest = polled[1:].partition("/")
    return polled if name == "tasks" else f"/task/{task_id}{rest[36:]}"


def _name_of(path: str) -> str:
    if path == "/tasks":
        return "list_tasks"
    return "get_task_status" if path.endswith("/status") else "get_task"


async def test_calls_are_counted(polled: str, api: Caller):
    """By name, and in the metrics with the status."""
    before = api.server.requests[_name_of(polled)]
    known = {"If-None-Match": "*"}
    statuses = [(await api.get(polled, headers=each)).status for each in ({}, {}, known)]
    metrics = await api.get(f"{api.server.url}/metrics")

    assert api.server.requests[_name_of(polled)] == before + 3
    for status in {*statuses}:
        line = f'browser_use_requests_total{{route="{_name_of(polled)}",status="{status}"}} '
        assert line in metrics.text


async def test_each_is_a_line_of_the_access_log(
    polled: str, api: Caller, caplog: pytest.LogCaptureFixture
):
    """It has the status and the bytes."""
    with caplog.at_level("INFO", "browser_use_async.server.access"):
        answer = await api.get(polled)
        await api.get("/ping")  # its line is written after that of the other

    (line,) = (each for each in caplog.messages if each.startswith(f"GET /api/v1{polled} "))
    _, _, status, sent, *_ = line.split()
    assert (answer.status, status) == (200, "200")
    assert int(sent) > len(answer.body)


async def test_wrong_keys_are_braked(polled: str, http: aiohttp.ClientSession):
    """Each is counted once, and a right key is answered all the time."""
    async with LocalServer(executor="scripted", max_wrong_keys=3) as server:
        api = Caller(server, http)
        path = (
            polled
            if polled == "/tasks"
            else polled.replace(polled.split("/")[2], await api.create())
        )
        wrong = {"Authorization": "Bearer bu_a_wrong_one"}
        statuses = [(await api.get(path, headers=wrong)).status for _ in range(5)]
        right = await api.get(path)

    assert statuses == [401, 401, 401, 429, 429]
    assert right.status == 200


async def test_calls_spend_the_quota(polled: str, http: aiohttp.ClientSession):
    """The call after the last one is refused."""
    async with LocalServer(executor="scripted", max_calls=4, max_calls_window=3600) as server:
        api = Caller(server, http)
        path = _of(await api.create(), polled)
        answers = [await api.get(path) for _ in range(5)]

    assert [each.status for each in answers] == [200, 200, 200, 429, 429]


async def test_faults_apply_from_the_next_call_on(polled: str, api: Caller):
    """They end at once, too."""
    api.server.set_faults([Fault("status", _name_of(polled), status=503)])
    during = await api.get(polled)
    api.server.set_faults([])
    after = await api.get(polled)

    assert (during.status, after.status) == (503, 200)


async def test_a_task_that_lists_do_not_show_yet_stays_hidden(api: Caller):
    """It does so after the fault that hides it has ended."""
    first = await api.create()
    await api.reached(first, "finished")
    await api.get("/tasks")
    api.server.set_faults([Fault("list_lag", seconds=3600)])
    await api.create()
    api.server.set_faults([])
    page = (await api.get("/tasks")).json

    assert [row["id"] for row in page["tasks"]] == [first]


async def test_a_hidden_task_is_on_the_page_after_the_fault(api: Caller):
    """Nothing else has changed since the page was read without it."""
    api.server.set_faults([Fault("list_lag", seconds=1)])
    task_id = await api.create()
    api.server.set_faults([])
    await api.reached(task_id, "finished")

    async with asyncio.timeout(PATIENCE):
        while not (page := (await api.get("/tasks")).json["tasks"]):  # noqa: ASYNC110 - no event
            await asyncio.sleep(0.05)
    assert [row["id"] for row in page] == [task_id]


async def test_a_key_is_refused_from_its_end_on(polled: str, http: aiohttp.ClientSession):
    """To the second; and not once it is revoked, although it was answered just before."""
    clock = Clock()
    async with LocalServer(executor="scripted", now=clock) as server:
        api = Caller(server, http)
        ends = await api.with_new_key("shop", expires_in_days=2)
        gone = await api.with_new_key("robot")
        calls = [(each, _of(await each.create(), polled)) for each in (ends, gone)]
        clock.now += timedelta(days=2, seconds=-1)
        before = [(await caller.get(path)).status for caller, path in calls * 2]
        clock.now += timedelta(seconds=1)
        await revoke(api, (await listed(api, "robot"))[0]["id"])
        after = [(await caller.get(path)).json["detail"] for caller, path in calls]

    assert before == [200] * 4
    assert after == ["The API key has expired", "The API key was revoked"]


# --- what is read ---------------------------------------------------------------------------


async def test_the_next_call_reads_each_change(steered: Caller, queue: FromQueue):
    """A task that was created, paused, resumed or stopped, by each of the three calls."""

    async def seen() -> tuple[Any, Any, Any]:
        page = (await steered.get("/tasks")).json
        status = (await steered.get(f"/task/{task_id}/status")).json
        return status, (await steered.task(task_id))["status"], page["tasks"][0]["status"]

    counts = [(await steered.get("/tasks")).json["total_count"]]
    task_id = await steered.create()
    counts.append((await steered.get("/tasks")).json["total_count"])
    await steered.reached(task_id, "running")
    found = [await seen()]
    for call in ("pause", "resume", "stop"):
        answer = await steered.put(f"/{call}-task?task_id={task_id}")
        assert answer.status == 200
        found.append(await seen())

    assert counts == [0, 1]
    assert found == [(each,) * 3 for each in ("running", "paused", "running", "stopped")]


async def test_links_that_were_taken_back_are_in_no_answer(api: Caller):
    """Neither in the task nor in the list."""
    task_id = await api.create()
    await api.reached(task_id, "finished")

    async def links() -> set[str]:
        (row,) = (await api.get("/tasks")).json["tasks"]
        return {row["live_url"], (await api.task(task_id))["live_url"]}

    before = await links()
    assert api.server.revoke_links(task_id)
    after = await links()

    assert len(before) == len(after) == 1
    assert not before & after


async def test_keys_with_and_without_links_have_answers_of_their_own(api: Caller):
    """A key that may not steer gets no link, although another key of its owner just got it."""
    both = await api.with_new_key("shop")
    reads = await api.with_new_key("shop", scopes=["read"])
    task_id = await both.create()
    await until(lambda: api.stored(task_id).status == "finished")
    found = []
    for caller in (both, reads, both, reads):
        (row,) = (await caller.get("/tasks")).json["tasks"]
        task = (await caller.get(f"/task/{task_id}")).json
        found.append((row["live_url"] is None, task["live_url"] is None))

    assert found == [(False, False), (True, True)] * 2


# --- tags ------------------------------------------------------------------------------------


@pytest.mark.parametrize("with_page", [True, False])
async def test_a_client_that_has_an_answer_gets_none(with_page: bool, api: Caller):
    """The answer is 304 without a body, until the task changes."""
    task_id = await api.create(metadata={"scenario": "hangs"})
    await api.reached(task_id, "running", steps=1)
    path = "/tasks?limit=5" if with_page else f"/task/{task_id}"
    first = await api.get(path)
    known = {"If-None-Match": f'"other", W/{first.headers["ETag"]}'}
    second = await api.get(path, headers=known)
    await api.put(f"/stop-task?task_id={task_id}")
    third = await api.get(path, headers=known)

    assert (first.status, second.status, third.status) == (200, 304, 200)
    assert second.body == b""
    assert second.headers["ETag"] == first.headers["ETag"] != third.headers["ETag"]
    assert "Content-Type" not in second.headers
    named = {*first.headers} - {"Content-Length", "Content-Type"}
    assert {*second.headers} == named
    assert third.json != first.json


# --- memory ----------------------------------------------------------------------------------


class Maker:
    """Makes answers, each when it is released, and counts them."""

    def __init__(self, size: int = 1) -> None:
        self.made = 0
        self.may = asyncio.Event()
        self.may.set()
        self._size = size

    async def __call__(self) -> bytes:
        """Another answer than before."""
        self.made += 1
        body = f"{self.made}".ljust(self._size).encode()
        await self.may.wait()
        return body


async def test_answers_are_bounded_in_memory(monkeypatch: pytest.MonkeyPatch):
    """The ones that were unused for longest are dropped; a very large one is not kept."""
    monkeypatch.setattr("browser_use_async.server.http.ready_answers.MOST_BYTES", 20_000)
    answers, make, large = ReadyAnswers(), Maker(1000), Maker(5001)
    for number in range(100):
        await answers.read(number, 1, make)
        await answers.read(0, 1, make)
    kept = []
    for number in [*range(99, 87, -1), 0, 87]:
        before = make.made
        await answers.read(number, 1, make)
        kept.append(before == make.made)
    for _ in range(2):
        await answers.read("large", 1, large)

    assert kept == [True] * 13 + [False]
    assert large.made == 2


async def test_an_answer_is_made_once_for_a_version():
    """Another version needs another answer."""
    answers, make = ReadyAnswers(), Maker()
    bodies = [(await answers.read("a", version, make)).body for version in (1, 1, 2, 2, 1)]

    assert bodies == [b"1", b"1", b"2", b"2", b"3"]


async def test_without_versions_waiting_calls_share_the_next_answer():
    """None of them gets an answer that was begun before its call, which may be older."""
    answers, make = ReadyAnswers(), Maker()
    make.may.clear()
    first = [asyncio.create_task(answers.read("a", None, make)) for _ in range(3)]
    await until(lambda: make.made == 1)
    later = [asyncio.create_task(answers.read("a", None, make)) for _ in range(3)]
    other = asyncio.create_task(answers.read("b", None, make))
    await until(lambda: make.made == 2)
    later[0].cancel()
    make.may.set()
    bodies = [(await each).body for each in (*first, *later[1:], other)]

    assert bodies == [b"1"] * 3 + [b"3"] * 2 + [b"2"]
    assert make.made == 3
    assert (await answers.read("a", None, make)).body == b"4"
    await answers.aclose()


async def test_each_change_makes_another_version():
    """So does one that is rolled back; within a transaction there is no version."""
    database = SqliteDatabase()

    async def work(at: Database) -> None:
        await at.rows("UPDATE accounts SET tasks = tasks + 1")
        seen.append(database.version)
        if len(seen) == 2:
            raise KeyError

    seen: list[int | None] = []
    await open_account(database, "shop")
    versions = [database.version]
    await database.transact(work)
    versions.append(database.version)
    with pytest.raises(KeyError):
        await database.transact(work)
    versions.append(database.version)
    await database.rows("SELECT tasks FROM accounts")

    assert seen == [None, None]
    assert len({*versions}) == 3
    assert database.version == versions[-1]
    database.close()
