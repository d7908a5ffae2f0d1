"""What the sections of the API have in common: how they call, show themselves, and take fields."""

import asyncio
import inspect
import sys
from collections.abc import Awaitable, Callable, Collection
from functools import reduce, wraps
from operator import or_
from typing import Any, TypeVar, cast, get_args

import attrs

from browser_use_async.api.requests import CALLER, Caller, are_unconfined
from browser_use_async.transport.client import Call
from browser_use_async.types import UNSET, TaskSettings, Unset


class Section:
    """A section of the API: its methods are calls."""

    def __init__(self, call: Call) -> None:
        self._call = call

    def __repr__(self) -> str:
        calls = [name for name in vars(type(self)) if not name.startswith("_")]
        return f"<{type(self).__name__}: {', '.join(calls)}>"


MethodT = TypeVar("MethodT", bound=Callable[..., Any])


def takes_fields(
    model: type[Any], explained_in: type[Any] | None = None, *, without: Collection[str] = ()
) -> Callable[[MethodT], MethodT]:
    """Let a method with `**fields` name them: in its signature, in help(), and to completion."""
    # Jupyter completes the keywords of a signature; it cannot see those of `Unpack`. A coroutine
    # function becomes one that warns of unconfined secrets where it is called: run in a task of its
    # own it would not find that line any more.

    def decorate(method: MethodT) -> MethodT:
        is_paid = inspect.iscoroutinefunction(method) and issubclass(model, TaskSettings)
        named = _calling(method) if is_paid else method
        function = cast("Any", named)
        own = inspect.signature(method)
        taken = {*own.parameters, *without}
        fields = [each for each in attrs.fields(model) if each.name not in taken]
        function.__signature__ = _with_fields(own, fields)
        if method.__doc__ is not None:  # python -OO drops it
            texts = _explanations(explained_in or model) | _explanations(model)
            lines = "\n".join(f"            {each.name}: {texts[each.name]}" for each in fields)
            function.__doc__ = f"{method.__doc__.rstrip()}\n\n        Fields:\n{lines}\n        "
        return cast("MethodT", named)

    return decorate


def _calling(method: Any) -> Callable[..., Any]:
    @wraps(method)
    def call(self: Any, *arguments: Any, **fields: Any) -> Any:
        running = method(self, *arguments, **fields)
        # An outer coroutine for those alone: it lives as long as the wait.
        if are_unconfined(arguments[0] if arguments else fields.get("task"), fields):
            return _with_caller(running, Caller.of(sys._getframe(1)))  # noqa: SLF001 - this line
        return running

    mark = getattr(inspect, "markcoroutinefunction", None)
    if mark is None:  # before Python 3.12
        call._is_coroutine = asyncio.coroutines._is_coroutine  # type: ignore[attr-defined]  # noqa: SLF001
    else:
        mark(call)
    return call


async def _with_caller(running: Awaitable[Any], caller: Caller) -> Any:
    token = CALLER.set(caller)
    try:
        return await running
    finally:
        CALLER.reset(token)


def _with_fields(
    signature: inspect.Signature, fields: "list[attrs.Attribute[Any]]"
) -> inspect.Signature:
    own = [each for each in signature.parameters.values() if each.kind is not each.VAR_KEYWORD]
    named = [
        inspect.Parameter(
            each.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=inspect.Parameter.empty if each.default is attrs.NOTHING else UNSET,
            annotation=_without_unset(each.type),
        )
        for each in fields
    ]
    return signature.replace(parameters=[*own, *named])


def _without_unset(annotation: Any) -> Any:
    kinds = [each for each in get_args(annotation) if each is not Unset]
    return reduce(or_, kinds) if kinds else annotation


def _explanations(model: type[Any]) -> dict[str, str]:
    """What the docstrings of a request say about its fields, each on one line."""
    texts: dict[str, str] = {}
    for kind in model.__mro__:
        _, _, attributes = (kind.__doc__ or "").partition("Attributes:\n")
        name = ""
        for line in inspect.cleandoc("\n" + attributes).splitlines():
            if line[:1].isspace():
                texts[name] += f" {line.strip()}"
            elif line:
                name, _, text = line.partition(": ")
                texts[name] = text
    return texts
