import json
from pathlib import Path
from typing import Any

import pytest

from browser_use_async.api.converter import unstructure
from browser_use_async.api.serialization import decode_response
from tests.api import read_off_resources, read_off_tasks
from tests.api.answers import ROWS

SAMPLES = Path(__file__).parents[1] / "samples"
FILES = sorted(SAMPLES.glob("*/*"))
EXPECTED = {**read_off_tasks.EXPECTED, **read_off_resources.EXPECTED}


def _case(path: Path) -> str:
    return path.relative_to(SAMPLES).as_posix()


def _extras(value: Any) -> list[dict[str, Any]]:
    """The unknown fields of a response and of everything in it."""
    lists = [getattr(value, name, ()) for name in ("steps", "tasks", "profiles", "results")]
    children = [child for each in lists for child in each]
    return [value.extra, *(child.extra for child in children)]


def test_every_row_has_a_sample():
    """Each call of the table has response bytes that were transcribed by hand."""
    assert {path.parent.name for path in FILES} == set(ROWS)


def test_every_sample_has_an_expectation():
    """Each sample is read by a test, and each expectation has its sample."""
    assert {_case(path) for path in FILES} == set(EXPECTED)


@pytest.mark.parametrize("path", FILES, ids=_case)
def test_sample(path):
    """The bytes decode to exactly the expected values."""
    expected = EXPECTED[_case(path)]

    decoded = decode_response(ROWS[path.parent.name], path.read_bytes())

    assert decoded == expected
    # Equality alone would accept plain text for an enum's value.
    assert repr(decoded) == repr(expected)
    assert type(decoded) is type(expected)


@pytest.mark.parametrize("path", FILES, ids=_case)
def test_sample_shows_no_secret(path):
    """No value of a sample that grants access is in the text of the decoded value."""
    decoded = decode_response(ROWS[path.parent.name], path.read_bytes())

    assert "canary" not in repr(decoded)


@pytest.mark.parametrize(
    "path", [each for each in FILES if hasattr(EXPECTED[_case(each)], "extra")], ids=_case
)
def test_sample_round_trip(path):
    """The bundled server's JSON of a decoded sample decodes to the same again."""
    row = ROWS[path.parent.name]
    decoded = decode_response(row, path.read_bytes())

    again = decode_response(row, json.dumps(unstructure(decoded)).encode())
    for extra in _extras(decoded):
        extra.clear()

    assert again == decoded
