"""Downloads of one file: places, refusals, progress, and early ends."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from browser_use_async.errors import (
    FileTransferError,
    NotFoundError,
    SessionClosedError,
)
from tests.files.contents import LARGE, NAME, SMALL, listing, parts
from tests.support.patience import PATIENCE, until
from tests.support.storage import (
    TASK,
    StoredFile,
    cut_after,
    refuse,
    refusing,
    send_raw,
)
from tests.support.wire import Connection, Request, response


async def test_a_file_is_written(session, storage, tmp_path):
    """An output file is written into the directory under its name, byte for byte, alone."""
    storage.keep(NAME, SMALL)

    path = await session.files.download_output_file(TASK, NAME, tmp_path)

    assert path == tmp_path / NAME
    assert path.read_bytes() == SMALL
    assert not parts(tmp_path)


@pytest.mark.parametrize("destination", ["new/", "new/deeper/", "new/other.name", "other.name"])
async def test_destinations(session, storage, tmp_path, destination):
    """A path that ends in a separator is a directory, any other new one a file; both work."""
    storage.keep(NAME, SMALL)
    wanted = tmp_path / destination
    wanted = wanted / NAME if destination.endswith("/") else wanted

    path = await session.files.download_output_file(TASK, NAME, f"{tmp_path}/{destination}")

    assert path == wanted
    assert path.read_bytes() == SMALL


async def test_an_empty_file_is_a_file(session, storage, tmp_path):
    """A file of no bytes is written if the storage says that it has none."""
    storage.keep(NAME, b"")

    path = await session.files.download_output_file(TASK, NAME, tmp_path)

    assert path.read_bytes() == b""


async def test_an_older_file_is_replaced_at_the_end(session, storage, tmp_path):
    """The old file stays complete until the new one is."""
    storage.keep(NAME, SMALL)
    target = tmp_path / NAME
    target.write_bytes(b"old")
    seen: set[bytes] = set()

    await session.files.download_output_file(
        *(TASK, NAME, target),
        overwrite=True,
        on_progress=lambda _bytes, _total: seen.add(target.read_bytes()),
    )

    assert seen == {b"old"}
    assert target.read_bytes() == SMALL


@pytest.mark.parametrize("destination", ["", NAME])
async def test_a_file_that_is_there_is_refused(session, storage, tmp_path, destination):
    """Without `overwrite=True` it stays unchanged, and nothing is sent."""
    storage.keep(NAME, SMALL)
    (tmp_path / NAME).write_bytes(b"mine")

    with refusing(FileTransferError) as caught:
        await session.files.download_output_file(TASK, NAME, tmp_path / destination)

    assert "is there already" in str(caught.value)
    assert "overwrite=True" in str(caught.value)
    assert not storage.api.requests
    assert (tmp_path / NAME).read_bytes() == b"mine"


@pytest.mark.parametrize("when", ["during", "at the end"])
async def test_a_file_that_appears_meanwhile_is_not_replaced(session, storage, tmp_path, when):
    """A file that another program writes during the download is not replaced, either."""
    storage.keep(NAME, LARGE)
    target = tmp_path / NAME

    def plant(received: int, total: int | None) -> None:
        if not target.exists() and (when == "during" or received == total):
            target.write_bytes(b"mine")

    with refusing(FileTransferError) as caught:
        await session.files.download_output_file(TASK, NAME, tmp_path, on_progress=plant)
    refused, left = target.read_bytes(), parts(tmp_path)
    await session.files.download_output_file(TASK, NAME, tmp_path, overwrite=True)

    assert "is there already" in str(caught.value)
    assert refused == b"mine"
    assert not left
    assert target.read_bytes() == LARGE
    assert not parts(tmp_path)


# --- refusals -----------------------------------------------------------------------------------


async def _echo(connection: Connection, request: Request, file: StoredFile) -> None:
    text = f"<h1>Not found</h1> {request.target} {request.target.replace('&', '&amp;')}"
    connection.send(response(404, text, content_type="text/html"))


@pytest.mark.parametrize(
    ("behave", "said"),
    [
        *(
            (
                refuse(status, "NoSuchKey", "The specified key does not exist."),
                f"status {status} (NoSuchKey: The specified key does not exist.)",
            )
            for status in (400, 403, 404, 410)
        ),
        # Only 200 and 206 return a file.
        *((send_raw(response(status)), f"status {status}") for status in (201, 204, 304)),
        (_echo, "Not found"),  # a page that repeats the URL, escaped or not
    ],
)
async def test_a_refusal_is_not_the_file(session, storage, tmp_path, behave, said):
    """It never becomes the file; the error has code and message, and no query of the URL."""
    storage.behave = behave

    with refusing(FileTransferError) as caught:
        await session.files.download_output_file(TASK, NAME, tmp_path)

    assert said in str(caught.value)
    assert "AKIA" not in str(caught.value)
    assert caught.value.task_id == TASK
    assert not listing(tmp_path)


async def test_an_error_of_the_api_is_the_api_error(session, storage, tmp_path):
    """A file that the API does not know is its 404, and no directory is created."""
    storage.api_replies = [response(404, '{"detail": "File not found"}')]

    with refusing(NotFoundError) as caught:
        await session.files.download_output_file(TASK, NAME, tmp_path / "new" / "")

    assert caught.value.task_id == TASK
    assert not storage.requests
    assert not listing(tmp_path)


# --- progress, cancelling, closing --------------------------------------------------------------


async def test_progress_is_in_bytes(session, storage, tmp_path):
    """The callback gets the bytes so far and the size, also after a cut."""
    storage.keep(NAME, LARGE)
    storage.next = [cut_after(1_000_000)]
    reports: list[tuple[int, int | None]] = []

    await session.files.download_output_file(
        TASK, NAME, tmp_path, on_progress=lambda received, total: reports.append((received, total))
    )

    received = [bytes_ for bytes_, _ in reports]
    assert received == sorted(received)
    assert received[-1] == len(LARGE)
    assert {total for _, total in reports} == {len(LARGE)}
    assert len(reports) > 5


async def test_what_progress_raises_ends_the_download(session, storage, tmp_path):
    """An exception of the callback is raised unchanged, and nothing is left."""
    storage.keep(NAME, LARGE)

    def stop(received: int, total: int | None) -> None:
        if received > 2_000_000:
            raise LookupError("enough")

    with refusing(LookupError):
        await session.files.download_output_file(TASK, NAME, tmp_path, on_progress=stop)

    assert not listing(tmp_path)


async def test_cancelling_leaves_nothing(session, storage, tmp_path):
    """A cancelled download ends at once, and the next one starts from the beginning."""
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
        session.files.download_output_file(TASK, NAME, tmp_path, on_progress=note)
    )
    await arrived.wait()
    during = parts(tmp_path)
    download.cancel()
    with pytest.raises(asyncio.CancelledError):
        await download
    after = listing(tmp_path)
    path = await session.files.download_output_file(TASK, NAME, tmp_path)

    assert len(during) == 1
    assert not after
    assert path.read_bytes() == LARGE
    assert storage.ranges == [None, None]


@pytest.mark.parametrize("is_late", [False, True], ids=["it-was-opened", "it-comes-later"])
async def test_cancelling_while_the_file_is_opened_leaves_nothing(
    session, storage, tmp_path, is_late
):
    """A thread cannot be cancelled: what it has opened is removed, and later it opens nothing."""
    storage.keep(NAME, SMALL)
    began, goes_on, ended = threading.Event(), threading.Event(), threading.Event()

    class Slow(ThreadPoolExecutor):
        """Delays the function that opens the temporary file, or its result."""

        def submit(self, call: Any, /, *given: Any, **named: Any) -> Any:
            def work() -> Any:
                is_opening = bool(storage.requests) and not began.is_set()
                if not is_opening:
                    return call(*given, **named)
                result = None if is_late else call(*given, **named)
                began.set()
                goes_on.wait(PATIENCE)
                result = call(*given, **named) if is_late else result
                ended.set()
                return result

            return super().submit(work)

    asyncio.get_running_loop().set_default_executor(Slow(2))
    download = asyncio.create_task(session.files.download_output_file(TASK, NAME, tmp_path))
    await until(began.is_set)
    during = len(parts(tmp_path))
    download.cancel()
    with pytest.raises(asyncio.CancelledError):
        await download
    goes_on.set()
    await until(ended.is_set)

    assert during == (0 if is_late else 1)
    assert not listing(tmp_path)


async def test_closing_the_session_ends_downloads(storage, connect, tmp_path):
    """`aclose()` in the middle of a download ends it with `SessionClosedError`."""
    session = await connect(storage.api)
    started = asyncio.Event()

    async def silence(connection: Connection, request: Request, file: StoredFile) -> None:
        started.set()
        await connection.stall()

    storage.behave = silence
    download = asyncio.create_task(session.files.download_output_file(TASK, NAME, tmp_path))
    await started.wait()
    await session.aclose()

    with refusing(SessionClosedError):
        await download
    with refusing(SessionClosedError):
        await session.files.download_output_file(TASK, NAME, tmp_path)


async def test_two_downloads_of_the_same_file(session, storage, tmp_path):
    """Two at once do not mix their bytes, and both end with the complete file."""
    storage.keep(NAME, LARGE)
    storage.next = [cut_after(1_000_000), cut_after(2_000_000)]

    paths = await asyncio.gather(
        *(
            session.files.download_output_file(TASK, NAME, tmp_path, overwrite=True)
            for _ in range(2)
        )
    )

    assert paths == [tmp_path / NAME] * 2
    assert paths[0].read_bytes() == LARGE
    assert not parts(tmp_path)


async def test_two_downloads_of_the_same_file_of_which_one_may_be(session, storage, tmp_path):
    """The first that is complete becomes the file, and the other one is refused."""
    storage.keep(NAME, LARGE)

    results = await asyncio.gather(
        *(session.files.download_output_file(TASK, NAME, tmp_path) for _ in range(2)),
        return_exceptions=True,
    )

    assert tmp_path / NAME in results
    assert [type(each) for each in results if each != tmp_path / NAME] == [FileTransferError]
    assert (tmp_path / NAME).read_bytes() == LARGE
    assert not parts(tmp_path)
