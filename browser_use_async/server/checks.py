"""Validation of objects that programs construct. Each error text begins with the field's name."""

import functools
import inspect
import math
import os
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, TypeVar

from browser_use_async.errors import ConfigurationError

Check = Callable[[str, Any], None]
ClassT = TypeVar("ClassT", bound=type)


def names_its_fields(owner: ClassT) -> ClassT:
    """A class decorator: refuses an unknown field, with a suggestion."""
    construct = owner.__init__  # type: ignore[misc]
    names = list(inspect.signature(construct).parameters)[1:]

    @functools.wraps(construct)
    def __init__(self: Any, *given: Any, **fields: Any) -> None:  # noqa: N807
        refuse_unknown(owner.__name__, fields, names)
        construct(self, *given, **fields)

    owner.__init__ = __init__  # type: ignore[misc]
    return owner


def refuse_unknown(owner: str, given: Iterable[str], names: Collection[str]) -> None:
    """Refuse names of fields that a class does not have."""
    for name in given:
        if name not in names:
            raise ConfigurationError(f"{owner}.{name}: {no_such(name, names)}")


def no_such(name: str, names: Iterable[str]) -> str:
    """The problem of an unknown name of a field, or of another named thing."""
    meant = closest(name, names)
    return "there is no such name; " + (
        f"did you mean {meant!r}?" if meant else f"there are {', '.join(names) or 'none'}"
    )


def one_of(field: str, value: object, known: Iterable[str]) -> None:
    """Refuse a value that is not one of the known words."""
    words = [str(word) for word in known]
    if isinstance(value, str) and value in words:
        return
    # The closest word is more helpful than a list of thirty.
    meant = closest(value, words)
    if meant is not None:
        raise ConfigurationError(f"{field}: {value!r} is not known; did you mean {meant!r}?")
    raise ConfigurationError(f"{field}: {value!r} is none of {', '.join(words)}")


def closest(value: object, words: Iterable[str]) -> str | None:
    """The word that was probably meant, or None."""
    if not isinstance(value, str):
        return None
    # Without underscores and hyphens, which are often forgotten.
    plain = {_plain(word): word for word in words}
    near = get_close_matches(_plain(value), plain, n=1, cutoff=0.6)
    return plain[near[0]] if near else None


def _plain(word: str) -> str:
    return word.lower().replace("_", "").replace("-", "").replace(" ", "")


def integer(field: str, value: object, least: float = -math.inf, most: float = math.inf) -> None:
    """Refuse what is no whole number within bounds."""
    # bool is a subclass of int, and True is not a count.
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        bounds = f" from {least}" * (least > -math.inf) + f" to {most}" * (most < math.inf)
        raise ConfigurationError(f"{field}: {shown(value)} is no whole number{bounds}")


def count(field: str, value: object) -> None:
    """Refuse what is no whole number from 1."""
    integer(field, value, 1)


def is_number(value: object) -> bool:
    """Whether a value is a finite number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def seconds(field: str, value: Any) -> None:
    """Refuse what is no number of seconds from 0."""
    if not is_number(value) or value < 0:
        raise ConfigurationError(f"{field}: {shown(value)} is no number from 0")


def number(field: str, value: object) -> None:
    """Refuse what is no finite number."""
    if not is_number(value):
        raise ConfigurationError(f"{field}: {shown(value)} is no number")


def flag(field: str, value: object) -> None:
    """Refuse what is neither True nor False."""
    if not isinstance(value, bool):
        raise ConfigurationError(f"{field}: {shown(value)} is neither True nor False")


def text(field: str, value: object) -> None:
    """Refuse what is no text."""
    if not isinstance(value, str):
        lines = isinstance(value, list | tuple) and all(isinstance(each, str) for each in value)
        hint = '; join its lines with "\\n"' if lines and value else ""
        raise ConfigurationError(f"{field}: {shown(value)} is no text{hint}")


def path(field: str, value: object) -> None:
    """Refuse what is no path."""
    if not isinstance(value, str | os.PathLike):
        raise ConfigurationError(f"{field}: {shown(value)} is no path of a file")


def content(field: str, value: object) -> None:
    """Refuse what is not the bytes of a file."""
    if not isinstance(value, bytes):
        hint = "; encode the text, or read the file with Path(...).read_bytes()"
        raise ConfigurationError(f"{field}: {shown(value)} is no bytes{hint}")


def contents(field: str, value: object) -> None:
    """Refuse what are not bytes by name."""
    mapping(field, value)
    for name, each in value.items():  # type: ignore[attr-defined]
        content(f"{field}[{name!r}]", each)


def mapping(field: str, value: object) -> None:
    """Refuse what is no mapping whose keys are names."""
    if not isinstance(value, Mapping):
        raise ConfigurationError(f"{field}: {shown(value)} are no values by name; write a dict")
    for name in value:
        if not isinstance(name, str) or not name:
            raise ConfigurationError(f"{field}: {name!r} is no name")


def sequence(field: str, value: object, kind: str) -> None:
    """Refuse what is no list; `kind` is what belongs into it."""
    # A text is a sequence, too, but its letters are not meant.
    if not isinstance(value, Sequence) or isinstance(value, str | bytes):
        raise ConfigurationError(f"{field}: {shown(value)} is no list of {kind}; write [...]")


def texts(field: str, value: object, kind: str) -> None:
    """Refuse what is no list of texts; `kind` is what they are."""
    sequence(field, value, kind)
    for number, each in enumerate(value):  # type: ignore[arg-type, var-annotated]
        text(f"{field}[{number}]", each)


def texts_by_name(field: str, value: object) -> None:
    """Refuse what are not texts by name; the texts are not shown."""
    mapping(field, value)
    for name, each in value.items():  # type: ignore[attr-defined]
        if not isinstance(each, str):
            raise ConfigurationError(f"{field}[{name!r}]: {type(each).__name__} is no text")


def instance(field: str, value: object, kind: type, hint: str = "") -> None:
    """Refuse what is not an instance of a class."""
    if not isinstance(value, kind):
        article = "an" if kind.__name__[0] in "AEIOU" else "a"
        raise ConfigurationError(f"{field}: {shown(value)} is not {article} {kind.__name__}{hint}")


def optional(check: Check) -> Check:
    """The same check, of a field that may be None."""

    def check_given(field: str, value: Any) -> None:
        if value is not None:
            check(field, value)

    return check_given


def check_fields(owner: object, rules: Mapping[str, Check]) -> None:
    """Check fields of an object; an error names its class and the field."""
    for field, check in rules.items():
        check(f"{type(owner).__name__}.{field}", getattr(owner, field))


def shown(value: object) -> str:
    """A value in an error, short enough for a line."""
    return f"{value!r:.60}" if isinstance(value, str) else f"{value!r:.80}"
