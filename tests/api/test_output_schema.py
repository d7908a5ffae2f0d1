"""Output types as JSON schemas, and the types that are refused."""

import enum
import json
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Generic, Literal, NewType, NotRequired, TypedDict, TypeVar

import attrs
import pydantic
import pydantic.dataclasses
import pytest

from browser_use_async.errors import InvalidRequestError
from browser_use_async.structured_output.parse import parse_output
from browser_use_async.structured_output.schema import output_schema
from tests.api import postponed

T = TypeVar("T")
Name = NewType("Name", str)


class Colour(enum.Enum):
    """A colour."""

    RED = "red"
    BLUE = "blue"


@attrs.define
class Item:
    """One item of the page."""

    name: str
    price: float = 0.0
    hidden: int = attrs.field(init=False, default=1)


@dataclass
class Page:  # noqa: D101 - without a docstring on purpose
    items: list[Item]
    best: Item | None = None
    tags: set[str] = field(default_factory=set)


class Row(TypedDict):
    """A row."""

    number: int
    note: NotRequired[str]


@attrs.define
class Twin(Item):
    """Another class with the same fields."""


@attrs.define
class Tree:
    """A class that contains itself."""

    value: int
    children: "list[Tree]"


class Leaf(pydantic.BaseModel):
    """A model."""

    name: str


class Branch(pydantic.BaseModel):
    """A model that contains models."""

    leaf: Leaf
    branches: "list[Branch]" = []


@pydantic.dataclasses.dataclass
class Priced:
    """What something costs."""

    cents: Annotated[int, pydantic.Field(ge=1, le=500)]
    of: str = pydantic.Field(alias="from", description="The shop")


def _schema(kind: Any) -> Any:
    return json.loads(output_schema(kind))


@pytest.mark.parametrize(
    ("kind", "schema"),
    [
        (str, {"type": "string"}),
        (int, {"type": "integer"}),
        (float, {"type": "number"}),
        (Decimal, {"type": "number"}),
        (bool, {"type": "boolean"}),
        (datetime, {"type": "string", "format": "date-time"}),
        (date, {"type": "string", "format": "date"}),
        (Any, {}),
        (list, {"type": "array", "items": {}}),
        (dict, {"type": "object", "additionalProperties": {}}),
        (list[int], {"type": "array", "items": {"type": "integer"}}),
        (Sequence[int], {"type": "array", "items": {"type": "integer"}}),
        (set[int], {"type": "array", "items": {"type": "integer"}, "uniqueItems": True}),
        (tuple[int, ...], {"type": "array", "items": {"type": "integer"}}),
        (
            tuple[int, str],
            {
                "type": "array",
                "prefixItems": [{"type": "integer"}, {"type": "string"}],
                "minItems": 2,
                "maxItems": 2,
            },
        ),
        (dict[str, int], {"type": "object", "additionalProperties": {"type": "integer"}}),
        (Mapping[str, Any], {"type": "object", "additionalProperties": {}}),
        (int | None, {"anyOf": [{"type": "integer"}, {"type": "null"}]}),
        (int | str, {"anyOf": [{"type": "integer"}, {"type": "string"}]}),
        (Literal["a", 1, True], {"enum": ["a", 1, True]}),
        (Literal[Colour.RED], {"enum": ["red"]}),
        (Colour, {"enum": ["red", "blue"]}),
        (Name, {"type": "string"}),
        (Annotated[int, "of something"], {"type": "integer"}),
    ],
    ids=str,
)
def test_the_fields_of_a_class_of_cattrs(kind, schema):
    """Each kind of field has an equivalent schema."""
    assert _schema(attrs.make_class("Of", {"field": attrs.field(type=kind)})) == {
        "type": "object",
        "title": "Of",
        "properties": {"field": schema},
        "required": ["field"],
    }


def test_an_attrs_class():
    """Fields with defaults are optional, fields outside `__init__` left out, the docstring kept."""
    assert _schema(Item) == {
        "type": "object",
        "title": "Item",
        "description": "One item of the page.",
        "properties": {"name": {"type": "string"}, "price": {"type": "number"}},
        "required": ["name"],
    }


def test_a_dataclass_with_classes_inside():
    """Classes inside are definitions; the generated docstring of a dataclass is left out."""
    schema = _schema(Page)

    assert schema["required"] == ["items"]
    assert schema["properties"]["items"] == {"type": "array", "items": {"$ref": "#/$defs/Item"}}
    assert schema["properties"]["best"]["anyOf"][1] == {"type": "null"}
    assert list(schema["$defs"]) == ["Item"]
    assert "description" not in schema


def test_a_typed_dict():
    """What is not required is not among the required."""
    assert _schema(Row)["required"] == ["number"]


def test_classes_that_contain_themselves():
    """The top level is written out, and the definition stays for lower levels."""
    schema = _schema(Tree)

    assert schema["properties"]["children"]["items"] == {"$ref": "#/$defs/Tree"}
    assert schema["$defs"]["Tree"]["properties"] == schema["properties"]
    assert _schema(postponed.Part)["properties"]["of"] == {
        "anyOf": [{"$ref": "#/$defs/Part"}, {"type": "null"}]
    }


def test_classes_with_one_name_are_kept_apart():
    """Two classes of one name have a definition each."""
    names = ("name", "price"), ("other",)
    items = [attrs.make_class("Item", {each: attrs.field(type=str) for each in of}) for of in names]
    both = attrs.make_class(
        "Both", {"a": attrs.field(type=items[0]), "b": attrs.field(type=items[1])}
    )

    schema = _schema(both)

    references = [each["$ref"].removeprefix("#/$defs/") for each in schema["properties"].values()]
    assert [tuple(schema["$defs"][each]["properties"]) for each in references] == [*names]


@pytest.mark.parametrize("kind", [Leaf, Branch, Priced, list[Priced], dict[str, Branch | Leaf]])
def test_what_pydantic_reads_has_its_schema(kind):
    """Bounds, aliases and descriptions are in it, at the top and inside."""
    assert _schema(kind) == pydantic.TypeAdapter(kind).json_schema()


@attrs.define
class Box(Generic[T]):
    """A generic class."""

    value: T


@dataclass
class Unresolved:
    """An undefined name."""

    value: "NowhereDefined"  # type: ignore[name-defined]  # noqa: F821


class Arbitrary(pydantic.BaseModel):
    """A model without a schema."""

    model_config = pydantic.ConfigDict(arbitrary_types_allowed=True)
    value: Box[int]


@attrs.define
class Mixed:
    """An attrs class, which pydantic does not know, with a model, which cattrs does not know."""

    leaf: Leaf


@pytest.mark.parametrize(
    ("kind", "problem"),
    [
        (type, "cattrs cannot read <class 'type'>"),
        (Callable, "cattrs cannot read "),
        (Callable[[], int], "cattrs cannot read "),
        (Box[int], "cattrs cannot read "),
        (Unresolved, "'NowhereDefined' is not defined"),
        (Arbitrary, "cattrs cannot read <class 'tests.api.test_output_schema.Arbitrary'>"),
        (Mixed, "cattrs cannot read <class 'tests.api.test_output_schema.Leaf'>"),
        (list[Item | Leaf], "cattrs cannot read tests.api.test_output_schema.Item | "),
        (dict[int, Item], "cattrs cannot read dict[int, "),
        (set[Item], "cattrs cannot read set["),
        (list[Item] | dict[str, Item], "cattrs cannot read list["),
        (list[Item] | Item | None, "cattrs cannot read list["),
        (list[Row | Item], "cattrs cannot read "),
        (dict[str, Item | Twin | None], "non-default attributes"),
        (5, "cattrs cannot read 5"),
        ("Page", "cattrs cannot read 'Page'"),
        (Ellipsis, "cattrs cannot read Ellipsis"),
    ],
    ids=str,
)
def test_types_that_neither_library_reads_are_refused(kind, problem):
    """A type that could not be parsed later is refused now, with one sentence that names it."""
    with pytest.raises(InvalidRequestError) as caught:
        output_schema(kind)

    text = str(caught.value)
    assert caught.value.field == "output_type"
    assert text.startswith(f"output_type: {kind!r} cannot be used: ")
    assert problem in text
    assert text.endswith("nothing was sent")
    assert "\n" not in text


_WITHOUT = """
import sys
from dataclasses import dataclass
from typing import Literal
sys.modules.update(dict.fromkeys(["pydantic", "pydantic_core"]))
from browser_use_async.errors import InvalidRequestError
from browser_use_async.structured_output.schema import json_value, output_schema

@dataclass
class Office:
    city: str
    floors: tuple[int, ...] = ()

print(output_schema(list[Office]))
print(json_value([Office("Oslo", (1, 2))]))
for kind in (bytes, Literal[b"x"], object):
    try:
        print(output_schema(kind))
    except InvalidRequestError as error:
        assert "pydantic" in str(error) and str(error).endswith("nothing was sent")
"""


def test_schemas_without_pydantic():
    """Dataclasses and containers have a schema of cattrs, and what it cannot read is refused."""
    result = subprocess.run(
        [sys.executable, "-c", _WITHOUT], check=False, capture_output=True, text=True, timeout=60
    )

    assert result.returncode == 0, result.stderr
    schema, value = result.stdout.splitlines()
    assert json.loads(schema) == {
        "type": "array",
        "items": {"$ref": "#/$defs/Office"},
        "$defs": {
            "Office": {
                "type": "object",
                "title": "Office",
                "properties": {
                    "city": {"type": "string"},
                    "floors": {"type": "array", "items": {"type": "integer"}},
                },
                "required": ["city"],
            }
        },
    }
    assert value == "[{'city': 'Oslo', 'floors': [1, 2]}]"


# In a text, since older versions of Python cannot read it.
NAMED = """
type Json = dict[str, Json] | list[Json] | int
type Items = list[Item]
type Number = Integer | float
type Integer = int | bool
type Itself = Itself
type Unknown = Missing
"""


@pytest.mark.skipif(sys.version_info < (3, 12), reason="`type` statements came with Python 3.12")
def test_named_types():
    """A name is replaced by its type; one without a type is refused."""
    names: dict[str, Any] = {"Item": Item}
    exec(NAMED, names)

    assert parse_output('{"a": [1, {"b": 2}]}', names["Json"]) == {"a": [1, {"b": 2}]}
    assert _schema(names["Items"])["items"] == {"$ref": "#/$defs/Item"}
    assert parse_output('[{"name": "a"}]', names["Items"]) == [Item("a")]
    assert parse_output("1.5", names["Number"]) == 1.5
    for wrong in ("Itself", "Unknown"):
        with pytest.raises(InvalidRequestError, match="nothing was sent"):
            output_schema(list[names[wrong]])
