"""The application's own calls besides the API: its list of tasks, and searches in it."""

import asyncio
import sqlite3
from contextlib import closing
from decimal import Decimal
from urllib.parse import urlencode

import pytest

from browser_use_async.prices import TASK_START_CENTS
from browser_use_async.server import LocalServer
from browser_use_async.server.executors.scripted import (
    Scenario,
    ScriptedExecutor,
    ScriptedStep,
)
from tests.server.calling import Caller
from tests.server.pages.many_tasks import multiply_tasks
from tests.server.steering import FromQueue
from tests.support.patience import until


async def _ids(caller: Caller, query: str = "") -> list[str]:
    answer = await caller.get(f"{caller.server.url}/admin/overview{query}")
    assert answer.status == 200, answer.text
    return [each["id"] for each in answer.json["tasks"]]


async def test_pages_follow_one_another_by_position(caller):
    """Newest first; no row is repeated or left out when a task is created meanwhile."""
    ids = [await caller.create(f"Task {number}") for number in range(5)]
    first = (await caller.get(f"{caller.server.url}/admin/overview?limit=2")).json
    await caller.create("Another")
    second = (
        await caller.get(f"{caller.server.url}/admin/overview?limit=2&before={first['next']}")
    ).json
    last = (
        await caller.get(f"{caller.server.url}/admin/overview?limit=2&before={second['next']}")
    ).json

    seen = [each["id"] for page in (first, second, last) for each in page["tasks"]]
    assert seen == ids[::-1]
    assert last["next"] is None
    assert first["count"] == 5


@pytest.mark.parametrize("text", ["100%", "a_b", "It's", "!", "' OR 1=1 --"])
async def test_a_text_is_sought_literally(text, caller):
    """No character of it has a special meaning in the database."""
    found = await caller.create(f"Read {text} of it")
    await caller.create("Read 100 of axb")

    assert await _ids_of(caller, text) == [found]


@pytest.mark.parametrize("sought", ["Österreich", "österreich", "ÖSTERREICH"])
async def test_a_text_is_sought_in_either_case(sought, caller):
    """Also with letters beyond ASCII."""
    found = [await caller.create(f"Read of {text}") for text in ("Österreich", "österreich")]
    await caller.create("Read of Osterreich")

    assert await _ids_of(caller, sought) == found[::-1]


async def _ids_of(caller: Caller, value: str, name: str = "text") -> list[str]:
    query = urlencode({name: value})
    answer = await caller.get(f"{caller.server.url}/admin/overview?{query}")
    assert answer.status == 200, answer.text
    return [each["id"] for each in answer.json["tasks"]]


async def test_metadata_are_sought_by_name_and_value(caller):
    """A pair of the task is found, and not a text that looks like one."""
    found = await caller.create(metadata={"shop": "Tern & Tide", "town": "Kiel"})
    await caller.create('Not "shop":"Tern & Tide"', metadata={"other": '"shop":"Tern & Tide"'})

    for pair in ("shop", "shop=Tern & Tide", "SHOP = tern & tide", "town=Kiel"):
        assert await _ids_of(caller, pair, "metadata") == [found], pair
    for pair in ("shop=Tern", "ho", "shop=", "town=%", "Kiel"):
        assert await _ids_of(caller, pair, "metadata") == [], pair


async def test_tasks_are_sought_by_the_time_of_their_creation(caller):
    """From a moment on, and before one; the first moment is included."""
    ids = [await caller.create(f"Task {number}") for number in range(3)]
    moments = [caller.stored(each).created_at.isoformat() for each in ids]

    assert ids[0] not in await _ids_of(caller, moments[1], "since")
    assert ids[1] in await _ids_of(caller, moments[1], "since")
    assert await _ids_of(caller, moments[0], "until") == []


async def test_each_step_has_its_time_and_its_cost(caller):
    """In their order; with the start they add up to the cost of the task."""
    task_id = await caller.create(llm_model="o3")
    await caller.reached(task_id, "finished")
    task = (await caller.get(f"{caller.server.url}/admin/overview/{task_id}")).json
    taken = [each["taken_at"] for each in task["steps_more"]]
    costs = [Decimal(each["cost_cents"]) for each in task["steps_more"]]

    assert len(taken) == len((await caller.task(task_id))["steps"]) > 1
    assert taken == sorted(taken)
    assert sum(costs) + TASK_START_CENTS == Decimal(task["cost_cents"])
    assert task["doing"] is None


async def test_a_long_output_with_odd_characters_is_listed(http):
    """By its beginning, also where its characters need another form of storage."""
    scenario = Scenario(step_seconds=0, output="\0" + "a" * 400)
    async with LocalServer(executor=ScriptedExecutor(default=scenario)) as server:
        caller = Caller(server, http)
        await caller.reached(await caller.create(), "finished")
        answer = await caller.get(f"{server.url}/admin/overview")

    assert answer.status == 200
    shown = answer.json["tasks"][0]["output"]
    assert shown == "\0" + "a" * (len(shown) - 1)
    assert 250 < len(shown) <= 300


async def test_the_step_in_progress_is_shown_without_secrets(http):
    """The step in progress, which is in no list of steps."""
    steps = (ScriptedStep("Look"), ScriptedStep("Type s3cret-pin", seconds=3600.0))
    scenario = Scenario(steps=steps, step_seconds=0)
    async with LocalServer(executor=ScriptedExecutor(default=scenario)) as server:
        caller = Caller(server, http)
        task_id = await caller.create("Type it", secrets={"pin": "s3cret-pin"})
        await caller.reached(task_id, "running", steps=1)
        # The executor continues in a later turn of the loop than the one that stores the step.
        task = (await caller.get(f"{server.url}/admin/overview/{task_id}")).json
        (row,) = (await caller.get(f"{server.url}/admin/overview")).json["tasks"]

    assert task["doing"] == row["doing"] == "Type ***"


async def test_the_next_runs_of_a_schedule_are_listed(caller):
    """Three times, in their order; of another owner's schedule none."""
    body = {"task": "Read", "schedule_type": "cron", "cron_expression": "0 7 * * *"}
    made = (await caller.post("/scheduled-task", json=body)).json["id"]
    place = f"{caller.server.url}/admin/next-runs?id={made}"
    runs = (await caller.get(place)).json["runs"][made]
    other = await caller.with_new_key("other")

    assert len(runs) == 3
    assert runs == sorted(runs)
    assert {each[11:16] for each in runs} == {"07:00"}
    assert (await other.get(place)).json["runs"] == {}


async def test_files_are_listed_and_uploads_deleted(caller):
    """Uploads with their sizes, and files of tasks; those of the owner only."""
    other = await caller.with_new_key("other")
    link = (
        await caller.post(
            "/uploads/presigned-url", json={"file_name": "a b.csv", "content_type": "text/csv"}
        )
    ).json["upload_url"]
    await caller.put(link, key=False, data=b"name", headers={"Content-Type": "text/csv"})
    place = f"{caller.server.url}/admin/files"
    (upload,) = (await caller.get(place)).json["uploads"]
    foreign = await other.ask("DELETE", f"{place}/a%20b.csv")
    deleted = await caller.ask("DELETE", f"{place}/a%20b.csv")
    again = await caller.ask("DELETE", f"{place}/a%20b.csv")

    assert (upload["name"], upload["size"]) == ("a b.csv", 4)
    assert (foreign.status, deleted.status, again.status) == (404, 200, 404)
    assert (await caller.get(place)).json["uploads"] == []


async def test_tasks_of_other_owners_are_hidden(caller):
    """Neither in the list nor by id; secrets and live links are in no answer."""
    mine = await caller.create("Mine", secrets={"pin": "s3cret-pin"})
    other = await caller.with_new_key("other")
    shown = await caller.get(f"{caller.server.url}/admin/overview/{mine}")
    listed = await caller.get(f"{caller.server.url}/admin/overview")
    me = (await other.get(f"{caller.server.url}/admin/key")).json

    assert await _ids(caller) == [mine]
    assert await _ids(other) == []
    assert (await other.get(f"{caller.server.url}/admin/overview/{mine}")).status == 404
    assert shown.json["request"]["task"] == "Mine"
    assert "s3cret" not in shown.text + listed.text
    assert "/live/" not in shown.text + listed.text
    assert (me["name"], me["scopes"]) == ("other", ["read", "run"])


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=1001",
        "limit=x",
        "before=-1",
        "status=done",
        "since=soon",
        "text=" + "x" * 1001,
    ],
)
async def test_what_cannot_be_sought_is_refused(query, caller):
    """With 422 and the reason."""
    answer = await caller.get(f"{caller.server.url}/admin/overview?{query}")

    assert answer.status == 422
    assert query.partition("=")[0] in answer.json["detail"]


async def test_an_unknown_delivery_is_not_sent_again(caller):
    """One that does not exist, or that is another owner's, is not found."""
    answer = await caller.post(f"{caller.server.url}/admin/deliveries/nothing/again")

    assert answer.status == 404


@pytest.mark.long
async def test_calls_are_answered_during_a_search(http, tmp_path):
    """Other calls are answered during a search in 10,000 tasks, which finds the last ones."""
    path = tmp_path / "server.db"
    async with LocalServer(executor=FromQueue(), database=path) as server:
        caller = Caller(server, http)
        await caller.put(f"/stop-task?task_id={await caller.create('Read the prices')}")
    multiply_tasks(path, 10_000)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE tasks SET task = 'Find the needle' WHERE position % 4000 = 1")
    async with LocalServer(executor=FromQueue(), database=path) as server:
        caller = Caller(server, http)
        await caller.get("/ping")
        answered = 0
        for number in range(1, 101):  # a search takes only some milliseconds
            search = asyncio.create_task(caller.get(f"{server.url}/admin/overview?text=needle"))
            await until(lambda most=number: server.requests["admin_overview"] == most)
            while not search.done():
                await caller.get("/ping")
                answered += not search.done()
            if answered >= 3:
                break
        found = (await search).json["tasks"]
        wide = (await caller.get(f"{server.url}/admin/overview?limit=600")).json
        rest = (
            await caller.get(f"{server.url}/admin/overview?limit=600&before={wide['next']}")
        ).json

    assert answered >= 3
    assert [each["id"][:8] for each in found[:2]] == [f"{8001:08x}", f"{4001:08x}"]
    assert len(found) == 3
    ids = [int(each["id"][:8], 16) for each in (*wide["tasks"], *rest["tasks"])]
    assert ids == [*range(10_000, 8_800, -1)]


async def test_tasks_are_sorted_among_the_latest(caller):
    """By cost, steps and time, in either direction; the answer has the number of tasks sorted."""
    short = await caller.reached(await caller.create("fails"), "failed")
    long = await caller.reached(await caller.create("quick", llm_model="o3"), "finished")
    place = f"{caller.server.url}/admin/overview?sort="
    dearest = (await caller.get(f"{place}-cost&limit=1")).json
    oldest = (await caller.get(f"{place}created")).json
    refused = await caller.get(f"{place}price")

    costs = {each["id"]: Decimal(each["cost_cents"]) for each in oldest["tasks"]}
    assert dearest["tasks"][0]["id"] == max(costs, key=costs.__getitem__)
    assert (dearest["sorted"], dearest["next"]) == (2, None)
    assert [each["id"] for each in oldest["tasks"]] == [short["id"], long["id"]]
    assert (refused.status, "price" in refused.json["detail"]) == (422, True)


async def test_pauses_are_counted_apart_from_the_work(steered, queue):
    """The time of pauses grows while the task is paused, and then stays."""
    task_id = await steered.create()
    queue.step()
    await steered.reached(task_id, "running", steps=1)
    place = f"{steered.server.url}/admin/overview/{task_id}"
    assert (await steered.get(place)).json["paused_seconds"] == 0
    await steered.put(f"/pause-task?task_id={task_id}")
    first = (await steered.get(place)).json["paused_seconds"]
    second = (await steered.get(place)).json["paused_seconds"]
    await steered.put(f"/resume-task?task_id={task_id}")
    third = (await steered.get(place)).json["paused_seconds"]
    fourth = (await steered.get(place)).json["paused_seconds"]
    (row,) = (await steered.get(f"{steered.server.url}/admin/overview")).json["tasks"]

    assert 0 < first < second < third == fourth == row["paused_seconds"]


async def test_the_last_run_of_a_schedule_and_its_tasks_are_listed(caller):
    """With its status and cost; of another owner's schedule nothing."""
    await caller.create("By hand")
    body = {"task": "quick", "schedule_type": "interval", "interval_minutes": 60}
    made = (await caller.post("/scheduled-task", json=body)).json["id"]
    idle = {"task": "Read", "schedule_type": "cron", "cron_expression": "0 7 1 1 *"}
    never = (await caller.post("/scheduled-task", json=idle)).json["id"]
    await until(lambda: len(caller.server.store.tasks) == 2)
    run = caller.server.store.tasks[-1].id
    await caller.reached(run, "finished")
    place = f"{caller.server.url}/admin/next-runs?id={made}&id={never}"
    last = (await caller.get(place)).json["last"]
    other = await caller.with_new_key("other")

    assert last[never] is None
    assert (last[made]["id"], last[made]["status"]) == (run, "finished")
    assert Decimal(last[made]["cost_cents"]) == caller.stored(run).cost_cents
    assert await _ids_of(caller, made, "schedule") == [run]
    assert await _ids_of(caller, never, "schedule") == []
    assert await _ids_of(other, made, "schedule") == []
    await caller.ask("DELETE", f"/scheduled-task/{made}")
    assert await _ids_of(caller, made, "schedule") == []


async def test_files_of_tasks_have_sizes(caller):
    """They are like those of uploads."""
    await caller.reached(await caller.create("files"), "finished")
    (task,) = (await caller.get(f"{caller.server.url}/admin/files")).json["tasks"]
    sizes = {each["name"]: each["size"] for each in task["files"]}

    assert sizes == {"report.csv": 8, "notes & more #1.txt": 5}
