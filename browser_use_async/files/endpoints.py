"""The API section Files: its call, and whole uploads and downloads."""

import os
from pathlib import Path

from browser_use_async import types
from browser_use_async.api import endpoint_table as table
from browser_use_async.api.requests import build_request
from browser_use_async.api.section import Section
from browser_use_async.api.tasks import TaskEndpoints
from browser_use_async.files.download import Downloader
from browser_use_async.files.transfer import DownloadOptions, OnProgress
from browser_use_async.files.upload import Source, upload
from browser_use_async.transport.client import Transport


class FileEndpoints(Section):
    """`session.files`: whole uploads and downloads, and the call that they begin with."""

    def __init__(self, transport: Transport, tasks: TaskEndpoints) -> None:
        super().__init__(transport.call)
        self._transport = transport
        self._tasks = tasks

    async def create_upload_url(self, file_name: str, content_type: str) -> types.UploadUrl:
        """A signed URL to put a file at. Free. API page: Upload File Presigned URL.

        `upload` does the whole upload.

        Args:
            file_name: The name under which tasks will include the file.
            content_type: Its media type; the upload itself must carry the same.

        Raises:
            InvalidRequestError: An argument was refused; nothing was sent.
            BrowserUseError: The call did not succeed.
        """
        fields = {"file_name": file_name, "content_type": content_type}
        request = build_request(types.UploadRequest, fields)
        url: types.UploadUrl = await self._call(table.CREATE_UPLOAD_URL, None, request)
        return url

    async def upload(
        self, source: Source, *, file_name: str | None = None, content_type: str | None = None
    ) -> str:
        """Upload a file for tasks to use. Free. API page: Upload File Presigned URL.

        The file is read once and whole, so it may change during the upload. After a fault the
        same bytes are sent again, which is safe. An expired URL is renewed once.

        Args:
            source: A path, bytes, or a binary stream, which is read to its end in a thread.
            file_name: Its name at the service; by default the source's own.
            content_type: One of `api.limits.CONTENT_TYPES`; by default that of the name's ending.

        Returns:
            The name to put into `included_file_names`.

        Raises:
            UnsupportedFileError: The file is empty, above 10 MB, or of a type that the API does
                not accept; nothing was sent.
            UnsafeFileNameError: The name is not valid in file systems; nothing was sent.
            FileTransferError: It cannot be read, or the storage did not accept it.
            BrowserUseError: The API returned no URL.
        """
        return await upload(
            self._transport, self.create_upload_url, source, file_name, content_type
        )

    async def download_output_file(
        self,
        task_id: str,
        file_name: str,
        destination: str | os.PathLike[str],
        *,
        overwrite: bool = False,
        max_bytes: int | None = None,
        on_progress: OnProgress | None = None,
    ) -> Path:
        """Download one file that a task made: whole, or not at all. Free.

        A download continues where its connection broke, and an expired URL is renewed. Until it is
        whole, it is in a hidden file beside its place, which only a killed process leaves behind.
        API page: Get Task Output File.

        Args:
            task_id: The id of the task.
            file_name: One of `Task.output_files`.
            destination: A directory, if it exists or ends in a separator; else the path of the
                file. Missing directories are created.
            overwrite: Whether an existing file is replaced, once the new one is whole; without it
                an existing file is an error.
            max_bytes: The largest size that is accepted, or None.
            on_progress: Called after each chunk with the bytes so far, which fall back to 0 when
                the file has to be started again, and the size, or None if it is unknown. An
                exception that it raises ends the download.

        Returns:
            The path of the file.

        Raises:
            UnsafeFileNameError: The name is not safe in a directory; nothing was sent.
            FileTransferError: The file cannot be downloaded whole or written, or a file with its
                name exists.
            BrowserUseError: The API returned no URL.
        """
        options = DownloadOptions(max_bytes, on_progress, overwrite=overwrite)
        return await self._downloader(task_id, destination, options).output_file(file_name)

    async def download_media(
        self,
        task_id: str,
        destination: str | os.PathLike[str],
        *,
        concurrency: int = 4,
        overwrite: bool = False,
        max_bytes: int | None = None,
        on_progress: OnProgress | None = None,
    ) -> list[Path]:
        """Download all recordings of a completed task. Free. API page: Get Task Media.

        Each file as by `download_output_file`; the first failure ends the others.

        Args:
            task_id: The id of the task.
            destination: A directory; created if it is missing. Files get the names in their URLs,
                changed where needed to be safe and distinct.
            concurrency: How many at once.
            overwrite: Whether existing files are replaced; without it an existing file is an
                error, before any is downloaded.
            max_bytes: The largest size of one file, or None.
            on_progress: Called after each chunk with the bytes of all files so far, and the sum
                of their sizes, or None until all are known.

        Returns:
            The paths, in the order of the API.

        Raises:
            FileTransferError: A file cannot be downloaded whole or written, or exists already.
            BrowserUseError: The API returned no URLs.
        """
        options = DownloadOptions(max_bytes, on_progress, concurrency, overwrite)
        return await self._downloader(task_id, destination, options).media()

    async def download_screenshots(
        self,
        task_id: str,
        destination: str | os.PathLike[str],
        *,
        concurrency: int = 4,
        overwrite: bool = False,
        max_bytes: int | None = None,
        on_progress: OnProgress | None = None,
    ) -> list[Path]:
        """Download all screenshots of a task, as `download_media` does recordings. Free.

        Arguments, result and errors are those of `download_media`. API page: Get Task
        Screenshots.
        """
        options = DownloadOptions(max_bytes, on_progress, concurrency, overwrite)
        return await self._downloader(task_id, destination, options).screenshots()

    def _downloader(
        self, task_id: str, destination: str | os.PathLike[str], options: DownloadOptions
    ) -> Downloader:
        return Downloader(self._transport, self._tasks, task_id, destination, options)
