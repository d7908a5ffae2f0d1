"""Rules as values, as JSON and as words: all are equivalent, and errors name the field."""

import json
from typing import Any

import pytest

from browser_use_async.errors import ConfigurationError
from browser_use_async.server import Fault
from browser_use_async.server.faults import (
    fault_as_json,
    fault_from_text,
    faults_from_file,
    faults_from_json,
)

WRITTEN: list[tuple[str, Fault]] = [
    ("reset", Fault("reset")),
    ("lost_reply run_task calls=1", Fault("lost_reply", "run_task", calls=1)),
    ("reset get_task,me first=3", Fault("reset", ["get_task", "me"], first=3)),
    (
        "status status=429 headers='Retry-After: 2' headers=X-Id:a:b calls=1,3",
        Fault("status", status=429, headers={"Retry-After": "2", "X-Id": "a:b"}, calls=[1, 3]),
    ),
    (
        """status run_task status=503 body='{"detail": "no room"}' when=after name=full""",
        Fault(
            "status",
            "run_task",
            status=503,
            body='{"detail": "no room"}',
            when="after",
            name="full",
        ),
    ),
    ("status status=500 body=", Fault("status", status=500, body="")),
    (
        "latency seconds=0.5 probability=0.25 seed=7",
        Fault("latency", seconds=0.5, probability=0.25, seed=7),
    ),
    ("late_commit seconds=30 by=rst", Fault("late_commit", seconds=30, by="rst")),
    ("list_lag run_task seconds=3", Fault("list_lag", "run_task", seconds=3)),
    ("truncate file at_byte=0", Fault("truncate", "file", at_byte=0)),
    ("drip bytes_per_second=100", Fault("drip", bytes_per_second=100)),
    ("content_type content_type=text/html", Fault("content_type", content_type="text/html")),
    ("garbage body='<html> a=b'", Fault("garbage", body="<html> a=b")),
]


@pytest.mark.parametrize(("text", "fault"), WRITTEN, ids=[text for text, _ in WRITTEN])
def test_words_and_json_say_the_same(text, fault):
    """A rule survives both notations."""
    written = json.loads(json.dumps({"faults": [fault_as_json(fault)]}))

    assert fault_from_text(text) == fault
    assert faults_from_json(written) == [fault]


def test_json_has_the_given_fields_only():
    """Defaults are left out, so that people can read it."""
    assert fault_as_json(Fault("reset", "me", first=2)) == {
        "kind": "reset",
        "operations": ("me",),
        "first": 2,
    }


def test_labels():
    """A rule is counted under its name, or under its kind and its calls."""
    assert Fault("reset").label == "reset"
    assert Fault("reset", ["me", "ping"], calls=2).label == "reset me,ping"
    assert Fault("reset", "me", name="mine").label == "mine"


WRONG: list[tuple[str, dict[str, Any]]] = [
    ("kind", {"kind": "explode"}),
    ("kind", {"kind": None}),
    ("operations", {"operations": "run-task"}),
    ("operations", {"operations": []}),
    ("operations", {"operations": [1]}),
    ("operations", {"operations": {"run_task": 1}}),
    ("operations", {"kind": "list_lag", "seconds": 1, "operations": "get_task"}),
    ("calls", {"calls": 0}),
    ("calls", {"calls": [1, -1]}),
    ("calls", {"calls": []}),
    ("calls", {"calls": "1"}),
    ("calls", {"calls": 1.0}),
    ("calls", {"calls": True}),
    ("first", {"first": 0}),
    ("first", {"first": 1, "calls": 1}),
    ("probability", {"probability": 1.1}),
    ("probability", {"probability": "0.5"}),
    ("probability", {"probability": float("nan")}),
    ("seed", {"seed": 1.5}),
    ("name", {"name": ""}),
    ("name", {"name": "a\nb"}),
    ("when", {"when": "during"}),
    ("when", {"kind": "lost_reply", "when": "before"}),
    ("by", {"by": "rst"}),
    ("by", {"kind": "lost_reply", "by": "tcp"}),
    ("seconds", {"kind": "latency"}),
    ("seconds", {"kind": "latency", "seconds": -1}),
    ("seconds", {"kind": "latency", "seconds": float("inf")}),
    ("seconds", {"seconds": 1}),
    ("status", {"kind": "status"}),
    ("status", {"kind": "status", "status": 199}),
    ("status", {"kind": "status", "status": 600}),
    ("status", {"kind": "status", "status": "429"}),
    ("headers", {"kind": "status", "status": 429, "headers": ["Retry-After"]}),
    ("headers", {"kind": "status", "status": 429, "headers": {"Retry After": "2"}}),
    ("headers[Retry-After]", {"kind": "status", "status": 429, "headers": {"Retry-After": 2}}),
    ("headers[A]", {"kind": "status", "status": 429, "headers": {"A": "b\r\nC: d"}}),
    ("body", {"kind": "garbage", "body": {}}),
    ("at_byte", {"kind": "truncate", "at_byte": -1}),
    ("bytes_per_second", {"kind": "drip", "bytes_per_second": 0}),
    ("content_type", {"kind": "content_type", "content_type": "a\r\nb"}),
]


@pytest.mark.parametrize(("field", "fields"), WRONG, ids=[str(fields) for _, fields in WRONG])
def test_the_field_at_fault(field, fields):
    """Any mistake is refused at once, and the text begins with the name of the field."""
    rule = {"kind": "reset", **fields}
    with pytest.raises(ConfigurationError) as caught:
        Fault(**rule)
    with pytest.raises(ConfigurationError) as in_json:
        faults_from_json({"faults": [{"kind": "reset"}, rule]})

    assert str(caught.value).startswith(f"{field}: ")
    assert str(in_json.value).startswith(f"faults[1].{field}: ")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("faults", []),
        ("faults", {}),
        ("faults", {"faults": [], "more": 1}),
        ("faults", {"faults": {}}),
        ("faults[0]", {"faults": ["reset"]}),
        ("faults[0].kind", {"faults": [{}]}),
        ("faults[0].cals", {"faults": [{"kind": "reset", "cals": 1}]}),
    ],
    ids=str,
)
def test_json_of_another_shape(path, value):
    """A misspelt name is not silently a rule without effect."""
    with pytest.raises(ConfigurationError) as caught:
        faults_from_json(value)

    assert str(caught.value).startswith(f"{path}: ")


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("kind", ""),
        ("kind", "reset 'run_task"),
        ("kind", "explode"),
        ("operations", "reset run-task"),
        ("me", "reset run_task me"),
        ("cals", "reset cals=1"),
        ("kind", "reset kind=garbage"),
        ("calls", "reset calls=1,x"),
        ("calls", "reset calls=1 calls=2"),
        ("status", "status status=busy"),
        ("seconds", "latency seconds=soon"),
        ("seconds", "latency seconds=nan"),
        ("headers", "status status=429 headers=:2"),
        ("headers[Retry-After]", "status status=429 headers=Retry-After"),
    ],
)
def test_words_that_are_no_rule(field, text):
    """The text of the refusal begins with the field."""
    with pytest.raises(ConfigurationError) as caught:
        fault_from_text(text)

    assert str(caught.value).startswith(f"{field}: ")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("status statu=503", "statu: a fault has no such field; did you mean 'status'?"),
        ("reset runtask", "operations: 'runtask' is not known; did you mean 'run_task'?"),
        ("reset run-task", "operations: 'run-task' is not known; did you mean 'run_task'?"),
        ("lostreply", "kind: 'lostreply' is not known; did you mean 'lost_reply'?"),
        ("latency seconds=1 when=befor", "when: 'befor' is not known; did you mean 'before'?"),
        ("reset zzz=1", "zzz: a fault has no such field"),
    ],
)
def test_a_misspelt_word_is_answered_with_the_right_one(text, problem):
    """And not with a list of thirty."""
    with pytest.raises(ConfigurationError) as caught:
        fault_from_text(text)

    assert str(caught.value) == problem


def test_a_misspelt_field_in_json_is_answered_with_the_right_one():
    """This applies to files and to the admin route."""
    with pytest.raises(ConfigurationError, match=r"faults\[0\]\.cals: .*mean 'calls'\?$"):
        faults_from_json({"faults": [{"kind": "reset", "cals": 1}]})


def test_a_file(tmp_path):
    """A file contains any number of rules."""
    path = tmp_path / "faults.json"
    path.write_text('{"faults": [{"kind": "reset"}, {"kind": "garbage", "calls": 2}]}')

    assert faults_from_file(path) == [Fault("reset"), Fault("garbage", calls=2)]


@pytest.mark.parametrize("content", [None, "{", '{"faults": [], "faults": []}'])
def test_a_file_that_cannot_be_read(tmp_path, content):
    """The refusal names the file."""
    path = tmp_path / "faults.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ConfigurationError, match=r"faults\.json: "):
        faults_from_file(path)
