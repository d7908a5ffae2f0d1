"""What a task wants to know or to have, as far as rules can tell."""

import re
from enum import StrEnum

import attrs

from browser_use_async.server.executors.reader.clauses import sentences

_ASKS = re.compile(
    r"\b(?:answer|collect|copy|count|extract|find|gather|get|give|how|list|note|output|print|read"
    r"|report|return|save|say|show|summari[sz]e|tell|what|when|where|which|who|write)\b",
    re.IGNORECASE,
)
_ASKS_FOR_WORDS = re.compile(
    r"\b(?:answer|give|how|output|print|reply|report|return|say|summari[sz]e|tell|what|which|who)\b",
    re.IGNORECASE,
)


class Part(StrEnum):
    """What of a page an answer in words can consist of."""

    TITLE = "title"
    DESCRIPTION = "description"
    HEADINGS = "headings"
    LINKS = "links"
    TABLES = "tables"
    TEXT = "text"


_PARTS = {
    Part.TITLE: re.compile(r"\btitles?\b", re.IGNORECASE),
    Part.DESCRIPTION: re.compile(r"\b(?:meta\s+)?descriptions?\b", re.IGNORECASE),
    Part.HEADINGS: re.compile(r"\b(?:sub)?head(?:ings?|lines?)\b", re.IGNORECASE),
    Part.LINKS: re.compile(r"\b(?:hyper)?links?\b", re.IGNORECASE),
    Part.TABLES: re.compile(r"\btables?\b", re.IGNORECASE),
    Part.TEXT: re.compile(r"\b(?:text|contents?|everything|article)\b", re.IGNORECASE),
}
# Words of a wish that add nothing to its parts: "could you please tell me what is on this page".
_AROUND_PARTS = frozenset(
    "a about all also an and answer are as at attached back be both browse but can come"
    " complete could d do document documents does each entire every exactly extract fetch file"
    " files find follow for from full get give go goto grab have head html i in is it its just"
    " kindly know let like list ll load look main me menu my name named navigate navigation need"
    " of on one only open or our out output page pages please print read reply report return s"
    " say says see show site sites so tab tell text that the their them there these they this to"
    " two up url urls us using visible visit want was we web website websites what whats where"
    " which whole with would write written you your".split()
)
# "1.", "first," and the like order the sentences; elsewhere they would choose among many.
_COUNTING = re.compile(
    r"^(?:[-*\u2022]\s*|\d{1,3}[.)]\s*|(?:after\s+that|and|finally|first|lastly|next|now|then)\b[,:]?\s*)+",
    re.IGNORECASE,
)
ANSWERS = (
    "an answer in words is a page's title, description, headings, links, tables or whole text; "
    "structured_output_json gets the fields that it names"
)
"""What can be asked for, for errors."""
_SAVES = re.compile(
    r"""\b(?:convert|download|export|output|put|save|store|write)\b
        (?P<what>(?:(?!\b(?:convert|download|export|output|put|save|store|write)\b)[^.\n]){0,300}?)
        \s(?:as|called|file|in|into|named|to)\s+
        (?:(?:a|an|called|csv|file|json|markdown|named|text|the)\s+)*
        ["'“`]?(?P<name>\w[\w-]*(?:\.[\w-]+)*\.(?P<ending>
            csv|docx?|gif|html?|jpe?g|json|md|ods|pdf|png|tsv|txt|xlsx?|xml|ya?ml))\b["'”`]?""",
    re.IGNORECASE | re.VERBOSE,
)
_SAVES_SOMETHING = re.compile(
    r"\b(?:convert|export|save|store|write)\b[^.\n]{0,200}?\s\S{0,100}\.(?:csv|docx?|json|md|pdf|tsv|txt"
    r"|xlsx?|xml|ya?ml)\b",
    re.IGNORECASE,
)
_BEYOND = re.compile(
    r"""(?:^|[.,;:!]\s*|\n[^\S\n]*|\b(?:and|please|then)\s+)
        (?P<what>log\s+in|sign\s+(?:in|up)|fill\s+(?:in|out)|search\s+for
        |type(?=\s+(?:in|into)\b|\s+["'“])
        |(?:buy|purchase|submit|upload)(?=\s+(?:a|an|it|my|the|this|your)\b))""",
    re.IGNORECASE | re.VERBOSE,
)


@attrs.frozen
class Saving:
    """An output file that a task asks for.

    Attributes:
        start: Where the wish begins in the text.
        end: Where it ends.
        what: The words for what goes into the file.
        name: The name of the file.
        ending: The ending of the name in lower case, without the dot.
    """

    start: int
    end: int
    what: str
    name: str
    ending: str


def saving(text: str) -> Saving | None:
    """The output file that a text asks for, such as `save the table as prices.csv`.

    Args:
        text: The text of the task without its addresses.
    """
    match = _SAVES.search(text)
    if match is None:
        return None
    return Saving(
        match.start(),
        match.end(),
        match["what"].strip(" \0"),
        match["name"],
        match["ending"].lower(),
    )


def asks(text: str, *, for_words: bool = False) -> bool:
    """Whether a piece of a text asks for something that is to be read.

    Args:
        text: The piece.
        for_words: Whether only an answer in words counts, and not what goes into a file.
    """
    return (_ASKS_FOR_WORDS if for_words else _ASKS).search(text) is not None


class WishNotUnderstoodError(Exception):
    """A sentence of a task that rules cannot carry out. Its text is that sentence."""


def answer_parts(text: str, *, structured: bool) -> frozenset[Part]:
    """What an answer in words is to consist of; the whole text of the page if nothing is named.

    Args:
        text: The text of the task without its addresses, its links and its output file.
        structured: Whether a schema says what is wanted, so that the words may be any.

    Raises:
        WishNotUnderstoodError: A sentence asks for something else.
    """
    parts: set[Part] = set()
    has_asked = False
    for sentence, follows_comma in sentences(text):
        said = rest = _COUNTING.sub("", sentence)
        has_asked = asks(sentence) or (has_asked and follows_comma)
        for part, words in _PARTS.items():
            rest, count = words.subn(" ", rest)
            parts |= {part} if count else set()
        strange = set(re.findall(r"[^\W_]+", rest.casefold())) - _AROUND_PARTS
        if strange and not (structured and has_asked):
            raise WishNotUnderstoodError(said)
    return frozenset(parts or {Part.TEXT})


def unnamed_file(text: str) -> str | None:
    """A wish for an output file whose name cannot be read, such as `as my results.csv`, or None."""
    match = _SAVES_SOMETHING.search(text)
    return " ".join(match[0].split()) if match else None


def beyond_reading(text: str) -> str | None:
    """What a text asks for that a reader cannot do, such as `log in`, or None.

    Args:
        text: The text of the task without its addresses.
    """
    match = _BEYOND.search(text)
    return " ".join(match["what"].split()).lower() if match else None
