"""Replies that do not fit the bytes before them, or their own headers."""

import asyncio

import pytest

from browser_use_async.errors import (
    FileTransferError,
    InvalidRequestError,
)
from tests.files.contents import NAME, OTHER, SMALL, listing, parts
from tests.support.storage import (
    TASK,
    Behaviour,
    StoredFile,
    chunked,
    cut_after,
    refuse,
    refusing,
    send_raw,
)
from tests.support.wire import Connection, Request, response

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
async def test_another_range_starts_the_file_again(session, storage, tmp_path, answer):
    """A partial reply that is not exactly the rest is dropped, as are the bytes before it."""
    storage.keep(NAME, SMALL)
    storage.next = [cut_after(1000), answer]

    path = await session.files.download_output_file(TASK, NAME, tmp_path)

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
async def test_a_part_of_another_size_than_promised(session, storage, tmp_path, body, ranges):
    """A partial reply with fewer bytes is continued; one with more is not."""
    storage.keep(NAME, SMALL)
    storage.next = [cut_after(1000), _partial(f"bytes 1000-{_SIZE - 1}/{_SIZE}", body=body)]

    path = await session.files.download_output_file(TASK, NAME, tmp_path)

    assert path.read_bytes() == SMALL
    assert storage.ranges == ranges


async def test_parts_without_bytes_are_given_up(session, storage, tmp_path):
    """A storage that promises the rest repeatedly and never sends it is given up."""
    storage.keep(NAME, SMALL)
    storage.next = [cut_after(1000)]
    storage.behave = _partial(f"bytes 1000-{_SIZE - 1}/{_SIZE}", body=b"")

    with refusing(FileTransferError):
        await session.files.download_output_file(TASK, NAME, tmp_path)

    assert len(storage.requests) == 4


async def test_a_storage_without_ranges(session, storage, tmp_path):
    """A complete file in answer to a range replaces the bytes before it."""
    storage.keep(NAME, SMALL, ranges=False)
    storage.next = [cut_after(1000)]

    path = await session.files.download_output_file(TASK, NAME, tmp_path)

    assert path.read_bytes() == SMALL
    assert len(storage.requests) == 2


async def test_a_storage_that_starts_again_each_time(session, storage, tmp_path):
    """Without ranges, getting a little further each time does not continue for ever."""
    storage.keep(NAME, SMALL, ranges=False)
    storage.next = [cut_after(1000 * number) for number in range(1, 50)]

    with refusing(FileTransferError):
        await session.files.download_output_file(TASK, NAME, tmp_path)

    assert len(storage.requests) == 5


async def test_the_file_changes_in_between(session, storage, tmp_path):
    """When another version comes after a cut, the file is that version alone."""
    storage.keep(NAME, SMALL)

    async def change(connection: Connection, request: Request, file: StoredFile) -> None:
        storage.keep(NAME, OTHER)
        await cut_after(1000)(connection, request, file)

    storage.next = [change]

    path = await session.files.download_output_file(TASK, NAME, tmp_path)

    assert path.read_bytes() == OTHER
    assert not parts(tmp_path)


async def test_a_storage_that_never_serves_the_rest(session, storage, tmp_path):
    """A storage that ignores ranges and cuts at the same place each time is given up."""
    storage.keep(NAME, SMALL, ranges=False)
    storage.behave = cut_after(1000)

    with refusing(FileTransferError):
        await session.files.download_output_file(TASK, NAME, tmp_path)

    assert len(storage.requests) <= 5
    assert not (tmp_path / NAME).exists()


async def test_a_file_that_changes_all_the_time(session, storage, tmp_path):
    """A storage with another version after each cut is given up, though it gets further."""

    async def change(connection: Connection, request: Request, file: StoredFile) -> None:
        number = len(storage.requests)
        await cut_after(1000 * number)(connection, request, file)
        storage.keep(NAME, SMALL + bytes(number))

    storage.keep(NAME, SMALL)
    storage.behave = change

    with refusing(FileTransferError):
        await session.files.download_output_file(TASK, NAME, tmp_path)

    assert len(storage.requests) == 5
    assert not listing(tmp_path)


# --- lengths ------------------------------------------------------------------------------------


def _with_length(length: int, body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % length + body


async def test_a_body_shorter_than_promised(session, storage, tmp_path):
    """Fewer bytes than `Content-Length` are never a file."""
    storage.behave = send_raw(_with_length(_SIZE + 1, SMALL))

    with refusing(FileTransferError):
        await session.files.download_output_file(TASK, NAME, tmp_path)

    assert not listing(tmp_path)


@pytest.mark.parametrize("ended", [False, True], ids=["cut", "ended"])
async def test_chunks_without_a_length(session, storage, tmp_path, ended):
    """Without a length, the file is complete when the last chunk came, and not before."""
    storage.behave = chunked([SMALL[:1000], SMALL[1000:]], ended=ended)

    if ended:
        path = await session.files.download_output_file(TASK, NAME, tmp_path)
        assert path.read_bytes() == SMALL
    else:
        with refusing(FileTransferError):
            await session.files.download_output_file(TASK, NAME, tmp_path)
        assert not listing(tmp_path)


@pytest.mark.parametrize("rudely", [False, True], ids=["closed", "reset"])
async def test_a_body_that_ends_with_its_connection(session, storage, tmp_path, rudely):
    """Neither length nor chunks: complete if the connection was closed, not if it was reset."""
    storage.behave = send_raw(b"HTTP/1.1 200 OK\r\n\r\n" + SMALL, rudely=rudely)

    if rudely:
        with refusing(FileTransferError):
            await session.files.download_output_file(TASK, NAME, tmp_path)
        assert not listing(tmp_path)
    else:
        path = await session.files.download_output_file(TASK, NAME, tmp_path)
        assert path.read_bytes() == SMALL


async def test_bytes_behind_the_end_do_not_get_in(session, storage, tmp_path):
    """More bytes than `Content-Length` are refused, or at least not part of the file."""
    storage.keep(NAME, SMALL)
    storage.next = [send_raw(_with_length(1000, SMALL))]

    path = await session.files.download_output_file(TASK, NAME, tmp_path)

    assert path.read_bytes() in {SMALL[:1000], SMALL}


async def test_compression_is_not_asked_for_and_not_taken(session, storage, tmp_path):
    """The request asks for `identity`, and a compressed body is refused."""
    storage.behave = send_raw(response(200, b"\x1f\x8b...", [("Content-Encoding", "gzip")]))

    with refusing(FileTransferError) as caught:
        await session.files.download_output_file(TASK, NAME, tmp_path)

    assert "compressed" in str(caught.value)
    assert storage.requests[0].headers["accept-encoding"] == "identity"
    assert not listing(tmp_path)


async def test_an_endless_body_is_stopped(session, storage, tmp_path):
    """Endless bytes are cut off at `max_bytes`, and the written ones are removed."""

    async def endless(connection: Connection, request: Request, file: StoredFile) -> None:
        connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while not connection.client_closed:
            connection.send(b"ffff\r\n" + bytes(0xFFFF) + b"\r\n")
            await asyncio.sleep(0)

    storage.behave = endless

    with refusing(FileTransferError) as caught:
        await session.files.download_output_file(TASK, NAME, tmp_path, max_bytes=3_000_000)

    assert "max_bytes=3000000" in str(caught.value)
    assert len(storage.requests) == 1
    assert not listing(tmp_path)


async def test_a_promise_that_is_too_large_is_not_read(session, storage, tmp_path):
    """A `Content-Length` above `max_bytes` is refused; one that is equal is not."""
    storage.keep(NAME, SMALL)

    with refusing(FileTransferError):
        await session.files.download_output_file(TASK, NAME, tmp_path / "a", max_bytes=_SIZE - 1)
    path = await session.files.download_output_file(TASK, NAME, tmp_path / "b", max_bytes=_SIZE)

    assert path.read_bytes() == SMALL
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize("max_bytes", [0, -1, 1.5, True, "5"])
async def test_max_bytes_is_checked(session, storage, tmp_path, max_bytes):
    """A limit that is no number of bytes is refused before anything is sent."""
    with refusing(InvalidRequestError):
        await session.files.download_output_file(TASK, NAME, tmp_path, max_bytes=max_bytes)

    assert not storage.api.requests
