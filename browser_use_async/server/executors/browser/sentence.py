"""One instruction of a task, as tokens of the grammar: quotations and addresses whole."""

import re
from collections.abc import Collection, Iterator, Sequence

import attrs

from browser_use_async.server.executors.instructions.grammar import (
    BLANK,
    Phrases,
    Token,
    behind_order,
    has_gap,
    named_files,
    sentences,
    tokenize,
    without,
)
from browser_use_async.server.html.addresses import find_addresses

_INSTRUCTIONS = Phrases(
    "answer|attach|capture|check|choose|click|collect|compare|copy|count|describe|download|enter"
    "|extract|fill|find|follow|gather|get|give|go|hit|input|list|load|make|navigate|note|open|output"
    "|pick|press|print|put|read|report|return|save|say|scroll|select|set|show|submit|summarise"
    "|summarize|take|tap|tell|tick|type|uncheck|untick|upload|visit|wait|write"
)
_QUOTED = re.compile(
    # What opens a quotation ends the search for its end, or each of many would look for one.
    '"[^"\n]*"|“[^“”\n]*”|„[^„“”\n]*[“”]|`[^`\n]*`|\u2018[^\u2018\u2019\n]*\u2019|«[^«»\n]*»'
    r"|(?<![\w])'[^'\n]*'(?!\w)"
)
_NUMBERS = re.compile(r"^[ \t]*\d{1,3}[.)](?=\s)", re.MULTILINE)
_TRAILING = frozenset(".!?;,:")
_QUOTES = "\"“”„`\u2018\u2019'«»"


@attrs.frozen
class Sentence:
    """One instruction, or some words of it."""

    source: str = attrs.field(repr=False)  # the whole text
    tokens: Sequence[Token]  # a quotation, an address and the name of a file are `BLANK`

    @property
    def text(self) -> str:
        """As it was written."""
        return self.source[self.tokens[0].start : self.tokens[-1].end] if self.tokens else ""

    @property
    def outline(self) -> str:
        """The same with `BLANK` for each character of a quotation, an address or a file's name."""
        blanks = [(each.start, each.end) for each in self.tokens if each.text == BLANK]
        start = self.tokens[0].start if self.tokens else 0
        return without(self.text, ((first - start, end - start) for first, end in blanks), BLANK)

    @property
    def plain(self) -> str:
        """What was written, without the quotation marks around it."""
        return unquoted(self.text)

    @property
    def words(self) -> tuple[str, ...]:
        """The tokens' texts, in lower case."""
        return tuple(each.text for each in self.tokens)

    def part(self, first: int, end: int | None = None) -> "Sentence":
        """Some of the tokens."""
        return Sentence(self.source, self.tokens[first:end])

    def behind(self, phrases: Phrases) -> "Sentence | None":
        """What follows one of some phrases at the beginning; None if none stands there."""
        count = phrases.at(self.tokens, 0)
        return self.part(count) if count and has_gap(self.tokens, count) else None

    def split(self, separators: Collection[str]) -> "tuple[Sentence, Sentence] | None":
        """What stands before and behind the first of some words."""
        for place in range(1, len(self.tokens) - 1):
            is_word = has_gap(self.tokens, place) and has_gap(self.tokens, place + 1)
            if is_word and self.tokens[place].text in separators:
                return self.part(0, place), self.part(place + 1)
        return None


def cut(task: str, files: Collection[str] = ()) -> list[Sentence]:
    """The instructions of a task, in order."""
    return list(_sentences(task, files))


def unquoted(text: str) -> str:
    """A text without the quotation marks around it."""
    stripped = text.strip()
    is_quoted = len(stripped) > 1 and stripped[0] in _QUOTES and stripped[-1] in _QUOTES
    return stripped[1:-1] if is_quoted else stripped


def _sentences(task: str, files: Collection[str]) -> Iterator[Sentence]:
    spans = [match.span() for match in _QUOTED.finditer(task)]
    spans += [(mention.start, mention.end) for mention in find_addresses(task)]
    spans += [(start, end) for start, end, _ in named_files(task, files)]
    # The dot after a number that counts the instructions ends no sentence.
    outline = _NUMBERS.sub(lambda number: " " * len(number[0]), without(task, spans, BLANK))
    for start, end, _ in sentences(outline, _INSTRUCTIONS):
        moved = [
            each._replace(start=each.start + start, end=each.end + start)
            for each in tokenize(outline[start:end], quotes=False)
        ]
        first, last = behind_order(moved), len(moved)
        while last > first and moved[last - 1].text in _TRAILING:
            last -= 1
        if first < last:
            yield Sentence(task, moved[first:last])
