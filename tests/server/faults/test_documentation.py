"""docs/testing.md says what is true."""

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
TEXT = PAGE.partition("\n## Faults on purpose\n")[2]
CELL = r"([^|\n]*)\|"
ROWS = re.findall(rf"^\| `(\w+)` \|[^|\n]*\|[^|\n]*\|{CELL}{CELL}$", TEXT, re.MULTILINE)
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
    assert [kind for kind, _, _ in ROWS] == list(FaultKind)


@pytest.mark.parametrize(("kind", "needs", "takes"), ROWS, ids=[row[0] for row in ROWS])
def test_what_a_kind_needs_and_takes(kind: str, needs: str, takes: str):
    """The fields of the table are the only ones that the kind accepts."""
    needed, taken = set(re.findall(r"`(\w+)`", needs)), set(re.findall(r"`(\w+)`", takes))
    least = {name: VALUES[name] for name in needed}

    Fault(kind, **least, **{name: VALUES[name] for name in taken})
    for name in VALUES.keys() - needed - taken:
        with pytest.raises(ConfigurationError, match=f"{name}: "):
            Fault(kind, **least, **{name: VALUES[name]})
    for name in needed:
        with pytest.raises(ConfigurationError, match=f"{name}: "):
            Fault(kind, **{other: least[other] for other in needed - {name}})


def test_the_fields_that_choose_calls_are_listed():
    """All fields are: those of the kinds in one table, the others in the next."""
    fields = {field.name for field in attrs.fields(Fault)}
    chosen = set(re.findall(r"^\| ((?:`\w+`(?:, )?)+) \| ", TEXT, re.MULTILINE))
    named = {name for cell in chosen for name in re.findall(r"\w+", cell)}

    assert fields <= {"kind"} | VALUES.keys() | named


def test_the_rules_in_the_text_are_rules():
    """Those for the shell, and the file."""
    lines = re.findall(r"^browser-use-async (serve .*)$", TEXT, re.MULTILINE)
    words = [word for line in lines for word in shlex.split(line) if " " in word]
    (content,) = re.findall(r"```json\n(.*?)```", TEXT, re.DOTALL)

    assert len([fault_from_text(word) for word in words]) == 3
    assert len(faults_from_json(json.loads(content))) == 1
