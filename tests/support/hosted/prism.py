"""Prism in front of the hosted API: it checks every call and answer by a published document."""

import asyncio
import json
from collections import Counter
from pathlib import Path
from types import TracebackType
from typing import Self

import aiohttp
from aiohttp import web

from tests.support.ports import free_port

_STARTED = b"Prism is listening"
_CONNECTION = frozenset(
    {"host", "connection", "content-encoding", "content-length", "transfer-encoding"}
)


class Prism:
    """Prism on a port of 127.0.0.1, and in front of it a relay that records Prism's findings.

    Prism answers at `/tasks`, where the hosted API has `/api/v4/tasks`.

    Args:
        program: The command of Prism.
        document: The OpenAPI document.
        upstream: Who answers, such as a fake; without one Prism makes up each answer.

    Attributes:
        version: The version of the API, by the name of the document.
        calls: How often each method was called, by the status of the answer.
        violations: What does not follow the document.
        demanded: The status that the next calls of a method and path get, if Prism answers itself.
    """

    def __init__(self, program: Path, document: Path, upstream: str | None = None) -> None:
        self.calls: Counter[str] = Counter()
        self.violations: list[str] = []
        self.demanded: dict[str, int] = {}
        self.url = ""
        self.version = document.stem
        self._port = free_port()
        self._upstream = upstream
        mode = ["mock", "--dynamic"] if upstream is None else ["proxy"]
        more = [] if upstream is None else [f"{upstream}/api/{self.version}"]
        self._command = [str(program), *mode, "--port", str(self._port), str(document), *more]
        self._process: asyncio.subprocess.Process | None = None
        self._http: aiohttp.ClientSession | None = None
        application = web.Application(client_max_size=64 * 1024 * 1024)
        application.router.add_route("*", f"/api/{self.version}/{{path:.*}}", self._relay)
        application.router.add_route("*", "/{path:.*}", self._pass)
        self._runner = web.AppRunner(application, shutdown_timeout=0.1)

    async def __aenter__(self) -> Self:
        self._process = await asyncio.create_subprocess_exec(
            *self._command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        assert self._process.stdout is not None
        async with asyncio.timeout(60):
            while _STARTED not in (line := await self._process.stdout.readline()):
                assert line, "Prism did not start"
        # Its log would fill the pipe and block it.
        self._reading = asyncio.create_task(_discard(self._process.stdout))
        self._http = aiohttp.ClientSession()
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
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
        assert self._http is not None
        await self._http.close()
        assert self._process is not None
        self._process.kill()
        await self._process.wait()
        await self._reading

    async def _relay(self, request: web.Request) -> web.Response:
        path = request.match_info["path"]
        operation = f"{request.method} /{path}"
        headers = dict[str, str]()
        if operation in self.demanded:
            headers["Prefer"] = f"code={self.demanded[operation]}, dynamic=true"
        answer = await self._send(request, f"http://127.0.0.1:{self._port}/{path}", headers)
        self.calls[f"{request.method} {answer.status}"] += 1
        found = json.loads(answer.headers.get("sl-violations", "[]"))
        if self._upstream is None:  # its own answers do not match patterns that look ahead
            found = [each for each in found if each["location"][0] == "request"]
        self.violations += [f"{operation} ({answer.status}): {each}" for each in found]
        return answer

    async def _pass(self, request: web.Request) -> web.Response:
        """Forward requests that are no calls, such as files behind a link."""
        if self._upstream is None:
            return web.Response(status=404)
        return await self._send(request, self._upstream + request.path, {})

    async def _send(self, request: web.Request, url: str, more: dict[str, str]) -> web.Response:
        given = {k: v for k, v in request.headers.items() if k.lower() not in _CONNECTION}
        content = await request.read()
        assert self._http is not None
        async with self._http.request(
            request.method, url, params=request.query, headers={**given, **more}, data=content
        ) as reply:
            kept = {k: v for k, v in reply.headers.items() if k.lower() not in _CONNECTION}
            return web.Response(status=reply.status, body=await reply.read(), headers=kept)


async def _discard(stream: asyncio.StreamReader) -> None:
    while await stream.read(65536):
        pass
