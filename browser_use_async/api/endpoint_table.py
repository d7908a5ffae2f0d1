"""The 26 calls of Cloud API v1, one row of data for each, read by the SDK and by the server.

Types stand in the rows by their names and are loaded when a row is first used, so that a program
pays for the sections that it calls.
"""

from enum import StrEnum
from functools import cache
from typing import Any

import attrs

from browser_use_async import types
from browser_use_async.types.base import Value

API_PREFIX = "/api/v1"


class Effect(StrEnum):
    """What a call does to the account, which decides when it may be sent again."""

    READS = "reads"  # nothing: may be repeated at will
    IDEMPOTENT = "idempotent"  # the same however often: may be repeated, then is verified
    SWITCHES = "switches"  # what others switch as well: after a lost answer the state is read
    CREATES = (
        "creates"  # something, often for money: sent again only if provably not sent, or on 429
    )


@cache
def _type_of(name: str) -> Any:
    return bool if name == "bool" else getattr(types, name)


@attrs.frozen(eq=False, repr=False)
class Endpoint(Value):
    """One call of the API."""

    name: str  # the operation's name in the service's own document
    method: str  # the HTTP method
    path: str  # the path below `/api/v1`, with `{parameters}`
    # The type of the answer, or its name; None for calls that answer nothing.
    _returns: Any = attrs.field(alias="returns")
    effect: Effect
    section: str  # the API section that documents it
    summary: str  # what it does, in a sentence, for the documents that the server shows
    # The names of the classes of the path parameters, the query and the JSON body.
    _parameters: str | None = attrs.field(default=None, alias="parameters")
    _query: str | None = attrs.field(default=None, alias="query")
    _body: str | None = attrs.field(default=None, alias="body")
    authenticated: bool = True  # whether the call needs an API key
    subscription: bool = False  # whether the service asks for an active subscription
    identity: str | None = None  # the field of the answer that must be the id asked for
    leaves_a_trace: bool = True  # whether another call tells afterwards if it was carried out

    @property
    def returns(self) -> Any:
        """The type of the answer, or None for calls that answer nothing."""
        return _type_of(self._returns) if isinstance(self._returns, str) else self._returns

    @property
    def parameters(self) -> type[Any] | None:
        """The class of the path parameters."""
        return None if self._parameters is None else _type_of(self._parameters)

    @property
    def query(self) -> type[Any] | None:
        """The class of the query parameters."""
        return None if self._query is None else _type_of(self._query)

    @property
    def body(self) -> type[Any] | None:
        """The class of the JSON body."""
        return None if self._body is None else _type_of(self._body)

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


# --- Tasks -----------------------------------------------------------------------------------

RUN_TASK = Endpoint(
    "run_task",
    "POST",
    "/run-task",
    "Created",
    Effect.CREATES,
    "Tasks",
    "Creates a task and starts it at once.",
    body="RunTaskRequest",
    subscription=True,
)
STOP_TASK = Endpoint(
    "stop_task",
    "PUT",
    "/stop-task",
    None,
    Effect.IDEMPOTENT,
    "Tasks",
    "Stops a task for good.",
    query="TaskId",
)
PAUSE_TASK = Endpoint(
    "pause_task",
    "PUT",
    "/pause-task",
    None,
    Effect.SWITCHES,
    "Tasks",
    "Pauses a running task.",
    query="TaskId",
)
RESUME_TASK = Endpoint(
    "resume_task",
    "PUT",
    "/resume-task",
    None,
    Effect.SWITCHES,
    "Tasks",
    "Continues a paused task.",
    query="TaskId",
)
GET_TASK = Endpoint(
    "get_task",
    "GET",
    "/task/{task_id}",
    "Task",
    Effect.READS,
    "Tasks",
    "Tells everything about a task: status, steps, output and files.",
    parameters="TaskId",
    identity="id",
)
GET_TASK_STATUS = Endpoint(
    "get_task_status",
    "GET",
    "/task/{task_id}/status",
    "TaskStatus",
    Effect.READS,
    "Tasks",
    "Tells where a task stands, and nothing else.",
    parameters="TaskId",
)
LIST_TASKS = Endpoint(
    "list_tasks",
    "GET",
    "/tasks",
    "TaskPage",
    Effect.READS,
    "Tasks",
    "Lists the tasks, newest first; a page has 100 rows at most.",
    query="PageQuery",
)
GET_TASK_MEDIA = Endpoint(
    "get_task_media",
    "GET",
    "/task/{task_id}/media",
    "TaskMedia",
    Effect.READS,
    "Tasks",
    "Gives links to the recordings of a task.",
    parameters="TaskId",
)
GET_TASK_SCREENSHOTS = Endpoint(
    "get_task_screenshots",
    "GET",
    "/task/{task_id}/screenshots",
    "TaskScreenshots",
    Effect.READS,
    "Tasks",
    "Gives links to the screenshots of a task, one for each step.",
    parameters="TaskId",
)
GET_TASK_OUTPUT_FILE = Endpoint(
    "get_task_output_file",
    "GET",
    "/task/{task_id}/output-file/{file_name}",
    "OutputFile",
    Effect.READS,
    "Tasks",
    "Gives a link to a file that the task made.",
    parameters="TaskFile",
)

# --- Scheduled Tasks -------------------------------------------------------------------------

LIST_SCHEDULED_TASKS = Endpoint(
    "list_scheduled_tasks",
    "GET",
    "/scheduled-tasks",
    "ScheduledTaskPage",
    Effect.READS,
    "Scheduled Tasks",
    "Lists the schedules.",
    query="PageQuery",
)
CREATE_SCHEDULED_TASK = Endpoint(
    "create_scheduled_task",
    "POST",
    "/scheduled-task",
    "Created",
    Effect.CREATES,
    "Scheduled Tasks",
    "Creates a schedule that runs a task again and again.",
    body="CreateScheduledTaskRequest",
    subscription=True,
)
GET_SCHEDULED_TASK = Endpoint(
    "get_scheduled_task",
    "GET",
    "/scheduled-task/{task_id}",
    "ScheduledTask",
    Effect.READS,
    "Scheduled Tasks",
    "Tells everything about a schedule.",
    parameters="TaskId",
    identity="id",
)
UPDATE_SCHEDULED_TASK = Endpoint(
    "update_scheduled_task",
    "PUT",
    "/scheduled-task/{task_id}",
    "ScheduledTask",
    Effect.IDEMPOTENT,
    "Scheduled Tasks",
    "Changes the fields of a schedule that are given.",
    parameters="TaskId",
    body="UpdateScheduledTaskRequest",
    identity="id",
)
DELETE_SCHEDULED_TASK = Endpoint(
    "delete_scheduled_task",
    "DELETE",
    "/scheduled-task/{task_id}",
    None,
    Effect.IDEMPOTENT,
    "Scheduled Tasks",
    "Deletes a schedule; runs under way end by themselves.",
    parameters="TaskId",
)

# --- Browser Profiles ------------------------------------------------------------------------

LIST_BROWSER_PROFILES = Endpoint(
    "list_browser_profiles",
    "GET",
    "/browser-profiles",
    "BrowserProfilePage",
    Effect.READS,
    "Browser Profiles",
    "Lists the browser profiles.",
    query="PageQuery",
)
CREATE_BROWSER_PROFILE = Endpoint(
    "create_browser_profile",
    "POST",
    "/browser-profiles",
    "BrowserProfile",
    Effect.CREATES,
    "Browser Profiles",
    "Creates a browser profile; one is part of every plan.",
    body="CreateBrowserProfileRequest",
)
GET_BROWSER_PROFILE = Endpoint(
    "get_browser_profile",
    "GET",
    "/browser-profiles/{profile_id}",
    "BrowserProfile",
    Effect.READS,
    "Browser Profiles",
    "Tells everything about a browser profile.",
    parameters="ProfileId",
    identity="profile_id",
)
UPDATE_BROWSER_PROFILE = Endpoint(
    "update_browser_profile",
    "PUT",
    "/browser-profiles/{profile_id}",
    "BrowserProfile",
    Effect.IDEMPOTENT,
    "Browser Profiles",
    "Changes the fields of a browser profile that are given.",
    parameters="ProfileId",
    body="UpdateBrowserProfileRequest",
    identity="profile_id",
)
DELETE_BROWSER_PROFILE = Endpoint(
    "delete_browser_profile",
    "DELETE",
    "/browser-profiles/{profile_id}",
    None,
    Effect.IDEMPOTENT,
    "Browser Profiles",
    "Deletes a browser profile and its browser data.",
    parameters="ProfileId",
)

# --- Files -----------------------------------------------------------------------------------

# Asking for an upload URL creates nothing that lasts, so it may be repeated like a read.
CREATE_UPLOAD_URL = Endpoint(
    "upload_file_presigned_url",
    "POST",
    "/uploads/presigned-url",
    "UploadUrl",
    Effect.READS,
    "Files",
    "Gives a link to put a file at, for tasks to read.",
    body="UploadRequest",
)

# --- Search ----------------------------------------------------------------------------------

SIMPLE_SEARCH = Endpoint(
    "simple_search",
    "POST",
    "/simple-search",
    "SearchResults",
    Effect.CREATES,
    "Search",
    "Searches the web and reads the best websites live.",
    body="SimpleSearchRequest",
    leaves_a_trace=False,
)
SEARCH_URL = Endpoint(
    "search_url",
    "POST",
    "/search-url",
    "SearchResult",
    Effect.CREATES,
    "Search",
    "Reads one website live for what fits a query.",
    body="SearchUrlRequest",
    leaves_a_trace=False,
)

# --- User ------------------------------------------------------------------------------------

CHECK_BALANCE = Endpoint(
    "check_balance",
    "GET",
    "/balance",
    "Balance",
    Effect.READS,
    "User",
    "Tells the credit in US cents.",
)
ME = Endpoint(
    "me",
    "GET",
    "/me",
    "bool",
    Effect.READS,
    "User",
    "Tells whether the API key is good.",
)

# --- Health Check ----------------------------------------------------------------------------

PING = Endpoint(
    "ping",
    "GET",
    "/ping",
    None,
    Effect.READS,
    "Health Check",
    "Tells that the server is there.",
    authenticated=False,
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
"""All of them, in the order of the specification."""
