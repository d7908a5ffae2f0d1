"""One task on the hosted service: a run of its version 4, followed by its events.

An empty workspace comes first, and costs nothing; the create that is paid for names it. A lost
answer is settled by asking which runs the workspace has.
"""

import asyncio
import json
import logging
from collections.abc import AsyncGenerator, AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import attrs
from yarl import URL

from browser_use_async.api.limits import content_type_of
from browser_use_async.server.executors.remote import requests
from browser_use_async.server.executors.remote.account import RemoteProfiles
from browser_use_async.server.executors.remote.client import (
    ODD_ANSWERS,
    CloudClient,
    NoAnswerError,
    RefusedError,
    clean,
)
from browser_use_async.server.executors.remote.rate_limiter import Bucket
from browser_use_async.server.executors.remote.results import (
    News,
    Results,
    cents_of,
    fetch_files,
    page_url,
)
from browser_use_async.server.records import Assignment, Step
from browser_use_async.types import TaskStatus

_logger = logging.getLogger(__name__)

_STATUSES = {
    "queued": TaskStatus.CREATED,
    "dispatching": TaskStatus.CREATED,
    "running": TaskStatus.RUNNING,
    "completed": TaskStatus.FINISHED,
    "failed": TaskStatus.FAILED,
    "cancelled": TaskStatus.STOPPED,
}
_ENDS = frozenset({"run.completed", "run.failed", "run.cancelled", "run.dispatch_failed"})
_TEXTS = ("next_goal", "goal", "summary", "text", "message", "title")
_LONGEST_GOAL = 2000
_LOOKS_PER_STATUS = 4  # in case that no event reports the end
_WORKSPACE, _PAID, _SESSION = "workspace", "run", "session"
_WORKSPACE_AT = "workspace_made"
_GONE_SECONDS = 10.0  # for which the service may not know a task that it has created
_MARGIN = timedelta(minutes=1)  # between two times of the service
_FILES_PER_PAGE = 10  # links to them are valid for a minute
_FILES_PER_UPLOAD = 10


@attrs.define(eq=False)
class RemoteRun:
    """One run, whose `identity` has the ids of its workspace, run and session, once they exist."""

    _client: CloudClient
    _profiles: RemoteProfiles
    _assignment: Assignment
    identity: dict[str, str]
    _looks: int = 0
    _live_url: str | None = None
    _cursor: int = 0
    _stands: TaskStatus = TaskStatus.CREATED
    _file_ids: dict[str, str] = attrs.field(factory=dict)  # names of files
    _unconfirmed: list[str] = attrs.field(factory=list)
    _steps_reported: int = 0

    @property
    def is_created(self) -> bool:
        """Whether the identity names the paid run."""
        return _PAID in self.identity

    @property
    def has_workspace(self) -> bool:
        """Whether the identity names the workspace, which the paid request names."""
        return _WORKSPACE in self.identity

    async def create_workspace(self) -> None:
        """Create an empty workspace, which costs nothing."""
        body = {"name": f"task {self._assignment.task_id}"}
        workspace = await self._client.call("POST", "/workspaces", body)
        self.identity[_WORKSPACE] = str(workspace["id"])
        self.identity[_WORKSPACE_AT] = str(workspace["createdAt"])

    async def prepare(self) -> None:
        """Put the task's files into the workspace."""
        files = list(self._assignment.files.items())
        for start in range(0, len(files), _FILES_PER_UPLOAD):
            some = files[start : start + _FILES_PER_UPLOAD]
            kinds = [content_type_of(name) or "application/octet-stream" for name, _ in some]
            wanted = [
                {"name": name, "contentType": kind, "size": len(content)}
                for (name, content), kind in zip(some, kinds, strict=True)
            ]
            path = f"/workspaces/{self.identity[_WORKSPACE]}/files/upload"
            links = (await self._client.call("POST", path, {"files": wanted}))["files"]
            for (name, content), kind, link in zip(some, kinds, links, strict=True):
                await self._client.put(link["uploadUrl"], {"Content-Type": kind}, content)
                self._file_ids[str(link["id"])] = name

    async def create(self) -> None:
        """Create the run, in one request; `NoAnswerError` leaves open whether it exists."""
        assignment = self._assignment
        workspace, profile_id = self.identity[_WORKSPACE], None
        if "browser_profile_id" in assignment.requested:
            name = assignment.profile_name
            profile_id = await self._profiles.id_of(assignment.profile_id, name)
        body = requests.run_body(
            assignment, self._client.settings, workspace, profile_id, list(self._file_ids)
        )
        made = await self._client.call("POST", "/runs", body, takes_slot=True, is_repeated=False)
        try:
            self._take(made)
            missing = frozenset(map(str, made.get("missingFileIds") or ()))
            self._unconfirmed = [name for each, name in self._file_ids.items() if each in missing]
        except ODD_ANSWERS as error:
            raise NoAnswerError("The answer to the paid call cannot be read") from error

    async def find(self) -> bool:
        """Look for a run in the workspace, for as long as a new one may be late."""
        loop = asyncio.get_running_loop()
        settled = loop.time() + self._client.settings.settle_seconds
        while True:
            is_last = loop.time() >= settled
            async for each in self._newest_runs():
                if each.get("workspaceId") == self.identity[_WORKSPACE]:
                    self._take(each)
                    return True
            if is_last:
                return False
            await asyncio.sleep(min(1.0, max(0.0, settled - loop.time())))

    async def look(self) -> News:
        """Read new events, and from time to time the status."""
        path = f"/runs/{self.identity[_PAID]}"
        events = [each async for each in self._events(path)]
        is_over = any(each["type"] in _ENDS for each in events)
        if not is_over and self._looks % _LOOKS_PER_STATUS == 0:
            view = await self._client.call("GET", f"{path}/status", bucket=Bucket.STATUS)
            self._stands = self._status(view["status"])
        elif events and self._stands is TaskStatus.CREATED:
            self._stands = TaskStatus.RUNNING
        self._looks += 1
        steps = self._first_step() + [step for each in events for step in self._steps(each)]
        if not is_over and not self._stands.is_terminal:
            return News(self._stands, steps, live_url=self._live_url)
        run = await self._client.call("GET", path)
        self._stands = self._status(run["status"])
        cents = cents_of(run.get("totalCostUsd"))
        return News(self._stands, steps, cents, self._live_url, clean(run.get("error") or ""))

    async def share(self) -> str | None:
        """Share the session of the run."""
        path = f"/sessions/{self.identity[_SESSION]}/share"
        return page_url((await self._client.call("POST", path))["shareUrl"])

    async def results(self) -> Results:
        """Fetch the output, the files and the recording, after the end of its browsers."""
        browsers = await self._ended_browsers()
        run = await self._client.call("GET", f"/runs/{self.identity[_PAID]}")
        files = await fetch_files(self._client, self._links(browsers))
        return Results(_output(run), files, await self._film(browsers), _cost(run, browsers))

    async def stop(self) -> Decimal | None:
        """Cancel the run and stop its browsers."""
        if not self.is_created:
            return None  # an empty workspace costs nothing
        run = await self._client.call("POST", f"/runs/{self.identity[_PAID]}/cancel")
        return _cost(run, await self._ended_browsers())

    def _status(self, word: Any) -> TaskStatus:
        """The status for a word of the service."""
        status = _STATUSES.get(str(word))
        if status is None:
            # New words come without notice. An unknown one does not end a task.
            _logger.warning("the hosted service says of a task that it is %r", clean(str(word)))
            return TaskStatus.RUNNING
        return status

    def _take(self, run: Any) -> None:
        paid, session = str(run["id"]), str(run["sessionId"])
        self.identity |= {_PAID: paid, _SESSION: session}

    async def _newest_runs(self) -> AsyncIterator[Any]:
        """Yield the runs since the workspace was created, newest first."""
        oldest = _moment(self.identity[_WORKSPACE_AT])
        async for each in self._client.items("/runs", "runs", {"limit": "50"}):
            if _moment(each["createdAt"]) < oldest - _MARGIN:
                return
            yield each

    async def _events(self, path: str) -> AsyncIterator[Any]:
        while True:
            query = {"after": str(self._cursor), "limit": "200"}
            page = await self._client.call("GET", f"{path}/events", query=query)
            for each in page["events"]:
                self._cursor = max(self._cursor, int(each["id"]))
                if each["type"] == "browser.ready":
                    self._live_url = page_url(each["data"].get("live_view_url")) or self._live_url
                yield each
            if not page.get("hasMore") or not page["events"]:
                return

    def _first_step(self) -> list[Step]:
        # The service publishes no list of its events, so this may be the only step.
        if self._steps_reported or self._stands is TaskStatus.CREATED:
            return []
        self._steps_reported = 1
        words = ""
        if self._unconfirmed:
            words = f"The service does not find files that it was given: {self._unconfirmed}."
        return [Step(f"Run {self.identity[_PAID]} on the hosted service", words)]

    def _steps(self, event: Any) -> list[Step]:
        if event["type"].startswith(("run.", "browser.")):
            return []
        data = event["data"]
        text = next((data[key] for key in _TEXTS if isinstance(data.get(key), str)), "")
        # Steps that cannot be counted end no task, unless the task has a limit of its own.
        is_bounded = "max_agent_steps" in self._assignment.requested
        is_full = self._steps_reported >= self._assignment.max_agent_steps
        if not text.strip() or (is_full and not is_bounded):
            return []
        self._steps_reported += 1
        return [Step(text[:_LONGEST_GOAL], url=page_url(data.get("url")) or "")]

    async def _ended_browsers(self) -> list[Any]:
        """Stop the open browsers of the run, and return all of them."""
        query = {"agentSessionId": self.identity[_SESSION], "pageSize": "100"}
        items = (await self._client.call("GET", "/browsers", query=query))["items"]
        for each in items:
            if each["status"] == "active":
                await self._client.call("PATCH", f"/browsers/{each['id']}", {"action": "stop"})
        return [await self._client.call("GET", f"/browsers/{each['id']}") for each in items]

    async def _links(self, browsers: list[Any]) -> AsyncIterator[tuple[str, Any]]:
        places = [f"/workspaces/{self.identity[_WORKSPACE]}/files"]
        places += [f"/browsers/{each['id']}/downloads" for each in browsers]
        query = {"includeUrls": "true", "limit": str(_FILES_PER_PAGE)}
        for place in places:
            try:
                async for each in self._client.items(place, "files", query):
                    if not each["path"].startswith("uploads/"):  # not the inputs of the task
                        yield each["path"], each.get("url")
            except RefusedError as error:
                _logger.warning("the files of a remote task are not listed: %s", error)

    async def _film(self, browsers: list[Any]) -> dict[str, bytes]:
        """The film, by the ending of its name, once the first browser has a link to it."""
        if not browsers or not self._assignment.takes_recording:
            return {}
        settings, loop, browser = self._client.settings, asyncio.get_running_loop(), browsers[0]
        give_up = loop.time() + settings.recording_seconds
        while (url := page_url(browser.get("recordingUrl"))) is None:
            if browser.get("recordingAvailable") is False or loop.time() >= give_up:
                return {}
            await asyncio.sleep(settings.poll_seconds)
            browser = await self._client.call("GET", f"/browsers/{browser['id']}")
        content = await self._client.fetch(url)
        if content is None:
            return {}
        return {"webm" if URL(url).path.lower().endswith(".webm") else "mp4": content}


async def follow(run: RemoteRun, pause: float) -> AsyncGenerator[News]:
    """Poll a run, `pause` seconds apart, until it has ended."""
    loop = asyncio.get_running_loop()
    gone_since = None
    while True:
        try:
            news = await run.look()
        except RefusedError as error:
            if error.status != 404:
                raise
            gone_since = gone_since or loop.time()
            if loop.time() - gone_since > _GONE_SECONDS:
                raise
        else:
            gone_since = None
            yield news
            if news.status.is_terminal:
                return
        await asyncio.sleep(pause)


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=moment.tzinfo or UTC)


def _output(run: Any) -> str | None:
    value = run.get("output")
    if value is None:
        return run.get("result") if isinstance(run.get("result"), str) else None
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _cost(run: Any, browsers: list[Any]) -> Decimal | None:
    used = [each.get(name) for each in browsers for name in ("browserCost", "proxyCost")]
    return cents_of(run.get("totalCostUsd"), *used)
