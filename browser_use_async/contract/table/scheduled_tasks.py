"""The rows of the API section Scheduled Tasks."""

from browser_use_async.api.endpoint_table import Effect, Endpoint
from browser_use_async.types import (
    Created,
    CreateScheduledTaskRequest,
    PageQuery,
    ScheduledTask,
    ScheduledTaskPage,
    TaskId,
    UpdateScheduledTaskRequest,
)

__all__ = [
    "CREATE_SCHEDULED_TASK",
    "DELETE_SCHEDULED_TASK",
    "GET_SCHEDULED_TASK",
    "LIST_SCHEDULED_TASKS",
    "UPDATE_SCHEDULED_TASK",
]

_SCHEDULES = "Scheduled Tasks"

LIST_SCHEDULED_TASKS = Endpoint(
    "list_scheduled_tasks",
    "GET",
    "/scheduled-tasks",
    ScheduledTaskPage,
    Effect.READS,
    _SCHEDULES,
    query=PageQuery,
)
CREATE_SCHEDULED_TASK = Endpoint(
    "create_scheduled_task",
    "POST",
    "/scheduled-task",
    Created,
    Effect.CREATES,
    _SCHEDULES,
    body=CreateScheduledTaskRequest,
    subscription=True,
)
GET_SCHEDULED_TASK = Endpoint(
    "get_scheduled_task",
    "GET",
    "/scheduled-task/{task_id}",
    ScheduledTask,
    Effect.READS,
    _SCHEDULES,
    parameters=TaskId,
    checks_identity=True,
)
UPDATE_SCHEDULED_TASK = Endpoint(
    "update_scheduled_task",
    "PUT",
    "/scheduled-task/{task_id}",
    ScheduledTask,
    Effect.IDEMPOTENT,
    _SCHEDULES,
    parameters=TaskId,
    body=UpdateScheduledTaskRequest,
    checks_identity=True,
)
DELETE_SCHEDULED_TASK = Endpoint(
    "delete_scheduled_task",
    "DELETE",
    "/scheduled-task/{task_id}",
    None,
    Effect.IDEMPOTENT,
    _SCHEDULES,
    parameters=TaskId,
)
