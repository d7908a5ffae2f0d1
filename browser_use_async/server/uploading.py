"""The place that signed upload links lead to; it answers as object storage does."""

import asyncio
import hashlib

from aiohttp import web

from browser_use_async.api.limits import MAX_FILE_BYTES
from browser_use_async.server.answers import storage_refusal
from browser_use_async.server.backend import Backend

__all__ = ["upload"]

_BODY_SECONDS = 60.0
"""How long the bytes of one file may take."""


async def upload(backend: Backend, request: web.Request) -> web.Response:
    """Answer PUT of `/uploads/{file_name}`."""
    name = request.match_info["file_name"]
    content_type = request.headers.get("Content-Type", "")
    expires, signature = request.query.get("expires", ""), request.query.get("signature", "")
    fault = backend.links.upload_fault(name, content_type, expires, signature)
    if fault is not None:
        return storage_refusal(403, fault.code, fault)
    content = await _body(request)
    if content is None:
        message = "Your proposed upload exceeds the maximum allowed size"
        refusal = storage_refusal(400, "EntityTooLarge", message)
        refusal.force_close()  # the rest of the body is not waited for
        return refusal
    if not content:
        return storage_refusal(400, "IncompleteBody", "The file is empty")
    backend.uploads.put(name, content)
    return web.Response(headers={"ETag": f'"{hashlib.md5(content).hexdigest()}"'})  # noqa: S324 - S3's


async def _body(request: web.Request) -> bytes | None:
    """The whole body, or None if it is larger than a file may be."""
    if (request.content_length or 0) > MAX_FILE_BYTES:
        return None
    content = bytearray()
    async with asyncio.timeout(_BODY_SECONDS):
        async for chunk in request.content.iter_any():
            content += chunk
            if len(content) > MAX_FILE_BYTES:
                return None
    return bytes(content)
