"""Every call of Cloud API v1 as one row of data; the SDK and the bundled server both read it."""

from enum import StrEnum
from typing import Any

import attrs

from browser_use_async.models import (
    Balance,
    BrowserProfile,
    BrowserProfilePage,
    CreateBrowserProfileRequest,
    Created,
    CreateScheduledTaskRequest,
    OutputFile,
    PageQuery,
    ProfileId,
    RunTaskRequest,
    ScheduledTask,
    ScheduledTaskPage,
    SearchResult,
    SearchResults,
    SearchUrlRequest,
    SimpleSearchRequest,
    Task,
    TaskFile,
    TaskId,
    TaskMedia,
    TaskPage,
    TaskScreenshots,
    TaskStatus,
    UpdateBrowserProfileRequest,
    UpdateScheduledTaskRequest,
    UploadRequest,
    UploadUrl,
)

__all__ = [
    "API_PREFIX",
    "CHECK_BALANCE",
    "CREATE_BROWSER_PROFILE",
    "CREATE_SCHEDULED_TASK",
    "CREATE_UPLOAD_URL",
    "DELETE_BROWSER_PROFILE",
    "DELETE_SCHEDULED_TASK",
    "ENDPOINTS",
    "GET_BROWSER_PROFILE",
    "GET_SCHEDULED_TASK",
    "GET_TASK",
    "GET_TASK_MEDIA",
    "GET_TASK_OUTPUT_FILE",
    "GET_TASK_SCREENSHOTS",
    "GET_TASK_STATUS",
    "LIST_BROWSER_PROFILES",
    "LIST_SCHEDULED_TASKS",
    "LIST_TASKS",
    "ME",
    "PAUSE_TASK",
    "PING",
    "RESUME_TASK",
    "RUN_TASK",
    "SEARCH_URL",
    "SIMPLE_SEARCH",
    "STOP_TASK",
    "UPDATE_BROWSER_PROFILE",
    "UPDATE_SCHEDULED_TASK",
    "Effect",
    "Endpoint",
]

API_PREFIX = "/api/v1"


class Effect(StrEnum):
    """What a call does to the account, which decides when it may be sent again."""

    READS = "reads"  # nothing: may be repeated at will
    IDEMPOTENT = "idempotent"  # the same however often: may be repeated, then is verified
    SWITCHES = "switches"  # what others switch as well: after a lost answer it is looked at
    CREATES = "creates"  # something free: sent again only if provably not sent, or on 429
    PAYS = "pays"  # the same, on a connection of its own, because every repetition costs money


@attrs.frozen
class Endpoint:
    """One call of the API.

    Attributes:
        name: The operation's name in the service's own document.
        method: The HTTP method.
        path: The path below `/api/v1`, with `{parameters}`.
        returns: The type of the answer, or None for calls that answer nothing.
        effect: What the call does, which decides when it may be sent again.
        section: The API section that documents it.
        parameters: The class of the path parameters.
        query: The class of the query parameters.
        body: The class of the JSON body.
        authenticated: Whether the call needs an API key.
        subscription: Whether the service asks for an active subscription.
        checks_identity: Whether the answer's `id` must be the `task_id` that was asked for.
    """

    name: str
    method: str
    path: str
    returns: Any
    effect: Effect
    section: str
    parameters: type[Any] | None = None
    query: type[Any] | None = None
    body: type[Any] | None = None
    authenticated: bool = True
    subscription: bool = False
    checks_identity: bool = False

    @property
    def is_static(self) -> bool:
        """Whether the path has no parameters, so that every v1 server must know it."""
        return self.parameters is None

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def _task(name: str, method: str, path: str, returns: Any, effect: Effect, **more: Any) -> Endpoint:
    return Endpoint(name, method, path, returns, effect, "Tasks", **more)


def _account(name: str, path: str, returns: Any, section: str = "User", **more: Any) -> Endpoint:
    return Endpoint(name, "GET", path, returns, Effect.READS, section, **more)


RUN_TASK = _task(
    "run_task", "POST", "/run-task", Created, Effect.PAYS, body=RunTaskRequest, subscription=True
)
STOP_TASK = _task("stop_task", "PUT", "/stop-task", None, Effect.IDEMPOTENT, query=TaskId)
PAUSE_TASK = _task("pause_task", "PUT", "/pause-task", None, Effect.SWITCHES, query=TaskId)
RESUME_TASK = _task("resume_task", "PUT", "/resume-task", None, Effect.SWITCHES, query=TaskId)
GET_TASK = _task(
    "get_task",
    "GET",
    "/task/{task_id}",
    Task,
    Effect.READS,
    parameters=TaskId,
    checks_identity=True,
)
GET_TASK_STATUS = _task(
    "get_task_status",
    "GET",
    "/task/{task_id}/status",
    TaskStatus,
    Effect.READS,
    parameters=TaskId,
)
LIST_TASKS = _task("list_tasks", "GET", "/tasks", TaskPage, Effect.READS, query=PageQuery)
GET_TASK_MEDIA = _task(
    "get_task_media", "GET", "/task/{task_id}/media", TaskMedia, Effect.READS, parameters=TaskId
)
GET_TASK_SCREENSHOTS = _task(
    "get_task_screenshots",
    "GET",
    "/task/{task_id}/screenshots",
    TaskScreenshots,
    Effect.READS,
    parameters=TaskId,
)
GET_TASK_OUTPUT_FILE = _task(
    "get_task_output_file",
    "GET",
    "/task/{task_id}/output-file/{file_name}",
    OutputFile,
    Effect.READS,
    parameters=TaskFile,
)

CHECK_BALANCE = _account("check_balance", "/balance", Balance)
ME = _account("me", "/me", bool)
PING = _account("ping", "/ping", None, section="Health Check", authenticated=False)

_SCHEDULES = "Scheduled Tasks"
LIST_SCHEDULED_TASKS = Endpoint(
    "list_scheduled_tasks",
    "GET",
    "/scheduled-tasks",
    ScheduledTaskPage,
    Effect.READS,
    _SCHEDULES,
    query=PageQuery,
)
CREATE_SCHEDULED_TASK = Endpoint(
    "create_scheduled_task",
    "POST",
    "/scheduled-task",
    Created,
    Effect.PAYS,
    _SCHEDULES,
    body=CreateScheduledTaskRequest,
    subscription=True,
)
GET_SCHEDULED_TASK = Endpoint(
    "get_scheduled_task",
    "GET",
    "/scheduled-task/{task_id}",
    ScheduledTask,
    Effect.READS,
    _SCHEDULES,
    parameters=TaskId,
    checks_identity=True,
)
UPDATE_SCHEDULED_TASK = Endpoint(
    "update_scheduled_task",
    "PUT",
    "/scheduled-task/{task_id}",
    ScheduledTask,
    Effect.IDEMPOTENT,
    _SCHEDULES,
    parameters=TaskId,
    body=UpdateScheduledTaskRequest,
    checks_identity=True,
)
DELETE_SCHEDULED_TASK = Endpoint(
    "delete_scheduled_task",
    "DELETE",
    "/scheduled-task/{task_id}",
    None,
    Effect.IDEMPOTENT,
    _SCHEDULES,
    parameters=TaskId,
)

_PROFILES = "Browser Profiles"
LIST_BROWSER_PROFILES = Endpoint(
    "list_browser_profiles",
    "GET",
    "/browser-profiles",
    BrowserProfilePage,
    Effect.READS,
    _PROFILES,
    query=PageQuery,
)
CREATE_BROWSER_PROFILE = Endpoint(
    "create_browser_profile",
    "POST",
    "/browser-profiles",
    BrowserProfile,
    Effect.CREATES,
    _PROFILES,
    body=CreateBrowserProfileRequest,
)
GET_BROWSER_PROFILE = Endpoint(
    "get_browser_profile",
    "GET",
    "/browser-profiles/{profile_id}",
    BrowserProfile,
    Effect.READS,
    _PROFILES,
    parameters=ProfileId,
)
UPDATE_BROWSER_PROFILE = Endpoint(
    "update_browser_profile",
    "PUT",
    "/browser-profiles/{profile_id}",
    BrowserProfile,
    Effect.IDEMPOTENT,
    _PROFILES,
    parameters=ProfileId,
    body=UpdateBrowserProfileRequest,
)
DELETE_BROWSER_PROFILE = Endpoint(
    "delete_browser_profile",
    "DELETE",
    "/browser-profiles/{profile_id}",
    None,
    Effect.IDEMPOTENT,
    _PROFILES,
    parameters=ProfileId,
)

# Asking for an upload URL creates nothing that lasts, so it may be repeated like a read.
CREATE_UPLOAD_URL = Endpoint(
    "upload_file_presigned_url",
    "POST",
    "/uploads/presigned-url",
    UploadUrl,
    Effect.READS,
    "Files",
    body=UploadRequest,
)

_SEARCH = "Search"
SIMPLE_SEARCH = Endpoint(
    "simple_search",
    "POST",
    "/simple-search",
    SearchResults,
    Effect.PAYS,
    _SEARCH,
    body=SimpleSearchRequest,
)
SEARCH_URL = Endpoint(
    "search_url",
    "POST",
    "/search-url",
    SearchResult,
    Effect.PAYS,
    _SEARCH,
    body=SearchUrlRequest,
)

ENDPOINTS: tuple[Endpoint, ...] = (
    RUN_TASK,
    STOP_TASK,
    PAUSE_TASK,
    RESUME_TASK,
    GET_TASK,
    GET_TASK_STATUS,
    LIST_TASKS,
    GET_TASK_MEDIA,
    GET_TASK_SCREENSHOTS,
    GET_TASK_OUTPUT_FILE,
    LIST_SCHEDULED_TASKS,
    CREATE_SCHEDULED_TASK,
    GET_SCHEDULED_TASK,
    UPDATE_SCHEDULED_TASK,
    DELETE_SCHEDULED_TASK,
    LIST_BROWSER_PROFILES,
    CREATE_BROWSER_PROFILE,
    GET_BROWSER_PROFILE,
    UPDATE_BROWSER_PROFILE,
    DELETE_BROWSER_PROFILE,
    CREATE_UPLOAD_URL,
    SIMPLE_SEARCH,
    SEARCH_URL,
    CHECK_BALANCE,
    ME,
    PING,
)
