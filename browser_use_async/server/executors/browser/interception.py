"""The egress policy for a remote browser: each request is paused and judged.

Its connections do not pass the proxy that other browsers have. So a name is judged by the addresses
that this server finds for it, which may not be those that the browser connects to.
"""

import contextlib
from collections.abc import Mapping
from typing import Any

import attrs
from playwright.async_api import Browser, BrowserContext, CDPSession, WebSocketRoute
from playwright.async_api import Error as PlaywrightError
from yarl import URL

from browser_use_async.server.egress import resolver
from browser_use_async.server.egress.policy import NOWHERE, Destination, EgressPolicy
from browser_use_async.server.egress.proxy import Upstream
from browser_use_async.server.loops import BackgroundTasks

_KEPT_NOTES = 500
_HARMLESS = frozenset({"about", "blob", "data"})


class RequestInterception:
    """Judges the requests of a task's pages, in frames, workers and redirects too."""

    def __init__(self) -> None:
        self._policy = NOWHERE
        self._lookups = resolver.NameLookups()
        self._session: CDPSession | None = None
        self._context_id = ""
        self._is_foreign: dict[str, bool] = {}
        self.notes = resolver.RefusalNotes()
        self._work = BackgroundTasks("answers a request of a page")

    def admit(self, policy: EgressPolicy, upstream: Upstream | None = None) -> None:
        """Apply the policy of a task; a remote browser has no proxy of the operator."""
        assert upstream is None
        # `localhost` in a task is this machine, and would be another one there.
        private = attrs.evolve(policy.private, named=frozenset())
        self._policy = attrs.evolve(policy, private=private)

    async def start(self, browser: Browser, context: BrowserContext, context_id: str) -> None:
        """Pause and judge all requests from now on; no page has asked for anything yet."""
        self._context_id = context_id
        await context.route_web_socket(lambda _: True, self._judge_socket)
        # In the browser's own session, which has the first request of a window, of a frame in
        # another process and of a worker, and each redirect. Playwright's `route` has not.
        self._session = await browser.new_browser_cdp_session()
        self._session.on("Fetch.requestPaused", self._paused)
        await self._session.send("Fetch.enable", {"patterns": [{"urlPattern": "*"}]})

    async def aclose(self) -> None:
        """Judge no more."""
        await self._work.aclose()

    def _paused(self, event: Mapping[str, Any]) -> None:
        self._work.start(self._answer(event))

    async def _answer(self, event: Mapping[str, Any]) -> None:
        session = self._session
        if session is None:
            return
        is_allowed = await self._is_others(session, event) or await self._allows(
            event["request"]["url"]
        )
        command, parameters = "Fetch.continueRequest", {"requestId": event["requestId"]}
        if not is_allowed:
            command, parameters["errorReason"] = "Fetch.failRequest", "BlockedByClient"
        with contextlib.suppress(PlaywrightError):  # the request or the browser has gone
            await session.send(command, parameters)

    async def _is_others(self, session: CDPSession, event: Mapping[str, Any]) -> bool:
        """Whether a request is of a page of another client of the same browser."""
        frame_id = str(event.get("frameId", ""))
        if frame_id and frame_id not in self._is_foreign:
            context_id = self._context_id
            # A frame in the process of its page has no target: it counts as this client's.
            with contextlib.suppress(PlaywrightError):
                answer = await session.send("Target.getTargetInfo", {"targetId": frame_id})
                context_id = answer["targetInfo"].get("browserContextId", context_id)
            if len(self._is_foreign) < _KEPT_NOTES:
                self._is_foreign[frame_id] = context_id != self._context_id
            return context_id != self._context_id
        return self._is_foreign.get(frame_id, False)

    async def _judge_socket(self, socket: WebSocketRoute) -> None:
        # A WebSocket is asked for like a page of the same host.
        if await self._allows(f"http{socket.url.removeprefix('ws')}"):
            socket.connect_to_server()
        else:
            with contextlib.suppress(PlaywrightError):
                await socket.close(code=1008)

    async def _allows(self, address: str) -> bool:
        scheme = address.partition(":")[0].lower()
        if scheme not in {"http", "https"}:
            return scheme in _HARMLESS
        try:
            destination = Destination.of(URL(address))
        except ValueError:
            return False
        place = destination.host, destination.port
        try:
            await resolver.judged_addresses(self._policy, self._lookups, destination)
        except resolver.EgressRefusedError as refused:
            self.notes.note(place, f"{refused}.", refused.refusal)
            return False
        except resolver.UnknownHostError as error:
            self.notes.note(place, f"{str(error)[:1].upper()}{str(error)[1:]}.")
            return False
        self.notes.forget(place)
        return True
