"""The words of instructions, as tables, and what follows from them: one instruction a sentence."""

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Literal

import attrs

from browser_use_async.server.executors.instructions.actions import (
    Action,
    Click,
    Download,
    Fill,
    GoBack,
    PressKey,
    Scroll,
    Submit,
    TakePicture,
    Tick,
    Upload,
    Wait,
    WaitFor,
)
from browser_use_async.server.executors.instructions.grammar import (
    BLANK,
    Phrases,
    Sentence,
    named_page,
    unquoted,
)
from browser_use_async.server.executors.protocol import CannotContinueError
from browser_use_async.server.html.words import word_set

UNDERSTOOD = (
    "open ADDRESS, click TEXT, fill FIELD with VALUE, select VALUE in FIELD, tick TEXT, press KEY, "
    "submit the form, upload FILE to FIELD, wait for TEXT, scroll down, go back, extract, "
    "take a screenshot, download TEXT"
)
"""The vocabulary, for errors."""

UNDERSTOOD_BY_READER = "open ADDRESS, follow the TEXT link, save it as NAME.csv"
"""The same of a reader, which has no browser."""

ANSWERS = (
    "an answer in words is a page's title, description, headings, links, tables, their first N "
    "rows, or whole text; "
    "structured_output_json gets the fields that it names"
)
"""What can be asked for, for errors."""

ASKS_FOR_WORDS = frozenset(
    "answer give how output print reply report return say summarise summarize tell what which"
    " who".split()
)
ASKS = ASKS_FOR_WORDS - {"reply"} | frozenset(
    "collect copy count extract find gather get list note read save show when where write".split()
)
PARTS = {
    **dict.fromkeys(("title", "titles"), "title"),
    **dict.fromkeys(("description", "descriptions"), "description"),
    **dict.fromkeys(
        "heading headings headline headlines subheading subheadings subheadline".split(), "headings"
    ),
    **dict.fromkeys(("hyperlink", "hyperlinks", "link", "links"), "links"),
    **dict.fromkeys(("table", "tables"), "tables"),
    **dict.fromkeys(("article", "content", "contents", "everything", "text"), "text"),
}
"""What of a page an answer consists of, by the words for it."""

# Words that add nothing to the parts: "could you please tell me what is on this page".
_AROUND_PARTS = frozenset(
    "a about all also an and answer are as at attached back be both browse but can come"
    " complete could d do document documents does each entire every exactly extract fetch file"
    " files find follow for from full get give go goto grab have head html i in is it its just"
    " kindly know let like list ll load look main me menu my name named navigate navigation need"
    " of on one only open or our out output page pages please print read reply report return s"
    " say says see show site sites so tab tell that the their them there these they this to"
    " two up url urls us using visible visit want was we web website websites what whats where"
    " which whole with would write written you your".split()
)
_FIRST, _ROWS = frozenset({"first", "top"}), frozenset("entries lines records row rows".split())
_NUMBERS = {
    **{str(number): number for number in range(1, 10_001)},
    **{word: 1 + at for at, word in enumerate("one two three four five six seven eight".split())},
    "nine": 9,
    "ten": 10,
    "twenty": 20,
    "fifty": 50,
    "hundred": 100,
}
AROUND_FILES = frozenset({"csv", "data", "json"})
"""Words that add nothing where files came with the task."""
_WORD = re.compile(r"[^\W_]+")
_OWNERS = frozenset({"from", "of", "on"})
# Words for the page that an address leads to anyway.
_START_PAGES = frozenset("front home homepage landing main start web website site".split())
_MOST_WAIT_SECONDS = 300.0
_SECRET = re.compile(
    r"(?:the\s+)?secret\s+(?P<said>[\w.-]+)|\{\{?\s*(?P<braced>[\w.-]+)\s*\}?\}"
    r"|<secret>(?P<tagged>[\w.-]+)</secret>"
)
# What stands before and behind the name of a field and does not belong to it.
_BEFORE_FIELD = frozenset("a an box drop-down dropdown field input its list my the their".split())
_BEHIND_FIELD = frozenset("area box drop-down dropdown field input list menu select".split())
_DOES = Phrases(
    "attach|check|choose|click|enter|fill|follow|go|goto|hit|input|load|navigate|open|pick|press|put"
    "|scroll|select|set|submit|tap|tick|type|uncheck|untick|upload|visit|wait"
)
_KEYS = (
    *("Alt", "ArrowDown", "ArrowLeft", "ArrowRight", "ArrowUp", "Backspace", "Control", "Delete"),
    *("End", "Enter", "Escape", "Home", "Insert", "Meta", "PageDown", "PageUp", "Shift", "Tab"),
    *(" ", *(f"F{number}" for number in range(1, 13))),
)
_KEY_NAMES = {
    **{name.casefold(): name for name in _KEYS},
    "return": "Enter",
    "esc": "Escape",
    "space": " ",
    "page down": "PageDown",
    "page up": "PageUp",
    **{f"{way} arrow": f"Arrow{way.title()}" for way in ("up", "down", "left", "right")},
}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(?:(s|secs?|seconds?)|m|mins?|minutes?)", re.IGNORECASE)
_APPEARS = Phrases(
    "appear|appears|to appear|be shown|be visible|to be shown|to be visible|is there|is shown"
    "|is visible|show|shows|to show|show up|shows up|to show up"
)
_FORMS = frozenset({(), ("it",), ("the", "form"), ("this", "form")})
_WAYS: dict[str, Literal["down", "up", "top", "bottom"]] = {
    "down": "down",
    "up": "up",
    "top": "top",
    "bottom": "bottom",
    "end": "bottom",
}
_BOXES = frozenset({"box", "checkbox"})
_SCREENSHOT = Phrases("screenshot|a screenshot|an screenshot|the screenshot")
_CALLED = frozenset({"as", "called", "named", "to"})
_AROUND_WAY = frozenset({"to", "the", "of", "page"})


def words_of(sentence: Sentence) -> Iterator[str]:
    """The words of a sentence, those of its quotations too."""
    for place, token in enumerate(sentence.tokens):
        if token.target is None:
            text = sentence.part(place, place + 1).text if token.text == BLANK else token.text
            yield from _WORD.findall(text.casefold())


def without_rows(words: Sequence[str]) -> tuple[int | None, list[str]]:
    """How many rows are asked for, as in `the top 5 rows`, and the other words."""
    for place in range(len(words) - 2):
        which, number, what = words[place : place + 3]
        if which in _FIRST and what in _ROWS and number in _NUMBERS:
            return _NUMBERS[number], [*words[:place], *words[place + 3 :]]
    return None, [*words]


def adds_nothing(words: Sequence[str]) -> bool:
    """Whether words name parts of a page and no more."""
    known = _AROUND_PARTS | PARTS.keys()
    return all(
        word in known or (word == "meta" and words[place + 1 : place + 2] == ["description"])
        for place, word in enumerate(words)
    )


@attrs.frozen
class _Given:
    """The names of what came with the task."""

    secrets: Collection[str]
    files: Collection[str]

    def fill(self, field: str, text: str) -> Fill:
        """Give a field the value that a text stands for, or the secret that it names."""
        plain = unquoted(text)
        match = _SECRET.fullmatch(plain)
        name = next(filter(None, match.groups()), "") if match else plain
        if name in self.secrets:
            return Fill(field, secret=name)
        if match is not None:
            known = ", ".join(self.secrets) or "none"
            raise CannotContinueError(f"The task has no secret “{name}”. Its secrets: {known}.")
        return Fill(field, plain)


_Maker = Callable[[Sentence, _Given], Action | tuple[Action, ...] | None]


def instruction(
    sentence: Sentence, secrets: Collection[str], files: Collection[str]
) -> tuple[Action, ...]:
    """What a sentence tells to do, nothing if it is none of the vocabulary."""
    given = _Given(secrets, files)
    for verbs, make in _VOCABULARY:
        rest = sentence.behind(verbs)
        made = make(rest, given) if rest is not None else None
        if made is not None:
            return made if isinstance(made, tuple) else (made,)
    return ()


def is_instruction(sentence: Sentence) -> bool:
    """Whether a sentence tells to do something, as its first word shows, understood or not."""
    return _DOES.at(sentence.tokens, 0) > 0


def _without(rest: Sentence, *words: str) -> Sentence:
    """What follows some words, each of which may be missing."""
    for word in words:
        if len(rest.tokens) > 1 and rest.words[0] == word:
            rest = rest.part(1)
    return rest


def _open(rest: Sentence, _: _Given) -> tuple[Action, ...] | None:
    targets = [(place, each.target) for place, each in enumerate(rest.tokens) if each.target]
    if not targets:
        phrase = named_page(rest)[0]
        return (_click_page(phrase),) if word_set(phrase) else None
    first = targets[0][0]
    before, opened = rest.part(0, first), [target for _, target in targets]
    if not adds_nothing([*words_of(rest.part(first))]):
        return None
    phrase, is_page = named_page(rest.part(0, max(first - 1, 0)))
    if first and rest.words[first - 1] in _OWNERS and word_set(phrase) - _START_PAGES:
        return (opened[0], Click(phrase), *opened[1:])  # "the prices page of ADDRESS"
    return tuple(opened) if is_page or adds_nothing([*words_of(before)]) else None


def _click_page(phrase: str) -> Click:
    """Go to a page, unless it is the one to which an address leads anyway."""
    return Click(phrase, needed=not word_set(phrase) <= _START_PAGES)


def _go_back(rest: Sentence, _: _Given) -> Action | None:
    return None if rest.tokens else GoBack()


def _submit(rest: Sentence, _: _Given) -> Action | None:
    return Submit() if rest.words in _FORMS else None


def _press(rest: Sentence, _: _Given) -> Action | None:
    name = rest.plain.casefold().removesuffix(" key").removeprefix("the ").strip()
    key = _KEY_NAMES.get(name)
    return PressKey(key) if key else None


def _click(rest: Sentence, _: _Given) -> Action | None:
    phrase = named_page(_without(rest, "on"))[0]
    return Click(phrase) if phrase else None


def _follow(rest: Sentence, _: _Given) -> Action | None:
    phrase, is_page = named_page(rest)  # "follow the instructions" is something else
    return _click_page(phrase) if is_page and phrase else None


def _fill(*separators: str, field_first: bool = False) -> _Maker:
    def make(rest: Sentence, given: _Given) -> Action | None:
        parts = rest.split(separators)
        if parts is None:
            return None
        field, value = parts if field_first else parts[::-1]
        name = _field(field.plain)
        return given.fill(name, value.text) if name else None

    return make


def _field(text: str) -> str:
    """The name of a field, without the words around it."""
    words = text.split()
    start, end = 0, len(words)
    while end - start > 1 and words[start].casefold() in _BEFORE_FIELD:
        start += 1
    while end - start > 1 and words[end - 1].casefold() in _BEHIND_FIELD:
        end -= 1
    return unquoted(" ".join(words[start:end]))


def _tick(*, on: bool) -> _Maker:
    def make(rest: Sentence, _: _Given) -> Action | None:
        rest = _without(rest, "the", "box")
        rest = rest.part(0, -1) if len(rest.tokens) > 1 and rest.words[-1] == "box" else rest
        return Tick(rest.plain, on=on) if rest.plain else None

    return make


def _check(rest: Sentence, _: _Given) -> Action | None:
    """Tick what is called a box, or what is quoted: "check the prices" is something else."""
    named = _without(rest, "the")
    if len(named.tokens) > 1 and named.words[0] in _BOXES:
        return Tick(named.part(1).plain, on=True)
    if len(named.tokens) > 1 and named.words[-1] in _BOXES:
        return Tick(named.part(0, -1).plain, on=True)
    return Tick(rest.plain, on=True) if rest.words == (BLANK,) else None


def _upload(rest: Sentence, given: _Given) -> Action | None:
    rest = _without(rest, "the", "file")
    file, field = rest.split({"as", "at", "in", "into", "to", "under"}) or (rest, None)
    if file.plain not in given.files:
        known = ", ".join(given.files) or "none"
        raise CannotContinueError(f"No file “{file.plain}” came with the task. Its files: {known}.")
    return Upload(file.plain, _field(field.plain) if field is not None else "")


def _wait(rest: Sentence, _: _Given) -> Action | None:
    match = _DURATION.fullmatch(_without(rest, "for").text)
    if match is None:
        return None
    seconds = float(match[1]) * (1 if match[2] else 60)
    if seconds > _MOST_WAIT_SECONDS:
        raise CannotContinueError(f"“Wait {rest.text}” is longer than {_MOST_WAIT_SECONDS:g} s.")
    return Wait(seconds)


def _wait_for(rest: Sentence, _: _Given) -> Action | None:
    count = len(rest.tokens)
    for end in range(max(1, count - 3), count):
        if _APPEARS.at(rest.tokens, end) == count - end:
            return WaitFor(rest.part(0, end).plain)
    return WaitFor(rest.plain) if count else None


def _scroll(rest: Sentence, _: _Given) -> Action | None:
    ways = [word for word in rest.words if word not in _AROUND_WAY]
    return Scroll(_WAYS[ways[0]]) if len(ways) == 1 and ways[0] in _WAYS else None


def _picture(rest: Sentence, given: _Given) -> Action | None:
    behind = rest.behind(_SCREENSHOT)
    return _screenshot(behind, given) if behind is not None else None


def _screenshot(rest: Sentence, _: _Given) -> Action | None:
    name, what = "", rest
    for place, word in enumerate(rest.words):
        called = rest.part(place + 1).plain
        if word in _CALLED and called and not any(map(str.isspace, called)):
            name, what = called, rest.part(0, place)
            break
    if what.tokens and (what.words[0] != "of" or len(what.tokens) < 2 or BLANK in what.words):
        return None
    if name and not name.lower().endswith(".png"):
        raise CannotContinueError(f"{name} cannot be written: pictures are .png.")
    return TakePicture(name or "screenshot.png")


def _download(rest: Sentence, _: _Given) -> Action | None:
    phrase = named_page(rest)[0]
    return Download(phrase) if phrase else None


_VOCABULARY: tuple[tuple[Phrases, _Maker], ...] = (
    (
        Phrases("open|visit|load|goto|browse to|continue to|go to|head to|navigate to|switch to"),
        _open,
    ),
    (Phrases("go back"), _go_back),
    (Phrases("submit"), _submit),
    (Phrases("press|hit"), _press),
    (Phrases("click|press|tap"), _click),
    (Phrases("follow"), _follow),
    (Phrases("fill|fill in|fill out|set"), _fill("as", "to", "with", field_first=True)),
    (Phrases("enter|input|put|type|write"), _fill("as", "in", "into", "to")),
    (Phrases("choose|pick|select"), _fill("as", "for", "from", "in", "under")),
    (Phrases("tick"), _tick(on=True)),
    (Phrases("untick|uncheck"), _tick(on=False)),
    (Phrases("check"), _check),
    (Phrases("attach|upload"), _upload),
    (Phrases("wait"), _wait),
    (Phrases("wait for|wait until|wait till"), _wait_for),
    (Phrases("scroll"), _scroll),
    (Phrases("capture|make|save|take"), _picture),
    (_SCREENSHOT, _screenshot),
    (Phrases("download"), _download),
)
"""What is done by its first words; of several the first that makes something of the rest."""
