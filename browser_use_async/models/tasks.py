"""Requests and responses of the API section Tasks."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Generic, TypedDict, TypeVar

import attrs

from browser_use_async.models.fields import FieldKind, FieldRule, Unset, ruled
from browser_use_async.models.open_enum import LlmModel, ProxyCountry, TaskStatus
from browser_use_async.models.secret_text import SecretMapping, hidden_url, hidden_urls

__all__ = [
    "BrowserData",
    "Created",
    "OutputFile",
    "ParsedTask",
    "RunTaskFields",
    "RunTaskRequest",
    "Task",
    "TaskMedia",
    "TaskPage",
    "TaskScreenshots",
    "TaskStep",
    "TaskSummary",
]

OutputT = TypeVar("OutputT")

_FLAG = FieldRule(FieldKind.BOOLEAN)
_FALSE = FieldRule(FieldKind.BOOLEAN, default=False)
_TRUE = FieldRule(FieldKind.BOOLEAN, default=True)
_PIXELS = FieldRule(FieldKind.INTEGER, minimum=1)
_TEXT_LIST = FieldRule(FieldKind.TEXT_LIST)
_METADATA = FieldRule(FieldKind.TEXT_MAP, max_pairs=10, max_key_length=100, max_length=1000)


def _masked(secrets: Mapping[str, str] | Unset | None) -> Mapping[str, str] | Unset | None:
    """Wrap well-formed secrets; what is not well formed is left for validation to refuse."""
    return SecretMapping(secrets) if isinstance(secrets, Mapping) else secrets


def _shown_secrets(secrets: object) -> str:
    well_formed = secrets is None or isinstance(secrets, SecretMapping | Unset)
    return repr(secrets) if well_formed else "***"


class RunTaskFields(TypedDict, total=False):
    """The optional fields of run-task, as keyword arguments. `RunTaskRequest` explains them."""

    secrets: Mapping[str, str] | None
    allowed_domains: Sequence[str] | None
    browser_profile_id: str | None
    save_browser_data: bool | None
    structured_output_json: str | None
    llm_model: LlmModel | str | None
    use_adblock: bool | None
    use_proxy: bool | None
    proxy_country_code: ProxyCountry | str | None
    highlight_elements: bool | None
    included_file_names: Sequence[str] | None
    browser_viewport_width: int | None
    browser_viewport_height: int | None
    max_agent_steps: int | None
    enable_public_share: bool | None
    metadata: Mapping[str, str] | None


@attrs.frozen
class RunTaskRequest:
    """The body of run-task. A field that is not given is not sent. API page: Run Task.

    Attributes:
        task: What the agent should do.
        secrets: Names and values that the agent may type but never sees; combine them with
            `allowed_domains`.
        allowed_domains: Domains that the agent may visit, `*.example.com` for any subdomain.
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
    """

    task: str = ruled(FieldRule(FieldKind.TEXT, required=True, nullable=False, min_length=1))
    secrets: Mapping[str, str] | Unset | None = ruled(
        FieldRule(FieldKind.TEXT_MAP), converter=_masked, shown=_shown_secrets
    )
    allowed_domains: Sequence[str] | Unset | None = ruled(_TEXT_LIST)
    browser_profile_id: str | Unset | None = ruled(FieldRule(FieldKind.TEXT))
    save_browser_data: bool | Unset | None = ruled(_FALSE)
    structured_output_json: str | Unset | None = ruled(FieldRule(FieldKind.JSON_SCHEMA))
    llm_model: LlmModel | str | Unset | None = ruled(FieldRule(FieldKind.TEXT, enum=LlmModel))
    use_adblock: bool | Unset | None = ruled(_FLAG)
    use_proxy: bool | Unset | None = ruled(_FLAG)
    proxy_country_code: ProxyCountry | str | Unset | None = ruled(
        FieldRule(FieldKind.TEXT, enum=ProxyCountry, lower_case=True)
    )
    highlight_elements: bool | Unset | None = ruled(_TRUE)
    included_file_names: Sequence[str] | Unset | None = ruled(_TEXT_LIST)
    browser_viewport_width: int | Unset | None = ruled(_PIXELS)
    browser_viewport_height: int | Unset | None = ruled(_PIXELS)
    max_agent_steps: int | Unset | None = ruled(
        FieldRule(FieldKind.INTEGER, minimum=1, maximum=200, default=75)
    )
    enable_public_share: bool | Unset | None = ruled(_FALSE)
    metadata: Mapping[str, str] | Unset | None = ruled(_METADATA)


@attrs.define
class Created:
    """What run-task and creating a schedule answer.

    Attributes:
        id: The new task's id.
        extra: Fields that this version does not know.
    """

    id: str
    extra: dict[str, Any] = attrs.field(factory=dict, repr=False)


@attrs.define
class TaskStep:
    """One step of the agent.

    Attributes:
        id: The step's id.
        step: Its number, counted from 1.
        evaluation_previous_goal: How the agent judges the step before. Of a failed task, the
            last one says why it failed.
        next_goal: What the step sets out to do.
        url: The page on which the step was taken; empty from servers that do not tell.
        extra: Fields that this version does not know.
    """

    id: str
    step: int
    evaluation_previous_goal: str = ""
    next_goal: str = ""
    url: str = ""
    extra: dict[str, Any] = attrs.field(factory=dict, repr=False)


@attrs.define
class BrowserData:
    """Browser data of a task that ran with `save_browser_data`.

    Attributes:
        cookies: The cookies, as the browser reports them.
        extra: Fields that this version does not know.
    """

    cookies: list[dict[str, Any]] = attrs.field(factory=list, repr=False)
    extra: dict[str, Any] = attrs.field(factory=dict, repr=False)


@attrs.define
class TaskSummary:
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


@attrs.define
class Task:
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


@attrs.define
class ParsedTask(Task, Generic[OutputT]):
    """A finished task whose output was parsed into the `output_type` asked for.

    Attributes:
        parsed: The output as that type.
    """

    parsed: OutputT = attrs.field(kw_only=True)


@attrs.define
class TaskPage:
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


@attrs.define
class TaskMedia:
    """Recordings of a completed task. API page: Get Task Media.

    Attributes:
        recordings: Signed URLs that expire.
        extra: Fields that this version does not know.
    """

    recordings: list[str] = attrs.field(factory=list, repr=hidden_urls)
    extra: dict[str, Any] = attrs.field(factory=dict, repr=False)


@attrs.define
class TaskScreenshots:
    """Screenshots of a task. API page: Get Task Screenshots.

    Attributes:
        screenshots: Signed URLs of PNG files that expire.
        extra: Fields that this version does not know.
    """

    screenshots: list[str] = attrs.field(factory=list, repr=hidden_urls)
    extra: dict[str, Any] = attrs.field(factory=dict, repr=False)


@attrs.define
class OutputFile:
    """Where an output file can be fetched. API page: Get Task Output File.

    Attributes:
        download_url: A signed URL that expires.
        extra: Fields that this version does not know.
    """

    download_url: str = attrs.field(repr=hidden_url)
    extra: dict[str, Any] = attrs.field(factory=dict, repr=False)
