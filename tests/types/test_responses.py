import ast
import copy
import inspect
import pickle
from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise

import attrs
import pytest

from browser_use_async.batch import BatchProgress, BatchResult, FormerTask, ItemState
from browser_use_async.types import (
    Balance,
    BrowserData,
    BrowserProfile,
    BrowserProfilePage,
    Created,
    OutputFile,
    ParsedTask,
    ScheduledTask,
    ScheduledTaskPage,
    ScheduleType,
    SearchResult,
    SearchResults,
    Task,
    TaskMedia,
    TaskPage,
    TaskScreenshots,
    TaskSettings,
    TaskStatus,
    TaskStep,
    TaskSummary,
    UploadUrl,
)
from browser_use_async.types.tasks import TaskFields
from tests.api.answers import ROWS

SIGNED = "https://user:canary-user@files.example.net:8443/canary-path?sig=canary-signature#canary"
BORN = datetime(2025, 11, 1, 10, 48, tzinfo=UTC)
SUMMARY = TaskSummary("t-1", "Buy", TaskStatus("archived"), BORN, live_url=SIGNED)

RESPONSES = [
    Balance(Decimal("12.34")),
    BrowserData(cookies=[{"name": "session", "value": "canary-cookie"}]),
    BrowserProfile("p-1", "Shopping"),
    BrowserProfilePage([BrowserProfile("p-1", "Shopping")], 1, 1, 10, 1),
    Created("t-1"),
    OutputFile(SIGNED),
    ParsedTask("t-1", "Buy", TaskStatus.FINISHED, BORN, live_url=SIGNED, parsed={"price": 12}),
    ScheduledTask("s-1", "Buy", ScheduleType("weekly")),
    ScheduledTaskPage([ScheduledTask("s-1", "Buy", ScheduleType.CRON)], 1, 1, 10, 1),
    SearchResult("https://example.com/", "Example Domain"),
    SearchResults([SearchResult("https://example.com/", "Example Domain")]),
    SUMMARY,
    Task(
        "t-1",
        "Buy",
        TaskStatus.FINISHED,
        BORN,
        steps=[TaskStep("s-1", 1)],
        live_url=SIGNED,
        public_share_url=SIGNED,
        browser_data=BrowserData(cookies=[{"value": "canary-cookie"}]),
    ),
    TaskMedia(recordings=[SIGNED, SIGNED]),
    TaskPage([SUMMARY], total_pages=1, page=1, limit=10, total_count=1),
    TaskScreenshots(screenshots=[SIGNED]),
    TaskStep("s-1", 1, "Success", "Read", "https://example.com/"),
    UploadUrl(SIGNED),
]


def _name(response: object) -> str:
    return type(response).__name__


def test_every_response_class_of_the_table_is_tested_below():
    """No class that an endpoint returns is left out, nor one that it contains."""
    tested = {type(each) for each in RESPONSES}
    returned = {row.returns for row in ROWS.values() if attrs.has(row.returns or str)}

    assert returned <= tested
    assert {BrowserData, TaskStep, TaskSummary} <= tested


@pytest.mark.parametrize("response", RESPONSES, ids=_name)
def test_unknown_fields_have_a_place_of_their_own(response):
    """Every response has `extra`, empty at first and never shared between two of them."""
    assert response.extra == {}
    assert attrs.fields_dict(type(response))["extra"].default == attrs.Factory(dict)


@pytest.mark.parametrize("response", RESPONSES, ids=_name)
def test_unknown_fields_are_not_shown(response):
    """A field that this version does not know might be a secret, so the repr leaves it out."""
    spacious = attrs.evolve(response, extra={"viewer_token": "canary-token"})

    assert "canary" not in repr(spacious)


@pytest.mark.parametrize("response", RESPONSES, ids=_name)
def test_nothing_that_grants_access_is_shown(response):
    """URLs that work without a key, and cookies, are in no text of a response."""
    texts = [repr(response), str(response), f"{response}", repr([response])]

    assert all("canary" not in text for text in texts)


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("response", RESPONSES, ids=_name)
def test_pickling(response, protocol):
    """Results can be pickled completely, including unknown fields."""
    spacious = attrs.evolve(response, extra={"cost": 3.25})

    again = pickle.loads(pickle.dumps(spacious, protocol))

    assert again == spacious
    assert type(again) is type(spacious)
    assert again.extra == {"cost": 3.25}


@pytest.mark.parametrize("response", RESPONSES, ids=_name)
def test_copying(response):
    """A deep copy is equal and independent."""
    again = copy.deepcopy(response)

    again.extra["mine"] = True

    assert response.extra == {}
    assert attrs.evolve(again, extra={}) == response


@pytest.mark.parametrize("response", RESPONSES, ids=_name)
def test_every_field_is_explained(response):
    """The class docstring has a line for each field, so that help() shows it."""
    documentation = " ".join(each.__doc__ or "" for each in type(response).__mro__[:-1])
    fields = {field.alias for field in attrs.fields(type(response))}

    assert [name for name in fields if f"    {name}: " not in documentation] == []


def test_a_parsed_task_is_a_task():
    """Code for a task accepts one with parsed output."""
    assert issubclass(ParsedTask, Task)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (None, "live_url=None"),
        ("https://live.example.net/view?token=canary", "live_url='https://live.example.net/***'"),
        ("https://canary@live.example.net:8443/", "live_url='https://live.example.net:8443/***'"),
        ("canary", "live_url='***'"),
        ("canary:canary", "live_url='***'"),
        ("//canary", "live_url='***'"),
        ("", "live_url='***'"),
        ("https://[canary", "live_url='***'"),
        ("javascript:canary", "live_url='***'"),
    ],
)
def test_masked_url(url, expected):
    """A masked URL shows its host; a text that is no http(s) URL not even that."""
    assert expected in repr(attrs.evolve(SUMMARY, live_url=url))


def test_the_repr_of_an_amount_has_its_digits():
    """No repr has the name of the class of exact amounts."""
    shown = [
        Balance(Decimal("995023.50")),
        BatchResult(index=0, key="a", state=ItemState.DONE, cost_cents=Decimal("3.50")),
        BatchProgress(budget_cents=Decimal("1E+3")),
        FormerTask(
            task_id="t", status="failed", steps=2, cost_cents=Decimal(6), error=None, reason=None
        ),
    ]

    text = "".join(map(repr, shown))
    assert "Decimal" not in text
    assert repr(shown[0]) == "Balance(cents=995023.5)"
    for part in ("cost_cents=3.5,", "budget_cents=1000,", "cost_cents=6"):
        assert part in text


def test_editors_show_the_text_of_help():
    """The text under a keyword of run-task, which an editor shows, is that of `TaskSettings`."""
    [node] = ast.parse(inspect.getsource(TaskFields)).body
    assert isinstance(node, ast.ClassDef)
    texts = {
        field.target.id: " ".join(text.value.value.split())
        for field, text in pairwise(node.body)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(text, ast.Expr)
        and isinstance(text.value, ast.Constant)
        and isinstance(text.value.value, str)
    }

    assert texts.keys() == TaskFields.__annotations__.keys()
    documentation = " ".join((TaskSettings.__doc__ or "").split())
    sentences = {name: text for name, text in texts.items() if name not in {"script", "inputs"}}
    assert [
        name for name, text in sentences.items() if f"{name}: {text}" not in documentation
    ] == []
