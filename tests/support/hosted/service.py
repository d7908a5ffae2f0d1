"""The common parts of the fakes of both versions: key, contract, faults, files, profiles."""

import asyncio
import json
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

import attrs
from aiohttp import web

from tests.support.hosted.contract import Contract

KEY = "bu_hosted_key_of_the_tests"
PNG = (
    b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x06\x00\x00\x00"
    b"\x1f\x15\xc4\x89\x00\x00\x00\rIDATx\x9cc\xf8\xff\xff?\x00\x05\xfe\x02\xfe\xdc\xccY\xe7"
    b"\x00\x00\x00\x00IEND\xaeB`\x82"
)

Handler = Callable[[web.Request, Any], Awaitable[tuple[int, Any]]]


@attrs.define
class Fault:
    """A fault of some calls of an operation.

    Attributes:
        operation: Its method and path in the document.
        status: The status of the answer; 0 breaks the connection off after the call had its effect,
            -1 before.
        body: The answer.
        headers: Its headers.
        times: How often.
    """

    operation: str
    status: int = 0
    body: Any = None
    headers: dict[str, str] = attrs.field(factory=dict)
    times: int = 1


@attrs.define
class Course:
    """The course of tasks whose text contains a word."""

    looks: int = 2  # at the task until it has ended; -1 never
    outcome: str = ""  # another last status than that of success
    reason: str = ""
    output: str = "Done there."
    files: dict[str, bytes] = attrs.field(factory=dict)
    cost: str = "0.034"


class HostedService:
    """A fake of one version on a port of 127.0.0.1. Violations of the contract are recorded.

    Attributes:
        faults: The faults.
        courses: The courses of tasks, by a word of their text; all others succeed soon.
        calls: How often each operation was called.
        paid: How many paid creates had their effect, by the text of the task.
        bodies: The bodies of the calls of each operation.
        violations: Calls and answers that do not follow the document.
        uploads: The content of the storage, by key.
        concurrency: How many tasks may be at work.
        credit: The balance of the account, in US dollars.
        held: Operations whose answers wait for an event, after the call had its effect.
    """

    version = ""

    def __init__(self) -> None:
        self.faults: list[Fault] = []
        self.courses: dict[str, Course] = {"Wait 30 seconds": Course(looks=-1)}
        self.calls: Counter[str] = Counter()
        self.paid: Counter[str] = Counter()
        self.bodies: dict[str, list[Any]] = {}
        self.violations: list[str] = []
        self.uploads: dict[str, bytes] = {}
        self.stored: dict[str, bytes] = {"shot.png": PNG, "film.mp4": b"film"}
        self.profiles: list[dict[str, Any]] = []
        self.concurrency = 10_000
        self.credit: Any = 12.34
        self.held: dict[str, asyncio.Event] = {}
        self.url = ""
        self._contract = Contract(self.version)
        self._application = web.Application(client_max_size=64 * 1024 * 1024)
        # Version 4 has no such call: the one of version 3 is called, whose document is the same.
        self._add("GET /billing/account", self._show_account, "v3" if self.version == "v4" else "")
        self._add("GET /profiles", self._find_profiles)
        self._add("POST /profiles", self._make_profile)
        self._add("PATCH /profiles/{profile_id}", self._rename_profile)
        self._add("DELETE /profiles/{profile_id}", self._delete_profile)
        self._application.router.add_get("/storage/{key}", self._download)
        self._application.router.add_get("/share/{session_id}", self._show_shared)
        self._application.router.add_route("*", "/uploads/{key}", self._upload)
        self._runner = web.AppRunner(self._application, shutdown_timeout=0.1)

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"
        return self

    async def __aexit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._runner.cleanup()

    def course_of(self, text: str) -> Course:
        """The course of a task."""
        return next((each for word, each in self.courses.items() if word in text), Course())

    def _add(self, operation: str, handler: Handler, version: str = "") -> None:
        method, _, path = operation.partition(" ")

        async def answer(request: web.Request) -> web.StreamResponse:
            return await self._answer(operation, request, handler)

        place = f"/api/{version or self.version}{path}"
        self._application.router.add_route(method, place, answer)

    async def _answer(
        self, operation: str, request: web.Request, handler: Handler
    ) -> web.StreamResponse:
        self.calls[operation] += 1
        if request.headers.get("X-Browser-Use-API-Key") != KEY:
            return _json(401, {"detail": "Invalid API key"})
        content = await request.read()
        body = json.loads(content) if content else None
        self.bodies.setdefault(operation, []).append(body)
        problems = self._contract.call_problems(operation, dict(request.query), body)
        if problems:
            self.violations += [f"{operation}: {each}" for each in problems]
            return _json(422, {"detail": problems})
        fault = self._fault(operation)
        if fault is not None and fault.status == -1:
            return await _break_off(request)
        if fault is not None and fault.status > 0:
            return _json(fault.status, fault.body, fault.headers)
        status, value = await handler(request, body)
        if status < 400:
            found = self._contract.answer_problems(operation, status, value)
            self.violations += [f"{operation} answers: {each}" for each in found]
        if operation in self.held:
            await self.held[operation].wait()
        if fault is not None:
            return await _break_off(request)
        if status == 204:
            return web.Response(status=204)
        return _json(status, value, {"X-RateLimit-Limit": "500"})

    def _fault(self, operation: str) -> Fault | None:
        for each in self.faults:
            if each.operation == operation and each.times > 0:
                each.times -= 1
                return each
        return None

    async def _show_account(self, request: web.Request, body: Any) -> tuple[int, Any]:
        names = ("Status", "Id", "CurrentPeriodEnd", "CanceledAt")
        plan = {"planName": "Pay as you go", **{f"subscription{each}": None for each in names}}
        return 200, {
            "totalCreditsBalanceUsd": self.credit,
            "monthlyCreditsBalanceUsd": 0,
            "additionalCreditsBalanceUsd": self.credit,
            "rateLimit": 25,
            "planInfo": plan,
            "projectId": new_id(),
        }

    async def _find_profiles(self, request: web.Request, body: Any) -> tuple[int, Any]:
        wanted = request.query.get("query", "")
        items = [each for each in self.profiles if wanted in each["name"]]
        page = {"items": items, "totalItems": len(items), "pageNumber": 1, "pageSize": 10}
        return 200, page

    async def _make_profile(self, request: web.Request, body: Any) -> tuple[int, Any]:
        self.profiles.append(
            {"id": new_id(), "name": body["name"], "createdAt": now(), "updatedAt": now()}
        )
        return 201, self.profiles[-1]

    async def _rename_profile(self, request: web.Request, body: Any) -> tuple[int, Any]:
        for each in self.profiles:
            if each["id"] == request.match_info["profile_id"]:
                each |= {"name": body["name"], "updatedAt": now()}
                return 200, each
        return 404, {"detail": "Profile not found"}

    async def _delete_profile(self, request: web.Request, body: Any) -> tuple[int, Any]:
        wanted = request.match_info["profile_id"]
        self.profiles = [each for each in self.profiles if each["id"] != wanted]
        return 204, None

    async def _download(self, request: web.Request) -> web.Response:
        return web.Response(body=self.stored[request.match_info["key"]])

    async def _show_shared(self, request: web.Request) -> web.Response:
        return web.Response(text="<title>A shared session</title>", content_type="text/html")

    async def _upload(self, request: web.Request) -> web.Response:
        key = request.match_info["key"]
        if request.method == "PUT":
            self.uploads[key] = await request.read()
            return web.Response(status=200)
        form = await request.post()
        file = form["file"]
        if form["policy"] != "signed" or not isinstance(file, web.FileField):
            return web.Response(status=403)
        self.uploads[key] = file.file.read()
        return web.Response(status=204)


def new_id() -> str:
    """An id."""
    return str(uuid.uuid4())


def now() -> str:
    """The time in the service's format."""
    return datetime.now(UTC).isoformat()


def _json(status: int, value: Any, headers: dict[str, str] | None = None) -> web.Response:
    return web.json_response(value, status=status, headers=headers)


async def _break_off(request: web.Request) -> web.StreamResponse:
    transport = request.transport
    if transport is not None:
        transport.abort()
    await asyncio.sleep(0)
    return web.Response()
