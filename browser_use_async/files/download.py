"""Downloads of a task's files: one output file, or all recordings or screenshots."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import ParamSpec, TypeVar

import attrs

from browser_use_async.api.tasks import TaskEndpoints
from browser_use_async.errors import FileTransferError, InvalidRequestError
from browser_use_async.files.destinations import refuse_taken, target_at
from browser_use_async.files.names import distinct, safe_name
from browser_use_async.files.progress import OnProgress, SharedProgress
from browser_use_async.files.transfer import Download, Wanted
from browser_use_async.transport.client import Transport
from browser_use_async.transport.signed_urls import SignedUrl

__all__ = ["Collection", "DownloadOptions", "Downloader"]

P = ParamSpec("P")
ResultT = TypeVar("ResultT")
Destination = str | os.PathLike[str]


@attrs.frozen
class DownloadOptions:
    """What a caller may say about a download."""

    max_bytes: int | None = None  # the largest size of one file, or None
    on_progress: OnProgress | None = None  # told after each chunk
    concurrency: int = 1  # how many files at once

    def __attrs_post_init__(self) -> None:
        for field in ("max_bytes", "concurrency"):
            value: object = getattr(self, field)
            whole = isinstance(value, int) and not isinstance(value, bool) and value > 0
            if not whole and (field, value) != ("max_bytes", None):
                raise InvalidRequestError(
                    f"{field} must be a whole number from 1, not {value!r}; nothing was sent",
                    field=field,
                )


@attrs.frozen
class Collection:
    """Files of a task that the API lists as signed URLs, without names."""

    task_id: str
    label: str  # what one of them is called
    suffix: str  # what its name ends in when its URL has none
    listing: Callable[[], Awaitable[Sequence[str]]]  # asks the API for the URLs

    async def urls(self) -> list[SignedUrl]:
        """The URLs, asked for anew."""
        return [SignedUrl(text) for text in await self.listing()]

    def names(self, urls: Sequence[SignedUrl]) -> list[str]:
        """A name for each, no two the same."""
        return distinct(
            safe_name(url.file_name, f"{self.label}-{number}.{self.suffix}")
            for number, url in enumerate(urls, 1)
        )


class Downloader:
    """Downloads files for a session."""

    options = DownloadOptions
    """What a caller may say; here too, so that a session loads it with the rest."""

    def __init__(self, transport: Transport, tasks: TaskEndpoints) -> None:
        self._transport = transport
        self._tasks = tasks

    async def output_file(
        self, task_id: str, file_name: str, destination: Destination, options: DownloadOptions
    ) -> Path:
        """Download one output file.

        Raises:
            BrowserUseError: The file cannot be had.
        """

        async def locate() -> SignedUrl:
            file = await self._tasks.get_output_file(task_id, file_name)
            return self._checked(task_id, SignedUrl(file.download_url))

        self._transport.bind()
        target = await _in_thread(task_id, target_at, destination, file_name, task_id)
        wanted = Wanted(
            task_id=task_id,
            label=f"output file {file_name!r}",
            target=target,
            url=await locate(),
            renew=locate,
            max_bytes=options.max_bytes,
            on_progress=options.on_progress,
        )
        return await Download(wanted, self._transport).run()

    async def media(
        self, task_id: str, destination: Destination, options: DownloadOptions
    ) -> list[Path]:
        """Download all recordings.

        Raises:
            BrowserUseError: A file cannot be had.
        """

        async def listing() -> Sequence[str]:
            return (await self._tasks.get_media(task_id)).recordings

        recordings = Collection(task_id, "recording", "mp4", listing)
        return await self._all(recordings, destination, options)

    async def screenshots(
        self, task_id: str, destination: Destination, options: DownloadOptions
    ) -> list[Path]:
        """Download all screenshots.

        Raises:
            BrowserUseError: A file cannot be had.
        """

        async def listing() -> Sequence[str]:
            return (await self._tasks.get_screenshots(task_id)).screenshots

        screenshots = Collection(task_id, "screenshot", "png", listing)
        return await self._all(screenshots, destination, options)

    async def _all(
        self, collection: Collection, destination: Destination, options: DownloadOptions
    ) -> list[Path]:
        self._transport.bind()
        urls = await collection.urls()
        for url in urls:
            self._checked(collection.task_id, url)
        targets = await _in_thread(
            collection.task_id, _targets, destination, collection.names(urls), collection.task_id
        )
        told = options.on_progress
        shared = None if told is None else SharedProgress(len(urls), told)
        downloads = [
            Download(
                Wanted(
                    task_id=collection.task_id,
                    label=f"{collection.label} {index + 1}",
                    target=target,
                    url=url,
                    renew=self._renewal(collection, index),
                    max_bytes=options.max_bytes,
                    on_progress=None if shared is None else shared.of(index),
                ),
                self._transport,
            )
            for index, (url, target) in enumerate(zip(urls, targets, strict=True))
        ]
        await _run(downloads, options.concurrency)
        return targets

    def _renewal(self, collection: Collection, index: int) -> Callable[[], Awaitable[SignedUrl]]:
        async def renew() -> SignedUrl:
            urls = await collection.urls()
            if index < len(urls):
                return self._checked(collection.task_id, urls[index])
            raise FileTransferError(
                f"task {collection.task_id} no longer lists {collection.label} {index + 1}",
                task_id=collection.task_id,
            )

        return renew

    def _checked(self, task_id: str, url: SignedUrl) -> SignedUrl:
        problem = self._transport.storage.problem_with(url)
        if problem is None:
            return url
        raise FileTransferError(
            f"the URL that the API gave for a file of task {task_id} is not used, because "
            f"{problem}; allow_insecure_http=True allows http:// in a network of yours",
            task_id=task_id,
        )


def _targets(destination: Destination, names: Sequence[str], task_id: str) -> list[Path]:
    directory = Path(destination)
    directory.mkdir(parents=True, exist_ok=True)
    targets = [directory / name for name in names]
    for target in targets:
        refuse_taken(target, task_id)
    return targets


async def _run(downloads: Sequence[Download], concurrency: int) -> None:
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
        failure = failures.exceptions[0]
    else:
        return
    raise failure


async def _in_thread(
    task_id: str, function: Callable[P, ResultT], *arguments: P.args, **options: P.kwargs
) -> ResultT:
    try:
        return await asyncio.to_thread(function, *arguments, **options)
    except (OSError, ValueError) as error:  # ValueError: a path with a NUL in it
        raise FileTransferError(
            f"files of task {task_id} cannot be written there: {error}", task_id=task_id
        ) from error
