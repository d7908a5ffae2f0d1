"""Actions of the browser: what a task's instructions tell it to do."""

from typing import Literal

import attrs

from browser_use_async.server.executors.reader.plan import FollowLink, OpenAddress, OpenFile
from browser_use_async.server.executors.reader.wishes import Part, Saving


@attrs.frozen
class Click:
    """Click something."""

    phrase: str  # its words

    @property
    def goal(self) -> str:
        """The same in words."""
        return f"Click “{self.phrase}”"


@attrs.frozen
class Fill:
    """Give a field a value."""

    field: str  # the field's words
    value: str = attrs.field(repr=False)  # the value
    secret: str = ""  # the name of the secret whose value it is; empty if it is none

    @property
    def shown(self) -> str:
        """The value as it may be told."""
        return f"the secret {self.secret}" if self.secret else f"“{self.value}”"

    @property
    def goal(self) -> str:
        """The same in words."""
        return f"Fill “{self.field}” with {self.shown}"


@attrs.frozen
class Tick:
    """Tick a box, or take the tick away."""

    phrase: str  # the box's words
    on: bool  # whether it shall be ticked

    @property
    def goal(self) -> str:
        """The same in words."""
        return f"{'Tick' if self.on else 'Untick'} “{self.phrase}”"


@attrs.frozen
class PressKey:
    """Press a key."""

    key: str  # its name in the DOM

    @property
    def goal(self) -> str:
        """The same in words."""
        return f"Press {'the space bar' if self.key == ' ' else self.key}"


@attrs.frozen
class Submit:
    """Send the form that was filled in."""

    @property
    def goal(self) -> str:
        """The same in words."""
        return "Submit the form"


@attrs.frozen
class Upload:
    """Give a file of the task to a field."""

    file: str  # the file's name
    field: str = ""  # the field's words; empty for the only one

    @property
    def goal(self) -> str:
        """The same in words."""
        return f"Upload {self.file} to “{self.field}”" if self.field else f"Upload {self.file}"


@attrs.frozen
class WaitFor:
    """Wait until a text is to be read."""

    text: str  # the text

    @property
    def goal(self) -> str:
        """The same in words."""
        return f"Wait for “{self.text}”"


@attrs.frozen
class Wait:
    """Wait some time."""

    seconds: float  # how long

    @property
    def goal(self) -> str:
        """The same in words."""
        return f"Wait {self.seconds:g} s"


@attrs.frozen
class Scroll:
    """Scroll the page."""

    # A window's height down or up, or to an end of the page.
    to: Literal["down", "up", "top", "bottom"]

    @property
    def goal(self) -> str:
        """The same in words."""
        return f"Scroll {self.to}" if self.to in {"down", "up"} else f"Scroll to the {self.to}"


@attrs.frozen
class GoBack:
    """Go to the page before."""

    @property
    def goal(self) -> str:
        """The same in words."""
        return "Go back"


@attrs.frozen
class Extract:
    """Take the page, as it is now, into the answer."""

    @property
    def goal(self) -> str:
        """The same in words."""
        return "Read the page"


@attrs.frozen
class TakePicture:
    """Keep a picture of the page as an output file."""

    name: str  # the name of the file

    @property
    def goal(self) -> str:
        """The same in words."""
        return f"Keep a picture as {self.name}"


@attrs.frozen
class Download:
    """Follow a link and keep what it leads to as an output file."""

    phrase: str  # the link's words

    @property
    def goal(self) -> str:
        """The same in words."""
        return f"Download “{self.phrase}”"


Action = (
    OpenAddress
    | OpenFile
    | FollowLink
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
    | Extract
    | TakePicture
    | Download
)


@attrs.frozen
class PlannedAction:
    """One thing to do."""

    action: Action  # the thing
    answers: bool = False  # whether the page at which it ends is part of the answer


@attrs.frozen
class TaskPlan:
    """What a browser shall do, and what for."""

    actions: tuple[PlannedAction, ...]  # what to do, in order
    # What of the pages an answer in words consists of.
    parts: frozenset[Part] = frozenset({Part.TEXT})
    saving: Saving | None = None  # the output file with what was read, if one is asked for
    only_saving: bool = False  # whether nothing is asked for beside that file


def goal_of(action: Action) -> str:
    """What a action sets out to do, in words."""
    match action:
        case OpenAddress(url):
            return f"Open {url}"
        case OpenFile(name):
            return f"Open the file {name}"
        case FollowLink(phrase):
            return f"Click “{phrase}”"
        case _:
            return action.goal
