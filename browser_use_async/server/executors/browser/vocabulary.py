"""The words that a browser understands without a language model: one instruction a sentence."""

import re
from collections.abc import Callable, Collection, Iterator, Mapping

from browser_use_async.server.executors.browser.actions import (
    Action,
    Click,
    Download,
    Extract,
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
from browser_use_async.server.executors.browser.sentences import BLANK, Sentence, unquoted
from browser_use_async.server.executors.reader.grammar import named_page
from browser_use_async.server.executors.reader.plan import (
    FollowLink,
    OpenAddress,
    OpenFile,
    PlanRefusedError,
    is_start_page,
)
from browser_use_async.server.html.addresses import find_addresses

UNDERSTOOD = (
    "open ADDRESS, click TEXT, fill FIELD with VALUE, select VALUE in FIELD, tick TEXT, press KEY, "
    "submit the form, upload FILE to FIELD, wait for TEXT, scroll down, go back, extract, "
    "take a screenshot, download TEXT"
)
"""The vocabulary, for errors."""

_MOST_WAIT_SECONDS = 300.0
_SECRET = re.compile(
    r"(?:the\s+)?secret\s+(?P<said>[\w.-]+)|\{\{?\s*(?P<braced>[\w.-]+)\s*\}?\}"
    r"|<secret>(?P<tagged>[\w.-]+)</secret>"
)
# What stands before and behind the name of a field and does not belong to it.
_BEFORE_FIELD = frozenset("a an box drop-down dropdown field input its list my the their".split())
_BEHIND_FIELD = frozenset("area box drop-down dropdown field input list menu select".split())
_DOES = re.compile(
    r"(?:attach|check|choose|click|enter|fill|follow|go|goto|hit|input|load|navigate|open|pick|press"
    r"|put|scroll|select|set|submit|tap|tick|type|uncheck|untick|upload|visit|wait)\b",
    re.IGNORECASE,
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
_QUOTE = rf"{BLANK}+"
_WORDS = rf"(?:{_QUOTE}|[^{BLANK}]+?|.+?)"

_Maker = Callable[[Sentence, re.Match[str], "_Given"], Action | None]


class _Given:
    """What came with the task."""

    def __init__(self, secrets: Mapping[str, str], files: Collection[str]) -> None:
        self.secrets = secrets
        self.files = files

    def value(self, text: str) -> tuple[str, str]:
        """The value that a text stands for, and the name of the secret if it is one."""
        plain = unquoted(text)
        match = _SECRET.fullmatch(plain)
        name = next(filter(None, match.groups()), "") if match else plain
        if name in self.secrets:
            return self.secrets[name], name
        if match is not None:
            known = ", ".join(self.secrets) or "none"
            raise PlanRefusedError(f"The task has no secret “{name}”. Its secrets: {known}.")
        return plain, ""


def instruction(
    sentence: Sentence, secrets: Mapping[str, str], files: Collection[str]
) -> Action | None:
    """What a sentence tells a browser to do, or None if it is none of the vocabulary.

    Args:
        sentence: The sentence.
        secrets: The task's secrets by name.
        files: The names of the files that came with the task.

    Raises:
        PlanRefusedError: It names a secret or a file that the task does not have.
    """
    return next(_understood(sentence, _Given(secrets, files)), None)


def is_instruction(sentence: Sentence) -> bool:
    """Whether a sentence tells to do something, as its first word shows, understood or not.

    Args:
        sentence: The sentence.
    """
    return _DOES.match(sentence.outline) is not None


def _understood(sentence: Sentence, given: _Given) -> Iterator[Action]:
    for pattern, make in _VOCABULARY:
        match = pattern.fullmatch(sentence.outline)
        action = make(sentence, match, given) if match else None
        if action is not None:
            yield action


def _part(sentence: Sentence, match: re.Match[str], name: str) -> str:
    return sentence.part(*match.span(name)) if match[name] is not None else ""


def _open(sentence: Sentence, match: re.Match[str], given: _Given) -> Action | None:
    addresses = find_addresses(sentence.text)
    if len(addresses) == 1 and sentence.outline.endswith(BLANK):
        return OpenAddress(addresses[0].url)
    name = _part(sentence, match, "what")
    if name in given.files:
        return OpenFile(name)
    phrase, certain = named_page(sentence.text[match.start("what") :])
    needed = certain or not is_start_page(phrase)
    return FollowLink(phrase, needed) if phrase and not addresses else None


def _click(sentence: Sentence, match: re.Match[str], _: _Given) -> Action | None:
    phrase = named_page(sentence.text[match.start("what") :])[0]
    return Click(phrase) if phrase else None


def _press(sentence: Sentence, match: re.Match[str], _: _Given) -> Action | None:
    name = _part(sentence, match, "what").casefold()
    key = _KEY_NAMES.get(name.removesuffix(" key").removeprefix("the ").strip())
    return PressKey(key) if key else None


def _fill(sentence: Sentence, match: re.Match[str], given: _Given) -> Action | None:
    field = _field(_part(sentence, match, "field"))
    value = sentence.text[slice(*match.span("value"))]
    return Fill(field, *given.value(value)) if field else None


def _field(text: str) -> str:
    """The name of a field, without the words around it."""
    words = text.split()
    start, end = 0, len(words)
    while end - start > 1 and words[start].casefold() in _BEFORE_FIELD:
        start += 1
    while end - start > 1 and words[end - 1].casefold() in _BEHIND_FIELD:
        end -= 1
    return unquoted(" ".join(words[start:end]))


def _tick(sentence: Sentence, match: re.Match[str], _: _Given) -> Action | None:
    phrase = _part(sentence, match, "what")
    return Tick(phrase, on=not match["verb"].casefold().startswith("un")) if phrase else None


def _upload(sentence: Sentence, match: re.Match[str], given: _Given) -> Action | None:
    name = _part(sentence, match, "file")
    if name not in given.files:
        known = ", ".join(given.files) or "none"
        raise PlanRefusedError(f"No file “{name}” came with the task. Its files: {known}.")
    return Upload(name, _field(_part(sentence, match, "field")))


def _wait_for(sentence: Sentence, match: re.Match[str], _: _Given) -> Action | None:
    return WaitFor(_part(sentence, match, "what"))


def _wait(sentence: Sentence, match: re.Match[str], _: _Given) -> Action | None:
    seconds = float(match["number"]) * (60 if match["unit"].startswith("m") else 1)
    if seconds > _MOST_WAIT_SECONDS:
        raise PlanRefusedError(f"“{sentence.text}” is longer than {_MOST_WAIT_SECONDS:g} s.")
    return Wait(seconds)


def _scroll(sentence: Sentence, match: re.Match[str], _: _Given) -> Action | None:
    way = match["way"].casefold()
    if way in {"end", "bottom"}:
        return Scroll("bottom")
    return Scroll("top" if way == "top" else "up" if way == "up" else "down")


def _picture(sentence: Sentence, match: re.Match[str], _: _Given) -> Action | None:
    name = _part(sentence, match, "name")
    if name and not name.lower().endswith(".png"):
        raise PlanRefusedError(f"{name} cannot be written: pictures are .png.")
    return TakePicture(name or "screenshot.png")


def _download(sentence: Sentence, match: re.Match[str], _: _Given) -> Action | None:
    phrase = named_page(sentence.text[match.start("what") :])[0]
    return Download(phrase) if phrase else None


def _plain(action: Action) -> _Maker:
    return lambda _sentence, _match, _given: action


def _row(pattern: str, make: _Maker) -> tuple[re.Pattern[str], _Maker]:
    return re.compile(pattern, re.IGNORECASE | re.DOTALL), make


_VOCABULARY = (
    _row(r"(?:open|visit|load|goto|(?:browse|go|head|navigate)\s+to)\s+(?P<what>.+)", _open),
    _row(r"go\s+back", _plain(GoBack())),
    _row(r"submit(?:\s+(?:it|(?:the|this)\s+form))?", _plain(Submit())),
    _row(r"(?:press|hit)\s+(?P<what>.+)", _press),
    _row(r"(?:click|follow|press|tap)(?:\s+on)?\s+(?P<what>.+)", _click),
    _row(
        rf"(?:fill(?:\s+in|\s+out)?|set)\s+(?P<field>{_WORDS})\s+(?:as|to|with)\s+(?P<value>.+)",
        _fill,
    ),
    _row(
        rf"(?:enter|input|put|type|write)\s+(?P<value>{_WORDS})\s+(?:as|in|into|to)\s+(?P<field>.+)",
        _fill,
    ),
    _row(
        rf"(?:choose|pick|select)\s+(?P<value>{_WORDS})\s+(?:as|for|from|in|under)\s+(?P<field>.+)",
        _fill,
    ),
    _row(
        rf"(?P<verb>tick|untick|uncheck)\s+(?:the\s+)?(?:box\s+)?(?P<what>{_WORDS})(?:\s+box)?",
        _tick,
    ),
    _row(r"(?P<verb>check)\s+(?:the\s+)?(?:check)?box\s+(?P<what>.+)", _tick),
    _row(rf"(?P<verb>check)\s+(?:the\s+)?(?P<what>{_WORDS})\s+(?:check)?box", _tick),
    _row(rf"(?P<verb>check)\s+(?P<what>{_QUOTE})", _tick),
    _row(
        rf"(?:attach|upload)\s+(?:the\s+)?(?:file\s+)?(?P<file>{_WORDS})"
        r"(?:\s+(?:as|at|in|into|to|under)\s+(?P<field>.+))?",
        _upload,
    ),
    _row(
        r"wait\s+(?:for\s+)?(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>s|secs?|seconds?|m|mins?|minutes?)",
        _wait,
    ),
    _row(
        rf"wait\s+(?:for|until|till)\s+(?P<what>{_WORDS})"
        r"(?:\s+(?:to\s+)?(?:appears?|be\s+(?:shown|visible)|is\s+(?:there|shown|visible)|shows(?:\s+up)?))?",
        _wait_for,
    ),
    _row(
        r"scroll\s+(?:(?:to\s+)?the\s+|to\s+)?(?P<way>down|up|top|bottom|end)(?:\s+of\s+the\s+page)?",
        _scroll,
    ),
    _row(r"extract(?:\s+.+)?", _plain(Extract())),
    _row(
        r"(?:(?:capture|make|save|take)\s+)?(?:a|an|the)?\s*screenshot(?:\s+of\s+[^\0]+?)?"
        rf"(?:\s+(?:as|called|named|to)\s+(?P<name>{_QUOTE}|\S+))?",
        _picture,
    ),
    _row(r"download\s+(?P<what>.+)", _download),
)
