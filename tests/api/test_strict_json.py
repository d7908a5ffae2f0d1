import importlib.util
import json
import sys
from types import ModuleType

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from browser_use_async.api import json as strict_json

CANARY = "canary-4711"


def _without_orjson() -> ModuleType:
    """The module without orjson."""
    spec = importlib.util.spec_from_file_location("strict_json_alone", strict_json.__file__)
    assert spec is not None
    assert spec.loader is not None
    alone = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "orjson", None)
        spec.loader.exec_module(alone)
    return alone


WAYS = [strict_json, _without_orjson()]
either_way = pytest.mark.parametrize("way", WAYS, ids=["with orjson", "without"])
DEPTH = 100_000

HOSTILE = {
    "empty": b"",
    "white space only": b" \r\n\t",
    "trailing junk": f'{{"a": "{CANARY}"}} {CANARY}'.encode(),
    "two values": b'"finished""failed"',
    "not JSON at all": f"<html>{CANARY}</html>".encode(),
    "cut short": f'{{"a": "{CANARY}'.encode(),
    "single quotes": f"{{'{CANARY}': 1}}".encode(),
    "trailing comma": f'["{CANARY}",]'.encode(),
    "comment": f'{{"a": 1}} // {CANARY}'.encode(),
    "control character": f'"{CANARY}\n"'.encode(),
    "bad escape": f'"{CANARY}\\x"'.encode(),
    "bad unicode escape": f'"{CANARY}\\u12"'.encode(),
    "leading zero": b"007",
    "bare plus": b"+1",
    "NaN": b'{"a": NaN}',
    "Infinity": b"[Infinity]",
    "minus Infinity": b"-Infinity",
    "number beyond a float": b'{"a": 1e999}',
    "number beyond a float, written as orjson writes": b'{"a":1e999}',
    "number below a float": b"[-1e400]",
    "largest float and a bit": b"1.7976931348623159e308",
    "many digits and a fraction": b"9" * 400 + b".5",
    "duplicate key": f'{{"{CANARY}": 1, "{CANARY}": 2}}'.encode(),
    "duplicate key far inside": f'{{"a": [{{"{CANARY}": 1, "b": 2, "{CANARY}": 1}}]}}'.encode(),
    "duplicate key by escape": b'{"a": 1, "\\u0061": 2}',
    "deep array": b"[" * DEPTH + b"]" * DEPTH,
    "deep object": b'{"a":' * DEPTH + b"1" + b"}" * DEPTH,
    "deep and open": b"[" * DEPTH,
    "integer of 5000 digits": b"[" + b"7" * 5000 + b"]",
    "byte-order mark": b"\xef\xbb\xbf" + f'"{CANARY}"'.encode(),
    "UTF-16": f'"{CANARY}"'.encode("utf-16"),
    "UTF-16 without a mark": f'"{CANARY}"'.encode("utf-16-le"),
    "UTF-32": f'"{CANARY}"'.encode("utf-32"),
    "Latin-1": f'"{CANARY} é"'.encode("latin-1"),
    "cut inside a character": '"é"'.encode()[:2] + b'"',
    "surrogate in UTF-8": b'"\xed\xa0\x80"',
    "high surrogate alone": f'"{CANARY}\\ud83d"'.encode(),
    "low surrogate alone": f'["{CANARY}", {{"a": "\\uDE00 "}}]'.encode(),
    "surrogate alone between escapes": b'["\\n", "\\ud83d", "\\t"]',
    "surrogate alone after escapes": b'["\\n", "\\t", "\\udfff"]',
    "surrogate alone before escapes": b'["\\uDBFF\\n", "\\t"]',
    "surrogates the wrong way round": b'"\\ude00\\ud83d"',
    "surrogate in a key": b'{"\\ud83d": 1}',
    "zero bytes": b"\x00\x00",
}


@either_way
@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE)
def test_hostile_text_is_refused(body, way):
    """Malformed JSON raises the one typed error, which quotes nothing of it."""
    with pytest.raises(way.JsonRefusedError) as caught:
        way.read_json(body)

    error = caught.value
    assert CANARY not in f"{error} {error!r} {error.args} {vars(error)}"
    assert len(str(error)) < 100
    # The standard library's exceptions contain the whole text, so none may be chained.
    assert error.__context__ is None
    assert error.__cause__ is None


@either_way
@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"null", None),
        (b" true\n", True),
        (b"-0.5e-3", -0.0005),
        (b"12345678901234567890", 12345678901234567890),
        (b'"\\ud83d\\ude00 \\u00e9"', "😀 é"),
        ('"😀 é"'.encode(), "😀 é"),
        (b'"\\\\ud83d"', "\\ud83d"),
        (b'{"a": {"a": [{}, []]}, "b": ""}', {"a": {"a": [{}, []]}, "b": ""}),
        (b'"\\u0000"', "\x00"),
        (b"[" * 100 + b"]" * 100, None),
    ],
)
def test_clean_text_is_read(body, expected, way):
    """Everything that RFC 8259 allows is read as by the standard library."""
    assert way.read_json(body) == (json.loads(body) if expected is None else expected)


@either_way
def test_the_place_of_a_mistake_is_named(way):
    """The message has the place of the mistake, in characters from the start."""
    with pytest.raises(way.JsonRefusedError, match="at character 8"):
        way.read_json(b'{"a": 1 "b": 2}')


def test_a_refusal_is_a_value_error():
    """Code that expects json.loads to raise ValueError still works."""
    assert issubclass(strict_json.JsonRefusedError, ValueError)


def _same_both_ways(body: bytes) -> None:
    """A value that the standard library reads too, or a refusal, with orjson and without."""
    read = []
    for way in WAYS:
        try:
            read.append(way.read_json(body))
        except way.JsonRefusedError as refusal:
            read.append(str(refusal))
        else:
            # Written out, because 1 == 1.0 == True.
            assert repr(read[-1]) == repr(json.loads(body))
    assert repr(read[0]) == repr(read[1])


@given(st.binary())
@example(b"1e999999")
@example(b"-")
@example(b'"\\u')
@example(b"\xff\xfe")
@example(b"N")
def test_any_bytes(body):
    """Any bytes give a value or the typed error, and never anything else."""
    _same_both_ways(body)


@given(st.text(alphabet='{}[]",:\\ud83de0123456789.-+ntfalsrN \n'))
def test_any_text_of_json_characters(text):
    """The same for texts that look like JSON and are parsed further by the decoder."""
    _same_both_ways(text.encode())


_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@pytest.mark.long
@given(_VALUES, st.booleans(), st.sampled_from([(",", ":"), (", ", ": ")]))
def test_round_trip(value, ascii_only, separators):
    """Every JSON value that Python writes, in each layout, is read unchanged."""
    body = json.dumps(value, ensure_ascii=ascii_only, separators=separators).encode()
    for way in WAYS:
        assert repr(way.read_json(body)) == repr(value)


LARGE = [
    b"18446744073709551616",
    b"-0",
    b"1.0",
    b"1e2",
    b"-9223372036854775809",
    b"1.7976931348623157e308",
    b"-1e-400",
    b"[1E5]",
]


@pytest.mark.parametrize("body", [*LARGE, *(b'{"a":' + each + b"}" for each in LARGE)])
def test_numbers_keep_their_value(body):
    """Integers stay exact and floats stay floats, however large, with orjson too."""
    _same_both_ways(body)


@either_way
def test_skimming_reads_what_reading_reads(way):
    """Valid text gives the same value, and invalid JSON raises ValueError."""
    assert way.skim_json(b'{"a": [1, "\xc3\xa9"]}') == {"a": [1, "é"]}
    with pytest.raises(ValueError):
        way.skim_json(b"<html>")
