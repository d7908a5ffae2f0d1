"""Keys of one name see their own data, and nothing of other owners."""

from typing import Any

import attrs
import pytest

from browser_use_async.api.endpoint_table import ENDPOINTS, Endpoint
from browser_use_async.server import LocalServer, Webhook
from browser_use_async.server.executors.scripted import ScriptedExecutor
from browser_use_async.server.storage.records import session_id_of
from tests.server.calling import Answer, Caller
from tests.server.conftest import SCENARIOS
from tests.server.steering import NeverBegun
from tests.server.webhooks.receiver import SECRET, receiving
from tests.support.patience import until

UNKNOWN = "00000000-0000-4000-8000-000000000000"
SCHEDULE = {
    "task": "Again",
    "schedule_type": "interval",
    "interval_minutes": 60,
    "start_at": "2090-01-01T00:00:00Z",
}
BODIES: dict[str, dict[str, object]] = {
    "update_scheduled_task": {"is_active": False},
    "update_browser_profile": {"persist": False},
}


@attrs.frozen
class Two:
    """Two owners of one server, and the data of the first one."""

    ann: Caller
    bob: Caller
    task_id: str  # at work
    finished_id: str  # with files
    schedule_id: str
    profile_id: str


@pytest.fixture
async def two(caller):
    """Ann has a task, a schedule and a profile; Bob has nothing."""
    ann, bob = await caller.with_new_key("ann"), await caller.with_new_key("bob")
    task_id = await ann.create(metadata={"scenario": "hangs"})
    finished_id = await ann.create(metadata={"scenario": "files"})
    await ann.reached(task_id, "running")
    await ann.reached(finished_id, "finished")
    schedule = await ann.post("/scheduled-task", json=SCHEDULE)
    profile = await ann.post("/browser-profiles", json={"profile_name": "Ann's"})
    return Two(ann, bob, task_id, finished_id, schedule.json["id"], profile.json["profile_id"])


def _request(row: Endpoint, **ids: str) -> tuple[str, dict[str, Any]]:
    path = row.path.format(file_name="report.csv", **ids)
    if row.query is not None and row.method == "PUT":
        path += f"?task_id={ids['task_id']}"
    body = BODIES.get(row.name)
    return path, {} if body is None else {"json": body}


NAMING_AN_ID = [
    row
    for row in ENDPOINTS
    if row.method != "POST" and ("{" in row.path or row.name.endswith("_task"))
]


@pytest.mark.parametrize("row", NAMING_AN_ID, ids=lambda row: row.name)
async def test_what_is_of_another_owner_does_not_exist(row, two):
    """The answer is byte for byte that for an unknown id, and the owner's data is unchanged."""
    is_schedule = "scheduled-task" in row.path
    task_id = (
        two.schedule_id if is_schedule else two.finished_id if row.method == "GET" else two.task_id
    )
    path, options = _request(row, task_id=task_id, profile_id=two.profile_id)
    unknown, _ = _request(row, task_id=UNKNOWN, profile_id=UNKNOWN)
    mine = [await two.ann.ask(row.method, path, **options) for _ in range(row.method == "GET")]
    theirs = await two.bob.ask(row.method, path, **options)
    nobodys = await two.bob.ask(row.method, unknown, **options)
    status = (await two.ann.get(f"/task/{two.task_id}/status")).json
    schedule = await two.ann.get(f"/scheduled-task/{two.schedule_id}")
    profile = await two.ann.get(f"/browser-profiles/{two.profile_id}")

    assert [each.status for each in mine] == [200] * len(mine)
    assert (theirs.status, theirs.body) == (404, nobodys.body)
    assert status == "running"
    assert (schedule.status, schedule.json["is_active"]) == (200, True)
    assert (profile.status, profile.json["persist"]) == (200, True)


async def test_the_session_of_another_owners_task_does_not_exist(two):
    """The id in webhooks leads to no task of others."""
    session_id = session_id_of(two.task_id)

    assert (await two.ann.get(f"/task/{session_id}")).status == 200
    assert (await two.bob.get(f"/task/{session_id}")).status == 404


@pytest.mark.parametrize(
    ("path", "name", "count"),
    [
        ("/tasks", "tasks", 2),
        ("/scheduled-tasks", "tasks", 1),
        ("/browser-profiles", "profiles", 2),
    ],
)
async def test_lists_show_and_count_only_their_owners_data(path, name, count, two):
    """A new owner has only a default profile."""
    ann, bob = (await two.ann.get(path)).json, (await two.bob.get(path)).json
    others = 1 if name == "profiles" else 0

    assert (len(ann[name]), ann["total_count"], ann["total_pages"]) == (count, count, 1)
    assert (len(bob[name]), bob["total_count"]) == (others, others)


async def test_pages_have_no_gaps(two):
    """Rows of other owners in between make no page shorter."""
    created = []
    for number in range(7):
        created.append(await two.bob.create(f"Bob's {number}"))
        await two.ann.create(f"Ann's {number}")
    pages = [(await two.bob.get(f"/tasks?page={page}&limit=3")).json for page in (1, 2, 3, 4)]

    assert [[row["id"] for row in each["tasks"]] for each in pages] == [
        created[:3:-1],
        created[3:0:-1],
        created[:1],
        [],
    ]
    assert {(each["total_count"], each["total_pages"]) for each in pages} == {(7, 3)}


async def test_a_task_takes_no_profile_or_file_of_others(two):
    """A profile is not found, a file was not uploaded; both may upload the same name."""
    await _upload(two.ann, "prices.csv", b"ann")
    with_profile = await two.bob.post(
        "/run-task", json={"task": "x", "browser_profile_id": two.profile_id}
    )
    given = {"task": "x", "included_file_names": ["prices.csv"]}
    with_file = await two.bob.post("/run-task", json=given)
    scheduled = await two.bob.post(
        "/scheduled-task", json={**SCHEDULE, "browser_profile_id": two.profile_id}
    )
    await _upload(two.bob, "prices.csv", b"bob")
    both = [await each.post("/run-task", json=given) for each in (two.ann, two.bob)]

    assert (with_profile.status, with_file.status, scheduled.status) == (404, 422, 404)
    assert [each.status for each in both] == [200, 200]


async def _upload(caller: Caller, name: str, content: bytes) -> Answer:
    asked = {"file_name": name, "content_type": "text/csv"}
    link = (await caller.post("/uploads/presigned-url", json=asked)).json["upload_url"]
    answer = await caller.put(link, key=False, data=content, headers={"Content-Type": "text/csv"})
    assert answer.status == 200, answer.text
    return answer


@pytest.mark.long
async def test_the_stream_of_changes_has_only_its_owners_tasks(two, http):
    """Also when both change at the same moment, and with whole tasks."""
    headers = {
        "Authorization": f"Bearer {two.bob.api_key}",
        "Prefer": "wait=2, return=representation",
        "Browser-Use-Changes": "now",
    }
    async with http.get(f"{two.bob.server.base_url}/tasks", headers=headers) as stream:
        await stream.content.readline()
        await two.ann.put(f"/stop-task?task_id={two.task_id}")
        mine = await two.bob.create("Bob's")
        text = await stream.text()

    assert mine in text
    assert two.task_id not in text


async def test_a_held_call_for_another_owners_task_is_not_held(two):
    """It is answered at once, as for an unknown one."""
    held = {"Prefer": "wait=60"}
    theirs = await two.bob.get(f"/task/{two.task_id}/status", headers=held)
    nobodys = await two.bob.get(f"/task/{UNKNOWN}/status", headers=held)

    assert (theirs.status, theirs.body) == (404, nobodys.body)
    assert "Preference-Applied" not in theirs.headers


async def test_costs_are_of_the_owners_tasks(two):
    """The home page of one owner shows nothing of others."""
    url = f"{two.ann.server.url}/admin/costs?task_id={two.finished_id}"

    assert two.finished_id in (await two.ann.get(url)).json["costs"]
    assert (await two.bob.get(url)).json == {"costs": {}}


async def test_deliveries_are_of_the_owners_tasks(http):
    """The operator's webhooks get the events of all tasks; each owner sees its own deliveries."""
    async with receiving() as receiver:
        webhooks = [Webhook(receiver.url, SECRET)]
        executor = ScriptedExecutor(SCENARIOS, default=SCENARIOS["quick"])
        async with LocalServer(executor=executor, webhooks=webhooks) as server:
            admin = Caller(server, http)
            ann, bob = await admin.with_new_key("ann"), await admin.with_new_key("bob")
            task_id = await ann.create()
            await ann.reached(task_id, "finished")
            await receiver.has(4)
            await bob.create("Do something else")
            await receiver.has(7)
            url = f"{server.url}/admin/deliveries"
            shown = [(await each.get(f"{url}?latest=3")).json for each in (ann, bob, admin)]
            place = f"{url}/{shown[0]['deliveries'][0]['id']}/again"
            refused = [(await each.post(place)).status for each in (bob, admin)]

    tasks_shown = {(each["task_id"], each["task"]) for each in shown[0]["deliveries"]}
    assert tasks_shown == {(task_id, "Do it")}
    assert refused == [404, 404]
    assert [(len(each["deliveries"]), each["count"]) for each in shown] == [(3, 3), (3, 3), (0, 0)]


async def test_a_default_key_works_beside_the_servers_own(caller):
    """A key with the name `default` belongs to the same owner as the key of the server."""
    task_id = await caller.create()
    other = await caller.with_new_key("default")

    assert (await other.get(f"/task/{task_id}")).status == 200


@pytest.mark.parametrize("steers", [True, False])
async def test_a_key_that_cannot_steer_gets_no_link_that_can(steers, caller):
    """Neither in the task, nor in the list, nor in the stream; the public page is there."""
    maker = await caller.with_new_key("reader", scopes=["run", "read"])
    task_id = await maker.create(metadata={"scenario": "hangs"}, enable_public_share=True)
    await maker.reached(task_id, "running")
    other = maker if steers else await caller.with_new_key("reader", scopes=["read"])
    task, row = await other.task(task_id), (await other.get("/tasks")).json["tasks"][0]

    assert (task["live_url"] is not None, row["live_url"] is not None) == (steers, steers)
    assert task["public_share_url"] is not None


async def test_a_link_for_an_upload_is_for_its_owner(two):
    """A link with another owner is refused, as everything that is signed."""
    asked = {"file_name": "prices.csv", "content_type": "text/csv"}
    link = (await two.bob.post("/uploads/presigned-url", json=asked)).json["upload_url"]
    csv = {"headers": {"Content-Type": "text/csv"}, "data": b"mine", "key": False}
    stolen = [
        await two.bob.put(link.replace("owner=bob", each), **csv)
        for each in ("owner=ann", "owner=default", "x=y")
    ]
    honest = await two.bob.put(link, **csv)

    assert "owner=bob" in link
    assert [each.status for each in stolen] == [403] * 3
    assert honest.status == 200


async def test_a_task_reads_its_owners_file_after_a_restart(tmp_path, http):
    """And not the file of the same name that another owner has uploaded."""
    database = tmp_path / "server.db"
    body = {"file_name": "notes.txt", "content_type": "text/plain"}
    async with LocalServer(executor=NeverBegun(), database=database) as server:
        admin = Caller(server, http)
        shop = await admin.with_new_key("shop")
        for caller, content in ((admin, b"of the server"), (shop, b"of the shop")):
            link = (await caller.post("/uploads/presigned-url", json=body)).json["upload_url"]
            headers = {"Content-Type": "text/plain"}
            sent = await caller.put(link, key=False, data=content, headers=headers)
            assert sent.status == 200
        await shop.create(included_file_names=["notes.txt"])
    executor = NeverBegun()
    async with LocalServer(executor=executor, database=database):
        await until(lambda: executor.assignments)

    assert executor.assignments[0].files == {"notes.txt": b"of the shop"}
