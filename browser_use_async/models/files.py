"""Requests and responses of the API section Files."""

from typing import Any

import attrs

from browser_use_async.types.base import FieldKind, FieldRule, Record, Value, ruled
from browser_use_async.types.secrets import hidden_url

__all__ = ["UploadRequest", "UploadUrl"]

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
class UploadUrl(Record):
    """Where a file can be put.

    Attributes:
        upload_url: A signed URL that expires.
        extra: Fields that this version does not know.
    """

    upload_url: str = attrs.field(repr=hidden_url)
    extra: dict[str, Any] = attrs.field(factory=dict, repr=False)
