"""What a task's text asks a reader to do: which pages to open, in which order, and what for."""

import re
from collections.abc import Collection, Iterator, Sequence
from enum import StrEnum
from itertools import pairwise

import attrs

from browser_use_async.server.executors.instructions.grammar import (
    BLANK,
    Token,
    behind_order,
    clause_end,
    has_gap,
    named_files,
    named_page,
    sentences,
    tokenize,
    without,
)
from browser_use_async.server.executors.reader import vocabulary
from browser_use_async.server.executors.reader.output_file import Saving, saving, unnamed_file
from browser_use_async.server.executors.reader.schema import Schema
from browser_use_async.server.html.addresses import find_addresses
from browser_use_async.server.html.words import word_set

_FIND_WITHIN = 80  # characters
_MAX_TASK = 20_000  # characters
_SAVED_ENDINGS = frozenset({"csv", "json", "md", "txt"})
_WORD = re.compile(r"[^\W_]+")
ANSWERS = (
    "an answer in words is a page's title, description, headings, links, tables or whole text; "
    "structured_output_json gets the fields that it names"
)
"""What can be asked for, for errors."""


class Part(StrEnum):
    """What of a page an answer in words can consist of."""

    TITLE = "title"
    DESCRIPTION = "description"
    HEADINGS = "headings"
    LINKS = "links"
    TABLES = "tables"
    TEXT = "text"


class PlanRefusedError(Exception):
    """A task that a reader cannot do. Its text is a sentence for a person."""


@attrs.frozen
class OpenAddress:
    """Open an address."""

    url: str


@attrs.frozen
class OpenFile:
    """Read a file that came with the task."""

    name: str


@attrs.frozen
class FollowLink:
    """Follow a link of the page at hand."""

    phrase: str  # words for it
    needed: bool = True  # whether the task fails without it; the home page may be the one at hand


@attrs.frozen
class Action:
    """One thing to do."""

    what: OpenAddress | OpenFile | FollowLink
    answers: bool = True  # whether what it opens is part of the answer, and not just on the way


@attrs.frozen
class Plan:
    """What a reader shall do."""

    actions: tuple[Action, ...]  # what to open, in order
    parts: frozenset[Part] = frozenset({Part.TEXT})  # of the pages, for an answer in words
    saving: Saving | None = None
    only_saving: bool = False  # whether nothing is asked for beside the output file


@attrs.frozen
class _Span:
    """Words that are understood."""

    start: int
    end: int


@attrs.frozen
class _Placed(_Span):
    what: OpenAddress | OpenFile | FollowLink


def read_task(task: str, files: Sequence[str], structured_output_json: str | None) -> Plan:
    """The plan of a task.

    Raises:
        PlanRefusedError: Something in the text is not understood.
        SchemaRefusedError: The schema of its answer cannot be followed.
    """
    if structured_output_json is not None:
        Schema(structured_output_json)
    return read_plan(task, files, structured=structured_output_json is not None)


def read_plan(task: str, files: Collection[str] = (), *, structured: bool = False) -> Plan:
    """The plan that a text makes; `structured` says that a schema says what the answer is.

    Raises:
        PlanRefusedError: The text names no page, asks for more than reading, or has a sentence
            that is not understood.
    """
    refuse_long(task)
    opened = _addresses_and_files(task, files)
    blanked = _blanked(task, opened, BLANK)
    saved = saving(blanked)
    understood = list(_links(blanked, saved))
    followed = [each for each in understood if isinstance(each, _Placed)]
    placed = _in_order(opened, followed) or [_Placed(0, 0, OpenFile(name)) for name in files]
    _check(blanked, placed, saved)
    spans = [*understood, _Span(saved.start, saved.end)] if saved else understood
    rest = _blanked(blanked, spans, " ").replace(BLANK, " ")
    return Plan(
        actions=tuple(_actions(blanked, placed)),
        parts=understood_parts(rest, structured=structured),
        saving=saved,
        only_saving=saved is not None and not asks(rest, for_words=True),
    )


# --- pages and links ------------------------------------------------------------------------


def _addresses_and_files(task: str, files: Collection[str]) -> list[_Placed]:
    named = [_Placed(start, end, OpenFile(name)) for start, end, name in named_files(task, files)]
    without_files = _blanked(task, named, BLANK)
    addresses = [
        _Placed(mention.start, mention.end, OpenAddress(mention.url))
        for mention in find_addresses(without_files)
    ]
    return sorted([*named, *addresses], key=lambda placed: placed.start)


def _blanked(text: str, spans: Sequence[_Span], blank: str) -> str:
    return without(text, ((each.start, each.end) for each in spans), blank)


def _links(text: str, saved: Saving | None) -> Iterator[_Span]:
    tokens = tokenize(text)
    reached = 0
    for place, verb in enumerate(tokens):
        # "download the table as x.csv" asks for a file, not for a link.
        is_saving = saved is not None and saved.start <= verb.start < saved.end
        if verb.start < reached or is_saving or not _begins(tokens, place):
            continue
        follows = vocabulary.FOLLOWS.at(tokens, place) or _find_at(tokens, place)
        clicks = vocabulary.CLICKS.at(tokens, place)
        count = (
            follows
            or clicks
            or vocabulary.OPENS.at(tokens, place)
            or vocabulary.DOWNLOADS.at(tokens, place)
        )
        first = _behind_on(tokens, place + count)
        first += first < len(tokens) and tokens[first].text == "\n"
        if not count or not has_gap(tokens, first):
            continue
        end = clause_end(tokens, first)
        clause = text[tokens[first].start : tokens[end - 1].end] if first < end else ""
        if _is_address(tokens, end) and (
            first == end or tokens[end - 1].text not in vocabulary.OWNERS
        ):
            yield _Span(verb.start, tokens[end - 1].end)
            continue
        phrase, certain = named_page(clause)
        if not word_set(phrase) or (follows and not certain):
            continue
        reached = tokens[_behind_repeat(tokens, end) - 1].end
        needed = clicks > 0 or not is_start_page(phrase)
        yield _Placed(verb.start, reached, FollowLink(phrase, needed))


def _begins(tokens: Sequence[Token], place: int) -> bool:
    """Whether an instruction can begin at a token."""
    before = tokens[place - 1].text if place else "\n"
    return before in vocabulary.BEGINS or before[-1].isdigit()


def _find_at(tokens: Sequence[Token], place: int) -> int:
    """A verb such as `find`, if what is found is to be clicked in the same sentence."""
    count = vocabulary.FINDS.at(tokens, place)
    if count:
        for behind in range(place + count, len(tokens)):
            is_far = tokens[behind].start > tokens[place].end + _FIND_WITHIN
            if is_far or tokens[behind].text in {".", "\n", BLANK}:
                break
            if vocabulary.FOUND.at(tokens, behind):
                return count
    return 0


def _behind_on(tokens: Sequence[Token], place: int) -> int:
    return place + (place < len(tokens) and tokens[place].text == "on")


def _behind_repeat(tokens: Sequence[Token], end: int) -> int:
    """Where a link ends that is found first: "find the link Prices and click it"."""
    repeat = vocabulary.FOUND.at(tokens, end)
    place = _behind_on(tokens, end + repeat)
    is_it = repeat and place < len(tokens) and tokens[place].text == "it"
    return place + 1 if is_it else end


def _is_address(tokens: Sequence[Token], place: int) -> bool:
    """Whether a clause ends with an address: "the prices page at ADDRESS", not "of ADDRESS"."""
    for is_at in (False, True):
        while place < len(tokens) and tokens[place].text in vocabulary.OPEN_SIGNS:
            place += 1
        if not is_at and place < len(tokens) and tokens[place].text in {"at", "under"}:
            place += 1
    return place < len(tokens) and tokens[place].text == BLANK


def is_start_page(phrase: str) -> bool:
    """Whether words mean the page that an address leads to anyway, such as `the home page`."""
    return word_set(phrase) <= vocabulary.START_PAGES


def _in_order(opened: Sequence[_Placed], followed: Sequence[_Placed]) -> list[_Placed]:
    """What to open and follow, in the order of the text; no link comes before a page."""
    if not opened:
        return []
    first, *others = opened
    early = [one for one in followed if one.start < first.start]
    late = sorted([*others, *followed[len(early) :]], key=lambda placed: placed.start)
    return _without_repeats([first, *early, *late])


def _without_repeats(placed: Sequence[_Placed]) -> list[_Placed]:
    """An address that is named again is opened again only if a link of it is followed then."""
    kept: list[_Placed] = []
    known: set[OpenAddress | OpenFile | FollowLink] = set()
    for place, one in enumerate(placed):
        goes_on = any(isinstance(each.what, FollowLink) for each in placed[place + 1 : place + 2])
        if goes_on or one.what not in known or isinstance(one.what, FollowLink):
            kept.append(one)
            known.add(one.what)
    return kept


def _actions(text: str, placed: Sequence[_Placed]) -> Iterator[Action]:
    for one, following in pairwise([*placed, _Placed(len(text), len(text), OpenFile(""))]):
        on_the_way = isinstance(following.what, FollowLink)
        yield Action(one.what, not on_the_way or asks(text[one.end : following.start]))


# --- what cannot be done --------------------------------------------------------------------


def refuse_long(task: str) -> None:
    """Refuse a text that is longer than one is read by rules.

    Raises:
        PlanRefusedError: It is.
    """
    if len(task) > _MAX_TASK:
        raise PlanRefusedError(
            f"The task has {len(task):,} characters. Without a language model a text of up to "
            f"{_MAX_TASK:,} is read: upload what is longer, and name the file in the task."
        )


def _check(text: str, placed: Sequence[_Placed], saved: Saving | None) -> None:
    beyond = beyond_reading(text)
    if beyond is not None:
        raise PlanRefusedError(
            f"The task asks to {beyond}. A rule-based reader only opens pages, follows links and"
            " reads; it does not use forms."
        )
    if not placed:
        raise PlanRefusedError(
            "The task names no page. A rule-based reader needs an http or https address in the"
            " task's text, or a file that comes with it."
        )
    refuse_unnamed_file(text)
    if saved is not None and saved.ending not in _SAVED_ENDINGS:
        raise PlanRefusedError(
            f"{saved.name} cannot be written: a rule-based reader writes .csv, .json, .md and .txt."
        )


def beyond_reading(text: str) -> str | None:
    """What a text asks for that a reader cannot do, such as `log in`, or None."""
    tokens = tokenize(text)
    for place, token in enumerate(tokens):
        count = vocabulary.FORMS.at(tokens, place)
        if count and (place == 0 or tokens[place - 1].text in vocabulary.FORM_BEGINS):
            objects = vocabulary.FORM_OBJECTS.get(token.text)
            if objects is None or any(each.text in objects for each in tokens[place + 1 :][:1]):
                return " ".join(each.text for each in tokens[place : place + count])
    return None


def refuse_unnamed_file(text: str) -> None:
    """Refuse an output file whose name cannot be read.

    Raises:
        PlanRefusedError: The text wants one.
    """
    if saving(text) is None and (wanted := unnamed_file(text)) is not None:
        raise PlanRefusedError(
            f"“{wanted}” names no file that can be written: say save the page as NAME.csv, with a "
            "name without blanks."
        )


# --- what is asked for ----------------------------------------------------------------------


def asks(text: str, *, for_words: bool = False) -> bool:
    """Whether a text asks for what is to be read; `for_words`: and not only for a file of it."""
    wanted = vocabulary.ASKS_FOR_WORDS if for_words else vocabulary.ASKS
    return not wanted.isdisjoint(_WORD.findall(text.casefold()))


def understood_parts(text: str, *, structured: bool) -> frozenset[Part]:
    """What of its pages a task asks for; the whole text if nothing is named.

    With a schema that says what is wanted, the words may be any.

    Raises:
        PlanRefusedError: One of its sentences is not understood.
    """
    parts: set[Part] = set()
    has_asked = False
    for start, end, follows_comma in sentences(text):
        sentence = " ".join(text[start:end].split())
        tokens = tokenize(sentence)
        first = behind_order(tokens)
        said = sentence[tokens[first].start :] if first < len(tokens) else ""
        words = _WORD.findall(said.casefold())
        has_asked = asks(sentence) or (has_asked and follows_comma)
        parts |= {Part(vocabulary.PARTS[word]) for word in words if word in vocabulary.PARTS}
        if not (structured and has_asked) and not _adds_nothing(words):
            raise PlanRefusedError(
                f"“{said}” is not understood, since there is no language model here. Pages are "
                f"opened, links are followed; {ANSWERS}."
            )
    return frozenset(parts or {Part.TEXT})


def _adds_nothing(words: Sequence[str]) -> bool:
    """Whether words name parts of a page and no more."""
    return all(
        word in vocabulary.PARTS
        or word in vocabulary.AROUND_PARTS
        or (word, following) == ("meta", "description")
        for word, following in pairwise([*words, ""])
    )
