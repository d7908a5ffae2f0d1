"""Checks options against their annotations, before anything is sent."""

import os
import types
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, Union, get_args, get_origin

from browser_use_async.errors import ConfigurationError, InvalidRequestError

_NAMES: Mapping[Any, str] = {
    bool: "True or False",
    int: "a whole number",
    float: "a number",
    str: "a text",
    type(None): "None",
    Callable: "a function",
    **dict.fromkeys((Sequence, Collection, Iterable), "a list"),
    Mapping: "a dict",
    os.PathLike: "a path",
}


def hint_at(name: str, known: Collection[str]) -> str:
    """The name that was probably meant instead of an unknown one, else all known ones."""
    import difflib  # noqa: PLC0415 - for those who misspell

    close = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {close[0]}?" if close else f"it has {', '.join(known)}."


def check_settings(kinds: Mapping[str, Any], values: Mapping[str, object]) -> None:
    """Raise `ConfigurationError` for the first setting that does not fit its annotation."""
    for name, kind in kinds.items():
        if name in values and (problem := _problem(name, values[name], kind)) is not None:
            raise ConfigurationError(problem)


def check_option(name: str, value: object, kind: Any) -> None:
    """Raise `InvalidRequestError` for an option of a call that does not fit its annotation."""
    # The usual values first, for speed: this is called for each new task.
    if type(value) is kind or (type(value) is str and value in getattr(kind, "__args__", ())):
        return
    if (problem := _problem(name, value, kind)) is not None:
        raise InvalidRequestError(f"{problem}; nothing was sent", field=name)


def _problem(name: str, value: object, kind: Any) -> str | None:
    """The required kind of a value, or None if it fits its annotation."""
    kinds = get_args(kind) if get_origin(kind) in {Union, types.UnionType} else (kind,)
    if any(_is_one(value, each) for each in kinds):
        fitting = next(each for each in kinds if _is_one(value, each))
        parts = (_problem(f"{name}{place}", *part) for place, *part in _parts(value, fitting))
        return next((problem for problem in parts if problem is not None), None)
    # None comes last: it leaves the option out.
    in_order = sorted(kinds, key=lambda each: each is type(None))
    wanted = [word for each in in_order for word in _words(each)]
    either = wanted[0] if len(wanted) == 1 else f"{', '.join(wanted[:-1])} or {wanted[-1]}"
    # Only the type if the value may be a secret.
    is_word = any(get_origin(each) is Literal for each in kinds)
    return f"{name} must be {either}, not {f'{value!r:.60}' if is_word else type(value).__name__}"


def _is_one(value: Any, kind: Any) -> bool:
    """Whether a value is of a kind that is no union; its items are not checked."""
    origin = get_origin(kind) or kind
    if origin is Literal:
        return value in get_args(kind)
    if origin in {int, float}:
        # True is an int in Python, but not for people.
        return isinstance(value, int | origin) and not isinstance(value, bool)
    if origin is Sequence:
        # A text is a sequence, too, but its letters are not meant.
        return isinstance(value, Sequence) and not isinstance(value, str | bytes)
    # Names for type checkers only, such as type variables, are not checked.
    return not isinstance(origin, type) or origin is Any or isinstance(value, origin)


def _parts(value: Any, kind: Any) -> Iterator[tuple[str, object, object]]:
    """The items of a list or a mapping, each with its place and its required kind."""
    origin = get_origin(kind)
    if origin is Sequence:
        (item,) = get_args(kind)
        yield from ((f"[{number}]", each, item) for number, each in enumerate(value))
    elif origin is Mapping:
        key_kind, item = get_args(kind)
        for key, each in value.items():
            yield f" has a name that is no text, {key!r:.60}: each name", key, key_kind
            yield f"[{key!r:.60}]", each, item


def _words(kind: Any) -> list[str]:
    """The words for the values of a kind."""
    origin = get_origin(kind) or kind
    if origin is Literal:
        return [repr(each) for each in get_args(kind)]
    if origin in _NAMES:
        return [_NAMES[origin]]
    package = origin.__module__.partition(".")[0]
    own = package == "browser_use_async"
    name = origin.__name__ if own else f"{package}.{origin.__name__}"
    return [f"{'an' if name[0].lower() in 'aeiou' else 'a'} {name}"]
