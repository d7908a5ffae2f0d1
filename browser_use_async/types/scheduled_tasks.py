"""Requests and responses of the API section Scheduled Tasks."""

from collections.abc import Mapping
from datetime import datetime
from typing import Literal, Required, TypedDict

import attrs

from browser_use_async.types.base import FieldKind, FieldRule, Response, Unset, ruled
from browser_use_async.types.enums import LlmModel, ScheduleType
from browser_use_async.types.tasks import METADATA_RULE, TaskFields, TaskSettings

_MINUTES = FieldRule(FieldKind.INTEGER, minimum=1)
_CRON = FieldRule(FieldKind.CRON)
_MOMENT = FieldRule(FieldKind.DATETIME)
_FLAG = FieldRule(FieldKind.BOOLEAN)

ScheduleKind = Literal["interval", "cron"]  # `ScheduleType` as text


class CreateScheduledTaskFields(TaskFields, total=False):
    """The fields of a new schedule, as keyword arguments.

    `CreateScheduledTaskRequest` explains them.
    """

    schedule_type: Required[ScheduleType | ScheduleKind]
    interval_minutes: int | None
    cron_expression: str | None
    start_at: datetime | None
    end_at: datetime | None


class UpdateScheduledTaskFields(TypedDict, total=False):
    """The fields of a schedule that can be changed, as keyword arguments."""

    task: str | None
    schedule_type: ScheduleType | ScheduleKind | None
    interval_minutes: int | None
    cron_expression: str | None
    start_at: datetime | None
    end_at: datetime | None
    is_active: bool | None
    use_adblock: bool | None
    use_proxy: bool | None
    highlight_elements: bool | None
    llm_model: LlmModel | str | None
    save_browser_data: bool | None
    structured_output_json: str | None
    metadata: Mapping[str, str] | None


@attrs.frozen
class CreateScheduledTaskRequest(TaskSettings):
    """The body of creating a schedule. API page: Create Scheduled Task.

    The other fields are those of `TaskSettings`.

    Attributes:
        llm_model: The language model; the service's default is gpt-4o.
        schedule_type: `interval` or `cron`.
        interval_minutes: Minutes between runs; needed for `interval`.
        cron_expression: When to run: minute, hour, day, month and weekday, in UTC, such as
            `0 8 * * *` for every day at 8:00; needed for `cron`.
        start_at: When to begin, with a time zone; by default now.
        end_at: When to end, with a time zone; by default a year later.
    """

    schedule_type: ScheduleType | ScheduleKind = ruled(
        FieldRule(FieldKind.TEXT, required=True, nullable=False, enum=ScheduleType), kw_only=True
    )
    interval_minutes: int | Unset | None = ruled(_MINUTES)
    cron_expression: str | Unset | None = ruled(_CRON)
    start_at: datetime | Unset | None = ruled(_MOMENT)
    end_at: datetime | Unset | None = ruled(_MOMENT)


@attrs.frozen
class UpdateScheduledTaskRequest:
    """The body of changing a schedule: only the given fields change.

    API page: Update Scheduled Task. The fields are those of `CreateScheduledTaskRequest`.

    Attributes:
        is_active: Whether the schedule runs.
    """

    task: str | Unset | None = ruled(FieldRule(FieldKind.TEXT, min_length=1))
    schedule_type: ScheduleType | ScheduleKind | Unset | None = ruled(
        FieldRule(FieldKind.TEXT, enum=ScheduleType)
    )
    interval_minutes: int | Unset | None = ruled(_MINUTES)
    cron_expression: str | Unset | None = ruled(_CRON)
    start_at: datetime | Unset | None = ruled(_MOMENT)
    end_at: datetime | Unset | None = ruled(_MOMENT)
    is_active: bool | Unset | None = ruled(_FLAG)
    use_adblock: bool | Unset | None = ruled(_FLAG)
    use_proxy: bool | Unset | None = ruled(_FLAG)
    highlight_elements: bool | Unset | None = ruled(_FLAG)
    llm_model: LlmModel | str | Unset | None = ruled(FieldRule(FieldKind.TEXT, enum=LlmModel))
    save_browser_data: bool | Unset | None = ruled(_FLAG)
    structured_output_json: str | Unset | None = ruled(
        FieldRule(FieldKind.JSON_SCHEMA, blank_is_null=True)
    )
    metadata: Mapping[str, str] | Unset | None = ruled(METADATA_RULE)


@attrs.define
class ScheduledTask(Response):
    """A schedule. API page: Get Scheduled Task.

    Attributes:
        id: The schedule's id.
        task: The instructions of each run.
        schedule_type: `interval` or `cron`.
        interval_minutes: Minutes between runs.
        cron_expression: Five fields, in UTC.
        start_at: When it begins.
        next_run_at: When it runs next.
        end_at: When it ends.
        is_active: Whether it runs.
        created_at: When it was created.
        updated_at: When it was last changed.
        save_browser_data: Whether cookies and other browser data are kept between runs.
        structured_output_json: The JSON schema of the output, as a string.
        llm_model: The language model.
        use_adblock: Whether advertisements are blocked.
        use_proxy: Whether a mobile proxy is used.
        highlight_elements: Whether the agent highlights elements on the page.
        browser_profile_id: The browser profile that it uses.
        metadata: The pairs given at creation.
    """

    id: str
    task: str
    schedule_type: ScheduleType
    interval_minutes: int | None = None
    cron_expression: str | None = None
    start_at: datetime | None = None
    next_run_at: datetime | None = None
    end_at: datetime | None = None
    is_active: bool = True
    created_at: datetime | None = None
    updated_at: datetime | None = None
    save_browser_data: bool = False
    structured_output_json: str | None = None
    llm_model: LlmModel = LlmModel.GPT_4O
    use_adblock: bool = True
    use_proxy: bool = True
    highlight_elements: bool = True
    browser_profile_id: str | None = None
    metadata: dict[str, str] = attrs.field(factory=dict)


@attrs.define
class ScheduledTaskPage(Response):
    """One page of the schedule list. API page: List Scheduled Tasks.

    Attributes:
        tasks: The schedules on this page, with all their fields.
        total_pages: How many pages there are.
        page: Which page this is, counted from 1.
        limit: How many rows a page has at most.
        total_count: How many schedules there are on all pages.
    """

    tasks: list[ScheduledTask]
    total_pages: int
    page: int
    limit: int
    total_count: int
