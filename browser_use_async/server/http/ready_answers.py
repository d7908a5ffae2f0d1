"""A cache of answers as bytes, kept while the same bytes would be made again."""

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from functools import cached_property
from weakref import WeakValueDictionary

from aiohttp import hdrs, web

from browser_use_async.server.loops import BackgroundTasks

# The most bytes of all answers that are kept.
MOST_BYTES = 4 * 1024 * 1024

_TURN_SECONDS = 1.0  # for which an answer waits for the previous one
_OVERHEAD = 512  # bytes for the objects around an answer
_TAG_LENGTH = 32
_ANY = "*"


class Ready:
    """An answer of JSON.

    Attributes:
        body: Its bytes.
        version: That of what it was made of, or None.
    """

    def __init__(self, body: bytes, version: int | None = None) -> None:
        self.body = body
        self.version = version

    @cached_property
    def tag(self) -> str:
        """The entity tag of these bytes, the same on each server of a fleet."""
        return hashlib.sha256(self.body).hexdigest()[:_TAG_LENGTH]


class ReadyAnswers:
    """The answers of one server, limited in memory: the least recently used ones are dropped."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Hashable, Ready] = OrderedDict()
        self._bytes = 0
        self._next: dict[Hashable, asyncio.Task[Ready]] = {}  # answers that are not begun yet
        self._begun: WeakValueDictionary[Hashable, asyncio.Task[Ready]] = WeakValueDictionary()
        self._tasks = BackgroundTasks("makes an answer for several clients at once")

    async def read(
        self, key: Hashable, version: int | None, make: Callable[[], Awaitable[bytes]]
    ) -> Ready:
        """The answer with a key; it is made unless there is one of this version.

        Without versions it is made for all together that ask for it before that is begun.
        """
        if version is None:
            if key not in self._next:
                making = self._make(key, make, self._begun.get(key))
                self._next[key] = self._tasks.start(making)
            # It serves all of them, and each may be cancelled.
            return await asyncio.shield(self._next[key])
        ready = self._kept.get(key)
        if ready is not None and ready.version == version:
            self._kept.move_to_end(key)
            return ready
        ready = Ready(await make(), version)
        self._keep(key, ready)
        return ready

    async def aclose(self) -> None:
        """Cancel the answers that are being made."""
        await self._tasks.aclose()

    async def _make(
        self,
        key: Hashable,
        make: Callable[[], Awaitable[bytes]],
        begun: "asyncio.Task[Ready] | None",
    ) -> Ready:
        if begun is not None:
            # So that many share this one. While the database is unreachable, it must not wait long.
            await asyncio.wait([begun], timeout=_TURN_SECONDS)
        # Later requests may have seen a change that this answer does not contain.
        self._begun[key] = self._next.pop(key)
        return Ready(await make())

    def _keep(self, key: Hashable, ready: Ready) -> None:
        body = ready.body
        if len(body) > MOST_BYTES // 4:
            return
        if (old := self._kept.pop(key, None)) is not None:
            self._bytes -= len(old.body) + _OVERHEAD
        self._kept[key] = ready
        self._bytes += len(body) + _OVERHEAD
        while self._bytes > MOST_BYTES:
            _, oldest = self._kept.popitem(last=False)
            self._bytes -= len(oldest.body) + _OVERHEAD


def ready_response(
    request: web.BaseRequest, ready: Ready, headers: dict[str, str] | None = None
) -> web.Response:
    """Return a response of JSON, or 304 without a body to a client that has it."""
    headers = {**(headers or {}), "ETag": f'"{ready.tag}"'}
    if hdrs.IF_NONE_MATCH in request.headers:
        known = {each.value for each in request.if_none_match or ()}
        if known & {ready.tag, _ANY}:
            return web.Response(status=304, headers=headers)
    headers[hdrs.CONTENT_TYPE] = "application/json"
    return web.Response(body=ready.body, headers=headers)
