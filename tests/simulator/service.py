"""A model of the service: which tasks exist, and what each call shows of them at which time."""

import json
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import attrs

__all__ = ["EPOCH", "Answer", "Service", "ServiceTask"]

EPOCH = datetime(2025, 1, 1, tzinfo=UTC)  # the wall clock when the loop's shows 0
PREFIX = "/api/v1"

Answer = tuple[int, Any]


@attrs.define(eq=False)
class ServiceTask:
    """One task.

    Attributes:
        id: Its id.
        text: Its instructions.
        metadata: Its pairs.
        born: When it was created, in seconds of the loop.
        listed: When the list begins to show it.
        ends: When it finishes by itself.
        stopped: Whether it was stopped before.
    """

    id: str
    text: str
    metadata: dict[str, str]
    born: float
    listed: float
    ends: float
    stopped: bool = False

    @property
    def job(self) -> str | None:
        """The job that the worker created it for; tasks of other clients have none."""
        return self.metadata.get("job")


@attrs.define(eq=False)
class Service:
    """The tasks, and the calls that create, show and stop them.

    Attributes:
        now: The loop's clock.
        lag: Seconds before the list shows a new task, asked for each task.
        life: Seconds that a task runs, asked for each task.
        rows_have_metadata: Whether list rows carry metadata.
        tasks: By id, oldest first.
        carried_out: How many requests were carried out, by endpoint.
    """

    now: Callable[[], float]
    lag: Callable[[], float] = lambda: 0.0
    life: Callable[[], float] = lambda: 10.0
    rows_have_metadata: bool = True
    tasks: dict[str, ServiceTask] = attrs.field(factory=dict)
    carried_out: Counter[str] = attrs.field(factory=Counter)

    def create(self, text: str, metadata: dict[str, str]) -> ServiceTask:
        """Create a task.

        Args:
            text: Its instructions.
            metadata: Its pairs.
        """
        born = self.now()
        name = f"task-{len(self.tasks):06d}"
        task = ServiceTask(name, text, metadata, born, born + self.lag(), born + self.life())
        self.tasks[name] = task
        return task

    def carry_out(self, method: str, target: str, body: bytes) -> Answer:
        """Do what a request asks for.

        Args:
            method: Its method.
            target: Its path and query.
            body: Its body.

        Returns:
            A status and a body that JSON can hold.
        """
        url = urlsplit(target)
        query = {name: values[-1] for name, values in parse_qs(url.query).items()}
        match method, url.path.removeprefix(PREFIX).strip("/").split("/"):
            case "POST", ["run-task"]:
                self.carried_out["run-task"] += 1
                asked = json.loads(body)
                return 200, {"id": self.create(asked["task"], asked.get("metadata") or {}).id}
            case "GET", ["task", name, "status"]:
                return self._about(name, "get-task-status", self._status)
            case "GET", ["task", name]:
                return self._about(name, "get-task", lambda task: {**self._row(task), "steps": []})
            case "PUT", ["stop-task"]:
                return self._about(query.get("task_id", ""), "stop-task", self._stop)
            case "GET", ["tasks"]:
                self.carried_out["list-tasks"] += 1
                return 200, self._page(int(query.get("page", 1)), int(query.get("limit", 10)))
            case "GET", ["ping"]:
                return 200, {}
            case _:
                return 404, {"detail": "Not Found"}

    def _about(self, name: str, endpoint: str, show: Callable[[ServiceTask], Any]) -> Answer:
        self.carried_out[endpoint] += 1
        task = self.tasks.get(name)
        return (404, {"detail": "Task not found"}) if task is None else (200, show(task))

    def _stop(self, task: ServiceTask) -> Any:
        task.stopped = task.stopped or self.now() < task.ends
        return {}

    def _status(self, task: ServiceTask) -> str:
        if task.stopped:
            return "stopped"
        return "finished" if self.now() >= task.ends else "running"

    def _row(self, task: ServiceTask, *, listed: bool = False) -> dict[str, Any]:
        status = self._status(task)
        created_at = (EPOCH + timedelta(seconds=task.born)).isoformat()
        return {
            "id": task.id,
            "task": task.text,
            "status": status,
            "created_at": created_at,
            "output": "Done." if status == "finished" else None,
            "finished_at": None if status == "running" else created_at,
            "live_url": None,
            "metadata": None if listed and not self.rows_have_metadata else task.metadata,
        }

    def _page(self, page: int, limit: int) -> dict[str, Any]:
        now = self.now()
        rows = [task for task in reversed(self.tasks.values()) if task.listed <= now]
        shown = rows[(page - 1) * limit : page * limit]
        return {
            "tasks": [self._row(task, listed=True) for task in shown],
            "total_pages": -(-len(rows) // limit),
            "page": page,
            "limit": limit,
            "total_count": len(rows),
        }
