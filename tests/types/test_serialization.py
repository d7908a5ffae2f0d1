"""Responses as JSON: their content, what is left out, and that they can be read back."""

import copy
import json
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any, TypedDict

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from browser_use_async import errors
from browser_use_async.api.converter import structure
from browser_use_async.api.submission_token import TOKEN_KEY
from browser_use_async.types import (
    Balance,
    BrowserData,
    BrowserProfile,
    Created,
    OutputFile,
    ParsedTask,
    ScheduledTask,
    ScheduleType,
    Task,
    TaskPage,
    TaskStatus,
    TaskStep,
    TaskSummary,
    UploadUrl,
)
from tests.types.test_responses import RESPONSES

EACH = pytest.mark.parametrize(
    "response", RESPONSES, ids=[type(each).__name__ for each in RESPONSES]
)
BORN = datetime(2025, 11, 1, 10, 48, tzinfo=UTC)
LIVE = "https://live.example.net/canary?token=canary"
TASK = Task(
    "t-1",
    "Buy",
    TaskStatus.RUNNING,
    BORN,
    steps=[TaskStep("s-1", 1, next_goal="Open", extra={"seconds": 2})],
    live_url=LIVE,
    browser_data=BrowserData([{"name": "session", "value": "canary"}]),
    metadata={"team": "a"},
    extra={"cost": 3},
)


def test_what_is_written():
    """The API's names, times as text, nulls, and unknown fields."""
    assert TASK.to_dict() == {
        "id": "t-1",
        "task": "Buy",
        "status": "running",
        "created_at": "2025-11-01T10:48:00.000000Z",
        "output": None,
        "steps": [
            {
                "id": "s-1",
                "step": 1,
                "evaluation_previous_goal": "",
                "next_goal": "Open",
                "url": "",
                "seconds": 2,
            }
        ],
        "finished_at": None,
        "browser_data": {},
        "user_uploaded_files": [],
        "output_files": [],
        "public_share_url": None,
        "metadata": {"team": "a"},
        "cost": 3,
    }
    assert Balance(Decimal("12.30"), extra={"plan": "b"}).to_dict() == {
        "balance": "12.3",
        "plan": "b",
    }
    assert Created("t-1").to_dict() == {"id": "t-1"}


@EACH
def test_what_grants_access_is_written_only_if_asked_for(response):
    """Live and public links, signed URLs and cookies are hidden in the repr."""
    text = response.to_json()
    whole = response.to_json(include_secrets=True)

    assert "canary" not in text
    assert ("canary" in whole) == ("canary" in str(attrs.asdict(response)))
    assert json.loads(text) == response.to_dict() == dict(response)
    assert json.loads(whole) == response.to_dict(include_secrets=True)


@EACH
def test_responses_are_read_back(response):
    """The complete JSON gives an equal object; without what grants access only that is missing."""
    spacious = copy.deepcopy(response)
    spacious.extra["cost"] = 3.25

    again = type(response).from_dict(json.loads(spacious.to_json(include_secrets=True)))

    assert again == spacious
    assert type(again) is type(spacious)


_TEXT = st.text(max_size=8)
_NUMBERS = st.integers(min_value=1)  # 0 is a step without a number
_MOMENTS = st.datetimes(
    min_value=datetime(1970, 1, 2),  # noqa: DTZ001 - hypothesis wants it naive
    max_value=datetime(9999, 12, 30),  # noqa: DTZ001
    timezones=st.just(UTC),
)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | _TEXT,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(_TEXT, inner, max_size=2),
    max_leaves=4,
)


def _extra(model: type[Any]) -> st.SearchStrategy[dict[str, Any]]:
    known = {each.name for each in attrs.fields(model)} | {TOKEN_KEY, "parsed", "balance"}
    return st.dictionaries(_TEXT.filter(lambda name: name not in known), _JSON, max_size=2)


def _built(model: type[Any], **fields: Any) -> st.SearchStrategy[Any]:
    return st.builds(model, **fields, extra=_extra(model))


_STATUSES = st.sampled_from(TaskStatus) | st.text(min_size=1, max_size=8).map(TaskStatus)
_METADATA = st.dictionaries(_TEXT.filter(lambda name: name != TOKEN_KEY), _TEXT, max_size=2)
_ROWS = _built(
    TaskSummary,
    id=_TEXT,
    task=_TEXT,
    status=_STATUSES,
    created_at=_MOMENTS,
    output=st.none() | _TEXT,
    finished_at=st.none() | _MOMENTS,
    live_url=st.none() | _TEXT,
    metadata=_METADATA,
)
_TASKS = _built(
    Task,
    id=_TEXT,
    task=_TEXT,
    status=_STATUSES,
    created_at=_MOMENTS,
    output=st.none() | _TEXT,
    steps=st.lists(_built(TaskStep, id=_TEXT, step=_NUMBERS, next_goal=_TEXT), max_size=2),
    live_url=st.none() | _TEXT,
    public_share_url=st.none() | _TEXT,
    browser_data=st.none() | _built(BrowserData, cookies=st.just([{"name": "a", "expires": 1.5}])),
    output_files=st.lists(_TEXT, max_size=2),
    metadata=_METADATA,
)
_OTHERS = st.one_of(
    _built(
        TaskPage,
        tasks=st.lists(_ROWS, max_size=2),
        **dict.fromkeys(("total_pages", "page", "limit", "total_count"), st.integers()),
    ),
    _built(BrowserProfile, profile_id=_TEXT, profile_name=_TEXT, persist=st.booleans()),
    _built(
        ScheduledTask,
        id=_TEXT,
        task=_TEXT,
        schedule_type=st.sampled_from(ScheduleType),
        next_run_at=st.none() | _MOMENTS,
    ),
    _built(Balance, cents=st.decimals(allow_nan=False, allow_infinity=False)),
    _built(OutputFile, download_url=_TEXT),
    _built(UploadUrl, upload_url=_TEXT),
)


@pytest.mark.long
@given(_TASKS | _ROWS | _OTHERS)
def test_round_trip(response):
    """Any response survives its JSON, unknown fields and unknown statuses too."""
    text = response.to_json(include_secrets=True)

    assert type(response).from_dict(json.loads(text)) == response


def test_an_unreadable_time_and_the_reserved_pair_stay_where_the_service_has_them():
    """What reading moved to `extra` is written at its original place."""
    written = {
        "id": "t-1",
        "task": "Buy",
        "status": "running",
        "created_at": "yesterday",
        "metadata": {"team": "a", TOKEN_KEY: "bu1.x"},
    }
    task = structure(written, Task)

    assert task.to_dict()["created_at"] == "yesterday"
    assert task.to_dict()["metadata"] == written["metadata"]
    assert Task.from_dict(task.to_dict()) == task


def test_what_is_no_response_is_refused_with_its_place():
    """The error is that of a wrong answer of the API."""
    with pytest.raises(errors.ResponseDecodeError) as caught:
        Task.from_dict({**TASK.to_dict(), "steps": [{"id": "s", "step": "x"}]})
    assert caught.value.path == "$.steps[0].step"
    with pytest.raises(errors.ResponseDecodeError):
        Task.from_dict([])  # type: ignore[arg-type]


def test_a_page_is_not_its_rows():
    """A loop over a response is an error, not a loop over the names of its fields."""
    with pytest.raises(TypeError, match="not iterable"):
        list(TaskPage([], 1, 1, 10, 0))  # type: ignore[call-overload]


# --- parsed outputs -------------------------------------------------------------------------


class Colour(Enum):
    """An enumeration."""

    RED = "red"


class Model(BaseModel):
    """A pydantic model with another name in JSON."""

    size: int = Field(alias="the size")
    place: "Place"


class Row(TypedDict):
    """A dictionary."""

    name: str


@dataclass
class Place:
    """A dataclass."""

    city: str
    when: datetime


@attrs.define
class Everything:
    """An attrs class with the types that cattrs reads."""

    _hidden: int
    amount: Decimal
    day: date
    colour: Colour
    rows: list[Row]
    places: tuple[Place, ...]
    names: set[str]
    pages: dict[str, Place | None]


EVERYTHING = Everything(
    hidden=1,
    amount=Decimal("0.10"),
    day=date(2025, 11, 1),
    colour=Colour.RED,
    rows=[{"name": "a"}],
    places=(Place("Oslo", BORN),),
    names={"n"},
    pages={"p": Place("Rome", BORN), "q": None},
)


def _finished(output: str) -> Task:
    return Task("t-1", "Read", TaskStatus.FINISHED, BORN, output=output)


def test_parsed_outputs_are_written_and_read_back():
    """For any kind of type: its JSON is parsed to an equal value."""
    task = ParsedTask.of(_finished("{}"), EVERYTHING)

    written = json.loads(task.to_json())["parsed"]

    assert written["amount"] == "0.10"
    assert _finished(json.dumps(written)).parse(Everything).parsed == EVERYTHING


def test_parsed_models_are_written_and_read_back():
    """With the names of pydantic, also in a list."""
    models = [Model(**{"the size": 3, "place": Place("Oslo", BORN)})]

    written = json.loads(ParsedTask.of(_finished("[]"), models).to_json())["parsed"]

    assert written[0]["the size"] == 3
    assert _finished(json.dumps(written)).parse(list[Model]).parsed == models


def test_a_parsed_task_is_read_back_with_the_json_of_its_output():
    """The class of the value is not in JSON; `parse` creates it again."""
    task = _finished('{"city": "Oslo", "when": "2025-11-01T10:48:00Z"}').parse(Place)

    again = ParsedTask.from_dict(json.loads(task.to_json()))

    assert again.parsed == {"city": "Oslo", "when": "2025-11-01T10:48:00Z"}
    assert again.parse(Place) == task
    assert "parsed" not in ParsedTask.of(TASK).to_dict()
