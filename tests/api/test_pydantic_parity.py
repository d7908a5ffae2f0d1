"""The service is built on pydantic: the bundled server answers as pydantic would."""

from enum import StrEnum
from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field, ValidationError

from browser_use_async.api.validation import validate
from browser_use_async.server.app.coercion import coerced
from browser_use_async.types import LlmModel, PageQuery, ProxyCountry, RunTaskRequest

# For some lists pydantic reports only "not more" than a number, depending on its version.
_UNCOMPARED_MESSAGES = {"too_long"}

# These enums are open here, and pydantic would accept any text for them.
_ClosedModel = StrEnum("_ClosedModel", {each.name: each.value for each in LlmModel})
_ClosedCountry = StrEnum("_ClosedCountry", {each.name: each.value for each in ProxyCountry})

_Pixels = Annotated[int, Field(ge=1)]
_Key = Annotated[str, Field(min_length=1, max_length=100)]
_Value = Annotated[str, Field(max_length=1000)]


class Twin(BaseModel):
    """run-task as its author would write it with pydantic, from the specification."""

    task: Annotated[str, Field(min_length=1)]
    secrets: dict[str, str] | None = None
    allowed_domains: list[str] | None = None
    browser_profile_id: str | None = None
    save_browser_data: bool | None = None
    llm_model: _ClosedModel | None = None
    use_adblock: bool | None = None
    use_proxy: bool | None = None
    proxy_country_code: _ClosedCountry | None = None
    highlight_elements: bool | None = None
    included_file_names: list[str] | None = None
    browser_viewport_width: _Pixels | None = None
    browser_viewport_height: _Pixels | None = None
    max_agent_steps: Annotated[int, Field(ge=1, le=200)] | None = None
    enable_public_share: bool | None = None
    metadata: Annotated[dict[_Key, _Value], Field(max_length=10)] | None = None


class TwinQuery(BaseModel):
    """The query of a list."""

    page: _Pixels = 1
    limit: _Pixels = 10


Report = list[tuple[str, tuple[str | int, ...], str, Any]]


def _theirs(model: type[BaseModel], given_fields: dict[str, Any]) -> Report:
    try:
        model.model_validate(given_fields)
    except ValidationError as error:
        return [
            (
                each["type"],
                each["loc"],
                "" if each["type"] in _UNCOMPARED_MESSAGES else each["msg"],
                each["input"],
            )
            for each in error.errors()
        ]
    return []


def _ours(model: type[Any], given_fields: dict[str, Any]) -> Report:
    _, problems = validate(model, given_fields, coerced)
    return [
        (
            each.kind,
            each.location,
            "" if each.kind in _UNCOMPARED_MESSAGES else each.message,
            each.value,
        )
        for each in problems
    ]


BAD = [
    {},
    {"task": ""},
    {"task": None},
    {"task": 5},
    {"task": ["x"]},
    {"max_agent_steps": 0},
    {"max_agent_steps": 201},
    {"max_agent_steps": "201"},
    {"max_agent_steps": 5.5},
    {"max_agent_steps": "5.5"},
    {"max_agent_steps": "five"},
    {"max_agent_steps": ""},
    {"max_agent_steps": "--5"},
    {"max_agent_steps": "1e2"},
    {"max_agent_steps": []},
    {"max_agent_steps": {}},
    {"max_agent_steps": False},
    {"max_agent_steps": float("inf")},
    {"browser_viewport_width": "9" * 4301},
    {"browser_viewport_width": -1},
    {"use_proxy": "maybe"},
    {"use_proxy": ""},
    {"use_proxy": " true "},
    {"use_proxy": 2},
    {"use_proxy": 0.5},
    {"use_proxy": []},
    {"use_proxy": {}},
    {"llm_model": "gpt-9"},
    {"llm_model": 5},
    {"llm_model": []},
    {"proxy_country_code": "nz"},
    {"proxy_country_code": True},
    {"allowed_domains": "example.com"},
    {"allowed_domains": {"a": "b"}},
    {"allowed_domains": 5},
    {"allowed_domains": [1, "a", None, ["b"]]},
    {"secrets": "x"},
    {"secrets": [["a", "b"]]},
    {"secrets": {"a": 1, "b": None, "c": "d"}},
    {"metadata": {"a": 1}},
    {"metadata": {"": "a"}},
    {"metadata": {"": "v" * 1001}},
    {"metadata": {"a": "v" * 1001}},
    {"metadata": {str(n): "" for n in range(11)}},
    {"metadata": {str(n): n for n in range(11)}},
    {"metadata": 5, "use_proxy": 5, "max_agent_steps": 0, "allowed_domains": [0]},
]


@pytest.mark.parametrize("fields", BAD, ids=lambda fields: str(fields)[:60])
def test_bad_requests(fields):
    """Type, place, message, input and order of all problems are pydantic's own."""
    given_fields = fields if "task" in fields or not fields else {"task": "Buy milk", **fields}

    expected = _theirs(Twin, given_fields)

    assert expected
    assert _ours(RunTaskRequest, given_fields) == expected


_SMALL = 2**53  # both sides accept every whole number up to here, as integer and as float
_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-_SMALL, _SMALL)
    | st.floats(-_SMALL, _SMALL)
    | st.text(max_size=5)
    | st.sampled_from(["true", "OFF", "1", "0", "yes", "us", "o3", "200", "201"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)
# These have other rules than in pydantic: blank instructions and keys, countries in capitals.
_COMPARED = sorted(set(Twin.model_fields) - {"task", "metadata", "proxy_country_code"})


@pytest.mark.long
@given(st.dictionaries(st.sampled_from(_COMPARED), _JSON, min_size=1, max_size=4))
def test_any_request(fields):
    """For any JSON in the optional fields, both find the same problems."""
    given_fields = {"task": "Buy milk", **fields}

    assert _ours(RunTaskRequest, given_fields) == _theirs(Twin, given_fields)


# Leading zeros are left out: after them pydantic accepts signs and underscores, and this server
# does not.
@given(
    st.sampled_from(["", "+", "-", " ", "--"]),
    st.text(alphabet="123456789_. ", max_size=5),
    st.sampled_from(["", "0", "_0", ".0", ".00", ".", ".5", " "]),
)
def test_any_number_as_text(sign, head, tail):
    """Numbers in query strings are read alike, including signs, blanks and underscores."""
    given_fields = {"page": sign + head + tail}
    expected = _theirs(TwinQuery, given_fields)

    assert _ours(PageQuery, given_fields) == expected
    if not expected:
        values, _ = validate(PageQuery, given_fields, coerced)
        assert values["page"] == TwinQuery.model_validate(given_fields).page
