"""Version 2 of the hosted API: a task in a session, which is its fence."""

import asyncio
import logging
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

from browser_use_async.server.executors.protocol import Assignment, Step
from browser_use_async.server.executors.remote import mapping
from browser_use_async.server.executors.remote.client import (
    ODD_ANSWERS,
    CloudClient,
    CloudError,
    NoAnswerError,
    RefusedError,
    clean,
)
from browser_use_async.server.executors.remote.governor import Bucket
from browser_use_async.server.executors.remote.profiles import RemoteProfiles
from browser_use_async.server.executors.remote.run import (
    News,
    Results,
    cents_of,
    fetch_files,
    fetch_picture,
    fetch_recording,
    page_url,
)
from browser_use_async.types import TaskStatus

_logger = logging.getLogger(__name__)

_STATUSES = {
    "created": TaskStatus.CREATED,
    "started": TaskStatus.RUNNING,
    "finished": TaskStatus.FINISHED,
    "failed": TaskStatus.FAILED,
    "stopped": TaskStatus.STOPPED,
}
_LOOKS_PER_STEPS = 3  # the status is small; the whole task, with its steps, is not
_FENCE, _PAID = "session", "task"


class V2Run:
    """One task of version 2.

    Args:
        client: Makes the calls.
        profiles: The profiles of the service.
        assignment: The task.

    Attributes:
        identity: The ids of its session and of its task.
    """

    def __init__(
        self, client: CloudClient, profiles: RemoteProfiles, assignment: Assignment
    ) -> None:
        self.identity = dict(assignment.remote.identity)
        self._client = client
        self._profiles = profiles
        self._assignment = assignment
        self._looks = 0
        self._told = 0
        self._live_url: str | None = None
        self._uploaded: list[str] = []

    @property
    def is_created(self) -> bool:
        """Whether there is a task."""
        return _PAID in self.identity

    @property
    def has_fence(self) -> bool:
        """Whether there is a session."""
        return _FENCE in self.identity

    async def fence(self) -> None:
        """Create a session without a task."""
        assignment = self._assignment
        profile_id = None
        if "browser_profile_id" in assignment.requested:
            profile_id = await self._profiles.id_of(assignment.profile_id, assignment.profile_name)
        body = mapping.v2_session(assignment, profile_id)
        session = await self._client.call("POST", "/sessions", body, takes_slot=True)
        self.identity[_FENCE] = str(session["id"])

    async def prepare(self) -> None:
        """Put the files into the session, by forms that the service hands out."""
        for name, content in self._assignment.files.items():
            kind = mapping.v2_content_type(name)
            body = {"fileName": name, "contentType": kind, "sizeBytes": len(content)}
            path = f"/files/sessions/{self.identity[_FENCE]}/presigned-url"
            link = await self._client.call("POST", path, body)
            form_type, form = _form(link["fields"], name, kind, content)
            await self._client.put("POST", link["url"], {"Content-Type": form_type}, form)
            self._uploaded.append(str(link["fileName"]))

    async def create(self) -> None:
        """Create the task in the session."""
        body = mapping.v2_task(self._assignment, self._client.settings, self.identity[_FENCE])
        if self._uploaded:  # a task finds the files of its session by their names
            body["task"] += f"\n\nUploaded files: {', '.join(self._uploaded)}"
        try:
            made = await self._client.call(
                "POST", "/tasks", body, takes_slot=True, is_repeated=False
            )
        except RefusedError as error:
            # Of an earlier request whose answer was lost: a session has one task at a time.
            if error.status == 400 and await self._ask_session():
                return
            raise
        try:
            self.identity[_PAID] = str(made["id"])
        except ODD_ANSWERS as error:
            raise NoAnswerError("The answer to the paid call cannot be read") from error

    async def find(self) -> bool:
        """Ask the session for its task; a second time if it has none, for one on its way."""
        if await self._ask_session():
            return True
        await asyncio.sleep(self._client.settings.settle_seconds)
        return await self._ask_session()

    async def look(self) -> News:
        """Ask for the status, and now and then for the steps."""
        path = f"/tasks/{self.identity[_PAID]}"
        view = await self._client.call("GET", f"{path}/status", bucket=Bucket.STATUS)
        status = _status(view["status"])
        has_steps = status is not TaskStatus.CREATED and (
            status.is_terminal or self._looks % _LOOKS_PER_STEPS == 0
        )
        self._looks += status is not TaskStatus.CREATED
        steps: list[Step] = []
        if has_steps:
            view = await self._client.call("GET", path)
            steps = [each async for each in self._steps(view["steps"])]
            status = _status(view["status"])
            if self._live_url is None and not status.is_terminal:
                self._live_url = page_url((await self._session()).get("liveUrl"))
        reason = clean(view.get("output") or "")
        return News(status, steps, cents_of(view.get("cost")), self._live_url, reason)

    async def share(self) -> str | None:
        """Share the session."""
        path = f"/sessions/{self.identity[_FENCE]}/public-share"
        return page_url((await self._client.call("POST", path))["shareUrl"])

    async def results(self) -> Results:
        """Fetch the output, the files and the film; the session has ended then."""
        task = await self._client.call("GET", f"/tasks/{self.identity[_PAID]}")
        session = await self._session()
        if session["status"] == "active":
            await self._end_session()
        files = await fetch_files(self._client, self._links(task["outputFiles"]))
        recordings = await self._recording() if self._assignment.takes_recording else {}
        cost = cents_of(task.get("cost"), session.get("proxyCost"))
        return Results(task.get("output"), files, recordings, cost)

    async def stop(self) -> Decimal | None:
        """Stop the task and its session."""
        if not self.is_created:
            await self._end_session()
            return None
        path = f"/tasks/{self.identity[_PAID]}"
        view = await self._client.call("PATCH", path, {"action": "stop_task_and_session"})
        session = await self._session()
        return cents_of(view.get("cost"), session.get("proxyCost"))

    async def _ask_session(self) -> bool:
        tasks = (await self._session())["tasks"]
        if tasks:
            self.identity[_PAID] = str(tasks[0]["id"])
        return bool(tasks)

    async def _session(self) -> Any:
        return await self._client.call("GET", f"/sessions/{self.identity[_FENCE]}")

    async def _end_session(self) -> None:
        path = f"/sessions/{self.identity[_FENCE]}"
        await self._client.call("PATCH", path, {"action": "stop"})

    async def _steps(self, steps: list[Any]) -> AsyncIterator[Step]:
        for each in sorted(steps, key=lambda step: int(step["number"])):
            if each["number"] > self._told:
                self._told = each["number"]
                takes = self._assignment.takes_screenshots
                url = each.get("screenshotUrl") if takes else None
                yield Step(
                    each["nextGoal"],
                    each["evaluationPreviousGoal"],
                    each["url"],
                    await fetch_picture(self._client, url),
                )

    async def _links(self, files: list[Any]) -> AsyncIterator[tuple[str, Any]]:
        for each in files:
            path = f"/files/tasks/{self.identity[_PAID]}/output-files/{each['id']}"
            try:
                link = await self._client.call("GET", path)
            except CloudError as error:
                _logger.warning("a file of a remote task has no link: %s", error)
                continue
            yield each["fileName"], link["downloadUrl"]

    async def _recording(self) -> dict[str, bytes]:
        loop = asyncio.get_running_loop()
        give_up = loop.time() + self._client.settings.recording_seconds
        while True:
            url = page_url((await self._session()).get("recordingUrl"))
            if url is not None:
                return await fetch_recording(self._client, url)
            if loop.time() >= give_up:
                return {}
            await asyncio.sleep(self._client.settings.poll_seconds)


def _status(word: Any) -> TaskStatus:
    status = _STATUSES.get(str(word))
    if status is None:
        # New words come without notice. One that does not end a task is no reason to end it.
        _logger.warning("the hosted service says of a task that it is %r", clean(str(word)))
        return TaskStatus.RUNNING
    return status


def _form(fields: Any, name: str, kind: str, content: bytes) -> tuple[str, bytes]:
    """A multipart form with a file at its end, as storage services want it."""
    boundary = "browser-use-async-7d1f3c5b9a"
    while boundary.encode() in content:
        boundary += "x"
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'
        for key, value in fields.items()
    ]
    quoted = name.replace("\\", "_").replace('"', "_")
    parts.append(
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{quoted}"\r\n'
        f"Content-Type: {kind}\r\n\r\n"
    )
    head, end = "".join(parts).encode(), f"\r\n--{boundary}--\r\n".encode()
    return f"multipart/form-data; boundary={boundary}", head + content + end
