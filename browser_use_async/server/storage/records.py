"""The record of a task, and the names of its files."""

import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import attrs

from browser_use_async.api.serialization import encode_request
from browser_use_async.prices import task_cents
from browser_use_async.server.records import DEFAULT_OWNER
from browser_use_async.server.storage.rows import from_json, to_json
from browser_use_async.server.storage.table import Table
from browser_use_async.types import RunTaskRequest, TaskSettings, TaskStatus, TaskStep

# Any bits except those of a UUID's version and variant, so that both ids are well-formed.
_SESSION_BITS = 0x5E55_1001_0000_0000_0000_5E55_1001_5E55


def session_id_of(task_id: str) -> str | None:
    """Return the id of a task's browser session, or the task of a session; None for other text.

    In the hosted service, browser sessions have their own ids, and programs find a task by the
    session in a webhook. Here the id of a session is the id of its task with some bits inverted,
    so nothing has to be stored, and the same function converts both ways.
    """
    try:
        return str(uuid.UUID(int=uuid.UUID(task_id).int ^ _SESSION_BITS))
    except ValueError:
        return None


def screenshot_key(name: str) -> str:
    """The key of a step's picture."""
    return f"screenshot/{name}"


def recording_key(name: str) -> str:
    """The key of a recording."""
    return f"recording/{name}"


def output_key(task_id: str, place: int) -> str:
    """Return the key of an output file by its place, since the executor chooses the name."""
    return f"output/{task_id}/{place}"


def screenshot_name(task_id: str, number: int) -> str:
    """The name of a step's picture."""
    return f"{task_id}-step-{number}.png"


@attrs.define(eq=False)
class TaskRecord:
    """A snapshot of a task from the time of the read. Contains no task secrets."""

    id: str  # the task's id
    task: str
    created_at: datetime  # when it was created
    metadata: dict[str, str]  # the caller's own pairs
    viewport: tuple[int, int]  # width and height of the page in pixels
    save_browser_data: bool  # whether the cookies may be returned
    included_file_names: list[str] | None  # the uploads that it was given, or None
    live_token: str = attrs.field(repr=False)  # opens the live page
    # Opens the public page, if the task has one
    share_token: str | None = attrs.field(repr=False)
    llm_model: str = "gpt-4.1"  # the language model whose price is charged
    max_agent_steps: int = 75  # how many steps may be taken
    status: TaskStatus = TaskStatus.CREATED
    started: bool = False  # whether it has ever run, so that it has a live page
    finished_at: datetime | None = None  # when it ended
    takes_screenshots: bool = True  # whether pictures of the steps are kept
    # The names of the recordings, until they expire
    recordings: list[str] = attrs.field(factory=list)
    recorded_from: datetime | None = None  # the time of their first frame
    output: str | None = None
    # The names of the files that it made, until they expire
    output_files: list[str] = attrs.field(factory=list)
    files_expired: bool = False  # whether pictures and files have been deleted because of their age
    # What the client sent, as JSON without task, metadata and secrets
    request_json: str = attrs.field(default="{}", repr=False)
    owner: str = DEFAULT_OWNER
    worker: str | None = None  # the server that has begun it
    pauses: str = ""  # the times of its pauses, in the format of `progress.py`
    steps: list[TaskStep] = attrs.field(factory=list)  # the steps so far
    # The browser's cookies at the end
    cookies: Sequence[Mapping[str, Any]] = attrs.field(factory=list, repr=False)
    is_sealed: bool = True  # whether the secrets for its start may be stored

    @property
    def request(self) -> RunTaskRequest:
        """The request of the client, without secrets."""
        return RunTaskRequest(self.task, metadata=self.metadata, **from_json(self.request_json))

    @property
    def screenshots(self) -> list[str]:
        """The names of the pictures, one for each step until they expire."""
        if not self.takes_screenshots or self.files_expired:
            return []
        return [screenshot_name(self.id, step.step) for step in self.steps]

    @property
    def files(self) -> dict[str, str]:
        """The keys of all files that it made, by their names."""
        keys = {name: recording_key(name) for name in self.recordings}
        keys |= {name: screenshot_key(name) for name in self.screenshots}
        names = enumerate(self.output_files)
        return keys | {name: output_key(self.id, place) for place, name in names}

    @property
    def cost_cents(self) -> Decimal:
        """Its cost so far, in US cents."""
        return task_cents(len(self.steps), self.llm_model, self.max_agent_steps)

    @property
    def failure(self) -> str | None:
        """The reason of the failure, from the last step."""
        if self.status is TaskStatus.FAILED and self.steps:
            return self.steps[-1].evaluation_previous_goal
        return None


LISTED = ("id", "task", "status", "created_at", "finished_at", "output", "metadata", "live_token")
"""The columns of a task in a list, whose rows stay in the stored form."""

_SETTINGS = frozenset(each.name for each in attrs.fields(RunTaskRequest)) - {
    *("task", "metadata", "secrets"),
}


def request_text(request: TaskSettings) -> str:
    """The request of a client, in the stored form."""
    return to_json({k: v for k, v in encode_request(request).items() if k in _SETTINGS})


TASKS = Table(
    "tasks",
    TaskRecord,
    but=("steps", "cookies", "is_sealed"),
    renamed={"request_json": "request"},
)
"""Tasks, without their steps and cookies."""
