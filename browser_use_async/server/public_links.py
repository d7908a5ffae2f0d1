"""Making and taking back the public page of a task that was created with or without one."""

from aiohttp import web

from browser_use_async.server.backend import Backend
from browser_use_async.server.keys.authorization import Authorization, Call
from browser_use_async.server.operations.tasks import find_task
from browser_use_async.server.responses import RefusalError, json_response

_EXPIRED = "The pages of this task can be looked at no longer: it ended too long ago"
_ELSEWHERE = (
    "The service that carried this task out has its public page, and it is taken back there"
)


def add_public_links(
    application: web.Application, backend: Backend, authorization: Authorization
) -> None:
    """Add the routes, which need an API key with the scope `run`, of the task's owner."""

    async def share(request: web.Request, call: Call) -> web.Response:
        """Give a task a public page, which it keeps if it has one."""
        return await change(request, call, is_shared=True)

    async def unshare(request: web.Request, call: Call) -> web.Response:
        """Take the public page of a task away; the live page stays."""
        return await change(request, call, is_shared=False)

    async def change(request: web.Request, call: Call, *, is_shared: bool) -> web.Response:
        view = backend.of(call.key.name)
        record = await find_task(view, request.match_info["task_id"])
        if is_shared and view.links.has_expired(record):
            raise RefusalError(410, _EXPIRED)
        if record.remote is not None and record.remote.share_url is not None and not is_shared:
            raise RefusalError(409, _ELSEWHERE)
        await view.tasks.share(record.id, is_shared=is_shared)
        record = await find_task(view, record.id)
        return json_response({"public_share_url": view.links.share_url(record)})

    for method, name, handler in (
        ("PUT", "admin_share", share),
        ("DELETE", "admin_unshare", unshare),
    ):
        guarded = authorization.guard(name, handler)
        application.router.add_route(method, "/admin/shares/{task_id}", guarded, name=name)
