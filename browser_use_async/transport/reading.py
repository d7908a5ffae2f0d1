"""Reading a body without trust: bounded, and complete or an error.

aiohttp delivers half of a compressed stream as if it were whole, and expands 300 kB to 300 MB
when asked to decompress, so it is not asked.
"""

import zlib

from aiohttp import ClientResponse

__all__ = ["MAX_BODY", "UnreadableBodyError", "gunzip", "read_body"]

MAX_BODY = 32 * 1024 * 1024
"""The most bytes that a JSON body may have, before and after decompression."""

UNMEASURED = 2 * 1024 * 1024
"""As many bytes are decompressed at once; what is larger is measured first, and bombs refused."""

PIECE = 256 * 1024
"""Bytes that are held at a time while a body is measured."""


class UnreadableBodyError(Exception):
    """A body that is too large, truncated or of an encoding that was not asked for."""


async def read_body(response: ClientResponse, limit: int = MAX_BODY) -> bytes:
    """The whole decoded body.

    Args:
        response: A response whose session does not decompress.
        limit: The most bytes, before and after decompression.

    Raises:
        UnreadableBodyError: The body cannot be had whole.
    """
    chunks: list[bytes] = []
    size = 0
    content = response.content
    while not content.at_eof():
        chunk = await content.readany()
        size += len(chunk)
        if size > limit:
            raise UnreadableBodyError(f"the body is larger than {limit} bytes")
        chunks.append(chunk)
    body = chunks[0] if len(chunks) == 1 else b"".join(chunks)
    encoding = response.headers.get("Content-Encoding", "").strip().lower()
    if encoding in {"", "identity"}:
        return body
    if encoding == "gzip":
        return gunzip(body, limit)
    raise UnreadableBodyError("the body has a content encoding that was not asked for")


def gunzip(body: bytes, limit: int = MAX_BODY) -> bytes:
    """Decompress, whole or not at all.

    Args:
        body: A gzip stream.
        limit: The most bytes that may come out.

    Raises:
        UnreadableBodyError: The stream is damaged, truncated or expands beyond the limit.
    """
    decompressor = zlib.decompressobj(wbits=31)
    problem = None
    try:
        plain = decompressor.decompress(body, min(limit, UNMEASURED))
        if decompressor.unconsumed_tail and not _stays_within(decompressor, limit - len(plain)):
            problem = f"the body expands beyond {limit} bytes"
        else:
            plain += decompressor.decompress(decompressor.unconsumed_tail)
    except zlib.error:
        raise UnreadableBodyError("the gzip stream is damaged") from None
    if problem is None and not decompressor.eof:
        problem = "the gzip stream is truncated"
    elif decompressor.unused_data:
        problem = "the gzip stream has something behind its end"
    if problem is not None:
        raise UnreadableBodyError(problem)
    return plain


def _stays_within(decompressor: "zlib._Decompress", limit: int) -> bool:
    """Whether the rest of a stream has no more bytes than that. Keeps none of them."""
    rehearsal = decompressor.copy()
    left, rest = limit, decompressor.unconsumed_tail
    while rest and left >= 0:
        left -= len(rehearsal.decompress(rest, PIECE))
        rest = rehearsal.unconsumed_tail
    return left >= 0
