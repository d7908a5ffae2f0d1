"""Texts that match a regular expression, for answers that follow a JSON schema. No I/O.

A text is written along the tree that Python's own parser makes of a pattern. Lookarounds and
anchors inside are passed over; what comes out is then searched for the whole pattern, for as long
as the answer may take. No library does it: those that write texts for patterns choose at random,
know no bounds for a length, and repeat what is in repetitions.
"""

import re
import string
import time
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

import attrs

from browser_use_async.server.extras import missing_packages

_MAX_REPEATS = 4096
_MAX_LENGTH = 100_000
_MAX_PIECES = 100_000  # written for one pattern, over all attempts
_WORDS = string.ascii_lowercase + string.ascii_uppercase + string.digits + "_"
_ANY = string.ascii_letters + string.digits + string.punctuation + " \t"
_CATEGORIES = {
    "CATEGORY_DIGIT": string.digits,
    "CATEGORY_WORD": _WORDS,
    "CATEGORY_SPACE": " \t",
    **{
        f"CATEGORY_NOT_{name}": "".join(each for each in _ANY if each not in known)
        for name, known in (("DIGIT", string.digits), ("WORD", _WORDS), ("SPACE", " \t"))
    },
}
_BEGINNINGS = frozenset({"AT_BEGINNING", "AT_BEGINNING_STRING"})
_ENDS = frozenset({"AT_END", "AT_END_STRING"})
_UNICODE = 32  # the flag that each pattern has


class PatternRefusedError(Exception):
    """No text is known that matches. Its text says why, for a person."""


@attrs.define
class Budget:
    """What the texts of one answer may still cost."""

    characters: int = 1_000_000  # written, those of patterns included
    pieces: int = 200_000  # put together in attempts to match patterns
    seconds: float = 1.0  # of looking for patterns in texts


@attrs.define
class _Writer:
    """Writes texts along a parsed pattern; `extra` optional repetitions, different `variant`s."""

    pieces: int = 0
    is_exact: bool = True  # whether the last text matches, since nothing was passed over for it

    def sequence(
        self, parts: Any, extra: int, variant: int, *, begins: bool = False, ends: bool = False
    ) -> str:
        """A text for parts, one behind the other; `begins` and `ends` say of what they do."""
        texts: list[str] = []
        for place, (operation, given) in enumerate(parts):
            is_first = begins and place == 0
            is_last = ends and place == len(parts) - 1
            match str(operation):
                case "BRANCH":
                    options = given[1]
                    option = options[variant % len(options)]
                    inner = variant // len(options)
                    text = self.sequence(option, extra, inner, begins=is_first, ends=is_last)
                case "SUBPATTERN":
                    if given[1] or given[2]:
                        raise PatternRefusedError("it has flags")
                    text = self.sequence(given[3], extra, variant, begins=is_first, ends=is_last)
                case "AT":
                    is_outermost = str(given) in (_BEGINNINGS if is_first else _ENDS)
                    self.is_exact = self.is_exact and is_outermost and (is_first or is_last)
                    text = ""
                case name:
                    text = self._part(name, given, extra, variant)
            texts.append(text)
        return "".join(texts)

    def _part(self, name: str, given: Any, extra: int, variant: int) -> str:
        self._count(1)
        match name:
            case "MAX_REPEAT" | "MIN_REPEAT":
                return self._repeated(given, extra, variant)
            case "POSSESSIVE_REPEAT" | "ATOMIC_GROUP":  # these match most of the same texts
                self.is_exact = False
                if name == "ATOMIC_GROUP":
                    return self.sequence(given, extra, variant)
                return self._repeated(given, extra, variant)
            case "ASSERT" | "ASSERT_NOT":
                self.is_exact = False
                return ""
            case "LITERAL":
                return chr(given)
            case "ANY" | "IN" | "NOT_LITERAL":
                characters = _characters(name, given)
                return characters[variant % len(characters)]
            case "GROUPREF" | "GROUPREF_EXISTS":
                raise PatternRefusedError("it refers back to a group")
            case _:
                raise PatternRefusedError(f"it has {name}, which is not known")

    def _repeated(self, given: tuple[int, int, Any], extra: int, variant: int) -> str:
        least, most, part = given
        if least > _MAX_REPEATS:
            raise PatternRefusedError(f"it repeats something {least} times")
        count = min(least + extra, most, _MAX_REPEATS)
        self._count(count)
        # What is repeated gets no repetitions of its own: their product would be huge.
        return "".join(self.sequence(part, 0, variant) for _ in range(count))

    def _count(self, pieces: int) -> None:
        self.pieces += pieces
        if self.pieces > _MAX_PIECES:
            raise PatternRefusedError("it is too large")


def _characters(name: str, given: Any) -> str:
    """Some of the characters that a set stands for."""
    if name == "ANY":
        return _ANY
    members = [("LITERAL", given)] if name == "NOT_LITERAL" else [*given]
    is_negated = name == "NOT_LITERAL" or str(members[0][0]) == "NEGATE"
    if is_negated:
        known = "".join(each for each in _ANY if not any(_has(one, each) for one in members))
    else:
        known = "".join(map(_members, members))
    if not known:
        raise PatternRefusedError("it has a set of characters that is empty")
    return known


def _has(member: Any, character: str) -> bool:
    operation, given = member
    if str(operation) == "RANGE":
        return bool(given[0] <= ord(character) <= given[1])
    return character in _members(member)


def _members(member: Any) -> str:
    operation, given = member
    match str(operation):
        case "LITERAL":
            return chr(given)
        case "RANGE":
            return "".join(map(chr, range(given[0], min(given[1], given[0] + 128) + 1)))
        case "CATEGORY":
            return _CATEGORIES[str(given)]
        case _:
            return ""


def matching_text(
    pattern: str,
    *,
    least: int = 0,
    most: int = _MAX_LENGTH,
    variant: int = 0,
    budget: Budget | None = None,
) -> str:
    """The text of a variant, of a length within bounds, in which a pattern is found."""
    budget = budget or Budget()
    if len(pattern) > budget.characters or budget.pieces < 0:
        raise PatternRefusedError("the answer is too large")
    budget.characters -= len(pattern)
    writer = _Writer()
    try:
        for text, is_exact in _candidates(writer, _parsed(pattern), least, variant):
            if least <= len(text) <= most and (is_exact or _is_found(pattern, text, budget)):
                return text
    except (OverflowError, RecursionError):
        raise PatternRefusedError("it is too large") from None
    finally:
        budget.pieces -= writer.pieces
    bounds = f" of {least} to {most} characters" if (least, most) != (0, _MAX_LENGTH) else ""
    raise PatternRefusedError(f"no text{bounds} was found that matches it")


def _parsed(pattern: str) -> Any:
    # Private, and what every tool reads that walks through patterns; the language is Python's own.
    parser: Any = import_module("re._parser")
    try:
        parsed = parser.parse(pattern)
    except re.error as error:
        raise PatternRefusedError(f"it is no regular expression: {error!s:.80}") from None
    if parsed.state.flags & ~_UNICODE:
        raise PatternRefusedError("it has flags")
    return parsed


def _candidates(
    writer: _Writer, parsed: Any, least: int, variant: int
) -> Iterator[tuple[str, bool]]:
    """Texts, each with whether it matches for sure."""
    # Nothing comes last: `\w*` is better shown by a letter.
    for attempt in range(variant, variant + 16):
        for extra in (0, 1, 2, 3, 8, max(0, least - 1), least):
            writer.is_exact = True
            text = writer.sequence(parsed, extra, attempt, begins=True, ends=True)
            if text:
                yield text, writer.is_exact
                yield text.ljust(least, "a"), False
    yield "".ljust(least, "a"), False


def _is_found(pattern: str, text: str, budget: Budget) -> bool:
    if (missing := missing_packages("trying it", "regex")) is not None:
        raise PatternRefusedError(missing)
    # Python's own search knows no end: a pattern of ten characters takes it years.
    search: Callable[..., object] = import_module("regex").search
    begun = time.perf_counter()
    try:
        return search(pattern, text, timeout=max(budget.seconds, 0.001)) is not None
    except TimeoutError:
        raise PatternRefusedError("trying it takes too long") from None
    finally:
        budget.seconds -= time.perf_counter() - begun
