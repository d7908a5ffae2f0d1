"""One task as the server remembers it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import attrs

from browser_use_async.models import TaskStatus, TaskStep
from browser_use_async.prices import task_cents

__all__ = ["TaskRecord"]


@attrs.define(eq=False)
class TaskRecord:
    """A task: what was asked for, and what has come of it. Holds no task secrets.

    Attributes:
        id: The task's id.
        task: Its instructions.
        created_at: When it was created.
        metadata: The caller's own pairs.
        viewport: Width and height of the page in pixels.
        save_browser_data: Whether the cookies may be told.
        included_file_names: The uploads that it was given, or None.
        live_token: What opens the live page.
        share_token: What opens the public page, if one was asked for.
        llm_model: The language model, which makes the price.
        status: Where it stands.
        started: Whether it has ever run, so that there is something to watch.
        finished_at: When it ended.
        steps: The steps so far.
        takes_screenshots: Whether pictures of the steps are kept.
        screenshots: The names of the pictures, one for each step until they expire.
        recordings: The names of the recordings, until they expire.
        output: The answer.
        output_files: The names of the files that it made, until they expire.
        files_expired: Whether pictures and files have been deleted because of their age.
        cookies: The browser's cookies at the end.
    """

    id: str
    task: str
    created_at: datetime
    metadata: dict[str, str]
    viewport: tuple[int, int]
    save_browser_data: bool
    included_file_names: list[str] | None
    live_token: str = attrs.field(repr=False)
    share_token: str | None = attrs.field(repr=False)
    llm_model: str = "gpt-4.1"
    status: TaskStatus = TaskStatus.CREATED
    started: bool = False
    finished_at: datetime | None = None
    steps: list[TaskStep] = attrs.field(factory=list)
    takes_screenshots: bool = True
    screenshots: list[str] = attrs.field(factory=list)
    recordings: list[str] = attrs.field(factory=list)
    output: str | None = None
    output_files: list[str] = attrs.field(factory=list)
    files_expired: bool = False
    cookies: Sequence[Mapping[str, Any]] = attrs.field(factory=list, repr=False)

    @property
    def cost_cents(self) -> Decimal:
        """What it has cost so far, in US cents; that it failed is a step for free."""
        free = self.status is TaskStatus.FAILED
        return task_cents(len(self.steps) - free, self.llm_model)

    @property
    def failure(self) -> str | None:
        """Why the task failed, which stands in its last step."""
        if self.status is TaskStatus.FAILED and self.steps:
            return self.steps[-1].evaluation_previous_goal
        return None
