"""Browser profiles and their cookies."""

from collections.abc import Mapping
from typing import Any

import pytest

from browser_use_async.server.records import Finished
from tests.server.calling import Caller
from tests.server.steering import FromQueue

COOKIE: Mapping[str, Any] = {"name": "session", "value": "1", "domain": "a.example", "path": "/"}


async def _run(caller: Caller, queue: FromQueue, **fields: Any) -> tuple[Mapping[str, Any], ...]:
    """Run a task that leaves a cookie; the cookies that it began with."""
    queue.items.put_nowait(Finished("Done", cookies=[COOKIE]))
    await caller.reached(await caller.create(**fields), "finished")
    return tuple(queue.assignments[-1].cookies)


async def test_there_is_a_profile_from_the_beginning(caller):
    """It is used by tasks that name none."""
    page = (await caller.get("/browser-profiles")).json

    assert page["total_count"] == 1
    assert page["profiles"][0]["profile_name"] == "Default"


async def test_a_profile_takes_the_published_defaults(caller):
    """The country is lower case on output, whatever the input is."""
    answer = await caller.post(
        "/browser-profiles", json={"profile_name": "Work", "proxy_country_code": "DE"}
    )
    profile = answer.json

    assert profile.pop("profile_id")
    assert profile == {
        "profile_name": "Work",
        "description": "",
        "persist": True,
        "ad_blocker": True,
        "proxy": True,
        "proxy_country_code": "de",
        "browser_viewport_width": 1280,
        "browser_viewport_height": 960,
    }


async def test_an_update_changes_exactly_what_it_names(caller):
    """Null changes nothing."""
    before = (await caller.post("/browser-profiles", json={"profile_name": "Work"})).json
    path = f"/browser-profiles/{before['profile_id']}"
    after = (await caller.put(path, json={"description": "mine", "proxy": None})).json

    assert after == {**before, "description": "mine"}
    assert (await caller.get(path)).json == after


async def test_a_deleted_profile_is_gone(caller):
    """The next call does not find it; deleting the last one creates a new default."""
    for profile in (await caller.get("/browser-profiles")).json["profiles"]:
        path = f"/browser-profiles/{profile['profile_id']}"
        assert (await caller.ask("DELETE", path)).body == b"{}"
        assert (await caller.get(path)).json == {"detail": "Browser profile not found"}
    await caller.reached(await caller.create(), "finished")

    assert (await caller.get("/browser-profiles")).json["total_count"] == 1


async def test_pages_are_in_order_of_creation(caller):
    """A limit above 100 is accepted; past the end there are no rows."""
    for number in range(4):
        await caller.post("/browser-profiles", json={"profile_name": f"P{number}"})
    whole = (await caller.get("/browser-profiles?limit=500")).json
    second = (await caller.get("/browser-profiles?limit=2&page=2")).json
    beyond = (await caller.get("/browser-profiles?limit=2&page=9")).json

    names = [profile["profile_name"] for profile in whole["profiles"]]
    assert names == ["Default", "P0", "P1", "P2", "P3"]
    assert (whole["limit"], whole["total_pages"], second["total_pages"]) == (500, 1, 3)
    assert [profile["profile_name"] for profile in second["profiles"]] == names[2:4]
    assert (beyond["profiles"], beyond["total_count"]) == ([], 5)


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"profile_name": ""}, "profile_name"),
        ({"profile_name": None}, "profile_name"),
        ({}, "profile_name"),
        ({"profile_name": "x", "proxy_country_code": "zz"}, "proxy_country_code"),
        ({"profile_name": "x", "browser_viewport_width": 0}, "browser_viewport_width"),
        ({"profile_name": "x", "persist": "perhaps"}, "persist"),
    ],
)
async def test_bad_profiles_are_refused(fields, place, caller):
    """Each gets a 422 that names the field, and nothing is stored."""
    answer = await caller.post("/browser-profiles", json=fields)

    assert answer.problem["loc"] == ["body", place]
    assert (await caller.get("/browser-profiles")).json["total_count"] == 1


async def test_an_unknown_profile_runs_nothing(caller):
    """The task is not created, and nothing is charged."""
    answer = await caller.post("/run-task", json={"task": "x", "browser_profile_id": "unknown"})

    assert (answer.status, answer.json) == (404, {"detail": "Browser profile not found"})
    assert caller.server.tasks_created == 0
    assert (await caller.get("/balance")).json == {"balance": "10000"}


async def test_a_profile_keeps_cookies_for_the_next_task(steered, queue):
    """If the task asked for it and the profile persists; deleting it deletes them."""
    profile = (await steered.post("/browser-profiles", json={"profile_name": "Work"})).json
    chosen = {"browser_profile_id": profile["profile_id"]}

    assert await _run(steered, queue, **chosen) == ()
    assert await _run(steered, queue, save_browser_data=True, **chosen) == ()
    assert await _run(steered, queue, **chosen) == (COOKIE,)
    assert await _run(steered, queue) == ()
    await steered.put(f"/browser-profiles/{profile['profile_id']}", json={"persist": False})
    assert await _run(steered, queue, save_browser_data=True, **chosen) == ()
    assert await _run(steered, queue, **chosen) == ()
