"""A creating call that is repeated with its key."""

import asyncio
from typing import Any

import aiohttp
import pytest

from browser_use_async.server import LocalServer
from tests.server.calling import Answer, Caller

SCHEDULE = {
    "task": "Look", "schedule_type": "interval", "interval_minutes": 525_600,
    "start_at": "2099-01-01T00:00:00Z", "end_at": "2100-01-01T00:00:00Z",
}  # fmt: skip
CALLS = {
    "/run-task": {"task": "Pay invoice 7"},
    "/scheduled-task": SCHEDULE,
    "/browser-profiles": {"profile_name": "Shop"},
}
OF_KEYS = ("Idempotency-Key", "Idempotency-Key-Supported", "Idempotency-Replayed")


async def _submit(
    caller: Caller, key: str | None = '"invoice-7"', path: str = "/run-task", **fields: Any
) -> Answer:
    headers = {} if key is None else {"Idempotency-Key": key}
    return await caller.post(path, json={**CALLS[path], **fields}, headers=headers)


def _of_keys(answer: Answer) -> list[str | None]:
    return [answer.headers.get(name) for name in OF_KEYS]


async def _counts(caller: Caller) -> list[int]:
    """How many tasks, schedules and profiles there are."""
    pages = [await caller.get(each) for each in ("/tasks", "/scheduled-tasks", "/browser-profiles")]
    return [each.json["total_count"] for each in pages]


async def _tasks(caller: Caller) -> Any:
    return (await caller.get("/tasks")).json["total_count"]


@pytest.mark.parametrize("path", CALLS)
async def test_a_repeat_is_answered_as_before(path, restart):
    """The same bytes, marked as a replay; nothing is created or paid for, also not later."""
    caller = await restart()
    first = await _submit(caller, path=path)
    counts = await _counts(caller)
    again = await _submit(caller, path=path)
    restarted = await restart()
    later = await _submit(restarted, path=path)

    assert [each.status for each in (first, again, later)] == [200] * 3
    assert first.body == again.body == later.body
    assert _of_keys(first) == ['"invoice-7"', "?1", None]
    assert _of_keys(again) == _of_keys(later) == ['"invoice-7"', "?1", "?1"]
    assert await _counts(restarted) == counts


async def test_calls_and_owners_have_keys_of_their_own(restart):
    """The same key is another one in another call, and for another owner."""
    caller = await restart()
    other = await caller.with_new_key("shop")
    answers = [await _submit(caller, path=path) for path in CALLS]
    answers.append(await _submit(other))

    assert [each.headers.get("Idempotency-Replayed") for each in answers] == [None] * 4
    assert await _tasks(caller) == await _tasks(other) == 1


async def test_requests_that_say_the_same_are_equal(restart):
    """A published default may be missing, null is no value, and the SDK's pairs are ignored."""
    caller = await restart()
    first = await _submit(caller, metadata={"team": "a", "bu_async.token": "1"})
    equal = [
        {"max_agent_steps": 75, "llm_model": "gpt-4.1", "save_browser_data": False},
        {"max_agent_steps": "75", "secrets": {}, "use_proxy": None, "structured_output_json": "{}"},
        {"highlight_elements": True, "enable_public_share": "no", "included_file_names": []},
    ]
    answers = [
        await _submit(caller, metadata={"bu_async.token": "2", "team": "a"}, **fields)
        for fields in equal
    ]

    assert {each.body for each in answers} == {first.body}


async def test_another_value_of_a_secret_is_the_same_request(restart):
    """The server keeps nothing from which a value could be guessed, also after a restart."""
    caller = await restart()
    first = await _submit(caller, secrets={"p": "hunter2", "q": "swordfish"})
    again = await _submit(caller, secrets={"q": "swordfish", "p": "hunter3"})
    restarted = await restart()
    later = await _submit(restarted, secrets={"p": "hunter4", "q": "x"})

    assert first.body == again.body == later.body
    assert await _tasks(restarted) == 1


@pytest.mark.parametrize(
    ("path", "first", "other", "names"),
    [
        ("/run-task", {}, {"task": "Pay invoice 8"}, "task"),
        ("/run-task", {"max_agent_steps": 9}, {"llm_model": "o3"}, "llm_model max_agent_steps"),
        ("/run-task", {"metadata": {"a": "1"}}, {"metadata": {"a": "2"}}, "metadata"),
        ("/run-task", {"secrets": {"p": "hunter2"}}, {"secrets": {"q": "hunter2"}}, "secrets"),
        ("/scheduled-task", {}, {"interval_minutes": 525_599}, "interval_minutes"),
        ("/browser-profiles", {"description": "x"}, {"proxy": False}, "description proxy"),
    ],
)
async def test_another_request_is_refused(path, first, other, names, restart):
    """With the id of what was created, and the names of differing fields, but no value."""
    caller = await restart()
    created = await _submit(caller, path=path, **first)
    refused = await _submit(caller, path=path, **other)
    again = await _submit(caller, path=path, **first)

    problem = refused.problem
    identity = created.json.get("id") or created.json.get("profile_id")
    assert (problem["type"], problem["loc"]) == (
        "idempotency_key_conflict",
        ["header", "Idempotency-Key"],
    )
    assert problem["ctx"] == {"id": identity, "fields": names.split()}
    assert identity in problem["msg"]
    said = refused.text.replace(identity, "")
    assert not [each for each in ("Pay", "gpt", "hunter", "525", "False") if each in said]
    assert _of_keys(refused) == ['"invoice-7"', "?1", None]
    assert again.body == created.body


@pytest.mark.parametrize(
    "header",
    ["", '""', '"', '"a', '"a\\b"', "a b", f'"{"x" * 256}"', '%"a%0ab"', '%"%ff"', "grün", '"\t"'],
)
async def test_what_is_no_key_is_refused(header, caller):
    """With the rule, and before anything is created."""
    refused = await _submit(caller, header)

    assert (refused.problem["type"], refused.problem["loc"]) == (
        "idempotency_key_invalid",
        ["header", "Idempotency-Key"],
    )
    assert "1 to 255 printable characters" in refused.problem["msg"]
    assert refused.problem["input"] is None
    assert await _tasks(caller) == 0


async def test_two_headers_are_refused(caller):
    """It is unknown which of them is meant."""
    headers = [("Idempotency-Key", '"a"'), ("Idempotency-Key", '"b"')]
    async with (
        aiohttp.ClientSession() as http,
        http.post(
            caller.server.base_url + "/run-task",
            json=CALLS["/run-task"],
            headers=[*headers, ("Authorization", f"Bearer {caller.api_key}")],
        ) as answer,
    ):
        problem = (await answer.json())["detail"][0]

    assert (answer.status, problem["type"]) == (422, "idempotency_key_invalid")
    assert await _tasks(caller) == 0


async def test_a_key_has_several_spellings(caller):
    """A token without quotes, as other clients send it, and a display string are the same text."""
    answers = [await _submit(caller, key) for key in ("a7", '"a7"', '%"a7"')]
    foreign = [await _submit(caller, key) for key in ('%"gr%c3%bcn"', '%"gr%c3%bcn"')]

    assert len({each.body for each in answers}) == len({each.body for each in foreign}) == 1
    assert [each.headers["Idempotency-Key"] for each in answers] == ["a7", '"a7"', '%"a7"']


@pytest.mark.long
async def test_two_hundred_at_once_create_one_task(restart):
    """One is executed, and the others wait for it."""
    caller = await restart()
    answers = await asyncio.gather(*(_submit(caller) for _ in range(200)))

    assert {each.status for each in answers} == {200}
    assert len({each.body for each in answers}) == 1
    assert sum("Idempotency-Replayed" not in each.headers for each in answers) == 1
    assert await _tasks(caller) == 1


async def test_a_repeat_is_never_refused(restart):
    """Neither while all slots are in use, nor without credit."""
    caller = await restart(max_concurrent_tasks=1, balance_cents=1)
    first = await _submit(caller, task="hangs")
    full = await _submit(caller, '"other"', task="hangs")
    again = await _submit(caller, task="hangs")

    assert full.status == 402
    assert _of_keys(full) == ['"other"', "?1", None]
    assert first.body == again.body


async def test_a_repeat_while_slots_are_full(restart):
    """It needs no slot."""
    caller = await restart(max_concurrent_tasks=1)
    answers = [await _submit(caller, task="hangs") for _ in range(3)]
    full = await _submit(caller, '"other"', task="hangs")

    assert full.status == 429
    assert len({each.body for each in answers}) == 1


async def test_a_refused_call_leaves_its_key_free(restart):
    """Its transaction was rolled back, or did not begin."""
    caller = await restart(max_concurrent_tasks=1)
    running = await _submit(caller, '"running"', task="hangs")
    refused = [await _submit(caller), await _submit(caller, included_file_names=["none.txt"])]
    await caller.put(f"/stop-task?task_id={running.json['id']}")
    created = await _submit(caller)

    assert [each.status for each in refused] == [429, 422]
    assert created.status == 200
    assert _of_keys(created) == ['"invoice-7"', "?1", None]


@pytest.mark.parametrize("path", ["/scheduled-task", "/browser-profiles"])
async def test_a_key_goes_with_what_it_has_created(path, restart):
    """After a deletion the same call creates something new."""
    caller = await restart()
    first = (await _submit(caller, path=path)).json
    identity = first.get("id") or first["profile_id"]
    await caller.ask("DELETE", f"{path}/{identity}")
    second = await _submit(caller, path=path)

    assert second.status == 200
    assert second.json != first


async def test_a_profile_is_answered_as_it_was_created(restart):
    """This is so also where it was changed later."""
    caller = await restart()
    first = await _submit(caller, path="/browser-profiles")
    path = f"/browser-profiles/{first.json['profile_id']}"
    await caller.put(path, json={"profile_name": "Bank"})
    again = await _submit(caller, path="/browser-profiles")

    assert again.body == first.body


async def test_the_list_says_that_keys_are_kept(caller):
    """It echoes a key, which has no other effect there; other calls do not announce keys."""
    plain = await caller.get("/tasks")
    asked = await caller.get("/tasks", headers={"Idempotency-Key": '"a"'})
    odd = await caller.get("/tasks", headers={"Idempotency-Key": "grün"})
    other = await caller.get("/balance", headers={"Idempotency-Key": '"a"'})

    assert _of_keys(plain) == _of_keys(odd) == [None, "?1", None]
    assert _of_keys(asked) == ['"a"', "?1", None]
    assert _of_keys(other) == [None] * 3
    assert {each.status for each in (plain, asked, odd, other)} == {200}


@pytest.mark.parametrize("path", CALLS)
async def test_without_a_key_nothing_is_the_same(path, caller):
    """Each call creates something."""
    answers = [await _submit(caller, None, path) for _ in range(2)]

    assert [_of_keys(each) for each in answers] == [[None, "?1", None]] * 2
    assert answers[0].body != answers[1].body


async def test_a_server_without_keys(http):
    """It ignores the header, as other servers of v1 do."""
    async with LocalServer(executor="scripted", submission_keys=False) as server:
        caller = Caller(server, http)
        answers = [await _submit(caller, key) for key in ('"a"', '"a"', "")]
        page = await caller.get("/tasks", headers={"Idempotency-Key": '"a"'})

    assert len({each.body for each in answers}) == 3
    assert [_of_keys(each) for each in (*answers, page)] == [[None] * 3] * 4
