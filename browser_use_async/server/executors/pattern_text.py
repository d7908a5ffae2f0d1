"""Short texts that match a regular expression, for answers that follow a JSON schema.

A text is written along the tree that Python's own parser makes of a pattern, so it matches without
being tried. What cannot be written that way is refused: looking ahead, references to groups, flags,
and anchors inside.
"""

import re
import string
from importlib import import_module
from typing import Any, NamedTuple

_MAX_PATTERN = 200
_MAX_TEXT = 1_000
_WORDS = string.ascii_lowercase + string.ascii_uppercase + string.digits + "_"
_ANY = string.ascii_letters + string.digits + string.punctuation + " \t"
_SETS = {"DIGIT": string.digits, "WORD": _WORDS, "SPACE": " \t"}
_CATEGORIES = {f"CATEGORY_{name}": known for name, known in _SETS.items()} | {
    f"CATEGORY_NOT_{name}": "".join(each for each in _ANY if each not in known)
    for name, known in _SETS.items()
}
_BEGINNINGS = frozenset({"AT_BEGINNING", "AT_BEGINNING_STRING"})
_ENDS = frozenset({"AT_END", "AT_END_STRING"})
_UNICODE = 32  # the flag that each pattern has


class PatternRefusedError(Exception):
    """No matching text is known. The message says why, for a person."""


def matching_text(pattern: str, *, least: int = 0, most: int = _MAX_TEXT, variant: int = 0) -> str:
    """Return a text that contains a match of a pattern, with a length within bounds."""
    if len(pattern) > _MAX_PATTERN:
        raise PatternRefusedError(f"it has more than {_MAX_PATTERN} characters")
    parts = _parsed(pattern)
    for extra in (0, 1, max(0, least - 1), least):  # optional repetitions
        try:
            text = _Writer(extra, variant).sequence(parts)
        except RecursionError:
            raise PatternRefusedError("it is nested too deeply") from None
        if text and least <= len(text) <= most:
            return text
    raise PatternRefusedError(f"no text of {max(least, 1)} to {most} characters is known")


def _parsed(pattern: str) -> list[Any]:
    """The parts of a pattern, without the anchors around it."""
    # Private, but the only parser of Python's own patterns.
    parser: Any = import_module("re._parser")
    try:
        parsed = parser.parse(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise PatternRefusedError(f"it is no regular expression: {error!s:.80}") from None
    if parsed.state.flags & ~_UNICODE:
        raise PatternRefusedError("it has flags")
    parts = [(str(operation), given) for operation, given in parsed]
    if parts and parts[0][0] == "AT" and str(parts[0][1]) in _BEGINNINGS:
        del parts[0]
    if parts and parts[-1][0] == "AT" and str(parts[-1][1]) in _ENDS:
        del parts[-1]
    return parts


class _Writer(NamedTuple):
    extra: int
    variant: int

    def sequence(self, parts: Any) -> str:
        """A text for parts, one behind the other."""
        texts: list[str] = []
        for operation, given in parts:
            texts.append(self._part(str(operation), given))
            if sum(map(len, texts)) > _MAX_TEXT:
                raise PatternRefusedError(f"its texts are longer than {_MAX_TEXT:,} characters")
        return "".join(texts)

    def _part(self, name: str, given: Any) -> str:
        match name:
            case "LITERAL":
                return chr(given)
            case "ANY":
                return _ANY[self.variant % len(_ANY)]
            case "IN" | "NOT_LITERAL":
                characters: str = _characters([("LITERAL", given)] if name != "IN" else given, name)
                return characters[self.variant % len(characters)]
            case "BRANCH":
                return self.sequence(given[1][self.variant % len(given[1])])
            case "SUBPATTERN" if not (given[1] or given[2]):
                return self.sequence(given[3])
            case "MAX_REPEAT" | "MIN_REPEAT":
                least, most, part = given
                count: int = min(least + self.extra, most)
                if count > _MAX_TEXT:
                    raise PatternRefusedError(f"its texts are longer than {_MAX_TEXT:,} characters")
                # Nested repetitions are not repeated, since their product would be huge.
                repeated: str = self._replace(extra=0).sequence(part)
                return repeated * count
            case _:
                raise PatternRefusedError(f"it has {name.casefold()}, which is not supported")


def _characters(members: Any, name: str) -> str:
    """Some of the characters that a set stands for."""
    known = "".join(map(_members, members))
    if name == "NOT_LITERAL" or str(members[0][0]) == "NEGATE":
        known = "".join(each for each in _ANY if each not in known)
    if not known:
        raise PatternRefusedError("it has a set of characters that is empty")
    return known


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
