"""Texts that match a regular expression, for answers that follow a JSON schema. No I/O.

Reads the part of the syntax that ECMAScript, Python and Rust share. Lookarounds and word
boundaries are passed over: what comes out is checked against the whole pattern, as far as that
takes a bounded number of steps.
"""

import math
import re
import string
from collections.abc import Callable, Iterator

import attrs

_MAX_REPEATS = 4096
_MAX_LENGTH = 100_000
_MAX_PIECES = 100_000  # written for one pattern, over all attempts
_SETS = {
    "d": "0123456789",
    "w": "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_",
    "s": " \t",
}
_ANY = string.ascii_letters + string.digits + string.punctuation + " \t"
_CONTROLS = {"n": "\n", "r": "\r", "t": "\t", "f": "\f", "v": "\v", "0": "\0"}
_COUNT = re.compile(r"\{(\d*)(?:(,)(\d*))?\}")
_GROUP = re.compile(r"\?(?::|P?<\w+>)")
# Without regard to case, a set of a few characters takes milliseconds to compile.
_FLAGS = re.compile(r"\(\?[a-zA-Z-]+[:)]")
_LOOKAROUND = re.compile(r"\?(?:<?[=!])")

_Write = Callable[[int, int], str]
"""Makes a text; takes how many optional repetitions there are, and which variant it is."""


class PatternRefusedError(Exception):
    """No text is known that matches. Its text says why, for a person."""


@attrs.define
class Budget:
    """What the texts of one answer may still cost.

    Attributes:
        characters: How many may be written, those of patterns included.
        pieces: How many may be put together in attempts to match patterns.
        steps: How many may be made in looking for patterns in texts.
    """

    characters: int = 1_000_000
    pieces: int = 200_000
    steps: float = 30_000_000


@attrs.define
class _Parser:
    """Turns a pattern into a function that writes matching texts.

    Attributes:
        is_nested: Whether it repeats what has choices of its own, as `(a+)+` does.
        is_exact: Whether all that is written matches, since nothing of it was passed over.
        pieces: How many were written.
    """

    pattern: str
    at: int = 0
    is_nested: bool = False
    is_exact: bool = True
    pieces: int = 0
    _choices: int = 0
    _lengths: int = 0  # of the choices those between more than two
    _depth: int = 0
    _empty: int = 0  # groups and what is passed over: they take a step, and no character

    def steps(self, text: str, pieces: int) -> float:
        """The most steps in which the pattern is found in a text of so many pieces, or is not.

        There are as many attempts as ways to lay the text out over what the pattern leaves open:
        each repetition ends at any place, and a choice between two doubles them.
        """
        places = len(text) + 1
        if self.is_nested:
            bits = len(text) * max(self._choices, math.log2(pieces + 2)) + self._choices
        else:
            is_anchored = self.pattern.startswith("^") and "|" not in self.pattern
            free = self._lengths + (not is_anchored)  # or it may begin at any place as well
            bits = free * math.log2(places) + self._choices - self._lengths
        return 2 ** min(bits, 64) * (1 + self._empty + pieces / places)

    def alternatives(self) -> _Write:
        options = [self._sequence()]
        while self._accept("|"):
            self._choices += 1
            options.append(self._sequence())
        return lambda extra, variant: options[variant % len(options)](
            extra, variant // len(options)
        )

    def _sequence(self) -> _Write:
        parts: list[_Write] = []
        while self.at < len(self.pattern) and self.pattern[self.at] not in "|)":
            before = self._choices
            atom = self._atom()
            parts.append(self._repeated(atom, has_choices=self._choices > before))
        return lambda extra, variant: "".join(part(extra, variant) for part in parts)

    def _atom(self) -> _Write:
        character = self._next()
        if character == "(":
            return self._group()
        if character == "[":
            return self._one_of(self._set())
        if character == "\\":
            return self._escape()
        if character == ".":
            return self._one_of(_ANY)
        if character in "^$":
            return self._passed_over(is_exact=self._is_outermost(character))
        return self._one_of(character)

    def _is_outermost(self, anchor: str) -> bool:
        """Whether an anchor is one of the pattern's own ends, where it says what is so anyway."""
        beside = self.pattern[: self.at - 1][-1:] if anchor == "^" else self.pattern[self.at :][:1]
        return self._depth == 0 and beside in {"", "|"}

    def _passed_over(self, *, is_exact: bool = False) -> _Write:
        self.is_exact = self.is_exact and is_exact
        self._empty += 1
        return self._one_of("")

    def _group(self) -> _Write:
        is_looking = _LOOKAROUND.match(self.pattern, self.at)
        if not is_looking and self.pattern.startswith("?", self.at):
            opened = _GROUP.match(self.pattern, self.at)
            if opened is None:
                raise PatternRefusedError(f"it has a group of an unknown kind at {self.at}")
            self.at = opened.end()
        elif is_looking:
            self.at = is_looking.end()
        self._empty += 1
        self._depth += 1
        inner = self.alternatives()
        self._depth -= 1
        if not self._accept(")"):
            raise PatternRefusedError("it has a group without an end")
        if not is_looking:
            return inner
        self._passed_over()
        return lambda extra, variant: inner(extra, variant)[:0]  # its size counts all the same

    def _escape(self) -> _Write:
        name = self._next()
        if name in "bBAZz":
            return self._passed_over()
        if name.isdigit() and name != "0":
            raise PatternRefusedError("it refers back to a group")
        return self._one_of(self._escaped(name))

    def _escaped(self, name: str) -> str:
        """The characters that an escape stands for."""
        if name.lower() in _SETS:
            within = _SETS[name.lower()]
            return within if name.islower() else _without(within)
        if name in "xu":
            return self._code_point(2 if name == "x" else 4)
        self.is_exact = self.is_exact and (name in "nrtfv" or not name.isalnum())
        return _CONTROLS.get(name, name)

    def _code_point(self, digits: int) -> str:
        text = self.pattern[self.at : self.at + digits]
        self.at += digits
        try:
            return chr(int(text, 16))
        except ValueError:
            raise PatternRefusedError(f"it has no code point in {text!r}") from None

    def _set(self) -> str:
        is_negated = self._accept("^")
        members, is_first = "", True
        while is_first or not self._accept("]"):
            members += self._members()
            is_first = False
        return _without(members) if is_negated else members

    def _members(self) -> str:
        first = self._next()
        low = self._escaped(self._next()) if first == "\\" else first
        is_range = self.pattern.startswith("-", self.at) and self.pattern[self.at + 1 :][:1] != "]"
        if not is_range or len(low) != 1:
            return low
        self.at += 1
        last = self._next()
        high = self._escaped(self._next()) if last == "\\" else last
        if len(high) != 1:  # `[a-\d]` is these three
            return f"{low}-{high}"
        return "".join(map(chr, range(ord(low), min(ord(high), ord(low) + 128) + 1)))

    def _repeated(self, write: _Write, *, has_choices: bool) -> _Write:
        counts = self._counts()
        if counts is None:
            return write
        if not self._accept("?"):  # lazy ones match the same texts, possessive ones most of them
            self.is_exact = not self._accept("+") and self.is_exact
        least, most = counts
        if least > _MAX_REPEATS:
            raise PatternRefusedError(f"it repeats something {least} times")
        self._choices += most > least
        self._lengths += most > least + 1
        self.is_nested = self.is_nested or (has_choices and most > 1)

        # What is repeated gets no repetitions of its own: their product would be huge.
        def repeat(extra: int, variant: int) -> str:
            count = min(least + extra, most)
            self._count_pieces(count + 1)
            return "".join(write(0, variant) for _ in range(count))

        return repeat

    def _one_of(self, characters: str) -> _Write:
        def write(_extra: int, variant: int) -> str:
            self._count_pieces(1)
            return characters and characters[variant % len(characters)]

        return write

    def _count_pieces(self, count: int) -> None:
        self.pieces += count
        if self.pieces > _MAX_PIECES:
            raise PatternRefusedError("it is too large")

    def _counts(self) -> tuple[int, int] | None:
        for sign, counts in (("*", (0, _MAX_REPEATS)), ("+", (1, _MAX_REPEATS)), ("?", (0, 1))):
            if self._accept(sign):
                return counts
        count = _COUNT.match(self.pattern, self.at)
        if count is None or count[0] in {"{}", "{,}"}:
            self.is_exact = self.is_exact and count is None
            return None
        self.at = count.end()
        least = int(count[1] or 0)
        return least, least if count[2] is None else int(count[3] or max(least, _MAX_REPEATS))

    def _accept(self, character: str) -> bool:
        found = self.pattern.startswith(character, self.at)
        self.at += found
        return found

    def _next(self) -> str:
        if self.at >= len(self.pattern):
            raise PatternRefusedError("it ends in the middle")
        self.at += 1
        return self.pattern[self.at - 1]


def _without(characters: str) -> str:
    left = "".join(each for each in _ANY if each not in characters)
    if not left:
        raise PatternRefusedError("it has a set of characters that is empty")
    return left


def matching_text(
    pattern: str,
    *,
    least: int = 0,
    most: int = _MAX_LENGTH,
    variant: int = 0,
    budget: Budget | None = None,
) -> str:
    """A text in which a pattern is found, of a length within bounds; the same each time.

    Args:
        pattern: The pattern.
        least: The fewest characters of the text.
        most: The most characters of the text.
        variant: A number by which the text differs from others.
        budget: What it may cost, of which that is taken; by default a new one.

    Raises:
        PatternRefusedError: No such text is known.
    """
    budget = budget or Budget()
    if _FLAGS.search(pattern):
        raise PatternRefusedError("it has flags")
    if len(pattern) > budget.characters or budget.pieces < 0:
        raise PatternRefusedError("the answer is too large")
    budget.characters -= len(pattern)
    parser = _Parser(pattern)
    try:
        compiled = re.compile(pattern)
        for text, pieces, is_padded in _candidates(parser, least, variant):
            if least <= len(text) <= most:
                steps = parser.steps(text, pieces)
                # What is too costly to be tried is taken for what it was made to be.
                if steps > budget.steps:
                    matches = parser.is_exact and not is_padded
                else:
                    budget.steps -= steps
                    matches = compiled.search(text) is not None
                if matches:
                    return text
    except re.error as error:
        raise PatternRefusedError(f"it is no regular expression: {error!s:.80}") from None
    except (OverflowError, RecursionError):
        raise PatternRefusedError("it is too large") from None
    finally:
        budget.pieces -= parser.pieces
    bounds = f" of {least} to {most} characters" if (least, most) != (0, _MAX_LENGTH) else ""
    raise PatternRefusedError(f"no text{bounds} was found that matches it")


def _candidates(parser: _Parser, least: int, variant: int) -> Iterator[tuple[str, int, bool]]:
    """Texts, each with the number of its pieces and whether it was made longer."""
    write = parser.alternatives()
    pieces = 0
    # Nothing comes last: `\w*` is better shown by a letter.
    for attempt in range(variant, variant + 16):
        for extra in (0, 1, 2, 3, 8, max(0, least - 1), least):
            before = parser.pieces
            text = write(extra, attempt)
            pieces = parser.pieces - before
            if text:
                yield text, pieces, False
                yield text.ljust(least, "a"), pieces, True
    yield "".ljust(least, "a"), pieces, True
