"""The statements of docs/testing.md are true."""

import json
import re
import shlex
from pathlib import Path

import pytest

from browser_use_async.errors import ConfigurationError
from browser_use_async.server import Fault
from browser_use_async.server.faults import KINDS, fault_from_text, faults_from_json

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
def test_what_a_kind_takes(name):
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


def test_the_rules_in_the_text_are_rules():
    """These are the rules for the shell, and the file."""
    lines = re.findall(r"^browser-use-async (serve .*)$", TEXT, re.MULTILINE)
    words = [word for line in lines for word in shlex.split(line) if " " in word]
    (content,) = re.findall(r"```json\n(.*?)```", TEXT, re.DOTALL)

    assert len([fault_from_text(word) for word in words]) == 1
    assert len(faults_from_json(json.loads(content))) == 1
