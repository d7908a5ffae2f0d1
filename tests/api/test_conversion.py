import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import attrs
import pytest

from browser_use_async.api.endpoint_table import (
    CHECK_BALANCE,
    GET_TASK,
    GET_TASK_MEDIA,
    GET_TASK_STATUS,
    LIST_TASKS,
    ME,
    PING,
    RUN_TASK,
    STOP_TASK,
)
from browser_use_async.api.serialization import (
    decode_response,
)
from browser_use_async.api.submission_token import TOKEN_KEY
from browser_use_async.errors import ResponseDecodeError
from browser_use_async.types import (
    Balance,
    LlmModel,
    Task,
    TaskStatus,
    TaskStep,
)
from tests.api.answers import (
    CANARY,
    PAGE,
    ROWS,
    TASK,
    assert_shows_no_value,
    decode,
    refused,
)


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100_000,
        b'{"id": ' + b"7" * 5000 + b"}",
        b'{"id": NaN}',
        b'{"id": "a", "id": "b"}',
        f'{{"id": "{CANARY}\\ud83d"}}'.encode(),
        f'\ufeff{{"id": "{CANARY}"}}'.encode(),
        f'{{"id": "{CANARY}"}}'.encode("utf-16"),
        f'{{"id": "{CANARY}"}} {CANARY}'.encode(),
        f"<html>{CANARY}</html>".encode(),
        b"",
    ],
)
def test_refused_bodies(body):
    """A malformed body is the typed error, which has its size and not its text."""
    error = refused(RUN_TASK, body)

    assert error.path == "$"
    assert f"the body of {len(body)} bytes is not JSON" in str(error)
    assert_shows_no_value(error)


@pytest.mark.parametrize(
    "body", [b'"finished"', b"finished", b" finished\r\n", b'{"status": "finished"}']
)
def test_status_shapes(body):
    """A status is accepted bare, quoted and wrapped, since servers send each of them."""
    assert decode_response(GET_TASK_STATUS, body) is TaskStatus.FINISHED


@pytest.mark.parametrize(
    "body",
    [
        b"null",
        b'{"status": null}',
        b'{"status": ["finished"]}',
        b"{}",
        b'["x"]',
        b"5",
        b"true",
        b'""',
        b"",
        b"<html>finished</html>",
        b"finished now",
        b"x" * 65,
        "finish\u00e9".encode(),
    ],
)
def test_what_is_no_status(body):
    """Any other value is the typed error rather than an invented status."""
    assert_shows_no_value(refused(GET_TASK_STATUS, body))


@pytest.mark.parametrize(("body", "expected"), [(b"true", True), (b" false\n", False)])
def test_me(body, expected):
    """The answer of `me` is a JSON boolean."""
    assert decode_response(ME, body) is expected


@pytest.mark.parametrize("body", [b'"true"', b"1", b"0", b"null", b"{}", b"True", b""])
def test_what_is_no_boolean(body):
    """A value that resembles a boolean is refused, because a wrong yes would be worse."""
    refused(ME, body)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ('"12.34"', Decimal("12.34")),
        ("12.34", Decimal("12.34")),
        ("0.1", Decimal("0.1")),
        ("19.99", Decimal("19.99")),
        ('"1e3"', Decimal(1000)),
        ("5000", Decimal(5000)),
        ('"-0.50"', Decimal("-0.5")),
        ('"1234567890123456789.123456789"', Decimal("1234567890123456789.123456789")),
        ("12345678901234567890", Decimal(12345678901234567890)),
    ],
)
def test_balance(written, expected):
    """Money is exact, whether the server quotes it or not."""
    balance = decode_response(CHECK_BALANCE, f'{{"balance": {written}}}'.encode())

    assert balance == Balance(expected)


@pytest.mark.parametrize(
    "written", ['""', "null", '"a lot"', "true", "[]", '"NaN"', '"Infinity"', '{"a": 1}']
)
def test_what_is_no_amount(written):
    """An invalid amount is the typed error, never zero and never NaN."""
    error = refused(CHECK_BALANCE, f'{{"balance": {written}}}'.encode())

    assert error.path == "$.balance"
    assert_shows_no_value(error)


def test_an_amount_beyond_a_float():
    """It is refused with the whole body, like NaN."""
    error = refused(CHECK_BALANCE, b'{"balance": 1e400}')

    assert "beyond the range of a float" in str(error)
    assert_shows_no_value(error)


def test_balance_that_is_missing():
    """The error names the API's field, although the model calls it `cents`."""
    assert refused(CHECK_BALANCE, b"{}").path == "$.balance"


@pytest.mark.parametrize("written", [7, 7.0, "7", "007"])
def test_integers_as_text(written):
    """A whole number is accepted as number or text."""
    assert decode(LIST_TASKS, {**PAGE, "total_count": written}).total_count == 7


@pytest.mark.parametrize(
    "written", [7.5, "7.0", "seven", "", "--7", "\u0667", "7" * 20, True, None]
)
def test_what_is_no_integer(written):
    """An invalid integer is the typed error that names the field."""
    error = refused(LIST_TASKS, json.dumps({**PAGE, "total_count": written}).encode())

    assert (error.path, str(error)) == (
        "$.total_count",
        "at $.total_count: expected an integer",
    )


@pytest.mark.parametrize(("written", "expected"), [(7, "7"), (7.5, "7.5"), ("7", "7")])
def test_numbers_where_text_belongs(written, expected):
    """An id that a server sends as a number becomes text."""
    assert decode(GET_TASK, {**TASK, "id": written}).id == expected


@pytest.mark.parametrize("written", [True, [], {}, None])
def test_what_is_no_text(written):
    """Other JSON in place of text is refused."""
    assert refused(GET_TASK, json.dumps({**TASK, "id": written}).encode()).path == "$.id"


def _schedule(**more: Any) -> Any:
    fields = {"id": "s", "task": "x", "schedule_type": "cron"}
    return decode(ROWS["get_scheduled_task"], fields | more)


@pytest.mark.parametrize(
    ("written", "expected"),
    [(True, True), ("true", True), ("False", False), (1, True), (0, False), (None, True)],
)
def test_booleans_as_text(written, expected):
    """A boolean in an object may be its name or a bit; null is the field's default."""
    assert _schedule(is_active=written).is_active is expected


@pytest.mark.parametrize("written", ["yes", 2, "", [], {}])
def test_what_is_no_boolean_in_an_object(written):
    """Any other value is the typed error that names the field."""
    with pytest.raises(ResponseDecodeError) as caught:
        _schedule(is_active=written)

    assert caught.value.path == "$.is_active"


@pytest.mark.parametrize("written", ["o3", "gpt-9"])
def test_enum_values(written):
    """Known and unknown values are of the enum's own class."""
    model = _schedule(llm_model=written).llm_model

    assert (type(model), model) == (LlmModel, written)


@pytest.mark.parametrize("written", [5, True, ["o3"], {}])
def test_what_is_no_enum_value(written):
    """An open enum accepts text only."""
    with pytest.raises(ResponseDecodeError) as caught:
        _schedule(llm_model=written)

    assert caught.value.path == "$.llm_model"


def test_unknown_fields_are_kept():
    """Fields that are unknown to this version are in `extra`, at every level, and never shared."""
    page = decode(
        LIST_TASKS, {**PAGE, "tasks": [{**TASK, "cost": 3}, {**TASK, "extra": 5}], "more": None}
    )

    assert page.extra == {"more": None}
    # The steps of a task are no field of a list row, so they are kept unchanged.
    assert [row.extra for row in page.tasks] == [
        {"steps": [], "cost": 3},
        {"steps": [], "extra": 5},
    ]


@pytest.mark.parametrize("metadata", [5, CANARY, [TOKEN_KEY], {TOKEN_KEY: "x"}, None])
def test_unknown_fields_may_have_names_that_are_known_elsewhere(metadata):
    """A step has no metadata, so a field of that name is an unknown one like others."""
    task = decode(GET_TASK, {**TASK, "steps": [{"id": "s", "step": 1, "metadata": metadata}]})

    assert task.steps[0].extra == {"metadata": metadata}


_STEP = {"id": "s", "step": 1, "evaluation_previous_goal": "", "next_goal": "", "url": "u"}


@pytest.mark.parametrize(
    ("odd", "read"),
    [
        ({**_STEP, "id": 7}, [TaskStep("7", 1, url="u")]),
        ({**_STEP, "step": "3"}, [TaskStep("s", 3, url="u")]),
        ({**_STEP, "url": None}, [TaskStep("s", 1)]),
        ({**_STEP, "id": None}, [TaskStep("", 1, url="u")]),
        ({name: _STEP[name] for name in _STEP if name != "id"}, [TaskStep("", 1, url="u")]),
        ({"next_goal": "Read"}, [TaskStep("", 2, next_goal="Read")]),
        ({}, [TaskStep("", 2)]),
        (
            {**{name: _STEP[name] for name in _STEP if name != "url"}, "link": "u"},
            [TaskStep("s", 1, extra={"link": "u"})],
        ),
        ({**_STEP, "link": "u"}, [TaskStep("s", 1, url="u", extra={"link": "u"})]),
        (None, []),
    ],
)
def test_an_odd_step_among_ordinary_ones(odd, read):
    """Ordinary steps are decoded all at once, and any other one separately."""
    ordinary = TaskStep("s", 1, url="u")

    task = decode(GET_TASK, {**TASK, "steps": [_STEP, odd, _STEP]})

    assert task.steps == [ordinary, *read, ordinary]


@pytest.mark.parametrize(
    ("wrong", "place"),
    [
        ({**_STEP, "step": True}, ".step"),
        ({**_STEP, "url": ["u"]}, ".url"),
        ("steps", ""),  # as many characters as a step has fields
        ([*_STEP], ""),
        (5, ""),
    ],
)
def test_a_wrong_step_among_ordinary_ones(wrong, place):
    """An invalid step is refused, and the error has its place."""
    with pytest.raises(ResponseDecodeError) as caught:
        decode(GET_TASK, {**TASK, "steps": [_STEP, wrong, _STEP]})

    assert caught.value.path == f"$.steps[1]{place}"


def test_the_reserved_pair_is_no_metadata_of_the_users():
    """The pair that `submit` adds is kept for the reconciler, and hidden from users."""
    task = decode(GET_TASK, {**TASK, "metadata": {TOKEN_KEY: "x", "team": "marketing"}})

    assert task.metadata == {"team": "marketing"}
    assert task.extra == {TOKEN_KEY: "x"}


def test_optional_fields_may_be_missing_or_null():
    """Missing and null are the same, and give the field's default."""
    optional = [field.name for field in attrs.fields(Task) if field.default is not attrs.NOTHING]
    minimal = {name: TASK[name] for name in TASK if name not in optional}

    assert decode(GET_TASK, minimal) == decode(
        GET_TASK, {**minimal, **{name: None for name in optional if name != "extra"}}
    )


@pytest.mark.parametrize("name", ["id", "task", "status", "created_at"])
def test_required_fields_that_are_missing(name):
    """A missing field is named by its path, without the rest of the body."""
    body = json.dumps({**PAGE, "tasks": [TASK, {k: v for k, v in TASK.items() if k != name}]})

    error = refused(LIST_TASKS, body.encode())

    assert error.path == f"$.tasks[1].{name}"
    assert str(error) == f"at $.tasks[1].{name}: a required field is missing"
    assert_shows_no_value(error)


def test_lists_may_contain_nulls():
    """Nulls in a list are dropped: the service sometimes sends `[null]`."""
    assert decode(GET_TASK_MEDIA, {"recordings": [None, "https://a", None]}).recordings == [
        "https://a"
    ]


@pytest.mark.parametrize("value", ["yesterday", "", 1761994081, {"at": 1}, [], True])
def test_created_at_garbage(value):
    """An invalid timestamp is no error: it is None, and kept raw in `extra`."""
    task = decode(GET_TASK, {**TASK, "created_at": value, "finished_at": value})

    assert task.created_at is None
    assert task.finished_at is None
    assert task.extra == {"created_at": value, "finished_at": value}


@pytest.mark.parametrize(
    "written",
    [
        "2025-11-01T10:48:01.533595Z",
        "2025-11-01T10:48:01Z",
        "2025-11-01T10:48:01.533Z",
        "2025-11-01T10:48:01.533595",
        "2025-11-01 10:48:01",
        "2025-11-01T10:48:01.533595+00:00",
        "2025-11-01T12:48:01.533595+02:00",
        "2025-11-01T10:48:01.533595+00:00Z",
    ],
)
def test_created_at_shapes(written):
    """A task with any of the eight formats has one aware time of creation."""
    task = decode(GET_TASK, {**TASK, "created_at": written})

    assert task.created_at.replace(microsecond=0) == datetime(2025, 11, 1, 10, 48, 1, tzinfo=UTC)
    assert task.extra == {}


@pytest.mark.parametrize("body", [b"", b"null", b"{}", b"[]", b'"ok"', b"OK", b"<html>", b"\xff"])
@pytest.mark.parametrize("endpoint", [STOP_TASK, PING], ids=str)
def test_calls_that_answer_nothing(endpoint, body):
    """The body of a call without an answer is ignored if the status is good."""
    assert decode_response(endpoint, body) is None
