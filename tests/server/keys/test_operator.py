"""With the scope `admin` a key reads the tasks of every owner, and changes none of them."""

from typing import Any

import attrs
import pytest

from browser_use_async.api.endpoint_table import ENDPOINTS
from browser_use_async.server import LocalServer
from browser_use_async.server.http.routes import ROUTES
from browser_use_async.server.secrets.encryption import KEY_VARIABLE
from tests.server.calling import Caller
from tests.server.keys.test_owners import SCHEDULE

NO_SCOPE = "The API key does not have the scope admin, which owner needs"


@attrs.frozen
class Teams:
    """Two teams of one server, and its operator.

    Attributes:
        shop: A team with the two tasks below.
        lab: A team without the scope `admin`, and with one task.
        operator: The server's own key.
        task_id: A task of the shop at work.
        finished_id: One that has ended, with a file, a secret and cookies.
        lab_id: The task of the lab.
    """

    shop: Caller
    lab: Caller
    operator: Caller
    task_id: str
    finished_id: str
    lab_id: str


@pytest.fixture
async def teams(caller):
    """The shop has two tasks, the lab one, and the operator none."""
    shop, lab = await caller.with_new_key("shop"), await caller.with_new_key("lab")
    finished_id = await shop.create(
        metadata={"scenario": "files"}, secrets={"pin": "hunter2!"}, save_browser_data=True
    )
    await shop.reached(finished_id, "finished")
    task_id = await shop.create(metadata={"scenario": "hangs"}, enable_public_share=True)
    await shop.reached(task_id, "running", steps=1)
    lab_id = await lab.create("Of the lab")
    await lab.reached(lab_id, "finished", steps=2)
    return Teams(shop, lab, caller, task_id, finished_id, lab_id)


async def test_the_operator_lists_the_tasks_of_an_owner(teams):
    """As the owner's own list is, with the owner in each row and without links that steer."""
    theirs = (await teams.shop.get("/tasks")).json
    seen = (await teams.operator.get("/tasks?owner=shop")).json
    own = (await teams.operator.get("/tasks")).json

    expected = [{**row, "live_url": None, "owner": "shop"} for row in theirs["tasks"]]
    assert seen == {**theirs, "tasks": expected}
    assert own["tasks"] == []
    assert all("owner" not in row for row in theirs["tasks"])


async def test_all_owners_are_one_list(teams):
    """Newest first, in pages without gaps."""
    created = [teams.lab_id, teams.task_id, teams.finished_id]
    for number in range(4):
        created.insert(0, await (teams.lab, teams.operator)[number % 2].create())
    pages = [
        (await teams.operator.get(f"/tasks?owner=all&page={page}&limit=3")).json
        for page in (1, 2, 3, 4)
    ]
    rows = [row for page in pages for row in page["tasks"]]

    assert [row["id"] for row in rows] == created
    assert {row["owner"] for row in rows} == {"shop", "lab", "default"}
    assert {(page["total_count"], page["total_pages"]) for page in pages} == {(7, 3)}


@pytest.mark.parametrize("owner", ["shop", "all"])
async def test_the_operator_opens_a_task(owner, teams):
    """With its steps and answer; the secret is masked, and cookies stay with their owner."""
    path = f"/task/{teams.finished_id}"
    theirs, seen = (
        await teams.shop.task(teams.finished_id),
        await teams.operator.get(f"{path}?owner={owner}"),
    )
    status = await teams.operator.get(f"{path}/status?owner={owner}")

    assert theirs["browser_data"] is not None
    assert seen.json == {**theirs, "live_url": None, "browser_data": None, "owner": "shop"}
    assert "hunter2" not in seen.text
    assert status.json == "finished"


async def test_the_operator_reads_the_files_of_a_task(teams):
    """Pictures, recordings and output files, by links as the owner gets them."""
    path = f"/task/{teams.finished_id}"
    shots = (await teams.operator.get(f"/task/{teams.task_id}/screenshots?owner=shop")).json
    media = await teams.operator.get(f"{path}/media?owner=shop")
    link = (await teams.operator.get(f"{path}/output-file/report.csv?owner=shop")).json
    file = await teams.operator.get(link["download_url"], key=False)

    assert (media.status, file.status) == (200, 200)
    for each in shots["screenshots"]:
        assert (await teams.operator.get(each, key=False)).status == 200
    assert shots["screenshots"]


async def test_the_pages_get_the_same(teams):
    """What they show of a list, a task and a step, and the names of the owners."""
    base = f"{teams.operator.server.url}/admin"
    one = (await teams.operator.get(f"{base}/overview?owner=shop")).json
    everyone = (await teams.operator.get(f"{base}/overview?owner=all&limit=2")).json
    costly = (await teams.operator.get(f"{base}/overview?owner=all&sort=-cost&limit=1")).json
    task = await teams.operator.get(f"{base}/overview/{teams.finished_id}?owner=all")
    step = await teams.operator.get(f"{base}/overview/{teams.task_id}/steps/1?owner=shop")
    keys = [(await each.get(f"{base}/key")).json for each in (teams.operator, teams.shop)]

    assert [row["id"] for row in one["tasks"]] == [teams.task_id, teams.finished_id]
    assert [row["id"] for row in everyone["tasks"]] == [teams.lab_id, teams.task_id]
    assert [row["owner"] for row in everyone["tasks"]] == ["lab", "shop"]
    assert (everyone["count"], one["count"], everyone["next"]) == (3, 2, None)
    assert costly["tasks"][0]["id"] == teams.lab_id
    assert one["at_work"]["running"] == 1
    assert everyone["at_work"]["running"] == 1
    assert (task.status, step.status) == (200, 200)
    assert "hunter2" not in task.text
    assert [each["owners"] for each in keys] == [["default", "lab", "shop"], []]


READING = [route for route in ROUTES.values() if route.reads_any_owner]


def _address(route: Any, caller: Caller, task_id: str) -> str:
    path = route.path.format(task_id=task_id, file_name="report.csv", number=1)
    return f"{caller.server.url}{path}"


@pytest.mark.parametrize("route", READING, ids=lambda route: route.endpoint.name)
@pytest.mark.parametrize("owner", ["shop", "all", "nobody", "lab"])
async def test_a_key_without_the_scope_admin_reads_no_other_owner(route, owner, teams):
    """It is refused with the same sentence whether there is such an owner or not."""
    address = _address(route, teams.lab, teams.finished_id)
    answer = await teams.lab.get(f"{address}?owner={owner}")

    assert (answer.status, answer.json) == (403, {"detail": NO_SCOPE})


@pytest.mark.parametrize("route", READING, ids=lambda route: route.endpoint.name)
async def test_an_owner_that_does_not_exist_is_said(route, teams):
    """In a sentence that names the nearest one."""
    address = _address(route, teams.operator, teams.finished_id)
    answer = await teams.operator.get(f"{address}?owner=shp")

    expected = "owner: there is no such name; did you mean 'shop'?"
    assert (answer.status, answer.json) == (404, {"detail": expected})


async def test_a_task_of_another_owner_than_the_named_one_does_not_exist(teams):
    """The operator's own list has it neither."""
    path = f"/task/{teams.finished_id}"
    answers = [await teams.operator.get(each) for each in (path, f"{path}?owner=lab")]

    assert [each.status for each in answers] == [404, 404]


WRITING = [row for row in ENDPOINTS if row.method == "PUT" and row.section == "Tasks"]


@pytest.mark.parametrize("row", WRITING, ids=lambda row: row.name)
async def test_the_operator_changes_no_task_of_others(row, teams):
    """The parameter is none of these calls."""
    path = f"{row.path}?task_id={teams.task_id}&owner=shop"
    answer = await teams.operator.put(path)

    assert answer.status == 404
    assert (await teams.shop.get(f"/task/{teams.task_id}/status")).json == "running"


async def test_only_reading_calls_take_an_owner():
    """All of them are reads of tasks, which need the scope `read`, too."""
    assert {route.endpoint.method for route in READING} == {"GET"}
    assert {route.scopes for route in READING} == {("read",)}
    assert len(READING) == 9


async def test_a_call_of_the_operator_is_not_held(teams):
    """It would take places from the calls of the owner."""
    answer = await teams.operator.get(
        f"/task/{teams.task_id}/status?owner=shop", headers={"Prefer": "wait=60"}
    )

    assert (answer.status, answer.json) == (200, "running")
    assert "Preference-Applied" not in answer.headers


async def test_schedules_stay_with_their_owner(teams):
    """The parameter is one of the tasks alone."""
    schedule = await teams.shop.post("/scheduled-task", json=SCHEDULE)
    listed = await teams.operator.get("/scheduled-tasks?owner=shop")
    one = await teams.operator.get(f"/scheduled-task/{schedule.json['id']}?owner=shop")

    assert (listed.json["total_count"], one.status) == (0, 404)


async def test_no_key_is_named_like_all_owners(caller):
    """Else its tasks could not be asked for alone."""
    answer = await caller.post(f"{caller.server.url}/admin/keys", json={"name": "all"})

    assert answer.status == 422
    assert "every owner" in answer.json["detail"]


async def test_a_new_server_lists_the_same_tasks(tmp_path, http):
    """The list of all owners comes from the database."""
    database = tmp_path / "server.db"
    async with LocalServer(executor="scripted", database=database) as server:
        operator = Caller(server, http)
        shop = await operator.with_new_key("shop")
        created = [await each.create() for each in (shop, operator, shop)]
    async with LocalServer(executor="scripted", database=database) as server:
        page = (await Caller(server, http).get("/tasks?owner=all")).json

    assert [row["id"] for row in page["tasks"]] == created[::-1]
    assert page["total_count"] == 3


@pytest.mark.long
async def test_all_owners_are_one_list_in_postgresql(postgres, monkeypatch, http):
    """Also as the pages list them; an unknown owner is said there, too."""
    monkeypatch.setenv(KEY_VARIABLE, "a-key-of-the-tests-0123456789")
    async with LocalServer(
        executor="scripted", database=postgres, api_key="bu_of-the-tests-of-owners"
    ) as server:
        operator = Caller(server, http)
        shop = await operator.with_new_key("shop")
        created = [await each.create() for each in (shop, operator, shop)]
        pages = [
            (await operator.get(f"/tasks?owner=all&limit=2&page={page}")).json for page in (1, 2)
        ]
        shown = (await operator.get(f"{server.url}/admin/overview?owner=all")).json
        status = (await operator.get(f"/task/{created[0]}/status?owner=shop")).status
        unknown = await operator.get("/tasks?owner=shp")

    assert [row["id"] for page in pages for row in page["tasks"]] == created[::-1]
    assert pages[0]["total_count"] == 3
    assert [row["id"] for row in shown["tasks"]] == created[::-1]
    assert (status, unknown.status) == (200, 404)
