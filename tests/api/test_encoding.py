import json
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from browser_use_async.api.converter import structure, unstructure
from browser_use_async.api.serialization import encode_request
from browser_use_async.types import (
    UNSET,
    Balance,
    BrowserData,
    LlmModel,
    PageQuery,
    RunTaskRequest,
    Task,
    TaskStatus,
    TaskStep,
    TaskSummary,
    rules_of,
)

# --- requests -----------------------------------------------------------------------------

GIVEN: dict[str, Any] = {
    "secrets": {"password": "hunter2"},
    "allowed_domains": ["example.com", "*.example.org"],
    "browser_profile_id": "p-1",
    "save_browser_data": False,
    "structured_output_json": "{}",
    "llm_model": "o3",
    "use_adblock": True,
    "use_proxy": None,
    "proxy_country_code": "de",
    "highlight_elements": False,
    "included_file_names": [],
    "browser_viewport_width": 800,
    "browser_viewport_height": 600,
    "max_agent_steps": 5,
    "enable_public_share": False,
    "metadata": {"größe": "é"},
}


@given(st.sets(st.sampled_from(sorted(GIVEN))))
def test_exactly_the_given_fields_are_sent(names):
    """Falsy values and nulls are sent when given, and missing fields never are."""
    fields = {name: GIVEN[name] for name in names}

    encoded = encode_request(RunTaskRequest("Buy milk", **fields))

    assert encoded == {"task": "Buy milk", **fields}


def test_all_fields_can_be_sent():
    """The fields of the test above are all fields of the request."""
    assert {"task", *GIVEN} == rules_of(RunTaskRequest).keys()


def test_what_is_sent_is_plain_json():
    """Enums, tuples, mappings and secrets become what the json module writes."""
    request = RunTaskRequest(
        "Buy milk",
        llm_model=LlmModel.O3,
        allowed_domains=("example.com",),
        secrets={"password": "hunter2"},
    )

    encoded = encode_request(request)

    assert type(encoded["llm_model"]) is str
    assert json.loads(json.dumps(encoded)) == {
        "task": "Buy milk",
        "llm_model": "o3",
        "allowed_domains": ["example.com"],
        "secrets": {"password": "hunter2"},
    }


def test_the_body_can_be_changed_without_changing_the_request():
    """The submission adds a pair to the metadata of its body, not to the caller's mapping."""
    metadata = {"team": "marketing"}
    request = RunTaskRequest("Buy milk", metadata=metadata)

    encode_request(request)["metadata"]["token"] = "x"

    assert metadata == {"team": "marketing"}
    assert request.metadata == {"team": "marketing"}


def test_queries_are_encoded_alike():
    """Query parameters are encoded the same way, with the defaults of the page."""
    assert encode_request(PageQuery(limit=100)) == {"page": 1, "limit": 100}


@attrs.frozen
class _Schedule:
    start_at: Any = UNSET


def test_moments_are_sent_in_utc():
    """A datetime is sent in the format of the service."""
    moment = datetime(2025, 11, 1, 12, tzinfo=timezone(timedelta(hours=2)))

    assert encode_request(_Schedule(moment)) == {"start_at": "2025-11-01T10:00:00.000000Z"}


# --- responses, as the bundled server writes them ---------------------------------------

_MOMENTS = st.datetimes(
    min_value=datetime(1970, 1, 2),  # noqa: DTZ001 - hypothesis wants it naive
    max_value=datetime(9999, 12, 30),  # noqa: DTZ001
    timezones=st.just(UTC),
)
_TEXT = st.text(max_size=10)
_STATUSES = st.sampled_from(TaskStatus) | st.text(min_size=1, max_size=10).map(TaskStatus)
_SUMMARIES = st.builds(
    TaskSummary,
    id=_TEXT,
    task=_TEXT,
    status=_STATUSES,
    created_at=_MOMENTS,
    output=st.none() | _TEXT,
    finished_at=st.none() | _MOMENTS,
    live_url=st.none() | _TEXT,
    metadata=st.dictionaries(_TEXT, _TEXT, max_size=3),
    extra=st.just({}),
)
_TASKS = st.builds(
    Task,
    id=_TEXT,
    task=_TEXT,
    status=_STATUSES,
    created_at=_MOMENTS,
    steps=st.lists(
        st.builds(
            TaskStep,
            id=_TEXT,
            step=st.integers(),
            evaluation_previous_goal=_TEXT,
            next_goal=_TEXT,
            url=_TEXT,
            extra=st.just({}),
        ),
        max_size=3,
    ),
    browser_data=st.none() | st.just(BrowserData([{"name": "a", "expires": 1.5}])),
    output_files=st.lists(_TEXT, max_size=3),
    extra=st.just({}),
)


@pytest.mark.long
@given(_TASKS | _SUMMARIES)
def test_round_trip(response):
    """The SDK reads the same response from what the server writes."""
    written = json.loads(json.dumps(unstructure(response)))

    assert structure(written, type(response)) == response


def test_nulls_are_written():
    """The service sends null for missing values, and so does the bundled server."""
    written = unstructure(TaskSummary("t-1", "Buy", TaskStatus.CREATED, None, extra={"a": 1}))

    assert written == {
        "id": "t-1",
        "task": "Buy",
        "status": "created",
        "created_at": None,
        "output": None,
        "finished_at": None,
        "live_url": None,
        "metadata": {},
    }
    assert type(written["status"]) is str


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Balance(Decimal(5000)), {"balance": "5000"}),
        (TaskStatus.FINISHED, "finished"),
        (True, True),
        (None, None),
        ([Decimal("1.5"), (1,)], ["1.5", [1]]),
        ({"a": TaskStatus.PAUSED}, {"a": "paused"}),
    ],
)
def test_what_is_no_class_is_written_too(value, expected):
    """Bare answers and nested values are written as plain JSON."""
    assert unstructure(value) == expected
