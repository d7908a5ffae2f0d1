"""Texts of instructions cut into sentences of tokens, and matched against tables of phrases.

Each search is one pass over the tokens with a bounded number of steps for each, so that no text
takes more time than its length allows. A quotation, an address and the name of a file are one token
each.
"""

import re
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import NamedTuple

import attrs

from browser_use_async.server.executors.instructions.actions import OpenAddress, OpenFile
from browser_use_async.server.html.addresses import find_addresses

BLANK = "\0"
"""What stands for each character of a quotation, an address or the name of a file."""

_TOKEN = re.compile(r"(?P<word>\w+)|(?P<blank>\0+)|[^\S\n]+|(?P<line>\n\s*)|(?P<sign>.)")
_SHOWN = {"blank": BLANK, "line": "\n"}
_QUOTED = re.compile(
    # What opens a quotation ends the search for its end, or each of many would look for one.
    '"[^"\n]*"|“[^“”\n]*”|„[^„“”\n]*[“”]|`[^`\n]*`|\u2018[^\u2018\u2019\n]*\u2019|«[^«»\n]*»'
    r"|(?<![\w])'[^'\n]*'(?!\w)"
)
_QUOTES = "\"“”„`\u2018\u2019'«»"
_NUMBERS = re.compile(r"^[ \t]*\d{1,3}[.)](?=\s)", re.MULTILINE)
_BULLETS = frozenset("-*\u2022")
_TRAILING = frozenset(".!?;,:")
_ARTICLES = frozenset("the a an its their this that on".split())
_UNNAMED = frozenset("and at behind from in of on or under with".split())
_PRONOUNS = frozenset({"it", "that", "them", "this", "one"})


class Token(NamedTuple):
    """A word in lower case, a sign or a line break."""

    text: str  # `BLANK` for all of a quotation, an address or the name of a file
    start: int
    end: int
    target: OpenAddress | OpenFile | None = None  # what an address or the name of a file opens


class Phrases:
    """Phrases of words, looked up by the first of them."""

    def __init__(self, table: str) -> None:
        self._by_first: dict[str, list[list[str]]] = {}
        for phrase in table.split("|"):
            first, *others = phrase.split()
            self._by_first.setdefault(first, []).append(others)

    def at(self, tokens: Sequence[Token], place: int) -> int:
        """How many tokens the longest phrase takes that stands at a place, 0 if none does."""
        if place >= len(tokens) or tokens[place].text not in self._by_first:
            return 0
        behind = [token.text for token in tokens[place + 1 : place + 4]]
        known = self._by_first[tokens[place].text]
        return 1 + max((len(each) for each in known if each == behind[: len(each)]), default=-1)


INSTRUCTIONS = Phrases(
    "answer|attach|buy|capture|check|choose|click|collect|compare|copy|count|describe|download"
    "|enter|export|extract|fetch|fill|find|follow|gather|get|give|go|grab|hit|input|list|load|log"
    "|look|make|navigate|note|open|output|pick|press|print|provide|put|read|report|return|save|say"
    "|scroll|see|select|set|show|sign|store|submit|summarise|summarize|take|tap|tell|tick|type"
    "|uncheck|untick|upload|use|visit|wait|what|which|who|write"
)
"""Words that begin an instruction or a question behind a comma or an `and`."""

_JOINS = Phrases("and then|after that|then|and")
# What only orders the sentences.
_ORDER = Phrases("after that|afterwards|also|and|finally|first|lastly|next|now|please|then")
_KINDS = Phrases("link|button|tab|page|subpage|section|article|post|story|entry|menu item|item")
_CALLED = Phrases(
    "which says|which reads|that says|that reads|named|called|titled|labeled|labelled|saying"
    "|for|about|to"
)


@attrs.frozen
class Sentence:
    """One instruction, or some words of it."""

    source: str = attrs.field(repr=False)  # the whole text
    tokens: Sequence[Token]
    # Whether a comma stands before it: it may go on with an enumeration then, since some verbs are
    # nouns as well.
    follows_comma: bool = False

    @property
    def text(self) -> str:
        """As it was written."""
        return self.source[self.tokens[0].start : self.tokens[-1].end] if self.tokens else ""

    @property
    def plain(self) -> str:
        """What was written, without the quotation marks around it."""
        return unquoted(self.text)

    @property
    def words(self) -> tuple[str, ...]:
        """The tokens' texts, in lower case."""
        return tuple(each.text for each in self.tokens)

    @property
    def quotation(self) -> str | None:
        """The first quotation in it, without its marks."""
        quotations = (
            self.source[each.start + 1 : each.end - 1].strip()
            for each in self.tokens
            if each.text == BLANK and self.source[each.start] in _QUOTES
        )
        return next(filter(None, quotations), None)

    def part(self, first: int, end: int | None = None) -> "Sentence":
        """Some of the tokens."""
        return Sentence(self.source, self.tokens[first:end])

    def behind(self, phrases: Phrases) -> "Sentence | None":
        """What follows one of some phrases at the beginning; None if none stands there."""
        count = phrases.at(self.tokens, 0)
        return self.part(count) if count and _has_gap(self.tokens, count) else None

    def split(self, separators: Collection[str]) -> "tuple[Sentence, Sentence] | None":
        """What stands before and behind the first of some words."""
        for place in range(1, len(self.tokens) - 1):
            is_word = _has_gap(self.tokens, place) and _has_gap(self.tokens, place + 1)
            if is_word and self.tokens[place].text in separators:
                return self.part(0, place), self.part(place + 1)
        return None


def unquoted(text: str) -> str:
    """A text without the quotation marks around it."""
    stripped = text.strip()
    is_quoted = len(stripped) > 1 and stripped[0] in _QUOTES and stripped[-1] in _QUOTES
    return stripped[1:-1] if is_quoted else stripped


def cut(task: str, files: Collection[str] = ()) -> list[Sentence]:
    """The instructions of a task: lines, sentences, and what begins with another instruction."""
    tokens = _tokenize(task, files)
    sentences: list[Sentence] = []
    first = place = 0
    follows_comma = False
    while place <= len(tokens):
        found = _cut(tokens, place)
        if found is None:
            place += 1
            continue
        end, following = found
        said = _without_frame(tokens[first:end])
        if said:
            sentences.append(Sentence(task, said, follows_comma))
        follows_comma = following == end + 1 and end < len(tokens) and tokens[end].text == ","
        first = place = following
    return sentences


def _tokenize(task: str, files: Collection[str]) -> list[Token]:
    named: list[tuple[int, int, OpenAddress | OpenFile]] = [
        (start, end, OpenFile(name)) for start, end, name in _named_files(task, files)
    ]
    rest = without(task, ((start, end) for start, end, _ in named), BLANK)
    named += [(each.start, each.end, OpenAddress(each.url)) for each in find_addresses(rest)]
    targets = deque(sorted(named, key=lambda each: each[0]))
    spans = [match.span() for match in _QUOTED.finditer(task)]
    spans += [(start, end) for start, end, _ in targets]
    # The dot after a number that counts the instructions ends no sentence.
    outline = _NUMBERS.sub(lambda number: " " * len(number[0]), without(task, spans, BLANK))
    tokens: list[Token] = []
    for match in _TOKEN.finditer(outline):
        target: OpenAddress | OpenFile | None = None
        while targets and targets[0][0] < match.end():
            target = target or targets[0][2]
            targets.popleft()
        if match.lastgroup is not None:
            shown = _SHOWN.get(match.lastgroup) or match[0].casefold()
            tokens.append(Token(shown, *match.span(), target))
    return tokens


def _named_files(text: str, files: Collection[str]) -> Iterator[tuple[int, int, str]]:
    """Where a text names files that came with it, and which."""
    for name in files:
        if name in text:
            for match in re.finditer(rf"(?<![\w/.-]){re.escape(name)}(?!\w)", text):
                yield match.start(), match.end(), name


def without(text: str, spans: Iterable[tuple[int, int]], blank: str) -> str:
    """A text with a blank for each character of its spans, which may overlap."""
    pieces: list[str] = []
    reached = 0
    for start, end in sorted(spans):
        if end > reached:
            pieces += text[reached:start], blank * (end - max(start, reached))
            reached = end
    return "".join([*pieces, text[reached:]])


def _has_gap(tokens: Sequence[Token], place: int) -> bool:
    """Whether a blank, or the begin or end of the text, stands before a token."""
    if not 0 < place < len(tokens) or tokens[place].start > tokens[place - 1].end:
        return True
    return "\n" in {tokens[place - 1].text, tokens[place].text}


def _cut(tokens: Sequence[Token], place: int) -> tuple[int, int] | None:
    """Where the sentence before a place ends and the next one begins, if there is a cut."""
    if place == len(tokens):
        return place, place + 1
    if tokens[place].text == "\n":
        return place, place + 1
    if tokens[place].text in {".", "!", "?", ";"} and _has_gap(tokens, place + 1):
        return place + 1, place + 1
    begin = place + (tokens[place].text == ",")
    joins = _JOINS.at(tokens, begin)
    for following in (begin + joins, begin + min(joins, 1), begin):  # "and then", "and", ","
        if following > place and _has_gap(tokens, following) and INSTRUCTIONS.at(tokens, following):
            return place, following
    return None


def _without_frame(tokens: Sequence[Token]) -> Sequence[Token]:
    """A sentence without the signs at its end, and without what only orders it at its beginning."""
    first, last = 0, len(tokens)
    while first < last:
        words = _ORDER.at(tokens, first)
        after = tokens[first + words].text if first + words < last else ""
        if tokens[first].text in _BULLETS:
            first += 1
        elif words:
            first += words + (after in {",", ":"})
        else:
            break
    while last > first and tokens[last - 1].text in _TRAILING:
        last -= 1
    return tokens[first:last]


def named_page(rest: Sentence) -> tuple[str, bool]:
    """The words by which a page or link is named, and whether they say that it is one.

    `the "Prices" link`, `the prices page` and `the link called Prices` all name `prices`. The
    words are empty when they name none in particular; quotation marks say so as `link` does.
    """
    if (quotation := rest.quotation) is not None:
        return quotation, True
    tokens = rest.tokens
    first = _behind_articles(tokens, 0)
    kinds = (place for place in range(first, len(tokens)) if _KINDS.at(tokens, place))
    kind = next(kinds, None)
    if kind is None:
        plain = rest.part(first).text
        return ("" if plain.casefold() in _PRONOUNS else plain), False
    before = rest.part(first, kind).text
    behind = kind + _KINDS.at(tokens, kind)
    if before or (behind < len(tokens) and tokens[behind].text in _UNNAMED):
        return before, True
    end = len(tokens)
    if behind < end and tokens[behind].text == "(":
        behind, end = behind + 1, end - (tokens[-1].text == ")")
    behind = _behind_articles(tokens, behind + _CALLED.at(tokens, behind))
    return rest.part(behind, end).text, True


def _behind_articles(tokens: Sequence[Token], place: int) -> int:
    # The last word is no article: "click this" is about something.
    while place < len(tokens) - 1 and tokens[place].text in _ARTICLES:
        place += 1
    return place
