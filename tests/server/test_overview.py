"""What the application asks beside the API: whose tasks it tells of, and how they are sought."""

import pytest

from tests.server.calling import Caller


async def _ids(api: Caller, query: str = "") -> list[str]:
    answer = await api.get(f"{api.server.url}/admin/overview{query}")
    assert answer.status == 200, answer.text
    return [each["id"] for each in answer.json["tasks"]]


async def test_pages_follow_one_another_by_position(api: Caller):
    """Newest first, and no row twice or left out when a task comes meanwhile."""
    ids = [await api.create(f"Task {number}") for number in range(5)]
    first = (await api.get(f"{api.server.url}/admin/overview?limit=2")).json
    await api.create("Another")
    second = (await api.get(f"{api.server.url}/admin/overview?limit=2&before={first['next']}")).json
    last = (await api.get(f"{api.server.url}/admin/overview?limit=2&before={second['next']}")).json

    seen = [each["id"] for page in (first, second, last) for each in page["tasks"]]
    assert seen == ids[::-1]
    assert last["next"] is None
    assert first["count"] == 5


@pytest.mark.parametrize("text", ["100%", "a_b", "It's", "!", "' OR 1=1 --"])
async def test_a_text_is_sought_as_it_is(text: str, api: Caller):
    """No sign of it means something else to the database."""
    found = await api.create(f"Read {text} of it")
    await api.create("Read 100 of axb")

    assert await _ids_of(api, text) == [found]


async def _ids_of(api: Caller, text: str) -> list[str]:
    answer = await api.get(f"{api.server.url}/admin/overview", params={"text": text})
    return [each["id"] for each in answer.json["tasks"]]


async def test_nobody_sees_the_tasks_of_others(api: Caller):
    """Neither in the list nor by id; secrets and live links are told to nobody."""
    mine = await api.create("Mine", secrets={"pin": "s3cret-pin"})
    other = await api.with_new_key("other")
    shown = await api.get(f"{api.server.url}/admin/overview/{mine}")
    listed = await api.get(f"{api.server.url}/admin/overview")
    me = (await other.get(f"{api.server.url}/admin/key")).json

    assert await _ids(api) == [mine]
    assert await _ids(other) == []
    assert (await other.get(f"{api.server.url}/admin/overview/{mine}")).status == 404
    assert shown.json["request"]["task"] == "Mine"
    assert "s3cret" not in shown.text + listed.text
    assert "/live/" not in shown.text + listed.text
    assert (me["name"], me["scopes"]) == ("other", ["read", "run", "steer"])


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=1001", "limit=x", "before=-1", "status=done", "text=" + "x" * 1001]
)
async def test_what_cannot_be_sought_is_refused(query: str, api: Caller):
    """With 422 and a word on what is wrong."""
    answer = await api.get(f"{api.server.url}/admin/overview?{query}")

    assert answer.status == 422
    assert query.partition("=")[0] in answer.json["detail"]


async def test_an_unknown_delivery_is_not_sent_again(api: Caller):
    """What does not exist, or is another owner's, is not found."""
    answer = await api.post(f"{api.server.url}/admin/deliveries/nothing/again")

    assert answer.status == 404
