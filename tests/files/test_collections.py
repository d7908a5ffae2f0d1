"""All recordings or screenshots of a task: names, order, bounds, progress, failure."""

import asyncio
import tempfile

import pytest

from browser_use_async.errors import FileTransferError, InvalidRequestError, SessionClosedError
from tests.files.contents import listing
from tests.support.storage import TASK, StoredFile, cut_after, refuse, refusing, whole
from tests.support.wire import Connection, Request, response

SHOTS = [f"{TASK}/step-{number}.png" for number in range(1, 8)]


def content_of(path: str) -> bytes:
    """The content of the screenshot at a path."""
    return path.encode() * 1000


@pytest.fixture
def shots(storage):
    """Seven screenshots of different content."""
    storage.screenshots = SHOTS
    for path in SHOTS:
        storage.keep(path, content_of(path))
    return SHOTS


async def test_screenshots_are_downloaded_in_order(session, shots, tmp_path):
    """Each file has the name at the end of its URL, and the paths are in the API's order."""
    directory = tmp_path / "new" / "directory"

    paths = await session.files.download_screenshots(TASK, directory)

    assert paths == [directory / path.rpartition("/")[2] for path in shots]
    assert [path.read_bytes() for path in paths] == [content_of(path) for path in shots]
    assert listing(directory) == sorted(paths)


async def test_one_screenshot_comes_into_memory(session, shots, tmp_path, monkeypatch):
    """The latest, or that of a step by the number in its name; no file is left anywhere."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    handle = session.handle(TASK)

    latest, third = await handle.get_screenshot(), await handle.get_screenshot(3)

    assert (latest.file_name, third.file_name) == ("step-7.png", "step-3.png")
    assert (latest.data, third.data) == (content_of(shots[6]), content_of(shots[2]))
    assert repr(third) == f"Screenshot(file_name='step-3.png', data=<{len(third.data)} bytes>)"
    with pytest.raises(FileTransferError, match="no screenshot of step 8; the service lists 7"):
        await handle.get_screenshot(8)
    with pytest.raises(FileTransferError, match="larger than max_bytes=10"):
        await handle.get_screenshot(max_bytes=10)
    assert listing(tmp_path) == []


async def test_a_screenshot_is_found_by_its_number(session, storage):
    """A step without a picture moves no other one; without numbers the place in the list counts."""
    for names in (["a/step-1.png", "a/step-3.png"], ["a/first.png", "a/second.png"], []):
        storage.screenshots = names
        for path in names:
            storage.keep(path, content_of(path))
        handle = session.handle(TASK)
        if names == ["a/first.png", "a/second.png"]:
            assert (await handle.get_screenshot(2)).data == content_of("a/second.png")
        else:
            with pytest.raises(FileTransferError, match="has no screenshot"):
                await handle.get_screenshot(2)


async def test_media_are_downloaded(session, storage, tmp_path):
    """Recordings are downloaded the same way, from their own list."""
    storage.recordings = ["video.mp4"]
    storage.keep("video.mp4", b"moving")

    paths = await session.files.download_media(TASK, str(tmp_path))

    assert paths == [tmp_path / "video.mp4"]
    assert paths[0].read_bytes() == b"moving"


@pytest.mark.parametrize("body", ['{"recordings": null}', '{"recordings": []}'])
async def test_a_task_without_recordings(session, storage, tmp_path, body):
    """No list and an empty one mean no files."""
    storage.api_replies = [response(200, body)]

    assert await session.files.download_media(TASK, tmp_path) == []


async def test_names_from_urls_stay_inside_and_apart(session, storage, tmp_path):
    """Hostile and equal names at the end of URLs become safe and distinct ones."""
    targets = [
        "/a/..%2F..%2Fx.png",
        "/a/%2e%2e",
        "/a/%00",
        "/a/",
        "",
        "/a/shot.png",
        "/b/SHOT.png",
        "/c/shot.png",
        "/a/CON.png",
        "/a/-rf",
        "/a/%2Fetc%2Fpasswd",
        "/a/C:%5Cx.png",
        "/a/" + "x" * 300 + ".png",
        "/a/gpj%E2%80%AE.exe",
    ]
    storage.screenshots = targets
    storage.url_of = lambda path, _number: f"http://127.0.0.1:{storage.server.port}{path}?sig=1"
    directory = tmp_path / "in"

    paths = await session.files.download_screenshots(TASK, directory)

    assert [path.name for path in paths] == [
        "_.._x.png",
        "screenshot-2.png",
        "_",
        "screenshot-4.png",
        "screenshot-5.png",
        "shot.png",
        "SHOT-2.png",
        "shot-3.png",
        "_CON.png",
        "_rf",
        "_etc_passwd",
        "C__x.png",
        "x" * 251 + ".png",
        "gpj_.exe",
    ]
    assert {path.parent for path in paths} == {directory}
    assert listing(tmp_path) == [directory]
    assert len(listing(directory)) == len(targets)


async def test_a_second_download_has_the_same_names(session, storage, shots, tmp_path):
    """A second download may replace the files of the first, under the same names."""
    first = await session.files.download_screenshots(TASK, tmp_path)
    storage.keep(shots[0], b"changed")

    second = await session.files.download_screenshots(TASK, tmp_path, overwrite=True)

    assert second == first
    assert second[0].read_bytes() == b"changed"
    assert len(listing(tmp_path)) == len(shots)


async def test_a_file_that_is_there_ends_all_downloads(session, storage, shots, tmp_path):
    """`.bashrc` stays, whatever the address of a screenshot is; no file is downloaded."""
    storage.recordings = [f"{TASK}/.bashrc"]
    storage.keep(storage.recordings[0], b"evil")
    for name in ("bashrc", ".bashrc", "step-7.png"):
        (tmp_path / name).write_bytes(b"mine")
    before = listing(tmp_path)

    for download in (session.files.download_media, session.files.download_screenshots):
        with refusing(FileTransferError) as caught:
            await download(TASK, tmp_path)
        assert "is there already" in str(caught.value)

    assert not storage.requests
    assert listing(tmp_path) == before
    assert {path.read_bytes() for path in before} == {b"mine"}


@pytest.mark.looptime
@pytest.mark.parametrize("concurrency", [1, 3, 100])
async def test_several_at_once_with_a_bound(session, storage, shots, tmp_path, concurrency):
    """At most `concurrency` downloads run, and as many if there are enough files."""
    running, most = 0, 0

    async def count(connection: Connection, request: Request, file: StoredFile) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(3)
        running -= 1
        await whole(connection, request, file)

    storage.behave = count

    await session.files.download_screenshots(TASK, tmp_path, concurrency=concurrency)

    assert most == min(concurrency, len(shots))


@pytest.mark.parametrize("options", [{"concurrency": 0}, {"concurrency": True}, {"max_bytes": 0}])
async def test_bounds_are_checked(session, storage, tmp_path, options):
    """Invalid bounds are refused before anything is sent, and the error names them."""
    for download in (session.files.download_media, session.files.download_screenshots):
        with refusing(InvalidRequestError) as caught:
            await download(TASK, tmp_path, **options)
        assert caught.value.field == next(iter(options))

    assert not storage.api.requests


async def test_progress_is_the_sum(session, storage, shots, tmp_path):
    """The callback gets the bytes of all files, and their size once all are known."""
    reports: list[tuple[int, int | None]] = []

    await session.files.download_screenshots(
        TASK, tmp_path, on_progress=lambda received, total: reports.append((received, total))
    )

    size = sum(len(content_of(path)) for path in shots)
    assert reports[0][1] is None
    assert reports[-1] == (size, size)
    assert [received for received, _ in reports] == sorted(received for received, _ in reports)


async def test_each_is_resumed(session, storage, shots, tmp_path):
    """Interrupted files continue where they were, each with its own version."""
    storage.next = [cut_after(5000 + number) for number in range(len(shots))]

    paths = await session.files.download_screenshots(TASK, tmp_path)

    assert [path.read_bytes() for path in paths] == [content_of(path) for path in shots]
    assert len([each for each in storage.ranges if each]) == len(shots)


async def test_an_expired_url_is_renewed_by_its_place(session, storage, shots, tmp_path):
    """The list is read again, and the file gets the URL at its own place in it."""

    async def expire_third(connection: Connection, request: Request, file: StoredFile) -> None:
        expired = "step-3" in request.target and request.target.endswith("-2")
        await (refuse(403) if expired else whole)(connection, request, file)

    storage.behave = expire_third

    paths = await session.files.download_screenshots(TASK, tmp_path)

    assert [path.read_bytes() for path in paths] == [content_of(path) for path in shots]
    assert len(storage.api.requests) == 2


async def test_a_url_that_is_gone_when_renewed(session, storage, shots, tmp_path):
    """A file that the list no longer has is an error that says so."""

    async def expire(connection: Connection, request: Request, file: StoredFile) -> None:
        storage.screenshots = []
        await refuse(403)(connection, request, file)

    storage.behave = expire

    with refusing(FileTransferError) as caught:
        await session.files.download_screenshots(TASK, tmp_path)

    assert "no longer lists" in str(caught.value)


async def test_the_first_failure_ends_the_others(session, storage, shots, tmp_path):
    """A refused file raises its own error, and nothing continues in the background."""

    async def refuse_second(connection: Connection, request: Request, file: StoredFile) -> None:
        if "step-2" in request.target:
            await refuse(404, "NoSuchKey", "Gone.")(connection, request, file)
        elif "step-1" in request.target:
            await whole(connection, request, file)
        else:
            await connection.stall()

    storage.behave = refuse_second

    with refusing(FileTransferError) as caught:
        await session.files.download_screenshots(TASK, tmp_path)

    assert "screenshot 2" in str(caught.value)
    assert "NoSuchKey" in str(caught.value)
    assert caught.value.task_id == TASK
    assert {path.name for path in listing(tmp_path)} <= {"step-1.png"}


async def test_what_progress_raises_ends_all(session, shots, tmp_path):
    """An exception of the callback is raised unchanged, not in a group."""

    def stop(received: int, total: int | None) -> None:
        raise LookupError("enough")

    with refusing(LookupError):
        await session.files.download_screenshots(TASK, tmp_path, on_progress=stop)

    assert not listing(tmp_path)


async def test_cancelling_ends_all(session, storage, shots, tmp_path):
    """A cancelled call leaves nothing running."""
    started = asyncio.Event()

    async def silence(connection: Connection, request: Request, file: StoredFile) -> None:
        started.set()
        await connection.stall()

    storage.behave = silence
    downloads = asyncio.create_task(session.files.download_screenshots(TASK, tmp_path))
    await started.wait()
    downloads.cancel()

    with pytest.raises(asyncio.CancelledError):
        await downloads
    assert not listing(tmp_path)


async def test_a_directory_that_is_a_file(session, storage, shots, tmp_path):
    """A file in the place of the directory is a typed error, before any file is requested."""
    (tmp_path / "file").write_bytes(b"1")

    with refusing(FileTransferError):
        await session.files.download_screenshots(TASK, tmp_path / "file")

    assert not storage.requests


async def test_links_among_the_targets_are_refused(session, storage, shots, tmp_path):
    """A link in the place of one of the files is refused before any file is requested."""
    (tmp_path / "step-3.png").symlink_to(tmp_path / "outside")

    with refusing(FileTransferError):
        await session.files.download_screenshots(TASK, tmp_path)

    assert not storage.requests


async def test_a_closed_session_downloads_nothing(storage, connect, tmp_path):
    """After `aclose()` both are refused before anything is read."""
    session = await connect(storage.api)
    await session.aclose()

    for download in (session.files.download_media, session.files.download_screenshots):
        with refusing(SessionClosedError):
            await download(TASK, tmp_path)

    assert not storage.api.requests
