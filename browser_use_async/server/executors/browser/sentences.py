"""Cutting a task into instructions: a line or a sentence each, quotations and addresses whole."""

import re
from collections.abc import Collection, Iterator

import attrs

from browser_use_async.server.executors.reader.grammar import named_files, without
from browser_use_async.server.html.addresses import find_addresses

BLANK = "\0"
"""What stands for each character that belongs to a quotation, an address or a file's name."""

VERBS = (
    "answer|attach|capture|check|choose|click|collect|compare|copy|count|describe|download|enter"
    "|extract|fill|find|follow|gather|get|give|go|hit|input|list|load|make|navigate|note|open|output"
    "|pick|press|print|put|read|report|return|save|say|scroll|select|set|show|submit|summari[sz]e"
    "|take|tap|tell|tick|type|uncheck|untick|upload|visit|wait|write"
)
_BETWEEN = re.compile(
    rf"""\s*\n\s*
        | (?<=[.!?;])\s+
        | (?:,\s*|\s+)(?:and\s+then|after\s+that|then|and)\s+(?=(?:{VERBS})\b)
        | ,\s+(?=(?:{VERBS})\b)""",
    re.IGNORECASE | re.VERBOSE,
)
_QUOTED = re.compile(
    # What opens a quotation ends the search for its end, or each of many would look for one.
    '"[^"\n]*"|“[^“”\n]*”|„[^„“”\n]*[“”]|`[^`\n]*`|\u2018[^\u2018\u2019\n]*\u2019|«[^«»\n]*»'
    r"|(?<![\w])'[^'\n]*'(?!\w)"
)
_NUMBERS = re.compile(r"^[ \t]*\d{1,3}[.)](?=\s)", re.MULTILINE)
_LEADING = re.compile(
    r"^\s*(?:[-*\u2022]\s+|(?:after\s+that|afterwards|also|and|finally|first|lastly|next"
    r"|now|please|step\s+\d+[.:)]|then)\b[,:]?\s*)+",
    re.IGNORECASE,
)
_SURPLUS = re.compile(r"(?<=[^\S\n])[^\S\n]+")
_TRAILING = ".!?;,: \t"
_QUOTES = "\"“”„`\u2018\u2019'«»"


@attrs.frozen
class Sentence:
    """One instruction.

    Attributes:
        text: As it was written.
        outline: The same without what is in quotations, addresses and names of files, each
            character of which is `BLANK`.
    """

    text: str
    outline: str

    def part(self, start: int, end: int) -> str:
        """A piece of the text, without the quotation marks around it.

        Args:
            start: Where it begins in the outline.
            end: Where it ends.
        """
        return unquoted(self.text[start:end])


def cut(task: str, files: Collection[str] = ()) -> list[Sentence]:
    """The instructions of a task, in order.

    Args:
        task: The task's text.
        files: The names of the files that came with it.
    """
    return list(_sentences(*_without_runs(task, _outline(task, files))))


def unquoted(text: str) -> str:
    """A text without the quotation marks around it.

    Args:
        text: The text.
    """
    stripped = text.strip()
    is_quoted = len(stripped) > 1 and stripped[0] in _QUOTES and stripped[-1] in _QUOTES
    return stripped[1:-1] if is_quoted else stripped


def _outline(task: str, files: Collection[str]) -> str:
    spans = [match.span() for match in _QUOTED.finditer(task)]
    spans += [(mention.start, mention.end) for mention in find_addresses(task)]
    spans += [(start, end) for start, end, _ in named_files(task, files)]
    # The dot after a number that counts the instructions ends no sentence.
    return _NUMBERS.sub(lambda number: " " * len(number[0]), without(task, spans, BLANK))


def _without_runs(task: str, outline: str) -> tuple[str, str]:
    """Both with one blank for several, or a run would be scanned from each of them."""
    surplus = [run.span() for run in _SURPLUS.finditer(outline)]
    return without(task, surplus, ""), without(outline, surplus, "")


def _sentences(task: str, outline: str) -> Iterator[Sentence]:
    start = 0
    ends = [*_BETWEEN.finditer(outline), None]
    for between in ends:
        end = between.start() if between else len(outline)
        yield from _trimmed(task[start:end], outline[start:end])
        start = between.end() if between else end


def _trimmed(text: str, outline: str) -> Iterator[Sentence]:
    end = len(outline.rstrip(_TRAILING))
    leading = _LEADING.match(outline)
    start = leading.end() if leading else len(outline) - len(outline.lstrip())
    if start < end:
        yield Sentence(text[start:end], outline[start:end])
