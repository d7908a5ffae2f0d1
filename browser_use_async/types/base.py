"""What all attrs classes have in common, and the rules that fields of requests carry."""

# attrs would generate a repr and an equality for each class, at half the cost of importing it. The
# classes say `eq=False, repr=False` and inherit these, which read the same fields in the same way.

from collections.abc import Callable, Iterator
from enum import Enum, StrEnum
from typing import Any

import attrs

from browser_use_async.types.enums import OpenEnum


def _fields(model: Any) -> tuple["attrs.Attribute[Any]", ...]:
    fields: tuple[attrs.Attribute[Any], ...] = attrs.fields(model)
    return fields


class Value:
    """A frozen object: equal to one of the same class with the same fields, and hashable."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        # As attrs does: an instance of a subclass may mean something else by the same fields.
        if type(other) is not type(self):
            return NotImplemented
        names = [each.name for each in _fields(type(self))]
        return all(getattr(self, name) == getattr(other, name) for name in names)

    def __hash__(self) -> int:
        return hash((type(self), *(getattr(self, each.name) for each in _fields(type(self)))))

    def __repr__(self) -> str:
        shown = ", ".join(
            f"{each.alias}={self._shown(each)}" for each in _fields(type(self)) if each.repr
        )
        return f"{type(self).__name__}({shown})"

    def __rich_repr__(self) -> Iterator[tuple[str, object]]:
        """The same fields for rich, which breaks the lines, with the same ones hidden."""
        for each in _fields(type(self)):
            if each.repr:
                hidden = callable(each.repr)
                value = _Text(self._shown(each)) if hidden else getattr(self, each.name)
                yield each.alias or each.name, value

    def _shown(self, field: "attrs.Attribute[Any]") -> str:
        value = getattr(self, field.name)
        return field.repr(value) if callable(field.repr) else repr(value)


class _Text(str):
    """A text whose repr is itself."""

    __slots__ = ()

    __repr__ = str.__str__


class MutableValue(Value):
    """The same for an object that can change, and is not hashable for that."""

    __slots__ = ()

    __hash__ = None  # type: ignore[assignment]


class Unset(Enum):
    """The type of `UNSET`: a field that was not given, and is therefore not sent."""

    UNSET = "unset"

    def __repr__(self) -> str:
        return "UNSET"

    def __bool__(self) -> bool:
        return False


UNSET = Unset.UNSET
RULE = "rule"


class FieldKind(StrEnum):
    """The JSON shapes that request fields have."""

    TEXT = "text"
    INTEGER = "integer"
    BOOLEAN = "boolean"
    TEXT_LIST = "text_list"
    TEXT_MAP = "text_map"
    DATETIME = "datetime"
    JSON_SCHEMA = "json_schema"  # a string that holds a JSON object
    CRON = "cron"  # a string of five fields


@attrs.frozen(eq=False, repr=False)
class FieldRule(Value):
    """What one request field may hold.

    Attributes:
        kind: The JSON shape.
        required: Whether the field must be given.
        nullable: Whether `null` is accepted.
        enum: The known values. The SDK sends others too; the bundled server refuses them.
        lower_case: Whether the value is lower-cased before it is compared and sent.
        minimum: The smallest integer.
        maximum: The largest integer.
        max_pairs: How many pairs a map may have.
        max_key_length: How many characters a key of the map may have.
        max_length: How many characters a text, or a value of the map, may have.
        min_length: How many characters a text must have.
        blank_is_null: Whether the bundled server takes an empty text for null, as the service does.
        default: What the service takes for a field that is not given, where it is published.
    """

    kind: FieldKind
    required: bool = False
    nullable: bool = True
    enum: type[OpenEnum] | None = None
    lower_case: bool = False
    minimum: int | None = None
    maximum: int | None = None
    max_pairs: int | None = None
    max_key_length: int | None = None
    max_length: int | None = None
    min_length: int | None = None
    blank_is_null: bool = False
    default: Any = UNSET


def ruled(
    rule: FieldRule,
    *,
    default: Any = UNSET,
    converter: Callable[[Any], Any] | None = None,
    shown: Callable[[Any], str] | None = None,
) -> Any:
    """An attrs field that carries its rule; `shown` makes the text for the repr."""
    return attrs.field(
        default=attrs.NOTHING if rule.required else default,
        converter=converter,
        metadata={RULE: rule},
        repr=shown or True,
    )


def rule_of(field: "attrs.Attribute[Any]") -> FieldRule:
    """The rule that an attrs field carries."""
    rule: FieldRule = field.metadata[RULE]
    return rule
