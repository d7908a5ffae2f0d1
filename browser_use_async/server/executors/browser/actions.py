"""Actions of the browser: what a task's instructions tell it to do."""

from typing import Literal

import attrs

from browser_use_async.server.executors.reader.output_file import Saving
from browser_use_async.server.executors.reader.plan import (
    FollowLink,
    OpenAddress,
    OpenFile,
    Part,
)


@attrs.frozen
class Click:
    """Click something.

    Attributes:
        phrase: Its words.
    """

    phrase: str

    @property
    def goal(self) -> str:
        """What it sets out to do, in words."""
        return f"Click “{self.phrase}”"


@attrs.frozen
class Fill:
    """Give a field a value.

    Attributes:
        field: The field's words.
        value: The value.
        secret: The name of the secret whose value it is; empty if it is none.
    """

    field: str
    value: str = attrs.field(repr=False)
    secret: str = ""

    @property
    def shown(self) -> str:
        """The value as it may be told."""
        return f"the secret {self.secret}" if self.secret else f"“{self.value}”"

    @property
    def goal(self) -> str:
        """What it sets out to do, in words."""
        return f"Fill “{self.field}” with {self.shown}"


@attrs.frozen
class Tick:
    """Tick a box, or take the tick away.

    Attributes:
        phrase: The box's words.
        on: Whether it shall be ticked.
    """

    phrase: str
    on: bool

    @property
    def goal(self) -> str:
        """What it sets out to do, in words."""
        return f"{'Tick' if self.on else 'Untick'} “{self.phrase}”"


@attrs.frozen
class PressKey:
    """Press a key.

    Attributes:
        key: Its name in the DOM.
    """

    key: str

    @property
    def goal(self) -> str:
        """What it sets out to do, in words."""
        return f"Press {'the space bar' if self.key == ' ' else self.key}"


@attrs.frozen
class Submit:
    """Send the form that was filled in."""

    @property
    def goal(self) -> str:
        """What it sets out to do, in words."""
        return "Submit the form"


@attrs.frozen
class Upload:
    """Give a file of the task to a field.

    Attributes:
        file: The file's name.
        field: The field's words; empty for the only one.
    """

    file: str
    field: str = ""

    @property
    def goal(self) -> str:
        """What it sets out to do, in words."""
        return f"Upload {self.file} to “{self.field}”" if self.field else f"Upload {self.file}"


@attrs.frozen
class WaitFor:
    """Wait until a text is to be read.

    Attributes:
        text: The text.
    """

    text: str

    @property
    def goal(self) -> str:
        """What it sets out to do, in words."""
        return f"Wait for “{self.text}”"


@attrs.frozen
class Wait:
    """Wait some time.

    Attributes:
        seconds: How long.
    """

    seconds: float

    @property
    def goal(self) -> str:
        """What it sets out to do, in words."""
        return f"Wait {self.seconds:g} s"


@attrs.frozen
class Scroll:
    """Scroll the page.

    Attributes:
        to: A window's height down or up, or to an end of the page.
    """

    to: Literal["down", "up", "top", "bottom"]

    @property
    def goal(self) -> str:
        """What it sets out to do, in words."""
        return f"Scroll {self.to}" if self.to in {"down", "up"} else f"Scroll to the {self.to}"


@attrs.frozen
class GoBack:
    """Go to the page before."""

    @property
    def goal(self) -> str:
        """What it sets out to do, in words."""
        return "Go back"


@attrs.frozen
class Extract:
    """Take the page, as it is now, into the answer."""

    @property
    def goal(self) -> str:
        """What it sets out to do, in words."""
        return "Read the page"


@attrs.frozen
class TakePicture:
    """Keep a picture of the page as an output file.

    Attributes:
        name: The name of the file.
    """

    name: str

    @property
    def goal(self) -> str:
        """What it sets out to do, in words."""
        return f"Keep a picture as {self.name}"


@attrs.frozen
class Download:
    """Follow a link and keep what it leads to as an output file.

    Attributes:
        phrase: The link's words.
    """

    phrase: str

    @property
    def goal(self) -> str:
        """What it sets out to do, in words."""
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
    """One thing to do.

    Attributes:
        action: The thing.
        answers: Whether the page at which it ends is part of the answer.
    """

    action: Action
    answers: bool = False


@attrs.frozen
class TaskPlan:
    """What a browser shall do, and what for.

    Attributes:
        actions: What to do, in order.
        parts: What of the pages an answer in words consists of.
        saving: The output file with what was read, if one is asked for.
        only_saving: Whether nothing is asked for beside that file.
    """

    actions: tuple[PlannedAction, ...]
    parts: frozenset[Part] = frozenset({Part.TEXT})
    saving: Saving | None = None
    only_saving: bool = False


def goal_of(action: Action) -> str:
    """What a action sets out to do, in words.

    Args:
        action: The action.
    """
    match action:
        case OpenAddress(url):
            return f"Open {url}"
        case OpenFile(name):
            return f"Open the file {name}"
        case FollowLink(phrase):
            return f"Click “{phrase}”"
        case _:
            return action.goal
