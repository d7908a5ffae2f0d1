"""Downloads of the pages of one task."""

import asyncio
import contextlib
import os
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import attrs
from playwright.async_api import Browser, CDPSession
from playwright.async_api import Error as PlaywrightError

from browser_use_async import system
from browser_use_async.server.loops import BackgroundTasks

MOST_BYTES = 100 * 1024 * 1024
"""The maximum size of all downloads of a task, including those under way."""

_MOST_FILES = 100
_MOST_NAME_CHARACTERS = 200
_NOTICE_SECONDS = 5.0
_FINISH_SECONDS = 120.0
_TOO_MUCH = f"the downloads have more than {MOST_BYTES // 1024**2} MB together"


@attrs.define(eq=False)
class _Download:
    url: str
    name: str
    size: int = 0
    ended: asyncio.Event = attrs.field(factory=asyncio.Event)
    problem: str = ""


class Downloads:
    """The downloads of one task, kept by name.

    Playwright reports the size of a download only at its end, and misses downloads of frames that
    it does not know. The browser reports both, for all pages of a context.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._session: CDPSession | None = None
        self._context_id = ""
        self._running: dict[str, _Download] = {}
        self._begun = asyncio.Event()
        self._kept_bytes = 0
        self._count = 0
        self._work = BackgroundTasks("saves a download of a page")
        self.files: dict[str, bytes] = {}  # complete downloads, by name
        self.problems: list[str] = []  # the failures of others, as clauses
        self.latest: tuple[str, str] | None = None  # name and address

    async def follow(self, browser: Browser, context_id: str) -> None:
        """Take over the downloads of a context."""
        self._context_id = context_id
        self._session = await browser.new_browser_cdp_session()
        self._session.on("Browser.downloadWillBegin", self._begin)
        self._session.on("Browser.downloadProgress", self._progress)
        await self._session.send(
            "Browser.setDownloadBehavior",
            {
                "behavior": "allowAndName",
                "browserContextId": self._context_id,
                "downloadPath": str(self._folder),
                "eventsEnabled": True,
            },
        )

    async def aclose(self) -> None:
        """Follow them no longer."""
        await self._work.aclose()
        if self._session is not None:
            session, self._session = self._session, None
            await session.detach()

    def expect(self) -> None:
        """From now on `is_expected` means downloads that begin after this."""
        self._begun.clear()

    @property
    def is_expected(self) -> bool:
        """Whether one has begun since `expect`."""
        return self._begun.is_set()

    async def begun(self) -> bool:
        """Wait a few seconds for one to begin; whether one did."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_NOTICE_SECONDS):
                await self._begun.wait()
        return self.is_expected

    async def finish(self) -> None:
        """Wait until all that have begun have ended."""
        waits = [each.ended.wait() for each in self._running.values()]
        try:
            async with asyncio.timeout(_FINISH_SECONDS):
                await asyncio.gather(*waits)
        except TimeoutError:
            self.problems.append(f"a download took more than {_FINISH_SECONDS:g} s")

    def take_problems(self) -> list[str]:
        """Return the failures since the previous call."""
        problems, self.problems = self.problems, []
        return problems

    # --- events of the browser ------------------------------------------------------------

    def _begin(self, event: Mapping[str, Any]) -> None:
        name = PurePosixPath(str(event.get("suggestedFilename") or "download")).name
        download = _Download(str(event["url"])[:1000], _shortened(name) or "download")
        self._running[event["guid"]] = download
        self._count += 1
        self._begun.set()
        if self._count > _MOST_FILES:
            download.problem = f"the task has more than {_MOST_FILES} downloads"
            self._cancel(event["guid"])

    def _progress(self, event: Mapping[str, Any]) -> None:
        guid, state = event["guid"], event["state"]
        download = self._running.get(guid)
        if download is None:
            return
        download.size = int(event.get("receivedBytes", 0))
        under_way = sum(each.size for each in self._running.values())
        if not download.problem and self._kept_bytes + under_way > MOST_BYTES:
            download.problem = _TOO_MUCH
        if download.problem:
            self._cancel(guid)
        if state == "inProgress":
            return
        if state == "canceled" and not download.problem:
            download.problem = "it broke off"
        if not download.problem:
            self._keep(guid, download)
        self._end(guid, download)

    def _cancel(self, guid: str) -> None:
        session = self._session
        if session is None:
            return

        async def cancel() -> None:
            parameters = {"guid": guid, "browserContextId": self._context_id}
            with contextlib.suppress(PlaywrightError):  # it has just ended, or the browser has
                await session.send("Browser.cancelDownload", parameters)

        self._work.start(cancel())

    def _keep(self, guid: str, download: _Download) -> None:
        try:
            content = _read(self._folder / guid)
        except OSError as error:
            download.problem = f"it cannot be read: {error.strerror}"
            return
        self._kept_bytes += len(content)
        name = _unused(download.name, self.files)
        self.files[name] = content
        self.latest = name, download.url

    def _end(self, guid: str, download: _Download) -> None:
        (self._folder / guid).unlink(missing_ok=True)  # also of a refused one
        if download.problem:
            self.problems.append(f"{download.name} was not downloaded: {download.problem}")
        del self._running[guid]
        download.ended.set()


def _read(path: Path) -> bytes:
    # The folder is the browser's, which may have put a link to something else there.
    descriptor = os.open(path, os.O_RDONLY | system.NO_FOLLOW)
    with os.fdopen(descriptor, "rb") as file:
        return file.read(MOST_BYTES)


def _shortened(name: str) -> str:
    if len(name) <= _MOST_NAME_CHARACTERS:
        return name
    ending = PurePosixPath(name).suffix[:20]
    return name[: _MOST_NAME_CHARACTERS - len(ending)] + ending


def _unused(name: str, taken: Mapping[str, bytes]) -> str:
    if name not in taken:
        return name
    path = PurePosixPath(name)
    numbered = (f"{path.stem}-{number}{path.suffix}" for number in range(2, len(taken) + 3))
    return next(each for each in numbered if each not in taken)
