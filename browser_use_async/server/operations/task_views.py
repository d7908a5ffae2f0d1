"""Tasks in the form in which the API tells about them."""

from typing import Any

from browser_use_async.api.converter import unstructure
from browser_use_async.server.links import Links
from browser_use_async.server.storage import TaskRecord
from browser_use_async.types import BrowserData, Task, TaskSummary

__all__ = ["task_summary", "task_view"]


def task_summary(record: TaskRecord, links: Links) -> TaskSummary:
    """A row of the task list."""
    return TaskSummary(
        id=record.id,
        task=record.task,
        status=record.status,
        created_at=record.created_at,
        output=record.output,
        finished_at=record.finished_at,
        live_url=links.live_page(record),
        metadata=record.metadata,
    )


def task_view(record: TaskRecord, links: Links) -> dict[str, Any]:
    """The whole task as JSON."""
    cookies = [dict(cookie) for cookie in record.cookies]
    view: dict[str, Any] = unstructure(
        Task(
            id=record.id,
            task=record.task,
            status=record.status,
            created_at=record.created_at,
            output=record.output,
            steps=record.steps,
            live_url=links.live_page(record),
            finished_at=record.finished_at,
            browser_data=BrowserData(cookies) if record.save_browser_data else None,
            output_files=record.output_files,
            public_share_url=links.share_page(record),
            metadata=record.metadata,
        )
    )
    # The SDK's model spares its users the null that stands here when nothing was uploaded.
    view["user_uploaded_files"] = record.included_file_names
    return view
