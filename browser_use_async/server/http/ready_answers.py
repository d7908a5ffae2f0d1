"""Answers in the bytes in which they are sent, kept while the same bytes would be made again."""

import hashlib
from collections import OrderedDict
from collections.abc import Hashable
from functools import cached_property

from aiohttp import hdrs, web

# The most bytes of all answers that are kept.
MOST_BYTES = 4 * 1024 * 1024

_OVERHEAD = 512  # bytes for the objects around an answer
_TAG_LENGTH = 32
_ANY = "*"


class Ready:
    """An answer of JSON.

    Attributes:
        body: Its bytes.
        version: That of what it was made of, or None.
    """

    def __init__(self, body: bytes, version: int | None) -> None:
        self.body = body
        self.version = version

    @cached_property
    def tag(self) -> str:
        """What names these bytes, on each server of a fleet."""
        return hashlib.sha256(self.body).hexdigest()[:_TAG_LENGTH]


class ReadyAnswers:
    """The answers of one server, bounded in memory: those that were not asked for longest go."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._kept: OrderedDict[Hashable, Ready] = OrderedDict()
        self._bytes = 0

    def find(self, key: Hashable, version: int | None) -> Ready | None:
        """What is kept under a key, if nothing has changed since it was made."""
        ready = self._kept.get(key)
        if ready is None or ready.version != version:
            return None
        self._kept.move_to_end(key)
        return ready

    def keep(self, key: Hashable, version: int | None, body: bytes) -> Ready:
        """Make an answer, and keep it unless it has no version or takes much of the room."""
        ready = Ready(body, version)
        if version is None or len(body) > self._most_bytes // 4:
            return ready
        if (old := self._kept.pop(key, None)) is not None:
            self._bytes -= len(old.body) + _OVERHEAD
        self._kept[key] = ready
        self._bytes += len(body) + _OVERHEAD
        while self._bytes > self._most_bytes:
            _, oldest = self._kept.popitem(last=False)
            self._bytes -= len(oldest.body) + _OVERHEAD
        return ready


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
