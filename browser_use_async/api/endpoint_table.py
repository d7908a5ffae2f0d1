"""The 26 calls of Cloud API v1, one row of data for each, read by the SDK and by the server."""

# The rows have the names of types, which are loaded when a row is first used, so that a program
# pays only for the sections that it calls.

from enum import StrEnum
from functools import partial
from typing import Any

import attrs

from browser_use_async import types

API_PREFIX = "/api/v1"


class Effect(StrEnum):
    """The effect of a call on the account, which decides when it may be sent again."""

    READS = "reads"  # nothing: may be repeated at will
    IDEMPOTENT = "idempotent"  # the same each time: may be repeated, then is verified
    SWITCHES = "switches"  # a state that others switch, too: read after a lost answer
    CREATES = (
        "creates"  # something, often for money: sent again only if provably not sent, or on 429
    )


def _type_of(given: type[Any] | str | None) -> type[Any] | None:
    if not isinstance(given, str):
        return given
    named: type[Any] = bool if given == "bool" else getattr(types, given)
    return named


def _method_of(endpoint: "Endpoint") -> str:
    return endpoint.call.partition(" ")[0]


def _path_of(endpoint: "Endpoint") -> str:
    return endpoint.call.partition(" ")[2]


@attrs.frozen
class Endpoint:
    """One call of the API."""

    name: str  # the operation's name in the service's own document
    call: str  # the HTTP method and the path below `/api/v1`, with `{parameters}`
    effect: Effect
    summary: str  # what it does, in a sentence, for the OpenAPI document of the server
    section: str = attrs.field(kw_only=True)  # the API section that documents it
    # The type of the answer, or its name; None for calls that answer nothing.
    _returns: type[Any] | str | None = attrs.field(default=None, alias="returns")
    # The classes of the path parameters, the query and the JSON body, or their names.
    _parameters: type[Any] | str | None = attrs.field(default=None, alias="parameters")
    _query: type[Any] | str | None = attrs.field(default=None, alias="query")
    _body: type[Any] | str | None = attrs.field(default=None, alias="body")
    authenticated: bool = True  # whether the call needs an API key
    subscription: bool = False  # whether the service asks for an active subscription
    identity: str | None = None  # the field of the answer that must be the requested id
    leaves_a_trace: bool = True  # whether another call shows afterwards if it was carried out
    method: str = attrs.field(init=False, default=attrs.Factory(_method_of, takes_self=True))
    path: str = attrs.field(init=False, default=attrs.Factory(_path_of, takes_self=True))

    @property
    def returns(self) -> Any:
        """The type of the answer, or None for calls that answer nothing."""
        return _type_of(self._returns)

    @property
    def parameters(self) -> type[Any] | None:
        """The class of the path parameters."""
        return _type_of(self._parameters)

    @property
    def query(self) -> type[Any] | None:
        """The class of the query parameters."""
        return _type_of(self._query)

    @property
    def body(self) -> type[Any] | None:
        """The class of the JSON body."""
        return _type_of(self._body)

    @property
    def takes_key(self) -> bool:
        """Whether a submission key can name what the call creates, or what it finds for money."""
        return self.effect is Effect.CREATES

    def __str__(self) -> str:
        return self.call


# --- Tasks -----------------------------------------------------------------------------------

_task = partial(Endpoint, section="Tasks")
RUN_TASK = _task(
    "run_task",
    "POST /run-task",
    Effect.CREATES,
    "Creates a task and starts it at once.",
    returns="Created",
    body="RunTaskRequest",
    subscription=True,
)
STOP_TASK = _task(
    "stop_task", "PUT /stop-task", Effect.IDEMPOTENT, "Stops a task for good.", query="TaskId"
)
PAUSE_TASK = _task(
    "pause_task", "PUT /pause-task", Effect.SWITCHES, "Pauses a running task.", query="TaskId"
)
RESUME_TASK = _task(
    "resume_task", "PUT /resume-task", Effect.SWITCHES, "Continues a paused task.", query="TaskId"
)
GET_TASK = _task(
    "get_task",
    "GET /task/{task_id}",
    Effect.READS,
    "Returns everything about a task: status, steps, output and files.",
    returns="Task",
    parameters="TaskId",
    identity="id",
)
GET_TASK_STATUS = _task(
    "get_task_status",
    "GET /task/{task_id}/status",
    Effect.READS,
    "Returns the status of a task, and nothing else.",
    returns="TaskStatus",
    parameters="TaskId",
)
LIST_TASKS = _task(
    "list_tasks",
    "GET /tasks",
    Effect.READS,
    "Lists the tasks, newest first; a page has 100 rows at most.",
    returns="TaskPage",
    query="PageQuery",
)
GET_TASK_MEDIA = _task(
    "get_task_media",
    "GET /task/{task_id}/media",
    Effect.READS,
    "Returns links to the recordings of a task.",
    returns="TaskMedia",
    parameters="TaskId",
)
GET_TASK_SCREENSHOTS = _task(
    "get_task_screenshots",
    "GET /task/{task_id}/screenshots",
    Effect.READS,
    "Returns links to the screenshots of a task, one for each step.",
    returns="TaskScreenshots",
    parameters="TaskId",
)
GET_TASK_OUTPUT_FILE = _task(
    "get_task_output_file",
    "GET /task/{task_id}/output-file/{file_name}",
    Effect.READS,
    "Returns a link to a file that the task made.",
    returns="OutputFile",
    parameters="TaskFile",
)

# --- Scheduled Tasks -------------------------------------------------------------------------

_schedule = partial(Endpoint, section="Scheduled Tasks")
LIST_SCHEDULED_TASKS = _schedule(
    "list_scheduled_tasks",
    "GET /scheduled-tasks",
    Effect.READS,
    "Lists the schedules.",
    returns="ScheduledTaskPage",
    query="PageQuery",
)
CREATE_SCHEDULED_TASK = _schedule(
    "create_scheduled_task",
    "POST /scheduled-task",
    Effect.CREATES,
    "Creates a schedule that runs a task repeatedly.",
    returns="Created",
    body="CreateScheduledTaskRequest",
    subscription=True,
)
GET_SCHEDULED_TASK = _schedule(
    "get_scheduled_task",
    "GET /scheduled-task/{task_id}",
    Effect.READS,
    "Returns everything about a schedule.",
    returns="ScheduledTask",
    parameters="TaskId",
    identity="id",
)
UPDATE_SCHEDULED_TASK = _schedule(
    "update_scheduled_task",
    "PUT /scheduled-task/{task_id}",
    Effect.IDEMPOTENT,
    "Changes the given fields of a schedule.",
    returns="ScheduledTask",
    parameters="TaskId",
    body="UpdateScheduledTaskRequest",
    identity="id",
)
DELETE_SCHEDULED_TASK = _schedule(
    "delete_scheduled_task",
    "DELETE /scheduled-task/{task_id}",
    Effect.IDEMPOTENT,
    "Deletes a schedule; runs under way end by themselves.",
    parameters="TaskId",
)

# --- Browser Profiles ------------------------------------------------------------------------

_profile = partial(Endpoint, section="Browser Profiles")
LIST_BROWSER_PROFILES = _profile(
    "list_browser_profiles",
    "GET /browser-profiles",
    Effect.READS,
    "Lists the browser profiles.",
    returns="BrowserProfilePage",
    query="PageQuery",
)
CREATE_BROWSER_PROFILE = _profile(
    "create_browser_profile",
    "POST /browser-profiles",
    Effect.CREATES,
    "Creates a browser profile; one is part of every plan.",
    returns="BrowserProfile",
    body="CreateBrowserProfileRequest",
)
GET_BROWSER_PROFILE = _profile(
    "get_browser_profile",
    "GET /browser-profiles/{profile_id}",
    Effect.READS,
    "Returns everything about a browser profile.",
    returns="BrowserProfile",
    parameters="ProfileId",
    identity="profile_id",
)
UPDATE_BROWSER_PROFILE = _profile(
    "update_browser_profile",
    "PUT /browser-profiles/{profile_id}",
    Effect.IDEMPOTENT,
    "Changes the given fields of a browser profile.",
    returns="BrowserProfile",
    parameters="ProfileId",
    body="UpdateBrowserProfileRequest",
    identity="profile_id",
)
DELETE_BROWSER_PROFILE = _profile(
    "delete_browser_profile",
    "DELETE /browser-profiles/{profile_id}",
    Effect.IDEMPOTENT,
    "Deletes a browser profile and its browser data.",
    parameters="ProfileId",
)

# --- Files -----------------------------------------------------------------------------------

# A request for an upload URL creates nothing lasting, so it may be repeated like a read.
CREATE_UPLOAD_URL = Endpoint(
    "upload_file_presigned_url",
    "POST /uploads/presigned-url",
    Effect.READS,
    "Returns a link for the upload of a file that tasks may read.",
    returns="UploadUrl",
    section="Files",
    body="UploadRequest",
)

# --- Search ----------------------------------------------------------------------------------

_search = partial(Endpoint, section="Search")
SIMPLE_SEARCH = _search(
    "simple_search",
    "POST /simple-search",
    Effect.CREATES,
    "Searches the web and reads the best websites live.",
    returns="SearchResults",
    body="SimpleSearchRequest",
    leaves_a_trace=False,
)
SEARCH_URL = _search(
    "search_url",
    "POST /search-url",
    Effect.CREATES,
    "Searches one website live for passages that fit a query.",
    returns="SearchResult",
    body="SearchUrlRequest",
    leaves_a_trace=False,
)

# --- User ------------------------------------------------------------------------------------

_user = partial(Endpoint, section="User")
CHECK_BALANCE = _user(
    "check_balance",
    "GET /balance",
    Effect.READS,
    "Returns the credit in US cents.",
    returns="Balance",
)
ME = _user("me", "GET /me", Effect.READS, "Checks whether the API key is valid.", returns="bool")

# --- Health Check ----------------------------------------------------------------------------

PING = Endpoint(
    "ping",
    "GET /ping",
    Effect.READS,
    "Answers if the server can be reached.",
    section="Health Check",
    authenticated=False,
)

# All of them, in the order of the specification.
ENDPOINTS: tuple[Endpoint, ...] = tuple(
    each for each in tuple(vars().values()) if isinstance(each, Endpoint)
)
