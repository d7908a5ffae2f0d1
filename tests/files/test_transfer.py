"""Connections that break and URLs that expire in the middle."""

import hashlib

import pytest

from browser_use_async import RetryPolicy, RetryScheduled
from browser_use_async.errors import (
    FileTransferError,
)
from tests.files.contents import LARGE, NAME, OTHER, SMALL, listing, parts
from tests.support.bench import ONCE
from tests.support.storage import (
    SIGNATURE,
    TASK,
    StoredFile,
    cut_after,
    refuse,
    refusing,
    send_raw,
)
from tests.support.wire import Connection, Request, response


@pytest.mark.parametrize("rudely", [False, True], ids=["closed", "reset"])
async def test_cut_at_every_tenth(session, storage, tmp_path, rudely):
    """A file whose connection breaks at every tenth has the right hash in the end."""
    storage.keep(NAME, LARGE)
    tenth = len(LARGE) // 10
    storage.next = [cut_after(tenth, rudely=rudely)] * 9

    path = await session.files.download_output_file(TASK, NAME, tmp_path)

    assert hashlib.sha256(path.read_bytes()).digest() == hashlib.sha256(LARGE).digest()
    assert len(storage.requests) == 10
    if not rudely:  # a reset may drop bytes on the way
        assert storage.ranges == [None, *[f"bytes={tenth * n}-" for n in range(1, 10)]]
    assert not parts(tmp_path)


@pytest.mark.parametrize("tenth", range(10))
async def test_one_cut_costs_no_byte_twice(session, storage, tmp_path, tenth):
    """After a cut at any place only the rest is requested, of the same version."""
    file = storage.keep(NAME, SMALL)
    offset = len(SMALL) * tenth // 10
    storage.next = [cut_after(offset)]

    path = await session.files.download_output_file(TASK, NAME, tmp_path)

    second = storage.requests[1].headers
    assert path.read_bytes() == SMALL
    assert second.get("range") == (f"bytes={offset}-" if offset else None)
    assert second.get("if-range") == (file.header("ETag") if offset else None)


async def test_last_modified_serves_where_there_is_no_etag(session, storage, tmp_path):
    """Without an ETag, a date that is older than the reply identifies the version."""
    date = "Wed, 01 Jan 2025 10:00:00 GMT"
    storage.keep(NAME, SMALL, ("Last-Modified", date), ("Date", "Wed, 01 Jan 2025 11:00:00 GMT"))
    storage.next = [cut_after(1000)]

    path = await session.files.download_output_file(TASK, NAME, tmp_path)

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
async def test_a_file_without_a_validator_is_started_again(session, storage, tmp_path, headers):
    """Without a strong validator no range is requested."""
    storage.keep(NAME, SMALL, *headers)
    storage.next = [cut_after(1000), cut_after(40_000)]

    path = await session.files.download_output_file(TASK, NAME, tmp_path)

    assert path.read_bytes() == SMALL
    assert storage.ranges == [None, None, None]
    assert not parts(tmp_path)


async def test_no_growth_ends_it(session, storage, tmp_path):
    """A file that stops growing is given up after the policy's attempts, and nothing is left."""
    storage.keep(NAME, SMALL)
    storage.next = [cut_after(1000), cut_after(1000)]
    storage.behave = cut_after(0)

    with refusing(FileTransferError) as caught:
        await session.files.download_output_file(TASK, NAME, tmp_path)

    assert caught.value.task_id == TASK
    assert "nothing was written" in str(caught.value)
    assert len(storage.requests) == 5
    assert not listing(tmp_path)


async def test_retries_follow_the_policy_and_are_reported(storage, connect, tmp_path):
    """Pauses are the policy's, `Retry-After` applies, and each is an event without a URL."""
    events: list[object] = []
    policy = RetryPolicy(base_delay=0.0, retry_after_cap=5.0)
    session = await connect(storage.api, retry=policy, on_event=events.append)
    storage.keep(NAME, SMALL)
    slow_down = response(503, "<Code>SlowDown</Code>", [("Retry-After", "0.1")])
    storage.next = [send_raw(slow_down)]

    await session.files.download_output_file(TASK, NAME, tmp_path)

    (event,) = events
    assert isinstance(event, RetryScheduled)
    assert event.operation == "download_file"
    assert event.task_id == TASK
    assert event.pause == pytest.approx(0.1)
    assert "SlowDown" in event.reason
    assert SIGNATURE not in repr(events)


async def test_one_attempt_means_one(storage, connect, tmp_path):
    """With `max_attempts=1` nothing is repeated."""
    session = await connect(storage.api, retry=ONCE)
    storage.keep(NAME, SMALL)
    storage.next = [cut_after(1000)]

    with refusing(FileTransferError):
        await session.files.download_output_file(TASK, NAME, tmp_path)

    assert len(storage.requests) == 1


@pytest.mark.looptime
async def test_a_stall_is_cut_and_resumed(storage, connect, tmp_path):
    """A connection that is silent for longer than `timeout` is replaced."""
    session = await connect(storage.api, timeout=20.0)
    storage.keep(NAME, SMALL)

    async def fall_silent(connection: Connection, request: Request, file: StoredFile) -> None:
        connection.send(file.reply(request)[:10_000])
        await connection.stall()

    storage.next = [fall_silent]

    path = await session.files.download_output_file(TASK, NAME, tmp_path)

    assert path.read_bytes() == SMALL
    assert storage.ranges[1] is not None


# --- URLs that expire ---------------------------------------------------------------------------


@pytest.mark.parametrize("changed", [False, True], ids=["same-etag", "other-etag"])
async def test_the_url_expires_in_the_middle(session, storage, tmp_path, changed):
    """A new URL is requested, and the file continues if its version is the same."""
    storage.keep(NAME, SMALL)

    async def expire(connection: Connection, request: Request, file: StoredFile) -> None:
        if changed:
            storage.keep(NAME, OTHER)
        await refuse(403)(connection, request, file)

    storage.next = [cut_after(1000), expire]

    path = await session.files.download_output_file(TASK, NAME, tmp_path)

    assert path.read_bytes() == (OTHER if changed else SMALL)
    assert storage.ranges == [None, "bytes=1000-", "bytes=1000-"]
    assert storage.requests[2].target.endswith(f"{SIGNATURE}-1")
    assert len(storage.api.requests) == 2


async def test_a_url_is_renewed_once(session, storage, tmp_path):
    """A storage that refuses the new URL as well is final; the error has its message."""
    storage.keep(NAME, SMALL)
    storage.behave = refuse(403)

    with refusing(FileTransferError) as caught:
        await session.files.download_output_file(TASK, NAME, tmp_path)

    assert "status 403 (AccessDenied: Request has expired)" in str(caught.value)
    assert len(storage.api.requests) == 2
    assert len(storage.requests) == 2
    assert not parts(tmp_path)


async def test_after_growth_a_url_is_renewed_again(session, storage, tmp_path):
    """A download that outlives several URLs is not given up while it grows."""
    storage.keep(NAME, SMALL)
    storage.next = [cut_after(1000), refuse(403)] * 5

    path = await session.files.download_output_file(TASK, NAME, tmp_path)

    assert path.read_bytes() == SMALL
