import json
from collections import Counter

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from browser_use_async.api.endpoint_table import (
    CHECK_BALANCE,
    GET_TASK,
    LIST_TASKS,
    RUN_TASK,
    Endpoint,
)
from browser_use_async.api.serialization import decode_response
from browser_use_async.errors import ResponseDecodeError
from browser_use_async.types import (
    BrowserData,
    BrowserProfilePage,
    ScheduledTask,
    Task,
    TaskPage,
    TaskStep,
)
from tests.api.answers import CANARY, PAGE, ROWS, TASK, assert_shows_no_value, refused


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"status": [CANARY]}, "$.status"),
        ({"status": ""}, "$.status"),
        ({"output": {CANARY: CANARY}}, "$.output"),
        ({"steps": CANARY}, "$.steps"),
        ({"steps": [CANARY]}, "$.steps[0]"),
        ({"steps": [None, {"id": "s", "step": 1}, {"step": CANARY}]}, "$.steps[2].step"),
        ({"steps": [{"id": "s", "step": 1, "url": [CANARY]}]}, "$.steps[0].url"),
        ({"browser_data": CANARY}, "$.browser_data"),
        ({"browser_data": {"cookies": {CANARY: 1}}}, "$.browser_data.cookies"),
        ({"browser_data": {"cookies": [{}, CANARY]}}, "$.browser_data.cookies[1]"),
        ({"metadata": CANARY}, "$.metadata"),
        ({"metadata": {CANARY: [CANARY]}}, "$.metadata.*"),
        ({"output_files": [CANARY, {CANARY: 1}]}, "$.output_files[1]"),
    ],
)
def test_paths(change, path):
    """The error has the path, down to the item, and not the value there."""
    in_task = refused(GET_TASK, json.dumps({**TASK, **change}).encode())
    in_step = {name for name in change if name in {"steps", "browser_data", "output_files"}}

    assert in_task.path == path
    assert str(in_task).startswith(f"at {path}: ")
    assert_shows_no_value(in_task)
    if not in_step:
        in_list = refused(
            LIST_TASKS, json.dumps({**PAGE, "tasks": [TASK, {**TASK, **change}]}).encode()
        )
        assert in_list.path == path.replace("$", "$.tasks[1]")
        assert_shows_no_value(in_list)


@pytest.mark.parametrize("value", [None, CANARY, 5, [], True])
@pytest.mark.parametrize("endpoint", [GET_TASK, LIST_TASKS, CHECK_BALANCE, RUN_TASK], ids=str)
def test_what_is_no_object(endpoint, value):
    """A JSON value of another kind than an object is refused at the root."""
    error = refused(endpoint, json.dumps(value).encode())

    assert str(error) == "at $: expected an object"
    assert_shows_no_value(error)


def test_a_deep_answer_within_the_limit_is_kept():
    """An unknown field may nest as deeply as the JSON reader allows."""
    deep = b"[" * 300 + b"]" * 300

    created = decode_response(RUN_TASK, b'{"id": "t-1", "trace": ' + deep + b"}")

    assert created.extra["trace"] == json.loads(deep)


_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
    | st.just(CANARY)
)
_NAMES = st.sampled_from(
    sorted(
        {
            field.name
            for model in (Task, TaskStep, TaskPage, BrowserData, ScheduledTask, BrowserProfilePage)
            for field in attrs.fields(model)
        }
        | {"balance", "recordings", "screenshots", "profile_id", "profile_name", "results", "url"}
    )
)
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(_NAMES | st.just(CANARY), inner, max_size=6)
        | st.fixed_dictionaries({name: inner | st.just(TASK[name]) for name in TASK})
        | st.fixed_dictionaries({name: inner | st.just(PAGE[name]) for name in PAGE})
    ),
    max_leaves=12,
)


def _assert_typed_or_refused(endpoint: Endpoint, body: bytes) -> bool:
    """Decode, and return whether the answer was accepted."""
    try:
        result = decode_response(endpoint, body)
    except ResponseDecodeError as error:
        refusal = error
    else:
        assert type(result) is (endpoint.returns or type(None)), endpoint
        return True
    assert refusal.path.startswith("$"), endpoint
    assert_shows_no_value(refusal)
    return False


@pytest.mark.long
@pytest.mark.parametrize(
    ("what", "bodies"),
    [
        ("JSON values", _VALUES.map(lambda value: json.dumps(value).encode())),
        ("bodies of any bytes", st.binary()),
    ],
    ids=["JSON", "bytes"],
)
@pytest.mark.timeout(180)
def test_anything_to_every_decoder(what, bodies):
    """Any input gives the promised type or the typed error, which contains no value."""
    counts: Counter[str] = Counter()

    @settings(max_examples=200)
    @given(body=bodies)
    def decode_everywhere(body: bytes) -> None:
        counts["examples"] += 1
        for endpoint in ROWS.values():
            counts["taken" if _assert_typed_or_refused(endpoint, body) else "refused"] += 1

    decode_everywhere()
    assert counts["examples"] >= 200
    assert min(counts["taken"], counts["refused"]) > 0
