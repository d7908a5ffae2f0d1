import copy
import json
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from browser_use_async.types import LlmModel, ProxyCountry, TaskStatus

ENUMS = [TaskStatus, LlmModel, ProxyCountry]


def _matched(status: TaskStatus) -> str:
    match status:
        case TaskStatus.FINISHED:
            return "done"
        case TaskStatus.FAILED | TaskStatus.STOPPED:
            return "not done"
        case "archived":
            return "put away"
        case _:
            return "alive"


@pytest.mark.parametrize("enum", ENUMS)
def test_known_values_are_the_members(enum):
    """Looking up a listed value returns the one member, which knows that it is listed."""
    for member in enum:
        assert enum(member.value) is member
        assert member.is_known


@pytest.mark.parametrize("enum", ENUMS)
def test_unknown_values_are_kept(enum):
    """An unknown value of the service is a value of the enum, with the service's spelling."""
    value = enum("Brand-New")

    assert isinstance(value, enum)
    assert not value.is_known
    assert value == "Brand-New"
    assert (value.value, str(value), f"{value}") == ("Brand-New",) * 3
    assert json.dumps(value) == '"Brand-New"'


@pytest.mark.parametrize("enum", ENUMS)
@pytest.mark.parametrize("value", [5, None, True, 1.5, ["running"], b"running", {}])
def test_what_is_no_string_is_refused(enum, value):
    """New strings are accepted, and no other types."""
    with pytest.raises(ValueError, match="is not a valid"):
        enum(value)


def test_unknown_values_never_join_the_members():
    """Iteration, length and membership by name stay as published."""
    TaskStatus("archived")

    assert [str(each) for each in TaskStatus] == [
        "created",
        "running",
        "finished",
        "stopped",
        "paused",
        "failed",
    ]
    assert "archived" not in TaskStatus.__members__


def test_unknown_values_are_equal_by_value():
    """Two values of the same unknown status are equal, hash alike and differ from others."""
    first, second, other = TaskStatus("archived"), TaskStatus("archived"), TaskStatus("deleted")

    assert first == second
    assert hash(first) == hash(second)
    assert first != other
    assert {first, second, other, "archived"} == {"archived", "deleted"}


def test_an_unknown_value_may_be_spelled_like_a_members_name():
    """The string `RUNNING` is not the status `running`."""
    value = TaskStatus("RUNNING")

    assert value != TaskStatus.RUNNING
    assert not value.is_known


@pytest.mark.parametrize("value", ["running", "archived"])
@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_pickling(value, protocol):
    """Known and unknown values survive pickling as values of the enum."""
    status = TaskStatus(value)

    again = pickle.loads(pickle.dumps(status, protocol))

    assert again == status
    assert type(again) is TaskStatus
    assert again.is_known is status.is_known


@pytest.mark.parametrize("value", ["running", "archived"])
def test_copying(value):
    """Known and unknown values survive both kinds of copy."""
    status = TaskStatus(value)

    assert copy.copy(status) == copy.deepcopy(status) == status
    assert type(copy.copy(status)) is type(copy.deepcopy(status)) is TaskStatus


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("finished", "done"),
        ("stopped", "not done"),
        ("archived", "put away"),
        ("stopping", "alive"),
    ],
)
def test_match_statement(value, expected):
    """`match` distinguishes members, and unknown values by their text."""
    assert _matched(TaskStatus(value)) == expected


@pytest.mark.parametrize(
    ("value", "terminal"),
    [
        ("created", False),
        ("running", False),
        ("paused", False),
        ("finished", True),
        ("stopped", True),
        ("failed", True),
        ("stopping", False),
        ("completed", False),
    ],
)
def test_terminal_statuses(value, terminal):
    """Three statuses end a task; paused and unknown ones are alive."""
    assert TaskStatus(value).is_terminal is terminal


@given(st.text())
def test_any_text_is_a_value(text):
    """Any text of the service becomes a value that equals and hashes as the text."""
    value = TaskStatus(text)

    assert value == text
    assert hash(value) == hash(text)
    assert pickle.loads(pickle.dumps(value)) == text
    assert repr(text) in repr(value)
