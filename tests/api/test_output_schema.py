"""Output types as JSON schemas, and the types that are refused."""

import enum
import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import InitVar, dataclass, field
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
        (object, {}),
        (list, {"type": "array", "items": {}}),
        (dict, {"type": "object", "additionalProperties": {}}),
        (list[int], {"type": "array", "items": {"type": "integer"}}),
        (Sequence[int], {"type": "array", "items": {"type": "integer"}}),
        (Iterable[int], {"type": "array", "items": {"type": "integer"}}),
        (set[int], {"type": "array", "items": {"type": "integer"}, "uniqueItems": True}),
        (AbstractSet[int], {"type": "array", "items": {"type": "integer"}, "uniqueItems": True}),
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
        (tuple[()], {"type": "array", "minItems": 0, "maxItems": 0}),
        (dict[str, int], {"type": "object", "additionalProperties": {"type": "integer"}}),
        (Mapping[Name, Any], {"type": "object", "additionalProperties": {}}),
        (
            dict[Colour, bool],
            {
                "type": "object",
                "additionalProperties": {"type": "boolean"},
                "propertyNames": {"enum": ["red", "blue"]},
            },
        ),
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
def test_simple_types(kind: Any, schema: Any):
    """Each kind of type has an equivalent schema."""
    assert _schema(kind) == schema


def test_an_attrs_class():
    """Fields with defaults are optional, fields outside `__init__` left out, the docstring kept."""
    assert _schema(Item) == {
        "type": "object",
        "title": "Item",
        "description": "One item of the page.",
        "properties": {"name": {"type": "string"}, "price": {"type": "number"}},
        "required": ["name"],
    }


@attrs.define
class Tagged:
    """Fields with aliases and converters."""

    of_class: str = attrs.field(alias="kind")
    number: int = attrs.field(converter=int)
    _note: str = ""
    _hidden: str = attrs.field(default="", alias="shown")


def test_aliases_and_converters_of_attrs():
    """A given alias is the key, attrs' own one is not; a converter changes nothing."""
    schema = _schema(Tagged)

    assert schema["properties"] == {
        "kind": {"type": "string"},
        "number": {"type": "integer"},
        "_note": {"type": "string"},
        "shown": {"type": "string"},
    }
    assert schema["required"] == ["kind", "number"]


@pytest.mark.skipif(
    not hasattr(attrs.fields(Tagged).number, "alias_is_default"), reason="attrs before 26.1"
)
def test_an_alias_equal_to_that_of_attrs():
    """It counts as given."""

    @attrs.define
    class Private:
        _number: int = attrs.field(alias="number")

    assert list(_schema(Private)["properties"]) == ["number"]


def test_two_fields_with_one_key():
    """An alias that is the name of another field is ambiguous, and is refused."""

    @attrs.define
    class Twice:
        _number: int
        other: int = attrs.field(alias="_number")

    with pytest.raises(InvalidRequestError, match="two of its fields have one JSON key"):
        output_schema(Twice)


def test_a_dataclass_with_classes_inside():
    """Classes inside are definitions; the generated docstring of a dataclass is left out."""
    schema = _schema(Page)

    assert schema["required"] == ["items"]
    assert schema["properties"]["items"] == {"type": "array", "items": {"$ref": "#/$defs/Item"}}
    assert schema["properties"]["best"]["anyOf"][1] == {"type": "null"}
    assert list(schema["$defs"]) == ["Item"]
    assert "description" not in schema


def test_a_typed_dict():
    """`NotRequired` is seen, also where annotations are postponed."""
    assert _schema(Row)["required"] == ["number"]
    assert _schema(postponed.Row)["required"] == ["number"]
    assert _schema(postponed.Part)["properties"]["of"] == {
        "anyOf": [{"$ref": "#/$defs/Part"}, {"type": "null"}]
    }


def test_a_class_that_contains_itself():
    """The top level is written out, and the definition stays for lower levels."""
    schema = _schema(Tree)

    assert schema["properties"]["children"]["items"] == {"$ref": "#/$defs/Tree"}
    assert schema["$defs"]["Tree"]["properties"] == schema["properties"]


def test_a_pydantic_model_has_its_own_schema():
    """Its own schema is sent unchanged."""
    assert _schema(Branch) == Branch.model_json_schema()


@pydantic.dataclasses.dataclass
class Priced:
    """What something costs."""

    cents: Annotated[int, pydantic.Field(ge=1, le=500)]
    of: str = pydantic.Field(alias="from", description="The shop")


def test_a_dataclass_of_pydantic_has_its_own_schema():
    """Bounds, aliases and descriptions are in its schema, at the top and inside."""
    whole = pydantic.TypeAdapter(Priced).json_schema()

    assert _schema(Priced) == whole
    assert whole["properties"]["cents"]["maximum"] == 500
    assert _schema(list[Priced])["$defs"] == {"Priced": whole}


def test_pydantic_models_inside():
    """Their definitions move to the top, where references find them, recursive ones too."""
    schema = _schema(dict[str, Branch | Leaf])

    assert set(schema["$defs"]) == {"Branch", "Leaf"}
    assert schema["$defs"]["Leaf"]["properties"] == {"name": {"title": "Name", "type": "string"}}
    assert schema["$defs"]["Branch"]["properties"]["leaf"] == {"$ref": "#/$defs/Leaf"}


def test_classes_with_one_name_are_kept_apart():
    """Two classes of one name, and two models of one name, each have their own definition."""

    class Models:
        @attrs.define
        class Item:
            other: bool

        class Leaf(pydantic.BaseModel):
            other: bool

        class Twig(pydantic.BaseModel):
            leaf: "Models.Leaf"

    Models.Twig.model_rebuild(_types_namespace={"Models": Models})
    schema = _schema(tuple[Item, Models.Item, Branch, Models.Twig, Models.Leaf])

    definitions, places = schema["$defs"], schema["prefixItems"]
    properties = [
        definitions[place["$ref"].removeprefix("#/$defs/")]["properties"] for place in places
    ]
    assert [sorted(each) for each in properties] == [
        ["name", "price"],
        ["other"],
        ["branches", "leaf"],
        ["leaf"],
        ["other"],
    ]
    twig_leaf = definitions[properties[3]["leaf"]["$ref"].removeprefix("#/$defs/")]
    assert list(twig_leaf["properties"]) == ["other"]
    branch_leaf = definitions[properties[2]["leaf"]["$ref"].removeprefix("#/$defs/")]
    assert list(branch_leaf["properties"]) == ["name"]


@attrs.define
class Box(Generic[T]):
    """A generic class."""

    value: T


@dataclass
class Unresolved:
    """An undefined name."""

    value: "NowhereDefined"  # type: ignore[name-defined]  # noqa: F821


@dataclass
class WithInitVar:
    """An argument that is no field."""

    value: int
    scale: InitVar[int]


@attrs.define(init=False)
class OwnInit:
    """Other arguments than fields."""

    value: int

    def __init__(self, other: int) -> None:
        self.value = other


class Odd(enum.Enum):
    """Values that JSON does not have."""

    ONE = (1, 2)


class Arbitrary(pydantic.BaseModel):
    """A model without a schema."""

    model_config = pydantic.ConfigDict(arbitrary_types_allowed=True)
    value: Box[int]


@pytest.mark.parametrize(
    "kind",
    [
        bytes,
        complex,
        type,
        Callable,
        Callable[[], int],
        Box[int],
        Unresolved,
        WithInitVar,
        OwnInit,
        Odd,
        Literal[b"x"],
        Arbitrary,
        dict[int, str],
        dict[Literal[1], str],
        set[Item],
        set[list[int]],
        frozenset[Row],
        list[bytes],
        Page | bytes,
        T,
        5,
        "Page",
        Ellipsis,
    ],
    ids=str,
)
def test_types_without_json_are_refused(kind: Any):
    """A type that could not be parsed later is refused now, with a typed error that names it."""
    with pytest.raises(InvalidRequestError) as caught:
        output_schema(kind)

    assert caught.value.field == "output_type"
    assert "nothing was sent" in str(caught.value)


# In a text, since older versions of Python cannot read it.
NAMED = """
type Json = dict[str, Json] | list[Json] | int
type Items = list[Item]
type Itself = Itself
type Either = Either | int
type Left = Right | int
type Right = Left | str
type Number = Integer | float
type Integer = int | bool
type Unknown = Missing
"""


@pytest.mark.skipif(sys.version_info < (3, 12), reason="`type` statements came with Python 3.12")
def test_named_types():
    """A name is replaced by its type, and a recursive one is described once."""
    names: dict[str, Any] = {"Item": Item}
    exec(NAMED, names)
    tree, items = (json.loads(output_schema(names[each])) for each in ("Json", "Items"))
    nested = parse_output('{"a": [1, {"b": 2}]}', names["Json"])

    inner = {"$ref": "#/$defs/Json"}
    assert tree["anyOf"] == [
        {"type": "object", "additionalProperties": inner},
        {"type": "array", "items": inner},
        {"type": "integer"},
    ]
    assert tree["$defs"]["Json"]["anyOf"] == tree["anyOf"]
    assert items["items"] == {"$ref": "#/$defs/Item"}
    assert nested == {"a": [1, {"b": 2}]}
    assert parse_output('[{"name": "a"}]', names["Items"]) == [Item("a")]
    assert parse_output("1.5", names["Number"]) == 1.5
    for wrong, why in (
        ("Itself", "stands for itself"),
        ("Either", "stands for itself"),
        ("Left", "stands for itself"),
        ("Unknown", "'Missing' is not defined"),
    ):
        with pytest.raises(InvalidRequestError, match=why):
            output_schema(list[names[wrong]])
