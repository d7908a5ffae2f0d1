"""Raw HTTP for the tests of the server, as other clients send it."""

import json
from typing import Any

import aiohttp
import attrs
from multidict import CIMultiDictProxy
from yarl import URL

from browser_use_async.server import LocalServer
from browser_use_async.server.storage import TaskRecord
from tests.support.patience import until

__all__ = ["Answer", "Caller"]


@attrs.frozen
class Answer:
    """An answer.

    Attributes:
        status: The HTTP status.
        headers: The headers.
        body: The bytes.
    """

    status: int
    headers: CIMultiDictProxy[str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode("utf-8")

    @property
    def problem(self) -> dict[str, Any]:
        """The only problem of a 422."""
        assert self.status == 422, self.text
        (problem,) = self.json["detail"]
        return problem


class Caller:
    """Sends requests to one server, with its key unless another one is given."""

    def __init__(
        self, server: LocalServer, http: aiohttp.ClientSession, api_key: str | None = None
    ) -> None:
        self.server = server
        self._http = http
        self.api_key = api_key or server.api_key

    async def with_new_key(self, name: str, **fields: Any) -> "Caller":
        """A caller of the same server with a new key of its own."""
        answer = await self.post(f"{self.server.url}/admin/keys", json={"name": name, **fields})
        assert answer.status == 200, answer.text
        return Caller(self.server, self._http, answer.json["key"])

    async def ask(self, method: str, path: str, *, key: bool = True, **options: Any) -> Answer:
        """Make one request; a path without a host is one of the API, byte for byte as given."""
        url = path if path.startswith("http") else self.server.base_url + path
        headers = dict(options.pop("headers", None) or {})
        if key:
            headers.setdefault("Authorization", f"Bearer {self.api_key}")
        async with self._http.request(
            method, URL(url, encoded=True), headers=headers, **options
        ) as response:
            return Answer(response.status, response.headers, await response.read())

    async def get(self, path: str, **options: Any) -> Answer:
        """One GET."""
        return await self.ask("GET", path, **options)

    async def put(self, path: str, **options: Any) -> Answer:
        """One PUT."""
        return await self.ask("PUT", path, **options)

    async def post(self, path: str, **options: Any) -> Answer:
        """One POST."""
        return await self.ask("POST", path, **options)

    async def create(self, task: str = "Do it", **fields: Any) -> str:
        """Run a task; its id."""
        answer = await self.post("/run-task", json={"task": task, **fields})
        assert answer.status == 200, answer.text
        return answer.json["id"]

    async def task(self, task_id: str) -> Any:
        """The JSON of a task."""
        answer = await self.get(f"/task/{task_id}")
        assert answer.status == 200, answer.text
        return answer.json

    def stored(self, task_id: str) -> TaskRecord:
        """A task in the server's store."""
        record = self.server.store.task(task_id)
        assert record is not None
        return record

    async def reached(self, task_id: str, status: str, *, steps: int = 0) -> Any:
        """Wait until the server has a task in a status with this many steps; its JSON."""

        def has_reached() -> bool:
            record = self.stored(task_id)
            return record.status == status and len(record.steps) >= steps

        # Other clients poll too: the server has no state to wait for.
        await until(has_reached)
        return await self.task(task_id)
