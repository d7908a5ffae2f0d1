"""Outputs as types: which ones fit, which do not, and the place of a mistake."""

import contextlib
import enum
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal, NewType, NotRequired, TypedDict

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from browser_use_async.structured_output.parse import OutputMismatchError, parse_output
from tests.api import postponed

try:
    import pydantic
except ImportError:  # in the process of the test without it
    pydantic = None  # type: ignore[assignment]

Name = NewType("Name", str)
with_pydantic = pytest.mark.skipif(pydantic is None, reason="these types are of pydantic")


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


@dataclass
class Office:
    """A dataclass of nothing but plain types."""

    city: str
    floors: list[int]
    inner: "Office | None" = None


class Row(TypedDict):
    """A row."""

    number: int
    note: NotRequired[str]


@attrs.define
class Tree:
    """A tree."""

    value: int
    children: "list[Tree]" = attrs.Factory(list)


@attrs.define
class Sum:
    """A sum."""

    left: "Sum | Product | int"
    right: "Sum | Product | int"


@attrs.define
class Product:
    """A product."""

    left: "Sum | Product | int"
    factor: "Sum | Product | int"


@attrs.define
class Tagged:
    """A class with an alias and a converter: the keys are the names, the values of the type."""

    of_class: str = attrs.field(alias="kind")
    number: str = attrs.field(default="", converter=str.upper)


@attrs.define
class Circle:
    """A circle."""

    radius: float


@attrs.define
class Ring:
    """A ring."""

    radius: float
    width: float


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
        (datetime, '"2025-06-01T12:00:00"', datetime(2025, 6, 1, 12)),  # noqa: DTZ001 - as written
        (date, '"2025-06-01"', date(2025, 6, 1)),
        (Any, '{"a": [1]}', {"a": [1]}),
        (list, '[1, "a"]', [1, "a"]),
        (dict, '{"a": 1}', {"a": 1}),
        (list[int], "[1, 2]", [1, 2]),
        (Sequence[int], "[1, 2]", [1, 2]),
        (set[int], "[1, 1, 2]", {1, 2}),
        (frozenset[str], '["a"]', frozenset("a")),
        (tuple[int, ...], "[1, 2]", (1, 2)),
        (tuple[int, str], '[1, "a"]', (1, "a")),
        (list[tuple[Item, int]], '[[{"name": "a"}, 1]]', [(Item("a"), 1)]),
        (dict[str, int], '{"a": 1}', {"a": 1}),
        (Mapping[str, Colour], '{"a": "red"}', {"a": Colour.RED}),
        (Item, '{"name": "a", "unknown": 1}', Item("a")),
        (Item, '{"name": "a", "price": 2, "_note": "n"}', Item("a", 2.0, "n")),
        (Page, '{"items": [{"name": "a"}], "tags": ["t"]}', Page([Item("a")], tags={"t"})),
        (Page, '{"items": [], "best": {"name": "b"}}', Page([], Item("b"))),
        (Page, '{"items": [], "best": null}', Page([])),
        (Office, '{"city": "a", "floors": [1], "inner": {"city": "b", "floors": []}}',
         Office("a", [1], Office("b", []))),
        (dict[str, list[Office]], '{"x": [{"city": "a", "floors": []}]}', {"x": [Office("a", [])]}),
        (Row, '{"number": 1}', {"number": 1}),
        (Row, '{"number": 1, "note": "n"}', {"number": 1, "note": "n"}),
        (list[Row], '[{"number": 1}]', [{"number": 1}]),
        (postponed.Part, '{"name": "a", "of": {"name": "b"}}',
         postponed.Part("a", postponed.Part("b"))),
        (Tree, '{"value": 1, "children": [{"value": 2}]}', Tree(1, [Tree(2)])),
        (Tagged, '{"of_class": "a", "kind": 1, "number": "b"}', Tagged("a", "B")),
        (Literal["a", 1], "1", 1),
        (Literal[Colour.RED], '"red"', Colour.RED),
        (Colour, '"blue"', Colour.BLUE),
        (Level, "2", Level.HIGH),
        (Name, '"x"', "x"),
        (Annotated[int, "of something"], "1", 1),
        (int | None, "null", None),
        (int | None, "1", 1),
        (int | float, "1", 1),
        (int | float, "1.5", 1.5),
        (int | str, '"1"', "1"),
        (list[int] | int, "[1]", [1]),
        (Circle | Ring, '{"radius": 1.0, "width": 2.0}', Ring(1.0, 2.0)),
        (Ring | Circle, '{"radius": 1.0}', Circle(1.0)),
        (Item | str, '"s"', "s"),
        (Item | None, "null", None),
        (datetime | str, '"tomorrow"', "tomorrow"),
    ],
    ids=str,
)  # fmt: skip
def test_outputs_that_fit(kind, text, value):
    """Each supported kind is parsed, and is exactly of that type."""
    parsed = parse_output(text, kind)

    assert parsed == value
    assert type(parsed) is type(value)


@pytest.mark.parametrize(
    ("kind", "text", "problem"),
    [
        (int, "1.5", "at $: "),
        (int, '"x"', "at $: "),
        (int, "1e400", "the output is not JSON: a number is beyond the range of a float"),
        (float, "1e400", "the output is not JSON: a number is beyond the range of a float"),
        (float, "NaN", "the output is not JSON: NaN is not JSON"),
        (Decimal, '"NaN"', "at $: "),
        (dict[str, Any], '{"a": 1e999}', "the output is not JSON: a number is beyond"),
        (date, '"yesterday"', "at $: "),
        (list[str], '"abc"', "at $: "),
        (list[str], '{"a": 1}', "at $: "),
        (list[str], "[5, 6]", "at $[0]: "),
        (dict[str, int], '[["a", 1]]', "at $: "),
        (tuple[int, str], "[1]", "at $"),
        (tuple[str, str], '"ab"', "at $: "),
        (Item, '{"price": 1}', "at $.name: a required field is missing"),
        (Item, '{"name": "a", "price": -1}', "at $: 'price' must be >= 0"),
        (Item, '{"name": "a", "price": "1"}', "at $.price: expected float"),
        (Item, "[]", "at $: expected Item"),
        (Item, '"name"', "at $: expected Item"),
        (list[Item], "[[]]", "at $[0]: expected Item"),
        (Page, '{"items": [{"name": "a"}, {"name": 1}]}', "at $.items[1].name: expected str"),
        (Page, '{"items": {"name": "a"}}', "at $.items: expected list["),
        (Page, '{"items": [], "best": {"name": 1}}', "at $.best.name: expected str"),
        (Office, '{"city": 1, "floors": []}', "at $.city: "),
        (Row, '{"number": "x"}', "at $.number: "),
        (Tree, '{"value": 1, "children": [{"value": null}]}', "at $.children[0].value: expected"),
        (Tagged, '{"kind": "a"}', "at $.of_class: a required field is missing"),
        (Colour, '"green"', "at $: "),
        (int | None, '"x"', "at $: "),
        (Circle | Ring, '{"radius": "x"}', "at $.radius: expected float"),
        (list[int], "[1,]", "the output is not JSON: "),
        (dict[str, int], '{"a": 1, "a": 2}', "the output is not JSON: an object has the same key"),
        (list[int], "I found three of them.", "the output is not JSON: "),
        (list[int], "", "the output is not JSON: "),
        (list[int], "\ud800", "the output is not JSON: "),
        (int, None, "the task finished without an output"),
        (str, None, "the task finished without an output"),
    ],
    ids=str,
)  # fmt: skip
def test_outputs_that_do_not_fit(kind, text, problem):
    """Nothing is guessed, and the message has the place."""
    with pytest.raises(OutputMismatchError) as caught:
        parse_output(text, kind)

    assert str(caught.value).startswith(problem)


@attrs.define
class Scalars:
    """A field of each scalar."""

    text: str = ""
    whole: int = 0
    number: float = 0.0
    flag: bool = False
    amount: Decimal = Decimal(0)
    at: datetime | None = None
    names: list[str] = attrs.Factory(list)
    unique: set[Any] = attrs.Factory(set)
    pages: dict[str, int] = attrs.Factory(dict)
    pair: tuple[str, str] = ("", "")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("text", 1), ("whole", True), ("whole", "1"), ("whole", 1.5), ("number", True),
        ("number", "1"), ("number", 10**400), ("flag", "false"), ("flag", 0), ("amount", True),
        ("amount", "x"), ("at", 1), ("at", "yesterday"), ("names", "abc"), ("names", {"a": 1}),
        ("unique", [[1]]), ("pages", [["a", 1]]), ("pages", "ab"),
        ("pair", "ab"), ("pair", ["a"]), ("pair", ["a", 1]),
    ],
)  # fmt: skip
def test_classes_of_cattrs_are_read_strictly(name, value):
    """A text is no list of its characters, "false" is not true, and 1 is no text."""
    with pytest.raises(OutputMismatchError, match=rf"^at \$\.{name}: expected "):
        parse_output(json.dumps({name: value}), Scalars)


@pytest.mark.timeout(120)
def test_the_same_without_pydantic():
    """In a process without pydantic, cattrs gives the same values and refuses the same outputs."""
    program = (
        "import sys; sys.modules.update(dict.fromkeys(['pydantic', 'pydantic_core']));"
        "import pytest; sys.exit(pytest.main(sys.argv[1:]))"
    )
    cases = "outputs_that or strictly or prose_for or fence or any_json"

    result = subprocess.run(
        [sys.executable, "-c", program, __file__, "-q", "-p", "no:cacheprovider", "-k", cases],
        check=False,
        capture_output=True,
        text=True,
    )

    assert result.returncode == 0, result.stdout
    assert " passed" in result.stdout
    assert "skipped" not in result.stdout


@with_pydantic
def test_models_of_pydantic():
    """They are read by their own rules, strict ones from JSON, and say the place of a misfit."""

    class Leaf(pydantic.BaseModel):
        name: str
        size: int = 1

    class Strict(pydantic.BaseModel):
        model_config = pydantic.ConfigDict(strict=True)
        at: datetime

    at = datetime(2025, 6, 1, 12, tzinfo=UTC)
    assert parse_output('[{"name": "a"}]', list[Leaf]) == [Leaf(name="a")]
    assert parse_output('{"at": "2025-06-01T12:00:00Z"}', Strict) == Strict(at=at)
    assert parse_output('["a"]', list[Annotated[str, []]]) == ["a"]
    for kind, text, problem in (
        (Leaf, '{"size": "x"}', r"at \$\.name: Field required; at \$\.size: Input should be"),
        (list[Leaf], '[{"name": 1}]', r"at \$\[0\]\.name: Input should be a valid string$"),
    ):
        with pytest.raises(OutputMismatchError, match=problem):
            parse_output(text, kind)


@with_pydantic
def test_a_check_of_a_model_may_raise_anything():
    """The paid output is not lost with an exception that pydantic lets through."""

    def check(_value: str) -> str:
        raise KeyError("no such name")

    with pytest.raises(OutputMismatchError, match="no such name"):
        parse_output('"x"', Annotated[str, pydantic.AfterValidator(check)])


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
def test_fences_and_prose_around_them(text):
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
def test_prose_for_a_text(kind, text):
    """With the type `str`, prose is returned unchanged."""
    assert parse_output(text, kind) == text


@pytest.mark.parametrize("text", ["42", "true", '{"a": 1}', "[1]"])
def test_other_json_is_prose_for_a_text(text):
    """With the type `str`, the text is returned, even if it is JSON."""
    assert parse_output(text, str) == text


@with_pydantic
def test_a_json_text_that_does_not_fit_is_no_prose():
    """A text that is too short gets no longer by its quotes."""
    with pytest.raises(OutputMismatchError, match="at least 5 characters"):
        parse_output('"abc"', Annotated[str, pydantic.Field(min_length=5)])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
KINDS = (Page, Tree, Row, Office, Circle | Ring, list[Item], Level, dict[str, set[Any]], str)


@given(value=JSON, kind=st.sampled_from(KINDS))
def test_any_json_is_read_or_refused(value, kind):
    """For any answer of a model, the result is a value or `OutputMismatchError`."""
    with contextlib.suppress(OutputMismatchError):
        parse_output(json.dumps(value), kind)


def test_a_long_list_is_read_quickly():
    """10,000 records take a moment, not a second each."""
    text = "[" + ",".join(['{"name": "a", "price": 1.0}'] * 10_000) + "]"

    assert len(parse_output(text, list[Item])) == 10_000


@pytest.mark.parametrize("kind", [list[str], list[Item]])
def test_at_most_five_problems_are_named(kind):
    """A message stays readable."""
    with pytest.raises(OutputMismatchError) as caught:
        parse_output(str(list(range(100))), kind)

    assert str(caught.value).count("at $[") == 5


def test_an_output_that_nests_deeply():
    """It is read, or it is a misfit like any other, with a short message."""
    deep = '{"value": 1, "children": [' * 300 + "%s" + "]}" * 300

    for text in (deep % '{"value": "x"}', deep % '{"value": 1}'):
        with contextlib.suppress(OutputMismatchError):
            assert isinstance(parse_output(text, Tree), Tree)
    with pytest.raises(OutputMismatchError) as caught:
        parse_output(deep % '{"value": "x"}', Tree)
    assert len(str(caught.value)) < 500


def test_recursive_unions_are_parsed_once():
    """Each level is parsed by the class that it fits, not by each option again."""
    levels = 25
    text = '{"left": ' * levels + "1" + ', "right": 2}' * levels

    read = parse_output(text, Sum | Product | int)

    assert isinstance(read, Sum)
    assert read.right == 2


@pytest.mark.parametrize("end", ["", "}\n```", "}\n``` "], ids=["no end", "the end", "a blank"])
def test_a_fence_with_endless_blanks_is_read_in_time(end):
    """Some models write white space until they are cut off: it is read once."""
    text = '```json\n{"a": 1' + " " * 400_000 + end

    with contextlib.suppress(OutputMismatchError):
        assert parse_output(text, dict[str, int]) == {"a": 1}
    with pytest.raises(OutputMismatchError):
        parse_output(text, list[int])
