"""Requests for a person's help: what a paused task waits for."""

import re
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import attrs

from browser_use_async.types import Task, TaskStep

if TYPE_CHECKING:
    from browser_use_async.lifecycle.handle import TaskHandle


class InterventionKind(StrEnum):
    """What a person is asked for."""

    CAPTCHA = "captcha"
    LOGIN = "login"
    CODE = "code"  # a code for a second factor, from a device or a message
    APPROVAL = "approval"
    OTHER = "other"


# How the bundled server begins the step in which a task asks.
_ASKS = re.compile(r"Ask a person \((\w+)\): (.*)", re.DOTALL)

_WORDS = {
    InterventionKind.CAPTCHA: r"captcha|not a robot|are (?:you )?human",
    InterventionKind.CODE: r"\bcode\b|2fa|otp\b|two-factor|authenticator|verification",
    InterventionKind.LOGIN: r"log ?in|sign ?in|password|credentials",
    InterventionKind.APPROVAL: r"approv|confirm|permission",
}
"""What the last step of a task says that asks for something, where it does not name the kind."""


@attrs.frozen
class Intervention:
    """A paused task that waits for a person; `TaskHandle.interventions` gives them.

    API v1 carries no answers into a running task. A person acts on the live page, or a program
    does what is needed elsewhere, and `resume` lets the task go on.

    Attributes:
        task_id: Which task waits.
        kind: What is asked for, as far as its last step says so.
        text: The words of that step; empty if there is none.
        live_url: The page to act on; None from servers without one.
        page_url: The page at which the task stands; empty from servers that do not tell.
    """

    task_id: str
    kind: InterventionKind
    text: str
    live_url: str | None = attrs.field(repr=False)
    page_url: str
    _handle: "TaskHandle[Any]" = attrs.field(repr=False)

    async def resume(self) -> None:
        """Let the task go on: what it waited for is done."""
        await self._handle.resume()

    async def stop(self) -> None:
        """Stop the task for good: nobody will help."""
        await self._handle.stop()


def intervention_of(task: Task, handle: "TaskHandle[Any]") -> Intervention:
    """What a paused task waits for."""
    last = task.steps[-1] if task.steps else None
    kind, text = request_in("" if last is None else last.next_goal)
    page_url = "" if last is None else last.url
    return Intervention(task.id, kind, text, task.live_url, page_url, handle)


def asks_for_help(step: TaskStep) -> bool:
    """Whether an executor of the bundled server asks by a step, after which the task pauses."""
    return _ASKS.fullmatch(step.next_goal) is not None


def request_in(goal: str) -> tuple[InterventionKind, str]:
    """What a step asks a person for, and in which words."""
    if (asked := _ASKS.fullmatch(goal)) is not None:
        known = asked[1] in set(InterventionKind)
        return InterventionKind(asked[1] if known else "other"), asked[2]
    for kind, words in _WORDS.items():
        if re.search(words, goal, re.IGNORECASE):
            return kind, goal
    return InterventionKind.OTHER, goal
