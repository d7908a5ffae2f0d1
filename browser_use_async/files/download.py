"""Downloads of a task's files: one output file, or all recordings or screenshots."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import ParamSpec, TypeVar

import attrs

from browser_use_async.api.tasks import TaskEndpoints
from browser_use_async.errors import FileTransferError, InvalidRequestError
from browser_use_async.files.names import check_replaceable, safe_name, target_path, unique_names
from browser_use_async.files.transfer import Download, DownloadSpec, OnProgress
from browser_use_async.transport.client import Transport
from browser_use_async.transport.signed_urls import SignedUrl

P = ParamSpec("P")
ResultT = TypeVar("ResultT")
Destination = str | os.PathLike[str]


@attrs.frozen
class DownloadOptions:
    """The options of a download."""

    max_bytes: int | None = None  # the largest size of one file, or None
    on_progress: OnProgress | None = None  # called after each chunk
    concurrency: int = 1  # how many files at once
    overwrite: bool = False  # whether files that are there may be replaced

    def __attrs_post_init__(self) -> None:
        for field in ("max_bytes", "concurrency"):
            value: object = getattr(self, field)
            # `bool` is a subclass of int, and max_bytes=True is a mistake.
            whole = isinstance(value, int) and not isinstance(value, bool) and value > 0
            if not whole and (field, value) != ("max_bytes", None):
                raise InvalidRequestError(
                    f"{field} must be a whole number from 1, not {value!r}; nothing was sent",
                    field=field,
                )


@attrs.frozen
class TaskFiles:
    """Files of a task that the API lists as signed URLs, without names."""

    task_id: str
    label: str  # the name of one of them in messages
    suffix: str  # of a file whose URL has no usable name
    listing: Callable[[], Awaitable[Sequence[str]]]  # requests the URLs from the API

    async def urls(self) -> list[SignedUrl]:
        """Newly signed URLs."""
        return [SignedUrl(text) for text in await self.listing()]

    def names(self, urls: Sequence[SignedUrl]) -> list[str]:
        """A name for each, no two the same."""
        return unique_names(
            safe_name(url.file_name, f"{self.label}-{number}.{self.suffix}")
            for number, url in enumerate(urls, 1)
        )


class SharedProgress:
    """Adds up the progress of several downloads for one callback."""

    def __init__(self, count: int, callback: OnProgress) -> None:
        self._received = [0] * count
        self._totals: list[int | None] = [None] * count
        self._callback = callback

    def callback_for(self, index: int) -> OnProgress:
        """The callback for one of the downloads."""

        def update(received: int, total: int | None) -> None:
            self._received[index] = received
            self._totals[index] = total
            known = [each for each in self._totals if each is not None]
            # A sum of the known sizes only would let the progress run backwards later.
            complete = len(known) == len(self._totals)
            self._callback(sum(self._received), sum(known) if complete else None)

        return update


class Downloader:
    """Downloads files for a session."""

    # Here too, so that a session loads the options with the rest of this module, on first use.
    options = DownloadOptions

    def __init__(self, transport: Transport, tasks: TaskEndpoints) -> None:
        self._transport = transport
        self._tasks = tasks

    async def output_file(
        self, task_id: str, file_name: str, destination: Destination, options: DownloadOptions
    ) -> Path:
        """Download one output file."""

        async def locate() -> SignedUrl:
            file = await self._tasks.get_output_file(task_id, file_name)
            return self._check_url(task_id, SignedUrl(file.download_url))

        # The destination is checked before the API is asked: then a mistake costs no request.
        self._transport.bind()
        target = await _to_thread(
            task_id, target_path, destination, file_name, task_id, overwrite=options.overwrite
        )
        spec = DownloadSpec(
            task_id=task_id,
            label=f"output file {file_name!r}",
            target=target,
            url=await locate(),
            renew=locate,
            max_bytes=options.max_bytes,
            overwrite=options.overwrite,
            on_progress=options.on_progress,
        )
        return await Download(spec, self._transport).run()

    async def media(
        self, task_id: str, destination: Destination, options: DownloadOptions
    ) -> list[Path]:
        """Download all recordings."""

        async def listing() -> Sequence[str]:
            return (await self._tasks.get_media(task_id)).recordings

        recordings = TaskFiles(task_id, "recording", "mp4", listing)
        return await self._all(recordings, destination, options)

    async def screenshots(
        self, task_id: str, destination: Destination, options: DownloadOptions
    ) -> list[Path]:
        """Download all screenshots."""

        async def listing() -> Sequence[str]:
            return (await self._tasks.get_screenshots(task_id)).screenshots

        screenshots = TaskFiles(task_id, "screenshot", "png", listing)
        return await self._all(screenshots, destination, options)

    async def _all(
        self, files: TaskFiles, destination: Destination, options: DownloadOptions
    ) -> list[Path]:
        self._transport.bind()
        urls = await files.urls()
        # All of them before any file is fetched: with a bad one nothing is written.
        for url in urls:
            self._check_url(files.task_id, url)
        targets = await _to_thread(
            files.task_id,
            _targets,
            *(destination, files.names(urls), files.task_id),
            overwrite=options.overwrite,
        )
        callback = options.on_progress
        shared = None if callback is None else SharedProgress(len(urls), callback)
        downloads = [
            Download(
                DownloadSpec(
                    task_id=files.task_id,
                    label=f"{files.label} {index + 1}",
                    target=target,
                    url=url,
                    renew=self._renewal(files, index),
                    max_bytes=options.max_bytes,
                    overwrite=options.overwrite,
                    on_progress=None if shared is None else shared.callback_for(index),
                ),
                self._transport,
            )
            for index, (url, target) in enumerate(zip(urls, targets, strict=True))
        ]
        await _run_all(downloads, options.concurrency)
        return targets

    def _renewal(self, files: TaskFiles, index: int) -> Callable[[], Awaitable[SignedUrl]]:
        async def renew() -> SignedUrl:
            # The API signs the whole list; its order identifies the files.
            urls = await files.urls()
            if index < len(urls):
                return self._check_url(files.task_id, urls[index])
            raise FileTransferError(
                f"task {files.task_id} no longer lists {files.label} {index + 1}",
                task_id=files.task_id,
            )

        return renew

    def _check_url(self, task_id: str, url: SignedUrl) -> SignedUrl:
        what = f"the URL that the API gave for a file of task {task_id}"
        return self._transport.storage.checked(url, what, task_id)


def _targets(
    destination: Destination, names: Sequence[str], task_id: str, *, overwrite: bool
) -> list[Path]:
    directory = Path(destination)
    directory.mkdir(parents=True, exist_ok=True)
    targets = [directory / name for name in names]
    for target in targets:
        check_replaceable(target, task_id, overwrite=overwrite)
    return targets


async def _run_all(downloads: Sequence[Download], concurrency: int) -> None:
    """Run downloads, some at a time; the first failure ends the others and is raised."""
    slots = asyncio.Semaphore(concurrency)

    async def one(download: Download) -> None:
        async with slots:
            await download.run()

    failure: BaseException
    try:
        async with asyncio.TaskGroup() as group:
            for download in downloads:
                group.create_task(one(download))
    except BaseExceptionGroup as failures:
        failure = failures.exceptions[0]  # it cancelled the others
    else:
        return
    # Raised here, because inside `except` it would show the group as its context.
    raise failure


async def _to_thread(
    task_id: str, function: Callable[P, ResultT], *arguments: P.args, **options: P.kwargs
) -> ResultT:
    try:
        return await asyncio.to_thread(function, *arguments, **options)
    except (OSError, ValueError) as error:  # ValueError: a path with a NUL in it
        raise FileTransferError(
            f"files of task {task_id} cannot be written there: {error}", task_id=task_id
        ) from error
