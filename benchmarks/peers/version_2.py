"""What the vendor's client asks of version 2 of the API, answered by the tests' fake service."""

from typing import Any

from tests.support.fake_service import Asked, FakeService

__all__ = ["answer", "created", "whole"]


def created(task_id: str) -> object:
    """The answer to the call that created a task."""
    return {"id": task_id, "sessionId": task_id}


def answer(service: FakeService, method: str, path: str) -> object:
    """Execute a call with this method and path."""
    task_id, _slash, what = path.removeprefix("/api/v2/tasks").strip("/").partition("/")
    if method == "POST":
        _status, made = service.answer(Asked("run", body={"task": "a task of version 2"}))
        return created(made["id"])
    _status, v1 = service.answer(Asked("status" if what else "get", task_id))
    if not what:
        return whole(v1)
    row = service.tasks[task_id].row()
    return {
        "id": task_id,
        "status": _status_of(v1),
        "output": row["output"],
        "finishedAt": row["finished_at"],
        "isSuccess": True if row["output"] else None,
        "cost": "0.05" if row["output"] else None,
    }


def _status_of(v1: str) -> str:
    return "started" if v1 == "running" else v1


def whole(v1: dict[str, Any]) -> dict[str, Any]:
    """A task of version 1, as version 2 writes it."""
    return {
        "id": v1["id"],
        "sessionId": v1["id"],
        "llm": "browser-use-llm",
        "task": v1["task"],
        "status": _status_of(v1["status"]),
        "createdAt": v1["created_at"],
        "startedAt": v1["created_at"],
        "finishedAt": v1["finished_at"],
        "metadata": v1["metadata"],
        "output": v1["output"],
        "outputFiles": [],
        "isSuccess": True,
        "steps": [
            {
                "number": step["step"],
                "memory": "",
                "evaluationPreviousGoal": step["evaluation_previous_goal"],
                "nextGoal": step["next_goal"],
                "url": step["url"],
                "screenshotUrl": None,
                "actions": [],
            }
            for step in v1["steps"]
        ],
    }
