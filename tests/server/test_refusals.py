"""The refusals of the server, in the words of the service's framework."""

import io
import json
import logging
from typing import Any

import pytest

from browser_use_async.api.endpoint_table import ENDPOINTS, ME
from browser_use_async.server import LocalServer
from browser_use_async.server.storage.account import Account
from tests.server.steering import FromQueue

_LOCKED = [row for row in ENDPOINTS if row.authenticated]


# --- the key ------------------------------------------------------------------------------


@pytest.mark.parametrize("row", _LOCKED, ids=lambda row: row.name)
async def test_every_row_but_ping_needs_a_key(row, caller):
    """Without a header no other part is read, not even the body."""
    path = row.path.format(task_id="t", file_name="f", profile_id="p")
    answer = await caller.ask(row.method, path, key=False)

    detail = {"detail": "Not authenticated"}
    assert (answer.status, answer.json) == (403, False if row is ME else detail)


@pytest.mark.parametrize(
    ("header", "detail"),
    [
        ("", "Not authenticated"),
        ("Bearer", "Not authenticated"),
        ("Bearer   ", "Not authenticated"),
        ("Basic dTpw", "Invalid authentication credentials"),
        ("Token KEY", "Invalid authentication credentials"),
    ],
)
async def test_other_headers_are_forbidden(header, detail, caller):
    """403, as FastAPI's HTTPBearer answered in 2025."""
    answer = await caller.get("/tasks", headers={"Authorization": header})

    assert (answer.status, answer.json) == (403, {"detail": detail})


@pytest.mark.parametrize("wrong", ["bu_wrong", "ümlaut", "{key}x", "x{key}", "{key} x"])
async def test_a_wrong_key_is_unauthorized(wrong, caller):
    """401, whatever the key looks like."""
    header = "Bearer " + wrong.format(key=caller.server.api_key)
    answer = await caller.get("/tasks", headers={"Authorization": header})

    assert (answer.status, answer.json) == (401, {"detail": "Invalid API key"})


async def test_me_answers_false_to_a_wrong_key(caller):
    """The documentation has 401 with a bare `false`, also without a key."""
    wrong = await caller.get("/me", headers={"Authorization": "Bearer bu_wrong"})
    missing = await caller.get("/me", key=False)

    assert (wrong.status, wrong.body) == (401, b"false")
    assert (missing.status, missing.body) == (403, b"false")


async def test_the_scheme_is_not_case_sensitive(caller):
    """Some clients write `bearer`."""
    headers = {"Authorization": f"bearer {caller.server.api_key}"}

    assert (await caller.get("/me", headers=headers)).body == b"true"


# --- bodies -------------------------------------------------------------------------------


async def test_a_missing_task_is_missing(caller):
    """The input is the whole body."""
    answer = await caller.post("/run-task", json={"llm_model": "o3"})

    assert answer.json == {
        "detail": [
            {
                "type": "missing",
                "loc": ["body", "task"],
                "msg": "Field required",
                "input": {"llm_model": "o3"},
            }
        ]
    }


@pytest.mark.parametrize(
    ("field", "value", "kind", "place"),
    [
        ("task", 5, "string_type", []),
        ("task", None, "string_type", []),
        ("task", " ", "string_too_short", []),
        ("llm_model", "gpt-9", "enum", []),
        ("proxy_country_code", "xx", "enum", []),
        ("max_agent_steps", 201, "less_than_equal", []),
        ("max_agent_steps", 0, "greater_than_equal", []),
        ("max_agent_steps", "many", "int_parsing", []),
        ("max_agent_steps", 1.5, "int_from_float", []),
        ("use_proxy", "maybe", "bool_parsing", []),
        ("use_proxy", [], "bool_type", []),
        ("allowed_domains", "example.com", "list_type", []),
        ("allowed_domains", ["a.com", 1], "string_type", [1]),
        ("metadata", {"key": 1}, "string_type", ["key"]),
        ("metadata", {str(number): "" for number in range(11)}, "too_long", []),
        ("metadata", {"key": "v" * 1001}, "string_too_long", ["key"]),
        ("metadata", {"": "value"}, "string_too_short", ["", "[key]"]),
        ("metadata", {"k" * 101: "value"}, "string_too_long", ["k" * 100, "[key]"]),
        ("secrets", ["a"], "dict_type", []),
        ("structured_output_json", "{", "value_error", []),
        ("structured_output_json", '{"type": "objekt"}', "value_error", []),
        ("allowed_domains", ["a.com", "not a domain"], "value_error", [1]),
        ("allowed_domains", [f"{'a' * 200}.com"] * 110, "value_error", []),
        ("included_file_names", ["missing.txt"], "value_error", []),
    ],
)
async def test_a_field_out_of_bounds(field, value, kind, place, caller):
    """Each rule of the specification applies to raw HTTP callers; the error has the place."""
    answer = await caller.post("/run-task", json={"task": "Do it", field: value})

    assert answer.problem["type"] == kind
    assert answer.problem["loc"] == ["body", field, *place]
    assert {"type", "loc", "msg", "input"} <= set(answer.problem) <= {
        "type", "loc", "msg", "input", "ctx",
    }  # fmt: skip
    assert caller.server.tasks_created == 0


async def test_all_problems_at_once(caller):
    """A person who corrects one need not try again to learn of the next."""
    answer = await caller.post("/run-task", json={"max_agent_steps": 999, "use_adblock": 7})

    assert [each["loc"][1] for each in answer.json["detail"]] == [
        "task",
        "use_adblock",
        "max_agent_steps",
    ]


async def test_figures_of_a_message_stand_in_ctx(caller):
    """Clients that translate messages need them."""
    answer = await caller.post("/run-task", json={"task": "t", "max_agent_steps": 999})

    assert answer.problem["ctx"] == {"le": 200}
    assert answer.problem["input"] == 999


@pytest.mark.parametrize(
    ("body", "place", "reason"),
    [
        (b'{"task": x', 9, "Expecting value"),
        (b'{"task": "a"', 12, "Expecting ',' delimiter"),
        (b"{'task': 1}", 1, "Expecting property name enclosed in double quotes"),
    ],
)
async def test_a_body_that_is_no_json(body, place, reason, caller):
    """The position is in the error, the text is not."""
    answer = await caller.post("/run-task", data=body, headers={"Content-Type": "application/json"})

    assert answer.problem == {
        "type": "json_invalid",
        "loc": ["body", place],
        "msg": "JSON decode error",
        "input": {},
        "ctx": {"error": reason},
    }


@pytest.mark.parametrize(
    "body",
    [
        b'{"task": "\xff"}',
        b'{"task": "\\ud800"}',
        b'{"task": "a", "task": "b"}',
        b'{"task": "a", "max_agent_steps": NaN}',
        b"[" * 100_000,
        b'{"max_agent_steps": ' + b"9" * 5000 + b"}",
    ],
    ids=["not UTF-8", "half pair", "same key twice", "NaN", "too deep", "too many digits"],
)
async def test_a_body_that_cannot_be_read(body, caller):
    """Hostile JSON is an error of the client, and not a crash."""
    answer = await caller.post("/run-task", data=body, headers={"Content-Type": "application/json"})

    assert answer.status in {400, 422}
    if answer.status == 400:
        assert answer.json == {"detail": "There was an error parsing the body"}


@pytest.mark.parametrize("body", [b"", b"null"])
async def test_no_body(body, caller):
    """An empty body and null are the same for the service."""
    answer = await caller.post("/run-task", data=body, headers={"Content-Type": "application/json"})

    assert answer.problem == {
        "type": "missing",
        "loc": ["body"],
        "msg": "Field required",
        "input": None,
    }


@pytest.mark.parametrize("body", [[], "text", 5, True])
async def test_a_body_that_is_no_object(body, caller):
    """It is JSON of another type."""
    answer = await caller.post("/run-task", json=body)

    assert answer.problem == {
        "type": "model_attributes_type",
        "loc": ["body"],
        "msg": "Input should be a valid dictionary or object to extract fields from",
        "input": body,
    }


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "json"])
async def test_json_under_another_content_type(kind, caller):
    """The service's framework does not parse it, so it is a text."""
    answer = await caller.post("/run-task", data=b'{"task": "t"}', headers={"Content-Type": kind})

    assert answer.problem["type"] == "model_attributes_type"
    assert answer.problem["input"] == '{"task": "t"}'


@pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "application/problem+json"])
async def test_json_under_its_content_types(kind, caller):
    """Parameters and suffixes do not matter."""
    answer = await caller.post("/run-task", data=b'{"task": "t"}', headers={"Content-Type": kind})

    assert answer.status == 200


async def test_json_without_a_content_type(http, caller):
    """Clients without the header send JSON."""
    async with http.post(
        f"{caller.server.base_url}/run-task",
        data=b'{"task": "t"}',
        headers={"Authorization": f"Bearer {caller.server.api_key}"},
        skip_auto_headers=["Content-Type"],
    ) as response:
        assert response.status == 200


async def test_unknown_fields_and_nulls_are_accepted(caller):
    """Real clients send both."""
    nulls = dict.fromkeys(
        (
            "secrets allowed_domains save_browser_data structured_output_json llm_model "
            "highlight_elements included_file_names max_agent_steps enable_public_share "
            "browser_profile_id use_adblock use_proxy proxy_country_code metadata "
            "browser_viewport_width browser_viewport_height"
        ).split()
    )
    answer = await caller.post("/run-task", json={"task": "t", "enable_recordings": True, **nulls})

    assert answer.status == 200
    task = await caller.task(answer.json["id"])
    assert (task["metadata"], task["public_share_url"]) == ({}, None)


async def test_a_body_that_is_too_large(caller):
    """The limit is 1 MiB; a body just below it is accepted."""
    room = 1024 * 1024 - len(json.dumps({"task": "x", "unknown": ""}))
    kind = {"Content-Type": "application/json"}
    bodies = [
        json.dumps({"task": "x", "unknown": "x" * length}).encode()
        for length in (room - 1, room + 10)
    ]
    # As streams, because aiohttp's client warns about large bodies in one piece.
    fits, too_large = [
        await caller.post("/run-task", data=io.BytesIO(body), headers=kind) for body in bodies
    ]

    assert fits.status == 200
    assert too_large.status == 413
    assert too_large.json == {"detail": "The body has more than 1048576 bytes"}


_MANY = {"list of few", "two lists", "names"}
BOMBS: dict[str, dict[str, Any]] = {
    "list": {"task": "x", "allowed_domains": [1] * 340_000},
    "list of few": {"task": "x", "allowed_domains": [1] * 1000},
    "two lists": {"task": "x", "allowed_domains": [1] * 99, "included_file_names": [1] * 99},
    "missing": {"unknown": "x" * 900_000},
    "unknown": {str(number): "x" * 10 for number in range(40_000)},
    "names": {"task": "x", "secrets": {str(number) * 5: 1 for number in range(20_000)}},
    "text": {"task": ["x" * 900_000]},
    "no object": {"0": ["x"] * 200_000},
}


@pytest.mark.parametrize("name", BOMBS)
async def test_a_refusal_is_bounded(name, caller, record_property):
    """For any body: at most 100 problems and a remark, of 1,000 characters each."""
    body = json.dumps(BOMBS[name]["0"] if name == "no object" else BOMBS[name]).encode()
    kind = {"Content-Type": "application/json"}
    answer = await caller.post("/run-task", data=io.BytesIO(body), headers=kind)
    record_property("bytes", len(answer.body))

    problems = answer.json["detail"]
    assert answer.status == 422
    assert len(answer.body) < 150_000
    assert len(problems) <= 101
    assert all(len(str(each["input"])) <= 1001 for each in problems)
    assert (problems[-1]["type"] == "too_many_problems") == (name in _MANY)


async def test_a_bound_that_is_exceeded_is_named(caller):
    """A list that is too long, more problems than are listed, and an input that is cut."""
    long = await caller.post(
        "/run-task", json={"task": "x", "allowed_domains": ["a.example"] * 1001}
    )
    many = await caller.post("/run-task", json=BOMBS["two lists"])
    cut = await caller.post("/run-task", json={"unknown": "x" * 2000})

    assert long.problem["msg"] == "List should have at most 1000 items after validation, not 1001"
    assert long.problem["ctx"]["max_length"] == 1000
    last = many.json["detail"][-1]
    assert (last["loc"], last["msg"]) == (
        [],
        "There are more problems; these are the first 100",
    )
    assert cut.problem["input"] == '{"unknown":"' + "x" * 988 + "…"


# --- query and path -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "field", "kind"),
    [
        ("page=0", "page", "greater_than_equal"),
        ("limit=0", "limit", "greater_than_equal"),
        ("page=x", "page", "int_parsing"),
        ("limit=", "limit", "int_parsing"),
        ("page=-1", "page", "greater_than_equal"),
    ],
)
async def test_a_query_out_of_bounds(query, field, kind, caller):
    """The input is the given text."""
    answer = await caller.get(f"/tasks?{query}")

    assert answer.problem["type"] == kind
    assert answer.problem["loc"] == ["query", field]
    assert answer.problem["input"] == query.partition("=")[2]


@pytest.mark.parametrize("call", ["stop", "pause", "resume"])
async def test_a_missing_task_id(call, caller):
    """It must be in the query; a body does not help."""
    answer = await caller.put(f"/{call}-task", json={"task_id": "t"})

    assert answer.problem == {
        "type": "missing",
        "loc": ["query", "task_id"],
        "msg": "Field required",
        "input": None,
    }


async def test_of_a_repeated_parameter_the_last_one_counts(caller):
    """As the service's framework does."""
    answer = await caller.get("/tasks?page=7&page=1&limit=x&limit=3")

    assert (answer.json["page"], answer.json["limit"]) == (1, 3)


@pytest.mark.parametrize("path", ["/", "/nothing", "/task", "/tasks/", "/task/a/b/c"])
async def test_an_unknown_path(path, caller):
    """With or without a key."""
    answers = [await caller.get(path), await caller.get(path, key=False)]

    assert {answer.status for answer in answers} == {404}
    assert answers[0].json == {"detail": "Not Found"}


@pytest.mark.parametrize(("method", "path", "allowed"), [
    ("POST", "/tasks", "GET"),
    ("GET", "/run-task", "POST"),
    ("DELETE", "/task/t", "GET"),
    ("POST", "/stop-task", "PUT"),
])  # fmt: skip
async def test_a_wrong_method(method, path, allowed, caller):
    """The right ones are in the Allow header."""
    answer = await caller.ask(method, path)

    assert (answer.status, answer.json) == (405, {"detail": "Method Not Allowed"})
    assert answer.headers["Allow"] == allowed


@pytest.mark.parametrize(
    "path",
    [
        "/task/a%2Fb",
        "/task/a%2fb/status",
        "/task/{id}/output-file/a/b.txt",
        "/task/{id}/output-file/a%2Fb.txt",
        "/task/{id}/output-file/%2e%2e%2fetc",
    ],
)
async def test_a_slash_in_a_parameter_is_not_found(path, caller):
    """Raw or escaped, as in the service's framework."""
    answer = await caller.get(path.format(id=await caller.create()))

    assert (answer.status, answer.json) == (404, {"detail": "Not Found"})


async def test_a_crash_is_a_plain_500_and_is_logged_without_its_values(caller, monkeypatch, caplog):
    """The server continues, and the log has the place of the crash, but no values."""
    password = "hunter22"

    def crash(_account: object) -> None:
        raise RuntimeError(f"the password is {password}")

    monkeypatch.setattr(Account, "balance_cents", crash)
    with caplog.at_level(logging.DEBUG):
        async with LocalServer(executor=FromQueue(), api_key=caller.server.api_key) as server:
            answer = await caller.get(f"{server.base_url}/balance")
            alive = await caller.get(f"{server.base_url}/ping")

    assert (answer.status, answer.body) == (500, b"Internal Server Error")
    assert answer.headers["Content-Type"].startswith("text/plain")
    assert alive.status == 200
    assert "RuntimeError" in caplog.text
    assert password not in caplog.text
    assert caller.server.api_key not in caplog.text
