"""Makes checked requests from keyword arguments, or refuses them before anything is sent."""

import json
import sys
import warnings
from collections.abc import Mapping, MutableMapping
from typing import Any, TypeVar, cast

import attrs

from browser_use_async.api.validation import Problem, validate
from browser_use_async.errors import InvalidRequestError
from browser_use_async.types import UNSET, TaskSettings

RequestT = TypeVar("RequestT")


def build_request(model: type[RequestT], fields: MutableMapping[str, Any]) -> RequestT:
    """A request that the API accepts, as far as this can be checked here."""
    # Cleared before anything is raised, since tracebacks with locals show secrets.
    given = dict(fields)
    fields.clear()
    if issubclass(model, TaskSettings):
        _name_script(given)
    extra = given.pop("extra_fields", None)
    _refuse_unknown(model, given)
    values, problems = validate(model, given)
    given.clear()
    if problems:
        first = problems[0]
        values.clear()
        place = ".".join(str(part) for part in first.location)
        name, message = str(first.location[0]), _explained(first)
        del first, problems
        raise InvalidRequestError(f"{place}: {message}; nothing was sent", field=name)
    if extra is not None:
        values["extra_fields"] = _checked_extra(model, extra)
    request = model(**values)
    values.clear()
    return request


def _checked_extra(model: type[Any], extra: Any) -> dict[str, Any]:
    """The extra fields, if the request may have them; they are sent as they are."""
    problem = None
    known = {field.name for field in attrs.fields(model)}
    if "extra_fields" not in known:
        problem = f"{model.__name__} takes none"
    elif not isinstance(extra, Mapping):
        problem = f"must be a mapping, not {type(extra).__name__}"
    elif own := sorted(name for name in known if name in extra):
        problem = f"{own[0]} is a field of {model.__name__}; pass it by its own name"
    else:
        try:
            json.dumps(extra, allow_nan=False)
        except (TypeError, ValueError, RecursionError):
            problem = "has a value that cannot be written as JSON"
    if problem is not None:
        raise InvalidRequestError(
            f"extra_fields: {problem}; nothing was sent", field="extra_fields"
        )
    return dict(extra)


def _name_script(given: dict[str, Any]) -> None:
    """Turn the script and its inputs into metadata, and put the inputs into the text."""
    name, inputs = given.pop("script", None), given.pop("inputs", None)
    if name is None and inputs is None:
        return
    # Loaded with the first script.
    from browser_use_async.api.script_pairs import (  # noqa: PLC0415
        ScriptPairsError,
        pairs_of,
    )

    try:
        pairs, text = pairs_of(name, inputs, given.get("task"))
    except ScriptPairsError as error:
        given.clear()
        raise InvalidRequestError(f"script: {error}; nothing was sent", field="script") from None
    if text is not None:
        given["task"] = text
    own = given.get("metadata")
    if own is None or isinstance(own, Mapping):  # else validation refuses it
        given["metadata"] = {**(own or {}), **pairs}


def _explained(problem: Problem) -> str:
    """A problem in terms of Python; the service's terms are for JSON."""
    given, context = problem.value, problem.context
    if problem.kind == "list_type" and isinstance(given, str) and len(given) <= 100:
        return f"must be a list; pass [{given!r}]"
    if problem.kind in _WANTED:
        return f"must be {_WANTED[problem.kind]}, not {type(given).__name__}"
    if problem.kind == "value_error":
        return problem.message.removeprefix("Value error, ")
    size = len(given) if isinstance(given, str) else given  # of a text only the length is shown
    return _TEXTS[problem.kind].format(given=size, **context)


_WANTED = {
    "string_type": "a string",
    "int_type": "an integer",
    "bool_type": "True or False",
    "list_type": "a list of strings",
    "dict_type": "a mapping of strings to strings",
    "datetime_type": "an aware datetime",
}
_TEXTS = {
    "missing": "is required",
    "enum": "is spelt {expected!r}",
    "string_too_short": "must not be empty",
    "string_too_long": "must have at most {max_length} characters, not {given}",
    "string_unicode": "contains half of a surrogate pair, which cannot be sent as UTF-8",
    "greater_than_equal": "must be {ge} or more, not {given}",
    "less_than_equal": "must be {le} or less, not {given}",
    "int_parsing_size": "must be an integer of less than 64 bits",
    "too_long": "has {actual_length} pairs, and may have {max_length} at most",
    "timezone_aware": "has no time zone; pass datetime.now(UTC) or the like",
}


def warn_if_unconfined(request: object) -> None:
    """Warn of secrets that the agent may type on any website, at the caller's line."""
    if isinstance(request, TaskSettings) and request.secrets and not request.allowed_domains:
        warnings.warn(
            "this task has secrets but no allowed_domains, so the agent may type them on any "
            "website; the API recommends to name the domains whenever there are secrets",
            UserWarning,
            _stacklevel_of_caller(),
        )


def _stacklevel_of_caller() -> int:
    """The `stacklevel` of the code that called the package, for the function that called this one.

    If the call is an asyncio task of its own, it is the level of asyncio.
    """
    level, frame = 1, sys._getframe(1)  # noqa: SLF001 - the documented way to the frame
    while frame.f_globals["__name__"].startswith("browser_use_async."):
        if frame.f_back is None:
            break
        level, frame = level + 1, frame.f_back
    return level


def merged_request(model: type[RequestT], name: str, given: object, fields: object) -> RequestT:
    """The request of a call with its first field, or a whole request, and keyword fields."""
    drained = cast("dict[str, Any]", fields)
    merged = encode_given(given) if isinstance(given, model) else {name: given}
    merged.update(drained)
    # Cleared, since a traceback with locals would show the caller's mapping with its secrets.
    drained.clear()
    request = build_request(model, merged)
    warn_if_unconfined(request)
    return request


def encode_given(request: Any) -> dict[str, Any]:
    """The fields of a request object that were given, as keyword arguments."""
    given = attrs.asdict(request, recurse=False)
    return {name: value for name, value in given.items() if value is not UNSET}


def _refuse_unknown(model: type[Any], given: dict[str, Any]) -> None:
    known = [field.name for field in attrs.fields(cast("Any", model))]
    for name in given:
        if name not in known:
            given.clear()
            import difflib  # noqa: PLC0415 - for those who misspell

            close = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {close[0]}?" if close else f"it has {', '.join(known)}."
            what = f"{name} is not a field of {model.__name__}; {hint} Nothing was sent"
            raise InvalidRequestError(what, field=name)
