"""The API section Files, call by call."""

from browser_use_async.api import endpoint_table as table
from browser_use_async.api.requests import build_request
from browser_use_async.api.section import Section
from browser_use_async.types import UploadRequest, UploadUrl


class FileEndpoints(Section):
    """`session.files`: one method is one HTTP call."""

    async def create_upload_url(self, file_name: str, content_type: str) -> UploadUrl:
        """A signed URL to put a file at. Free. API page: Upload File Presigned URL.

        `session.upload_file` does the whole upload.

        Args:
            file_name: The name under which tasks will include the file.
            content_type: Its media type; the upload itself must carry the same.

        Raises:
            InvalidRequestError: An argument was refused; nothing was sent.
            BrowserUseError: The call did not succeed.
        """
        fields = {"file_name": file_name, "content_type": content_type}
        request = build_request(UploadRequest, fields)
        url: UploadUrl = await self._call(table.CREATE_UPLOAD_URL, None, request)
        return url
