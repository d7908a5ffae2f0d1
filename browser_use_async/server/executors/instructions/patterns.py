"""Known instructions: one verb and one pattern each, tried on a whole clause, and their writing."""

import re
from collections.abc import Callable, Collection
from difflib import get_close_matches
from typing import Literal, NamedTuple, cast

from browser_use_async.server.executors.instructions import actions
from browser_use_async.server.executors.instructions.clauses import QUOTATION, MaskedText
from browser_use_async.server.executors.protocol import CannotContinueError

START_PAGES = frozenset({"front", "home", "homepage", "landing", "main", "start"})
"""Words for the page that an address leads to anyway."""
_MAX_WAIT_SECONDS = 300.0
_KEYS = (
    "Alt ArrowDown ArrowLeft ArrowRight ArrowUp Backspace Control Delete End Enter Escape Home"
    " Insert Meta PageDown PageUp Shift Tab F1 F2 F3 F4 F5 F6 F7 F8 F9 F10 F11 F12"
)
_KEY_NAMES = {name.casefold(): name for name in _KEYS.split()} | {
    "return": "Enter",
    "esc": "Escape",
    "space": " ",
    "page down": "PageDown",
    "page up": "PageUp",
    **{f"{way} arrow": f"Arrow{way.title()}" for way in ("up", "down", "left", "right")},
}
_SECRET = re.compile(
    r"(?:the )?secret ([\w.-]+)|\{\{?\s*([\w.-]+)\s*\}?\}|<secret>([\w.-]+)</secret>"
)

_QUOTES = ('""', "“”", "«»", "``")
# Ends of lines, and what stands for quotations while a line is read
_UNQUOTABLE = re.compile("[\n\r\U000f0000-\U0010ffff]")


class Given(NamedTuple):
    """The names of what came with a task."""

    secrets: Collection[str]
    files: Collection[str]
    inputs: Collection[str] = ()  # of a script


def _fill(given: Given, field: str, value: str) -> actions.Fill:
    field = " ".join(field.split())
    named = _SECRET.fullmatch(value)
    name = next(filter(None, named.groups())) if named is not None else value
    if name in given.secrets:
        return actions.Fill(field, secret=name)
    if named is not None and name not in given.inputs:
        known = ", ".join(given.secrets) or "none"
        raise CannotContinueError(f"The task has no secret “{name}”. Its secrets: {known}.")
    return actions.Fill(field, value)


def _upload(given: Given, file: str, field: str = "") -> actions.Upload:
    if file not in given.files:
        known = ", ".join(given.files) or "none"
        raise CannotContinueError(f"No file “{file}” came with the task. Its files: {known}.")
    return actions.Upload(file, field)


def _wait(_: Given, number: str, unit: str) -> actions.Wait:
    seconds = float(number) * (60 if unit.startswith("m") else 1)
    if seconds > _MAX_WAIT_SECONDS:
        raise CannotContinueError(f"“Wait {number} {unit}” is longer than {_MAX_WAIT_SECONDS:g} s.")
    return actions.Wait(seconds)


def _press(_: Given, key: str) -> actions.PressKey | None:
    name = _KEY_NAMES.get(key.casefold())
    return actions.PressKey(name) if name is not None else None


def _scroll(_: Given, to: str) -> actions.Scroll:
    return actions.Scroll(cast(Literal["down", "up", "top", "bottom"], to.casefold()))


def _picture(_: Given, name: str = "screenshot.png") -> actions.TakePicture:
    if not name.casefold().endswith(".png"):
        raise CannotContinueError(f"{name} cannot be written: pictures are .png.")
    return actions.TakePicture(name)


def _click(_: Given, link: str) -> actions.Click:
    return actions.Click(link, needed=link.casefold() not in START_PAGES)


THE = "(?:(?:the|its?|my|an?) )?"
_FIELD = (
    rf"{THE}(?:(?:field|list|menu|box) )?(?P<field>{QUOTATION}|.+?)"
    r"(?: (?:input|drop-?down))?(?: (?:field|box|area|list|menu))?"
)
_KIND = "(?:link|button|tab|page|menu item)"
# A quotation, or words without one: what stands beside a quotation would be ignored.
_WORDS = f"{QUOTATION}|[^\U000f0000-\U0010ffff]+?"
_LINK = (
    rf"{THE}(?:{_KIND} \(?(?:(?:called|named|to|that says) )?{THE}(?P<named>{_WORDS})\)?"
    rf"|(?P<link>{_WORDS})(?: {_KIND})?)"
)
_FOLLOWED = (
    rf"{THE}(?:{_KIND} (?:(?:called|named|to|that says) )?{THE}(?P<named>{_WORDS})"
    rf"|(?P<link>{QUOTATION}|[^\U000f0000-\U0010ffff]+?(?= {_KIND}))(?: {_KIND})?)"
)
_BOX = rf"(?:(?:check)?box )?(?P<box>{QUOTATION}|.+?)(?: (?:check)?box)?"


class _Instruction(NamedTuple):
    form: str  # as documentation and refusals name it
    verbs: str
    rest: str
    make: Callable[..., actions.Action | None]


_INSTRUCTIONS = (
    _Instruction("go back", "go", r" back", lambda _: actions.GoBack()),
    _Instruction(
        "submit the form", "submit", r"(?: (?:it|(?:the|this) form))?", lambda _: actions.Submit()
    ),
    _Instruction("press KEY", "press|hit", rf" {THE}(?P<key>.+?)(?: key)?", _press),
    _Instruction("click TEXT", "click|tap|press", rf"(?: on)? {_LINK}", _click),
    _Instruction("follow the TEXT link", "follow", rf" {_FOLLOWED}", _click),
    _Instruction(
        "fill FIELD with VALUE", "fill in|fill out|fill|set",
        rf" {_FIELD} (?:with|to|as) (?P<value>.+)", _fill,
    ),
    _Instruction(
        "type VALUE into FIELD", "type|enter|input|put|write",
        rf" (?P<value>.+?) (?:into|in|to|as) {_FIELD}", _fill,
    ),
    _Instruction(
        "select VALUE in FIELD", "select|choose|pick",
        rf" (?P<value>.+?) (?:in|from|for|under) {_FIELD}", _fill,
    ),
    _Instruction("tick TEXT", "tick", rf" {THE}{_BOX}", lambda _, box: actions.Tick(box, on=True)),
    _Instruction(
        "check the TEXT box", "check", rf" {THE}(?={QUOTATION}$|.*box\b){_BOX}",
        lambda _, box: actions.Tick(box, on=True),
    ),
    _Instruction(
        "untick TEXT", "untick|uncheck", rf" {THE}{_BOX}",
        lambda _, box: actions.Tick(box, on=False),
    ),
    _Instruction(
        "upload FILE to FIELD", "upload|attach",
        rf" {THE}(?:file )?(?P<file>.+?)(?: (?:to|into|in|as|under) {_FIELD})?", _upload,
    ),
    _Instruction(
        "wait SECONDS s", "wait",
        r"(?: for)? (?P<number>\d+(?:\.\d+)?) ?(?P<unit>s|secs?|seconds?|m|mins?|minutes?)", _wait,
    ),
    _Instruction(
        "wait for TEXT", "wait",
        r" (?:for|until|till) (?P<text>.+?)(?: (?:to )?(?:appears?|shows?(?: up)?|be visible"
        r"|is (?:there|shown|visible)))?",
        lambda _, text: actions.WaitFor(text),
    ),
    _Instruction(
        "scroll down", "scroll", r" (?:to )?(?:the )?(?P<to>down|up|top|bottom)(?: of the page)?",
        _scroll,
    ),
    _Instruction(
        "take a screenshot as NAME.png", "take|save|make",
        r" an? screenshot(?: of (?:the|this) (?:whole )?page)?"
        r"(?: (?:as|called|named) (?P<name>\S+))?",
        _picture,
    ),
    _Instruction("download TEXT", "download", rf" {_LINK}", lambda _, link: actions.Download(link)),
    _Instruction(
        "go to the TEXT page", "open|visit|load|go to|goto|navigate to|browse to", rf" {_LINK}",
        _click,
    ),
)  # fmt: skip
_PATTERNS = [
    (re.compile(f"(?:{each.verbs}){each.rest}", re.IGNORECASE), each.make) for each in _INSTRUCTIONS
]
_OPEN, _SAVE = "open ADDRESS", "save it as NAME.csv"
_TELL = "tell me the title, description, headings, links, tables or text"
_BY_VERB = {
    verb.partition(" ")[0]: each.form
    for each in reversed(_INSTRUCTIONS)
    for verb in each.verbs.split("|")
} | {
    verb: form
    for form, verbs in (
        (_OPEN, "open visit load goto navigate browse"),
        (_SAVE, "save store export convert"),
        (_TELL, "tell give show extract list return read report get print summarise summarize"),
    )
    for verb in verbs.split()
}
_OF_PLAIN = [_OPEN, "follow the TEXT link", _SAVE]
_OF_BROWSER = list(dict.fromkeys([_OPEN, *(each.form for each in _INSTRUCTIONS), _SAVE]))
_ANSWERS = f"{_TELL}, or the first N rows; structured_output_json gets the fields that it names"


def action_of(clause: str, text: MaskedText, given: Given) -> actions.Action | None:
    """Return the action of a masked clause, or None if no pattern matches."""
    for pattern, make in _PATTERNS:
        if (match := pattern.fullmatch(clause)) is not None:
            groups = {
                "link" if name == "named" else name: text.plain(said).strip()
                for name, said in match.groupdict().items()
                if said is not None
            }
            if "value" in groups:  # a quoted one keeps its outer spaces
                groups["value"] = text.plain(match["value"].strip())
            if (action := make(given, **groups)) is not None:
                return action
    return None


def is_instruction(clause: str) -> bool:
    """Whether a clause begins like an instruction, understood or not."""
    first = clause.partition(" ")[0].casefold()
    return _BY_VERB.get(first, _TELL) not in {_TELL, _SAVE}


def not_understood(clause: str, *, in_browser: bool) -> CannotContinueError:
    """The refusal of a clause, with the nearest instruction."""
    first = clause.partition(" ")[0].casefold()
    near = get_close_matches(first[:30], _BY_VERB, 1)
    nearest = f" The nearest instruction is: {_BY_VERB[near[0]]}." if near else ""
    known = ", ".join(_OF_BROWSER if in_browser else _OF_PLAIN)
    return CannotContinueError(
        f"“{clause}” is not understood, since there is no language model here. Either give the "
        "server one, by --llm-base-url or OPENAI_BASE_URL, or say it in steps."
        f"{nearest} What is understood: {known}; {_ANSWERS}."
    )


def line_of(action: actions.Action) -> str:  # noqa: C901, PLR0912 - one line for each
    """The instruction of an action; a value that cannot be quoted is left out."""
    match action:
        case actions.OpenAddress(url):
            return f"open {url}"
        case actions.OpenFile(name):
            return f"open {name}"
        case actions.Click(phrase):
            return f"click {_words(phrase)}"
        case actions.Fill(field, value, secret):
            said = f"the secret {secret}" if secret else quoted(value) or '"value"'
            return f"fill {_words(field)} with {said}"
        case actions.Tick(phrase, on):
            return f"{'tick' if on else 'untick'} {_words(phrase)}"
        case actions.PressKey(key):
            return f"press {'space' if key == ' ' else key}"
        case actions.Submit():
            return "submit the form"
        case actions.Upload(file, field):
            return f"upload {_words(file)}" + (f" to {_words(field)}" if field else "")
        case actions.WaitFor(text):
            return f"wait for {_words(text)}"
        case actions.Wait(seconds):
            return f"wait {seconds:g} s"
        case actions.Scroll(to):
            return f"scroll {to}"
        case actions.GoBack():
            return "go back"
        case actions.TakePicture(name):
            return f"take a screenshot as {name}"
        case actions.Download(phrase):
            return f"download {_words(phrase)}"


def quoted(text: str) -> str | None:
    """A text in quotation marks that it does not contain; None if there are none."""
    if _UNQUOTABLE.search(text) is not None:
        return None
    marks = next((each for each in _QUOTES if not set(each) & set(text)), None)
    return None if marks is None else f"{marks[0]}{text}{marks[1]}"


def _words(text: str) -> str:
    """The words of an element, which is found by its description."""
    kept = " ".join(text.split())
    without_marks = " ".join(re.sub('["“”«»`]', " ", kept).split())
    return quoted(kept) or f'"{without_marks}"'
