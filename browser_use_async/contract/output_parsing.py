"""From the text that a task answered to the type that the caller asked for."""

import re
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from functools import cache
from typing import Any

import cattrs
from cattrs.strategies import configure_union_passthrough

from browser_use_async.contract.output_schema import is_pydantic_model
from browser_use_async.contract.strict_json import JsonRefusedError, read_json
from browser_use_async.contract.timestamps import parse_timestamp

__all__ = ["OutputMismatchError", "parse_output"]

# Models like to wrap JSON in a Markdown fence, or to say a sentence around it.
_FENCE = re.compile(r"```[a-zA-Z0-9_-]*[ \t]*\r?\n(.*?)\r?\n?[ \t]*```", re.DOTALL)


class OutputMismatchError(ValueError):
    """The output does not fit the type; says where, in words."""


def parse_output(text: str | None, kind: Any) -> Any:
    """Parse the output of a task.

    Args:
        text: What the task answered. JSON in a Markdown fence is accepted.
        kind: The `output_type` of the call.

    Raises:
        OutputMismatchError: There is no output, or it does not fit.
    """
    if text is None:
        raise OutputMismatchError("the task finished without an output")
    value = _json_in(text, kind)
    problem: str
    try:
        return _converter().structure(value, kind)
    except cattrs.BaseValidationError as error:
        problem = "; ".join(cattrs.transform_error(error, format_exception=_in_words)[:5])
    except Exception as error:  # noqa: BLE001 - a model's own validators raise what they like
        problem = str(error)
    raise OutputMismatchError(problem)


def _json_in(text: str, kind: Any) -> Any:
    fenced = _FENCE.search(text)
    problem = ""
    for candidate in (text, fenced.group(1) if fenced else None):
        if candidate is None:
            continue
        try:
            return read_json(candidate.strip().encode())
        except (JsonRefusedError, UnicodeEncodeError) as error:
            problem = problem or str(error)
    if kind is str:
        return text  # prose is a fine answer to a question for text
    raise OutputMismatchError(f"the output is not JSON: {problem}")


def _in_words(error: BaseException, kind: Any) -> str:
    if isinstance(error, KeyError):
        return "a required field is missing"
    return str(error) or f"the value does not fit {kind!r}"


def _exactly(kind: type[Any], *also: type[Any]) -> Any:
    """Structure a plain type without guessing: `bool("false")` would be True."""

    def hook(value: Any, _type: Any) -> Any:
        if isinstance(value, bool) and kind is not bool:
            raise OutputMismatchError(f"expected {kind.__name__}, not a boolean")
        if isinstance(value, kind):
            return value
        if isinstance(value, also) and value == kind(value):
            return kind(value)
        raise OutputMismatchError(f"expected {kind.__name__}, not {type(value).__name__}")

    return hook


def _decimal(value: Any, _type: Any) -> Decimal:
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        try:
            return Decimal(str(value))
        except InvalidOperation:
            pass
    raise OutputMismatchError("expected a number")


def _datetime(value: Any, _type: Any) -> datetime:
    moment = parse_timestamp(value) if isinstance(value, str) else None
    if moment is None:
        raise OutputMismatchError("expected an ISO 8601 timestamp")
    return moment


def _date(value: Any, _type: Any) -> date:
    if isinstance(value, str):
        try:
            return date.fromisoformat(value)
        except ValueError:
            pass
    raise OutputMismatchError("expected an ISO 8601 date")


@cache
def _converter() -> cattrs.Converter:
    converter = cattrs.Converter()
    converter.register_structure_hook(str, _exactly(str))
    converter.register_structure_hook(int, _exactly(int, float))
    converter.register_structure_hook(float, _exactly(float, int))
    converter.register_structure_hook(bool, _exactly(bool))
    converter.register_structure_hook(Decimal, _decimal)
    converter.register_structure_hook(datetime, _datetime)
    converter.register_structure_hook(date, _date)
    converter.register_structure_hook_func(lambda kind: kind is object, lambda value, _type: value)
    converter.register_structure_hook_func(
        is_pydantic_model, lambda value, model: model.model_validate(value)
    )
    configure_union_passthrough(str | int | float | bool | None, converter)
    return converter
