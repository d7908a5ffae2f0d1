"""Files as the server's own page lists them: uploads, and what tasks have made."""

from collections.abc import Mapping
from typing import Any

import attrs

from browser_use_async.server.admin.task_overview import TaskWithFiles, latest_with_files
from browser_use_async.server.errors import NotFoundError
from browser_use_async.server.http.responses import Json
from browser_use_async.server.http.routes import admin_operation
from browser_use_async.server.keys.api_key import Scope
from browser_use_async.server.pages.links import Links
from browser_use_async.server.running_server import RunningServer
from browser_use_async.server.storage.files import Files
from browser_use_async.server.storage.rows import to_moment
from browser_use_async.types import FieldKind, FieldRule
from browser_use_async.types.base import ruled

_TASKS_WITH_FILES = 50  # in one answer


@attrs.frozen
class UploadName:
    """The upload that a call is about.

    Attributes:
        file_name: The name of the upload.
    """

    file_name: str = ruled(FieldRule(FieldKind.TEXT, required=True))


@admin_operation("admin_files", "GET /admin/files", Scope.READ)
async def show_files(server: RunningServer) -> Json:
    """Lists the uploads, and the files of the 50 latest tasks that made some."""
    tasks = await latest_with_files(server.stores.database, server.owner, _TASKS_WITH_FILES)
    uploads = [
        {"name": each.name, "size": each.size, "uploaded_at": to_moment(each.uploaded_at)}
        for each in await server.stores.uploads.all()
    ]
    keys = [key for each in tasks for key in each.files.values()]
    sizes = await Files(server.stores.database).sizes(keys)
    shown = [_files_as_json(each, server.links, sizes) for each in tasks]
    return Json(uploads=uploads, tasks=shown)


@admin_operation(
    "admin_delete_upload", "DELETE /admin/files/{file_name}", Scope.RUN, parameters=UploadName
)
async def delete_upload(server: RunningServer, path: UploadName) -> None:
    """Deletes an upload; tasks that are still to read it fail."""
    if not await server.stores.uploads.delete(path.file_name):
        raise NotFoundError("There is no upload of this name")


def _files_as_json(task: TaskWithFiles, links: Links, sizes: Mapping[str, int]) -> dict[str, Any]:
    return {
        "id": task.id,
        "task": task.task,
        "finished_at": to_moment(task.finished_at),
        "files": [
            {"name": name, "url": links.file_url(task.id, name), "size": sizes.get(key)}
            for name, key in task.files.items()
        ],
    }
