"""Downloads and uploads behind signed links, answered as object storage answers them."""

import asyncio
import hashlib
import mimetypes
import re

from aiohttp import web

from browser_use_async.api.limits import MAX_FILE_BYTES
from browser_use_async.server.http.file_answer import Downloads, FileAnswer
from browser_use_async.server.http.places import Places
from browser_use_async.server.http.responses import storage_error
from browser_use_async.server.pages.links import LinkFault
from browser_use_async.server.records import DEFAULT_OWNER
from browser_use_async.server.running_server import RunningServer
from browser_use_async.server.storage import TaskRecord
from browser_use_async.server.storage.files import (
    LinkUsedError,
    StoredFile,
    UploadsFullError,
    in_parts,
)
from browser_use_async.server.stores import find_file

_ONE_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.IGNORECASE | re.ASCII)

# Files come from pages of the open web: opened alone, they must not run scripts on this origin.
_HARMLESS = {"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "sandbox"}
# Uploads at once.
_MOST_ARRIVING = 50
_MOST_ARRIVING_OF_OWNER = 10
# Seconds for the body of one upload.
_BODY_SECONDS = 60.0
MOST_UPLOADED = 1024**3
"""The most bytes of all uploaded files together; one owner may have half of it."""


class UnsatisfiableRangeError(ValueError):
    """The range starts behind the end of the file."""


def byte_range(header: str | None, size: int) -> range | None:
    """Parse a `Range` header as far as resumed downloads use it; None stands for all bytes.

    Several ranges, other units and invalid headers stand for all bytes, as RFC 9110 allows.

    Raises:
        UnsatisfiableRangeError: There is no byte in the range.
    """
    match = _ONE_RANGE.fullmatch((header or "").strip())
    if match is None or match[1] == match[2] == "":
        return None
    if not match[1]:
        start, end = max(0, size - int(match[2])), size
    else:
        start = int(match[1])
        end = min(int(match[2]) + 1, size) if match[2] else size
        if match[2] and int(match[2]) < start:
            return None
    if start >= end:
        raise UnsatisfiableRangeError
    return range(start, end)


class FileRoutes:
    """Answers links to files, and counts the downloads and uploads that are under way."""

    def __init__(self, server: RunningServer) -> None:
        self._server = server
        self._downloads = Downloads()
        # Each upload is in memory.
        self._arriving = Places(
            _MOST_ARRIVING_OF_OWNER,
            "uploads of this owner are under way",
            _MOST_ARRIVING,
            "uploads are under way",
            favoured=DEFAULT_OWNER,
        )

    async def download(self, request: web.Request) -> web.StreamResponse:
        """Answer GET and HEAD of `/files/{task_id}/{file_name}`."""
        task_id, name = request.match_info["task_id"], request.match_info["file_name"]
        fault = self._server.links.fault(request.query, "file", task_id, name)
        if fault is not None:
            return storage_error(403, fault.code, fault)
        record = await self._server.stores.tasks.of_any_owner(id=task_id)
        found = None
        if record is not None:
            found = await find_file(self._server.stores.database, record, name)
        if record is None or found is None:
            return storage_error(404, "NoSuchKey", "The specified key does not exist.")
        return await self._content(request, record, name, found)

    async def upload(self, request: web.Request) -> web.Response:
        """Answer PUT of `/uploads/{file_name}`."""
        name = request.match_info["file_name"]
        content_type = request.headers.get("Content-Type", "")
        query = request.query
        use, owner = query.get("use", ""), query.get("owner", DEFAULT_OWNER)
        fault = self._server.links.fault(query, "upload", name, content_type, use, owner)
        if fault is not None:
            return storage_error(403, fault.code, fault)
        if (reason := self._arriving.refusal(owner)) is not None:
            refusal = _busy(reason)
            refusal.force_close()  # the body is not read
            return refusal
        with self._arriving.taken(owner):
            return await self._take(request, owner, use, int(query["expires"]))

    async def _content(
        self, request: web.Request, record: TaskRecord, name: str, found: StoredFile
    ) -> web.StreamResponse:
        size, etag = found.facts.size, f'"{found.facts.digest[:32]}"'
        headers = {**_HARMLESS, "ETag": etag, "Accept-Ranges": "bytes"}
        headers["Content-Type"] = _type_of(name)
        # If-Range: a range of another version would not fit the part that the client has.
        resumes = request.headers.get("If-Range", etag) == etag
        try:
            wanted = byte_range(request.headers.get("Range") if resumes else None, size)
        except UnsatisfiableRangeError:
            refusal = storage_error(416, "InvalidRange", "The requested range is not satisfiable")
            refusal.headers["Content-Range"] = f"bytes */{size}"
            return refusal
        status = 200 if wanted is None else 206
        if wanted is None:
            wanted = range(size)
        else:
            headers["Content-Range"] = f"bytes {wanted.start}-{wanted.stop - 1}/{size}"
        if request.method == "HEAD":
            headers["Content-Length"] = str(len(wanted))
            return web.Response(status=status, headers=headers)
        # Before it is counted: it may take a while, and a storage that fails is answered with 503.
        first = await found.read(next(in_parts(wanted), range(0)))
        owner, file = record.owner, (record.id, name)
        if (reason := self._downloads.refusal(owner, file)) is not None:
            return _busy(reason)
        place = self._downloads.one_more(owner, file)
        return FileAnswer(found.read, wanted, first, place, status=status, headers=headers)

    async def _take(self, request: web.Request, owner: str, use: str, expires: int) -> web.Response:
        name, content = request.match_info["file_name"], await _body(request)
        if content is None:
            message = "Your proposed upload exceeds the maximum allowed size"
            refusal = storage_error(400, "EntityTooLarge", message)
            refusal.force_close()  # the rest of the body is not read
            return refusal
        if not content:
            return storage_error(400, "IncompleteBody", "The file is empty")
        uploads = self._server.stores.uploads.of(owner)
        try:
            await uploads.check_room(name, len(content), MOST_UPLOADED)
            await uploads.put(name, content, MOST_UPLOADED, use, expires)
        except LinkUsedError:
            return storage_error(403, LinkFault.USED.code, LinkFault.USED)
        except UploadsFullError as error:
            return storage_error(507, "QuotaExceeded", str(error))
        # S3 uses the MD5 digest as the entity tag.
        return web.Response(headers={"ETag": f'"{hashlib.md5(content).hexdigest()}"'})  # noqa: S324 - S3's


def _busy(reason: str) -> web.Response:
    refusal = storage_error(503, "SlowDown", f"{reason}; try again when one has ended")
    refusal.headers["Retry-After"] = "1"
    return refusal


def _type_of(name: str) -> str:
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    return f"{kind}; charset=utf-8" if kind.startswith("text/") else kind


async def _body(request: web.Request) -> bytes | None:
    """The whole body, or None if it is larger than a file may be."""
    if (request.content_length or 0) > MAX_FILE_BYTES:
        return None
    content = bytearray()
    async with asyncio.timeout(_BODY_SECONDS):
        async for chunk in request.content.iter_any():
            content += chunk
            # Counted as well, because a chunked body has no Content-Length.
            if len(content) > MAX_FILE_BYTES:
                return None
    return bytes(content)
