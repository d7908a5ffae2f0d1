"""Every row of the endpoint table, answered."""

import re

import pytest

from browser_use_async.api.endpoint_table import ENDPOINTS, PING
from browser_use_async.api.serialization import decode_response
from browser_use_async.server.admin import ADMIN_ROUTES
from browser_use_async.server.executors.scripted import ScriptedExecutor
from browser_use_async.server.http.routes import ROUTES, operation
from browser_use_async.server.operations import API_ROUTES
from browser_use_async.server.search.backends import SiteIndexBackend
from tests.server.conftest import SCENARIOS


@pytest.fixture
def server_options(bakery):
    """A server whose tasks follow `SCENARIOS`, and that searches the site."""
    executor = ScriptedExecutor(SCENARIOS, default=SCENARIOS["quick"])
    search = SiteIndexBackend([bakery.url])
    return {"executor": executor, "balance_cents": 10_000, "search": search}


def test_every_row_has_exactly_one_operation():
    """The table and the operations have the same calls."""
    assert [each.endpoint for each in API_ROUTES] == [*ENDPOINTS]
    assert len(API_ROUTES) + len(ADMIN_ROUTES) == len(ROUTES)
    assert len({id(each.operation) for each in ROUTES.values()}) == len(ROUTES)


def test_a_row_is_not_answered_twice():
    """A second operation for a row is an error when the module is loaded."""
    with pytest.raises(ValueError, match="two operations answer GET /ping"):
        operation(PING)(lambda _backend: None)


_SCHEDULE = {"task": "Again", "schedule_type": "interval", "interval_minutes": 60}
_BODIES: dict[str, dict[str, object]] = {
    "run_task": {"task": "Another one"},
    "create_scheduled_task": _SCHEDULE,
    "update_scheduled_task": {"is_active": False},
    "create_browser_profile": {"profile_name": "Home"},
    "update_browser_profile": {"persist": False},
    "upload_file_presigned_url": {"file_name": "a.csv", "content_type": "text/csv"},
    "simple_search": {"query": "bread"},
}


@pytest.mark.parametrize("row", ENDPOINTS, ids=lambda row: row.name)
async def test_every_row_answers_what_its_row_promises(row, caller, bakery):
    """The SDK's decoder accepts the answer of each call about an existing object."""
    scenario = "hangs" if row.method == "PUT" else "files"
    task_id = await caller.create(metadata={"scenario": scenario})
    await caller.reached(task_id, "running" if row.method == "PUT" else "finished")
    if row.name == "resume_task":
        await caller.put(f"/pause-task?task_id={task_id}")
    if "scheduled-task/" in row.path:
        task_id = (await caller.post("/scheduled-task", json=_SCHEDULE)).json["id"]
    profile = await caller.post("/browser-profiles", json={"profile_name": "Work"})
    path = row.path.format(
        task_id=task_id, file_name="report.csv", profile_id=profile.json["profile_id"]
    )
    query = f"?task_id={task_id}" if row.query and row.method == "PUT" else ""
    body = _BODIES.get(row.name)
    if row.name == "search_url":
        body = {"url": bakery.url, "query": "bread"}
    answer = await caller.ask(row.method, path + query, json=body)

    assert (answer.status, answer.headers["Content-Type"]) == (200, "application/json")
    decode_response(row, answer.body)
    assert caller.server.requests[row.name] >= 1


@pytest.mark.parametrize("call", ["stop", "pause"])
async def test_calls_that_answer_nothing_answer_an_empty_object(call, caller):
    """Clients of 2025 call .json() on it."""
    task_id = await caller.create(metadata={"scenario": "hangs"})
    await caller.reached(task_id, "running")

    assert (await caller.put(f"/{call}-task?task_id={task_id}")).body == b"{}"


async def test_ping_needs_no_key_and_answers_an_empty_object(caller):
    """It is the one call without a key."""
    answer = await caller.get("/ping", key=False)

    assert (answer.status, answer.body) == (200, b"{}")


async def test_status_is_a_bare_string(caller):
    """Not wrapped in an object."""
    task_id = await caller.create()
    await caller.reached(task_id, "finished")

    assert (await caller.get(f"/task/{task_id}/status")).body == b'"finished"'


async def test_me_and_balance(caller):
    """A bare boolean, and cents as text."""
    assert (await caller.get("/me")).body == b"true"
    assert (await caller.get("/balance")).json == {"balance": "10000"}


async def test_a_whole_task(caller):
    """Every field of the documentation is there, nulls included, in compact JSON."""
    task_id = await caller.create()
    task = await caller.reached(task_id, "finished")
    answer = await caller.get(f"/task/{task_id}")

    assert list(task) == [
        "id", "task", "status", "created_at", "output", "steps", "live_url", "finished_at",
        "browser_data", "user_uploaded_files", "output_files", "public_share_url", "metadata",
    ]  # fmt: skip
    assert (task["task"], task["output"], task["metadata"]) == ("Do it", "The answer", {})
    assert task["browser_data"] is task["user_uploaded_files"] is task["public_share_url"] is None
    assert [step["step"] for step in task["steps"]] == [1, 2]
    assert set(task["steps"][0]) == {
        "id", "step", "evaluation_previous_goal", "next_goal", "url",
    }  # fmt: skip
    assert b": " not in answer.body.replace(b"Do it", b"")


async def test_timestamps_have_microseconds_and_z(caller):
    """The format is that of the service."""
    task = await caller.reached(await caller.create(), "finished")

    form = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
    assert form.fullmatch(task["created_at"])
    assert form.fullmatch(task["finished_at"])
    assert task["created_at"] <= task["finished_at"]


async def test_browser_data_only_when_it_was_to_be_saved(caller):
    """Cookies are returned to tasks that asked for them before."""
    metadata = {"scenario": "files"}
    kept = await caller.create(metadata=metadata, save_browser_data=True)
    not_kept = await caller.create(metadata=metadata, save_browser_data=False)

    assert (await caller.reached(kept, "finished"))["browser_data"] == {
        "cookies": [{"name": "session", "value": "1"}]
    }
    assert (await caller.reached(not_kept, "finished"))["browser_data"] is None


async def test_structured_output_files_and_uploads(caller):
    """Output is text also where it is JSON; names of files go in and out."""
    names = ["data.csv", "plan.pdf"]
    for name, kind in zip(names, ("text/csv", "application/pdf"), strict=True):
        asked = {"file_name": name, "content_type": kind}
        link = (await caller.post("/uploads/presigned-url", json=asked)).json["upload_url"]
        await caller.put(link, key=False, data=b"content", headers={"Content-Type": kind})
    task_id = await caller.create(metadata={"scenario": "files"}, included_file_names=names)
    task = await caller.reached(task_id, "finished")

    assert task["output"] == '{"price": 3}'
    assert task["output_files"] == ["report.csv", "notes & more #1.txt"]
    assert task["user_uploaded_files"] == ["data.csv", "plan.pdf"]


async def test_media_and_screenshots_are_lists(caller):
    """There are no recordings; each step has a screenshot whose name has task and step."""
    task_id = await caller.create()
    await caller.reached(task_id, "finished")

    assert (await caller.get(f"/task/{task_id}/media")).json == {"recordings": []}
    first, second = (await caller.get(f"/task/{task_id}/screenshots")).json["screenshots"]
    assert f"{task_id}-step-1.png" in first
    assert f"{task_id}-step-2.png" in second


@pytest.mark.parametrize(
    "row", [row for row in ENDPOINTS if row.parameters or row.method == "PUT"], ids=str
)
async def test_what_is_unknown_is_not_found(row, caller):
    """All calls of a section have the same sentence."""
    path = row.path.format(task_id="unknown", file_name="a.txt", profile_id="unknown")
    body = _BODIES.get(row.name)
    answer = await caller.ask(row.method, path + "?task_id=unknown", json=body)

    noun = {"Scheduled Tasks": "Scheduled task", "Browser Profiles": "Browser profile"}
    detail = f"{noun.get(row.section, 'Task')} not found"
    assert (answer.status, answer.json) == (404, {"detail": detail})


async def test_an_unknown_output_file_is_not_found(caller):
    """The task exists, and the file does not."""
    answer = await caller.get(f"/task/{await caller.create()}/output-file/missing.txt")

    assert (answer.status, answer.json) == (404, {"detail": "File not found"})


async def test_the_server_counts_what_it_receives(caller):
    """By operation, and everything else as unrouted; refused requests are counted too."""
    await caller.create()
    await caller.create()
    await caller.get("/tasks", key=False)
    await caller.get("/nothing")
    await caller.ask("PATCH", "/tasks")
    await caller.get("/task/a%2Fb")

    assert caller.server.requests == {"run_task": 2, "list_tasks": 1, "unrouted": 3}
    assert caller.server.tasks_created == 2
