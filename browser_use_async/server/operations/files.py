"""The API section Files."""

import unicodedata

from browser_use_async.api.endpoint_table import CREATE_UPLOAD_URL
from browser_use_async.api.limits import content_type_of, is_supported_content_type
from browser_use_async.server.backend import Backend, operation
from browser_use_async.server.responses import RefusalError
from browser_use_async.types import UploadRequest, UploadUrl

_LONGEST_NAME = 255
# Names of devices on Windows, with any extension.
_RESERVED = frozenset(
    {
        "con",
        "prn",
        "aux",
        "nul",
        *(f"{port}{number}" for port in ("com", "lpt") for number in range(10)),
    }
)


@operation(CREATE_UPLOAD_URL)
def create_upload_url(backend: Backend, request: UploadRequest) -> UploadUrl:
    """Return a signed link for the upload of a file."""
    problem = _problem_of(request.file_name)
    if problem is not None:
        raise RefusalError(400, problem)
    # No header has a line break, which in the signature stands between two of its parts.
    is_supported = request.content_type.isprintable() and is_supported_content_type(
        request.content_type
    )
    if content_type_of(request.file_name) is None or not is_supported:
        raise RefusalError(400, "Unsupported content type")
    return UploadUrl(backend.links.upload_url(request.file_name, request.content_type))


def _problem_of(name: str) -> str | None:
    """Why a file name is invalid on some system, or None."""
    # In bytes, as file systems count.
    if len(name.encode("utf-8", "replace")) > _LONGEST_NAME:
        return f"The file name is longer than {_LONGEST_NAME} bytes"
    if any(character in '/\\:*?"<>|' for character in name):
        return "The file name holds a character that file systems do not take"
    if any(unicodedata.category(character).startswith("C") for character in name):
        return "The file name holds a control character"
    if name.startswith(".") or name != name.strip(" ."):
        return "The file name begins or ends with a dot or a space"
    if name.partition(".")[0].lower() in _RESERVED:
        return "The file name is reserved on some systems"
    return None
