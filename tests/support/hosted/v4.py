"""A fake of version 4: runs in workspaces, with events and browsers."""

from decimal import Decimal
from typing import Any

import attrs
from aiohttp import web

from tests.support.hosted.service import Course, HostedService, new_id, now

_MISSING = (404, {"detail": "Run not found"})
_PAGE = 2  # events


@attrs.define
class _Browser:
    session_id: str
    is_filmed: bool
    id: str = attrs.field(factory=new_id)
    status: str = "active"


@attrs.define
class _Run:
    body: dict[str, Any]
    course: Course
    browser: _Browser
    id: str = attrs.field(factory=new_id)
    status: str = "queued"
    looks: int = 0
    unseen: int = 0
    created_at: str = attrs.field(factory=now)
    events: list[dict[str, Any]] = attrs.field(factory=list)
    error: str | None = None

    @property
    def bound(self) -> Decimal:
        """The most that its session may cost; the service's own default limits nothing here."""
        return Decimal(str(self.body.get("maxCostUsd") or "Infinity"))

    @property
    def cost(self) -> str:
        return str(min(Decimal(self.course.cost), self.bound))

    @property
    def is_over(self) -> bool:
        return self.status in {"completed", "failed", "cancelled"}

    def add_event(self, kind: str, **data: Any) -> None:
        number = len(self.events) + 1
        event = {"runId": self.id, "id": number, "ts": now(), "type": kind, "data": data}
        self.events.append(event)


class HostedV4(HostedService):
    """A run begins at the first read of its events, and ends after as many as its course says.

    Attributes:
        unseen: For how many reads a new run is hidden.
        has_late_events: Whether no event reports the end.
        end_at_bound: The status of a run that has reached its cost limit; no document has it.
        words_at_bound: Its error then.
        without_params: Models that take no parameters.
        lost: Names of files that a run does not find, although they were uploaded.
        strange: Ids of files that a run reports as missing, although none was given.
    """

    version = "v4"

    def __init__(self) -> None:
        super().__init__()
        self.unseen = 0
        self.has_late_events = False
        self.end_at_bound = "failed"
        self.words_at_bound: str | None = "The budget of this session is spent"
        self.lost: set[str] = set()
        self.strange: list[str] = []
        self.without_params = {"bu-fast", "bu-ultrafast"}
        self.workspaces: dict[str, dict[str, Any]] = {}
        self.attached: dict[str, str] = {}
        self.runs: dict[str, _Run] = {}
        self._add("POST /workspaces", self._make_workspace)
        self._add("POST /workspaces/{workspace_id}/files/upload", self._presign)
        self._add("GET /workspaces/{workspace_id}/files", self._list_files)
        self._add("POST /runs", self._make_run)
        self._add("GET /runs", self._list_runs)
        self._add("GET /runs/{run_id}", self._show_run)
        self._add("GET /runs/{run_id}/status", self._show_status)
        self._add("GET /runs/{run_id}/events", self._list_events)
        self._add("POST /runs/{run_id}/cancel", self._cancel)
        self._add("POST /sessions/{session_id}/share", self._share)
        self._add("GET /browsers", self._list_browsers)
        self._add("GET /browsers/{session_id}", self._show_browser)
        self._add("PATCH /browsers/{session_id}", self._stop_browser)
        self._add("GET /browsers/{session_id}/downloads", self._list_downloads)

    @property
    def at_work(self) -> int:
        """How many browsers are open."""
        return sum(each.browser.status == "active" for each in self.runs.values())

    def cancel(self, run_id: str) -> None:
        """Cancel a run, as at the dashboard."""
        run = self.runs[run_id]
        if not run.is_over:
            run.status = "cancelled"
            run.add_event("run.cancelled")

    async def _make_workspace(self, request: web.Request, body: Any) -> tuple[int, Any]:
        made = {
            "id": new_id(),
            "name": body.get("name"),
            "archived": False,
            "createdAt": now(),
            "updatedAt": now(),
        }
        self.workspaces[made["id"]] = made
        return 200, made

    async def _presign(self, request: web.Request, body: Any) -> tuple[int, Any]:
        links = []
        for each in body["files"]:
            key = new_id()
            self.attached[key] = each["name"]
            links.append(
                {
                    "id": key,
                    "name": each["name"],
                    "storedName": each["name"],
                    "path": f"uploads/{each['name']}",
                    "willOverride": False,
                    "uploadUrl": f"{self.url}/uploads/{each['name']}",
                }
            )
        return 200, {"files": links}

    async def _list_files(self, request: web.Request, body: Any) -> tuple[int, Any]:
        workspace = request.match_info["workspace_id"]
        runs = [each for each in self.runs.values() if each.body["workspaceId"] == workspace]
        made = runs[0].course.files if runs and runs[0].status == "completed" else {}
        files = [self._file(f"uploads/{name}", b"given") for name in self.attached.values()]
        return 200, {"files": files + [self._file(*each) for each in made.items()]}

    def _file(self, path: str, content: bytes) -> dict[str, Any]:
        key = path.replace("/", "-")
        self.stored[key] = content
        url = f"{self.url}/storage/{key}"
        return {"path": path, "size": len(content), "lastModified": now(), "url": url}

    async def _make_run(self, request: web.Request, body: Any) -> tuple[int, Any]:
        if body["workspaceId"] not in self.workspaces:
            return 404, {"detail": "Workspace not found"}
        if body.get("modelParams") and body.get("model") in self.without_params:
            return 422, {"detail": f"{body['model']} takes no modelParams"}
        if self.at_work >= self.concurrency:
            return 429, {"detail": "Too many concurrent active sessions. Please wait."}
        browser = _Browser(new_id(), bool(body["browserSettings"]["record"]))
        run = _Run(body, self.course_of(body["task"]), browser, unseen=self.unseen)
        self.runs[run.id] = run
        given = body.get("attachedFileIds") or ()
        found = self.uploads.keys() - self.lost
        missing = [each for each in given if self.attached.get(each) not in found]
        self.paid[body["task"]] += 1
        return 200, {
            "id": run.id,
            "status": run.status,
            "model": body.get("model", "minimax-m3"),
            "sessionId": browser.session_id,
            "workspaceId": body["workspaceId"],
            "eventsUrl": f"/runs/{run.id}/events",
            "missingFileIds": [*missing, *self.strange],
        }

    async def _list_runs(self, request: web.Request, body: Any) -> tuple[int, Any]:
        limit, start = int(request.query["limit"]), int(request.query.get("cursor", "0"))
        seen = []
        for each in reversed(self.runs.values()):
            each.unseen -= 1
            if each.unseen < 0:
                seen.append(each)
        rows = [_summary(each) for each in seen[start : start + limit]]
        has_more = start + limit < len(seen)
        cursor = str(start + limit) if has_more else None
        return 200, {"runs": rows, "hasMore": has_more, "nextCursor": cursor}

    async def _show_run(self, request: web.Request, body: Any) -> tuple[int, Any]:
        run = self._seen(request)
        return _MISSING if run is None else (200, _summary(run))

    async def _show_status(self, request: web.Request, body: Any) -> tuple[int, Any]:
        run = self._seen(request)
        return _MISSING if run is None else (200, {"status": run.status})

    async def _list_events(self, request: web.Request, body: Any) -> tuple[int, Any]:
        run = self._seen(request)
        if run is None:
            return _MISSING
        after = int(request.query["after"])
        if after >= len(run.events):
            self._go_on(run)
        news = run.events[after : after + _PAGE]
        return 200, {
            "events": news,
            "hasMore": after + _PAGE < len(run.events),
            "nextAfter": news[-1]["id"] if news else None,
        }

    async def _cancel(self, request: web.Request, body: Any) -> tuple[int, Any]:
        run = self._seen(request)
        if run is None:
            return _MISSING
        self.cancel(run.id)
        return 200, _summary(run)

    async def _share(self, request: web.Request, body: Any) -> tuple[int, Any]:
        session = request.match_info["session_id"]
        return 200, {
            "id": new_id(),
            "shareToken": session,
            "sessionId": session,
            "isActive": True,
            "viewCount": 0,
            "createdAt": now(),
            "shareUrl": f"{self.url}/share/{session}",
        }

    async def _list_browsers(self, request: web.Request, body: Any) -> tuple[int, Any]:
        wanted = request.query["agentSessionId"]
        browsers = [each.browser for each in self.runs.values()]
        items = [self._browser(each) for each in browsers if each.session_id == wanted]
        listed = [{**each, "recordingUrl": None} for each in items]
        page = {"items": listed, "totalItems": len(items), "pageNumber": 1, "pageSize": 100}
        return 200, page

    async def _show_browser(self, request: web.Request, body: Any) -> tuple[int, Any]:
        return 200, self._browser(self._browser_of(request))

    async def _stop_browser(self, request: web.Request, body: Any) -> tuple[int, Any]:
        self._browser_of(request).status = "stopped"
        return await self._show_browser(request, None)

    async def _list_downloads(self, request: web.Request, body: Any) -> tuple[int, Any]:
        return 200, {"files": [self._file("bill.pdf", b"%PDF")]}

    def _browser_of(self, request: web.Request) -> _Browser:
        wanted = request.match_info["session_id"]
        return next(each.browser for each in self.runs.values() if each.browser.id == wanted)

    def _browser(self, browser: _Browser) -> dict[str, Any]:
        is_filmed = browser.is_filmed and browser.status == "stopped"
        return {
            "id": browser.id,
            "status": browser.status,
            "timeoutAt": now(),
            "startedAt": now(),
            "agentSessionId": browser.session_id,
            "proxyCost": "0.006",
            "browserCost": "0.001",
            "recordingUrl": f"{self.url}/storage/film.mp4" if is_filmed else None,
        }

    def _seen(self, request: web.Request) -> _Run | None:
        run = self.runs.get(request.match_info["run_id"])
        if run is None:
            return None
        run.unseen -= 1
        return run if run.unseen < 0 else None

    def _go_on(self, run: _Run) -> None:
        if run.is_over:
            return
        run.looks += 1
        if run.looks == 1:
            run.status = "running"
            live = f"https://live.example/{run.browser.session_id}"
            run.add_event("browser.ready", live_view_url=live)
        if run.looks > 1 and Decimal(run.course.cost) > run.bound:
            run.status, run.error = self.end_at_bound, self.words_at_bound
            run.add_event(f"run.{run.status}")
        elif run.looks > run.course.looks >= 0:
            run.status = run.course.outcome or "completed"
            run.error = run.course.reason or None
            if not self.has_late_events:
                run.add_event(f"run.{run.status}")
        else:
            run.add_event("agent.thought", text=f"Goal {run.looks}", url="https://shop.example/")
            run.add_event("something.new", figures=[1])


def _summary(run: _Run) -> dict[str, Any]:
    is_done = run.status == "completed"
    return {
        "id": run.id,
        "task": run.body["task"],
        "title": None,
        "model": run.body.get("model", "minimax-m3"),
        "modelParams": run.body.get("modelParams"),
        "contextLimit": 1,
        "status": run.status,
        "result": run.course.output if is_done else None,
        "output": {"answer": 42} if is_done and "outputSchema" in run.body else None,
        "error": run.error,
        "sessionId": run.browser.session_id,
        "workspaceId": run.body["workspaceId"],
        "totalInputTokens": 1,
        "totalOutputTokens": 1,
        "totalCostUsd": run.cost,
        "createdAt": run.created_at,
        "updatedAt": now(),
    }
