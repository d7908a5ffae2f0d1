"""Plans and their actions: the steps for the instructions of a task."""

from enum import StrEnum
from typing import Literal

import attrs


@attrs.frozen
class OpenAddress:
    """Open an address."""

    url: str


@attrs.frozen
class OpenFile:
    """Read a file that came with the task."""

    name: str


@attrs.frozen
class Click:
    """Click something; without a browser, follow the link."""

    phrase: str  # its words
    needed: bool = True  # whether the task fails without it; the home page may be the one at hand


@attrs.frozen
class Fill:
    """Give a field a value."""

    field: str  # the field's words
    value: str = attrs.field(default="", repr=False)  # the value
    secret: str = ""  # the name of the secret that is its value instead

    @property
    def shown(self) -> str:
        """The value as it may be shown: a secret by its name only."""
        return f"the secret {self.secret}" if self.secret else f"“{self.value}”"


@attrs.frozen
class Tick:
    """Tick a box, or take the tick away."""

    phrase: str  # the box's words
    on: bool  # whether it shall be ticked


@attrs.frozen
class PressKey:
    """Press a key."""

    key: str  # its name in the DOM


@attrs.frozen
class Submit:
    """Send the form that was filled in."""


@attrs.frozen
class Upload:
    """Give a file of the task to a field."""

    file: str  # the file's name
    field: str = ""  # the field's words; empty for the only one


@attrs.frozen
class WaitFor:
    """Wait until a text is to be read."""

    text: str  # the text


@attrs.frozen
class Wait:
    """Wait some time."""

    seconds: float  # how long


@attrs.frozen
class Scroll:
    """Scroll the page."""

    # A window's height down or up, or to an end of the page.
    to: Literal["down", "up", "top", "bottom"]


@attrs.frozen
class GoBack:
    """Go to the page before."""


@attrs.frozen
class TakePicture:
    """Keep a picture of the page as an output file."""

    name: str  # the name of the file


@attrs.frozen
class Download:
    """Follow a link and keep what it leads to as an output file."""

    phrase: str  # the link's words


Target = OpenAddress | OpenFile
Action = (
    OpenAddress
    | OpenFile
    | Click
    | Fill
    | Tick
    | PressKey
    | Submit
    | Upload
    | WaitFor
    | Wait
    | Scroll
    | GoBack
    | TakePicture
    | Download
)


@attrs.define
class PlannedAction:
    """One action of a plan."""

    action: Action
    answers: bool = False  # whether the page at which it ends is part of the answer


class Part(StrEnum):
    """A part of a page, for an answer in words."""

    TITLE = "title"
    DESCRIPTION = "description"
    HEADINGS = "headings"
    LINKS = "links"
    TABLES = "tables"
    TEXT = "text"


@attrs.frozen
class Saving:
    """An output file that a task asks for."""

    name: str
    what: str  # the words for what goes into it
    ending: str  # of the name, in lower case, without the dot


@attrs.frozen
class Plan:
    """The actions of a task, and the form of its answer."""

    actions: tuple[PlannedAction, ...]
    parts: frozenset[Part] = frozenset({Part.TEXT})  # of the pages, for an answer in words
    saving: Saving | None = None  # the output file with what was read, if one is asked for
    only_saving: bool = False  # whether nothing is asked for beside that file
    rows: int | None = None  # how many of the first rows of tables, None for all


def goal_of(action: Action) -> str:  # noqa: C901, PLR0912 - one line for each
    """Return the goal of an action, in words."""
    match action:
        case OpenAddress(url):
            return f"Open {url}"
        case OpenFile(name):
            return f"Open the file {name}"
        case Click(phrase):
            return f"Click “{phrase}”"
        case Fill(field):
            return f"Fill “{field}” with {action.shown}"
        case Tick(phrase, on):
            return f"{'Tick' if on else 'Untick'} “{phrase}”"
        case PressKey(key):
            return f"Press {'the space bar' if key == ' ' else key}"
        case Submit():
            return "Submit the form"
        case Upload(file, field):
            return f"Upload {file} to “{field}”" if field else f"Upload {file}"
        case WaitFor(text):
            return f"Wait for “{text}”"
        case Wait(seconds):
            return f"Wait {seconds:g} s"
        case Scroll(to):
            return f"Scroll {to}" if to in {"down", "up"} else f"Scroll to the {to}"
        case GoBack():
            return "Go back"
        case TakePicture(name):
            return f"Keep a picture as {name}"
        case Download(phrase):
            return f"Download “{phrase}”"
