"""Cutting a task into the pieces that matter: where an instruction ends, and what it names."""

import re
from collections.abc import Collection, Iterable, Iterator

_NEXT_VERBS = (
    "answer|buy|check|choose|click|collect|compare|copy|count|describe|download|extract|fetch|fill"
    "|find|finally|follow|gather|get|give|go|grab|list|log|look|navigate|note|open|output|pick"
    "|press|print|provide|read|report|return|save|say|scroll|see|select|show|sign|store|submit"
    "|summari[sz]e|take|tap|tell|then|type|use|visit|wait|what|which|who|write"
)
_ENDS = re.compile(
    rf"""[.!?;:](?:\s|$) | [,\n\0] | \s[-\u2013\u2014]\s
        | \s(?:and|&)\s+(?:{_NEXT_VERBS})\b
        | \s(?:then|but|so|because|where|which|that|while|until|before|after|when)\s
        | \s(?:in\s+order\s+)?to\s+(?:{_NEXT_VERBS}|be|know|learn|reach|view)\b
        | \s(?:above|at|below|from|in|inside|on|under|using|with|within)\s
          +(?:\0|(?:its|that|the|their|this)\b)""",
    re.IGNORECASE | re.VERBOSE,
)
_QUOTED = re.compile("[\"“”„'`\u2018]([^\"“”'`\u2019\n\0]{1,100})[\"“”'`\u2019]")
_ARTICLES = re.compile(r"^(?:(?:the|a|an|its|their|this|that|on)\s+)+", re.IGNORECASE)
_KINDS = re.compile(
    r"\b(?:link|button|tab|page|subpage|section|article|post|story|entry|menu\s+item|item)\b",
    re.IGNORECASE,
)
_CALLED = re.compile(
    r"^[\s(]*(?:(?:which|that)\s+(?:says|reads)|named|called|titled|label+ed|saying|for|about|to)\s+",
    re.IGNORECASE,
)
_UNNAMED = re.compile(r"^(?:and|at|behind|from|in|of|on|or|under|with)\b", re.IGNORECASE)
_PRONOUNS = frozenset({"it", "that", "them", "this", "one"})
_MAX_CLAUSE = 120


_BETWEEN = re.compile(
    rf"""\s*\n\s* | (?<=[.!?;])\s+
        | (?:,\s*|\s+)(?:and\s+then|after\s+that|then|and)\s+(?=(?:{_NEXT_VERBS})\b)
        | ,\s+(?=(?:{_NEXT_VERBS})\b)""",
    re.IGNORECASE | re.VERBOSE,
)


def sentences(text: str) -> Iterator[tuple[str, bool]]:
    """The sentences of a text, cut also where another instruction may begin.

    Each comes with whether a comma stands before it: it may go on with an enumeration then, since
    some verbs are nouns as well.
    """
    text = re.sub(r"[^\S\n]+", " ", text)  # or a run of blanks would be scanned from each of them
    start, follows_comma = 0, False
    for between in [*_BETWEEN.finditer(text), None]:
        end = between.start() if between else len(text)
        sentence = " ".join(text[start:end].split())
        if sentence:
            yield sentence, follows_comma
        if between:
            start, follows_comma = between.end(), between[0].strip() == ","


def without(text: str, spans: Iterable[tuple[int, int]], blank: str) -> str:
    """A text with a blank for each character of its spans, which may overlap.

    Args:
        text: The text.
        spans: Where each begins and ends.
        blank: The character that stands for what is left out.
    """
    pieces: list[str] = []
    reached = 0
    for start, end in sorted(spans):
        if end > reached:
            pieces += text[reached:start], blank * (end - max(start, reached))
            reached = end
    return "".join([*pieces, text[reached:]])


def named_files(text: str, files: Collection[str]) -> Iterator[tuple[int, int, str]]:
    """Where a text names files, and which.

    Args:
        text: The text.
        files: The names of the files that came with it.
    """
    for name in files:
        if name in text:
            for match in re.finditer(rf"(?<![\w/.-]){re.escape(name)}(?!\w)", text):
                yield match.start(), match.end(), name


def clause_after(text: str, start: int) -> tuple[str, int]:
    """What stands behind a verb up to the next instruction, and where that ends.

    Args:
        text: The task, addresses blanked out with NUL characters.
        start: The place behind the verb.
    """
    rest = text[start : start + _MAX_CLAUSE]
    quoted = _QUOTED.search(rest)
    end = _ENDS.search(rest)
    if quoted is not None and (end is None or quoted.start() < end.start()):
        # A quotation is taken whole, whatever words are in it.
        end = _ENDS.search(rest, quoted.end())
    clause = rest[: end.start()] if end else rest
    return clause, start + len(clause)


def named_page(clause: str) -> tuple[str, bool]:
    """The words by which a clause names a page or link, and whether it says that it is one.

    `the "Prices" link`, `the prices page` and `the link called Prices` all name `prices`.

    Args:
        clause: What stands behind a verb.

    Returns:
        The words, empty when it names none in particular, and whether they stand in quotes or
        beside a word such as link or page.
    """
    quoted = _QUOTED.search(clause)
    if quoted is not None:
        return quoted[1].strip(), True
    plain = _ARTICLES.sub("", clause.strip())
    kind = _KINDS.search(plain)
    if kind is None:
        return ("" if plain.casefold() in _PRONOUNS else plain.strip()), False
    before = plain[: kind.start()].strip()
    behind = plain[kind.end() :].strip()
    if _UNNAMED.match(behind):
        behind = ""
    return before or _ARTICLES.sub("", _CALLED.sub("", behind)).strip(), True
