"""Downloads that go well, are cut, or are answered in ways that do not fit."""

import asyncio
import hashlib
import random
from pathlib import Path

import pytest

from browser_use_async import BrowserUseSession, RetryPolicy, RetryScheduled
from browser_use_async.errors import (
    FileTransferError,
    InvalidRequestError,
    NotFoundError,
    SessionClosedError,
)
from tests.bench import ONCE, Connect
from tests.files.storage import (
    SIGNATURE,
    TASK,
    Behaviour,
    FakeStorage,
    StoredFile,
    chunked,
    cut_after,
    listing,
    refuse,
    refusing,
    send_raw,
    whole,
)
from tests.wire import Connection, Request, response

NAME = "report.bin"
LARGE = random.Random(1).randbytes(5_000_000)
SMALL = LARGE[:50_000]
OTHER = LARGE[1_000_000:1_050_000]


def parts(directory: Path) -> list[str]:
    """The names of everything in a directory except the finished file."""
    return sorted(path.name for path in directory.iterdir() if path.name != NAME)


async def test_a_file_is_written(
    session: BrowserUseSession, storage: FakeStorage, tmp_path: Path
) -> None:
    """An output file lands in the directory under its name, byte for byte, and nothing else."""
    storage.keep(NAME, SMALL)

    path = await session.download_output_file(TASK, NAME, tmp_path)

    assert path == tmp_path / NAME
    assert path.read_bytes() == SMALL
    assert not parts(tmp_path)


@pytest.mark.parametrize("destination", ["new/", "new/deeper/", "new/other.name", "other.name"])
async def test_destinations(
    session: BrowserUseSession, storage: FakeStorage, tmp_path: Path, destination: str
) -> None:
    """A path that ends in a separator is a directory, any other new one a file; both are made."""
    storage.keep(NAME, SMALL)
    wanted = tmp_path / destination
    wanted = wanted / NAME if destination.endswith("/") else wanted

    path = await session.download_output_file(TASK, NAME, f"{tmp_path}/{destination}")

    assert path == wanted
    assert path.read_bytes() == SMALL


async def test_an_empty_file_is_a_file(
    session: BrowserUseSession, storage: FakeStorage, tmp_path: Path
) -> None:
    """A file of no bytes is written if the storage says that it has none."""
    storage.keep(NAME, b"")

    path = await session.download_output_file(TASK, NAME, tmp_path)

    assert path.read_bytes() == b""


async def test_an_older_file_is_replaced_at_the_end(
    session: BrowserUseSession, storage: FakeStorage, tmp_path: Path
) -> None:
    """The file that is there stays whole until the new one is."""
    storage.keep(NAME, SMALL)
    target = tmp_path / NAME
    target.write_bytes(b"old")
    seen: set[bytes] = set()

    await session.download_output_file(
        TASK, NAME, target, on_progress=lambda _bytes, _total: seen.add(target.read_bytes())
    )

    assert seen == {b"old"}
    assert target.read_bytes() == SMALL


# --- cuts ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("rudely", [False, True], ids=["closed", "reset"])
async def test_g9_cut_at_every_tenth(
    session: BrowserUseSession, storage: FakeStorage, tmp_path: Path, rudely: bool
) -> None:
    """G9: a file whose connection breaks at every tenth is put together to the same hash."""
    storage.keep(NAME, LARGE)
    tenth = len(LARGE) // 10
    storage.next = [cut_after(tenth, rudely=rudely)] * 9

    path = await session.download_output_file(TASK, NAME, tmp_path)

    assert hashlib.sha256(path.read_bytes()).digest() == hashlib.sha256(LARGE).digest()
    assert len(storage.requests) == 10
    if not rudely:  # a reset may throw away what was under way
        assert storage.ranges == [None, *[f"bytes={tenth * n}-" for n in range(1, 10)]]
    assert not parts(tmp_path)


@pytest.mark.parametrize("tenth", range(10))
async def test_g9_one_cut_costs_no_byte_twice(
    session: BrowserUseSession, storage: FakeStorage, tmp_path: Path, tenth: int
) -> None:
    """G9: after one cut, wherever it is, only the rest is asked for, of the same version."""
    file = storage.keep(NAME, SMALL)
    offset = len(SMALL) * tenth // 10
    storage.next = [cut_after(offset)]

    path = await session.download_output_file(TASK, NAME, tmp_path)

    second = storage.requests[1].headers
    assert path.read_bytes() == SMALL
    assert second.get("range") == (f"bytes={offset}-" if offset else None)
    assert second.get("if-range") == (file.header("ETag") if offset else None)


async def test_g9_last_modified_serves_where_there_is_no_etag(
    session: BrowserUseSession, storage: FakeStorage, tmp_path: Path
) -> None:
    """G9: without an ETag, a date that is older than the reply tells the version."""
    date = "Wed, 01 Jan 2025 10:00:00 GMT"
    storage.keep(NAME, SMALL, ("Last-Modified", date), ("Date", "Wed, 01 Jan 2025 11:00:00 GMT"))
    storage.next = [cut_after(1000)]

    path = await session.download_output_file(TASK, NAME, tmp_path)

    assert path.read_bytes() == SMALL
    assert storage.requests[1].headers["if-range"] == date


@pytest.mark.parametrize(
    "headers",
    [
        [("ETag", 'W/"weak"')],
        [("X-Nothing", "said")],
        [("Last-Modified", "Wed, 01 Jan 2025 10:00:00 GMT")],
        [
            ("Last-Modified", "Wed, 01 Jan 2025 10:00:00 GMT"),
            ("Date", "Wed, 01 Jan 2025 10:00:00 GMT"),
        ],
    ],
    ids=["weak", "none", "date-alone", "date-too-young"],
)
async def test_g9_what_cannot_be_told_apart_is_started_again(
    session: BrowserUseSession,
    storage: FakeStorage,
    tmp_path: Path,
    headers: list[tuple[str, str]],
) -> None:
    """G9: without a strong validator no range is asked for, and no part is left for later."""
    storage.keep(NAME, SMALL, *headers)
    storage.next = [cut_after(1000), cut_after(40_000)]

    path = await session.download_output_file(TASK, NAME, tmp_path)

    assert path.read_bytes() == SMALL
    assert storage.ranges == [None, None, None]
    assert not parts(tmp_path)


async def test_g9_no_growth_ends_it(
    session: BrowserUseSession, storage: FakeStorage, tmp_path: Path
) -> None:
    """G9: a file that stops growing is given up after the policy's attempts; the rest is kept."""
    storage.keep(NAME, SMALL)
    storage.next = [cut_after(1000), cut_after(1000)]
    storage.behave = cut_after(0)

    with refusing(FileTransferError) as caught:
        await session.download_output_file(TASK, NAME, tmp_path)

    (left,) = parts(tmp_path)
    assert caught.value.task_id == TASK
    assert f"2000 bytes are kept in {left}" in str(caught.value)
    assert len(storage.requests) == 5
    assert (tmp_path / left).read_bytes() == SMALL[:2000]


async def test_g9_the_next_call_goes_on(
    session: BrowserUseSession, storage: FakeStorage, tmp_path: Path
) -> None:
    """G9: what a download that was given up left is continued by the next one."""
    storage.keep(NAME, SMALL)
    storage.next = [cut_after(30_000)]
    storage.behave = cut_after(0)
    with refusing(FileTransferError):
        await session.download_output_file(TASK, NAME, tmp_path)
    storage.behave = whole
    before = len(storage.requests)

    path = await session.download_output_file(TASK, NAME, tmp_path)

    assert path.read_bytes() == SMALL
    assert storage.ranges[before:] == [None, "bytes=30000-"]
    assert not parts(tmp_path)


async def test_retries_follow_the_policy_and_are_told(
    storage: FakeStorage, connect: Connect, tmp_path: Path
) -> None:
    """Pauses are the policy's, `Retry-After` counts, and each one is an event without a URL."""
    told: list[object] = []
    policy = RetryPolicy(base_delay=0.0, retry_after_cap=5.0)
    session = await connect(storage.api, retry=policy, on_event=told.append)
    storage.keep(NAME, SMALL)
    slow_down = response(503, "<Code>SlowDown</Code>", [("Retry-After", "0.1")])
    storage.next = [send_raw(slow_down)]

    await session.download_output_file(TASK, NAME, tmp_path)

    (event,) = told
    assert isinstance(event, RetryScheduled)
    assert event.operation == "download_file"
    assert event.task_id == TASK
    assert event.pause == pytest.approx(0.1)
    assert "SlowDown" in event.reason
    assert SIGNATURE not in repr(told)


async def test_one_attempt_means_one(
    storage: FakeStorage, connect: Connect, tmp_path: Path
) -> None:
    """With `max_attempts=1` nothing is repeated."""
    session = await connect(storage.api, retry=ONCE)
    storage.keep(NAME, SMALL)
    storage.next = [cut_after(1000)]

    with refusing(FileTransferError):
        await session.download_output_file(TASK, NAME, tmp_path)

    assert len(storage.requests) == 1


async def test_a_stall_is_cut_and_resumed(
    storage: FakeStorage, connect: Connect, tmp_path: Path
) -> None:
    """A connection that goes silent in the middle for longer than `timeout` is taken up again."""
    session = await connect(storage.api, timeout=0.2)
    storage.keep(NAME, SMALL)

    async def fall_silent(connection: Connection, request: Request, file: StoredFile) -> None:
        connection.send(file.reply(request)[:10_000])
        await connection.stall()

    storage.next = [fall_silent]

    path = await session.download_output_file(TASK, NAME, tmp_path)

    assert path.read_bytes() == SMALL
    assert storage.ranges[1] is not None


# --- answers that do not fit --------------------------------------------------------------------


def _partial(place: str, etag: str | None = None, body: bytes = SMALL[1000:]) -> Behaviour:
    headers = [("Content-Range", place)] + ([("ETag", etag)] if etag else [])
    return send_raw(response(206, body, headers))


_SIZE = len(SMALL)


@pytest.mark.parametrize(
    "answer",
    [
        _partial(f"bytes 999-{_SIZE - 1}/{_SIZE}", body=SMALL[999:]),
        _partial(f"bytes 1001-{_SIZE - 1}/{_SIZE}", body=SMALL[1001:]),
        _partial(f"bytes 1000-{_SIZE - 2}/{_SIZE}", body=SMALL[1000:-1]),
        _partial(f"bytes 1000-{_SIZE - 1}/{_SIZE + 5}"),
        _partial(f"bytes 1000-{_SIZE - 1}/*"),
        _partial("nonsense"),
        _partial(f"bytes 1000-{_SIZE - 1}/{_SIZE}", etag='"changed"'),
        send_raw(response(206, SMALL[1000:])),
        refuse(416, "InvalidRange", "The requested range is not satisfiable"),
    ],
    ids=["before", "behind", "shorter", "longer", "star", "text", "etag", "no-range", "416"],
)
async def test_g10_another_range_starts_the_file_again(
    session: BrowserUseSession, storage: FakeStorage, tmp_path: Path, answer: Behaviour
) -> None:
    """G10: a partial reply that is not exactly the rest is thrown away with what was there."""
    storage.keep(NAME, SMALL)
    storage.next = [cut_after(1000), answer]

    path = await session.download_output_file(TASK, NAME, tmp_path)

    assert path.read_bytes() == SMALL
    assert storage.ranges == [None, "bytes=1000-", None]
    assert not parts(tmp_path)


@pytest.mark.parametrize(
    ("body", "ranges"),
    [
        (SMALL[1000:2000], [None, "bytes=1000-", "bytes=2000-"]),
        (b"", [None, "bytes=1000-", "bytes=1000-"]),
        (SMALL[1000:] + b"more", [None, "bytes=1000-", None]),
    ],
    ids=["fewer", "none", "more"],
)
async def test_g10_a_part_of_another_size_than_promised(
    session: BrowserUseSession,
    storage: FakeStorage,
    tmp_path: Path,
    body: bytes,
    ranges: list[str | None],
) -> None:
    """G10: a partial reply that brings fewer bytes is gone on with; one that brings more is not."""
    storage.keep(NAME, SMALL)
    storage.next = [cut_after(1000), _partial(f"bytes 1000-{_SIZE - 1}/{_SIZE}", body=body)]

    path = await session.download_output_file(TASK, NAME, tmp_path)

    assert path.read_bytes() == SMALL
    assert storage.ranges == ranges


async def test_g10_parts_without_bytes_are_given_up(
    session: BrowserUseSession, storage: FakeStorage, tmp_path: Path
) -> None:
    """G10: a storage that promises the rest again and again and never brings it is given up."""
    storage.keep(NAME, SMALL)
    storage.next = [cut_after(1000)]
    storage.behave = _partial(f"bytes 1000-{_SIZE - 1}/{_SIZE}", body=b"")

    with refusing(FileTransferError):
        await session.download_output_file(TASK, NAME, tmp_path)

    assert len(storage.requests) == 4


async def test_g10_a_storage_without_ranges(
    session: BrowserUseSession, storage: FakeStorage, tmp_path: Path
) -> None:
    """G10: a whole file in answer to a range takes the place of what was there."""
    storage.keep(NAME, SMALL, ranges=False)
    storage.next = [cut_after(1000)]

    path = await session.download_output_file(TASK, NAME, tmp_path)

    assert path.read_bytes() == SMALL
    assert len(storage.requests) == 2


async def test_g10_a_storage_that_starts_again_each_time(
    session: BrowserUseSession, storage: FakeStorage, tmp_path: Path
) -> None:
    """G10: without ranges, getting a little further each time does not go on for ever."""
    storage.keep(NAME, SMALL, ranges=False)
    storage.next = [cut_after(1000 * number) for number in range(1, 50)]

    with refusing(FileTransferError):
        await session.download_output_file(TASK, NAME, tmp_path)

    assert len(storage.requests) == 5


async def test_g10_the_file_changes_in_between(
    session: BrowserUseSession, storage: FakeStorage, tmp_path: Path
) -> None:
    """G10: when another version comes after a cut, the file is that version alone."""
    storage.keep(NAME, SMALL)

    async def change(connection: Connection, request: Request, file: StoredFile) -> None:
        storage.keep(NAME, OTHER)
        await cut_after(1000)(connection, request, file)

    storage.next = [change]

    path = await session.download_output_file(TASK, NAME, tmp_path)

    assert path.read_bytes() == OTHER
    assert not parts(tmp_path)


async def test_g10_a_storage_that_never_serves_the_rest(
    session: BrowserUseSession, storage: FakeStorage, tmp_path: Path
) -> None:
    """G10: a storage that ignores ranges and cuts at the same place each time is given up."""
    storage.keep(NAME, SMALL, ranges=False)
    storage.behave = cut_after(1000)

    with refusing(FileTransferError):
        await session.download_output_file(TASK, NAME, tmp_path)

    assert len(storage.requests) <= 5
    assert not (tmp_path / NAME).exists()


async def test_g10_leftovers_of_another_version_go(
    session: BrowserUseSession, storage: FakeStorage, tmp_path: Path
) -> None:
    """G10: a part of a version that is no longer served is neither used nor left lying about."""
    storage.keep(NAME, SMALL)
    storage.next = [cut_after(1000)]
    storage.behave = cut_after(0)
    with refusing(FileTransferError):
        await session.download_output_file(TASK, NAME, tmp_path)
    storage.keep(NAME, OTHER)
    storage.behave = whole
    assert parts(tmp_path)

    path = await session.download_output_file(TASK, NAME, tmp_path)

    assert path.read_bytes() == OTHER
    assert not parts(tmp_path)


@pytest.mark.parametrize("changed", [False, True], ids=["same-etag", "other-etag"])
async def test_g11_the_url_expires_in_the_middle(
    session: BrowserUseSession, storage: FakeStorage, tmp_path: Path, changed: bool
) -> None:
    """G11: a new URL is fetched, and the file goes on if its version is the same."""
    storage.keep(NAME, SMALL)

    async def expire(connection: Connection, request: Request, file: StoredFile) -> None:
        if changed:
            storage.keep(NAME, OTHER)
        await refuse(403)(connection, request, file)

    storage.next = [cut_after(1000), expire]

    path = await session.download_output_file(TASK, NAME, tmp_path)

    assert path.read_bytes() == (OTHER if changed else SMALL)
    assert storage.ranges == [None, "bytes=1000-", "bytes=1000-"]
    assert storage.requests[2].target.endswith(f"{SIGNATURE}-1")
    assert len(storage.api.requests) == 2


async def test_g11_a_url_is_renewed_once(
    session: BrowserUseSession, storage: FakeStorage, tmp_path: Path
) -> None:
    """G11: a storage that refuses the new URL as well is believed; its words are told."""
    storage.keep(NAME, SMALL)
    storage.behave = refuse(403)

    with refusing(FileTransferError) as caught:
        await session.download_output_file(TASK, NAME, tmp_path)

    assert "status 403 (AccessDenied: Request has expired)" in str(caught.value)
    assert len(storage.api.requests) == 2
    assert len(storage.requests) == 2
    assert not parts(tmp_path)


async def test_g11_after_growth_a_url_is_renewed_again(
    session: BrowserUseSession, storage: FakeStorage, tmp_path: Path
) -> None:
    """G11: a download that outlives several URLs is not given up while it grows."""
    storage.keep(NAME, SMALL)
    storage.next = [cut_after(1000), refuse(403)] * 5

    path = await session.download_output_file(TASK, NAME, tmp_path)

    assert path.read_bytes() == SMALL


# --- lengths ------------------------------------------------------------------------------------


def _with_length(length: int, body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % length + body


async def test_g12_a_body_shorter_than_promised(
    session: BrowserUseSession, storage: FakeStorage, tmp_path: Path
) -> None:
    """G12: fewer bytes than `Content-Length` are never a file."""
    storage.behave = send_raw(_with_length(_SIZE + 1, SMALL))

    with refusing(FileTransferError):
        await session.download_output_file(TASK, NAME, tmp_path)

    assert not listing(tmp_path)


@pytest.mark.parametrize("ended", [False, True], ids=["cut", "ended"])
async def test_g12_chunks_without_a_length(
    session: BrowserUseSession, storage: FakeStorage, tmp_path: Path, ended: bool
) -> None:
    """G12: without a length, the file is whole when the last chunk came, and not before."""
    storage.behave = chunked([SMALL[:1000], SMALL[1000:]], ended=ended)

    if ended:
        path = await session.download_output_file(TASK, NAME, tmp_path)
        assert path.read_bytes() == SMALL
    else:
        with refusing(FileTransferError):
            await session.download_output_file(TASK, NAME, tmp_path)
        assert not listing(tmp_path)


@pytest.mark.parametrize("rudely", [False, True], ids=["closed", "reset"])
async def test_g12_a_body_that_ends_with_its_connection(
    session: BrowserUseSession, storage: FakeStorage, tmp_path: Path, rudely: bool
) -> None:
    """G12: neither length nor chunks: whole if the connection was closed, not if it was reset."""
    storage.behave = send_raw(b"HTTP/1.1 200 OK\r\n\r\n" + SMALL, rudely=rudely)

    if rudely:
        with refusing(FileTransferError):
            await session.download_output_file(TASK, NAME, tmp_path)
        assert not listing(tmp_path)
    else:
        path = await session.download_output_file(TASK, NAME, tmp_path)
        assert path.read_bytes() == SMALL


async def test_g12_bytes_behind_the_end_do_not_get_in(
    session: BrowserUseSession, storage: FakeStorage, tmp_path: Path
) -> None:
    """G12: more bytes than `Content-Length` are refused, or at least not part of the file."""
    storage.keep(NAME, SMALL)
    storage.next = [send_raw(_with_length(1000, SMALL))]

    path = await session.download_output_file(TASK, NAME, tmp_path)

    assert path.read_bytes() in {SMALL[:1000], SMALL}


async def test_g12_compression_is_not_asked_for_and_not_taken(
    session: BrowserUseSession, storage: FakeStorage, tmp_path: Path
) -> None:
    """G12: `identity` is asked for, and a compressed body is refused."""
    storage.behave = send_raw(response(200, b"\x1f\x8b...", [("Content-Encoding", "gzip")]))

    with refusing(FileTransferError) as caught:
        await session.download_output_file(TASK, NAME, tmp_path)

    assert "compressed" in str(caught.value)
    assert storage.requests[0].headers["accept-encoding"] == "identity"
    assert not listing(tmp_path)


async def test_g13_an_endless_body_is_stopped(
    session: BrowserUseSession, storage: FakeStorage, tmp_path: Path
) -> None:
    """G13: bytes that never end are cut off at `max_bytes`, and what was written is removed."""

    async def endless(connection: Connection, request: Request, file: StoredFile) -> None:
        connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while not connection.client_closed:
            connection.send(b"ffff\r\n" + bytes(0xFFFF) + b"\r\n")
            await asyncio.sleep(0)

    storage.behave = endless

    with refusing(FileTransferError) as caught:
        await session.download_output_file(TASK, NAME, tmp_path, max_bytes=3_000_000)

    assert "max_bytes=3000000" in str(caught.value)
    assert len(storage.requests) == 1
    assert not listing(tmp_path)


async def test_g13_a_promise_that_is_too_large_is_not_read(
    session: BrowserUseSession, storage: FakeStorage, tmp_path: Path
) -> None:
    """G13: a `Content-Length` above `max_bytes` is refused; one that is equal is not."""
    storage.keep(NAME, SMALL)

    with refusing(FileTransferError):
        await session.download_output_file(TASK, NAME, tmp_path / "a", max_bytes=_SIZE - 1)
    path = await session.download_output_file(TASK, NAME, tmp_path / "b", max_bytes=_SIZE)

    assert path.read_bytes() == SMALL
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize("max_bytes", [0, -1, 1.5, True, "5"])
async def test_max_bytes_is_checked(
    session: BrowserUseSession, storage: FakeStorage, tmp_path: Path, max_bytes: int
) -> None:
    """A limit that is no number of bytes is refused before anything is sent."""
    with refusing(InvalidRequestError):
        await session.download_output_file(TASK, NAME, tmp_path, max_bytes=max_bytes)

    assert not storage.api.requests


# --- refusals -----------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [400, 403, 404, 410])
async def test_g18_a_refusal_is_not_the_file(
    session: BrowserUseSession, storage: FakeStorage, tmp_path: Path, status: int
) -> None:
    """G18: the XML of a refusal never becomes the file; code and message are told, no signature."""
    storage.behave = refuse(status, "NoSuchKey", "The specified key does not exist.")

    with refusing(FileTransferError) as caught:
        await session.download_output_file(TASK, NAME, tmp_path)

    assert f"status {status} (NoSuchKey: The specified key does not exist.)" in str(caught.value)
    assert caught.value.task_id == TASK
    assert not listing(tmp_path)


@pytest.mark.parametrize("status", [201, 204, 304])
async def test_g18_other_statuses_are_not_the_file(
    session: BrowserUseSession, storage: FakeStorage, tmp_path: Path, status: int
) -> None:
    """G18: only 200 and 206 bring a file."""
    storage.behave = send_raw(response(status))

    with refusing(FileTransferError):
        await session.download_output_file(TASK, NAME, tmp_path)

    assert not listing(tmp_path)


async def test_a_refusal_that_echoes_the_url_shows_none_of_it(
    session: BrowserUseSession, storage: FakeStorage, tmp_path: Path
) -> None:
    """A page that repeats the URL, escaped or not, is told without its query."""

    async def echo(connection: Connection, request: Request, file: StoredFile) -> None:
        text = f"<h1>Not found</h1> {request.target} {request.target.replace('&', '&amp;')}"
        connection.send(response(404, text, content_type="text/html"))

    storage.behave = echo

    with refusing(FileTransferError) as caught:
        await session.download_output_file(TASK, NAME, tmp_path)

    assert "Not found" in str(caught.value)
    assert "AKIA" not in str(caught.value)


async def test_an_error_of_the_api_is_the_api_error(
    session: BrowserUseSession, storage: FakeStorage, tmp_path: Path
) -> None:
    """A file that the API does not know is its 404, and makes no directory."""
    storage.api_replies = [response(404, '{"detail": "File not found"}')]

    with refusing(NotFoundError) as caught:
        await session.download_output_file(TASK, NAME, tmp_path / "new" / "")

    assert caught.value.task_id == TASK
    assert not storage.requests
    assert not listing(tmp_path)


# --- progress, cancelling, closing --------------------------------------------------------------


async def test_progress_is_told_in_bytes(
    session: BrowserUseSession, storage: FakeStorage, tmp_path: Path
) -> None:
    """The callback gets the bytes so far and the size, also after a cut."""
    storage.keep(NAME, LARGE)
    storage.next = [cut_after(1_000_000)]
    told: list[tuple[int, int | None]] = []

    await session.download_output_file(
        TASK, NAME, tmp_path, on_progress=lambda received, total: told.append((received, total))
    )

    received = [bytes_ for bytes_, _ in told]
    assert received == sorted(received)
    assert received[-1] == len(LARGE)
    assert {total for _, total in told} == {len(LARGE)}
    assert len(told) > 5


async def test_what_progress_raises_ends_the_download(
    session: BrowserUseSession, storage: FakeStorage, tmp_path: Path
) -> None:
    """An exception of the callback comes out as it is, and nothing is left."""
    storage.keep(NAME, LARGE)

    def stop(received: int, total: int | None) -> None:
        if received > 2_000_000:
            raise LookupError("enough")

    with refusing(LookupError):
        await session.download_output_file(TASK, NAME, tmp_path, on_progress=stop)

    assert not listing(tmp_path)


async def test_cancelling_leaves_a_part_to_go_on_with(
    session: BrowserUseSession, storage: FakeStorage, tmp_path: Path
) -> None:
    """A cancelled download ends at once, and the next one goes on where it was."""
    storage.keep(NAME, LARGE)
    arrived = asyncio.Event()

    async def half(connection: Connection, request: Request, file: StoredFile) -> None:
        connection.send(file.reply(request)[:3_000_000])
        await connection.stall()

    def note(received: int, total: int | None) -> None:
        if received > 2_500_000:
            arrived.set()

    storage.next = [half]
    download = asyncio.create_task(
        session.download_output_file(TASK, NAME, tmp_path, on_progress=note)
    )
    await arrived.wait()
    download.cancel()
    with pytest.raises(asyncio.CancelledError):
        await download

    (left,) = parts(tmp_path)
    size = (tmp_path / left).stat().st_size
    path = await session.download_output_file(TASK, NAME, tmp_path)

    assert size >= 1_000_000
    assert LARGE.startswith(path.read_bytes()[:size])
    assert path.read_bytes() == LARGE
    assert storage.ranges[-1] == f"bytes={size}-"


async def test_closing_the_session_ends_downloads(
    storage: FakeStorage, connect: Connect, tmp_path: Path
) -> None:
    """`aclose()` in the middle of a download ends it with `SessionClosedError`."""
    session = await connect(storage.api)
    started = asyncio.Event()

    async def silence(connection: Connection, request: Request, file: StoredFile) -> None:
        started.set()
        await connection.stall()

    storage.behave = silence
    download = asyncio.create_task(session.download_output_file(TASK, NAME, tmp_path))
    await started.wait()
    await session.aclose()

    with refusing(SessionClosedError):
        await download
    with refusing(SessionClosedError):
        await session.download_output_file(TASK, NAME, tmp_path)


async def test_g16_two_downloads_of_the_same_file(
    session: BrowserUseSession, storage: FakeStorage, tmp_path: Path
) -> None:
    """G16: two at once do not get into each other's bytes, and both end with the whole file."""
    storage.keep(NAME, LARGE)
    storage.next = [cut_after(1_000_000), cut_after(2_000_000)]

    paths = await asyncio.gather(
        *(session.download_output_file(TASK, NAME, tmp_path) for _ in range(2))
    )

    assert paths == [tmp_path / NAME] * 2
    assert paths[0].read_bytes() == LARGE
    assert not parts(tmp_path)
