"""Constants, numbers and texts that a JSON schema allows.

The number of the variant makes a value differ from the others of a list.
"""

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import attrs

from browser_use_async.server.executors.pattern_text import (
    Budget,
    PatternRefusedError,
    matching_text,
)
from browser_use_async.server.executors.protocol import CannotContinueError

_MAX_LENGTH = 100_000
_BOUNDS = ("minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum")

# The number of the variant, from 1, goes into the braces.
_OF_FORMAT = {
    "date-time": "2026-01-{:02}T12:00:00Z",
    "date": "2026-01-{:02}",
    "time": "12:{:02}:00Z",
    "duration": "PT{}H",
    "email": "user{}@example.com",
    "idn-email": "user{}@example.com",
    "name-email": "User {0} <user{0}@example.com>",
    "hostname": "host{}.example.com",
    "idn-hostname": "host{}.example.com",
    "uri": "https://example.com/{}",
    "url": "https://example.com/{}",
    "iri": "https://example.com/{}",
    "multi-host-uri": "https://example.com/{}",
    "uri-reference": "/example/{}",
    "ipv4": "192.0.2.{}",
    "ipv6": "2001:db8::{:x}",
    "ipvanyaddress": "192.0.2.{}",
    "ipv4interface": "192.0.2.{}/24",
    "ipv6interface": "2001:db8::{:x}/64",
    "ipvanyinterface": "192.0.2.{}/24",
    "ipv4network": "10.0.{}.0/24",
    "ipv6network": "2001:db8:{:x}::/64",
    "ipvanynetwork": "10.0.{}.0/24",
    "uuid": "00000000-0000-4000-8000-{:012x}",
    "uuid1": "00000000-0000-1000-8000-{:012x}",
    "uuid3": "00000000-0000-3000-8000-{:012x}",
    "uuid4": "00000000-0000-4000-8000-{:012x}",
    "uuid5": "00000000-0000-5000-8000-{:012x}",
    "json-pointer": "/example/{}",
    "json-string": "{}",
    "regex": "example{}",
    "base64": "ZXhhbXBsZQ==",
    "base64url": "ZXhhbXBsZQ==",
}


class SchemaUnsatisfiedError(CannotContinueError):
    """No value is known that the schema allows. Its text says where and why, for a person."""


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_TYPES: dict[str, Callable[[Any], bool]] = {
    "any": lambda _: True,
    "null": lambda value: value is None,
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: _is_number(value) and float(value).is_integer(),
    "number": _is_number,
    "string": lambda value: isinstance(value, str),
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
}


def constant(part: dict[str, Any], place: str, variant: int) -> Any:
    """A member of an enumeration, or the constant.

    Raises:
        SchemaUnsatisfiedError: None is of the type that the schema asks for.
    """
    members = [part["const"]] if "const" in part else part["enum"]
    if "const" in part and "enum" in part:
        members = [each for each in members if each in part["enum"]]
    kind = part["type"]
    fitting = [each for each in members if _TYPES[kind](each)]
    if not fitting:
        raise SchemaUnsatisfiedError(f"{place}: none of {members!r:.80} is of type {kind!r}")
    return fitting[variant % len(fitting)]


# --- numbers --------------------------------------------------------------------------------


@attrs.frozen
class _Range:
    """The bounds of a number, both of which it may reach unless they are excluded."""

    low: Fraction | None
    high: Fraction | None
    excluded: tuple[Fraction, ...]

    @classmethod
    def of(cls, part: dict[str, Any]) -> "_Range":
        """The range that a schema gives; of two bounds the narrower one counts."""
        bounds = {each: Fraction(str(part[each])) for each in _BOUNDS if _is_number(part.get(each))}
        lows = [bounds[each] for each in ("minimum", "exclusiveMinimum") if each in bounds]
        highs = [bounds[each] for each in ("maximum", "exclusiveMaximum") if each in bounds]
        excluded = [bound for name, bound in bounds.items() if name.startswith("exclusive")]
        return cls(max(lows, default=None), min(highs, default=None), tuple(excluded))

    def multiple(self, step: Fraction, variant: int) -> Fraction | None:
        """A multiple of a step, the first one from 1 if it is within."""
        low = None if self.low is None else math.ceil(self.low / step)
        high = None if self.high is None else math.floor(self.high / step)
        if low is not None and low * step in self.excluded:
            low += 1
        if high is not None and high * step in self.excluded:
            high -= 1
        if low is not None and high is not None and low > high:
            return None
        first = math.ceil(1 / step) if low is None else max(low, math.ceil(1 / step))
        if high is None or first + variant <= high:
            return (first + variant) * step
        return (high - variant if low is None else max(low, high - variant)) * step

    def between(self, variant: int) -> Fraction | None:
        """A number inside of both bounds."""
        if self.low is None or self.high is None or self.low > self.high:
            return None
        if self.low == self.high:
            return None if self.low in self.excluded else self.low
        return self.low + (self.high - self.low) * Fraction(variant + 1, variant + 2)


def number(part: dict[str, Any], kind: str, place: str, variant: int) -> int | float:
    """A number that a schema allows.

    Raises:
        SchemaUnsatisfiedError: None lies within its bounds.
    """
    step = Fraction(str(part.get("multipleOf", 1)))
    bounds = _Range.of(part)
    if kind == "integer":
        whole = bounds.multiple(Fraction(step.numerator), variant)  # the multiples that are whole
        if whole is not None:
            return int(whole)
    elif "multipleOf" in part:
        chosen = bounds.multiple(step, variant)
        if chosen is not None:
            return float(chosen)
    else:
        # Whole numbers are read more easily; between 0 and 1 there are too few of them.
        chosen = bounds.multiple(step, 0) if variant == 0 else bounds.between(variant)
        chosen = chosen if chosen is not None else bounds.between(variant)
        chosen = chosen if chosen is not None else bounds.multiple(step, variant)
        if chosen is not None:
            return float(chosen)
    raise SchemaUnsatisfiedError(f"{place}: no {kind} lies within its bounds")


# --- texts ----------------------------------------------------------------------------------


def text(part: dict[str, Any], place: str, variant: int, budget: Budget) -> str:
    """A text that a schema allows: of its pattern, of its format, or named after its property.

    Raises:
        SchemaUnsatisfiedError: None is known.
    """
    least, most = part.get("minLength", 0), part.get("maxLength", _MAX_LENGTH)
    if least > min(most, _MAX_LENGTH):
        raise SchemaUnsatisfiedError(f"{place}: a text of {least} characters is not possible")
    pattern, known = part.get("pattern"), _OF_FORMAT.get(part.get("format", ""))
    if pattern is not None:
        return text_matching(pattern, part, place, variant, budget)
    if known is not None:
        return _of_format(part, known, place, variant)
    name = place.rpartition(".")[2].partition("[")[0].strip("$")
    words = f"Example {name}".strip() + (f" {variant + 1}" if variant else "")
    if len(words) > most:  # the end of a short text tells its variants apart
        words = str(variant + 1)[:most].rjust(min(most, 7), "x") if variant else words[:most]
    return words.ljust(least, ".")


def _of_format(part: dict[str, Any], template: str, place: str, variant: int) -> str:
    least, most = part.get("minLength", 0), part.get("maxLength", _MAX_LENGTH)
    known = template.format(variant + 1)
    if not least <= len(known) <= most:
        name = part["format"]
        bounds = f"of {least} to {most} characters"
        raise SchemaUnsatisfiedError(f"{place}: no text of format {name!r} {bounds} is known")
    return known


def text_matching(
    pattern: str, part: dict[str, Any], place: str, variant: int, budget: Budget
) -> str:
    """A text that a pattern matches.

    Raises:
        SchemaUnsatisfiedError: None is known.
    """
    least, most = part.get("minLength", 0), part.get("maxLength", _MAX_LENGTH)
    try:
        return matching_text(pattern, least=least, most=most, variant=variant, budget=budget)
    except PatternRefusedError as error:
        raise SchemaUnsatisfiedError(f"{place}: pattern {pattern!r:.80}: {error}") from None
