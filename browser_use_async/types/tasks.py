"""Requests and responses of the API section Tasks, except for files."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Generic, Self, TypedDict, TypeVar, cast

import attrs

from browser_use_async.errors import (
    InvalidRequestError,
    OutputValidationError,
    TaskFailedError,
    TaskStoppedError,
)
from browser_use_async.types.base import (
    UNSET,
    FieldKind,
    FieldRule,
    Place,
    Response,
    Unset,
    extra_fields,
    ruled,
)
from browser_use_async.types.enums import LlmModel, ProxyCountry, TaskStatus
from browser_use_async.types.secrets import SecretMapping, hidden_url

if TYPE_CHECKING:
    from typing_extensions import TypeForm  # a checker's own; nothing of it is imported

OutputT = TypeVar("OutputT")

# The beginning of a step that asks a person for help, on servers that report it.
ASKS_PERSON = "Ask a person ("
IDENTIFIER = FieldRule(FieldKind.TEXT, required=True, nullable=False)  # in a path


@attrs.frozen
class TaskId:
    """Which task a call is about.

    Attributes:
        task_id: The id of the task.
    """

    task_id: str = ruled(IDENTIFIER)


@attrs.frozen
class PageQuery:
    """Which page of a list, and how many rows on a page.

    Attributes:
        page: Which page, counted from 1.
        limit: How many rows a page has at most.
    """

    page: int = ruled(FieldRule(FieldKind.INTEGER, nullable=False, minimum=1, default=1), default=1)
    limit: int = ruled(
        FieldRule(FieldKind.INTEGER, nullable=False, minimum=1, default=10), default=10
    )


_FLAG = FieldRule(FieldKind.BOOLEAN)
_FALSE = FieldRule(FieldKind.BOOLEAN, default=False)
_TRUE = FieldRule(FieldKind.BOOLEAN, default=True)
_PIXELS = FieldRule(FieldKind.INTEGER, minimum=1)
_TEXT_LIST = FieldRule(FieldKind.TEXT_LIST)
_SCHEDULES = Place.CREATE | Place.SCHEDULE | Place.UPDATE
_EVERYWHERE = Place.TASK | Place.ROW | _SCHEDULES
METADATA_RULE = FieldRule(FieldKind.TEXT_MAP, max_pairs=10, max_key_length=100, max_length=1000)


def _masked(secrets: Mapping[str, str] | Unset | None) -> Mapping[str, str] | Unset | None:
    """Wrap well-formed secrets; others are left for validation, which refuses them."""
    return SecretMapping(secrets) if isinstance(secrets, Mapping) else secrets


def _seconds_between(created_at: datetime | None, finished_at: datetime | None) -> float | None:
    if created_at is None or finished_at is None:
        return None
    return (finished_at - created_at).total_seconds()


def _shown_secrets(secrets: object) -> str:
    well_formed = secrets is None or isinstance(secrets, SecretMapping | Unset)
    return repr(secrets) if well_formed else "***"


class TaskFields(TypedDict, total=False):
    """What run-task and schedules share, as keyword arguments. `TaskSettings` explains them.

    `script` names a script, and `inputs` has the values of its inputs, which may be in the text as
    `{name}`. Both are sent as metadata pairs. A server with scripts records what the first task
    with the name does, and plays it for the next ones; other servers ignore them.
    """

    secrets: Mapping[str, str] | None
    """Names and values that the agent may type but never sees; combine them with
    `allowed_domains`."""
    # No `Sequence`, since a text is one of texts.
    allowed_domains: list[str] | tuple[str, ...] | None
    """Domains that the agent may visit, `*.example.com` for any subdomain; all domains if it is
    not given. The SDK refuses an empty list."""
    browser_profile_id: str | None
    """The browser profile to use; otherwise the default one."""
    save_browser_data: bool | None
    """Whether cookies and other browser data are kept."""
    structured_output_json: str | None
    """A JSON schema, as a string, that the output shall follow."""
    llm_model: LlmModel | str | None
    """The language model; the service's default is gpt-4.1."""
    use_adblock: bool | None
    """Whether advertisements are blocked."""
    use_proxy: bool | None
    """Whether a mobile proxy is used; solving captchas needs it."""
    proxy_country_code: ProxyCountry | str | None
    """The country of the proxy, in either case."""
    highlight_elements: bool | None
    """Whether the agent highlights elements on the page."""
    included_file_names: Sequence[str] | None
    """Names of uploaded files that the agent may read."""
    browser_viewport_width: int | None
    """Width of the page in pixels."""
    browser_viewport_height: int | None
    """Height of the page in pixels."""
    max_agent_steps: int | None
    """How many steps the agent may take: 1 to 200, by default 75."""
    enable_public_share: bool | None
    """Whether a link that needs no key is made."""
    metadata: Mapping[str, str] | None
    """Up to 10 pairs of your own: keys of 1 to 100 characters, values up to 1000."""
    script: str
    """The name of a script: the recorded actions of its first task, which a server plays again."""
    inputs: Mapping[str, str]
    """The values of the script's inputs, which are in the text as `{name}`."""
    extra_fields: Mapping[str, Any] | None
    """Fields of a newer or another server, sent as given. They are not for secrets."""


class RunTaskFields(TaskFields, total=False):
    """The optional fields of run-task, as keyword arguments."""


@attrs.frozen
class TaskSettings:
    """What run-task and schedules share. Fields that are not given are not sent.

    The rule of each field says where it appears. A field of run-task alone stands in
    `RunTaskRequest`.

    Attributes:
        task: What the agent should do.
        secrets: Names and values that the agent may type but never sees; combine them with
            `allowed_domains`.
        allowed_domains: Domains that the agent may visit, `*.example.com` for any subdomain; all
            domains if it is not given. The SDK refuses an empty list.
        browser_profile_id: The browser profile to use; otherwise the default one.
        save_browser_data: Whether cookies and other browser data are kept.
        structured_output_json: A JSON schema, as a string, that the output shall follow.
        llm_model: The language model; the service's default is gpt-4.1.
        use_adblock: Whether advertisements are blocked.
        use_proxy: Whether a mobile proxy is used; solving captchas needs it.
        proxy_country_code: The country of the proxy, in either case.
        highlight_elements: Whether the agent highlights elements on the page.
        included_file_names: Names of uploaded files that the agent may read.
        browser_viewport_width: Width of the page in pixels.
        browser_viewport_height: Height of the page in pixels.
        max_agent_steps: How many steps the agent may take: 1 to 200, by default 75.
        enable_public_share: Whether a link that needs no key is made.
        metadata: Up to 10 pairs of your own: keys of 1 to 100 characters, values up to 1000.
        extra_fields: Fields of a newer or another server, sent as given. They are not for secrets.
    """

    task: str = ruled(
        FieldRule(FieldKind.TEXT, required=True, nullable=False, min_length=1),
        places=_EVERYWHERE,
    )
    secrets: Mapping[str, str] | Unset | None = ruled(
        FieldRule(FieldKind.TEXT_MAP),
        places=Place.CREATE,
        converter=_masked,
        shown=_shown_secrets,
    )
    allowed_domains: list[str] | tuple[str, ...] | Unset | None = ruled(
        FieldRule(FieldKind.TEXT_LIST, blank_is_null=True), places=Place.CREATE
    )
    browser_profile_id: str | Unset | None = ruled(
        FieldRule(FieldKind.TEXT, blank_is_null=True), places=Place.CREATE | Place.SCHEDULE
    )
    save_browser_data: bool | Unset | None = ruled(_FALSE, places=_SCHEDULES)
    structured_output_json: str | Unset | None = ruled(
        FieldRule(FieldKind.JSON_SCHEMA, blank_is_null=True), places=_SCHEDULES
    )
    llm_model: LlmModel | str | Unset | None = ruled(
        FieldRule(FieldKind.TEXT, enum=LlmModel), places=_SCHEDULES
    )
    use_adblock: bool | Unset | None = ruled(_FLAG, places=_SCHEDULES)
    use_proxy: bool | Unset | None = ruled(_FLAG, places=_SCHEDULES)
    proxy_country_code: ProxyCountry | str | Unset | None = ruled(
        FieldRule(FieldKind.TEXT, enum=ProxyCountry, lower_case=True), places=Place.CREATE
    )
    highlight_elements: bool | Unset | None = ruled(_TRUE, places=_SCHEDULES)
    included_file_names: Sequence[str] | Unset | None = ruled(_TEXT_LIST, places=Place.CREATE)
    browser_viewport_width: int | Unset | None = ruled(_PIXELS, places=Place.CREATE)
    browser_viewport_height: int | Unset | None = ruled(_PIXELS, places=Place.CREATE)
    max_agent_steps: int | Unset | None = ruled(
        FieldRule(FieldKind.INTEGER, minimum=1, maximum=200, default=75), places=Place.CREATE
    )
    enable_public_share: bool | Unset | None = ruled(_FALSE, places=Place.CREATE)
    metadata: Mapping[str, str] | Unset | None = ruled(METADATA_RULE, places=_EVERYWHERE)
    extra_fields: Mapping[str, Any] | Unset | None = extra_fields()


class RunTaskRequest(TaskSettings):
    """The body of run-task, whose fields are those of `TaskSettings`. API page: Run Task."""

    __slots__ = ()


@attrs.define
class Created(Response):
    """The answer of run-task, and of the creation of a schedule.

    Attributes:
        id: The new task's id.
    """

    # Read strictly, since a wrong id would be waited for as a paid task.
    id: str = attrs.field(metadata={"is_strict_id": True})


@attrs.define
class TaskStep(Response):
    """One step of the agent.

    Attributes:
        id: The step's id; empty if the server gives none.
        step: Its number, counted from 1; its place in the list if the server gives none.
        evaluation_previous_goal: The agent's judgement of the previous step. In the last step of a
            failed task it says why the task failed: `Task.failure`.
        next_goal: The goal of the step.
        url: The page on which the step was taken; empty if the server does not report it.
    """

    id: str = ""
    step: int = 0
    evaluation_previous_goal: str = ""
    next_goal: str = ""
    url: str = ""


@attrs.define
class BrowserData(Response):
    """Browser data of a task that ran with `save_browser_data`.

    Attributes:
        cookies: The cookies, as the browser reports them.
    """

    cookies: list[dict[str, Any]] = attrs.field(
        factory=list, repr=lambda cookies: f"<{len(cookies)} cookies>"
    )


@attrs.define
class TaskSummary(Response):
    """A row of the task list. API page: List Tasks.

    Attributes:
        id: The task's id.
        task: Its instructions.
        status: Its status.
        created_at: When it was created; None if the server's text was no timestamp. The text is
            then in `extra`.
        output: Its answer, when it has one.
        finished_at: When it ended.
        live_url: A page to watch it on.
        metadata: The pairs given at creation, without the reserved submission token.
    """

    id: str
    task: str
    status: TaskStatus
    created_at: datetime | None
    output: str | None = None
    finished_at: datetime | None = None
    live_url: str | None = attrs.field(default=None, repr=hidden_url)
    metadata: dict[str, str] = attrs.field(factory=dict)

    @property
    def duration(self) -> float | None:
        """The seconds from its creation to its end, pauses included; None until it has ended."""
        return _seconds_between(self.created_at, self.finished_at)


@attrs.define
class Task(Response):
    """Everything that the API returns about a task. API page: Get Task.

    `session.cost(task)` computes its cost. Two tasks are equal if all fields of the API are equal,
    so the same task before and after its end is not equal. A `Task` has no hash: put `task.id`
    into sets.

    Attributes:
        id: The task's id.
        task: Its instructions.
        status: Its status.
        created_at: When it was created; None if the server's text was no timestamp. The text is
            then in `extra`.
        output: Its answer; None unless it finished, and possibly even then.
        steps: The steps so far.
        live_url: A page to watch and steer it; None from some servers until the browser runs.
        finished_at: When it ended.
        browser_data: Cookies, if `save_browser_data` was set.
        user_uploaded_files: Names of the uploads that it was given.
        output_files: Names of the files that it made.
        public_share_url: A link that needs no key, if `enable_public_share` was set.
        metadata: The pairs given at creation, without the reserved submission token.
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

    @property
    def has_ended(self) -> bool:
        """Whether it has ended. In an unknown status it has if it has a time of its end."""
        return self.status.is_terminal or (
            not self.status.is_known and self.finished_at is not None
        )

    @property
    def duration(self) -> float | None:
        """The seconds from its creation to its end, pauses included; None until it has ended."""
        return _seconds_between(self.created_at, self.finished_at)

    @property
    def failure(self) -> str | None:
        """Why it failed, in the words of the service; None if it did not fail.

        A task that ended with an unknown status counts as failed; a stopped one does not. Without a
        reason from the service, the text is "the service gave no reason".
        """
        if not self.has_ended or self.status in {TaskStatus.FINISHED, TaskStatus.STOPPED}:
            return None
        said = self.steps[-1].evaluation_previous_goal.strip() if self.steps else ""
        return said or "the service gave no reason"

    def raise_for_status(self) -> Self:
        """Return the task itself, unless it ended without success.

        A task that has not ended is returned, too: it has not failed yet.

        Raises:
            TaskFailedError: It failed, or ended with a status that this version does not know.
            TaskStoppedError: It was stopped.
        """
        if self.status is TaskStatus.FINISHED or not self.has_ended:
            return self
        steps = f"{len(self.steps)} step" + ("" if len(self.steps) == 1 else "s")
        if self.status is TaskStatus.STOPPED:
            raise TaskStoppedError(
                f"task {self.id} was stopped after {steps}; error.task has the steps", task=self
            )
        raise TaskFailedError(
            f"task {self.id} {self.status} after {steps}: {self.failure}", task=self
        )

    def parse(self, output_type: "TypeForm[OutputT]") -> "ParsedTask[OutputT]":
        """Return the finished task with its output parsed into a type.

        Args:
            output_type: As in `BrowserUseSession.run_and_wait`.

        Raises:
            TaskFailedError: It failed, or ended with a status that this version does not know.
            TaskStoppedError: It was stopped.
            InvalidRequestError: It has not ended, or the type has no JSON schema.
            OutputValidationError: The output does not fit; `.raw_output` has it.
        """
        if not self.raise_for_status().has_ended:
            raise InvalidRequestError(
                f"task {self.id} is {self.status} and has no output yet; wait for its end with "
                "session.wait(task, output_type=...)",
                field="task",
                task_id=self.id,
            )
        return _parsed(self, output_type)

    def _repr_html_(self) -> str:
        """The HTML for notebooks: status, output, cost and steps; until its end the live link."""
        from browser_use_async.types import notebook  # noqa: PLC0415

        rows: list[notebook.Row] = [("id", self.id), ("status", str(self.status))]
        rows.append(("task", self.task))
        if self.live_url is not None and not self.has_ended:
            rows.append(("live", notebook.live_link(self.live_url)))
        if self.output is not None:
            rows.append(("output", self.output))
        if self.failure is not None:
            rows.append(("failure", self.failure))
        if self.duration is not None:
            rows.append(("seconds", f"{self.duration:.1f}"))
        if (cost := notebook.cost_of(self)) is not None:
            rows.append(("cost", cost))
        if self.output_files:
            rows.append(("files", ", ".join(self.output_files)))
        about = notebook.table("Task", rows)
        if not self.steps:
            return about
        # Only the latest ones, since two hundred are too many for a notebook.
        latest = self.steps[-notebook.MOST_ROWS :]
        listed = [(str(step.step), step.next_goal or step.url) for step in latest]
        return about + notebook.table(f"Steps: {len(self.steps)}", listed)


@attrs.define
class TaskPage(Response):
    """One page of the task list, newest first. API page: List Tasks.

    Attributes:
        tasks: The tasks on this page, newest first; without their steps and output.
        total_pages: How many pages there are.
        page: Which page this is, counted from 1.
        limit: How many rows a page has at most.
        total_count: How many tasks there are on all pages.
    """

    tasks: list[TaskSummary]
    total_pages: int
    page: int
    limit: int
    total_count: int


@attrs.define
class ParsedTask(Task, Generic[OutputT]):
    """A task that was awaited with an `output_type`.

    Attributes:
        parsed: The output as a value of that type. If the task did not finish, reading it raises
            the `TaskFailedError` or `TaskStoppedError` of `raise_for_status()`.
    """

    _parsed: OutputT | Unset = attrs.field(alias="parsed", default=UNSET, kw_only=True)

    def __repr__(self) -> str:
        # Under the name that programs use; attrs would write `_parsed`.
        return f"{super().__repr__()[:-1]}, parsed={self._parsed!r})"

    @property
    def parsed(self) -> OutputT:
        """The output as a value of the `output_type`."""
        value = self._parsed
        if value is not UNSET:
            return value
        self.raise_for_status()
        raise AttributeError(f"the output of task {self.id} was not parsed; see task.parse()")

    @classmethod
    def of(cls, task: Task, parsed: OutputT | Unset = UNSET) -> "ParsedTask[OutputT]":
        """The same task with its parsed output, or without one if it did not finish."""
        fields = {field.name: getattr(task, field.name) for field in attrs.fields(Task)}
        return ParsedTask(**fields, parsed=parsed)

    def to_dict(self, *, include_secrets: bool = False) -> dict[str, Any]:
        """`Task.to_dict` with the JSON of `parsed`, if it finished.

        Args:
            include_secrets: As in `Task.to_dict`.
        """
        from browser_use_async.structured_output.schema import json_value  # noqa: PLC0415

        written = super().to_dict(include_secrets=include_secrets)
        return written if self._parsed is UNSET else {**written, "parsed": json_value(self._parsed)}

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Self:
        """Like `Task.from_dict`, with `parsed` as a plain JSON value.

        `task.parse(M)` parses it again.

        Raises:
            ResponseDecodeError: The JSON does not fit; `.path` says where.
        """
        task = Task.from_dict(value)
        restored: Any = cls.of(task, task.extra.pop("parsed", UNSET))
        return cast("Self", restored)

    @classmethod
    def _validated(cls, value: Any, *, arguments: tuple[Any, ...]) -> Any:
        """The task that pydantic got; from JSON, parsed into the type of the annotation."""
        task: ParsedTask[Any] = super()._validated(value, arguments=arguments)
        known = bool(arguments) and not isinstance(arguments[0], TypeVar)
        if task is value or not known or task.status is not TaskStatus.FINISHED:
            return task
        try:
            return _parsed(task, arguments[0])
        except OutputValidationError as error:
            problem = str(error)
        raise ValueError(problem)


def _parsed(task: Task, output_type: Any) -> ParsedTask[Any]:
    # Loaded with the first output type.
    from browser_use_async.structured_output import parse  # noqa: PLC0415

    # Raised outside of the except block: the error's context would contain the whole output.
    problem: str
    try:
        value = parse.parse_output(task.output, output_type)
    except parse.OutputMismatchError as error:
        problem = str(error)
    else:
        return ParsedTask.of(task, value)
    name = output_type.__name__ if isinstance(output_type, type) else repr(output_type)
    raise OutputValidationError(
        f"task {task.id} finished, but its output does not fit {name}: {problem}; "
        "error.raw_output has the answer",
        task=task,
        raw_output=task.output,
    )
