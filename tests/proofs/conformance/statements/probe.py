"""Requests of the checks, and the results of a check."""

import asyncio
import contextlib
import json
import re
from collections.abc import Callable, Coroutine, Mapping
from typing import Any
from urllib.parse import quote

import attrs

from browser_use_async.api.endpoint_table import API_PREFIX
from browser_use_async.server.egress.http_client import HttpClient, HttpClientError, HttpResponse
from browser_use_async.server.egress.policy import EgressPolicy
from tests.proofs.conformance.statements.shapes import TASK, Shape, mismatch

QUICK_TASK = "Open {website} and tell me its title"
SLOW_TASK = "Open {website}. Wait 30 seconds. Tell me the title"

_SHOWN_CHARACTERS = 400
_POLL_SECONDS = 0.2
_ENDED = frozenset({"finished", "failed", "stopped"})
# What follows the host can be a token: links to live pages and files are secrets. JSON may escape
# their slashes, and a page leave out the scheme.
_LINK = re.compile(r"((?:\\?/){2}[^\s\"'/\\<>]+\\?/)[^\s\"'<>]+")


class DeviationError(Exception):
    """The server does not do what the specification says; the text says how."""


class NotApplicableError(Exception):
    """A check that says nothing about this server; the text says why."""


def require(is_true: object, problem: str) -> None:
    """Check a statement.

    Raises:
        DeviationError: It is not true.
    """
    if not is_true:
        raise DeviationError(problem)


@attrs.frozen
class Reply:
    """An answer, and the request that it is to."""

    request: str  # method, path and body
    status: int
    headers: Mapping[str, str] = attrs.field(repr=False)
    body: bytes = attrs.field(repr=False)

    @property
    def json(self) -> Any:
        """The body as JSON.

        Raises:
            DeviationError: It is none, or is not said to be.
        """
        kind = self.headers.get("Content-Type", "")
        if not kind.startswith("application/json"):
            raise DeviationError(f"the answer is said to be {kind or 'nothing'}, and JSON is due")
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            raise DeviationError("the body is not JSON") from None

    @property
    def answer(self) -> str:
        """Status and body, shortened, without the tokens of links."""
        return f"{self.status} {_shown(self.body.decode('utf-8', 'replace'))}"

    def has(self, shape: Shape, status: int = 200) -> Any:
        """Return the JSON after checking status and shape.

        Raises:
            DeviationError: One of them is not as it has to be.
        """
        self.has_status(status)
        value = self.json
        if (problem := mismatch(value, shape)) is not None:
            raise DeviationError(problem)
        return value

    def has_status(self, *statuses: int) -> None:
        """Check the status.

        Raises:
            DeviationError: It is another one.
        """
        if self.status not in statuses:
            due = " or ".join(map(str, statuses))
            raise DeviationError(f"the status is {self.status}, and {due} is due")


def _shown(text: str) -> str:
    flat = " ".join(_LINK.sub(r"\1…", text).split())
    return flat if len(flat) <= _SHOWN_CHARACTERS else flat[:_SHOWN_CHARACTERS] + "…"


@attrs.frozen
class Settings:
    """The settings of the checks for the server."""

    base_url: str  # ends in /api/v1
    api_key: str = attrs.field(repr=False)
    website: str  # what `{website}` stands for in the tasks, and what is searched
    task_seconds: float = 120.0  # for a task to end, and for an event to arrive
    quick_text: str = QUICK_TASK  # of a task that ends soon, and finishes
    slow_text: str = SLOW_TASK  # of a task that takes half a minute at least
    webhook_address: tuple[str, int] = ("127.0.0.1", 0)  # to receive events on
    webhook_secret: str | None = attrs.field(default=None, repr=False)  # None: register one

    @property
    def task(self) -> str:
        """The text of a task that ends soon."""
        return self.quick_text.replace("{website}", self.website)

    @property
    def slow_task(self) -> str:
        """The text of a task that takes half a minute."""
        return self.slow_text.replace("{website}", self.website)


class Probe:
    """Makes the requests of one run of the checks, and remembers the last exchange."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.last: Reply | None = None
        self._created: list[str] = []  # tasks, which cost money while they run
        self._client = HttpClient(EgressPolicy.of_operator())
        self.deliveries: Any = None  # what the checks of webhooks share
        self._finished: Any = None

    @property
    def server_url(self) -> str:
        """Scheme, host and port."""
        return self.settings.base_url.removesuffix(API_PREFIX)

    async def call(
        self,
        method: str,
        path: str,
        value: Any = None,
        *,
        key: str | None = "",
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """Make one request; a path without a host is one of the API.

        Args:
            method: The HTTP method.
            path: The path below the base URL with its query, or a whole URL.
            value: The JSON of the body.
            key: The API key to send; None for no header, "" for the right one.
            body: Bytes to send in place of JSON.
            headers: Further headers.

        Raises:
            DeviationError: There is no answer that is HTTP.
        """
        url = path if "://" in path else self.settings.base_url + path
        sent = dict(headers or {})
        if key is not None and "://" not in path:
            sent["Authorization"] = f"Bearer {key or self.settings.api_key}"
        if value is not None:
            body = json.dumps(value).encode()
            sent.setdefault("Content-Type", "application/json")
        shown = json.dumps(value, ensure_ascii=False) if value is not None else ""
        request = _shown(f"{method} {path} {shown}".strip())
        try:
            answer: HttpResponse = await self._client.send(method, url, headers=sent, body=body)
        except HttpClientError as error:
            self.last = Reply(request, 0, {}, str(error).encode())
            raise DeviationError(f"there is no usable answer: {error}") from None
        self.last = Reply(request, answer.status, answer.headers, answer.body)
        return self.last

    async def create_task(self, text: str | None = None, **fields: Any) -> str:
        """Run a task, and return its id."""
        reply = await self.call("POST", "/run-task", {"task": text or self.settings.task, **fields})
        task_id = str(reply.has({"id": str})["id"])
        self._created.append(task_id)
        return task_id

    async def finished_task(self) -> Any:
        """Return a task that has finished, the same one each time.

        Raises:
            NotApplicableError: The task of the settings does not finish on this server.
        """
        if self._finished is None:
            task_id = await self.create_task(metadata={"team": "Zürich", "run": "conform"})
            self._finished = await self.ended(task_id)
        if self._finished["status"] != "finished":
            ended = self._finished["status"]
            raise NotApplicableError(f"needs a task that finishes, and --task {ended}")
        return self._finished

    async def ended(self, task_id: str) -> Any:
        """Wait until a task has ended, and return it.

        Raises:
            DeviationError: It does not end in the time that the settings allow.
        """
        return await self.reached(task_id, _ENDED)

    async def reached(self, task_id: str, statuses: frozenset[str]) -> Any:
        """Wait until a task is in one of some statuses or has ended, and return it."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self.settings.task_seconds
        while True:
            task = (await self.call("GET", f"/task/{task_id}")).has(TASK)
            if task["status"] in statuses | _ENDED:
                return task
            if loop.time() > deadline:
                raise DeviationError(
                    f"the task is {task['status']} after {self.settings.task_seconds:.0f} s"
                )
            await asyncio.sleep(_POLL_SECONDS)

    async def aclose(self) -> None:
        """Stop the tasks that a check has left running."""
        for task_id in self._created:
            with contextlib.suppress(DeviationError):
                await self.call("PUT", f"/stop-task?task_id={quote(task_id, safe='')}")


CheckFunction = Callable[[Probe], Coroutine[Any, Any, None]]


@attrs.frozen
class Check:
    """One statement of the specification, and the function that tries it."""

    section: str
    statement: str
    function: CheckFunction


# All checks, in the order in which they run; filled by the modules that define them.
CHECKS: list[Check] = []


def check(section: str, statement: str) -> Callable[[CheckFunction], CheckFunction]:
    """Register a function as the check of a statement."""

    def register(function: CheckFunction) -> CheckFunction:
        CHECKS.append(Check(section, statement, function))
        return function

    return register
