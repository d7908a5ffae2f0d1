"""Answers that a scripted server generates for a schema: valid, always the same, or refused."""

import contextlib
import dataclasses
import datetime as dt
import enum
import json
from decimal import Decimal
from typing import Annotated, Any, Literal, Optional, TypedDict
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import AnyUrl, BaseModel, Field, TypeAdapter, create_model

from browser_use_async.server.executors.protocol import CannotContinueError
from browser_use_async.server.executors.schema_instance import instance_of
from browser_use_async.structured_output.parse import parse_output
from browser_use_async.structured_output.schema import output_schema


def _made(schema: object) -> Any:
    return instance_of(json.dumps(schema))


class Color(enum.Enum):
    """An enumeration."""

    RED = "red"
    BLUE = "blue"


class Leaf(BaseModel):
    """One of two variants, distinguished by `kind`."""

    kind: Literal["leaf"]
    weight: Annotated[float, Field(gt=0)]


class Node(BaseModel):
    """A record that contains itself, in a list and in a field."""

    kind: Literal["node"]
    children: list[Annotated["Leaf | Node", Field(discriminator="kind")]]
    parent: Optional["Node"] = None


class Everything(BaseModel):
    """A field of each kind."""

    name: Annotated[str, Field(min_length=1, max_length=40)]
    color: Color
    colors: Annotated[set[Color], Field(min_length=1)]
    count: Annotated[int, Field(ge=0, lt=10)]
    ratio: Annotated[float, Field(gt=0, le=1)]
    price: Decimal
    when: dt.datetime
    day: dt.date
    at: dt.time
    lasting: dt.timedelta
    page: AnyUrl
    id: UUID
    pair: tuple[int, str]
    prices: dict[str, int]
    items: Annotated[list[str], Field(min_length=4)]
    maybe: str | None
    either: int | str
    tree: Node
    anything: Any
    flag: bool
    nothing: None = None


def test_a_model_with_everything_is_answered():
    """Enumerations, formats, unions, references, recursion; bounds that usual values keep."""
    schema = json.dumps(Everything.model_json_schema())
    value = instance_of(schema)

    model = Everything.model_validate(value)
    assert model.maybe == "Example maybe"
    assert model.colors == {Color.RED}
    assert len(model.items) == 4
    assert instance_of(schema) == value


@dataclasses.dataclass
class Price:
    """A dataclass that contains itself."""

    product: str
    cents: int
    exact: Decimal
    day: dt.date
    seen: dt.datetime
    color: Color
    parts: "list[Price]"
    pair: tuple[int, str]
    more: dict[str, float]
    tags: set[str]
    size: Literal["S", "M"] | None = None


class Shop(TypedDict):
    """A TypedDict."""

    name: str
    prices: list[Price]


def _lists(text: object, depth: int) -> dict[str, Any]:
    part: Any = text
    for _ in range(depth):
        part = {"minItems": 10, "items": part}
    return part


@pytest.mark.parametrize(
    "schema",
    [
        _lists({"type": "null"}, 4),
        _lists({"const": "c" * 50_000}, 3),
        _lists({"properties": {"n" * 30_000: {"type": "null"}}, "required": ["n" * 30_000]}, 3),
        {"minItems": 10**12},
    ],
    ids=["lists", "constants", "names", "items"],
)
def test_the_answer_is_bounded(schema):
    """A schema of a few bytes may require an answer of hundreds of megabytes, which is refused."""
    with pytest.raises(CannotContinueError, match="too large"):
        _made(schema)


def test_lists_of_options_do_not_double():
    """`allOf` within `allOf`, twice at each level, is as large as its parts."""
    parts: dict[str, Any] = {"x40": {"type": "string"}, "y40": {"type": "string", "minLength": 1}}
    for level in range(40):
        inner = [{"$ref": f"#/$defs/x{level + 1}"}, {"$ref": f"#/$defs/y{level + 1}"}]
        parts[f"x{level}"] = {"allOf": inner}
        parts[f"y{level}"] = {"allOf": inner[::-1]}

    with pytest.raises(CannotContinueError, match="more than can be read"):
        _made({"$ref": "#/$defs/x0", "$defs": parts})


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "number", "multipleOf": 0},
        {"type": "string", "minLength": "5"},
        {"type": "string", "format": []},
        {"type": "string", "pattern": 5},
        {"type": "array", "minItems": None},
        {"type": "object", "properties": 1},
        {"type": "object", "required": 1},
        {"type": "object", "minProperties": "a", "additionalProperties": True},
        {"allOf": 3},
        {"allOf": [{"minimum": 1}, {"minimum": "a"}]},
        {"anyOf": 3},
        {"title": "t" * 200_000},
    ],
)
def test_a_malformed_schema_is_refused(schema):
    """With the reason, and never with another kind of exception."""
    with pytest.raises(CannotContinueError):
        _made(schema)


@given(st.recursive(
    st.none() | st.booleans() | st.integers(-2, 3) | st.sampled_from(["a", "string", "^a+$"]),
    lambda each: st.lists(each, max_size=3) | st.dictionaries(st.sampled_from([
        "type", "properties", "items", "prefixItems", "anyOf", "allOf", "required", "enum",
        "const", "$ref", "pattern", "format", "minLength", "multipleOf", "minimum", "minItems",
        "maxItems", "uniqueItems", "additionalProperties", "patternProperties", "propertyNames",
        "minProperties", "maxProperties",
    ]), each, max_size=4),
    max_leaves=20,
))  # fmt: skip
def test_any_json_is_answered_or_refused(schema):
    """Whatever a keyword contains, there is an answer or a reason."""
    with contextlib.suppress(CannotContinueError):
        json.dumps(_made(schema))


@pytest.mark.parametrize("kind", [Price, list[Price], Shop, dict[str, Shop], int | None, list[Any]])
def test_our_own_types_are_answered(kind):
    """Dataclasses, TypedDicts and containers of them: the answer can be parsed."""
    answer = json.dumps(instance_of(output_schema(kind)))

    parse_output(answer, kind)


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "string"}, "Example"),
        ({"type": ["null", "integer"]}, 1),
        ({"anyOf": [{"type": "null"}, {"const": 7}]}, 7),
        ({"enum": [None, "a"]}, "a"),
        ({"type": "object", "properties": {"b": {}, "a": {"type": "null"}}, "required": ["a"]},
         {"b": "Example b", "a": None}),
        ({"type": "array", "items": {"type": "integer"}, "minItems": 3}, [1, 1, 1]),
        ({"type": "array", "items": {"type": "integer"}, "uniqueItems": True}, [1]),
        ({"type": "array", "items": {"type": "boolean"}, "maxItems": 0}, []),
        ({"type": "array", "prefixItems": [{"type": "integer"}], "items": False}, [1]),
        ({"type": "integer", "minimum": 0, "maximum": 7, "multipleOf": 1}, 1),
        ({"type": "number", "multipleOf": 0.1, "exclusiveMinimum": 0}, 1.0),
        ({"allOf": [{"minimum": 0}, {"type": "integer", "minimum": 1}]}, 1),
        ({"type": "object", "additionalProperties": {"type": "integer"}}, {}),
        ({"type": "string", "format": "ipv6"}, "2001:db8::1"),
        ({"enum": [True, 2, "a"], "type": "integer"}, 2),
        ({"enum": ["a", "b"], "const": "b"}, "b"),
        ({"$ref": "#/$defs/a~1b", "$defs": {"a/b": {"const": 1}}}, 1),
        ({}, "Example"),
    ],
)  # fmt: skip
def test_what_is_answered(schema, value):
    """The shortest complete value, as a person would write it."""
    assert _made(schema) == value


@pytest.mark.parametrize(
    ("schema", "problem"),
    [
        ({"required": ["a"], "properties": {"a": False}}, "False is no schema"),
        ({"type": "integer", "minimum": 3}, r"\$: the keyword 'minimum' wants another"),
        ({"type": "integer", "exclusiveMinimum": 1}, "'exclusiveMinimum' wants"),
        ({"type": "integer", "maximum": 0}, "'maximum' wants"),
        ({"type": "number", "exclusiveMaximum": 1}, "'exclusiveMaximum' wants"),
        ({"type": "number", "multipleOf": 10}, "'multipleOf' wants"),
        ({"properties": {"a": {"type": "string", "pattern": "^a$"}}, "required": ["a"]},
         r"\$\.a: the keyword 'pattern' is not supported"),
        ({"type": "string", "format": "email", "maxLength": 3}, "'maxLength' wants"),
        ({"type": "string", "minLength": 30}, "'minLength' wants another value than \"Example\""),
        ({"type": "string", "format": "json-pointer"}, "no text of format 'json-pointer' is known"),
        ({"propertyNames": {"maxLength": 3}, "additionalProperties": {}, "minProperties": 1},
         "'propertyNames' is not supported"),
        ({"type": "array", "items": {"enum": [1]}, "minItems": 2, "uniqueItems": True},
         "'uniqueItems' wants another value"),
        ({"type": "array", "items": False, "minItems": 1}, r"\$\[0\]: False is no schema"),
        ({"type": "array", "items": {}, "maxItems": 1, "minItems": 2}, "'minItems' wants"),
        ({"type": "object", "minProperties": 1}, "'minProperties' wants"),
        ({"not": {"type": "string"}}, "keyword 'not'"),
        ({"enum": ["a"], "type": "integer"}, "none of"),
        ({"$ref": "#/$defs/gone"}, "has no '#/"),
        ({"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a"}}}, "in a circle"),
        ({"$ref": "#/$defs/a", "$defs": {"a": {"allOf": [{"$ref": "#/$defs/a"}]}}}, "too deeply"),
        ({"$ref": "#/$defs/a",
          "$defs": {"a": {"properties": {"b": {"$ref": "#/$defs/a"}}, "required": ["b"]}}},
         "without an end"),
        ({"allOf": [{"type": "string"}, {"type": "null"}]}, "at once"),
    ],
)  # fmt: skip
def test_what_cannot_be_answered_is_named(schema, problem):
    """With the place, and the reason."""
    with pytest.raises(CannotContinueError, match=problem):
        _made(schema)


def test_models_that_contain_each_other_have_a_bounded_answer():
    """Twelve models, each with a field for all of them: a complete instance would be endless."""
    names = [f"m{number}" for number in range(12)]
    each = {name: {"anyOf": [{"$ref": f"#/$defs/{name}"}, {"type": "null"}]} for name in names}
    part = {"type": "object", "properties": each, "required": names}
    schema = {"$ref": "#/$defs/m0", "$defs": dict.fromkeys(names, part)}

    assert len(json.dumps(_made(schema))) < 100_000


# --- generated models -----------------------------------------------------------------------

_LENGTHS = st.integers(0, 8)


def _number_type(kind: type) -> Any:
    return st.integers(-50, 0).map(lambda low: Annotated[kind, Field(gt=low)])


_SCALARS = st.one_of(
    st.sampled_from(
        [str, int, float, bool, type(None), dt.date, dt.datetime, UUID, Decimal, Color]
    ),
    _LENGTHS.map(lambda most: Annotated[str, Field(max_length=30 + most)]),
    _number_type(int),
    _number_type(float),
    st.lists(st.sampled_from(["a", "b", 1, None]), min_size=1, unique=True).map(
        lambda members: Literal[tuple(members)]
    ),
)


def _model(fields: list[tuple[Any, bool]]) -> Any:
    parts = {
        f"field_{index}": (kind, ...) if required else (kind | None, None)
        for index, (kind, required) in enumerate(fields)
    }
    return create_model("Generated", **parts)


def _containers(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(
        st.tuples(inner, _LENGTHS).map(
            lambda pair: Annotated[list[pair[0]], Field(min_length=pair[1], max_length=8)]
        ),
        inner.map(lambda kind: dict[str, kind]),
        st.tuples(inner, inner).map(lambda pair: tuple[pair]),
        st.tuples(inner, inner).map(lambda pair: pair[0] | pair[1]),
        st.lists(st.tuples(inner, st.booleans()), max_size=4).map(_model),
    )


_TYPES = st.recursive(_SCALARS, _containers, max_leaves=6)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(_TYPES)
def test_the_answer_to_a_generated_model_is_valid(kind):
    """Pydantic's schema of any type has an answer that pydantic accepts."""
    adapter = TypeAdapter(kind)
    answer = json.dumps(instance_of(json.dumps(adapter.json_schema())))

    adapter.validate_json(answer)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(_TYPES)
def test_the_answer_parses_as_the_output_type(kind):
    """The whole way of an `output_type`: its schema, the answer, the parser."""
    model = create_model("Answer", answer=(kind, ...))
    answer = json.dumps(instance_of(output_schema(model)))

    assert isinstance(parse_output(answer, model), model)
