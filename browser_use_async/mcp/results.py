"""The answers of the tools: models whose JSON schema a client gets once."""

import contextlib
from datetime import datetime
from decimal import Decimal
from typing import Any

from mcp.server.mcpserver import Image
from mcp.types import CallToolResult, TextContent
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from browser_use_async.errors import InvalidRequestError
from browser_use_async.session import BrowserUseSession
from browser_use_async.types import ScheduledTask, Task, TaskStatus, TaskSummary
from browser_use_async.types.tasks import ASKS_PERSON


class TaskState(BaseModel):
    """Where a task stands, and its answer once it has one."""

    task_id: str
    status: str
    has_ended: bool
    output: str | None = Field(description="the answer of a task that finished")
    failure: str | None = Field(description="why it failed")
    steps: int
    last_step: str | None
    live_url: str | None = Field(description="where a person can watch and take over")
    output_files: list[str] = Field(description="for task_file")
    needs_person: str | None = Field(description="what a step asked a person to do")
    cost_cents: float | None = Field(description="US cents so far; null if not known here")
    joined: bool | None = Field(description="of run_task: an earlier call had run it with this key")
    advice: str | None = Field(description="what to do next")

    @classmethod
    def of(
        cls, session: BrowserUseSession, task: Task, *, joined: bool | None = None
    ) -> "TaskState":
        """The state of a task, with its cost if the session knows it."""
        cents: Decimal | None = None
        with contextlib.suppress(InvalidRequestError):
            cents = session.cost(task)
        last = task.steps[-1] if task.steps else None
        return cls(
            task_id=task.id,
            status=str(task.status),
            has_ended=task.has_ended,
            output=task.output,
            failure=task.failure,
            steps=len(task.steps),
            last_step=None if last is None else last.next_goal,
            # Of a task that has ended there is nothing to watch.
            live_url=None if task.has_ended else task.live_url,
            output_files=task.output_files,
            needs_person=_request(task),
            cost_cents=None if cents is None else float(cents),
            joined=joined,
            advice=_advice(task),
        )


class Step(BaseModel):
    """One step of a task, with the fields of a `TaskStep`."""

    model_config = ConfigDict(from_attributes=True)

    step: int
    next_goal: str
    evaluation_previous_goal: str
    url: str


class TaskRow(BaseModel):
    """A task in the list of tasks."""

    task_id: str
    task: str
    status: str
    created_at: datetime | None

    @classmethod
    def of(cls, row: TaskSummary) -> "TaskRow":
        """A row of the list."""
        return cls(task_id=row.id, task=row.task, status=str(row.status), created_at=row.created_at)


class TaskRows(BaseModel):
    """One page of the list of tasks."""

    tasks: list[TaskRow]
    page: int
    total_pages: int | None = Field(description="null with a filter")
    advice: str | None


class FileLink(BaseModel):
    """Where a file can be downloaded."""

    file_name: str
    download_url: str = Field(description="needs no key, and expires")


class Money(BaseModel):
    """What is left on the account."""

    cents: float = Field(description="US cents")
    budget_left_cents: float | None = Field(description="less what running tasks may still cost")


class Script(BaseModel):
    """A script: recorded actions, which tasks play again."""

    name: str
    inputs: list[str]
    plays: int
    failures: int


class Schedule(BaseModel):
    """A schedule that runs a task again and again."""

    schedule_id: str
    task: str
    is_active: bool | None
    interval_minutes: int | None
    cron_expression: str | None
    next_run_at: datetime | None

    @classmethod
    def of(cls, schedule: ScheduledTask) -> "Schedule":
        """The fields of a schedule for clients."""
        names = cls.model_fields.keys() - {"schedule_id"}
        return cls(schedule_id=schedule.id, **{name: getattr(schedule, name) for name in names})


_JSON = TypeAdapter[Any](Any)


def answer(value: object) -> CallToolResult:
    """The result of a tool: a picture, or text for a model with JSON for programs."""
    if isinstance(value, Image):
        return CallToolResult(content=[value.to_image_content()])
    text = value if isinstance(value, str) else _JSON.dump_json(value).decode()
    structured = _JSON.dump_python(value, mode="json")
    if not isinstance(structured, dict):
        structured = {"result": structured}
    content = [TextContent(type="text", text=text)]
    return CallToolResult(content=[*content], structured_content=structured)


def _request(task: Task) -> str | None:
    """The request of the last step of a paused task, if that step paused it."""
    goal = task.steps[-1].next_goal if task.steps else ""
    is_asked = task.status is TaskStatus.PAUSED and goal.startswith(ASKS_PERSON)
    return goal if is_asked else None


def _advice(task: Task) -> str | None:
    if task.has_ended:
        return None
    if task.status is TaskStatus.PAUSED:
        return (
            "The task is paused. If a person has to act, give them live_url; then call "
            "resume_task, and wait_for_task."
        )
    return "The task goes on without you: call wait_for_task with this task_id for its end."
