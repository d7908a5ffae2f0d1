"""What the pages of one task download."""

import asyncio
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import attrs

MOST_BYTES = 100 * 1024 * 1024
_NOTICE_SECONDS = 5.0
_FINISH_SECONDS = 120.0


@attrs.define(eq=False)
class _Download:
    url: str
    name: str
    ended: asyncio.Event = attrs.field(factory=asyncio.Event)
    problem: str = ""


class Downloads:
    """The downloads of one task, kept by name.

    Args:
        folder: Where the browser puts them, each under a name that it makes up.

    Attributes:
        files: What has arrived whole, by name.
        problems: What has not, as clauses.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._running: dict[str, _Download] = {}
        self._begun = asyncio.Event()
        self._bytes = 0
        self.files: dict[str, bytes] = {}
        self.problems: list[str] = []
        self.latest: tuple[str, str] | None = None
        """The name and the address of the one that arrived last."""

    def begin(self, event: Mapping[str, Any]) -> None:
        """Note that one has begun.

        Args:
            event: `Browser.downloadWillBegin`.
        """
        name = PurePosixPath(str(event.get("suggestedFilename") or "download")).name
        self._running[event["guid"]] = _Download(event["url"], name or "download")
        self._begun.set()

    def progress(self, event: Mapping[str, Any]) -> bool:
        """Note how far one is.

        Args:
            event: `Browser.downloadProgress`.

        Returns:
            Whether it goes on though it is too large.
        """
        download = self._running.get(event["guid"])
        if download is None:
            return False
        state, size = event["state"], event.get("receivedBytes", 0)
        is_too_large = self._bytes + size > MOST_BYTES
        if is_too_large:
            download.problem = f"the downloads have more than {MOST_BYTES // 1024**2} MB together"
        elif state == "canceled":
            download.problem = "it broke off"
        if state == "completed" and not is_too_large:
            self._keep(event["guid"], download)
        if state != "inProgress":
            self._end(event["guid"], download)
        return bool(is_too_large and state == "inProgress")

    def expect(self) -> None:
        """From now on `arrived` means downloads that begin after this."""
        self._begun.clear()

    @property
    def is_expected(self) -> bool:
        """Whether one has begun since `expect`."""
        return self._begun.is_set()

    async def begun(self) -> bool:
        """Wait a few seconds for one to begin; whether one did."""
        try:
            async with asyncio.timeout(_NOTICE_SECONDS):
                await self._begun.wait()
        except TimeoutError:
            return False
        return True

    async def finish(self) -> None:
        """Wait until all that have begun have ended."""
        waits = [each.ended.wait() for each in self._running.values()]
        try:
            async with asyncio.timeout(_FINISH_SECONDS):
                await asyncio.gather(*waits)
        except TimeoutError:
            self.problems.append(f"a download took more than {_FINISH_SECONDS:g} s")

    def _keep(self, guid: str, download: _Download) -> None:
        file = self._folder / guid
        try:
            content = file.read_bytes()
            file.unlink()
        except OSError as error:
            download.problem = f"it cannot be read: {error.strerror}"
            return
        self._bytes += len(content)
        name = _unused(download.name, self.files)
        self.files[name] = content
        self.latest = name, download.url

    def _end(self, guid: str, download: _Download) -> None:
        if download.problem:
            self.problems.append(f"{download.name} was not downloaded: {download.problem}")
        del self._running[guid]
        download.ended.set()


def _unused(name: str, taken: Mapping[str, bytes]) -> str:
    if name not in taken:
        return name
    path = PurePosixPath(name)
    numbered = (f"{path.stem}-{number}{path.suffix}" for number in range(2, len(taken) + 3))
    return next(each for each in numbered if each not in taken)
