"""The statements of docs/testing.md are true."""

import json
import re
import shlex
from pathlib import Path

import attrs
import pytest

from browser_use_async.errors import ConfigurationError
from browser_use_async.server import Fault
from browser_use_async.server.faults import KINDS, fault_from_text, faults_from_json
from scripts import command_tables

PAGE = (Path(__file__).parents[3] / "docs" / "testing.md").read_text("utf-8")
TEXT = PAGE.partition("\n## Faults on purpose\n")[2].partition("\n## ")[0]
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


@pytest.mark.parametrize("name", KINDS)
def test_what_a_kind_takes(name: str):
    """The fields of its row are the only ones that a kind accepts; it needs some of them."""
    kind = KINDS[name]
    needed = {field: VALUES[field] for field, is_needed in kind.fields.items() if is_needed}
    taken = {field: VALUES[field] for field in kind.fields}

    Fault(name, **needed)
    Fault(name, **taken)
    for field in needed:
        with pytest.raises(ConfigurationError, match=f"{field}: .* needs it"):
            Fault(name, **{key: value for key, value in taken.items() if key != field})
    for field in VALUES.keys() - taken.keys():
        with pytest.raises(ConfigurationError, match=f"{field}: .* has none"):
            Fault(name, **taken, **{field: VALUES[field]})


def test_each_kind_has_a_row():
    """With its sentence and its fields, on the page of testing."""
    rows = command_tables.faults().splitlines()[2:]

    assert [row.split("`")[1] for row in rows] == list(KINDS)
    (row,) = [each for each in rows if each.startswith("| `truncate` | The body ends after")]
    assert row.endswith(" | yes | `at_byte`, `by` |")
    assert "<!-- faults -->" in TEXT


def test_the_fields_that_choose_calls_are_listed():
    """Those of the kinds stand in the table of kinds, the others in the next."""
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
