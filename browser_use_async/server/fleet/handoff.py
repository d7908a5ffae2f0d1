"""Live pages of tasks that another server of the fleet carries out.

Servers do not forward requests: the person's browser is redirected to the server of the task, by a
link that is valid for one minute and for that server only.
"""

from typing import Literal

import attrs
from aiohttp import web
from yarl import URL

from browser_use_async.server.pages import ended_page
from browser_use_async.server.pages.links import LinkFault, Links
from browser_use_async.server.storage import TaskRecord, TaskStore
from browser_use_async.server.storage.shared_database import Nodes

Page = Literal["live", "share"]

_NO_ADDRESS = (
    "Server {worker} carries this task out and was started without --node-url: its browser cannot "
    "be shown or used here."
)
_ANOTHER_SERVER = (
    "Server {worker} carries this task out: load this page again to see and use its browser there."
)
_EXPIRED = "The link from one server to another was good for a minute; open the task's page again."
_ALTERED = (
    "This link was altered, or the link of the task was taken back, or the --node-url of the "
    "server that carries the task out leads to another server."
)


@attrs.frozen
class Elsewhere:
    """Another server has the browser of a task."""

    url: str | None  # the signed link to the page there, or None if that server has no address
    notice: str  # a sentence for people about this


@attrs.frozen(eq=False, repr=False)
class Handoff:
    """Redirects people to the server of a task, and accepts people from other servers."""

    _nodes: Nodes  # where the servers are reached
    _links: Links  # signs the links, under the key that all servers share
    _worker: str  # the id of this server
    # A further address of this server for people's browsers, if it has one
    own_url: str | None

    async def elsewhere(self, record: TaskRecord, page: Page) -> Elsewhere | None:
        """Return the other server that has the browser of a task; None if no other has it."""
        worker = record.worker
        if record.status.is_terminal or worker is None or worker == self._worker:
            return None
        url = await self._nodes.url(worker)
        if url is None:
            return Elsewhere(None, _NO_ADDRESS.format(worker=worker[:8]))
        link = self._links.handoff_url(url, worker, record.id, page, _token(record, page))
        return Elsewhere(link, _ANOTHER_SERVER.format(worker=worker[:8]))

    async def origins(self) -> list[str]:
        """Return the addresses of the servers to which people may be redirected."""
        return sorted({str(URL(node.url).origin()) for node in await self._nodes.all() if node.url})

    def add_route(self, application: web.Application, tasks: TaskStore) -> None:
        """Add the route for people from other servers; a signature authenticates them."""

        async def receive(request: web.Request) -> web.Response:
            page, task_id = request.match_info["page"], request.match_info["task_id"]
            home = f"{self._links.url}/"
            record = await tasks.of_any_owner(id=task_id)
            # Of now: who has a link from before a removal must not get the token from after it.
            token = "" if record is None else _token(record, page)
            signed = ("handoff", self._worker, task_id, page, token)
            fault = self._links.fault(request.query, *signed)
            if fault is LinkFault.EXPIRED:
                return ended_page(410, _EXPIRED, home)
            # No server signs a link to a page that has no token.
            if fault is not None or not token:
                return ended_page(403, _ALTERED, home)
            return redirect(f"/{page}/{token}")

        path = "/handoff/{page:live|share}/{task_id}"
        application.router.add_get(path, receive, name="handoff_page")


def _token(record: TaskRecord, page: str) -> str:
    return (record.live_token if page == "live" else record.share_token) or ""


def redirect(url: str) -> web.Response:
    """Redirect the browser to another address, which is a secret."""
    headers = {"Location": url, "Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
    return web.Response(status=303, headers=headers)
