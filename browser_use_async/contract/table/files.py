"""The rows of the API section Files."""

from browser_use_async.contract.endpoint import Effect, Endpoint
from browser_use_async.models import UploadRequest, UploadUrl

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
