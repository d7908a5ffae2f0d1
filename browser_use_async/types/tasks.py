"""Requests and responses of the API section Tasks, without those about files."""

from datetime import datetime
from typing import Any, Generic, TypeVar

import attrs

from browser_use_async.types.base import FieldKind, FieldRule, MutableValue, Value, ruled
from browser_use_async.types.enums import TaskStatus
from browser_use_async.types.secrets import hidden_url

IDENTIFIER = FieldRule(FieldKind.TEXT, required=True, nullable=False)
"""What names something in a path."""


@attrs.frozen(eq=False, repr=False)
class TaskId(Value):
    """Which task a call is about."""

    task_id: str = ruled(IDENTIFIER)


@attrs.frozen(eq=False, repr=False)
class PageQuery(Value):
    """Which page of a list, and how many rows on a page."""

    page: int = ruled(
        FieldRule(FieldKind.INTEGER, nullable=False, minimum=1, default=1, published=True),
        default=1,
    )
    limit: int = ruled(
        FieldRule(FieldKind.INTEGER, nullable=False, minimum=1, default=10, published=True),
        default=10,
    )


@attrs.define(eq=False, repr=False)
class Created(MutableValue):
    """What run-task and creating a schedule answer.

    Attributes:
        id: The new task's id.
        extra: Fields that this version does not know.
    """

    id: str
    extra: dict[str, Any] = attrs.field(factory=dict, repr=False)


@attrs.define(eq=False, repr=False)
class TaskStep(MutableValue):
    """One step of the agent.

    Attributes:
        id: The step's id; empty from servers that give none.
        step: Its number, counted from 1; its place in the list where the server gives none.
        evaluation_previous_goal: How the agent judges the step before. Of a failed task, the
            last one says why it failed.
        next_goal: What the step sets out to do.
        url: The page on which the step was taken; empty from servers that do not tell.
        extra: Fields that this version does not know.
    """

    id: str = ""
    step: int = 0
    evaluation_previous_goal: str = ""
    next_goal: str = ""
    url: str = ""
    extra: dict[str, Any] = attrs.field(factory=dict, repr=False)


@attrs.define(eq=False, repr=False)
class BrowserData(MutableValue):
    """Browser data of a task that ran with `save_browser_data`.

    Attributes:
        cookies: The cookies, as the browser reports them.
        extra: Fields that this version does not know.
    """

    cookies: list[dict[str, Any]] = attrs.field(factory=list, repr=False)
    extra: dict[str, Any] = attrs.field(factory=dict, repr=False)


@attrs.define(eq=False, repr=False)
class TaskSummary(MutableValue):
    """A row of the task list. API page: List Tasks.

    Attributes:
        id: The task's id.
        task: Its instructions.
        status: Where it stands.
        created_at: When it was created; None if the server's text was no timestamp, which is
            then kept in `extra`.
        output: Its answer, when it has one.
        finished_at: When it ended.
        live_url: A page to watch it on.
        metadata: The pairs given at creation, without the reserved submission token.
        extra: Fields that this version does not know.
    """

    id: str
    task: str
    status: TaskStatus
    created_at: datetime | None
    output: str | None = None
    finished_at: datetime | None = None
    live_url: str | None = attrs.field(default=None, repr=hidden_url)
    metadata: dict[str, str] = attrs.field(factory=dict)
    extra: dict[str, Any] = attrs.field(factory=dict, repr=False)


@attrs.define(eq=False, repr=False)
class Task(MutableValue):
    """Everything that the API tells about a task. API page: Get Task.

    Attributes:
        id: The task's id.
        task: Its instructions.
        status: Where it stands.
        created_at: When it was created; None if the server's text was no timestamp, which is
            then kept in `extra`.
        output: Its answer; None unless it finished, and possibly even then.
        steps: The steps so far.
        live_url: A page to watch and steer it on; None until the browser is up.
        finished_at: When it ended.
        browser_data: Cookies, if `save_browser_data` was set.
        user_uploaded_files: Names of the uploads that it was given.
        output_files: Names of the files that it made.
        public_share_url: A link that needs no key, if `enable_public_share` was set.
        metadata: The pairs given at creation, without the reserved submission token.
        extra: Fields that this version does not know.
    """

    id: str
    task: str
    status: TaskStatus
    created_at: datetime | None
    output: str | None = None
    steps: list[TaskStep] = attrs.field(factory=list)
    live_url: str | None = attrs.field(default=None, repr=hidden_url)
    finished_at: datetime | None = None
    browser_data: BrowserData | None = None
    user_uploaded_files: list[str] = attrs.field(factory=list)
    output_files: list[str] = attrs.field(factory=list)
    public_share_url: str | None = attrs.field(default=None, repr=hidden_url)
    metadata: dict[str, str] = attrs.field(factory=dict)
    extra: dict[str, Any] = attrs.field(factory=dict, repr=False)


@attrs.define(eq=False, repr=False)
class TaskPage(MutableValue):
    """One page of the task list, newest first. API page: List Tasks.

    Attributes:
        tasks: The rows.
        total_pages: How many pages there are.
        page: Which page this is, counted from 1.
        limit: How many rows a page has at most.
        total_count: How many tasks there are on all pages.
        extra: Fields that this version does not know.
    """

    tasks: list[TaskSummary]
    total_pages: int
    page: int
    limit: int
    total_count: int
    extra: dict[str, Any] = attrs.field(factory=dict, repr=False)


OutputT = TypeVar("OutputT")


@attrs.define(eq=False, repr=False)
class ParsedTask(Task, Generic[OutputT]):
    """A finished task whose output was parsed into the `output_type` asked for.

    Attributes:
        parsed: The output as that type.
    """

    parsed: OutputT = attrs.field(kw_only=True)
