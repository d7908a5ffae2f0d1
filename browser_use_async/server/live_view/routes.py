"""Routes of `/live/TOKEN` and `/share/TOKEN`, and of their WebSockets."""

import asyncio
from collections.abc import Generator, Hashable
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import get_args
from weakref import WeakSet

import attrs
from aiohttp import WSCloseCode, web

from browser_use_async.server.fleet.handoff import Page, redirect
from browser_use_async.server.http.access import origin_of
from browser_use_async.server.http.authorization import Authorization
from browser_use_async.server.http.errors import HttpError
from browser_use_async.server.http.places import Places
from browser_use_async.server.live_view.connection import LiveConnection
from browser_use_async.server.pages import ended_page, live_page, live_state
from browser_use_async.server.running_server import RunningServer
from browser_use_async.server.storage import TaskRecord
from browser_use_async.server.storage.progress import step_facts

_MAX_MESSAGE_BYTES = 64 * 1024
_HEARTBEAT_SECONDS = 20.0
# How many connections may watch one task, how many of them by its public link, and of these from
# one address: viewers of the public page must not keep the owner from the live one.
MAX_VIEWERS = 50
MAX_PUBLIC = 40
MAX_PUBLIC_OF_ADDRESS = 20

_NO_PAGE = (
    "No task has a page at this address. The address is incomplete, or it was taken back; the "
    "task's live_url or public_share_url says where the page is now."
)
_EXPIRED = (
    "The task ended too long ago for its page to be shown. With the API key its steps and "
    "its output still come from the API."
)


class Viewers:
    """The connections that watch each task, limited by task, link and address."""

    def __init__(self) -> None:
        self._all = Places(MAX_VIEWERS, "connections watch this task")
        self._public = Places(MAX_PUBLIC, "connections watch this task by its public link")
        self._of_address = Places(
            MAX_PUBLIC_OF_ADDRESS, "connections from your address watch this task"
        )

    @contextmanager
    def one_more(self, task_id: str, public_to: str | None) -> Generator[None]:
        """Count a connection until the end of the block.

        Args:
            task_id: The task that it watches.
            public_to: Whose it is, if it came by the public link.

        Raises:
            HttpError: As many as there may be watch it already.
        """
        keys: list[tuple[Places, Hashable]] = [(self._all, task_id)]
        if public_to is not None:
            keys += [(self._public, task_id), (self._of_address, (task_id, public_to))]
        for places, key in keys:
            if (reason := places.refusal(key)) is not None:
                raise HttpError(429, reason)
        with ExitStack() as stack:
            for places, key in keys:
                stack.enter_context(places.taken(key))
            yield


@attrs.frozen(eq=False, repr=False)
class _LinkRoutes:
    """The page and the WebSocket of one kind of link, whose token is the only authentication."""

    place: Page
    server: RunningServer
    authorization: Authorization
    viewers: Viewers
    sockets: WeakSet[web.WebSocketResponse]

    @property
    def may_steer(self) -> bool:
        return self.place == "live"

    async def find(self, token: str) -> TaskRecord | None:
        return await self.server.stores.tasks.of_any_owner(**{f"{self.place}_token": token})

    async def page(self, request: web.Request) -> web.Response:
        server, record = self.server, await self.find(request.match_info["token"])
        if record is None:
            return ended_page(404, _NO_PAGE)
        if server.links.has_expired(record):
            return ended_page(410, _EXPIRED)
        elsewhere = await server.handoff.elsewhere(record, self.place)
        if elsewhere is not None and elsewhere.url is not None:
            return redirect(elsewhere.url)
        facts = await step_facts(server.stores.database, record)
        return live_page(
            record,
            live_state(record, facts, tells_cost=self.may_steer)["steps"],
            server.links,
            may_steer=self.may_steer and not record.status.is_terminal,
            waits_for=server.runner.waits_for(record),
            notice="" if elsewhere is None else elsewhere.notice,
        )

    async def socket(self, request: web.Request) -> web.WebSocketResponse:
        server, token = self.server, request.match_info["token"]
        record = await self.find(token)
        if record is None:
            raise HttpError(404, "Not Found")
        if server.links.has_expired(record):
            raise HttpError(410, _EXPIRED)
        _check_origin(request, server.links.url, server.handoff.own_url or "")
        public_to = None if self.may_steer else self.authorization.client_of(request)
        with self.viewers.one_more(record.id, public_to):
            # Frames are compressed images already.
            response = web.WebSocketResponse(
                heartbeat=_HEARTBEAT_SECONDS, max_msg_size=_MAX_MESSAGE_BYTES, compress=False
            )
            await response.prepare(request)
            self.sockets.add(response)
            await LiveConnection(
                response,
                record,
                server.of(record.owner),
                self.place,
                partial(self.find, token),
            ).run()
        return response


def add_live_routes(
    application: web.Application, server: RunningServer, authorization: Authorization
) -> None:
    """Add the routes of live and public links, and of links from other servers."""
    viewers, sockets = Viewers(), WeakSet[web.WebSocketResponse]()
    for place in get_args(Page):
        routes = _LinkRoutes(place, server, authorization, viewers, sockets)
        path = f"/{place}/{{token}}"
        application.router.add_get(path, routes.page, name=f"{place}_page")
        application.router.add_get(f"{path}/socket", routes.socket, name=f"{place}_socket")

    # Open sockets would otherwise hold up the shutdown until its time limit.
    async def close_sockets(application: web.Application) -> None:
        closing = (each.close(code=WSCloseCode.GOING_AWAY) for each in [*sockets])
        await asyncio.gather(*closing, return_exceptions=True)

    application.on_shutdown.append(close_sockets)
    server.handoff.add_route(application, server.stores.tasks)


def _check_origin(request: web.Request, *urls: str) -> None:
    """Refuse connections from pages of other origins.

    A page that embeds the live page in a frame is allowed: the origin is that of the live page.
    """
    # Browsers do not apply the same-origin policy to WebSockets; they only send the origin.
    origin = request.headers.get("Origin")
    if origin is None:
        return  # not a browser
    # The host was checked before. Behind a proxy the browser says the public address.
    here = (f"{request.scheme}://{request.host}", *urls)
    if origin_of(origin) not in {origin_of(each) for each in here} - {None}:
        raise HttpError(403, "Only the pages of this server may connect")
