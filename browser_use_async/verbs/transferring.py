"""The verbs that move files."""

import os
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from browser_use_async.verbs.sections import Sections

if TYPE_CHECKING:
    from browser_use_async.files import Downloader, OnProgress, Source, Uploader

__all__ = ["FileVerbs"]


class FileVerbs(Sections):
    """Part of `BrowserUseSession`."""

    # Whoever moves no files does not pay for loading what moves them.

    @cached_property
    def _uploader(self) -> "Uploader":
        from browser_use_async.files import Uploader  # noqa: PLC0415

        return Uploader(self._transport, self.files)

    @cached_property
    def _downloader(self) -> "Downloader":
        from browser_use_async.files import Downloader  # noqa: PLC0415

        return Downloader(self._transport, self.tasks)

    async def upload_file(
        self, source: "Source", *, file_name: str | None = None, content_type: str | None = None
    ) -> str:
        """Upload a file for tasks to use. Free. API page: Upload File Presigned URL.

        The file is read once and whole, so that it may change meanwhile; sending the same bytes
        again after a fault is safe. An expired URL is renewed once.

        Args:
            source: A path, bytes, or a binary stream, of which the rest is read in a thread.
            file_name: Its name at the service; by default the source's own.
            content_type: One of `contract.file_types.CONTENT_TYPES`; by default the one that the
                name stands for.

        Returns:
            The name to put into `included_file_names`.

        Raises:
            UnsupportedFileError: Empty, above 10 MB, or of a type that the API does not take;
                nothing was sent.
            UnsafeFileNameError: The name would trouble a file system; nothing was sent.
            FileTransferError: It cannot be read, or the storage did not take it.
            BrowserUseError: The API gave no URL.
        """
        return await self._uploader.upload(source, file_name, content_type)

    async def download_output_file(
        self,
        task_id: str,
        file_name: str,
        destination: str | os.PathLike[str],
        *,
        max_bytes: int | None = None,
        on_progress: "OnProgress | None" = None,
    ) -> Path:
        """Download one file that a task made: whole, or not at all. Free.

        A cut connection is taken up where it broke, an expired URL is renewed, and a file that
        is there already is replaced when the new one is whole. What an interrupted download
        leaves ends in `.part`; the next one goes on with it. API page: Get Task Output File.

        Args:
            task_id: The task.
            file_name: One of `Task.output_files`.
            destination: A directory, if it exists or ends in a separator, else the file's own
                path. Directories are made.
            max_bytes: The largest size that is accepted, or None.
            on_progress: Called after each chunk with the bytes so far, which fall back to 0 when
                the file has to be started again, and the size, or None if it is not told. What it
                raises ends the download.

        Returns:
            The path of the file.

        Raises:
            UnsafeFileNameError: The name is not safe in a directory; nothing was sent.
            FileTransferError: The file cannot be had whole, or not be written.
            BrowserUseError: The API gave no URL.
        """
        options = self._downloader.options(max_bytes, on_progress)
        return await self._downloader.output_file(task_id, file_name, destination, options)

    async def download_media(
        self,
        task_id: str,
        destination: str | os.PathLike[str],
        *,
        concurrency: int = 4,
        max_bytes: int | None = None,
        on_progress: "OnProgress | None" = None,
    ) -> list[Path]:
        """Download all recordings of a completed task. Free. API page: Get Task Media.

        Each as `download_output_file` does it; the first that fails ends the others.

        Args:
            task_id: The task.
            destination: A directory; made if it is not there. Files are named after their URLs,
                made safe and distinct.
            concurrency: How many at once.
            max_bytes: The largest size of one file, or None.
            on_progress: Called after each chunk with the bytes of all files so far, and the sum
                of their sizes, or None until all are known.

        Returns:
            The paths, in the order of the API.

        Raises:
            FileTransferError: A file cannot be had whole, or not be written.
            BrowserUseError: The API gave no URLs.
        """
        options = self._downloader.options(max_bytes, on_progress, concurrency)
        return await self._downloader.media(task_id, destination, options)

    async def download_screenshots(
        self,
        task_id: str,
        destination: str | os.PathLike[str],
        *,
        concurrency: int = 4,
        max_bytes: int | None = None,
        on_progress: "OnProgress | None" = None,
    ) -> list[Path]:
        """Download all screenshots of a task, as `download_media` does recordings. Free.

        API page: Get Task Screenshots.

        Args:
            task_id: The task.
            destination: A directory; made if it is not there.
            concurrency: How many at once.
            max_bytes: The largest size of one file, or None.
            on_progress: As for `download_media`.

        Returns:
            The paths, in the order of the API.

        Raises:
            FileTransferError: A file cannot be had whole, or not be written.
            BrowserUseError: The API gave no URLs.
        """
        options = self._downloader.options(max_bytes, on_progress, concurrency)
        return await self._downloader.screenshots(task_id, destination, options)
