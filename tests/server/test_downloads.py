"""Files behind links that are signed and expire."""

import asyncio
import hashlib
import socket
import tracemalloc
from contextlib import nullcontext
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from browser_use_async.server import LocalServer
from browser_use_async.server.app.file_routes import UnsatisfiableRangeError, byte_range
from browser_use_async.server.errors import StorageUnavailableError
from browser_use_async.server.http.file_answer import MOST_OF_FILE, FileAnswer
from browser_use_async.server.pages import links as signed_links
from browser_use_async.server.records import Failed, Finished
from browser_use_async.server.storage.pictures import WHITE_PAGE
from tests.server.calling import Answer, Caller
from tests.server.pngs import read_png
from tests.server.steering import FromQueue
from tests.support.patience import until


@pytest.fixture
async def timed(http, queue, clock):
    """A server with a clock of its own."""
    async with LocalServer(executor=queue, now=clock) as server:
        yield Caller(server, http)


async def _link(caller: Caller, scenario: str = "files", name: str = "report.csv") -> str:
    task_id = await caller.create(metadata={"scenario": scenario})
    await caller.reached(task_id, "finished")
    answer = await caller.get(f"/task/{task_id}/output-file/{name}")
    return answer.json["download_url"]


def _assert_refused(answer: Answer, status: int, code: str) -> None:
    assert answer.status == status
    assert answer.headers["Content-Type"].startswith("application/xml")
    assert f"<Code>{code}</Code>" in answer.text


async def test_a_file_needs_no_key(caller):
    """The link is the permission."""
    answer = await caller.get(await _link(caller), key=False)

    assert (answer.status, answer.body) == (200, b"a,b\n1,2\n")
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert answer.headers["Accept-Ranges"] == "bytes"
    assert answer.headers["Content-Length"] == "8"


async def test_a_name_with_special_characters(caller):
    """Space, & and # are escaped in the path of the API and in the link."""
    answer = await caller.get(await _link(caller, name="notes%20%26%20more%20%231.txt"), key=False)

    assert (answer.status, answer.text) == (200, "grün")


@pytest.mark.parametrize("kind", [Finished, Failed])
async def test_names_contain_no_secret_and_fit_into_links(kind, steered, queue):
    """Failed tasks included; half of a surrogate pair becomes a question mark."""
    files = {"bill-of-hunter2hunter2.txt": b"1", "read \ud83d.txt": b"2"}
    queue.items.put_nowait(kind("The bill is here", files=files))
    task_id = await steered.create(
        secrets={"word": "hunter2hunter2"}, allowed_domains=["a.example"]
    )
    task = await steered.reached(task_id, "finished" if kind is Finished else "failed")
    listed = await steered.get(f"{steered.server.url}/admin/files")
    asked = await steered.get(f"/task/{task_id}/output-file/read%20%3F.txt")
    content = await steered.get(asked.json["download_url"], key=False)

    assert sorted(task["output_files"]) == ["bill-of-***.txt", "read ?.txt"]
    assert (listed.status, "hunter2" in listed.text) == (200, False)
    assert content.body == b"2"


async def test_files_run_no_scripts_here(caller):
    """A page of another site must not act as this server when a person opens it."""
    answer = await caller.get(await _link(caller))

    assert answer.headers["Content-Security-Policy"] == "sandbox"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


async def test_the_link_is_presigned_style(timed, queue, clock):
    """`expires` in unix seconds and a signature, which names neither key nor secret."""
    queue.items.put_nowait(Finished("x", files={"a.bin": b"\0"}))
    url = await _link(timed, name="a.bin")
    parts = urlsplit(url)
    query = parse_qs(parts.query)

    (task,) = timed.server.store.tasks
    assert parts.path == f"/files/{task.id}/a.bin"
    assert query["expires"] == [str(int(clock.time.timestamp()) + 3600)]
    assert len(query["signature"][0]) == 64
    assert timed.server.api_key not in url
    answer = await timed.get(url, key=False)
    assert answer.headers["Content-Type"] == "application/octet-stream"


async def test_an_expired_link(timed, queue, clock):
    """It is valid until the last second, then access is denied; a new one opens again."""
    queue.items.put_nowait(Finished("x", files={"a.txt": b"text"}))
    url = await _link(timed, name="a.txt")
    clock.time += timedelta(seconds=3599)
    before = await timed.get(url, key=False)
    clock.time += timedelta(seconds=1)
    after = await timed.get(url, key=False)
    (task,) = timed.server.store.tasks
    renewed = (await timed.get(f"/task/{task.id}/output-file/a.txt")).json["download_url"]

    assert before.status == 200
    _assert_refused(after, 403, "AccessDenied")
    assert "Request has expired" in after.text
    assert (await timed.get(renewed, key=False)).status == 200


@pytest.mark.parametrize(
    "alter",
    [
        lambda url: url[:-1] + ("0" if url[-1] != "0" else "1"),
        lambda url: url.replace("expires=", "expires=9"),
        lambda url: url.replace("report.csv", "report2.csv"),
        lambda url: url.replace("expires=", "expires=x"),
        lambda url: url.split("signature=")[0] + "signature=%C3%BC",
    ],
    ids=["signature", "expiry", "name", "no number", "no ASCII"],
)
async def test_an_altered_link(alter, caller):
    """Every part of it is signed."""
    answer = await caller.get(alter(await _link(caller)))

    _assert_refused(answer, 403, "SignatureDoesNotMatch")


async def test_a_link_without_signature(caller):
    """A key does not help: the link alone is the permission."""
    answer = await caller.get((await _link(caller)).split("?")[0])

    _assert_refused(answer, 403, "AccessDenied")


async def test_a_link_of_another_server(caller, http):
    """Each server signs with a key of its own."""
    url = await _link(caller)
    async with LocalServer(executor=FromQueue()) as other:
        answer = await Caller(other, http).get(url.replace(caller.server.url, other.url))

    _assert_refused(answer, 403, "SignatureDoesNotMatch")


async def test_a_good_link_to_a_file_that_is_gone(http, queue, clock, tmp_path, monkeypatch):
    """The answer is that of object storage."""
    monkeypatch.setattr(signed_links, "FILE_SECONDS", 90 * 86400)
    options = {"now": clock, "database": tmp_path / "server.db"}
    queue.items.put_nowait(Finished("x", files={"a.txt": b"text"}))
    async with LocalServer(executor=queue, **options) as server:
        url = (await _link(Caller(server, http), name="a.txt")).removeprefix(server.url)
    clock.time += timedelta(days=31)
    async with LocalServer(executor=queue, **options) as server:
        await until(lambda: not server.store.tasks[0].output_files)
        _assert_refused(await Caller(server, http).get(server.url + url), 404, "NoSuchKey")


async def test_head_answers_the_same_without_the_bytes(caller):
    """Downloaders read size and version first."""
    url = await _link(caller)
    head, got = await caller.ask("HEAD", url), await caller.get(url)

    assert (head.status, head.body) == (200, b"")
    for name in ("Content-Length", "Content-Type", "ETag", "Accept-Ranges"):
        assert head.headers[name] == got.headers[name]


@pytest.mark.parametrize(
    ("asked", "content", "expected"),
    [
        ("bytes=2-4", b"b\n1", "bytes 2-4/8"),
        ("bytes=5-", b",2\n", "bytes 5-7/8"),
        ("bytes=-3", b",2\n", "bytes 5-7/8"),
        ("bytes=0-999", b"a,b\n1,2\n", "bytes 0-7/8"),
        ("bytes=-999", b"a,b\n1,2\n", "bytes 0-7/8"),
    ],
)
async def test_a_range(asked, content, expected, caller):
    """An interrupted download continues where it stopped."""
    answer = await caller.get(await _link(caller), headers={"Range": asked})

    assert (answer.status, answer.body) == (206, content)
    assert answer.headers["Content-Range"] == expected


@pytest.mark.parametrize("asked", ["bytes=8-", "bytes=99-100", "bytes=-0"])
async def test_a_range_after_the_end(asked, caller):
    """416 with the size, so that the client can start again."""
    answer = await caller.get(await _link(caller), headers={"Range": asked})

    _assert_refused(answer, 416, "InvalidRange")
    assert answer.headers["Content-Range"] == "bytes */8"


async def test_a_range_of_another_version(caller):
    """If-Range with another ETag returns everything; with the right one, the range."""
    url = await _link(caller)
    etag = (await caller.get(url)).headers["ETag"]
    headers = {"Range": "bytes=2-4"}

    other = await caller.get(url, headers={**headers, "If-Range": '"other"'})
    same = await caller.get(url, headers={**headers, "If-Range": etag})
    assert (other.status, len(other.body)) == (200, 8)
    assert (same.status, len(same.body)) == (206, 3)


@pytest.mark.parametrize(
    "header", [None, "", "bytes=-", "bytes=4-2", "bytes=0-1,4-5", "lines=1-2", "bytes=a-b"]
)
def test_ranges_that_mean_everything(header):
    """Several ranges and malformed ones are ignored, as the RFC allows."""
    assert byte_range(header, 10) is None


def test_an_empty_file_has_no_range():
    """Every range begins after its end."""
    with pytest.raises(UnsatisfiableRangeError):
        byte_range("bytes=0-", 0)


async def test_an_output_file_may_be_large(timed, queue):
    """It may be larger than the server accepts as a request."""
    content = bytes(range(256)) * 20_000
    queue.items.put_nowait(Finished("x", files={"big.bin": content}))

    assert (await timed.get(await _link(timed, name="big.bin"))).body == content


@pytest.mark.parametrize("database", [":memory:", "server.db"])
async def test_a_byte_costs_a_byte(http, queue, tmp_path, monkeypatch, database):
    """A range reads only its own bytes, and the digest of the file is stored with it."""
    content = bytes(range(256)) * 32_768  # 8 MB
    queue.items.put_nowait(Finished("x", files={"big.bin": content}))
    place = database if database == ":memory:" else tmp_path / database
    hashed: list[int] = []
    sha256 = hashlib.sha256

    def counting(data: bytes = b"", **options: Any) -> Any:
        hashed.append(len(data))
        return sha256(data, **options)

    async with LocalServer(executor=queue, database=place) as server:
        caller = Caller(server, http)
        link = await _link(caller, name="big.bin")
        whole = await caller.get(link)
        monkeypatch.setattr(hashlib, "sha256", counting)
        tracemalloc.start()
        try:
            byte = await caller.get(link, headers={"Range": "bytes=5000005-5000005"})
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert whole.body == content
    assert (byte.status, byte.body) == (206, content[5_000_005:5_000_006])
    assert byte.headers["ETag"] == whole.headers["ETag"] == f'"{sha256(content).hexdigest()[:32]}"'
    assert max(hashed, default=0) < 1000
    assert peak < len(content) / 4


@pytest.mark.long
async def test_unread_downloads_use_bounded_memory(http, queue, record_property):
    """20 unread downloads of 10 MB use no more than 2 MB each, and a further one is refused."""
    content = bytes(range(256)) * 40_960
    queue.items.put_nowait(Finished("x", files={"big.bin": content}))
    async with LocalServer(executor=queue) as server:
        caller = Caller(server, http)
        link = await _link(caller, name="big.bin")
        path = link.removeprefix(server.url)
        ask = f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
        tracemalloc.start()
        try:
            unread = []
            for number in range(MOST_OF_FILE):
                unread.append(await _unread(server, ask))
                await until(lambda number=number: server.requests["file"] == number + 1)
            refused = await caller.get(link, key=False)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        for each in unread:
            each.close()
        answers = []
        while not answers or answers[-1].status == 503:
            answers.append(await caller.get(link, key=False))
    record_property("peak", f"{peak / 1e6:.0f} MB")

    assert peak < 20 * 2e6
    _assert_refused(refused, 503, "SlowDown")
    assert "20 downloads of this file are under way already, which are the most" in refused.text
    assert refused.headers["Retry-After"] == "1"
    assert answers[-1].body == content


async def _unread(server: LocalServer, sent: bytes) -> socket.socket:
    """A connection with a small buffer that requests a file and reads nothing."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(client, ("127.0.0.1", int(server.url.rpartition(":")[2])))
    await loop.sock_sendall(client, sent)
    return client


@pytest.mark.parametrize("rest", [b"", StorageUnavailableError("the disk is gone")])
async def test_a_file_that_is_deleted_while_it_is_sent_breaks_off(http, rest):
    """The connection is cut, so that no client mistakes the beginning of a file for the whole."""

    async def read(wanted: range) -> bytes:
        if isinstance(rest, Exception):
            raise rest
        return rest

    async def answer(_request: web.Request) -> web.StreamResponse:
        first = bytes(2**20)
        return FileAnswer(read, range(2**21), first, nullcontext(), status=200, headers={})

    application = web.Application()
    application.router.add_get("/", answer)
    async with TestServer(application) as server, http.get(server.make_url("/")) as response:
        with pytest.raises(aiohttp.ClientPayloadError):
            await response.read()


async def test_steps_without_a_picture_show_a_white_page(caller):
    """Each step has a link to it."""
    task_id = await caller.create()
    await caller.reached(task_id, "finished")
    urls = (await caller.get(f"/task/{task_id}/screenshots")).json["screenshots"]
    first, second = [await caller.get(url, key=False) for url in urls]

    assert first.headers["Content-Type"] == "image/png"
    assert first.body == second.body == WHITE_PAGE


async def test_a_step_may_bring_its_picture(steered, queue):
    """Real screenshots are served unchanged."""
    queue.step(screenshot=b"\x89PNG captured")
    queue.items.put_nowait(Finished("x"))
    task_id = await steered.create()
    await steered.reached(task_id, "finished")
    (url,) = (await steered.get(f"/task/{task_id}/screenshots")).json["screenshots"]

    assert (await steered.get(url, key=False)).body == b"\x89PNG captured"


async def test_a_failure_has_a_picture_too(caller):
    """There is one for each step, also for the one with the reason."""
    task_id = await caller.create(metadata={"scenario": "fails"})
    await caller.reached(task_id, "failed")
    urls = (await caller.get(f"/task/{task_id}/screenshots")).json["screenshots"]

    assert len(urls) == 2
    assert read_png((await caller.get(urls[1])).body).size == (1280, 960)
