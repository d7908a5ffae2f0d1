from typing import Any

import attrs
import pytest

from browser_use_async.api.validation import Problem, validate
from browser_use_async.server.app.coercion import coerced
from browser_use_async.types import (
    PageQuery,
    RunTaskRequest,
    TaskFile,
    TaskId,
)

CANARY = "canary-4711"
CLIENT, SERVER = None, coerced  # what changes values before they are checked
BOTH = pytest.mark.parametrize("mode", [CLIENT, SERVER], ids=["client", "server"])


def _problems(mode: Any, **fields: Any) -> list[Problem]:
    return validate(RunTaskRequest, {"task": "Buy milk", **fields}, mode)[1]


def _problem(mode: Any, **fields: Any) -> Problem:
    (problem,) = _problems(mode, **fields)
    return problem


def _value(mode: Any, **fields: Any) -> Any:
    """The result of one accepted field."""
    values, problems = validate(RunTaskRequest, {"task": "Buy milk", **fields}, mode)
    assert problems == []
    return values[next(iter(fields))]


EVERYTHING: dict[str, Any] = {
    "task": "Buy milk",
    "secrets": {"password": "hunter2"},
    "allowed_domains": ["example.com"],
    "browser_profile_id": "p-1",
    "save_browser_data": True,
    "structured_output_json": '{"type": "object"}',
    "llm_model": "o3",
    "use_adblock": False,
    "use_proxy": True,
    "proxy_country_code": "de",
    "highlight_elements": False,
    "included_file_names": ["data.csv"],
    "browser_viewport_width": 800,
    "browser_viewport_height": 600,
    "max_agent_steps": 200,
    "enable_public_share": False,
    "metadata": {"team": "marketing"},
}


@BOTH
def test_a_good_request_is_unchanged(mode):
    """Values within their rules pass unchanged on both sides."""
    assert validate(RunTaskRequest, EVERYTHING, mode) == (EVERYTHING, [])


@BOTH
def test_what_is_not_given_stays_away(mode):
    """No default is added: the service reads missing fields from the browser profile."""
    assert validate(RunTaskRequest, {"task": "Buy milk"}, mode) == ({"task": "Buy milk"}, [])


@BOTH
def test_null_is_accepted_for_every_optional_field(mode):
    """Every field but `task` may be null."""
    nulls = dict.fromkeys(name for name in EVERYTHING if name != "task")

    values, problems = validate(RunTaskRequest, {"task": "Buy milk", **nulls}, mode)

    assert problems == []
    assert values == {"task": "Buy milk", **nulls}


@BOTH
def test_unknown_fields_are_ignored(mode):
    """The service ignores them; the session's own check for typing mistakes comes before this."""
    values, problems = validate(RunTaskRequest, {"task": "Buy milk", "enable": True}, mode)

    assert (values, problems) == ({"task": "Buy milk"}, [])


@BOTH
def test_all_problems_are_named_at_once(mode):
    """A caller can correct all mistakes at once."""
    _, problems = validate(
        RunTaskRequest, {"max_agent_steps": 201, "use_proxy": [], "metadata": {"": 5}}, mode
    )

    assert [(each.location, each.kind) for each in problems] == [
        (("task",), "missing"),
        (("use_proxy",), "bool_type"),
        (("max_agent_steps",), "less_than_equal"),
        (("metadata", "", "[key]"), "string_too_short"),
        (("metadata", ""), "string_type"),
    ]


@BOTH
@pytest.mark.parametrize("task", ["", " ", "\n\t "])
def test_an_empty_task_is_refused(mode, task):
    """An empty instruction is refused before it costs anything."""
    problem = _problem(mode, task=task)

    assert (problem.location, problem.kind) == (("task",), "string_too_short")
    assert problem.message == "String should have at least 1 character"


@BOTH
def test_a_task_is_not_null(mode):
    """The one required field cannot be null."""
    assert _problem(mode, task=None).kind == "string_type"


@BOTH
@pytest.mark.parametrize(
    ("fields", "kind", "context"),
    [
        ({"max_agent_steps": 0}, "greater_than_equal", {"ge": 1}),
        ({"max_agent_steps": -(10**30)}, "greater_than_equal", {"ge": 1}),
        ({"max_agent_steps": 201}, "less_than_equal", {"le": 200}),
        ({"browser_viewport_width": 0}, "greater_than_equal", {"ge": 1}),
        ({"browser_viewport_height": -1}, "greater_than_equal", {"ge": 1}),
        ({"browser_viewport_width": 2**63}, "int_parsing_size", {}),
        ({"metadata": {"k": "v" * 1001}}, "string_too_long", {"max_length": 1000}),
        ({"metadata": {"k" * 101: "v"}}, "string_too_long", {"max_length": 100}),
        ({"metadata": {"": "v"}}, "string_too_short", {"min_length": 1}),
        ({"metadata": {" ": "v"}}, "string_too_short", {"min_length": 1}),
        (
            {"metadata": {str(n): "" for n in range(11)}},
            "too_long",
            {"field_type": "Dictionary", "max_length": 10, "actual_length": 11},
        ),
    ],
)
def test_bounds(mode, fields, kind, context):
    """A value just outside a bound is refused on both sides, with the figure."""
    problem = _problem(mode, **fields)

    assert problem.location[0] == next(iter(fields))
    assert (problem.kind, problem.context) == (kind, context)


@BOTH
@pytest.mark.parametrize(
    "fields",
    [
        {"max_agent_steps": 1},
        {"max_agent_steps": 200},
        {"browser_viewport_width": 1},
        {"browser_viewport_height": 2**63 - 1},
        {"metadata": {"k" * 100: "v" * 1000}},
        {"metadata": {"k": ""}},
        {"metadata": {str(n): "" for n in range(10)}},
        {"metadata": {}},
        {"secrets": {str(n): "v" * 2000 for n in range(50)}},
        {"included_file_names": []},
        {"structured_output_json": "{}"},
        {"browser_profile_id": "😀"},
    ],
)
def test_just_within_bounds(mode, fields):
    """The last allowed value is accepted on both sides."""
    assert _value(mode, **fields) == next(iter(fields.values()))


@BOTH
@pytest.mark.parametrize(
    ("fields", "location", "kind"),
    [
        ({"task": 5}, ("task",), "string_type"),
        ({"task": "\ud83d"}, ("task",), "string_unicode"),
        ({"browser_profile_id": ["p"]}, ("browser_profile_id",), "string_type"),
        ({"max_agent_steps": []}, ("max_agent_steps",), "int_type"),
        ({"use_proxy": {}}, ("use_proxy",), "bool_type"),
        ({"allowed_domains": "example.com"}, ("allowed_domains",), "list_type"),
        ({"allowed_domains": b"example.com"}, ("allowed_domains",), "list_type"),
        ({"allowed_domains": {"a": "b"}}, ("allowed_domains",), "list_type"),
        ({"allowed_domains": ["a", 5]}, ("allowed_domains", 1), "string_type"),
        ({"allowed_domains": ["\ud83d"]}, ("allowed_domains", 0), "string_unicode"),
        ({"metadata": [["a", "b"]]}, ("metadata",), "dict_type"),
        ({"metadata": "a"}, ("metadata",), "dict_type"),
        ({"metadata": {"a": 5}}, ("metadata", "a"), "string_type"),
        ({"metadata": {"a": None}}, ("metadata", "a"), "string_type"),
        ({"metadata": {5: "a"}}, ("metadata", "5", "[key]"), "string_type"),
        ({"metadata": {"\udead": "a"}}, ("metadata", "\udead", "[key]"), "string_unicode"),
        ({"metadata": {"a": "\udead"}}, ("metadata", "a"), "string_unicode"),
        ({"secrets": {"a": 5}}, ("secrets", "a"), "string_type"),
        ({"structured_output_json": {}}, ("structured_output_json",), "string_type"),
        ({"structured_output_json": "{"}, ("structured_output_json",), "value_error"),
        ({"structured_output_json": "[]"}, ("structured_output_json",), "value_error"),
        ({"structured_output_json": "NaN"}, ("structured_output_json",), "value_error"),
    ],
)
def test_kinds(mode, fields, location, kind):
    """A value of the wrong JSON type is refused on both sides, at its exact place."""
    problem = _problem(mode, **fields)

    assert (problem.location, problem.kind) == (location, kind)


def test_a_long_key_is_shown_shortened():
    """The place of a problem does not repeat a key of a million characters."""
    assert len(str(_problem(SERVER, metadata={"k" * 1_000_000: "v"}).location)) < 200


# --- paths and queries ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, {}),
        ({"page": "2", "limit": "100"}, {"page": 2, "limit": 100}),
        ({"page": " +2 ", "limit": "1_0"}, {"page": 2, "limit": 10}),
        ({"page": "2.0"}, {"page": 2}),
    ],
)
def test_queries(given, expected):
    """The server converts query text as the service does, and adds no defaults."""
    assert validate(PageQuery, given, SERVER) == (expected, [])


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("0", "greater_than_equal"),
        ("-1", "greater_than_equal"),
        ("", "int_parsing"),
        ("--5", "int_parsing"),
        ("+-5", "int_parsing"),
        ("1__0", "int_parsing"),
        ("five", "int_parsing"),
        ("5.5", "int_parsing"),
        ("5e1", "int_parsing"),
        ("\u0665", "int_parsing"),
        ("9" * 30, "int_parsing_size"),
        ("9" * 5000, "int_parsing_size"),
        (None, "int_type"),
    ],
)
def test_hostile_queries(value, kind):
    """Invalid query texts are refused with the service's name for the problem."""
    (problem,) = validate(PageQuery, {"page": value}, SERVER)[1]

    assert (problem.location, problem.kind) == (("page",), kind)


@BOTH
@pytest.mark.parametrize("model", [TaskId, TaskFile])
def test_missing_parameters(mode, model):
    """Each missing parameter is named."""
    _, problems = validate(model, {}, mode)

    assert [each.location for each in problems] == [(f.name,) for f in attrs.fields(model)]
    assert {each.kind for each in problems} == {"missing"}


# --- secrets --------------------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize(
    "fields",
    [
        {"secrets": CANARY},
        {"secrets": [CANARY]},
        {"secrets": {"password": [CANARY]}},
        {"secrets": {"password": f"{CANARY}\ud83d"}},
        {"task": [CANARY]},
        {"max_agent_steps": [CANARY]},
        {"structured_output_json": CANARY},
        {"metadata": {"a": CANARY * 100}},
    ],
)
def test_a_problem_shows_no_value(mode, fields):
    """Place, message and context are for logs and exceptions; the value is left out."""
    problem = _problem(mode, **fields)

    assert CANARY not in f"{problem} {problem.message} {problem.location} {problem.context}"
    assert CANARY in repr(problem.value)
