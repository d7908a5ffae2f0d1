"""The rows of the API section Tasks."""

from typing import Any

from browser_use_async.api.endpoint_table import Effect, Endpoint
from browser_use_async.types import (
    Created,
    PageQuery,
    RunTaskRequest,
    Task,
    TaskId,
    TaskPage,
    TaskStatus,
)

__all__ = [
    "GET_TASK",
    "GET_TASK_STATUS",
    "LIST_TASKS",
    "PAUSE_TASK",
    "RESUME_TASK",
    "RUN_TASK",
    "STOP_TASK",
]


def _task(name: str, method: str, path: str, returns: Any, effect: Effect, **more: Any) -> Endpoint:
    return Endpoint(name, method, path, returns, effect, "Tasks", **more)


RUN_TASK = _task(
    "run_task", "POST", "/run-task", Created, Effect.CREATES, body=RunTaskRequest, subscription=True
)
STOP_TASK = _task("stop_task", "PUT", "/stop-task", None, Effect.IDEMPOTENT, query=TaskId)
PAUSE_TASK = _task("pause_task", "PUT", "/pause-task", None, Effect.SWITCHES, query=TaskId)
RESUME_TASK = _task("resume_task", "PUT", "/resume-task", None, Effect.SWITCHES, query=TaskId)
GET_TASK = _task(
    "get_task",
    "GET",
    "/task/{task_id}",
    Task,
    Effect.READS,
    parameters=TaskId,
    checks_identity=True,
)
GET_TASK_STATUS = _task(
    "get_task_status",
    "GET",
    "/task/{task_id}/status",
    TaskStatus,
    Effect.READS,
    parameters=TaskId,
)
LIST_TASKS = _task("list_tasks", "GET", "/tasks", TaskPage, Effect.READS, query=PageQuery)
