"""What the page of files asks: uploads, and what the latest tasks have made."""

from typing import Any

from aiohttp import web

from browser_use_async.server.backend import Backend
from browser_use_async.server.keys.authorization import Authorization, Call
from browser_use_async.server.responses import RefusalError, json_response
from browser_use_async.server.storage.task_reader import TaskWithFiles

_TASKS = 50


def add_file_overview(
    application: web.Application, backend: Backend, authorization: Authorization
) -> None:
    """Add the routes, which tell of the files of the key's owner."""

    async def show_files(_request: web.Request, call: Call) -> web.Response:
        """List the uploads, and the files of the 50 latest tasks that made some."""
        view = backend.of(call.key.name)
        tasks = await view.tasks.latest_with_files(_TASKS)
        uploads = [
            {"name": each.name, "size": each.size, "uploaded_at": each.uploaded_at}
            for each in await view.uploads.all()
        ]
        return json_response(
            {"uploads": uploads, "tasks": [_as_json(view, each) for each in tasks]}
        )

    async def delete_upload(request: web.Request, call: Call) -> web.Response:
        """Delete an upload; tasks that are still to read it fail."""
        if not await backend.of(call.key.name).uploads.delete(request.match_info["file_name"]):
            raise RefusalError(404, "There is no upload of this name")
        return json_response({})

    def add(method: str, path: str, name: str, handler: Any) -> None:
        guarded = authorization.guard(name, handler)
        application.router.add_route(method, path, guarded, name=name)

    add("GET", "/admin/files", "admin_files", show_files)
    add("DELETE", "/admin/files/{file_name}", "admin_delete_upload", delete_upload)


def _as_json(view: Backend, task: TaskWithFiles) -> dict[str, Any]:
    return {
        "id": task.id,
        "task": task.task,
        "finished_at": task.finished_at,
        "files": [
            {"name": name, "url": view.links.file_url(task.id, name)}
            for name in (*task.output_files, *task.recordings)
        ],
    }
