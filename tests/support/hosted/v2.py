"""A fake of version 2: tasks in sessions."""

from typing import Any

import attrs
from aiohttp import web

from tests.support.hosted.service import Course, HostedService, new_id, now

_MISSING = (404, {"detail": "Task not found"})


@attrs.define
class _Session:
    settings: dict[str, Any]
    id: str = attrs.field(factory=new_id)
    status: str = "active"
    tasks: "list[_Task]" = attrs.field(factory=list)
    is_shared: bool = False


@attrs.define
class _Task:
    body: dict[str, Any]
    session: _Session
    course: Course
    id: str = attrs.field(factory=new_id)
    status: str = "created"
    looks: int = 0
    created_at: str = attrs.field(factory=now)
    finished_at: str | None = None

    @property
    def is_over(self) -> bool:
        return self.status in {"finished", "failed", "stopped"}


class HostedV2(HostedService):
    """A task begins at the first look at it, and ends after as many as its course says."""

    version = "v2"

    def __init__(self) -> None:
        super().__init__()
        self.sessions: dict[str, _Session] = {}
        self.tasks: dict[str, _Task] = {}
        self._add("POST /sessions", self._make_session)
        self._add("GET /sessions/{session_id}", self._show_session)
        self._add("PATCH /sessions/{session_id}", self._stop_session)
        self._add("POST /sessions/{session_id}/public-share", self._share)
        self._add("POST /files/sessions/{session_id}/presigned-url", self._presign)
        self._add("POST /tasks", self._make_task)
        self._add("GET /tasks/{task_id}", self._show_task)
        self._add("GET /tasks/{task_id}/status", self._show_status)
        self._add("PATCH /tasks/{task_id}", self._stop_task)
        self._add("GET /files/tasks/{task_id}/output-files/{file_id}", self._link)

    @property
    def at_work(self) -> int:
        """How many sessions are open."""
        return sum(each.status == "active" for each in self.sessions.values())

    async def _make_session(self, request: web.Request, body: Any) -> tuple[int, Any]:
        if self.at_work >= self.concurrency:
            return 429, {"detail": "Too many concurrent active sessions. Please wait."}
        session = _Session(body)
        self.sessions[session.id] = session
        return 201, self._session_item(session)

    async def _show_session(self, request: web.Request, body: Any) -> tuple[int, Any]:
        session = self.sessions.get(request.match_info["session_id"])
        return (404, {"detail": "Session not found"}) if session is None else self._whole(session)

    async def _stop_session(self, request: web.Request, body: Any) -> tuple[int, Any]:
        session = self.sessions[request.match_info["session_id"]]
        self.stop_session(session.id)
        return self._whole(session)

    def stop_session(self, session_id: str) -> None:
        """Stop a session and its tasks, as somebody at the dashboard may."""
        session = self.sessions[session_id]
        session.status = "stopped"
        for each in session.tasks:
            if not each.is_over:
                each.status, each.finished_at = "stopped", now()

    async def _share(self, request: web.Request, body: Any) -> tuple[int, Any]:
        session = self.sessions[request.match_info["session_id"]]
        session.is_shared = True
        url = f"{self.url}/share/{session.id}"
        return 201, {"shareToken": session.id, "shareUrl": url, "viewCount": 0}

    async def _presign(self, request: web.Request, body: Any) -> tuple[int, Any]:
        name = f"up-{body['fileName']}"
        return 200, {
            "url": f"{self.url}/uploads/{name}",
            "method": "POST",
            "fields": {"policy": "signed", "key": name},
            "fileName": name,
            "expiresIn": 120,
        }

    async def _make_task(self, request: web.Request, body: Any) -> tuple[int, Any]:
        session = self.sessions.get(body["sessionId"])
        if session is None:
            return 404, {"detail": "Session not found"}
        if session.status == "stopped":
            return 400, {"detail": "Session is stopped"}
        if any(not each.is_over for each in session.tasks):
            return 400, {"detail": "Session already has a running task"}
        task = _Task(body, session, self.course_of(body["task"]))
        session.tasks.append(task)
        self.tasks[task.id] = task
        self.paid[body["task"]] += 1
        return 202, {"id": task.id, "sessionId": session.id}

    async def _show_task(self, request: web.Request, body: Any) -> tuple[int, Any]:
        task = self.tasks.get(request.match_info["task_id"])
        if task is None:
            return _MISSING
        return 200, {**self._item(task), "steps": self._steps(task), "outputFiles": _files(task)}

    async def _show_status(self, request: web.Request, body: Any) -> tuple[int, Any]:
        task = self.tasks.get(request.match_info["task_id"])
        if task is None:
            return _MISSING
        self._go_on(task)
        item = self._item(task)
        names = ("id", "status", "output", "finishedAt", "isSuccess", "cost")
        return 200, {name: item[name] for name in names}

    async def _stop_task(self, request: web.Request, body: Any) -> tuple[int, Any]:
        task = self.tasks.get(request.match_info["task_id"])
        if task is None:
            return _MISSING
        if body["action"] == "stop_task_and_session":
            self.stop_session(task.session.id)
        return await self._show_task(request, None)

    async def _link(self, request: web.Request, body: Any) -> tuple[int, Any]:
        task = self.tasks[request.match_info["task_id"]]
        wanted = request.match_info["file_id"]
        name = next(each["fileName"] for each in _files(task) if each["id"] == wanted)
        self.stored[wanted] = task.course.files[name]
        url = f"{self.url}/storage/{wanted}"
        return 200, {"id": wanted, "fileName": name, "downloadUrl": url}

    def _go_on(self, task: _Task) -> None:
        if task.is_over:
            return
        task.looks += 1
        if task.looks > task.course.looks >= 0:
            task.status, task.finished_at = task.course.outcome or "finished", now()
            task.session.status = "stopped"  # keepAlive is false
        else:
            task.status = "started"

    def _item(self, task: _Task) -> dict[str, Any]:
        is_done = task.status == "finished"
        return {
            "id": task.id,
            "sessionId": task.session.id,
            "llm": task.body.get("llm", "browser-use-2.0"),
            "task": task.body["task"],
            "status": task.status,
            "createdAt": task.created_at,
            "finishedAt": task.finished_at,
            "metadata": task.body.get("metadata", {}),
            "output": task.course.output if is_done else task.course.reason or None,
            "isSuccess": is_done or None,
            "cost": task.course.cost if task.looks else None,
        }

    def _steps(self, task: _Task) -> list[dict[str, Any]]:
        return [
            {
                "number": number,
                "memory": "",
                "evaluationPreviousGoal": f"Went well {number}",
                "nextGoal": f"Goal {number}",
                "url": f"https://shop.example/{number}",
                "screenshotUrl": f"{self.url}/storage/shot.png",
                "actions": [],
            }
            for number in range(1, min(task.looks, 3) + 1)
        ]

    def _session_item(self, session: _Session) -> dict[str, Any]:
        is_filmed = session.status == "stopped" and session.settings["enableRecording"]
        return {
            "id": session.id,
            "status": session.status,
            "liveUrl": f"https://live.example/{session.id}",
            "recordingUrl": f"{self.url}/storage/film.mp4" if is_filmed else None,
            "startedAt": now(),
            "persistMemory": session.settings["persistMemory"],
            "keepAlive": session.settings["keepAlive"],
            "proxyCost": "0.006",
        }

    def _whole(self, session: _Session) -> tuple[int, Any]:
        return 200, {
            **self._session_item(session),
            "tasks": [self._item(each) for each in session.tasks],
        }


def _files(task: _Task) -> list[dict[str, str]]:
    if task.status != "finished":
        return []
    # As many different ids as there are files, the same at each call.
    head = task.id[:-2]
    names = enumerate(task.course.files)
    return [{"id": f"{head}{number:02x}", "fileName": name} for number, name in names]
