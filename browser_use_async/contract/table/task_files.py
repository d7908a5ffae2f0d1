"""The rows of the API section Tasks that are about files."""

from browser_use_async.api.endpoint_table import Effect, Endpoint
from browser_use_async.types import OutputFile, TaskFile, TaskId, TaskMedia, TaskScreenshots

__all__ = ["GET_TASK_MEDIA", "GET_TASK_OUTPUT_FILE", "GET_TASK_SCREENSHOTS"]

_TASKS = "Tasks"

GET_TASK_MEDIA = Endpoint(
    "get_task_media",
    "GET",
    "/task/{task_id}/media",
    TaskMedia,
    Effect.READS,
    _TASKS,
    parameters=TaskId,
)
GET_TASK_SCREENSHOTS = Endpoint(
    "get_task_screenshots",
    "GET",
    "/task/{task_id}/screenshots",
    TaskScreenshots,
    Effect.READS,
    _TASKS,
    parameters=TaskId,
)
GET_TASK_OUTPUT_FILE = Endpoint(
    "get_task_output_file",
    "GET",
    "/task/{task_id}/output-file/{file_name}",
    OutputFile,
    Effect.READS,
    _TASKS,
    parameters=TaskFile,
)
