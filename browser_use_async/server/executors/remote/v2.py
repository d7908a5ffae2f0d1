"""Version 2 of the hosted API: a task in a session, which is its fence."""

import asyncio
import logging
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

from browser_use_async.server.executors.protocol import Assignment, Step
from browser_use_async.server.executors.remote import requests
from browser_use_async.server.executors.remote.account import RemoteProfiles
from browser_use_async.server.executors.remote.client import (
    ODD_ANSWERS,
    CloudClient,
    CloudError,
    NoAnswerError,
    RefusedError,
    clean,
)
from browser_use_async.server.executors.remote.rate_limiter import Bucket
from browser_use_async.server.executors.remote.run import (
    News,
    RemoteRun,
    Results,
    cents_of,
    fetch_files,
    fetch_picture,
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


class V2Run(RemoteRun):
    """One task of version 2, whose identity has the ids of its session and of its task."""

    statuses = _STATUSES
    fence_name, paid_name = _FENCE, _PAID

    def __init__(
        self, client: CloudClient, profiles: RemoteProfiles, assignment: Assignment
    ) -> None:
        super().__init__(client, profiles, assignment)
        self._told = 0
        self._uploaded: list[str] = []

    async def fence(self) -> None:
        """Create a session without a task."""
        body = requests.v2_session(self._assignment, await self._profile_id())
        # One that nobody knew the id of would have to be paid until it ends by itself.
        self._take(
            await self._client.call("POST", "/sessions", body, takes_slot=True, late=self._take)
        )

    def _take(self, session: Any) -> None:
        self.identity[_FENCE] = str(session["id"])

    async def prepare(self) -> None:
        """Put the files into the session, by forms that the service hands out."""
        for name, content in self._assignment.files.items():
            kind = requests.v2_content_type(name)
            body = {"fileName": name, "contentType": kind, "sizeBytes": len(content)}
            path = f"/files/sessions/{self.identity[_FENCE]}/presigned-url"
            link = await self._client.call("POST", path, body)
            form_type, form = _form(link["fields"], name, kind, content)
            await self._client.put("POST", link["url"], {"Content-Type": form_type}, form)
            self._uploaded.append(str(link["fileName"]))

    async def create(self) -> None:
        """Create the task in the session."""
        body = requests.v2_task(self._assignment, self._client.settings, self.identity[_FENCE])
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
        status = self._status(view["status"])
        has_steps = status is not TaskStatus.CREATED and (
            status.is_terminal or self._looks % _LOOKS_PER_STEPS == 0
        )
        self._looks += status is not TaskStatus.CREATED
        steps: list[Step] = []
        if has_steps:
            view = await self._client.call("GET", path)
            steps = [each async for each in self._steps(view["steps"])]
            status = self._status(view["status"])
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
        takes = self._assignment.takes_recording
        recordings = await self._recording(session, self._session) if takes else {}
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
