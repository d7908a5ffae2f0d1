import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from browser_use_async.server.executors.answers.by_name import ValueNotFoundError, learn, read
from browser_use_async.server.executors.answers.spelling import Spelling
from browser_use_async.server.executors.protocol import CannotContinueError
from browser_use_async.server.executors.schema import Schema
from tests.server.scripts.trees import page

PAGE = page("<title>T</title><h1>H</h1><a href=/l>L</a><dl><dt>a<dd>1</dl><p>words</p>")


def read_from_page(text: str) -> Any:
    """What a schema gets from the page."""
    return read(text, [PAGE], Spelling())


REFUSED = {
    "not json": "is not JSON",
    "[]": "an object",
    "7": "an object",
    '{"$ref": "#/$defs/x"}': "has no '#/\\$defs/x'",
    '{"$ref": "https://other.example/schema"}': "has no 'https",
    '{"$ref": 7}': "has no 7",
    '{"$ref": "#/title", "title": "x"}': "has no '#/title'",
    '{"$ref": "#"}': "in a circle",
    '{"anyOf": {}}': "no list in its anyOf",
    '{"allOf": 7}': "no list in its allOf",
    '{"enum": "x"}': "no list in its enum",
    '{"type": "text"}': "no known type in 'text'",
    '{"type": ["string", "words"]}': "no known type in 'words'",
    '{"type": {}}': "a type that is none",
    '{"type": "string", "anyOf": [{"type": 0}]}': "a type that is none",
    '{"type": "object", "properties": []}': "a properties that is none",
    '{"type": "object", "properties": {"a": 7}}': "no schema in 7",
    '{"type": "object", "properties": {"a": {}}, "required": "a"}': "a required that is none",
    '{"type": "array", "items": {}, "minItems": "1"}': "a minItems that is none",
    '{"type": "array", "items": [{}]}': "no schema in",
    '{"title": "a", "type": "number", "minimum": "0"}': "a minimum that is none",
    '{"allOf": [{"properties": 7}]}': "a properties that is none",
}


@pytest.mark.parametrize(("text", "reason"), REFUSED.items(), ids=list(REFUSED))
def test_broken_schema_is_refused(text, reason):
    """An invalid schema, or one with a missing reference, is refused with a sentence."""
    with pytest.raises(CannotContinueError, match=reason):
        read_from_page(text)


def test_schema_that_contains_itself_is_filled_as_far_as_the_page_goes():
    """A recursive schema ends where the page has no more data."""
    schema = {
        "type": "object",
        "properties": {"title": {"type": "string"}, "child": {"$ref": "#"}},
        "required": ["title"],
    }

    assert read_from_page(json.dumps(schema)) == {"title": "T"}


def test_lists_of_schemas_do_not_double():
    """40 levels of `allOf`, each twice in the one above, are refused and not expanded."""
    parts: dict[str, Any] = {"d40": {"type": "string"}}
    for level in range(40):
        parts[f"d{level}"] = {"allOf": [{"$ref": f"#/$defs/d{level + 1}"}] * 2}
    text = json.dumps({"$ref": "#/$defs/d0", "$defs": parts})

    assert len(text) < 4_000
    with pytest.raises(CannotContinueError, match="more than can be read"):
        read_from_page(text)


def test_a_schema_that_is_put_together_from_many_is_filled():
    """Duplicates count twice, which is allowed."""
    part = {"allOf": [{"$ref": "#/$defs/a"}, {"$ref": "#/$defs/b"}]}
    named = {"properties": {"title": {"type": "string"}}, "required": ["title"]}
    root = {**part, "$defs": {"a": {"type": "object"}, "b": {"allOf": [named, named]}}}

    assert read_from_page(json.dumps(root)) == {"title": "T"}


def test_a_schema_that_is_too_deep_is_refused():
    """300 levels, or alternatives that contain themselves; the message is not Python's."""
    deep: dict[str, Any] = {"type": "string"}
    for _ in range(300):
        deep = {"properties": {"a": deep}}

    for schema in (deep, {"anyOf": [{"$ref": "#"}]}):
        with pytest.raises(CannotContinueError, match="nested too deeply"):
            read_from_page(json.dumps(schema))


def test_a_schema_that_is_too_long_is_refused():
    """A schema of a megabyte is refused."""
    with pytest.raises(CannotContinueError, match="more than 100,000 characters"):
        Schema(json.dumps({"title": "t" * 100_000}))


@pytest.mark.long
def test_schema_out_of_proportion_is_refused():
    """Alternatives of alternatives of alternatives end at a limit."""
    definitions: dict[str, Any] = {"d0": {"type": "integer"}}
    for level in range(1, 25):
        definitions[f"d{level}"] = {"anyOf": [{"$ref": f"#/$defs/d{level - 1}"}] * 3}

    with pytest.raises(CannotContinueError, match="more than can be read"):
        read_from_page(json.dumps({"$defs": definitions, "$ref": "#/$defs/d24"}))


INTEGER, NUMBER = {"type": "integer"}, {"type": "number"}
CHOICE = {"enum": ["C", "C++", "-", "in stock", 3]}


@pytest.mark.parametrize(
    ("text", "schema", "value"),
    [
        ("12345678901234567890", INTEGER, 12345678901234567890),
        ("12'345'678.0", INTEGER, 12345678),
        ("1\u202f250,5", NUMBER, 1250.5),
        ("-7", INTEGER, -7),
        ("C++", CHOICE, "C++"),
        ("In stock!", CHOICE, "in stock"),
        ("3", CHOICE, 3),
        ("5 March 2026", {"type": "string", "format": "date"}, "2026-03-05"),
        ("n/a", {"type": ["integer", "null"]}, None),
        ("-", {"type": "null"}, None),
    ],
)
def test_texts_have_their_values(text, schema, value):
    """A value is all that the text means: no digit is lost, and no choice is taken for another."""
    root = page(f"<ul><li><b>Name: Lamp</b> <i class=value>{text}</i></ul>")
    item = {"type": "object", "properties": {"name": {"type": "string"}, "value": schema}}
    whole = {"type": "object", "properties": {"items": {"type": "array", "items": item}}}

    assert read(json.dumps(whole), [root], Spelling()) == {
        "items": [{"name": "Lamp", "value": value}]
    }


@pytest.mark.parametrize(
    "text",
    ["1.250", "10-20", "4 of 5", "1.2M", "7 8", "12345678901234567.25", "1,25,0", "", "Lamp"],
)
def test_other_texts_are_no_numbers(text):
    """What has several values, more than a number, or more digits than JSON keeps, is refused."""
    root = page(f"<dl><dt>Value<dd>{text}</dl>")
    schema = {"type": "object", "properties": {"value": NUMBER}, "required": ["value"]}

    with pytest.raises(ValueNotFoundError, match=r"^value "):
        read(json.dumps(schema), [root], Spelling())


def test_an_answer_tells_how_a_site_writes_dates():
    """A later date could be either of two days, if the first run had not shown which."""
    schema = json.dumps(
        {"type": "object", "properties": {"day": {"type": "string", "format": "date"}}}
    )
    first, later = (page(f"<dl><dt>Day<dd>{day}</dl>") for day in ("03/04/2026", "05/06/2026"))
    spelling, unread = learn(schema, {"day": "2026-04-03"}, [first])

    assert (spelling.dates, unread) == (("%d/%m/%Y",), [])
    assert read(schema, [later], spelling) == {"day": "2026-06-05"}
    assert learn(schema, {"day": "2026-03-03"}, [page("<dl><dt>Day<dd>3/3/26</dl>")])[1] == ["day"]


def test_a_page_without_links_has_no_list_of_them():
    """A list that the page has not is refused, and is not empty."""
    item = {"type": "object", "properties": {"text": {"type": "string"}, "url": {"type": "string"}}}
    links = {"type": "object", "properties": {"links": {"type": "array", "items": item}}}
    schema = json.dumps({**links, "required": ["links"]})

    assert read(schema, [PAGE], Spelling())["links"] == [
        {"text": "L", "url": "https://site.example/l"}
    ]
    with pytest.raises(ValueNotFoundError, match="links is no list on the page"):
        read(schema, [page("<title>Lonely</title>")], Spelling())


KEYWORDS = st.sampled_from(
    "type properties items anyOf oneOf allOf $ref $defs enum const required format minItems"
    " maxItems additionalProperties title nullable minimum".split()
)
WORDS = st.sampled_from(
    "string number integer boolean object array null # #/$defs/a a b c links title date".split()
)
SCHEMAS = st.recursive(
    WORDS | st.integers(-2, 3) | st.booleans() | st.none(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(KEYWORDS | st.sampled_from("abc"), inner, max_size=4)
    ),
    max_leaves=12,
)


@pytest.mark.long
@settings(max_examples=500)
@given(st.dictionaries(KEYWORDS, SCHEMAS, max_size=4))
@pytest.mark.timeout(180)
def test_any_schema_is_filled_or_refused(schema):
    """For any JSON as a schema, the result is JSON or one of the two refusals."""
    try:
        value = read_from_page(json.dumps(schema))
    except (ValueNotFoundError, CannotContinueError):
        return
    json.dumps(value, allow_nan=False)
