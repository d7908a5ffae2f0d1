"""A film of a task's browser, made by ffmpeg while the task runs."""

import asyncio
import contextlib
import logging
import shutil
from asyncio.subprocess import DEVNULL, PIPE, Process
from pathlib import Path

from browser_use_async.server.executors.chromium.screencast import Screencast
from browser_use_async.server.executors.surroundings import kept_environment

_logger = logging.getLogger(__name__)
_END_SECONDS = 20.0
_MOST_BYTES = 200 * 1024**2
_ENCODERS = {
    "libx264": ("mp4", ["-preset", "ultrafast", "-crf", "28", "-movflags", "+faststart"]),
    "libvpx": ("webm", ["-deadline", "realtime", "-cpu-used", "8", "-b:v", "1M"]),
}
"""The encoders that will do, the best first: the ending of the film, and options."""


class FilmMaker:
    """Finds out, once, whether films can be made here and of which kind."""

    def __init__(self) -> None:
        self._program = shutil.which("ffmpeg")
        self._encoder: str | None = None
        self._asked: asyncio.Task[None] | None = None

    async def record(
        self, screencast: Screencast, viewport: tuple[int, int], folder: Path
    ) -> "Recording | None":
        """Begin with a film, or None if none can be made here.

        Args:
            screencast: What is to be seen.
            viewport: Its width and height.
            folder: Where the film is while it is made.
        """
        if self._asked is None:
            self._asked = asyncio.get_running_loop().create_task(self._find_encoder())
        await asyncio.shield(self._asked)
        if self._program is None or self._encoder is None:
            return None
        ending, options = _ENCODERS[self._encoder]
        width, height = (side // 2 * 2 for side in viewport)
        shape = f"scale={width}:{height}:force_original_aspect_ratio=decrease"
        process = await asyncio.create_subprocess_exec(
            *(self._program, "-hide_banner", "-loglevel", "error", "-nostdin", "-y"),
            # A frame lasts until the next one comes.
            *("-use_wallclock_as_timestamps", "1", "-f", "image2pipe", "-c:v", "mjpeg", "-i", "-"),
            *("-vf", f"{shape},pad={width}:{height},format=yuv420p", "-fps_mode", "vfr"),
            *("-c:v", self._encoder, "-threads", "1", *options),
            str(folder / f"film.{ending}"),
            stdin=PIPE,
            stdout=DEVNULL,
            stderr=DEVNULL,
            env=kept_environment(),
        )
        return Recording(process, screencast, folder / f"film.{ending}")

    async def _find_encoder(self) -> None:
        if self._program is not None:
            process = await asyncio.create_subprocess_exec(
                *(self._program, "-hide_banner", "-encoders"),
                stdin=DEVNULL,
                stdout=PIPE,
                stderr=DEVNULL,
                env=kept_environment(),
            )
            known = (await process.communicate())[0].decode("utf-8", "replace").split()
            self._encoder = next((each for each in _ENCODERS if each in known), None)
        if self._encoder is None:
            _logger.warning(
                "tasks are not recorded: there is no ffmpeg with %s", " or ".join(_ENCODERS)
            )


class Recording:
    """One film that is being made.

    Args:
        process: ffmpeg.
        screencast: What it films.
        file: What it writes.
    """

    def __init__(self, process: Process, screencast: Screencast, file: Path) -> None:
        self._process = process
        self._screencast = screencast
        self._file = file
        self._last = b""
        self._work = asyncio.get_running_loop().create_task(self._film())

    async def finish(self) -> dict[str, bytes]:
        """End the film; the film by the ending of its name, nothing if it came to nothing."""
        await self._stop_filming()
        try:
            async with asyncio.timeout(_END_SECONDS):
                # The last frame again: only the next one tells how long it lasted.
                await self._write(self._last)
                if self._process.stdin is not None:
                    self._process.stdin.close()
                await self._process.wait()
        except TimeoutError:
            return {}
        finally:
            await self.abandon()
        if not self._file.exists() or not 0 < self._file.stat().st_size <= _MOST_BYTES:
            return {}
        film = await asyncio.to_thread(self._file.read_bytes)
        return {self._file.suffix.removeprefix("."): film}

    async def abandon(self) -> None:
        """End without a film."""
        await self._stop_filming()
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()

    async def _stop_filming(self) -> None:
        self._work.cancel()
        await asyncio.gather(self._work, return_exceptions=True)

    async def _film(self) -> None:
        async with contextlib.aclosing(self._screencast.frames()) as frames:
            async for frame in frames:
                self._last = frame.image
                await self._write(frame.image)

    async def _write(self, image: bytes) -> None:
        if self._process.stdin is not None:
            with contextlib.suppress(ConnectionError, RuntimeError):
                self._process.stdin.write(image)
                await self._process.stdin.drain()
