"""The rows of the API section Files."""

from browser_use_async.api.endpoint_table import Effect, Endpoint
from browser_use_async.types import UploadRequest, UploadUrl

__all__ = ["CREATE_UPLOAD_URL"]

# Asking for an upload URL creates nothing that lasts, so it may be repeated like a read.
CREATE_UPLOAD_URL = Endpoint(
    "upload_file_presigned_url",
    "POST",
    "/uploads/presigned-url",
    UploadUrl,
    Effect.READS,
    "Files",
    body=UploadRequest,
)
