"""What a task's text asks a reader to do: which pages to open, in which order, and what for."""

import re
from collections.abc import Collection, Iterator, Sequence
from itertools import pairwise

import attrs

from browser_use_async.server.executors.reader.clauses import (
    clause_after,
    named_files,
    named_page,
    without,
)
from browser_use_async.server.executors.reader.schema import Schema
from browser_use_async.server.executors.reader.wishes import (
    ANSWERS,
    Part,
    Saving,
    WishNotUnderstoodError,
    answer_parts,
    asks,
    beyond_reading,
    saving,
    unnamed_file,
)
from browser_use_async.server.html.addresses import find_addresses
from browser_use_async.server.html.words import word_set

_CLICKS = "click|press|tap"
_VERB = re.compile(
    rf"""\b(?:(?P<clicks>{_CLICKS})|(?P<downloads>download)
        |(?P<follows>choose|follow|select
            |(?:find|locate|look\s+for)(?=[^.\n\0]{{1,80}}\sand\s+(?:{_CLICKS}|follow|open)\b))
        |(?P<opens>(?:browse|continue|go|head|navigate|switch)\s+to|goto|open|visit)
        )(?:\s+on)?\s+""",
    re.IGNORECASE | re.VERBOSE,
)
# An instruction begins here; "the press release" and "we are open on Monday" are none.
_BEGINS = re.compile(
    r"(?:^|[-\u2013*>.,;:!?()\n\0\d]\s*"
    r"|\b(?:also|and|can|could|finally|first|just|must|next|now|please|should|that|then|to|you)\s+)$",
    re.IGNORECASE,
)
_LOOK_BACK = 20
_MAX_TASK = 20_000  # characters
# "the prices page at ADDRESS" is that address, "the prices page of ADDRESS" a link on it.
_IS_ADDRESS = re.compile(r"[\s(:\"'“]*(?:(?:at|under)[\s(:\"'“]*)?\0")
_HAS_OWNER = re.compile(r"\b(?:from|of|on)\s*$", re.IGNORECASE)
_REPEAT = re.compile(rf"\s+and\s+(?:{_CLICKS}|follow|open)(?:\s+on)?\s+it\b", re.IGNORECASE)
# Words for the page that an address leads to anyway.
_START_PAGES = frozenset("front home homepage landing main start web website site".split())
_SAVED_ENDINGS = frozenset({"csv", "json", "md", "txt"})


class PlanRefusedError(Exception):
    """A task that a reader cannot do. Its text is a sentence for a person."""


@attrs.frozen
class OpenAddress:
    """Open an address.

    Attributes:
        url: The address.
    """

    url: str


@attrs.frozen
class OpenFile:
    """Read a file that came with the task.

    Attributes:
        name: Its name.
    """

    name: str


@attrs.frozen
class FollowLink:
    """Follow a link of the page at hand.

    Attributes:
        phrase: Words for the link.
        needed: Whether the task fails without it; the home page may be the one at hand.
    """

    phrase: str
    needed: bool = True


@attrs.frozen
class Action:
    """One thing to do.

    Attributes:
        what: The thing.
        answers: Whether what it opens is part of the answer, and not just on the way.
    """

    what: OpenAddress | OpenFile | FollowLink
    answers: bool = True


@attrs.frozen
class Plan:
    """What a reader shall do.

    Attributes:
        actions: What to open, in order.
        parts: What of the pages an answer in words consists of.
        saving: The output file, if one is asked for.
        only_saving: Whether nothing is asked for beside the output file.
    """

    actions: tuple[Action, ...]
    parts: frozenset[Part] = frozenset({Part.TEXT})
    saving: Saving | None = None
    only_saving: bool = False


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
    """The plan that a task's text makes.

    Args:
        task: The text.
        files: The names of the files that came with the task.
        structured: Whether a schema says what the answer is.

    Raises:
        PlanRefusedError: The text names no page, asks for more than reading, or has a sentence
            that is not understood.
    """
    refuse_long(task)
    opened = _addresses_and_files(task, files)
    blanked = _blanked(task, opened, "\0")
    saved = saving(blanked)
    understood = list(_links(blanked, saved))
    followed = [each for each in understood if isinstance(each, _Placed)]
    placed = _in_order(opened, followed) or [_Placed(0, 0, OpenFile(name)) for name in files]
    _check(blanked, placed, saved)
    spans = [*understood, _Span(saved.start, saved.end)] if saved else understood
    rest = _blanked(blanked, spans, " ").replace("\0", " ")
    return Plan(
        actions=tuple(_actions(blanked, placed)),
        parts=understood_parts(rest, structured=structured),
        saving=saved,
        only_saving=saved is not None and not asks(rest, for_words=True),
    )


def _addresses_and_files(task: str, files: Collection[str]) -> list[_Placed]:
    named = [_Placed(start, end, OpenFile(name)) for start, end, name in named_files(task, files)]
    without_files = _blanked(task, named, "\0")
    addresses = [
        _Placed(mention.start, mention.end, OpenAddress(mention.url))
        for mention in find_addresses(without_files)
    ]
    return sorted([*named, *addresses], key=lambda placed: placed.start)


def _blanked(text: str, spans: Sequence[_Span], blank: str) -> str:
    return without(text, ((each.start, each.end) for each in spans), blank)


def _links(text: str, saved: Saving | None) -> Iterator[_Span]:
    reached = 0
    for verb in _VERB.finditer(text):
        # "download the table as x.csv" asks for a file, not for a link.
        if verb.start() < reached or (saved and saved.start <= verb.start() < saved.end):
            continue
        if not _BEGINS.search(text[max(0, verb.start() - _LOOK_BACK) : verb.start()]):
            continue
        clause, end = clause_after(text, verb.end())
        phrase, certain = named_page(clause)
        about_address = _IS_ADDRESS.match(text, end) and not _HAS_OWNER.search(clause)
        if about_address:
            yield _Span(verb.start(), end)
            continue
        if not word_set(phrase) or not (certain or not verb["follows"]):
            continue
        needed = bool(verb["clicks"]) or not is_start_page(phrase)
        reached = end = _end_of_repeat(text, end)
        yield _Placed(verb.start(), end, FollowLink(phrase, needed))


def _end_of_repeat(text: str, end: int) -> int:
    """Where a link ends that is found first: "find the link Prices and click it"."""
    repeat = _REPEAT.match(text, end)
    return repeat.end() if repeat else end


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


def refuse_unnamed_file(text: str) -> None:
    """Refuse an output file whose name cannot be read.

    Raises:
        PlanRefusedError: The text wants one.
    """
    if saving(text) is None and (wish := unnamed_file(text)) is not None:
        raise PlanRefusedError(
            f"“{wish}” names no file that can be written: say save the page as NAME.csv, with a "
            "name without blanks."
        )


def is_start_page(phrase: str) -> bool:
    """Whether words mean the page that an address leads to anyway, such as `the home page`."""
    return word_set(phrase) <= _START_PAGES


def understood_parts(text: str, *, structured: bool) -> frozenset[Part]:
    """What of its pages a task asks for.

    Raises:
        PlanRefusedError: One of its sentences is not understood.
    """
    try:
        return answer_parts(text, structured=structured)
    except WishNotUnderstoodError as error:
        raise PlanRefusedError(
            f"“{error}” is not understood, since there is no language model here. Pages are "
            f"opened, links are followed; {ANSWERS}."
        ) from None


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
