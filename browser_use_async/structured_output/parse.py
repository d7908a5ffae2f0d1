"""Parses the output of a task into the caller's type."""

# Written by hand, because the converter of responses is lenient by design, and this must not be: a
# string is no array of its characters, and "false" is not true. The converter of an attrs field
# makes the field more lenient: a value that does not fit its type is passed to the converter
# unchanged, and an exception of the converter is reported like any other mismatch.

import json
import re
import types
from collections.abc import Callable, Iterator
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

import attrs

from browser_use_async.api.json import JsonRefusedError, read_json
from browser_use_async.api.scalars import read_moment
from browser_use_async.structured_output import shapes

_NAMES: dict[type[Any], str] = {
    str: "a string",
    int: "an integer",
    float: "a number",
    bool: "a boolean",
    list: "an array",
    dict: "an object",
    types.NoneType: "null",
    Decimal: "a finite number",
    datetime: "an ISO 8601 timestamp",
    date: "an ISO 8601 date",
}


# Readers of scalars that are written as another JSON type than their own; None is a misfit.


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _integer(value: Any) -> int | None:
    # JSON has one kind of number, and many writers write 3 as 3.0.
    return int(value) if isinstance(value, float) and value.is_integer() else None


def _number(value: Any) -> float | None:
    return float(value) if _is_number(value) else None


def _decimal(value: Any) -> Decimal | None:
    if not (_is_number(value) or isinstance(value, str)):
        return None
    # Through text, since a float would add its binary error.
    number = Decimal(str(value))
    return number if number.is_finite() else None


def _day(value: Any) -> date | None:
    return date.fromisoformat(value) if isinstance(value, str) else None


_READERS: dict[type[Any], Callable[[Any], Any]] = {
    int: _integer,
    float: _number,
    Decimal: _decimal,
    datetime: lambda value: read_moment(value, datetime),
    date: _day,
}


MAX_PROBLEMS = 5  # named in one message

# Models often wrap JSON in a Markdown fence, or write sentences around it. White space at the end
# is left to `strip`: a model may write a lot of it, and a pattern would take quadratic time.
_FENCE = re.compile(r"```[a-zA-Z0-9_-]*[ \t]*\r?\n(.*?)```", re.DOTALL)
_LONGEST_FENCE = re.compile(r"```[a-zA-Z0-9_-]*[ \t]*\r?\n(.*)```", re.DOTALL)


class OutputMismatchError(ValueError):
    """The output does not fit the type; the text says where."""


def parse_output(text: str | None, kind: Any) -> Any:
    """Parse the output of a task; raises `OutputMismatchError` if it does not fit."""
    if text is None:
        raise OutputMismatchError("the task finished without an output")
    problem = ""
    # The first candidate that is JSON decides, so that an error is about what the model meant.
    for candidate in _candidates(text):
        # Strict JSON: if a key is repeated, neither value is better.
        try:
            value = read_json(candidate.strip().encode())
        except (JsonRefusedError, UnicodeEncodeError) as error:
            problem = problem or f"the output is not JSON: {error}"
            continue
        reading = _Reading()
        try:
            parsed = reading.value(value, kind, "$")
        except RecursionError:  # a type that contains itself; plain JSON may nest deeper
            reading.problems.append("the output nests too deeply")
        else:
            if not reading.problems:
                return parsed
        problem = "; ".join(reading.problems[:MAX_PROBLEMS])
        break
    if _takes_text(kind):
        return text  # prose is a valid answer for text
    raise OutputMismatchError(problem)


def _candidates(text: str) -> Iterator[str]:
    yield text
    for fenced in _FENCE.finditer(text):
        yield fenced[1]
    longest = _LONGEST_FENCE.search(text)  # the JSON itself may contain a fence
    if longest is not None:
        yield longest[1]


def _takes_text(kind: Any) -> bool:
    shape = shapes.shape_of(kind)
    if isinstance(shape, shapes.UnionOf):
        return any(_takes_text(option) for option in shape.options)
    return isinstance(shape, shapes.AnyType) or shape == shapes.Scalar(str)


@attrs.define
class _Reading:
    """One attempt to read a value as a type."""

    problems: list[str] = attrs.field(factory=list)  # what does not fit, and where
    # How badly it fits: the number of keys without a field, and of numbers that changed their
    # class
    stretch: int = 0
    # The readings of arrays and objects as unions, by the ids of both; with the options, so that
    # their ids stay in use. Without this, each option that contains the union itself would read all
    # that is inside again, which multiplies with each level of nesting.
    known: dict[tuple[int, int], tuple["_Reading", Any, object]] = attrs.field(factory=dict)

    def value(self, value: Any, kind: Any, place: str) -> Any:
        """Read a value. If `problems` grew, the result has no meaning."""
        match shapes.shape_of(kind):
            case shapes.AnyType():
                return value
            case shapes.Scalar(scalar):
                return self._scalar(value, scalar, place)
            case shapes.ArrayType(item, build, _unique):
                return self._items(value, item, build, place)
            case shapes.TupleType(items):
                return self._fixed(value, items, place)
            case shapes.MapType(key, each):
                return self._pairs(value, key, each, place)
            case shapes.UnionOf(options):
                return self._one_of(value, options, place)
            case shapes.EnumType(values):
                return self._constant(value, values, place)
            case shapes.Model(model):
                return self._model(value, model, place)
            case shapes.RecordType() as record:
                return self._record(value, record, place)

    def _refuse(self, place: str, problem: str) -> None:
        self.problems.append(f"at {place}: {problem}")

    def _expect(self, value: Any, kind: type[Any], place: str) -> bool:
        fits = isinstance(value, kind)
        if not fits:
            self._refuse(place, f"expected {_NAMES[kind]}, not {_NAMES[type(value)]}")
        return fits

    def _scalar(self, value: Any, kind: type[Any], place: str) -> Any:
        # Not isinstance: True is an int, but must not be accepted as one.
        if type(value) is kind:
            return value
        result, expected = None, _NAMES[kind]
        try:
            result = _READERS[kind](value) if kind in _READERS else None
        except OverflowError:  # an integer of more than 300 digits
            expected = "a finite number"
        except (ValueError, InvalidOperation):  # of a text
            pass
        if result is None:
            # These are written as texts, and only some texts are valid.
            other = isinstance(value, str) and kind in {Decimal, datetime, date}
            given = "another string" if other else _NAMES[type(value)]
            self._refuse(place, f"expected {expected}, not {given}")
            return None
        # Of several options of a union the one with the least stretch is used.
        self.stretch += isinstance(value, int | float) or kind is Decimal
        return result

    def _items(self, value: Any, item: Any, build: Callable[[list[Any]], Any], place: str) -> Any:
        if not self._expect(value, list, place):
            return None
        items = [self.value(each, item, f"{place}[{at}]") for at, each in enumerate(value)]
        # Items that do not fit have no meaning, and `build` may raise for them.
        if self.problems:
            return None
        try:
            return build(items)
        except TypeError:
            self._refuse(place, "expected plain values, which alone can stand in a set")

    def _fixed(self, value: Any, items: tuple[Any, ...], place: str) -> Any:
        if not self._expect(value, list, place):
            return None
        if len(value) != len(items):
            self._refuse(place, f"expected {len(items)} items, not {len(value)}")
            return None
        pairs = zip(value, items, strict=True)
        return tuple(
            self.value(each, item, f"{place}[{at}]") for at, (each, item) in enumerate(pairs)
        )

    def _pairs(self, value: Any, key: Any, each: Any, place: str) -> Any:
        if not self._expect(value, dict, place):
            return None
        return {
            self.value(name, key, place): self.value(inner, each, f"{place}[{name!r}]")
            for name, inner in value.items()
        }

    def _one_of(self, value: Any, options: tuple[Any, ...], place: str) -> Any:
        """Read a value as the option with the least stretch; the first one of equal ones."""
        key = id(value), id(options)
        known = self.known.get(key)
        if known is None:
            readings = [_Reading(known=self.known) for _ in options]
            results = [
                reading.value(value, option, place)
                for reading, option in zip(readings, options, strict=True)
            ]
            best = _best_of(readings)
            known = readings[best], results[best], options
            if isinstance(value, list | dict):  # which stand in one place each
                self.known[key] = known
        reading, result, _options = known
        self.problems += reading.problems
        self.stretch += reading.stretch
        return result

    def _constant(self, value: Any, values: tuple[tuple[Any, Any], ...], place: str) -> Any:
        for each, member in values:
            # 1 == True in Python, but not in JSON.
            if value == each and isinstance(value, bool) is isinstance(each, bool):
                return member
        allowed = ", ".join(json.dumps(each) for each, _member in values)
        self._refuse(place, f"expected one of {allowed}")
        return None

    def _model(self, value: Any, model: Any, place: str) -> Any:
        validate = getattr(model, "model_validate_json", None)
        if validate is None:
            validate = model.__pydantic_validator__.validate_json
        try:
            # As JSON, because strict models accept strings as times only from JSON.
            parsed = validate(json.dumps(value))
        except Exception as error:  # noqa: BLE001 - pydantic is not imported here
            self._refuse_model(error, place)
            return None
        if isinstance(value, dict):
            names = "model_fields" if hasattr(model, "model_fields") else "__pydantic_fields__"
            self.stretch += len(value.keys() - getattr(model, names, {}).keys())
        return parsed

    def _refuse_model(self, error: Exception, place: str) -> None:
        describe = getattr(error, "errors", None)
        details = describe(include_url=False, include_input=False) if callable(describe) else []
        if not isinstance(details, list) or not details:
            self._refuse(place, str(error) or type(error).__name__)
            return
        for detail in details:
            inner = "".join(_step(part) for part in detail["loc"])
            self._refuse(place + inner, detail["msg"])

    def _record(self, value: Any, record: shapes.RecordType, place: str) -> Any:
        if not self._expect(value, dict, place):
            return None
        before = len(self.problems)
        arguments: dict[str, Any] = {}
        raw: list[shapes.Field] = []  # whose converters get what came
        for field in record.fields:
            if field.name in value:
                result = self._field(value[field.name], field, f"{place}.{field.name}", raw)
                arguments[field.argument] = result
            elif field.required:
                self._refuse(f"{place}.{field.name}", "a required field is missing")
        self.stretch += len(value) - len(arguments) + len(raw)
        if len(self.problems) > before:
            return None
        try:
            return record.kind(**arguments)
        except Exception as error:  # noqa: BLE001 - a class's own validators raise what they like
            where = next((field for field in raw if _is_refused(value[field.name], field)), None)
            inner = "" if where is None else f".{where.name}"
            self._refuse(place + inner, str(error) or type(error).__name__)
            return None

    def _field(self, value: Any, field: shapes.Field, place: str, raw: list[shapes.Field]) -> Any:
        """Read the value of a field; if it does not fit, the field's converter gets it."""
        # Separately, since its problems do not count if a converter gets the value.
        reading = _Reading(known=self.known)
        result = reading.value(value, field.kind, place)
        if reading.problems and field.converter is not None:
            raw.append(field)
            return value
        self.problems += reading.problems
        self.stretch += reading.stretch
        return result


def _best_of(readings: list[_Reading]) -> int:
    """The best of several readings of a value, or the intended one if none fits."""
    fitting = [index for index, reading in enumerate(readings) if not reading.problems]
    if fitting:
        return min(fitting, key=lambda index: readings[index].stretch)
    # The option whose first problem is deepest inside.
    places = [len(reading.problems[0].partition(":")[0]) for reading in readings]
    return places.index(max(places))


def _is_refused(value: Any, field: shapes.Field) -> bool:
    """Whether a field's converter raises for a value, if that can be tried."""
    convert: Any = field.converter
    is_wrapped = isinstance(field.converter, attrs.Converter)
    if is_wrapped:
        if convert.takes_self or convert.takes_field:
            return False  # only the class has what it takes
        convert = convert.converter
    try:
        convert(value)
    except Exception:  # noqa: BLE001 - converters raise what they like
        return True
    return False


def _step(part: Any) -> str:
    return f"[{part}]" if isinstance(part, int) else f".{part}"
