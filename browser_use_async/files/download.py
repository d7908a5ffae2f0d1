"""Downloads of a task's files: one output file, or all recordings or screenshots."""

import asyncio
import os
import re
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

import attrs

from browser_use_async.api.tasks import TaskEndpoints
from browser_use_async.errors import FileTransferError
from browser_use_async.files.names import check_replaceable, safe_name, target_path, unique_names
from browser_use_async.files.transfer import Download, DownloadOptions, OnProgress
from browser_use_async.transport.client import Transport
from browser_use_async.transport.signed_urls import SignedUrl
from browser_use_async.types import Screenshot

ResultT = TypeVar("ResultT")
# Requests newly signed URLs of all files of a kind.
Listing = Callable[[], Awaitable[Sequence[SignedUrl]]]


def shared_progress(count: int, callback: OnProgress) -> list[OnProgress]:
    """A callback for each of several downloads; one callback gets the sum of their progress."""
    received, totals = [0] * count, dict[int, int | None]()

    def update(index: int, so_far: int, total: int | None) -> None:
        received[index], totals[index] = so_far, total
        known = [each for each in totals.values() if each is not None]
        # A sum of only the known sizes would let the progress run backwards later.
        callback(sum(received), sum(known) if len(known) == count else None)

    return [partial(update, index) for index in range(count)]


@attrs.frozen
class Downloader:
    """Downloads files of one task."""

    _transport: Transport
    _tasks: TaskEndpoints
    _task_id: str
    _destination: str | os.PathLike[str]
    _options: DownloadOptions

    async def output_file(self, file_name: str) -> Path:
        """Download one output file."""

        async def locate() -> SignedUrl:
            file = await self._tasks.get_output_file(self._task_id, file_name)
            return self._checked(SignedUrl(file.download_url))

        # The destination is checked before the API is asked, so that a mistake costs no request.
        self._transport.bind()
        task_id, options = self._task_id, self._options
        path_of = partial(target_path, self._destination, file_name, task_id)
        target = await self._in_thread(partial(path_of, overwrite=options.overwrite))
        label, url = f"output file {file_name!r}", await locate()
        return await Download(self._transport, task_id, label, target, url, locate, options).run()

    async def media(self) -> list[Path]:
        """Download all recordings."""

        async def listing() -> Sequence[SignedUrl]:
            return [*map(SignedUrl, (await self._tasks.get_media(self._task_id)).recordings)]

        return await self._all("recording", "mp4", listing)

    async def screenshots(self) -> list[Path]:
        """Download all screenshots."""
        return await self._all("screenshot", "png", self._screenshots)

    async def screenshot(self, step: int | None) -> Screenshot:
        """Download the screenshot of one step, or the latest one, to the destination."""
        self._transport.bind()
        urls = await self._screenshots()
        index = len(urls) - 1 if step is None else _place_of(step, urls)
        if not 0 <= index < len(urls):
            what = "no screenshots" if not urls else f"no screenshot of step {step}"
            raise FileTransferError(
                f"task {self._task_id} has {what}; the service lists {len(urls)}",
                task_id=self._task_id,
            )
        url, label = self._checked(urls[index]), "screenshot"
        name = safe_name(url.file_name, f"{label}-{index + 1}.png")
        target = await self._in_thread(partial(self._targets, [name]))
        renew = self._renewal(label, index, self._screenshots)
        download = Download(
            self._transport, self._task_id, label, target[0], url, renew, self._options
        )
        path = await download.run()
        return Screenshot(name, await self._in_thread(path.read_bytes))

    async def _screenshots(self) -> Sequence[SignedUrl]:
        shots = await self._tasks.get_screenshots(self._task_id)
        return [*map(SignedUrl, shots.screenshots)]

    async def _all(self, label: str, suffix: str, listing: Listing) -> list[Path]:
        self._transport.bind()
        # All are checked before any file is downloaded: with a bad one nothing is written.
        urls = [self._checked(url) for url in await listing()]
        names = unique_names(
            safe_name(url.file_name, f"{label}-{number}.{suffix}")
            for number, url in enumerate(urls, 1)
        )
        targets = await self._in_thread(partial(self._targets, names))
        given = self._options.on_progress
        callbacks = None if given is None else shared_progress(len(urls), given)
        downloads = []
        for index, (url, target) in enumerate(zip(urls, targets, strict=True)):
            own = None if callbacks is None else callbacks[index]
            options = attrs.evolve(self._options, on_progress=own)
            name, renew = f"{label} {index + 1}", self._renewal(label, index, listing)
            downloads.append(
                Download(self._transport, self._task_id, name, target, url, renew, options)
            )
        await _run_all(downloads, self._options.concurrency)
        return targets

    def _renewal(
        self, label: str, index: int, listing: Listing
    ) -> Callable[[], Awaitable[SignedUrl]]:
        async def renew() -> SignedUrl:
            # The API signs the whole list; its order identifies the files.
            urls = await listing()
            if index < len(urls):
                return self._checked(urls[index])
            raise FileTransferError(
                f"task {self._task_id} no longer lists {label} {index + 1}", task_id=self._task_id
            )

        return renew

    def _checked(self, url: SignedUrl) -> SignedUrl:
        what = f"the URL that the API gave for a file of task {self._task_id}"
        return self._transport.storage.checked(url, what, self._task_id)

    def _targets(self, names: Sequence[str]) -> list[Path]:
        directory = Path(self._destination)
        directory.mkdir(parents=True, exist_ok=True)
        targets = [directory / name for name in names]
        for target in targets:
            check_replaceable(target, self._task_id, overwrite=self._options.overwrite)
        return targets

    async def _in_thread(self, work: Callable[[], ResultT]) -> ResultT:
        try:
            return await asyncio.to_thread(work)
        except (OSError, ValueError) as error:  # ValueError: a path with a NUL in it
            raise FileTransferError(
                f"files of task {self._task_id} cannot be written there: {error}",
                task_id=self._task_id,
            ) from error


async def screenshot_of(
    transport: Transport,
    tasks: TaskEndpoints,
    task_id: str,
    step: int | None,
    options: DownloadOptions,
) -> Screenshot:
    """One screenshot of a task in memory: of a step, or the latest one."""
    # Via a folder, since downloads write to the disk; a picture is small.
    directory = await asyncio.to_thread(TemporaryDirectory, prefix="browser-use-")
    try:
        downloader = Downloader(transport, tasks, task_id, directory.name, options)
        return await downloader.screenshot(step)
    finally:
        await asyncio.shield(asyncio.to_thread(directory.cleanup))


def _place_of(step: int, urls: Sequence[SignedUrl]) -> int:
    """The index of a step's screenshot in the list; beyond the list if there is none."""
    # The service says that the file's name has the number, but not in which form.
    found = [re.search(r"(\d{1,9})\D*$", url.file_name) for url in urls]
    places = {int(each[1]): place for place, each in enumerate(found) if each is not None}
    return places.get(step, len(urls)) if len(places) == len(urls) else step - 1


async def _run_all(downloads: Sequence[Download], concurrency: int) -> None:
    """Run downloads, some at a time; the first failure ends the others and is raised."""
    slots = asyncio.Semaphore(concurrency)

    async def one(download: Download) -> None:
        async with slots:
            await download.run()

    tasks = [
        asyncio.create_task(
            one(download), name=f"browser-use: downloads file {number} of {len(downloads)}"
        )
        for number, download in enumerate(downloads, 1)
    ]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
