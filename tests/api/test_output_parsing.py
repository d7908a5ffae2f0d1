"""Outputs as types: which ones fit, which do not, and the place of a mistake."""

import contextlib
import enum
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal, NewType, NotRequired, TypedDict

import attrs
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from browser_use_async.structured_output.parse import OutputMismatchError, parse_output
from tests.api import postponed

Name = NewType("Name", str)


class Colour(enum.StrEnum):
    """A colour."""

    RED = "red"
    BLUE = "blue"


class Level(enum.Enum):
    """A level."""

    LOW = 1
    HIGH = 2


@attrs.define
class Item:
    """An item; prices are not negative."""

    name: str
    price: float = attrs.field(default=0.0, validator=attrs.validators.ge(0))
    _note: str = ""


@dataclass
class Page:
    """A page."""

    items: list[Item]
    best: Item | None = None
    tags: set[str] = field(default_factory=set)


class Row(TypedDict):
    """A row."""

    number: int
    note: NotRequired[str]


@attrs.define
class Tree:
    """A tree."""

    value: int
    children: "list[Tree]" = attrs.Factory(list)


made: list[str] = []


@attrs.define
class Sum:
    """A sum, which records its creation."""

    left: "Sum | Product | int"
    right: "Sum | Product | int"
    kind: str = ""

    def __attrs_post_init__(self) -> None:
        """Record it."""
        made.append("sum")


@attrs.define
class Product(Sum):
    """A product, whose object looks like that of a sum."""


def _scaled(value: Any, tagged: Any) -> float:
    """A converter that takes the object as well."""
    return float(value) * tagged.number


def _first(value: object) -> str:
    """A converter that takes one text or a list of them."""
    if isinstance(value, list) and value:
        return str(value[0])
    if isinstance(value, str):
        return value
    raise ValueError("neither a text nor texts")


@attrs.define
class Tagged:
    """Fields with aliases and converters."""

    of_class: str = attrs.field(alias="kind", converter=_first)
    number: int = attrs.field(default=0, converter=int)
    _note: str = ""
    scaled: float = attrs.field(default=1.0, converter=attrs.Converter(_scaled, takes_self=True))
    small: int = attrs.field(
        default=1, converter=attrs.Converter(int), validator=attrs.validators.lt(9)
    )


@attrs.define
class Circle:
    """A circle."""

    radius: float


@attrs.define
class Ring:
    """A ring."""

    radius: float
    width: float


class Leaf(pydantic.BaseModel):
    """A leaf."""

    name: str
    size: int = 1


class Strict(pydantic.BaseModel):
    """A strict model."""

    model_config = pydantic.ConfigDict(strict=True)
    at: datetime


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (str, '"x"', "x"),
        (int, "1", 1),
        (int, "2.0", 2),
        (float, "1", 1.0),
        (float, "1.5", 1.5),
        (bool, "true", True),
        (Decimal, "0.1", Decimal("0.1")),
        (Decimal, '"12.34"', Decimal("12.34")),
        (datetime, '"2025-06-01T12:00:00Z"', datetime(2025, 6, 1, 12, tzinfo=UTC)),
        (datetime, '"2025-06-01T12:00:00"', datetime(2025, 6, 1, 12, tzinfo=UTC)),
        (date, '"2025-06-01"', date(2025, 6, 1)),
        (Any, '{"a": [1]}', {"a": [1]}),
        (object, "[1]", [1]),
        (list, '[1, "a"]', [1, "a"]),
        (dict, '{"a": 1}', {"a": 1}),
        (list[int], "[1, 2]", [1, 2]),
        (Sequence[int], "[1, 2]", [1, 2]),
        (set[int], "[1, 1, 2]", {1, 2}),
        (frozenset[str], '["a"]', frozenset("a")),
        (tuple[int, str], '[1, "a"]', (1, "a")),
        (tuple[int, ...], "[1, 2]", (1, 2)),
        (tuple[()], "[]", ()),
        (dict[str, int], '{"a": 1}', {"a": 1}),
        (Mapping[Colour, int], '{"red": 1}', {Colour.RED: 1}),
        (Item, '{"name": "a", "unknown": 1}', Item("a")),
        (Item, '{"name": "a", "price": 2, "_note": "n"}', Item("a", 2.0, "n")),
        (Page, '{"items": [{"name": "a"}], "tags": ["t"]}', Page([Item("a")], tags={"t"})),
        (Page, '{"items": [], "best": {"name": "b"}}', Page([], Item("b"))),
        (Page, '{"items": [], "best": null}', Page([])),
        (Row, '{"number": 1}', {"number": 1}),
        (Row, '{"number": 1, "note": "n"}', {"number": 1, "note": "n"}),
        (postponed.Part, '{"name": "a", "of": {"name": "b"}}',
         postponed.Part("a", postponed.Part("b"))),
        (Tree, '{"value": 1, "children": [{"value": 2}]}', Tree(1, [Tree(2)])),
        (Leaf, '{"name": "a"}', Leaf(name="a")),
        (list[Leaf], '[{"name": "a"}]', [Leaf(name="a")]),
        (Strict, '{"at": "2025-06-01T12:00:00Z"}', Strict(at=datetime(2025, 6, 1, 12, tzinfo=UTC))),
        (Literal["a", 1], "1", 1),
        (Literal[Colour.RED], '"red"', Colour.RED),
        (Colour, '"blue"', Colour.BLUE),
        (Level, "2", Level.HIGH),
        (Name, '"x"', "x"),
        (Annotated[int, "of something"], "1", 1),
        (int | None, "null", None),
        (int | None, "1", 1),
        (int | float, "1", 1),
        (float | int, "1", 1),
        (int | float, "1.5", 1.5),
        (list[int] | int, "[1]", [1]),
        (list[Item] | Item, '{"name": "a"}', Item("a")),
        (Circle | Ring, '{"radius": 1.0, "width": 2.0}', Ring(1.0, 2.0)),
        (Ring | Circle, '{"radius": 1.0}', Circle(1.0)),
        (Item | str, '"s"', "s"),
        (Item | None, "null", None),
        (datetime | str, '"2025-06-01T12:00:00Z"', datetime(2025, 6, 1, 12, tzinfo=UTC)),
        (datetime | str, '"tomorrow"', "tomorrow"),
        (Leaf | Item, '{"name": "a", "price": 1.0}', Item("a", 1.0)),
    ],
    ids=str,
)  # fmt: skip
def test_outputs_that_fit(kind: Any, text: str, value: Any):
    """Each supported kind is parsed, and is exactly of that type."""
    parsed = parse_output(text, kind)

    assert parsed == value
    assert type(parsed) is type(value)


@pytest.mark.parametrize(
    ("kind", "text", "problem"),
    [
        (bool, '"false"', "at $: expected a boolean, not a string"),
        (bool, "0", "at $: expected a boolean, not an integer"),
        (int, "true", "at $: expected an integer, not a boolean"),
        (int, '"1"', "at $: expected an integer, not a string"),
        (int, "1.5", "at $: expected an integer, not a number"),
        (int, "1e400", "the output is not JSON: a number is beyond the range of a float"),
        (float, "true", "at $: expected a number, not a boolean"),
        (float, "1e400", "the output is not JSON: a number is beyond the range of a float"),
        (float, "9" * 400, "at $: expected a finite number, not an integer"),
        (Decimal, '"NaN"', "at $: expected a finite number, not another string"),
        (Decimal, "1e400", "the output is not JSON: a number is beyond the range of a float"),
        (
            dict[str, Any],
            '{"a": 1e999}',
            "the output is not JSON: a number is beyond the range of a float",
        ),
        (datetime, "1", "at $: expected an ISO 8601 timestamp, not an integer"),
        (date, '"yesterday"', "at $: expected an ISO 8601 date, not another string"),
        (list[str], '"abc"', "at $: expected an array, not a string"),
        (list[str], '{"a": 1}', "at $: expected an array, not an object"),
        (list[str], "[5, 6]", "at $[0]: expected a string, not an integer; at $[1]: expected a"),
        (set[Any], "[[1]]", "at $: expected plain values"),
        (tuple[int, str], "[1]", "at $: expected 2 items, not 1"),
        (dict[str, int], '[["a", 1]]', "at $: expected an object, not an array"),
        (dict[str, int], '{"a": "1"}', "at $['a']: expected an integer, not a string"),
        (dict[Colour, int], '{"green": 1}', 'at $: expected one of "red", "blue"'),
        (Item, '{"price": 1}', "at $.name: a required field is missing"),
        (Item, '{"name": "a", "price": -1}', "at $: "),
        (Item, "[]", "at $: expected an object, not an array"),
        (Page, '{"items": [{"name": "a"}, {"name": 1}]}', "at $.items[1].name: expected a string"),
        (Page, '{"items": {"name": "a"}}', "at $.items: expected an array, not an object"),
        (Page, '{"items": [], "best": {"name": 1}}', "at $.best.name: expected a string"),
        (Row, '{"number": "1"}', "at $.number: expected an integer"),
        (Tree, '{"value": 1, "children": [{"value": null}]}', "at $.children[0].value: expected"),
        (Leaf, '{"size": "x"}', "at $.name: Field required; at $.size: Input should be"),
        (list[Leaf], '[{"name": 1}]', "at $[0].name: Input should be a valid string"),
        (Literal[1], "true", "at $: expected one of 1"),
        (Level, "true", "at $: expected one of 1, 2"),
        (Colour, '"green"', 'at $: expected one of "red", "blue"'),
        (int | None, '"x"', "at $: expected an integer, not a string"),
        (Circle | Ring, '{"radius": "x"}', "at $.radius: expected a number, not a string"),
        (Item | list[Item], '[{"name": 1}]', "at $[0].name: expected a string, not an integer"),
        (list[int], "[1,]", "the output is not JSON: "),
        (list[int], "NaN", "the output is not JSON: NaN is not JSON"),
        (dict[str, int], '{"a": 1, "a": 2}', "the output is not JSON: an object has the same key"),
        (list[int], "I found three of them.", "the output is not JSON: "),
        (list[int], "", "the output is not JSON: "),
        (list[int], "\ud800", "the output is not JSON: "),
        (int, None, "the task finished without an output"),
        (str, None, "the task finished without an output"),
    ],
    ids=str,
)  # fmt: skip
def test_outputs_that_do_not_fit(kind: Any, text: str | None, problem: str):
    """Nothing is guessed, and the message has the place and the text there."""
    with pytest.raises(OutputMismatchError) as caught:
        parse_output(text, kind)

    assert str(caught.value).startswith(problem)


@pytest.mark.parametrize(
    "text",
    [
        '```json\n{"name": "a"}\n```',
        '```\n{"name": "a"}\n```',
        '```JSON  \r\n{"name": "a"}\r\n```',
        'Here it is:\n\n```json\n{"name": "a"}\n```\n\nAnything else?',
        'First this:\n```python\nprint(1)\n```\nand then\n```json\n{"name": "a"}\n```',
        '\n\n  {"name": "a"}  \n',
        '```json\n\n{\n  "name": "a"\n}\n\n```',
    ],
    ids=repr,
)
def test_fences_and_prose_around_them(text: str):
    """JSON in a Markdown fence is found, with prose and other fences around it."""
    assert parse_output(text, Item) == Item("a")


def test_a_fence_inside_the_json():
    """An answer that quotes a fence is complete."""
    text = '```json\n{"name": "```\\nx\\n```"}\n```'

    assert parse_output(text, Item) == Item("```\nx\n```")
    raw = 'So:\n```json\n{"name": "a\\n",\n"_note": "see ```\n```"}\n```'
    with pytest.raises(OutputMismatchError):
        parse_output(raw, Item)  # a line break inside a string is no JSON


@pytest.mark.parametrize("kind", [str, str | None, Name, Annotated[str, "x"], int | str, Any])
@pytest.mark.parametrize("text", ["Just prose.", "", "It costs 5.", "```\nnot json\n```"])
def test_prose_for_a_text(kind: Any, text: str):
    """With the type `str`, prose is returned unchanged."""
    assert parse_output(text, kind) == text


@pytest.mark.parametrize("text", ["42", "true", '{"a": 1}', "[1]"])
def test_other_json_for_a_text(text: str):
    """With the type `str`, the text is returned, even if it is JSON."""
    assert parse_output(text, str) == text


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


KINDS = (Page, Tree, Row, Leaf, Circle | Ring, list[Item], Level, dict[Colour, set[Any]], str)


@given(value=JSON, kind=st.sampled_from(KINDS))
def test_any_json_is_read_or_refused(value: Any, kind: Any):
    """For any answer of a model, the result is a value or `OutputMismatchError`."""
    with contextlib.suppress(OutputMismatchError):
        parse_output(json.dumps(value), kind)


def test_a_long_list_is_read_quickly():
    """10,000 records take a moment, not a second each."""
    text = "[" + ",".join(['{"name": "a", "price": 1.0}'] * 10_000) + "]"

    assert len(parse_output(text, list[Item])) == 10_000


def test_at_most_five_problems_are_named():
    """A message stays readable."""
    with pytest.raises(OutputMismatchError) as caught:
        parse_output(str(list(range(100))), list[str])

    assert str(caught.value).count("expected") == 5


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"kind": "a", "number": 3}', Tagged("a", 3)),
        ('{"kind": ["a", "b"], "number": "5"}', Tagged("a", 5)),
        ('{"kind": "a", "number": 5.0, "_note": "n"}', Tagged("a", 5, "n")),
        ('{"kind": "a", "number": 2, "scaled": "1.5"}', Tagged("a", 2, scaled=1.5)),
        ('{"kind": "a", "of_class": "b", "note": "n"}', Tagged("a")),
    ],
)
def test_aliases_and_converters_of_attrs(text: str, value: Tagged):
    """An alias is the only key; a value that fits no type is passed to the converter."""
    assert parse_output(text, Tagged) == value


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('{"of_class": "a"}', "at $.kind: a required field is missing"),
        ('{"kind": 1}', "at $.kind: neither a text nor texts"),
        ('{"kind": "a", "number": "x"}', "at $.number: invalid literal for int"),
        ('{"kind": "a", "number": "5", "small": "x"}', "at $.small: invalid literal for int"),
        ('{"kind": "a", "scaled": "x"}', "at $: could not convert string to float"),
        ('{"kind": "a", "number": "5", "small": 10}', "at $: 'small' must be < 9"),
        ('{"kind": "a", "number": "5", "_note": 1}', "at $._note: expected a string, not an int"),
    ],
)
def test_what_a_converter_refuses(text: str, problem: str):
    """Its error is reported like any other, with the place if it is known."""
    with pytest.raises(OutputMismatchError) as caught:
        parse_output(text, Tagged)

    assert str(caught.value).startswith(problem)


def test_a_fit_without_a_converter_is_preferred():
    """Of two classes, the one that fits without a converter is chosen."""

    @attrs.define
    class Number:
        value: int = attrs.field(converter=int)

    @attrs.define
    class Text:
        value: str

    assert parse_output('{"value": "5"}', Number | Text) == Text("5")
    assert parse_output('{"value": "5"}', Number | None) == Number(5)


def test_an_output_that_nests_deeper_than_its_type_is_read():
    """It is a misfit like any other, though as plain JSON it can be parsed."""
    text = '{"value": 1, "children": [' * 300 + '{"value": 1}' + "]}" * 300

    with pytest.raises(OutputMismatchError, match="the output nests too deeply"):
        parse_output(text, Tree)
    assert isinstance(parse_output(text, dict[str, Any]), dict)


def test_recursive_unions_are_parsed_once():
    """Each level is parsed a few times by each option, not twice as often as the one around it."""
    levels = 10
    text = '{"left": ' * levels + "1" + ', "right": 2}' * levels
    made.clear()

    read = parse_output(text, Sum | Product | int)

    assert isinstance(read, Sum)
    assert read.right == 2
    assert len(made) < 4 * levels


@pytest.mark.parametrize("end", ["", "}\n```", "}\n``` "], ids=["no end", "the end", "a blank"])
def test_a_fence_with_endless_blanks_is_read_in_time(end: str):
    """Some models write white space until they are cut off: it is read once."""
    text = '```json\n{"a": 1' + " " * 400_000 + end

    with contextlib.suppress(OutputMismatchError):
        assert parse_output(text, dict[str, int]) == {"a": 1}
    with pytest.raises(OutputMismatchError):
        parse_output(text, list[int])
