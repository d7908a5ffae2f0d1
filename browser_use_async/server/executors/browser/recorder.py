"""A recording of a task's browser, encoded by ffmpeg while the task runs."""

import asyncio
import contextlib
import logging
import re
import shutil
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Coroutine
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import attrs

from browser_use_async.server.executors.browser.browser_folder import kept_environment
from browser_use_async.server.executors.browser.live_view import Screencast

_logger = logging.getLogger(__name__)
_END_SECONDS = 20.0
_ENCODERS = {
    "libx264": ("mp4", ["-preset", "ultrafast", "-crf", "28", "-movflags", "+faststart"]),
    "libvpx": ("webm", ["-deadline", "realtime", "-cpu-used", "8", "-b:v", "1M"]),
}
"""The usable encoders, the best first: the file extension of a recording, and options."""
_START = re.compile(rb"Duration: .*start: (\d+\.\d+)")
"""Matches the start of the input in ffmpeg's messages, as a time of the clock."""
_HEAD_BYTES = 65_536  # of ffmpeg's messages; the start is among the first


class Recorder:
    """Starts recordings, and checks once which encoder this machine has."""

    def __init__(self, *, max_bytes: int = 200 * 1024**2, max_seconds: float = 4 * 3600.0) -> None:
        self._program = shutil.which("ffmpeg")
        self._max_bytes = max_bytes
        self._max_seconds = max_seconds
        self._search: asyncio.Task[str | None] | None = None

    def record(self, screencast: Screencast, folder: Path) -> "Recording":
        """Begin a recording; it stays empty if this machine has no encoder."""
        return Recording(self._start(screencast.size, folder), screencast)

    async def _start(self, size: tuple[int, int], folder: Path) -> "Encoding | None":
        if self._search is None:
            self._search = asyncio.get_running_loop().create_task(
                self._find_encoder(), name="browser-use: looks for an encoder of recordings"
            )
        encoder = await asyncio.shield(self._search)
        if self._program is None or encoder is None:
            return None
        ending, options = _ENCODERS[encoder]
        file = folder / f"recording.{ending}"
        width, height = (side // 2 * 2 for side in size)
        shape = f"scale={width}:{height}:force_original_aspect_ratio=decrease"
        process = await asyncio.create_subprocess_exec(
            *(self._program, "-hide_banner", "-loglevel", "info", "-nostats", "-nostdin", "-y"),
            # Each frame is shown until the next one arrives.
            *("-use_wallclock_as_timestamps", "1", "-f", "image2pipe", "-c:v", "mjpeg", "-i", "-"),
            *("-vf", f"{shape},pad={width}:{height},format=yuv420p", "-fps_mode", "vfr"),
            *("-c:v", encoder, "-threads", "1", *options),
            # At these limits ffmpeg ends by itself; the recording until then can be played.
            *("-fs", str(self._max_bytes), "-t", str(self._max_seconds)),
            str(file),
            stdin=PIPE,
            stdout=DEVNULL,
            stderr=PIPE,
            env=kept_environment(),
        )
        assert process.stderr is not None
        began = asyncio.get_running_loop().create_task(
            _read_start(process.stderr), name="browser-use: reads the start of an encoder"
        )
        return Encoding(process, file, began)

    async def _find_encoder(self) -> str | None:
        encoder = None
        if self._program is not None:
            process = await asyncio.create_subprocess_exec(
                *(self._program, "-hide_banner", "-encoders"),
                stdin=DEVNULL,
                stdout=PIPE,
                stderr=DEVNULL,
                env=kept_environment(),
            )
            known = (await process.communicate())[0].decode("utf-8", "replace").split()
            encoder = next((each for each in _ENCODERS if each in known), None)
        if encoder is None:
            _logger.warning(
                "tasks are not recorded: there is no ffmpeg with %s", " or ".join(_ENCODERS)
            )
        return encoder


@attrs.frozen
class Encoding:
    """The ffmpeg process of one recording."""

    process: Process
    file: Path  # the file that it writes
    began: asyncio.Task[datetime | None]  # done when ffmpeg has ended

    async def write(self, image: bytes) -> bool:
        """Write a frame; returns whether ffmpeg accepts more."""
        if self.process.stdin is None or self.process.returncode is not None:
            return False
        try:
            self.process.stdin.write(image)
            await self.process.stdin.drain()
        except (ConnectionError, RuntimeError):
            return False
        return True

    async def end(self, last: bytes) -> None:
        """End it. Writes the last frame again, since each frame is shown until the next one."""
        await self.write(last)
        if self.process.stdin is not None:
            self.process.stdin.close()
        await self.process.wait()

    async def kill(self) -> None:
        """Kill the process if it has not ended."""
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        await asyncio.gather(self.process.wait(), self.began, return_exceptions=True)


class Recording:
    """A recording in progress."""

    def __init__(
        self, starting: Coroutine[Any, Any, Encoding | None], screencast: Screencast
    ) -> None:
        loop = asyncio.get_running_loop()
        self._screencast = screencast
        self._last = b""
        self.began: datetime | None = None  # the time of its first frame, known after the end
        self._starting = loop.create_task(starting, name="browser-use: starts a recording")
        self._work = loop.create_task(self._feed(), name="browser-use: feeds frames to a recording")

    async def finish(self) -> dict[str, bytes]:
        """End the recording, and return it by its file extension; empty if there is none."""
        encoding = await self._stop()
        if encoding is None:
            return {}
        try:
            async with asyncio.timeout(_END_SECONDS):
                await encoding.end(self._last)
        except TimeoutError:
            _logger.warning(
                "a recording was given up: ffmpeg has not ended it in %g s", _END_SECONDS
            )
            return {}
        finally:
            await encoding.kill()
        self.began = await encoding.began
        video = await asyncio.to_thread(_read, encoding.file)
        return {encoding.file.suffix.removeprefix("."): video} if video else {}

    async def abandon(self) -> None:
        """Stop, and keep no recording."""
        encoding = await self._stop()
        if encoding is not None:
            await encoding.kill()

    async def _stop(self) -> Encoding | None:
        self._work.cancel()
        await asyncio.gather(self._work, return_exceptions=True)
        return await asyncio.shield(self._starting)

    async def _feed(self) -> None:
        encoding = await asyncio.shield(self._starting)
        if encoding is None:
            return
        async with contextlib.aclosing(self._screencast.frames()) as frames:
            async for frame in frames:
                self._last = frame.image
                if not await encoding.write(frame.image):
                    failed = await encoding.process.wait()
                    reason = (
                        "ffmpeg has failed" if failed else "it is as long or as large as one may be"
                    )
                    _logger.warning("a recording has ended before its task: %s", reason)
                    return


async def _read_start(messages: asyncio.StreamReader) -> datetime | None:
    """Return the time that ffmpeg reports for its first frame, or None."""
    head = b""
    while chunk := await messages.read(_HEAD_BYTES):  # ffmpeg blocks unless all is read
        head = (head + chunk)[:_HEAD_BYTES]
    found = _START.search(head)
    return None if found is None else datetime.fromtimestamp(float(found[1]), UTC)


def _read(file: Path) -> bytes:
    return file.read_bytes() if file.exists() else b""
