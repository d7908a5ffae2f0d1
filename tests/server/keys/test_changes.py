"""A key that is changed: its name, scopes and limits, while programs go on using it."""

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.server.calling import Answer, Caller


async def _listed(api: Caller, name: str) -> dict[str, Any]:
    keys = (await api.get(f"{api.server.url}/admin/keys")).json["keys"]
    (found,) = [each for each in keys if each["name"] == name]
    return dict(found)


async def _change(api: Caller, key_id: str, **fields: Any) -> Answer:
    return await api.ask("PATCH", f"{api.server.url}/admin/keys/{key_id}", json=fields)


async def test_scopes_and_limits_change_and_the_rest_stays(api: Caller):
    """From the next request on; what is left out is as it was, and null takes a limit away."""
    shop = await api.with_new_key("shop", scopes=["run", "read"], budget_cents=100, concurrency=3)
    key_id = (await _listed(api, "shop"))["id"]
    before = (await shop.post("/run-task", json={"task": "Do it"})).status
    narrowed = await _change(api, key_id, scopes=["read"], concurrency=None)
    after = await shop.post("/run-task", json={"task": "Do it"})
    limits = await _listed(api, "shop")
    await _change(api, key_id, budget_cents="0.5", concurrency=7)
    changed = await _listed(api, "shop")

    assert (before, after.status) == (200, 403)
    assert (narrowed.status, narrowed.json["scopes"]) == (200, ["read"])
    assert (limits["budget_cents"], limits["concurrency"]) == ("100", None)
    assert (changed["budget_cents"], changed["concurrency"]) == ("0.5", 7)
    assert changed["scopes"] == ["read"]


async def test_another_name_opens_what_is_of_that_name(api: Caller):
    """And nothing of the former one, whose tasks at work get other links."""
    shop = await api.with_new_key("shop")
    task_id = await shop.create(metadata={"scenario": "hangs"})
    before = (await shop.task(task_id))["live_url"]
    key_id = (await _listed(api, "shop"))["id"]
    token = api.stored(task_id).live_token
    renamed = await _change(api, key_id, name="store")
    gone = await shop.get(f"/task/{task_id}")

    assert before
    assert (renamed.json["name"], renamed.json["was"]) == ("store", "shop")
    assert gone.status == 404
    assert (await shop.get("/me")).status == 200
    assert api.stored(task_id).live_token != token


async def test_two_keys_of_a_name_leave_no_room_for_a_third(api: Caller):
    """Also for one that gets the name."""
    for name in ("shop", "shop", "store"):
        await api.with_new_key(name)
    refused = await _change(api, (await _listed(api, "store"))["id"], name="shop")

    assert (refused.status, "two valid keys" in refused.text) == (422, True)
    assert (await _listed(api, "store"))["is_valid"]


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({}, "some of"),
        ({"colour": "red"}, "some of"),
        ({"expires_in_days": 3}, "some of"),
        ({"name": "a b"}, "the name of a key"),
        ({"name": None}, "cannot be null"),
        ({"scopes": []}, "scopes are one or more"),
        ({"scopes": "read"}, "a list of names"),
        ({"budget_cents": -1}, "budget_cents"),
        ({"concurrency": 0}, "concurrency"),
    ],
)
async def test_what_is_refused(fields: dict[str, Any], named: str, api: Caller):
    """As for a new key: nothing has changed then."""
    await api.with_new_key("shop", budget_cents=5)
    before = await _listed(api, "shop")
    refused = await _change(api, before["id"], **fields)

    assert (refused.status, named in refused.text) == (422, True), refused.text
    assert await _listed(api, "shop") == before


async def test_a_revoked_key_and_none_at_all_are_not_changed(api: Caller):
    """A revoked one opens nothing, whatever its scopes."""
    shop = await api.with_new_key("shop")
    key_id = (await _listed(api, "shop"))["id"]
    await api.ask("DELETE", f"{api.server.url}/admin/keys/{key_id}")
    revoked = await _change(api, key_id, scopes=["admin"])
    unknown = await _change(api, "nothing", scopes=["read"])

    assert (revoked.status, "opens nothing any more" in revoked.text) == (422, True)
    assert (unknown.status, "no API key with this id" in unknown.text) == (404, True)
    assert (await shop.get("/me")).status == 401


async def test_the_trail_has_it_without_a_value(api: Caller):
    """Who changed which key, and when."""
    await api.with_new_key("shop")
    key_id = (await _listed(api, "shop"))["id"]
    begun = datetime.now(UTC)
    await _change(api, key_id, name="renamed-shop", budget_cents=4711)
    audit = await api.get(f"{api.server.url}/admin/audit?latest=1")
    (entry,) = audit.json["entries"]

    assert (entry["call"], entry["subject"], entry["name"]) == (
        "admin_change_key",
        key_id,
        "default",
    )
    assert datetime.fromisoformat(entry["at"]) >= begun.replace(microsecond=0)
    assert "4711" not in audit.text
    assert "renamed-shop" not in audit.text
