"""Pages of the task list, of which only ids and statuses are decoded, with and without msgspec."""

import importlib.util
import json
import sys
from types import ModuleType
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from browser_use_async.api import serialization
from browser_use_async.errors import ResponseDecodeError


def _page(**changes: Any) -> bytes:
    row = {"id": "t-1", "task": 'say "id":"t-2"', "status": "running", "metadata": {"id": "m"}}
    return json.dumps(
        {"tasks": [row], "total_count": 7, "limit": 100, "page": 1} | changes
    ).encode()


def _without_msgspec() -> ModuleType:
    """The module without msgspec."""
    spec = importlib.util.spec_from_file_location("serialization_alone", serialization.__file__)
    assert spec is not None
    assert spec.loader is not None
    alone = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "msgspec", None)
        spec.loader.exec_module(alone)
        alone.decode_response(alone.LIST_STATUSES, _page())  # its first page decides
    return alone


WAYS: list[Any] = [serialization, _without_msgspec()]
either_way = pytest.mark.parametrize("way", WAYS, ids=["with msgspec", "without"])

_ROWS = {"no id": {"status": "running"}, "status of null": {"id": "t-1", "status": None}}
WRONG = {
    "empty": b"",
    "not JSON": b"<html>",
    "cut short": _page()[:-3],
    "a list": b"[]",
    "no tasks": b'{"limit":100,"total_count":7}',
    "no limit": b'{"tasks":[],"total_count":7}',
    "a limit that is text": _page(limit="100"),
    "a count of null": _page(total_count=None),
    "tasks that are none": _page(tasks=["t-1"]),
    "a number as id": _page(tasks=[{"id": 1, "status": "running"}]),
    "nests too deeply": b'{"tasks":' + b"[" * 200_000,
    **{name: _page(tasks=[row]) for name, row in _ROWS.items()},
}


@either_way
def test_ids_and_statuses_are_read(way):
    """In the order of the rows, also escaped ones, and unknown statuses."""
    rows = [{"id": "t-1", "status": "running"}, {"status": "archived", "id": "t-ä\n"}]
    body = _page(tasks=rows, limit=2)

    page = way.decode_response(way.LIST_STATUSES, body)

    assert page == (["t-1", "t-ä\n"], ["running", "archived"], 2, 7, len(body), None)
    nested = way.decode_response(way.LIST_STATUSES, _page())
    assert (nested.ids, nested.statuses) == (["t-1"], ["running"])


@either_way
def test_an_unchanged_page_is_not_read_again(way):
    """It is the known one itself; one with another status is read, though it is as long."""
    running = _page(tasks=[{"id": "t-1", "status": "running"}])
    stopped = _page(tasks=[{"id": "t-1", "status": "stopped"}])

    first = way.decode_response(way.LIST_STATUSES, running)
    known = way.decode_response(way.LIST_STATUSES, running, first)
    after = way.decode_response(way.LIST_STATUSES, stopped, known)

    assert way.decode_response(way.LIST_STATUSES, bytes(bytearray(running)), known) is known
    assert (known.statuses, after.statuses) == (["running"], ["stopped"])


@either_way
@pytest.mark.parametrize("body", WRONG.values(), ids=WRONG.keys())
def test_what_is_no_page_is_refused(way, body):
    """With one text, in both ways."""
    with pytest.raises(ResponseDecodeError, match="no page of tasks with their statuses"):
        way.decode_response(way.LIST_STATUSES, body)


_TEXTS = st.text() | st.sampled_from(["running", "finished"])
_VALUES = _TEXTS | st.none() | st.booleans() | st.integers() | st.floats()
_ANY_ROWS = st.lists(st.dictionaries(st.sampled_from(["id", "status", "x"]), _VALUES))
_ANY_PAGES = st.fixed_dictionaries(
    {"tasks": _ANY_ROWS | _VALUES, "limit": _VALUES, "total_count": _VALUES}
)


@pytest.mark.long
@given(_ANY_PAGES.map(lambda value: json.dumps(value).encode()) | st.binary())
@example(_page(limit=100.0))
@example(_page(limit=True))
@example(_page(limit=2**70))
@example(_page() + b"\0")
@example(b'{"tasks":[{"id":"a","id":"b","status":"running"}],"limit":1,"total_count":1}')
@example(b'{"tasks":[{"id":"\\ud800","status":"running"}],"limit":1,"total_count":1}')
@example(b'{"tasks":[{"id":"a","status":"running","x":NaN}],"limit":1,"total_count":1}')
def test_both_ways_have_the_same_result(body):
    """The same page, or a refusal by both."""
    found: list[object] = []
    for way in WAYS:
        try:
            found.append(tuple(way.decode_response(way.LIST_STATUSES, body)))
        except ResponseDecodeError:
            found.append("refused")

    assert found[0] == found[1]


@either_way
@pytest.mark.parametrize("row", ['{"id":"t-%d","status":"finished"}', '{"x":%d}'])
def test_a_page_of_many_more_rows_than_asked_for_is_not_read(way, row):
    """In both ways: of ten rows no more than 2,000 objects are created."""
    rows = ",".join(row % number for number in range(300_000))
    body = f'{{"tasks":[{rows}],"total_count":300000,"limit":10}}'.encode()

    with pytest.raises(ResponseDecodeError):
        way.decode_response(way.LIST_STATUSES, body, None, 10)
