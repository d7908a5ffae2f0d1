"""The tasks of an imitated Cloud API v1, and its calls.

It is written from the API's specification, apart from the bundled server, and knows no network:
`FakeApi` answers for it over real sockets, and the worlds of `tests/proofs/world`, with machines
that crash, over a network in memory.
"""

import asyncio
import itertools
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

import attrs

from tests.support.fake_task import TERMINAL, FakeTask

__all__ = ["EPOCH", "PREFIX", "Answer", "Asked", "FakeService"]

EPOCH = datetime(2025, 1, 1, tzinfo=UTC)  # the service's time when the loop's clock shows 0
PREFIX = "/api/v1"

Answer = tuple[int, Any]
"""A status, and what JSON makes a body of."""

ListLies = Callable[[list[FakeTask]], tuple[list[FakeTask], int]]


@attrs.frozen
class Asked:
    """The content of a request.

    Attributes:
        route: `run`, `status`, `get`, `list`, `stop`, `pause`, `resume` or `ping`; empty for an
            unknown path.
        task_id: The task that it is about.
        query: The parameters of its URL.
        body: Its body.
    """

    route: str
    task_id: str | None = None
    query: Mapping[str, str] = attrs.field(factory=dict)
    body: Any = None

    @classmethod
    def parse(cls, method: str, target: str, body: bytes) -> Self:
        """Read the first line and the body of a request."""
        url = urlsplit(target)
        query = {name: values[-1] for name, values in parse_qs(url.query).items()}
        match method, url.path.removeprefix(PREFIX).strip("/").split("/"):
            case "POST", ["run-task"]:
                return cls("run", body=json.loads(body))
            case "GET", ["task", task_id, "status"]:
                return cls("status", task_id)
            case "GET", ["task", task_id]:
                return cls("get", task_id)
            case "GET", ["tasks"]:
                return cls("list", query=query)
            case "PUT", [("stop-task" | "pause-task" | "resume-task") as verb]:
                return cls(verb.removesuffix("-task"), query.get("task_id"))
            case "GET", ["ping"]:
                return cls("ping")
            case _:
                return cls("")


class FakeService:
    """The service, in the time of the loop.

    Attributes:
        epoch: The service's time when the loop's clock shows 0.
        tasks: By id, oldest first.
        by_job: By the pair `job` of their metadata.
        carried_out: The number of executed calls, by route.
        reported: The loop times of answers with the status of a task, by its id.
        next_tasks: The tasks that run-task creates, in this order; then those of `make`.
        make: Makes the task of a run-task body.
        name: Gives a task its id, given how many tasks there are; None keeps the task's own.
        list_lag: Seconds before the list shows a task, at least.
        rows_tell_metadata: Whether list rows carry metadata.
        list_lies: Gives the rows to list, and their number, for the true rows.
        page_lies: Gives the rows to show on a page for the true ones.
        page_limit: The largest page.
    """

    def __init__(self) -> None:
        self.epoch = EPOCH
        self.tasks: dict[str, FakeTask] = {}
        self.by_job: defaultdict[str, list[FakeTask]] = defaultdict(list)
        self.carried_out: Counter[str] = Counter()
        self.reported: defaultdict[str, list[float]] = defaultdict(list)
        self.next_tasks: list[FakeTask] = []
        self.make: Callable[[dict[str, Any]], FakeTask] = lambda _body: FakeTask()
        self.name: Callable[[int], str] | None = None
        self.list_lag = 0.0
        self.rows_tell_metadata = True
        self.list_lies: ListLies = lambda rows: (rows, len(rows))
        self.page_lies: Callable[[list[FakeTask]], list[FakeTask]] = lambda rows: rows
        self.page_limit = 100
        self._births = itertools.count()

    def add(self, task: FakeTask | None = None, *, aged: float = 0.0) -> FakeTask:
        """Let a task exist.

        Args:
            task: The task.
            aged: Seconds since its start.
        """
        task = FakeTask() if task is None else task
        task.born = asyncio.get_running_loop().time() - aged
        # No two of them are created in the same microsecond.
        number = next(self._births)
        task.created_at = self.epoch + timedelta(seconds=task.born, microseconds=number)
        self.tasks[task.id] = task
        if task.job is not None:
            self.by_job[task.job].append(task)
        return task

    def create(self, text: str, metadata: Mapping[str, str] | None = None) -> FakeTask:
        """Create the task of another client."""
        return self._run({"task": text, "metadata": metadata})

    def only_task(self) -> FakeTask:
        """The task that exists, if it is the only one."""
        (task,) = self.tasks.values()
        return task

    def listed(self) -> list[FakeTask]:
        """The tasks that the list shows, newest first."""
        now = asyncio.get_running_loop().time()
        return [
            task
            for task in reversed(self.tasks.values())
            if now - task.born >= max(task.listed_after, self.list_lag)
        ]

    def answer(self, asked: Asked) -> Answer:
        """Execute a call."""
        self.carried_out[asked.route] += 1
        match asked.route:
            case "run":
                return 200, {"id": self._run(asked.body).id}
            case "list":
                return 200, self._page(asked.query)
            case "ping":
                return 200, {}
            case "":
                return 404, {"detail": "Not Found"}
        task = self.tasks.get(asked.task_id or "")
        return (404, {"detail": "Task not found"}) if task is None else self._about(task, asked)

    def _about(self, task: FakeTask, asked: Asked) -> Answer:
        match asked.route:
            case "status":
                return 200, self._tell(task).status()
            case "get":
                return 200, self._tell(task).whole()
            case _ if task.status() in TERMINAL:
                return 400, {"detail": "Agent session already ended"}
            case "stop":
                task.stop()
            case route:
                task.overruled = "paused" if route == "pause" else None
        return 200, {}

    def _run(self, body: dict[str, Any]) -> FakeTask:
        task = self.next_tasks.pop(0) if self.next_tasks else self.make(body)
        if self.name is not None:
            task.id = self.name(len(self.tasks))
        task.task, task.metadata = body["task"], dict(body.get("metadata") or {})
        return self.add(task)

    def _tell(self, task: FakeTask) -> FakeTask:
        self.reported[task.id].append(asyncio.get_running_loop().time())
        return task

    def _page(self, query: Mapping[str, str]) -> dict[str, Any]:
        page = int(query.get("page", "1"))
        limit = min(int(query.get("limit", "10")), self.page_limit)
        rows, total = self.list_lies(self.listed())
        shown = self.page_lies(rows[(page - 1) * limit : page * limit])
        return {
            "tasks": [self.shown(self._tell(task)) for task in shown],
            "total_pages": -(-len(rows) // limit),
            "page": page,
            "limit": limit,
            "total_count": total,
        }

    def shown(self, task: FakeTask) -> object:
        """A task as a row of the list."""
        row = task.row()
        return row if self.rows_tell_metadata else {**row, "metadata": None}
