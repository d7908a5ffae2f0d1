"""One task as the server remembers it."""

import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import attrs

from browser_use_async.prices import task_cents
from browser_use_async.types import TaskSettings, TaskStatus, TaskStep

# Any bits but those of a UUID's version and variant, so that both ids are well-formed.
_SESSION_BITS = 0x5E55_1001_0000_0000_0000_5E55_1001_5E55


def session_id_of(task_id: str) -> str | None:
    """Return the id of a task's browser session, or the task of a session; None for other text.

    The hosted service has browser sessions with ids of their own, and programs ask for a task by
    the session that a webhook named. Here each task has one, whose id is the task's with some bits
    inverted: nothing has to be stored, and the same function leads back.
    """
    try:
        return str(uuid.UUID(int=uuid.UUID(task_id).int ^ _SESSION_BITS))
    except ValueError:
        return None


@attrs.define(eq=False)
class TaskRecord:
    """A task: what was asked for, and what has come of it. Holds no task secrets."""

    id: str  # the task's id
    task: str
    created_at: datetime  # when it was created
    metadata: dict[str, str]  # the caller's own pairs
    viewport: tuple[int, int]  # width and height of the page in pixels
    save_browser_data: bool  # whether the cookies may be told
    included_file_names: list[str] | None  # the uploads that it was given, or None
    live_token: str = attrs.field(repr=False)  # what opens the live page
    # What opens the public page, if one was asked for
    share_token: str | None = attrs.field(repr=False)
    llm_model: str = "gpt-4.1"  # the language model, which makes the price
    max_agent_steps: int = 75  # how many steps may be taken
    status: TaskStatus = TaskStatus.CREATED  # where it stands
    started: bool = False  # whether it has ever run, so that there is something to watch
    finished_at: datetime | None = None  # when it ended
    steps: list[TaskStep] = attrs.field(factory=list)  # the steps so far
    takes_screenshots: bool = True  # whether pictures of the steps are kept
    # The names of the pictures, one for each step until they expire
    screenshots: list[str] = attrs.field(factory=list)
    # The names of the recordings, until they expire
    recordings: list[str] = attrs.field(factory=list)
    output: str | None = None
    # The names of the files that it made, until they expire
    output_files: list[str] = attrs.field(factory=list)
    files_expired: bool = False  # whether pictures and files have been deleted because of their age
    # What the client sent, without `secrets`; None after a restart
    request: TaskSettings | None = attrs.field(default=None, repr=False)
    # The browser's cookies at the end
    cookies: Sequence[Mapping[str, Any]] = attrs.field(factory=list, repr=False)

    @property
    def cost_cents(self) -> Decimal:
        """What it has cost so far, in US cents."""
        return task_cents(len(self.steps), self.llm_model, self.max_agent_steps)

    @property
    def failure(self) -> str | None:
        """Why the task failed, which stands in its last step."""
        if self.status is TaskStatus.FAILED and self.steps:
            return self.steps[-1].evaluation_previous_goal
        return None
