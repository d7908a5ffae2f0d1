"""From keyword arguments to a checked request, or a refusal before anything is sent."""

import inspect
import os
import warnings
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any, TypeVar, cast

import attrs

from browser_use_async.api.serialization import encode_request
from browser_use_async.api.validation import Mode, validate
from browser_use_async.errors import InvalidRequestError
from browser_use_async.types import TaskSettings

RequestT = TypeVar("RequestT")

_PACKAGE = f"{Path(__file__).parents[1]}{os.sep}"


def build_request(model: type[RequestT], fields: MutableMapping[str, Any]) -> RequestT:
    """A request that the API accepts, as far as that can be known here.

    Raises:
        InvalidRequestError: A field is unknown, missing, of the wrong type or out of bounds.

    Warns:
        UserWarning: The request has secrets that the agent may type on any website.
    """
    given = dict(fields)
    fields.clear()
    _refuse_unknown(model, given)
    values, problems = validate(model, given, Mode.CLIENT)
    given.clear()
    if problems:
        first = problems[0]
        values.clear()
        place = ".".join(str(part) for part in first.location)
        name, message = str(first.location[0]), first.message
        del first, problems
        raise InvalidRequestError(
            f"{place}: {message[0].lower()}{message[1:]}; nothing was sent", field=name
        )
    request = model(**values)
    values.clear()
    if isinstance(request, TaskSettings) and request.secrets and not request.allowed_domains:
        _warn_of_unconfined_secrets()
    return request


def merged_request(model: type[RequestT], name: str, given: object, fields: object) -> RequestT:
    """The request of a call that takes its first field, or a whole request, and keyword fields.

    Raises:
        InvalidRequestError: As `build_request`.
    """
    drained = cast("dict[str, Any]", fields)
    merged = encode_given(given) if isinstance(given, model) else {name: given}
    merged.update(drained)
    drained.clear()
    return build_request(model, merged)


def encode_given(request: Any) -> dict[str, Any]:
    """The fields of a request object that were given, as keyword arguments."""
    return {name: getattr(request, name) for name in encode_request(request)}


def _warn_of_unconfined_secrets() -> None:
    """Warn at the caller's line; the text is always the same, so Python shows it once per line."""
    warnings.warn(
        "this task has secrets but no allowed_domains, so the agent may type them on any website; "
        "the API recommends to name the domains whenever there are secrets",
        UserWarning,
        stacklevel=_level_of_the_caller(),
    )


def _level_of_the_caller() -> int:
    """How far up, seen from the function that warns, the first frame outside of the package is."""
    frame, level = inspect.currentframe(), 0
    while frame is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        frame, level = frame.f_back, level + 1
    return level


def _refuse_unknown(model: type[Any], given: dict[str, Any]) -> None:
    known = [field.name for field in attrs.fields(cast("Any", model))]
    for name in given:
        if name not in known:
            given.clear()
            import difflib  # noqa: PLC0415 - for those who misspell

            close = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {close[0]}?" if close else f"it has {', '.join(known)}."
            raise InvalidRequestError(
                f"{name} is not a field of {model.__name__}; {hint} Nothing was sent", field=name
            )
