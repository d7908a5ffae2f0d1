"""The statements of docs/testing.md are true."""

import json
import re
import shlex
from pathlib import Path

import attrs
import pytest

from browser_use_async.errors import ConfigurationError
from browser_use_async.server import Fault
from browser_use_async.server.faults import FaultKind, fault_from_text, faults_from_json

PAGE = (Path(__file__).parents[3] / "docs" / "testing.md").read_text("utf-8")
TEXT = PAGE.partition("\n## Faults on purpose\n")[2].partition("\n## ")[0]
ROWS = re.findall(r"^\| `(\w+)` \|[^|\n]*\|[^|\n]*\|([^|\n]*)\|$", TEXT, re.MULTILINE)
VALUES = {
    "seconds": 1,
    "status": 503,
    "headers": {"A": "b"},
    "body": "",
    "by": "rst",
    "when": "after",
    "at_byte": 1,
    "bytes_per_second": 1,
    "content_type": "text/html",
    "count": 2,
}


def test_each_kind_has_a_row():
    """In the order of the code."""
    assert [kind for kind, _ in ROWS] == list(FaultKind)


@pytest.mark.parametrize(("kind", "fields"), ROWS, ids=[row[0] for row in ROWS])
def test_what_a_kind_takes(kind: str, fields: str):
    """The fields of the table are the only ones that the kind accepts."""
    taken = {name: VALUES[name] for name in re.findall(r"`(\w+)`", fields)}

    Fault(kind, **taken)
    for name in VALUES.keys() - taken.keys():
        with pytest.raises(ConfigurationError, match=f"{name}: "):
            Fault(kind, **taken, **{name: VALUES[name]})


def test_the_fields_that_choose_calls_are_listed():
    """All fields are: those of the kinds in one table, the others in the next."""
    fields = {field.name for field in attrs.fields(Fault)}
    chosen = set(re.findall(r"^\| ((?:`\w+`(?:, )?)+) \| ", TEXT, re.MULTILINE))
    named = {name for cell in chosen for name in re.findall(r"\w+", cell)}

    assert fields <= {"kind"} | VALUES.keys() | named


def test_the_rules_in_the_text_are_rules():
    """These are the rules for the shell, and the file."""
    lines = re.findall(r"^browser-use-async (serve .*)$", TEXT, re.MULTILINE)
    words = [word for line in lines for word in shlex.split(line) if " " in word]
    (content,) = re.findall(r"```json\n(.*?)```", TEXT, re.DOTALL)

    assert len([fault_from_text(word) for word in words]) == 1
    assert len(faults_from_json(json.loads(content))) == 1
