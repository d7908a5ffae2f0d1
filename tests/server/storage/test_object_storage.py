"""Files in object storage: moved there after their commit, read from there with ranges."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import obstore
import pytest
from obstore.store import S3Store

from browser_use_async.errors import ConfigurationError
from browser_use_async.server import ChromiumSettings, LocalServer
from browser_use_async.server.executors.scripted import Scenario, ScriptedExecutor
from browser_use_async.server.records import Finished
from browser_use_async.server.secrets.encryption import KEY_VARIABLE
from browser_use_async.server.storage import SqliteDatabase
from browser_use_async.server.storage.file_mover import FileMover
from browser_use_async.server.storage.files import FileFacts, Files, object_name
from browser_use_async.server.storage.object_store import ObjectStore
from tests.server.calling import Caller
from tests.server.fleet.conftest import reached
from tests.server.steering import FromQueue, NeverBegun
from tests.support.patience import until

REPORT = bytes(range(256)) * 8192
URL = "s3://files/of/the-server"


@pytest.fixture(scope="module")
def storage_address():
    """The address of an object storage on this machine."""
    from moto.server import ThreadedMotoServer  # takes a second, which only these tests pay

    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
async def bucket(storage_address, monkeypatch, http):
    """An empty bucket, which the environment names."""
    for name, value in {
        "AWS_ACCESS_KEY_ID": "id-of-the-tests",
        "AWS_SECRET_ACCESS_KEY": "secret-of-the-tests",
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": storage_address,
    }.items():
        monkeypatch.setenv(name, value)
    await (await http.post(f"{storage_address}/moto-api/reset")).release()
    await (await http.put(f"{storage_address}/files")).release()
    return S3Store.from_url("s3://files", client_options={"allow_http": True})


def _names(bucket: S3Store) -> list[str]:
    return sorted(entry["path"] for chunk in obstore.list(bucket) for entry in chunk)


def _uploads(bucket: S3Store) -> list[str]:
    return [name for name in _names(bucket) if "/output/" not in name]


def _server(
    database: Path | str = ":memory:", files: str | None = URL, **options: Any
) -> LocalServer:
    scenario = Scenario(steps=(), output="Done", files={"report.bin": REPORT})
    executor = ScriptedExecutor({}, default=scenario)
    return LocalServer(
        executor=executor, database=database, files=files, screenshots=False, **options
    )


async def _link(caller: Caller, task: str) -> str:
    answer = await caller.get(f"/task/{task}/output-file/report.bin")
    return str(answer.json["download_url"])


@pytest.mark.long
async def test_files_are_moved_and_read_from_there(bucket, http):
    """The whole file and a range, by the same link as before."""
    async with _server() as server:
        caller = Caller(server, http)
        task = await caller.create()
        await caller.reached(task, "finished")
        link = await _link(caller, task)
        before = await caller.get(link, key=False)
        await until(lambda: _names(bucket))
        after = await caller.get(link, key=False)
        part = await caller.get(link, key=False, headers={"Range": "bytes=1048570-1048581"})

    assert before.body == after.body == REPORT
    assert before.headers["ETag"] == after.headers["ETag"]
    assert (part.status, part.body) == (206, REPORT[1048570:1048582])
    assert [name.rpartition("/")[0] for name in _names(bucket)] == [
        f"of/the-server/output/{task}/0"
    ]


@pytest.mark.long
async def test_replaced_files_leave_nothing_behind(bucket, http):
    """An upload of the same name replaces the object, and the same content keeps it."""
    async with _server() as server:
        caller = Caller(server, http)

        async def upload(content: bytes) -> None:
            wanted = {"file_name": "a.txt", "content_type": "text/plain"}
            answer = await caller.post("/uploads/presigned-url", json=wanted)
            headers = {"Content-Type": "text/plain"}
            sent = await caller.put(
                answer.json["upload_url"], key=False, data=content, headers=headers
            )
            assert sent.status == 200

        await upload(b"one")
        await until(lambda: len(_names(bucket)) == 1)
        first = _names(bucket)
        await upload(b"two")
        await until(lambda: len(_names(bucket)) == 1 and _names(bucket) != first)
        second = _names(bucket)
        await upload(b"two")
        await caller.create(included_file_names=["a.txt"])
        await upload(b"three")
        await until(lambda: len(_uploads(bucket)) == 1 and _uploads(bucket) != second)


async def test_files_that_are_replaced_while_they_are_moved():
    """No name in the storage gets the bytes of another content, whatever happens in between."""
    database, stored = SqliteDatabase(), {}
    # Replaces the second file while others are put: another content, then the first one again.
    contents = iter([b"other", b"first"])
    is_moved = asyncio.Event()

    class Storage:
        async def put(self, name: str, content: bytes) -> None:
            stored[name] = content
            if (content := next(contents, b"")) != b"":
                await Files(database).put("two", content)
            else:
                is_moved.set()

        async def delete(self, name: str) -> None:
            stored.pop(name, None)

    database.objects = storage = Storage()
    for key in ("one", "two"):
        await Files(database).put(key, b"first")
    moving = asyncio.create_task(FileMover(database, storage).run())
    await is_moved.wait()
    moving.cancel()
    await asyncio.wait([moving])
    database.close()

    assert set(stored.values()) <= {b"first", b"other"}
    for name, content in stored.items():
        assert name.endswith(object_name("", FileFacts.of(content).digest))


@pytest.mark.long
async def test_files_of_a_shared_database_are_moved_and_deleted(
    bucket, http, postgres, monkeypatch
):
    """From PostgreSQL by one server at a time; deletions within transactions are included."""
    monkeypatch.setenv(KEY_VARIABLE, "a-key-of-the-tests-0123456789")
    async with LocalServer(
        executor="scripted", database=postgres, api_key="bu_of-the-tests-of-files", files=URL
    ) as server:
        caller = Caller(server, http)
        wanted = {"file_name": "a.txt", "content_type": "text/plain"}
        seen: list[str] = []
        for content in (b"one", b"two"):
            answer = await caller.post("/uploads/presigned-url", json=wanted)
            link, headers = answer.json["upload_url"], {"Content-Type": "text/plain"}
            sent = await caller.put(link, key=False, data=content, headers=headers)
            assert sent.status == 200
            await until(lambda: len(_names(bucket)) == 1 and _names(bucket) != seen)  # noqa: B023
            seen = _names(bucket)


@pytest.mark.long
async def test_a_server_without_its_object_storage_says_what_is_missing(bucket, http, tmp_path):
    """A file that was moved is not empty; with the storage it can be read again."""
    database = tmp_path / "server.db"
    async with _server(database) as server:
        caller = Caller(server, http)
        task = await caller.create()
        await until(lambda: _names(bucket))
        await caller.create()  # moved after the first one, which then is only there
        await until(lambda: len(_names(bucket)) == 2)
    async with _server(database, files=None) as server:
        caller = Caller(server, http)
        refused = await caller.get(await _link(caller, task), key=False)
    async with _server(database) as server:
        caller = Caller(server, http)
        read = await caller.get(await _link(caller, task), key=False)

    assert refused.status == 503
    assert "--files" in json.dumps(refused.json)
    assert read.body == REPORT


@pytest.mark.long
async def test_files_stay_in_the_database_while_the_storage_refuses(bucket, http, storage_address):
    """Tasks continue and their files can be read; they are moved when a bucket exists again."""
    async with _server() as server:
        caller = Caller(server, http)
        await (await http.delete(f"{storage_address}/files")).release()
        task = await caller.create()
        await caller.reached(task, "finished")
        link = await _link(caller, task)
        kept = await caller.get(link, key=False)
        await (await http.put(f"{storage_address}/files")).release()
        await until(lambda: _names(bucket))
        moved = await caller.get(link, key=False)

    assert kept.body == moved.body == REPORT


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("s3://no-such-bucket/of", "check the bucket"),
        ("https://files.example/of", "must be s3://bucket/prefix"),
        ("s3://", "must be s3://bucket/prefix"),
    ],
)
async def test_storage_that_cannot_be_used_is_an_error_at_the_start(url, says, bucket):
    """Before the first task; the error says what to check, without the credentials."""
    with pytest.raises(ConfigurationError, match=says) as caught:
        async with _server(files=url):
            pass

    assert "secret-of-the-tests" not in str(caught.value)


async def test_object_storage_needs_its_extra(monkeypatch):
    """The error names it."""
    import sys

    monkeypatch.setitem(sys.modules, "obstore", None)
    with pytest.raises(ConfigurationError, match=r"extra `s3`: pip install"):
        _server()


# --- other events while a file is read from there ---------------------------------------------

HOURLY = {"task": "Again", "schedule_type": "interval", "interval_minutes": 60}


async def _send(caller: Caller, file_name: str, content: bytes) -> None:
    body = {"file_name": file_name, "content_type": "text/plain"}
    link = (await caller.post("/uploads/presigned-url", json=body)).json["upload_url"]
    headers = {"Content-Type": "text/plain"}
    assert (await caller.put(link, key=False, data=content, headers=headers)).status == 200


async def _upload(caller: Caller, bucket: S3Store) -> None:
    """Upload `notes.txt`, and wait until it is only in object storage."""
    file_name = "notes.txt"
    for count, content in enumerate((b"first", b"second"), 1):
        await _send(caller, file_name, content)
        name = f"/{FileFacts.of(content).digest[:32]}"
        await until(lambda: any(each.endswith(name) for each in _names(bucket)))  # noqa: B023
        file_name = f"moved after {count}.txt"


@pytest.mark.long
async def test_tasks_that_wait_for_their_files_are_counted(bucket, http):
    """Of several that are created at once only as many begin as there are slots."""
    executor = ScriptedExecutor({}, default=Scenario(steps=("Wait",), step_seconds=0, hangs=True))
    async with LocalServer(executor=executor, files=URL, max_concurrent_tasks=2) as server:
        caller = Caller(server, http)
        await _upload(caller, bucket)
        task = {"task": "Read it", "included_file_names": ["notes.txt"]}
        answers = await asyncio.gather(*(caller.post("/run-task", json=task) for _ in range(6)))

    assert sorted(each.status for each in answers) == [200] * 2 + [429] * 4
    assert server.tasks_created == 2


@pytest.mark.long
async def test_a_file_that_is_replaced_while_a_task_gets_its_files_is_whole(
    bucket, http, monkeypatch
):
    """It is one of the two files, and never a part of one with the length of the other."""
    gets, may_go_on, get = asyncio.Event(), asyncio.Event(), ObjectStore.get

    async def late(objects: ObjectStore, name: str, wanted: range) -> bytes:
        gets.set()
        await may_go_on.wait()
        return await get(objects, name, wanted)

    queue, names = FromQueue(Finished("Done")), ["notes.txt", "moved after 1.txt"]
    async with LocalServer(executor=queue, files=URL) as server:
        caller = Caller(server, http)
        await _upload(caller, bucket)
        monkeypatch.setattr(ObjectStore, "get", late)
        creating = asyncio.ensure_future(caller.create(included_file_names=names))
        await gets.wait()
        await _send(caller, names[1], b"another content, which has more bytes")
        may_go_on.set()
        await caller.reached(await creating, "finished")

    assert dict(queue.assignments[0].files) == {
        "notes.txt": b"first",
        "moved after 1.txt": b"another content, which has more bytes",
    }


@pytest.mark.long
async def test_simultaneous_changes_of_a_schedule_are_both_made(bucket, http):
    """One that waits for a file does not undo another one."""
    async with _server() as server:
        caller = Caller(server, http)
        await _upload(caller, bucket)
        begin = {"start_at": "2999-01-01T00:00:00Z", "included_file_names": ["notes.txt"]}
        created = await caller.post("/scheduled-task", json={**HOURLY, **begin})
        place = f"/scheduled-task/{created.json['id']}"
        changes: list[dict[str, Any]] = [{"llm_model": "gpt-4o-mini"}, {"is_active": False}]
        answers = await asyncio.gather(*(caller.put(place, json=each) for each in changes))
        schedule = (await caller.get(place)).json

    assert [each.status for each in answers] == [200, 200]
    assert (schedule["llm_model"], schedule["is_active"]) == ("gpt-4o-mini", False)


@pytest.mark.long
async def test_a_schedule_without_its_file_delays_no_other(bucket, http, tmp_path):
    """Its run waits for the storage, and those that are due after it take place."""
    moment = datetime(2026, 3, 1, 12, tzinfo=UTC)
    database = tmp_path / "server.db"
    async with _server(database, now=lambda: moment) as server:
        caller = Caller(server, http)
        await _upload(caller, bucket)
        for minute, names in enumerate((["notes.txt"], [])):
            begin = {"start_at": f"2026-03-01T12:0{minute + 1}:00Z", "included_file_names": names}
            created = await caller.post("/scheduled-task", json={**HOURLY, **begin})
            assert created.status == 200, created.text
    moment += timedelta(minutes=10)
    async with _server(database, files=None, now=lambda: moment) as server:
        await until(lambda: server.tasks_created)
        (task,) = server.store.tasks

    assert task.included_file_names is None


@pytest.mark.long
async def test_a_task_whose_file_is_gone_keeps_no_server_from_its_start(bucket, http, tmp_path):
    """It fails with the reason, if it had not begun; others still wait for their start."""
    database = tmp_path / "server.db"
    async with LocalServer(executor=NeverBegun(), database=database, files=URL) as server:
        caller = Caller(server, http)
        await _upload(caller, bucket)
        reads = await caller.create(included_file_names=["notes.txt"])
        waits = await caller.create()
    obstore.delete(bucket, _names(bucket))
    async with LocalServer(executor=NeverBegun(), database=database, files=URL) as server:
        caller = Caller(server, http)
        failed, waiting = await caller.task(reads), await caller.task(waits)

    assert (failed["status"], waiting["status"]) == ("failed", "created")
    assert "no such object" in failed["steps"][-1]["evaluation_previous_goal"]


@pytest.mark.long
async def test_a_task_of_a_fleet_whose_file_is_gone_fails(bucket, http, postgres, monkeypatch):
    """With the reason, and it does not keep its slot from other tasks."""
    monkeypatch.setenv(KEY_VARIABLE, "a-key-of-the-tests-0123456789")
    key = "bu_of-the-tests-of-files"
    options: dict[str, Any] = {"database": postgres, "api_key": key, "files": URL, "drain": 0}
    options["chromium"] = ChromiumSettings(max_browsers=1)
    worker = LocalServer(executor=FromQueue(Finished("Done")), role="worker", **options)
    async with LocalServer(executor="scripted", role="api", **options) as server:
        caller = Caller(server, http, key)
        await _upload(caller, bucket)
        reads = await caller.create(included_file_names=["notes.txt"])
        other = await caller.create()
        obstore.delete(bucket, _names(bucket))
        async with worker:
            failed = await reached(caller, reads, "failed")
            await reached(caller, other, "finished")

    reason = failed["steps"][-1]["evaluation_previous_goal"]
    assert reason == "A file that the task was to read is not there any more"
