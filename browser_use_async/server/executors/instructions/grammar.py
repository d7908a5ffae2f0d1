"""Texts of instructions cut into tokens and matched against tables of phrases.

Each search is one pass over the tokens with a bounded number of steps for each, so that no text
takes more time than its length allows. What a text quotes is one token.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import NamedTuple

BLANK = "\0"
"""What stands for each character of an address or of the name of a file."""

_QUOTE = '"'
_TOKEN = re.compile(
    r"""(?P<word>\w+) | (?P<blank>\0+) | [^\S\n]+
        | (?P<quote>"[^"\n\0]{1,100}" | [“„][^“”„\n\0]{1,100}[“”] | `[^`\n\0]{1,100}`
            | (?<!\w)['\u2018][^'\u2018\u2019\n\0]{1,100}['\u2019](?!\w))
        | (?P<line>\n\s*) | (?P<sign>.)""",
    re.VERBOSE,
)
_SHOWN = {"blank": BLANK, "line": "\n"}
_MAX_CLAUSE = 120  # characters
_DASHES = frozenset("-\u2013\u2014")
_ENDS_CLAUSE = frozenset(
    "then but so because where which that while until before after when".split()
)
_PLACES = frozenset("above at below from in inside on under using with within".split())
_DETERMINERS = frozenset({BLANK, "its", "that", "the", "their", "this"})
_ARTICLES = frozenset("the a an its their this that on".split())
_UNNAMED = frozenset("and at behind from in of on or under with".split())
_PRONOUNS = frozenset({"it", "that", "them", "this", "one"})


class Token(NamedTuple):
    """A word in lower case, a sign or a line break."""

    text: str  # `BLANK` for all of what is blanked out, a quotation mark for all of a quotation
    start: int
    end: int
    quoted: str = ""


def tokenize(text: str, *, quotes: bool = True) -> list[Token]:
    """The tokens of a text; a quotation is one of them unless its words are to be looked at."""
    tokens: list[Token] = []
    place = 0
    while match := _TOKEN.match(text, place):
        place = match.end()
        kind = match.lastgroup
        if kind == "quote" and not quotes:
            place = match.start() + 1
            tokens.append(Token(_QUOTE, match.start(), place))
        elif kind == "quote":
            tokens.append(Token(_QUOTE, *match.span(), match[0][1:-1].strip()))
        elif kind is not None:
            shown = _SHOWN.get(kind) or match[0].casefold()
            tokens.append(Token(shown, *match.span()))
    return tokens


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
    "answer|buy|check|choose|click|collect|compare|copy|count|describe|download|extract|fetch|fill"
    "|find|finally|follow|gather|get|give|go|grab|list|log|look|navigate|note|open|output|pick"
    "|press|print|provide|read|report|return|save|say|scroll|see|select|show|sign|store|submit"
    "|summarise|summarize|take|tap|tell|then|type|use|visit|wait|what|which|who|write"
)
"""Words that begin an instruction or a question behind a comma or an `and`."""

_JOINS = Phrases("and then|after that|then|and")
# "1.", "first," and the like order the sentences; elsewhere they would choose among many.
_ORDER = Phrases("after that|afterwards|also|and|finally|first|lastly|next|now|please|then")
_BULLETS = frozenset("-*\u2022")
_TO = Phrases("to|in order to")
_PURPOSES = Phrases("be|know|learn|reach|view")
_KINDS = Phrases("link|button|tab|page|subpage|section|article|post|story|entry|menu item|item")
_CALLED = Phrases(
    "which says|which reads|that says|that reads|named|called|titled|labeled|labelled|saying"
    "|for|about|to"
)


def has_gap(tokens: Sequence[Token], place: int) -> bool:
    """Whether a blank, or the begin or end of the text, stands before a token."""
    if not 0 < place < len(tokens) or tokens[place].start > tokens[place - 1].end:
        return True
    return "\n" in {tokens[place - 1].text, tokens[place].text}


def sentences(text: str, instructions: Phrases = INSTRUCTIONS) -> Iterator[tuple[int, int, bool]]:
    """Where the sentences of a text begin and end, cut also where another instruction begins.

    Each comes with whether a comma stands before it: it may go on with an enumeration then, since
    some verbs are nouns as well.
    """
    tokens = tokenize(text)
    first = place = 0
    follows_comma = False
    while place <= len(tokens):
        cut = _cut(tokens, place, instructions)
        if cut is None:
            place += 1
            continue
        end, following = cut
        if end > first:
            yield tokens[first].start, tokens[end - 1].end, follows_comma
        follows_comma = following == end + 1 and end < len(tokens) and tokens[end].text == ","
        first = place = following


def behind_order(tokens: Sequence[Token]) -> int:
    """The token behind what only orders the sentences: bullets, numbers, `first`, `then`."""
    place = 0
    while place < len(tokens):
        following = tokens[place + 1].text if place + 1 < len(tokens) else ""
        words = _ORDER.at(tokens, place)
        if tokens[place].text in _BULLETS or (
            tokens[place].text == "step" and following.isdecimal()
        ):
            place += 1
        elif tokens[place].text.isdecimal() and following in {".", ")", ":"}:
            place += 2
        elif words:
            after = tokens[place + words].text if place + words < len(tokens) else ""
            place += words + (after in {",", ":"})
        else:
            break
    return place


def _cut(tokens: Sequence[Token], place: int, instructions: Phrases) -> tuple[int, int] | None:
    """Where the sentence before a place ends and the next one begins, if there is a cut."""
    if place == len(tokens):
        return place, place + 1
    if tokens[place].text == "\n":
        return place, place + 1
    if tokens[place].text in {".", "!", "?", ";"} and has_gap(tokens, place + 1):
        return place + 1, place + 1
    begin = place + (tokens[place].text == ",")
    joins = _JOINS.at(tokens, begin)
    for following in (begin + joins, begin + min(joins, 1), begin):  # "and then", "and", ","
        if following > place and has_gap(tokens, following) and instructions.at(tokens, following):
            return place, following
    return None


def clause_end(tokens: Sequence[Token], first: int) -> int:
    """The token behind the last one of what follows a verb, up to the next instruction."""
    place = first
    while place < len(tokens) and tokens[place].start < tokens[first].start + _MAX_CLAUSE:
        if _ends_clause(tokens, place, is_first=place == first):
            break
        place += 1
    return place


def _ends_clause(tokens: Sequence[Token], place: int, *, is_first: bool) -> bool:
    text = tokens[place].text
    if text in {",", "\n", BLANK}:
        return True
    if text in {".", "!", "?", ";", ":"}:
        return has_gap(tokens, place + 1)
    if is_first or not (has_gap(tokens, place) and has_gap(tokens, place + 1)):
        return False
    if text in {"and", "&"}:
        return INSTRUCTIONS.at(tokens, place + 1) > 0
    if text in {"to", "in"} and (to := place + _TO.at(tokens, place)) > place:
        return INSTRUCTIONS.at(tokens, to) + _PURPOSES.at(tokens, to) > 0
    following = tokens[place + 1].text if place + 1 < len(tokens) else ""
    return text in _ENDS_CLAUSE | _DASHES or (text in _PLACES and following in _DETERMINERS)


def named_page(clause: str) -> tuple[str, bool]:
    """The words by which a clause names a page or link, and whether it says that it is one.

    `the "Prices" link`, `the prices page` and `the link called Prices` all name `prices`. The
    words are empty when they name none in particular; quotation marks say so as `link` does.
    """
    tokens = tokenize(clause)
    quoted = next((token.quoted for token in tokens if token.quoted), None)
    if quoted is not None:
        return quoted, True
    first = _behind_articles(tokens, 0)
    kinds = (place for place in range(first, len(tokens)) if _KINDS.at(tokens, place))
    kind = next(kinds, None)
    if kind is None:
        plain = _between(clause, tokens, first, len(tokens))
        return ("" if plain.casefold() in _PRONOUNS else plain), False
    before = _between(clause, tokens, first, kind)
    behind = kind + _KINDS.at(tokens, kind)
    if before or (behind < len(tokens) and tokens[behind].text in _UNNAMED):
        return before, True
    end = len(tokens)
    if behind < end and tokens[behind].text == "(":
        behind, end = behind + 1, end - (tokens[-1].text == ")")
    behind = _behind_articles(tokens, behind + _CALLED.at(tokens, behind))
    return _between(clause, tokens, behind, end), True


def _behind_articles(tokens: Sequence[Token], place: int) -> int:
    # The last word is no article: "click this" is about something.
    while place < len(tokens) - 1 and tokens[place].text in _ARTICLES:
        place += 1
    return place


def _between(text: str, tokens: Sequence[Token], first: int, end: int) -> str:
    return text[tokens[first].start : tokens[end - 1].end] if first < end else ""


def without(text: str, spans: Iterable[tuple[int, int]], blank: str) -> str:
    """A text with a blank for each character of its spans, which may overlap."""
    pieces: list[str] = []
    reached = 0
    for start, end in sorted(spans):
        if end > reached:
            pieces += text[reached:start], blank * (end - max(start, reached))
            reached = end
    return "".join([*pieces, text[reached:]])


def named_files(text: str, files: Collection[str]) -> Iterator[tuple[int, int, str]]:
    """Where a text names files that came with it, and which."""
    for name in files:
        if name in text:
            for match in re.finditer(rf"(?<![\w/.-]){re.escape(name)}(?!\w)", text):
                yield match.start(), match.end(), name
