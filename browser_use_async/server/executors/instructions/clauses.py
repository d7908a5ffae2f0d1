"""A task's text as clauses: a line, a sentence, or what begins with another instruction.

Quotations, addresses and names of files become one private character each before anything is
matched, so that nothing in them is taken for an instruction.
"""

import re
from collections.abc import Collection, Iterator
from typing import NamedTuple

from browser_use_async.server.egress.web_addresses import find_addresses
from browser_use_async.server.executors.instructions.actions import OpenAddress, OpenFile, Target

# Planes of private characters, each more than a text of 20,000 characters can need.
_FIRST_TARGET, _FIRST_NAME, _FIRST_QUOTATION = 0xF0000, 0xF8000, 0x100000
TARGET = "[\U000f0000-\U000f7fff]"
"""Matches an address, or a file that came with the task."""
NAME = "[\U000f8000-\U000fffff]"
"""Matches another name of a file."""
QUOTATION = "[\U00100000-\U0010ffff]"
"""Matches a quotation."""
MASK = "[\U000f0000-\U0010ffff]"
"""Matches each of them."""

_ENDINGS = "csv|docx?|gif|html?|jpe?g|json|md|ods|pdf|png|tsv|txt|xlsx?|xml|ya?ml"
FILE_NAME = re.compile(
    rf"(?<![\w.-])\w[\w-]*(?:\.[\w-]+)*\.(?:{_ENDINGS})(?![\w/-])", re.IGNORECASE
)
_QUOTED = re.compile(
    # An opening mark ends the search for a closing one; else the time would be quadratic.
    '"[^"\n]*"|“[^“”\n]*”|„[^„“”\n]*[“”]|`[^`\n]*`|\u2018[^\u2018\u2019\n]*\u2019|«[^«»\n]*»'
    r"|(?<!\w)'[^'\n]*'(?!\w)"
)
_OPENING_QUOTES = frozenset("\"“„`\u2018'«")
_PRIVATE = re.compile(MASK)
_BLANKS = re.compile(r"[^\S\n]+")
_NUMBERS = re.compile(r"^[ \t]*\d{1,3}[.)](?=\s)", re.MULTILINE)
_BEGINS = (
    "answer|attach|buy|check|choose|click|collect|download|enter|export|extract|fill|find|follow"
    "|get|give|go|hit|input|list|log|navigate|open|pick|press|print|put|read|report|return|save|say"
    "|scroll|select|set|show|sign|store|submit|summari[sz]e|take|tap|tell|tick|type|uncheck|untick"
    "|upload|visit|wait|what|which|who|write"
)
_CUT = re.compile(
    rf"\n|[.!?;](?=\s|$)|(?:,? (?:and then|after that|then|and)|(?P<comma>,)) (?=(?:{_BEGINS})\b)"
    rf"|, (?=(?:please|also|finally|now) (?:{_BEGINS})\b)",
    re.IGNORECASE,
)
_FRAME = re.compile(
    r"\s*(?:(?:[-*\u2022]|(?:after that|afterwards|also|and|finally|first|lastly|next|now|please"
    r"|then)\b[,:]?)(?:\s+|$))*",
    re.IGNORECASE,
)


class _Masked(NamedTuple):
    written: str
    text: str  # without quotation marks
    target: Target | None


class Clause(NamedTuple):
    """One instruction or question, masked."""

    text: str
    follows_comma: bool  # it may go on with an enumeration, since some verbs are nouns as well


class MaskedText:
    """A task's text with one private character for each quotation, address and name of a file."""

    def __init__(self, task: str, files: Collection[str]) -> None:
        task = _PRIVATE.sub("\ufffd", task)
        self._masks: dict[str, _Masked] = {}
        self.targets: list[Target] = []  # its addresses and files, in order
        pieces, reached = list[str](), 0
        for start, end, target in _spans(task, files):
            if start < reached:
                continue
            written = task[start:end]
            is_quoted = written[0] in _OPENING_QUOTES and target != OpenFile(written)
            first = _FIRST_TARGET if target else _FIRST_QUOTATION if is_quoted else _FIRST_NAME
            mask = chr(first + len(self._masks))
            self._masks[mask] = _Masked(written, written[1:-1] if is_quoted else written, target)
            pieces += _BLANKS.sub(" ", task[reached:start]), mask
            reached = end
            if target is not None:
                self.targets.append(target)
        self._text = "".join([*pieces, _BLANKS.sub(" ", task[reached:])])

    def clauses(self) -> Iterator[Clause]:
        """The clauses in order, without what only orders them."""
        # The dot after a number that counts the instructions ends no sentence.
        text = _NUMBERS.sub("", self._text)
        reached, follows_comma = 0, False
        for cut in [*_CUT.finditer(text), None]:
            said = text[reached : cut.start() if cut is not None else None]
            frame = _FRAME.match(said)
            said = said[frame.end() if frame is not None else 0 :].strip(" .!?;,:\t\r")
            if said:
                yield Clause(said, follows_comma)
            if cut is not None:
                reached, follows_comma = cut.end(), cut["comma"] is not None

    def plain(self, masked: str) -> str:
        """A part of the text without quotation marks."""
        return "".join(self._masks[each].text if each in self._masks else each for each in masked)

    def written(self, masked: str) -> str:
        """A part of the text as it was written."""
        shown = (self._masks[each].written if each in self._masks else each for each in masked)
        return "".join(shown)

    def targets_in(self, masked: str) -> list[Target]:
        """The addresses and files in a part of the text."""
        found = (self._masks[each].target for each in masked if each in self._masks)
        return [each for each in found if each is not None]


def _spans(task: str, files: Collection[str]) -> list[tuple[int, int, Target | None]]:
    """The masked places in order, the longest of one beginning first."""
    targets: dict[tuple[int, int], Target] = {
        (each.start, each.end): OpenAddress(each.url) for each in find_addresses(task)
    }
    for name in files:
        for match in re.finditer(rf"(?<![\w/.-]){re.escape(name)}(?!\w)", task):
            targets[match.span()] = OpenFile(name)
    spans: list[tuple[int, int, Target | None]] = [
        (start, end, target) for (start, end), target in targets.items()
    ]
    for match in _QUOTED.finditer(task):
        start, end = match.span()
        spans.append((start, end, targets.get((start + 1, end - 1))))
    spans += [(*match.span(), None) for match in FILE_NAME.finditer(task)]
    return sorted(spans, key=lambda span: (span[0], -span[1]))
