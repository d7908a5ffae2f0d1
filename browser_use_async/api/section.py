"""The base of the sections of the API: calls, reprs, and keyword fields."""

from collections.abc import Callable
from inspect import Parameter, signature
from typing import Any, TypeVar, cast

from browser_use_async.transport.client import Call
from browser_use_async.types import UNSET


class Section:
    """A section of the API, whose methods are calls."""

    def __init__(self, call: Call) -> None:
        self._call = call

    def __repr__(self) -> str:
        kinds = [each for each in type(self).mro() if issubclass(each, Section)]
        calls = [name for each in kinds for name in vars(each) if not name.startswith("_")]
        return f"<{type(self).__name__}: {', '.join(calls)}>"


MethodT = TypeVar("MethodT", bound=Callable[..., Any])


def takes_fields(fields: Any) -> Callable[[MethodT], MethodT]:
    """Put the keywords of a TypedDict into the signature of a method with `**fields`."""
    # Jupyter completes the keywords of a signature, but not those of `Unpack`.

    def decorate(method: MethodT) -> MethodT:
        own = signature(method)
        *others, _fields = own.parameters.values()
        named = [
            Parameter(
                name,
                Parameter.KEYWORD_ONLY,
                default=Parameter.empty if name in fields.__required_keys__ else UNSET,
                annotation=kind,
            )
            for name, kind in fields.__annotations__.items()
            if name not in own.parameters
        ]
        cast("Any", method).__signature__ = own.replace(parameters=[*others, *named])
        return method

    return decorate
