"""Uploads that break, are refused, or use URLs that expired."""

import asyncio

import pytest

from browser_use_async import RetryPolicy, RetryScheduled
from browser_use_async.errors import (
    BadRequestError,
    FileTransferError,
    SessionClosedError,
)
from tests.files.sources import CONTENT, NAME, SOURCES
from tests.support.bench import ONCE
from tests.support.storage import (
    SIGNATURE,
    StoredFile,
    redirect,
    refuse,
    refusing,
    say,
    send_raw,
)
from tests.support.wire import Connection, Request, response


async def _die(connection: Connection, request: Request, file: StoredFile) -> None:
    connection.finish()


async def _die_rudely(connection: Connection, request: Request, file: StoredFile) -> None:
    connection.reset()


@pytest.mark.parametrize("death", [_die, _die_rudely], ids=["closed", "reset"])
@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
async def test_an_upload_that_dies_is_sent_again_whole(session, storage, tmp_path, source, death):
    """However often the connection breaks after the body, the stored file is never empty."""
    storage.next = [death, death]
    opened = source(tmp_path)

    await session.files.upload(opened, file_name=NAME)

    if hasattr(opened, "close"):
        opened.close()
    assert storage.uploads == [CONTENT] * 3
    assert len(storage.api.requests) == 1


async def test_one_attempt_is_one_request(storage, connect):
    """There is no hidden second attempt: with `max_attempts=1` one request is an error."""
    session = await connect(storage.api, retry=ONCE)
    storage.behave = _die

    with refusing(FileTransferError) as caught:
        await session.files.upload(CONTENT, file_name=NAME)

    assert storage.uploads == [CONTENT]
    assert "again is safe" in str(caught.value)


async def test_transient_refusals_are_retried_and_reported(storage, connect):
    """503 is repeated as the policy says, with one event each and no URL in it."""
    events: list[object] = []
    policy = RetryPolicy(max_attempts=3, base_delay=0.0)
    session = await connect(storage.api, retry=policy, on_event=events.append)
    storage.behave = refuse(503, "SlowDown", "Please reduce your request rate.")

    with refusing(FileTransferError) as caught:
        await session.files.upload(CONTENT, file_name=NAME)

    assert storage.uploads == [CONTENT] * 3
    assert "after 3 attempts: status 503 (SlowDown: Please reduce" in str(caught.value)
    assert [event.operation for event in events if isinstance(event, RetryScheduled)] == [
        "upload_file",
        "upload_file",
    ]
    assert SIGNATURE not in "".join(f"{event} {event!r}" for event in events)


@pytest.mark.looptime
async def test_a_stalled_upload_is_sent_again(storage, connect):
    """The upload to a storage that does not answer within `timeout` is repeated."""
    session = await connect(storage.api, timeout=20.0)

    async def silence(connection: Connection, request: Request, file: StoredFile) -> None:
        await connection.stall()

    storage.next = [silence]

    await session.files.upload(b"1", file_name=NAME)

    assert storage.uploads == [b"1"] * 2


async def test_an_expired_url_is_renewed(session, storage):
    """After a 403 the file is sent to a new URL."""
    storage.next = [refuse(403)]

    await session.files.upload(CONTENT, file_name=NAME)

    assert storage.uploads == [CONTENT] * 2
    assert [request.target[-1] for request in storage.requests] == ["0", "1"]


async def test_a_url_is_renewed_once(session, storage):
    """A second 403 is final; the error has status and message of S3, not the signature."""
    storage.behave = refuse(403, "SignatureDoesNotMatch", "The signature does not match.")

    with refusing(FileTransferError) as caught:
        await session.files.upload(CONTENT, file_name=NAME)

    words = "status 403 (SignatureDoesNotMatch: The signature does not match.)"
    assert words in str(caught.value)
    assert len(storage.api.requests) == 2
    assert len(storage.requests) == 2


@pytest.mark.parametrize(
    "answer",
    [refuse(404, "NoSuchBucket", "No."), redirect("/elsewhere"), say(response(304))],
    ids=["404", "redirect", "304"],
)
async def test_other_refusals_are_final(session, storage, answer):
    """An error that a new URL cannot solve is final; redirects of an upload are not followed."""
    storage.behave = answer

    with refusing(FileTransferError):
        await session.files.upload(CONTENT, file_name=NAME)

    assert len(storage.api.requests) == 1
    assert len(storage.requests) == 1


@pytest.mark.parametrize("status", [200, 201, 204])
async def test_every_2xx_is_a_success(session, storage, status):
    """Storages other than S3 answer 201 or 204."""
    storage.behave = say(response(status) if status != 204 else b"HTTP/1.1 204 No\r\n\r\n")

    assert await session.files.upload(CONTENT, file_name=NAME) == NAME


async def test_an_error_of_the_api_is_the_api_error(session, storage):
    """A file that the API refuses is an API error."""
    storage.api_replies = [response(400, '{"detail": "Unsupported content type"}')]

    with refusing(BadRequestError):
        await session.files.upload(CONTENT, file_name=NAME)

    assert not storage.requests


async def test_garbage_is_no_success(session, storage):
    """A reply that is no HTTP is no successful upload."""
    storage.behave = send_raw(b"nonsense\r\n\r\n")

    with refusing(FileTransferError):
        await session.files.upload(CONTENT, file_name=NAME)

    assert len(storage.uploads) == 4


async def test_closing_the_session_ends_uploads(storage, connect):
    """`aclose()` ends a running upload; afterwards nothing is read or sent."""
    session = await connect(storage.api)
    started = asyncio.Event()

    async def silence(connection: Connection, request: Request, file: StoredFile) -> None:
        started.set()
        await connection.stall()

    storage.behave = silence
    upload = asyncio.create_task(session.files.upload(CONTENT, file_name=NAME))
    await started.wait()
    await session.aclose()

    with refusing(SessionClosedError):
        await upload
    with refusing(SessionClosedError):
        await session.files.upload("/nowhere.csv")
