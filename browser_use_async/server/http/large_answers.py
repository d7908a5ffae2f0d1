"""Large answers: each is written in pieces, and those of one owner are limited together."""

import io
from contextlib import AbstractContextManager

from aiohttp import hdrs, web

from browser_use_async.server.http.places import Places
from browser_use_async.server.http.responses import json_response

# From how many bytes on an answer is large.
LARGE_BYTES = 128 * 1024
# The most megabytes of large answers that the clients of one owner are reading.
MOST_OF_OWNER = 160

_MEGABYTE = 1024 * 1024


class LargeAnswers:
    """The large answers of one server that are under way, each of which is in memory."""

    def __init__(self) -> None:
        self._megabytes = Places(MOST_OF_OWNER, "MB of answers of this key are under way")

    def admit(self, owner: str, answer: web.Response) -> web.Response:
        """The answer, which counts for its owner while it is sent if it is large, or a refusal."""
        body = answer.body
        if not isinstance(body, bytes) or len(body) <= LARGE_BYTES:
            return answer
        megabytes = -(-len(body) // _MEGABYTE)
        if (reason := self._megabytes.refusal(owner, megabytes)) is not None:
            # No error, whose traceback would keep the large answer in memory.
            detail = f"{reason}; read one of them, then ask again"
            return json_response({"detail": detail}, 429, {hdrs.RETRY_AFTER: "1"})
        return _CountedAnswer(answer, self._megabytes.taken(owner, megabytes))


class _CountedAnswer(web.Response):
    def __init__(self, answer: web.Response, place: AbstractContextManager[None]) -> None:
        super().__init__(body=answer.body, status=answer.status, headers=answer.headers)
        self._place = place

    async def write_eof(self, data: bytes = b"") -> None:
        """Send it; it is counted until the client has taken it or has gone."""
        with self._place:
            await super().write_eof(data)


def in_pieces(answer: web.StreamResponse) -> io.BytesIO | None:
    """Let a large answer be written in pieces, each when the client has taken the ones before.

    Written at once, it would lie in the connection a second time until the client reads it.

    Returns:
        What to close once the answer is sent, or None for a small answer.
    """
    if not isinstance(answer, web.Response) or not isinstance(answer.body, bytes):
        return None
    if len(answer.body) <= LARGE_BYTES:
        return None
    answer.body = pieces = io.BytesIO(answer.body)  # which aiohttp writes like a file
    return pieces
