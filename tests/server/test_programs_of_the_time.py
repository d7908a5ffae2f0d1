"""Requests and expectations of programs that were written for the hosted service."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from browser_use_async.server import LocalServer, Webhook
from browser_use_async.server.executors.protocol import Control, Executor
from browser_use_async.server.http.static_site import StaticSite, example_site_directory
from browser_use_async.server.records import Assignment, Finished, Step
from tests.server.calling import Answer, Caller
from tests.server.pages.socket import live_socket
from tests.server.steering import FromQueue
from tests.server.webhooks.receiver import SECRET, receiving
from tests.support.patience import until

START = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)


# --- tasks --------------------------------------------------------------------------------


async def test_the_session_id_of_an_event_finds_its_task(http, queue):
    """Programs read the session that a webhook named, and some stop it by that id."""
    async with receiving() as receiver:
        webhook = Webhook(receiver.url + "/hook", SECRET)
        async with LocalServer(executor=queue, webhooks=[webhook]) as server:
            caller = Caller(server, http)
            task_id = await caller.create()
            await receiver.has(2)  # the test event and `initializing`
            session_id = receiver.calls[1].event["payload"]["session_id"]
            await caller.reached(task_id, "running")

            assert session_id != task_id
            assert (await caller.task(session_id))["id"] == task_id
            assert (await caller.get(f"/task/{session_id}/status")).json == "running"
            assert (await caller.put(f"/stop-task?task_id={session_id}")).status == 200
            assert (await caller.get(f"/task/{task_id}/status")).json == "stopped"


class _OneBrowser(Executor):
    """Runs tasks one after the other, as a browser executor with one browser does."""

    name = "one-browser"
    capacity = 1
    reports_start = True

    def __init__(self) -> None:
        self._browser = asyncio.Semaphore(1)
        self.release = asyncio.Event()

    async def run(self, assignment: Assignment, control: Control) -> AsyncIterator[Step | Finished]:
        """Take one step as soon as the browser is free, and end after the release."""
        async with self._browser:
            control.started()
            yield Step("Open it")
            await self.release.wait()
            yield Finished("Done")

    async def aclose(self) -> None:
        """Nothing to release."""


async def test_a_task_is_created_until_there_is_a_browser(http):
    """`started` means that the browser is available; before that the task can be stopped."""
    executor = _OneBrowser()
    async with receiving() as receiver:
        webhook = Webhook(receiver.url + "/hook", SECRET)
        async with LocalServer(executor=executor, webhooks=[webhook]) as server:
            caller = Caller(server, http)
            first, second, third = [await caller.create() for _ in range(3)]
            await caller.reached(first, "running", steps=1)
            waiting = [(await caller.get(f"/task/{each}/status")).json for each in (second, third)]
            paused = await caller.put(f"/pause-task?task_id={second}")
            await caller.put(f"/stop-task?task_id={third}")
            executor.release.set()
            await caller.reached(second, "finished")
            await receiver.has(8)

    assert waiting == ["created", "created"]
    assert paused.json == {"detail": "Agent session is not running but created"}
    seen = [(call.event["payload"]["task_id"], call.status) for call in receiver.calls[1:]]
    by_task = {each: [status for task, status in seen if task == each] for each, _ in seen}
    assert by_task == {
        first: ["initializing", "started", "finished"],
        second: ["initializing", "started", "finished"],
        third: ["initializing", "stopped"],
    }


async def test_a_task_can_be_watched_from_its_creation(http):
    """Programs read `live_url` as a text from their first GET on; its page says so."""
    executor = _OneBrowser()
    async with LocalServer(executor=executor) as server:
        caller = Caller(server, http)
        at_work, waiting = [await caller.create() for _ in range(2)]
        await caller.reached(at_work, "running", steps=1)
        task, (row, _) = await caller.task(waiting), (await caller.get("/tasks")).json["tasks"]
        page = await caller.get(task["live_url"], key=False)
        async with live_socket(http, task["live_url"]) as watched:
            await watched.until(lambda: watched.states)
            waits_for = watched.state["waits_for"]
            executor.release.set()
            await watched.until(lambda: watched.state["status"] != "created")

    assert (task["status"], task["live_url"]) == ("created", row["live_url"])
    assert task["live_url"].startswith(server.url)
    assert "Waits for a browser: the server has 1 for all tasks." in page.text
    assert waits_for == "a browser: the server has 1 for all tasks"
    assert watched.state["waits_for"] is None


@pytest.mark.parametrize("field", ["structured_output_json", "browser_profile_id"])
async def test_an_empty_text_is_no_schema_and_no_profile(field, caller):
    """Generated forms and clients send `""` for empty fields."""
    task_id = await caller.create(**{field: ""})
    schedule = {"task": "Look", "schedule_type": "interval", "interval_minutes": 60, field: ""}

    assert (await caller.reached(task_id, "finished"))["output"] == "The answer"
    assert (await caller.post("/scheduled-task", json=schedule)).status == 200


async def test_a_form_with_an_empty_list_of_domains(http):
    """It sends `[]` for "all domains", and its task opens the page that it names."""
    async with (
        StaticSite(example_site_directory()) as site,
        LocalServer(executor="plain") as server,
    ):
        caller = Caller(server, http)
        task_id = await caller.create(f"Open {site.url} and tell me the title", allowed_domains=[])
        await until(lambda: caller.stored(task_id).status.is_terminal)
        ended = await caller.task(task_id)

    assert (ended["status"], bool(ended["output"])) == ("finished", True)


@pytest.mark.parametrize("secrets", [None, {"pin": "s3cret-pin"}], ids=["plain", "secret"])
async def test_an_empty_list_of_domains_is_none_given(secrets, steered, queue):
    """For tasks and schedules, with secrets and without: it is like a missing field."""
    fields = {"task": "Look", "allowed_domains": [], "secrets": secrets}
    hourly = {**fields, "schedule_type": "interval", "interval_minutes": 60}
    answers = [
        await steered.post("/run-task", json=fields),
        await steered.post("/scheduled-task", json=hourly),
    ]
    await until(lambda: len(queue.assignments) == 2)

    assert [each.status for each in answers] == [200, 200]
    assert [each.allowed_domains for each in queue.assignments] == [None, None]


async def test_a_schedule_of_an_older_server_that_allows_no_domain(http, tmp_path):
    """An empty list that was stored when it meant "none" does not become "all domains"."""
    database, queue = tmp_path / "server.db", FromQueue()
    yearly = {"task": "Look", "schedule_type": "interval", "interval_minutes": 60}
    yearly |= {"start_at": "2026-01-01T01:00:00Z", "allowed_domains": ["old.example"]}
    async with LocalServer(executor="scripted", database=database, now=_at(START)) as server:
        await Caller(server, http).post("/scheduled-task", json=yearly)
    with closing(sqlite3.connect(database)) as file, file:
        file.execute("UPDATE schedules SET request = replace(request, '[\"old.example\"]', '[]')")
    async with LocalServer(executor=queue, database=database, now=_at(START + DAY)):
        await until(lambda: queue.assignments)

    assert queue.assignments[0].allowed_domains == []


@pytest.mark.parametrize("schema", ["{}", " { } "])
async def test_an_empty_schema_is_none(schema, http):
    """Forms send it, and the answer is text, as without a schema."""
    async with (
        StaticSite(example_site_directory()) as site,
        LocalServer(executor="plain") as server,
    ):
        caller = Caller(server, http)
        task = f"Open {site.url} and tell me the title"
        ids = [await caller.create(task), await caller.create(task, structured_output_json=schema)]
        await until(lambda: all(caller.stored(each).status.is_terminal for each in ids))
        plain, ended = [await caller.task(each) for each in ids]

    assert (ended["status"], ended["output"]) == ("finished", plain["output"])


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
async def test_bodies_of_windows_programs(encoding, caller):
    """They begin with a byte order mark, or are UTF-16; the framework read both."""
    body = '{"task": "Grüße", "metadata": {"scenario": "quick"}}'.encode(encoding)
    answer = await caller.post("/run-task", data=body, headers={"Content-Type": "application/json"})

    assert answer.status == 200, answer.text
    assert (await caller.task(answer.json["id"]))["task"] == "Grüße"


async def test_a_later_version_of_the_api_is_named(caller):
    """Programs of later versions learn which one is served here, with a key and without."""
    root = caller.server.url
    answers = [
        await caller.get(f"{root}/api/v2/tasks"),
        await caller.post(f"{root}/api/v2/tasks", json={"task": "Look"}, key=False),
        await caller.get(f"{root}/api/v3/sessions/1?page=2"),
        await caller.ask("PATCH", f"{root}/api/v4", json={}),
    ]
    unknown = await caller.get(f"{root}/api/v1/nothing")

    assert {each.status for each in answers} == {404}
    assert [each.json["detail"] for each in answers] == [
        f"This server serves Cloud API v1 (/api/v1) and not v{version}: see docs/migrating.md"
        for version in (2, 2, 3, 4)
    ]
    assert unknown.json == {"detail": "Not Found"}


async def test_unlisted_calls_of_older_programs(caller):
    """The gif of a task, the version, and the document at its documented address."""
    task_id = await caller.create()
    version = await caller.get("/browser-use-version", key=False)
    documents = [
        await caller.get(url, key=False)
        for url in (caller.server.url + "/openapi.json", caller.server.base_url + "/openapi.json")
    ]

    assert (await caller.get(f"/task/{task_id}/gif")).json == {"gif": None}
    assert (await caller.get("/task/unknown/gif")).status == 404
    assert (await caller.get(f"/task/{task_id}/gif", key=False)).status == 403
    assert (version.status, type(version.json)) == (200, str)
    assert documents[0].json == documents[1].json
    assert documents[0].json["servers"] == [{"url": caller.server.url}]


async def test_generated_clients_can_be_swapped(caller):
    """They name their module after the only tag, and send content types as plain text."""
    document = (await caller.get(caller.server.url + "/openapi.json")).json
    operations = [each for path in document["paths"].values() for each in path.values()]
    upload = document["components"]["schemas"]["UploadFileRequest"]["properties"]

    assert {tuple(each["tags"]) for each in operations} == {("API v1",)}
    assert {each["x-section"] for each in operations} >= {"Tasks", "Files"}
    assert upload["content_type"]["type"] == "string"
    assert "enum" not in upload["content_type"]


# --- files, schedules, the account --------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content_type"),
    [
        ("feed.xml", "text/xml"),
        ("photo.jpg", "image/jpg"),
        ("table.csv", "text/csv; charset=utf-8"),
        ("table.csv", "Text/CSV"),
    ],
)
async def test_usual_names_of_content_types(name, content_type, caller):
    """Names that browsers and libraries guess are accepted; the upload must use the same one."""
    wanted = {"file_name": name, "content_type": content_type}
    url = (await caller.post("/uploads/presigned-url", json=wanted)).json["upload_url"]
    headers = {"Content-Type": content_type}
    stored = await caller.put(url, key=False, data=b"content", headers=headers)
    refused = await caller.post(
        "/uploads/presigned-url", json={"file_name": name, "content_type": "video/mp4"}
    )

    assert stored.status == 200, stored.text
    assert (refused.status, refused.json) == (400, {"detail": "Unsupported content type"})


def _at(moment: datetime) -> Callable[[], datetime]:
    return lambda: moment


async def _upload(
    caller: Caller, name: str, content: bytes = b"a,b\n", content_type: str = "text/csv"
) -> None:
    wanted = {"file_name": name, "content_type": content_type}
    url = (await caller.post("/uploads/presigned-url", json=wanted)).json["upload_url"]
    await caller.put(url, key=False, data=content, headers={"Content-Type": content_type})


@pytest.mark.parametrize(
    "text",
    [
        "Process the data in the CSV file and extract the top 5 rows",
        "Read data.csv and extract the top 5 rows",
    ],
)
async def test_the_example_of_the_upload_page(text, http):
    """The first rows of the uploaded table, as in the published page."""
    rows = "".join(f"item {number},{number}\n" for number in range(1, 9))
    async with LocalServer(executor="plain") as server:
        caller = Caller(server, http)
        await _upload(caller, "data.csv", f"name,price\n{rows}".encode())
        await _upload(caller, "config.json", b'{"currency": "EUR"}', "application/json")
        task_id = await caller.create(text, included_file_names=["data.csv", "config.json"])
        await until(lambda: caller.stored(task_id).status.is_terminal)
        task = await caller.task(task_id)

    assert task["status"] == "finished", task["steps"]
    assert task["output"].splitlines() == [
        "data.csv", "name | price", *(f"item {number} | {number}" for number in range(1, 6)),
    ]  # fmt: skip


async def test_no_run_after_the_end_of_a_schedule(http, tmp_path):
    """A server that was down at the end makes no run later; one that was down before does."""
    database = tmp_path / "server.db"
    hourly = {"task": "Look", "schedule_type": "interval", "interval_minutes": 60}
    hourly["start_at"] = "2026-01-01T01:00:00Z"
    ended, runs_on = "2026-01-01T04:30:00Z", "2026-01-05T00:00:00Z"
    async with LocalServer(executor="scripted", database=database, now=_at(START)) as server:
        caller = Caller(server, http)
        for end_at in (ended, runs_on):
            answer = await caller.post("/scheduled-task", json={**hourly, "end_at": end_at})
            assert answer.status == 200, answer.text
    late = START + timedelta(hours=10, seconds=35)
    async with LocalServer(executor="scripted", database=database, now=_at(late)) as server:
        caller = Caller(server, http)
        # The runs that are due start in the first turn of the scheduler, before any answer.
        rows = (await caller.get("/scheduled-tasks")).json["tasks"]
        created = server.tasks_created

    assert {row["end_at"][:16]: row["is_active"] for row in rows} == {
        ended[:16]: False,
        runs_on[:16]: True,
    }
    assert created == 1


async def test_files_of_a_schedule_outlive_its_pause(http, tmp_path):
    """Uploads stay for 30 days, and as long as a schedule includes them, active or not."""
    database = tmp_path / "server.db"
    cron = {"task": "Look", "schedule_type": "cron", "cron_expression": "0 0 1 1 *"}
    async with LocalServer(executor="scripted", database=database, now=_at(START)) as server:
        caller = Caller(server, http)
        for name in ("off.csv", "ended.csv", "unused.csv"):
            await _upload(caller, name)
        off = await caller.post(
            "/scheduled-task", json={**cron, "included_file_names": ["off.csv"]}
        )
        await caller.put(f"/scheduled-task/{off.json['id']}", json={"is_active": False})
        ended = {**cron, "included_file_names": ["ended.csv"], "end_at": "2026-01-10T00:00:00Z"}
        await caller.post("/scheduled-task", json=ended)
    async with LocalServer(
        executor="scripted", database=database, now=_at(START + 31 * DAY)
    ) as server:
        caller = Caller(server, http)
        answers = {
            name: (await _run_with_file(caller, name)).status
            for name in ("off.csv", "ended.csv", "unused.csv")
        }

    assert answers == {"off.csv": 200, "ended.csv": 422, "unused.csv": 422}


async def _run_with_file(caller: Caller, name: str) -> Answer:
    return await caller.post("/run-task", json={"task": "Read it", "included_file_names": [name]})


async def test_the_balance_keeps_its_form(http):
    """It has no superfluous zeros, before and after the first charge."""
    async with LocalServer(executor="scripted", balance_cents=500_000) as server:
        caller = Caller(server, http)
        balances = [(await caller.get("/balance")).json["balance"]]
        for model in ("o3", "gpt-4.1"):
            await caller.reached(await caller.create(llm_model=model), "finished")
            balances.append((await caller.get("/balance")).json["balance"])

    assert balances[0] == "500000"
    assert all("E" not in each and not each.endswith(("0", ".")) for each in balances[1:])
