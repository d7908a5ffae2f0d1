"""What a task wants to know or to have, as far as rules can tell."""

import re

import attrs

_ASKS = re.compile(
    r"\b(?:answer|collect|copy|count|extract|find|gather|get|give|how|list|note|output|print|read"
    r"|report|return|save|say|show|summari[sz]e|tell|what|when|where|which|who|write)\b",
    re.IGNORECASE,
)
_ASKS_FOR_WORDS = re.compile(
    r"\b(?:answer|give|how|output|print|reply|report|return|say|summari[sz]e|tell|what|which|who)\b",
    re.IGNORECASE,
)
_TITLE = re.compile(r"\btitles?\b(?:\s+of\s+(?:the|this|that|each|both|all)\s+\w+)?", re.IGNORECASE)
# The words of a task that asks for a title and for nothing else.
_AROUND_TITLES = frozenset(
    "a an and answer are at both browse d document each exactly extract fetch find from get give go"
    " head html i in is it its just know let like load look me navigate now of on one only open out"
    " page pages please print read reply report return s say see show site tag tell that the them"
    " their then these this to two up url us visit want web website what which with would"
    " you".split()
)
_SAVES = re.compile(
    r"""\b(?:convert|download|export|output|put|save|store|write)\b
        (?P<what>(?:(?!\b(?:convert|download|export|output|put|save|store|write)\b)[^.\n]){0,300}?)
        \s(?:as|called|file|in|into|named|to)\s+
        (?:(?:a|an|called|csv|file|json|markdown|named|text|the)\s+)*
        ["'“`]?(?P<name>\w[\w-]*(?:\.[\w-]+)*\.(?P<ending>
            csv|docx?|gif|html?|jpe?g|json|md|ods|pdf|png|tsv|txt|xlsx?|xml|ya?ml))\b["'”`]?""",
    re.IGNORECASE | re.VERBOSE,
)
_BEYOND = re.compile(
    r"""(?:^|[.,;:!\n]\s*|\b(?:and|please|then)\s+)
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


def wants_only_titles(text: str) -> bool:
    """Whether a text asks for titles and for nothing else.

    Args:
        text: The text of the task without its addresses and the names of its links.
    """
    rest, found = _TITLE.subn(" ", text)
    return found > 0 and _AROUND_TITLES.issuperset(re.findall(r"[^\W_]+", rest.casefold()))


def beyond_reading(text: str) -> str | None:
    """What a text asks for that a reader cannot do, such as `log in`, or None.

    Args:
        text: The text of the task without its addresses.
    """
    match = _BEYOND.search(text)
    return " ".join(match["what"].split()).lower() if match else None
