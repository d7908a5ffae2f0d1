"""Requests and responses of the API section Files, and where the files of a task are."""

import attrs

from browser_use_async.types.base import FieldKind, FieldRule, Value, ruled
from browser_use_async.types.response import Response
from browser_use_async.types.secrets import hidden_url, hidden_urls
from browser_use_async.types.tasks import IDENTIFIER

_TEXT = FieldRule(FieldKind.TEXT, required=True, nullable=False, min_length=1)


@attrs.frozen(eq=False, repr=False)
class UploadRequest(Value):
    """The body of asking for an upload URL. API page: Upload File Presigned URL.

    Attributes:
        file_name: The name under which tasks will include the file.
        content_type: Its media type; the upload itself must carry the same.
    """

    file_name: str = ruled(_TEXT)
    content_type: str = ruled(_TEXT)


@attrs.define(eq=False, repr=False)
class UploadUrl(Response):
    """Where a file can be put.

    Attributes:
        upload_url: A signed URL that expires.
    """

    upload_url: str = attrs.field(repr=hidden_url)


@attrs.frozen(eq=False, repr=False)
class TaskFile(Value):
    """Which output file of which task a call is about."""

    task_id: str = ruled(IDENTIFIER)
    file_name: str = ruled(IDENTIFIER)


@attrs.define(eq=False, repr=False)
class TaskMedia(Response):
    """Recordings of a completed task. API page: Get Task Media.

    Attributes:
        recordings: Signed URLs that expire.
    """

    recordings: list[str] = attrs.field(factory=list, repr=hidden_urls)


@attrs.define(eq=False, repr=False)
class TaskScreenshots(Response):
    """Screenshots of a task. API page: Get Task Screenshots.

    Attributes:
        screenshots: Signed URLs of PNG files that expire.
    """

    screenshots: list[str] = attrs.field(factory=list, repr=hidden_urls)


@attrs.define(eq=False, repr=False)
class OutputFile(Response):
    """Where an output file can be fetched. API page: Get Task Output File.

    Attributes:
        download_url: A signed URL that expires.
    """

    download_url: str = attrs.field(repr=hidden_url)
