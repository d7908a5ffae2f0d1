"""Files behind signed links: screenshots and output files, served as object storage serves them."""

import hashlib
import mimetypes

from aiohttp import web

from browser_use_async.server.answers import storage_refusal
from browser_use_async.server.backend import Backend
from browser_use_async.server.byte_ranges import UnsatisfiableRangeError, byte_range

__all__ = ["download"]

# Files come from pages of the open web: shown alone, they must not run scripts on this origin.
_HARMLESS = {"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "sandbox"}


def download(backend: Backend, request: web.Request) -> web.Response:
    """Answer GET and HEAD of `/files/{task_id}/{file_name}`."""
    task_id, name = request.match_info["task_id"], request.match_info["file_name"]
    signature = request.query.get("signature", "")
    fault = backend.links.fault(task_id, name, request.query.get("expires", ""), signature)
    if fault is not None:
        return storage_refusal(403, fault.code, fault)
    content = backend.store.file(task_id, name)
    if content is None:
        return storage_refusal(404, "NoSuchKey", "The specified key does not exist.")
    return _content(content, name, request)


def _content(content: bytes, name: str, request: web.Request) -> web.Response:
    etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    headers = {**_HARMLESS, "ETag": etag, "Accept-Ranges": "bytes", "Content-Type": _type_of(name)}
    # A range of another version than the client has would not fit what it has.
    resumes = request.headers.get("If-Range", etag) == etag
    try:
        wanted = byte_range(request.headers.get("Range") if resumes else None, len(content))
    except UnsatisfiableRangeError:
        refusal = storage_refusal(416, "InvalidRange", "The requested range is not satisfiable")
        refusal.headers["Content-Range"] = f"bytes */{len(content)}"
        return refusal
    if wanted is None:
        return web.Response(body=content, headers=headers)
    headers["Content-Range"] = f"bytes {wanted.start}-{wanted.stop - 1}/{len(content)}"
    return web.Response(status=206, body=content[wanted.start : wanted.stop], headers=headers)


def _type_of(name: str) -> str:
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    return f"{kind}; charset=utf-8" if kind.startswith("text/") else kind
