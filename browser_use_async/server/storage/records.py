"""One task, as its row tells it."""

import json
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import attrs

from browser_use_async.api.serialization import encode_request
from browser_use_async.prices import TASK_START_CENTS, task_cents
from browser_use_async.server.executors.protocol import RemoteTask
from browser_use_async.server.storage.database import DEFAULT_OWNER, Database, Row
from browser_use_async.server.storage.values import (
    from_moment,
    from_text,
    to_json,
    to_moment,
    to_text,
)
from browser_use_async.types import RunTaskRequest, TaskSettings, TaskStatus, TaskStep

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


def screenshot_name(task_id: str, number: int) -> str:
    """The name of a step's picture."""
    return f"{task_id}-step-{number}.png"


def recording_name(task_id: str, ending: str) -> str:
    """The name of a recording."""
    return f"{task_id}-recording.{ending}"


@attrs.define(eq=False)
class TaskRecord:
    """A task as it stood when it was read. Holds no task secrets."""

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
    # The names of the recordings, until they expire
    recordings: list[str] = attrs.field(factory=list)
    recorded_from: datetime | None = None  # the moment that their first picture shows
    output: str | None = None
    # The names of the files that it made, until they expire
    output_files: list[str] = attrs.field(factory=list)
    files_expired: bool = False  # whether pictures and files have been deleted because of their age
    # What the client sent, as JSON without task, metadata and secrets; None if it is not known
    request_json: str | None = attrs.field(default=None, repr=False)
    # The browser's cookies at the end
    cookies: Sequence[Mapping[str, Any]] = attrs.field(factory=list, repr=False)
    owner: str = DEFAULT_OWNER
    remote: RemoteTask | None = None  # what another service does for it
    has_secrets: bool = False  # whether a remote task was given secrets
    is_sealed: bool = True  # whether secrets may be stored with which it is to begin
    remote_cents: Decimal = TASK_START_CENTS  # what a remote task has been charged

    @property
    def request(self) -> RunTaskRequest | None:
        """What the client sent, without secrets; None for tasks of version 1 of the database."""
        if self.request_json is None:
            return None
        return RunTaskRequest(self.task, metadata=self.metadata, **json.loads(self.request_json))

    @property
    def screenshots(self) -> list[str]:
        """The names of the pictures, one for each step until they expire."""
        if not self.takes_screenshots or self.files_expired:
            return []
        return [screenshot_name(self.id, step.step) for step in self.steps]

    @property
    def cost_cents(self) -> Decimal:
        """What it has cost so far, in US cents."""
        if self.remote is not None:
            return self.remote_cents
        return task_cents(len(self.steps), self.llm_model, self.max_agent_steps)

    @property
    def failure(self) -> str | None:
        """Why the task failed, which stands in its last step."""
        if self.status is TaskStatus.FAILED and self.steps:
            return self.steps[-1].evaluation_previous_goal
        return None


TASK_COLUMNS = (
    "id, task, created_at, metadata, viewport, save_browser_data, included_file_names, live_token, "
    "share_token, llm_model, max_agent_steps, status, started, finished_at, takes_screenshots, "
    "recordings, recorded_from, output, output_files, files_expired, request, owner, remote"
)
_INSERT = (
    f"INSERT INTO tasks ({TASK_COLUMNS}, position, assignment) "
    f"VALUES ({', '.join(':' + name for name in TASK_COLUMNS.split(', '))}, :position, :assignment)"
)
_NOT_STORED = frozenset({"task", "metadata", "secrets"})
_SETTINGS = frozenset(field.name for field in attrs.fields(RunTaskRequest)) - _NOT_STORED


def request_text(request: TaskSettings) -> str:
    """What a client sent, as it is stored."""
    return to_json({k: v for k, v in encode_request(request).items() if k in _SETTINGS})


async def insert_task(
    at: Database, record: TaskRecord, position: int, assignment: str | None
) -> None:
    """Store a task, in a transaction."""
    names = record.included_file_names
    await at.rows(
        _INSERT,
        id=record.id,
        owner=record.owner,
        position=position,
        task=to_text(record.task),
        created_at=to_moment(record.created_at),
        metadata=to_json(record.metadata),
        viewport=to_json(record.viewport),
        save_browser_data=int(record.save_browser_data),
        included_file_names=None if names is None else to_json(names),
        live_token=record.live_token,
        share_token=record.share_token,
        llm_model=record.llm_model,
        max_agent_steps=record.max_agent_steps,
        status=str(record.status),
        started=int(record.started),
        finished_at=to_moment(record.finished_at),
        takes_screenshots=int(record.takes_screenshots),
        recordings=to_json(record.recordings),
        recorded_from=to_moment(record.recorded_from),
        output=None if record.output is None else to_text(record.output),
        output_files=to_json(record.output_files),
        files_expired=int(record.files_expired),
        request=record.request_json,
        remote=None if record.remote is None else remote_text(record),
        assignment=assignment,
    )


def read_task(row: Row) -> TaskRecord:
    """The task of a row of `TASK_COLUMNS`, without its steps and cookies."""
    (
        task_id, task, created_at, metadata, viewport, saves, names, live_token, share_token, model,
        max_steps, status, started, finished_at, pictures, recordings, recorded_from, output,
        output_files, expired, request, owner, remote,
    ) = row  # fmt: skip
    width, height = json.loads(viewport)
    return TaskRecord(
        id=task_id,
        task=from_text(task),
        created_at=datetime.fromisoformat(created_at),
        metadata=json.loads(metadata),
        viewport=(width, height),
        save_browser_data=bool(saves),
        included_file_names=None if names is None else json.loads(names),
        live_token=live_token,
        share_token=share_token,
        llm_model=model,
        max_agent_steps=max_steps,
        status=TaskStatus(status),
        started=bool(started),
        finished_at=from_moment(finished_at),
        takes_screenshots=bool(pictures),
        recordings=json.loads(recordings),
        recorded_from=from_moment(recorded_from),
        output=None if output is None else from_text(output),
        output_files=json.loads(output_files),
        files_expired=bool(expired),
        request_json=request,
        owner=owner,
        **({} if remote is None else _remote_fields(remote)),
    )


STILL_OPEN = '"over":false'
"""What stands in the text of a remote task unless nothing goes on there; no address can hold it."""


def remote_text(record: TaskRecord) -> str:
    """What another service does for a task, as it is stored."""
    remote = record.remote or RemoteTask()
    return to_json(
        {
            "identity": dict(remote.identity),
            "live_url": remote.live_url,
            "share_url": remote.share_url,
            "over": remote.is_over,
            "secrets": record.has_secrets,
            "cents": str(record.remote_cents),
        }
    )


def read_remote(stored: str) -> RemoteTask:
    """What another service does for a task, as it was stored."""
    document = json.loads(stored)
    return RemoteTask(
        document["identity"],
        document["live_url"],
        document["share_url"],
        is_over=document.get("over", False),
    )


def _remote_fields(stored: str) -> dict[str, Any]:
    document = json.loads(stored)
    return {
        "remote": read_remote(stored),
        "has_secrets": document["secrets"],
        "remote_cents": Decimal(document["cents"]),
    }
