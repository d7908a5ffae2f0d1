"""An answer is complete or an error, if it is large, damaged or odd."""

import asyncio
import json
import random
import time
import tracemalloc

import pytest

from browser_use_async import RetryPolicy, TaskStatus, errors
from browser_use_async.api.endpoint_table import GET_TASK_STATUS
from browser_use_async.api.serialization import decode_response
from tests.support.bench import FAST, ONCE
from tests.support.hygiene import raises
from tests.support.patience import PATIENCE
from tests.support.wire import Connection, answering, response

TASK = (
    '{"id":"t-1","task":"Buy milk","status":"running","output":null,"steps":[],'
    '"created_at":"2025-11-01T10:48:01Z"}'
)
DEPTH = 100_000
NO_JSON = {
    "100,000 levels": b"[" * DEPTH + b"]" * DEPTH,
    "5,000 digits": TASK.replace("null", "7" * 5000).encode(),
    "NaN": TASK.replace("null", "NaN").encode(),
    "the same key twice": TASK.replace("Buy milk", 'Buy milk","task":"Buy beer').encode(),
    "half a surrogate pair": TASK.replace("Buy milk", "\\ud83d").encode(),
    "a byte-order mark": b"\xef\xbb\xbf" + TASK.encode(),
    "UTF-16": TASK.encode("utf-16"),
    "something behind the end": TASK.encode() + b"{}",
}
"""Eight bodies that a trusting reader takes for a task, or crashes at."""


# --- whole ------------------------------------------------------------------------------------


async def test_a_body_that_ends_with_the_connection_must_be_whole(serve, connect):
    """No length, and the connection breaks in the middle: repeated, as it is a read."""

    async def cut_first(connection: Connection) -> None:
        await connection.read_request()
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"
        first = len(server.requests) == 1
        connection.send(head + (TASK[:40] if first else TASK).encode())
        await asyncio.sleep(0.01)
        if first:
            connection.reset()

    server = await serve(cut_first)
    session = await connect(server)

    assert (await session.tasks.get("t-1")).task == "Buy milk"
    assert len(server.requests) == 2


@pytest.mark.long
@pytest.mark.parametrize("rudely", [False, True], ids=["FIN", "RST"])
async def test_no_part_of_an_answer_is_believed(serve, connect, *, rudely):
    """No length, and the connection ends after each single byte of the body."""
    cuts = iter(range(len(TASK)))

    async def cut(connection: Connection) -> None:
        await connection.read_request()
        body = TASK[: next(cuts)].encode()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n" + body)
        if rudely:
            await asyncio.sleep(0.001)  # the bytes first
            connection.reset()

    server = await serve(cut)
    session = await connect(server, retry=ONCE)
    believed = 0

    for _ in range(len(TASK)):
        try:
            await session.tasks.get("t-1")
        except (errors.ResponseDecodeError, errors.APIConnectionError):
            continue
        believed += 1

    assert believed == 0


@pytest.mark.parametrize("status", list(TaskStatus), ids=str)
def test_no_part_of_a_bare_status_is_another_status(status):
    """A status without quotes has no visible end, but a part of it is no other status."""
    for cut in range(1, len(status)):
        left = decode_response(GET_TASK_STATUS, status.value[:cut].encode())
        assert not left.is_known
        assert not left.is_terminal


# --- time -------------------------------------------------------------------------------------


@pytest.mark.looptime
@pytest.mark.parametrize("flood", ["a drip", "a drip of headers", "1xx without end"])
async def test_an_answer_that_never_ends_is_stopped(serve, connect, looptime, flood):
    """Bytes that keep coming do not keep an attempt alive beyond its timeout."""

    async def script(connection: Connection) -> None:
        await connection.read_request()
        if flood == "a drip":
            connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
            await connection.drip(b" " * 1000, 0.2)
        elif flood == "a drip of headers":
            await connection.drip(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 1000, 0.2)
        else:
            for _ in range(1000):
                connection.send(b"HTTP/1.1 100 Continue\r\n\r\n")
                await asyncio.sleep(0.2)

    server = await serve(script)
    session = await connect(server, retry=ONCE, timeout=20.0)

    with raises(errors.APITimeoutError) as caught:
        await session.tasks.get("t-1")

    assert 20 <= looptime <= 21
    assert caught.value.sent is True


async def test_a_flood_of_interim_answers_is_stopped(serve, connect):
    """As many 1xx answers as a connection transfers, in real time: the client disconnects."""
    sent = 0

    async def flood(connection: Connection) -> None:
        nonlocal sent
        await connection.read_request()
        ends = time.monotonic() + PATIENCE  # for a client without a limit of its own
        while not connection.lost.is_set() and time.monotonic() < ends:
            connection.send(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 10)
            sent += 10
            await connection.drained()
            await asyncio.sleep(0.002)

    server = await serve(flood)
    session = await connect(server, retry=ONCE, timeout=0.3)

    with raises(errors.APITimeoutError):
        await session.tasks.get("t-1")


# --- its content ------------------------------------------------------------------------------


async def test_what_is_no_clean_json_is_one_typed_error(serve, connect):
    """Eight kinds of it, at calls that answer an object, a list of rows, a word and a flag."""
    typed = calls = 0
    for kind, body in NO_JSON.items():
        server = await serve(answering(response(200, body)))
        session = await connect(server, retry=ONCE)
        for call in (
            session.tasks.get("t-1"),
            session.tasks.list(),
            session.tasks.get_status("t-1"),
            session.account.me(),
        ):
            with raises(errors.ResponseDecodeError) as caught:
                await call
            assert "is not JSON" in str(caught.value), kind
            calls += 1
        typed += 1

    assert typed == 8


async def test_a_web_page_is_no_answer(serve, connect):
    """HTML with status 200 is requested again, then reported with a hint about base_url."""
    page = response(200, "<!DOCTYPE html><title>Sign in</title>", content_type="text/html")
    server = await serve(answering(page))
    session = await connect(server)

    with raises(errors.ResponseDecodeError) as caught:
        await session.account.get_balance()

    assert len(server.requests) == FAST.max_attempts
    assert "base_url" in str(caught.value)
    assert "/api/v1" in str(caught.value)
    assert "Sign in" not in str(caught.value)


async def test_the_content_type_does_not_matter(serve, connect):
    """Some proxies rename the type of JSON."""
    body = response(200, '{"balance":"5"}', content_type="text/plain")
    server = await serve(answering(body))
    session = await connect(server)

    assert (await session.account.get_balance()).cents == 5


@pytest.mark.parametrize("body", ["", "null", "{}", "[]", "ok", "<p>done</p>"])
async def test_calls_that_answer_nothing_take_anything(serve, connect, body):
    """The answer to stop differs between servers and has no meaning."""
    server = await serve(answering(response(200, body)))
    session = await connect(server)

    await session.tasks.stop("t-1")

    assert len(server.requests) == 1


async def test_an_empty_answer_is_none_where_one_is_promised(serve, connect):
    """An empty 200 to a read is requested again, then an error."""
    server = await serve(answering(response(200, ""), response(200, '"paused"')))
    session = await connect(server)

    assert await session.tasks.get_status("t-1") == "paused"
    assert len(server.requests) == 2


async def test_an_answer_about_another_task_is_not_passed_on(serve, connect):
    """The call is repeated once; if the answer stays wrong, the error says so."""
    other = response(200, TASK.replace('"t-1"', '"t-2"'))
    server = await serve(answering(other, response(200, TASK), other))
    session = await connect(server)

    assert (await session.tasks.get("t-1")).id == "t-1"
    with raises(errors.ResponseDecodeError) as caught:
        await session.tasks.get("t-1")

    assert caught.value.path == "$.id"
    assert caught.value.task_id == "t-1"
    assert "another task" in str(caught.value)


PROFILE = {
    "profile_id": "p-1",
    "profile_name": "work",
    "description": "",
    "persist": True,
    "ad_blocker": True,
    "proxy": True,
    "proxy_country_code": "us",
    "browser_viewport_width": 1280,
    "browser_viewport_height": 960,
}


@pytest.mark.parametrize("verb", ["get", "update"])
async def test_an_answer_about_another_profile_is_not_passed_on(serve, connect, verb):
    """Profiles are checked by their ids as tasks are."""
    other = response(200, json.dumps({**PROFILE, "profile_id": "p-2"}))
    server = await serve(answering(other, response(200, json.dumps(PROFILE)), other))
    session = await connect(server)
    changes = {"profile_name": "work"} if verb == "update" else {}
    call = getattr(session.browser_profiles, verb)

    assert (await call("p-1", **changes)).profile_id == "p-1"
    with raises(errors.ResponseDecodeError) as caught:
        await call("p-1", **changes)

    assert caught.value.path == "$.profile_id"
    assert "another profile, 'p-2'" in str(caught.value)


@pytest.mark.parametrize("kind", ["another task", "a field that is missing"])
async def test_the_same_wrong_answer_is_asked_for_twice(serve, connect, kind):
    """A new connection gave it again, so it is no mix-up and a third attempt would not help."""
    task = json.loads(TASK)
    wrong = {**task, "id": "t-2"}
    if kind != "another task":
        wrong = {name: each for name, each in task.items() if name != "status"}
    server = await serve(answering(response(200, json.dumps(wrong))))
    session = await connect(server)

    with raises(errors.ResponseDecodeError) as caught:
        await session.tasks.get("t-1")

    assert "after 2 attempts" in str(caught.value)
    assert len(server.requests) == 2


async def test_wrong_answers_that_differ_are_asked_for_again(serve, connect):
    """The answers that a proxy mixes up are about another task each time."""
    others = [response(200, TASK.replace('"t-1"', f'"t-{number}"')) for number in (2, 3, 4)]
    server = await serve(answering(*others, response(200, TASK)))
    session = await connect(server)

    assert (await session.tasks.get("t-1")).id == "t-1"
    assert len(server.requests) == 4


@pytest.mark.parametrize("wrong", ["t-2", "", "T-1", "t-1 ", "t-10", 1])
async def test_an_id_is_equal_or_wrong(serve, connect, wrong):
    """A similar id is another one."""
    server = await serve(answering(response(200, json.dumps({**json.loads(TASK), "id": wrong}))))
    session = await connect(server, retry=ONCE)

    with raises(errors.ResponseDecodeError) as caught:
        await session.tasks.get("t-1")

    assert caught.value.path == "$.id"


@pytest.mark.long
async def test_mixed_up_answers_reach_no_caller(serve, connect):
    """Of a thousand calls at once every third is answered with another task."""
    draw = random.Random(17)
    mixed_up = 0

    async def mix_up(connection: Connection) -> None:
        nonlocal mixed_up
        while True:
            task_id = (await connection.read_request()).target.rpartition("/")[2]
            if draw.random() < 1 / 3:
                mixed_up += 1
                task_id = f"t-{draw.randrange(2000, 3000)}"
            connection.send(response(200, TASK.replace("t-1", task_id)))

    server = await serve(mix_up)
    session = await connect(
        server, retry=RetryPolicy(max_attempts=20, base_delay=0.001, max_delay=0.002, budget=None)
    )

    tasks = await asyncio.gather(*(session.tasks.get(f"t-{number}") for number in range(1000)))

    foreign = sum(task.id != f"t-{number}" for number, task in enumerate(tasks))
    assert foreign == 0
    assert mixed_up > 300


async def test_a_mix_up_leaves_the_connection(serve, connect):
    """A connection with a foreign answer is not used again."""
    other = response(200, TASK.replace('"t-1"', '"t-2"'))
    server = await serve(answering(other, response(200, TASK)))
    session = await connect(server)

    await session.tasks.get("t-1")

    assert len(server.connections) == 2


@pytest.mark.parametrize("seed", range(5))
async def test_noise_is_an_error_and_never_a_crash(serve, connect, seed):
    """Random bytes as body, at every call: a typed error or a value of the promised type."""
    noise = random.Random(seed).randbytes(200)
    server = await serve(answering(response(200, noise)))
    session = await connect(server, retry=ONCE)

    for call in (
        session.tasks.get("t-1"),
        session.tasks.get_status("t-1"),
        session.tasks.list(),
        session.tasks.get_media("t-1"),
        session.account.get_balance(),
        session.account.me(),
    ):
        with raises(errors.ResponseDecodeError):
            await call


# --- more than requested ------------------------------------------------------------------------


@pytest.mark.parametrize("row", ['{"id":"t-%d","task":"","status":"finished"}', '{"x":%d}'])
async def test_a_list_of_many_more_rows_than_asked_for_is_not_read(serve, connect, row):
    """Of a page of ten rows with 300,000, no more than 2,000 objects are created."""
    rows = ",".join(row % number for number in range(300_000)).encode()
    page = b'{"tasks":[' + rows + b'],"total_count":300000,"page":1,"limit":10,"total_pages":1}'
    server = await serve(answering(response(200, page)))
    session = await connect(server, retry=ONCE)
    tracemalloc.start()
    try:
        with raises(errors.ResponseDecodeError) as caught:
            await session.tasks.list(limit=10)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert "is no list of 10 rows: there are more than 2000 objects in it" in str(caught.value)
    assert peak < 12 * len(page)  # of which copies of the bytes are most


async def test_few_rows_may_be_large(serve, connect):
    """The control: ten tasks with a megabyte of output each are read, braces and all."""
    task = {**json.loads(TASK), "output": '{"id": 1},' * 100_000}
    page = {"tasks": [task] * 10, "total_count": 10, "page": 1, "limit": 10, "total_pages": 1}
    server = await serve(answering(response(200, json.dumps(page).encode())))
    session = await connect(server, retry=ONCE)

    assert len((await session.tasks.list(limit=10)).tasks) == 10
