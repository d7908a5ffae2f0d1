"""What a request field may hold, written once as data.

The rules stand in the metadata of the attrs fields. `contract.validation` reads them for both
sides: the SDK refuses a request before sending, the bundled server answers 422.
"""

from collections.abc import Callable
from enum import Enum, StrEnum
from typing import Any

import attrs

from browser_use_async.types.base import Value
from browser_use_async.types.enums import OpenEnum

__all__ = ["RULE", "UNSET", "FieldKind", "FieldRule", "Unset", "rule_of", "ruled"]


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
        default: What the service takes for a field that is not given, where it is published.
        published: Whether the service's own schema states the bounds; the others are in prose.
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
    default: Any = UNSET
    published: bool = False


def ruled(
    rule: FieldRule,
    *,
    default: Any = UNSET,
    converter: Callable[[Any], Any] | None = None,
    shown: Callable[[Any], str] | None = None,
) -> Any:
    """An attrs field that carries its rule.

    Args:
        rule: What the field may hold.
        default: The value of a field that is not given; required fields have none.
        converter: What turns the given value into the one that is kept.
        shown: What makes the text for the repr; by default the value's own repr.
    """
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
