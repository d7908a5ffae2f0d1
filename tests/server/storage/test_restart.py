"""A server that ends and starts again on the same file."""

import os
import sqlite3
import tracemalloc
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from browser_use_async.server import LocalServer
from browser_use_async.server.executors.scripted import Scenario, ScriptedExecutor, ScriptedStep
from browser_use_async.server.records import Failed, Finished
from browser_use_async.server.secrets.encryption import KEY_VARIABLE
from browser_use_async.server.storage.pictures import WHITE_PAGE
from tests.server.calling import Caller
from tests.server.pngs import read_png
from tests.server.steering import FromQueue
from tests.support.patience import until
from tests.support.wall_clock import WallClock

KEY = "a key of the operator's own"
REASON = "The server was restarted while the task was at work"
COOKIES = ({"name": "session", "value": "canary-7531"},)
SCENARIOS = {
    "quick": Scenario(steps=("Open it", "Read it"), step_seconds=0, output="The answer"),
    "pictured": Scenario(
        steps=(ScriptedStep("Look", screenshot=b"\x89PNG captured"),),
        step_seconds=0,
        output=None,
        files={"report.csv": b"a,b\n1,2\n", "empty": b"", "notes & more #1.txt": b"x"},
        cookies=COOKIES,
    ),
    "hangs": Scenario(steps=("Wait",), step_seconds=0, hangs=True),
}

Starting = Callable[..., AbstractAsyncContextManager[Caller]]


@pytest.fixture
def starting(database_path, http):
    """Starts a server on the file, with the same key each time."""

    @asynccontextmanager
    async def start(**options: Any) -> AsyncIterator[Caller]:
        executor = ScriptedExecutor(SCENARIOS, default=SCENARIOS["quick"])
        given = {
            "executor": executor,
            "api_key": "bu_test_of_storage",
            "database": database_path,
            **options,
        }
        async with LocalServer(**given) as server:
            yield Caller(server, http)

    return start


async def _everything(caller: Caller) -> list[Any]:
    """The API's answers about all tasks, without the port in its links."""
    page = (await caller.get("/tasks?limit=100")).json
    tasks = [await caller.task(row["id"]) for row in page["tasks"]]
    tasks_before = repr([page, tasks, (await caller.get("/balance")).json])
    return [tasks_before.replace(caller.server.url, "URL"), len(tasks)]


async def test_tasks_are_answered_as_before(starting):
    """Order, pages, steps, output, metadata, public page, counts and balance."""
    async with starting() as caller:
        for number in range(12):
            scenario = ("quick", "pictured")[number % 2]
            fields = {"metadata": {"scenario": scenario, "n": str(number)}}
            task_id = await caller.create("ü", enable_public_share=number < 3, **fields)
            await caller.reached(task_id, "finished")
        before = await _everything(caller)
        shared = (await caller.task(task_id))["live_url"].removeprefix(caller.server.url)
    async with starting() as caller:
        after = await _everything(caller)
        live = await caller.get(caller.server.url + shared, key=False)
        newest = await caller.create()
        rows = (await caller.get("/tasks?limit=2")).json["tasks"]

    assert after == before
    assert before[1] == 12
    assert live.status == 200
    assert [row["id"] for row in rows] == [newest, task_id]


async def test_files_are_the_same_bytes(starting):
    """Pictures, white pages and output files, also an empty one."""
    async with starting() as caller:
        pictured = await caller.create(metadata={"scenario": "pictured"})
        plain = await caller.create()
        await caller.reached(pictured, "finished")
        await caller.reached(plain, "finished")
        before = await _files(caller, pictured, plain)
    async with starting() as caller:
        after = await _files(caller, pictured, plain)
        hostile = caller.server.store.file(pictured, "notes & more #1.txt")

    assert after == before
    assert before[:3] == [b"a,b\n1,2\n", b"", b"\x89PNG captured"]
    assert before[3] == WHITE_PAGE
    assert len(before) == 5
    assert hostile == b"x"


async def _files(caller: Caller, pictured: str, plain: str) -> list[bytes]:
    links = [
        (await caller.get(f"/task/{pictured}/output-file/{name}")).json["download_url"]
        for name in ("report.csv", "empty")
    ]
    for task_id in (pictured, plain):
        links += (await caller.get(f"/task/{task_id}/screenshots")).json["screenshots"]
    answers = [await caller.get(link, key=False) for link in links]
    assert {answer.status for answer in answers} == {200}
    return [answer.body for answer in answers]


async def test_links_outlive_a_restart(starting):
    """Until they expire: the key that signs them is in the database."""
    clock = WallClock()
    async with starting(now=clock) as caller:
        task_id = await caller.create(metadata={"scenario": "pictured"})
        await caller.reached(task_id, "finished")
        link = (await caller.get(f"/task/{task_id}/output-file/report.csv")).json["download_url"]
        place = link.removeprefix(caller.server.url)
    async with starting(now=clock) as caller:
        again = await caller.get(caller.server.url + place, key=False)
        clock.time += timedelta(hours=1)
        expired = await caller.get(caller.server.url + place, key=False)

    assert (again.status, again.body) == (200, b"a,b\n1,2\n")
    assert expired.status == 403


async def test_tasks_at_work_have_failed(starting):
    """Created, running and paused ones, with the reason as their last step and in a picture."""
    async with starting() as caller:
        ended = await caller.create()
        await caller.reached(ended, "finished")
        running, paused = [await caller.create(metadata={"scenario": "hangs"}) for _ in range(2)]
        await caller.reached(running, "running", steps=1)
        await caller.reached(paused, "running", steps=1)
        await caller.put(f"/pause-task?task_id={paused}")
    async with starting() as caller:
        tasks_before = [await caller.task(each) for each in (ended, running, paused)]
        shots = (await caller.get(f"/task/{running}/screenshots")).json["screenshots"]
        picture = await caller.get(shots[-1], key=False)
        resumed = await caller.put(f"/resume-task?task_id={running}")
    async with starting() as caller:
        again = [await caller.task(each) for each in (ended, running, paused)]

    assert [task["status"] for task in tasks_before] == ["finished", "failed", "failed"]
    for task in tasks_before[1:]:
        assert [step["evaluation_previous_goal"] for step in task["steps"]] == ["", REASON]
        assert task["finished_at"] is not None
    assert read_png(picture.body).size == (1280, 960)
    assert resumed.json == {"detail": "Agent session already failed"}
    assert [task["steps"] for task in again] == [task["steps"] for task in tasks_before]
    assert [task["finished_at"] for task in again] == [task["finished_at"] for task in tasks_before]


async def test_pictures_are_not_read_at_the_start(starting, database_path):
    """After a restart no bytes of past tasks are in memory; they are read on request."""
    size = 8 * 1024 * 1024
    queue = FromQueue()
    async with starting(executor=queue) as caller:
        queue.items.put_nowait(Finished("x", files={"big.bin": os.urandom(size)}))
        task_id = await caller.create()
        await caller.reached(task_id, "finished")
    tracemalloc.start()
    try:
        async with starting() as caller:
            _, peak = tracemalloc.get_traced_memory()
            content = caller.server.store.file(task_id, "big.bin")
    finally:
        tracemalloc.stop()

    assert peak < size / 2
    assert content is not None
    assert len(content) == size


async def test_schedules_profiles_and_uploads(starting):
    """The other sections outlive a restart too, and no second default profile appears."""
    async with starting() as caller:
        profile = (await caller.post("/browser-profiles", json={"profile_name": "mine"})).json
        body = {"task": "Look", "schedule_type": "interval", "interval_minutes": 600}
        created = await caller.post("/scheduled-task", json=body)
        url = f"/scheduled-task/{created.json['id']}"
        await caller.get("/tasks")  # the first run, which is due at once, has been started
        before = [(await caller.get(each)).json for each in (url, "/browser-profiles")]
        upload = {"file_name": "a.txt", "content_type": "text/plain"}
        link = (await caller.post("/uploads/presigned-url", json=upload)).json["upload_url"]
        headers = {"Content-Type": "text/plain"}
        assert (await caller.put(link, key=False, headers=headers, data=b"x")).status == 200
    async with starting() as caller:
        after = [(await caller.get(each)).json for each in (url, "/browser-profiles")]
        task_id = await caller.create(included_file_names=["a.txt"])
        tasks_before = await caller.reached(task_id, "finished")

    assert after == before
    assert profile["profile_id"] in str(after[1])
    assert after[1]["total_count"] == 2
    assert tasks_before["user_uploaded_files"] == ["a.txt"]


async def test_a_used_link_stays_used(starting):
    """After a restart a link for an upload accepts the same bytes again, and no other ones."""
    upload = {"file_name": "a.txt", "content_type": "text/plain"}
    headers = {"Content-Type": "text/plain"}
    async with starting() as caller:
        link = (await caller.post("/uploads/presigned-url", json=upload)).json["upload_url"]
        place = link.removeprefix(caller.server.url)
        await caller.put(link, key=False, headers=headers, data=b"x")
    async with starting() as caller:
        answers = [
            await caller.put(caller.server.url + place, key=False, headers=headers, data=data)
            for data in (b"y", b"x")
        ]

    assert [each.status for each in answers] == [403, 200]
    assert "used for another upload" in answers[0].text


# --- secrets ------------------------------------------------------------------------------

SCHEDULE = {
    "task": "Log in",
    "schedule_type": "interval",
    "interval_minutes": 600,
    "secrets": {"password": "canary-7531"},
}


def _on_disk(database_path: Path) -> bytes:
    return b"".join(each.read_bytes() for each in database_path.parent.iterdir())


async def _use_secrets(caller: Caller, queue: FromQueue) -> str:
    """Use everything that has secrets; the id of a task that saved its cookies."""
    queue.step("Typed canary-7531", url="https://x/?canary-7531")
    queue.items.put_nowait(Finished("Was canary-7531", cookies=COOKIES))
    secrets = {"password": "canary-7531"}
    saved = await caller.create("Log in", secrets=secrets, save_browser_data=True)
    await caller.reached(saved, "finished")
    queue.items.put_nowait(Failed("No canary-7531"))
    await caller.reached(await caller.create("Log in", secrets=secrets), "failed")
    return saved


@pytest.mark.long
async def test_no_secret_is_on_disk_in_clear(starting, database_path, monkeypatch):
    """With a key they come back, and neither file nor log shows them at any time."""
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    queue = FromQueue()
    async with starting(executor=queue) as caller:
        saved = await _use_secrets(caller, queue)
        created = await caller.post("/scheduled-task", json=SCHEDULE)
        assert created.status == 200, created.text
        while_open = _on_disk(database_path)
    closed = _on_disk(database_path)
    queue = FromQueue()
    async with starting(executor=queue) as caller:
        tasks_before = await caller.task(saved)
        queue.items.put_nowait(Finished("x"))
        await caller.reached(await caller.create(), "finished")
        (assignment,) = queue.assignments
    queue = FromQueue()
    async with starting(executor=queue, now=lambda: datetime.now(UTC) + timedelta(minutes=601)):
        await until(lambda: queue.assignments)
        kept = dict(queue.assignments[0].secrets)

    assert b"Log in" in while_open
    assert b"canary-7531" not in while_open
    assert b"canary-7531" not in closed
    assert tasks_before["browser_data"] == {"cookies": list(COOKIES)}
    assert kept == {"password": "canary-7531"}
    assert list(assignment.cookies) == list(COOKIES)


async def test_secrets_go_when_the_task_begins(starting, database_path, monkeypatch):
    """Sealed in the database while a task waits, and deleted once it runs."""
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    secrets = {"password": "canary-7531"}
    slow = ScriptedExecutor({}, default=Scenario(steps=(), hangs=True, queue_delay=600))
    async with starting(executor=slow) as caller:
        await caller.create("Log in", secrets=secrets)
    waiting = _sealed(database_path)
    hanging = ScriptedExecutor({}, default=SCENARIOS["hangs"])
    async with starting(executor=hanging) as caller:
        await caller.reached(await caller.create("Log in", secrets=secrets), "running")
        for row in (await caller.get("/tasks")).json["tasks"]:
            await caller.reached(row["id"], "running")

    assert waiting == 1
    assert _sealed(database_path) == 0


def _sealed(database_path: Path) -> int:
    with closing(sqlite3.connect(database_path)) as connection:
        statement = "SELECT COUNT(*) FROM secrets WHERE kind = 'assignment'"
        count: int = connection.execute(statement).fetchone()[0]
        return count


async def test_without_a_key_schedules_with_secrets_are_refused(
    starting, database_path, monkeypatch, caplog
):
    """With the reason; cookies are not stored, which the log says, and nothing is in clear."""
    monkeypatch.delenv(KEY_VARIABLE, raising=False)
    queue = FromQueue()
    async with starting(executor=queue) as caller:
        saved = await _use_secrets(caller, queue)
        refused = await caller.post("/scheduled-task", json=SCHEDULE)
        plain = await caller.post("/scheduled-task", json={**SCHEDULE, "secrets": {}})
        on_disk = _on_disk(database_path)
    async with starting() as caller:
        tasks_before = await caller.task(saved)

    assert (refused.status, plain.status) == (400, 200)
    assert f"{KEY_VARIABLE} is not set" in refused.json["detail"]
    assert "canary" not in refused.text
    assert f"task {saved}" in caplog.text
    assert "canary" not in caplog.text
    assert b"canary-7531" not in on_disk + _on_disk(database_path)
    assert tasks_before["browser_data"] == {"cookies": []}


async def test_in_memory_nothing_is_refused(http):
    """Schedules with secrets are accepted by servers without a file, as before."""
    async with LocalServer(executor=FromQueue()) as server:
        assert (await Caller(server, http).post("/scheduled-task", json=SCHEDULE)).status == 200
