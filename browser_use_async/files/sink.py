"""From the event loop to the disk.

Into the memory of a healthy system a quarter of a megabyte is written in a tenth of a millisecond,
and the way to a thread and back halves the speed of a download. So bytes are written on the spot
until the disk shows that it can make the loop wait; from then on a thread writes them while the
next ones arrive.
"""

import asyncio

from browser_use_async.files.part_file import PartFile

__all__ = ["Sink"]

WRITE_BYTES = 256 * 1024
WRITE_CHUNKS = 512  # one system call writes them all, and takes at least 1024
SLOW_SECONDS = 0.01


class Sink:
    """Writes to a part, one write at a time."""

    def __init__(self, part: PartFile) -> None:
        self._part = part
        self._chunks: list[bytes] = []
        self._bytes = 0
        self._slow = False
        self._writing: asyncio.Future[None] | None = None

    async def take(self, chunk: bytes) -> None:
        """Take bytes; waits only if the disk is slower than the network.

        Raises:
            OSError: A write failed, this one or the one before.
        """
        self._chunks.append(chunk)
        self._bytes += len(chunk)
        if self._bytes >= WRITE_BYTES or len(self._chunks) >= WRITE_CHUNKS:
            await self._write()

    async def flush(self) -> None:
        """Wait until everything is written.

        Raises:
            OSError: A write failed.
        """
        if self._chunks:
            await self._write()
        await self._written()

    async def _write(self) -> None:
        await self._written()
        chunks, self._chunks, self._bytes = self._chunks, [], 0
        loop = asyncio.get_running_loop()
        if self._slow:
            self._writing = loop.run_in_executor(None, self._part.write, chunks)
            self._writing.add_done_callback(_looked_at)
            return
        started = loop.time()
        self._part.write(chunks)
        self._slow = loop.time() - started > SLOW_SECONDS

    async def _written(self) -> None:
        if self._writing is not None:
            await self._writing
            self._writing = None


def _looked_at(writing: "asyncio.Future[None]") -> None:
    # Of a download that was cancelled nobody asks any more how its last write went.
    if not writing.cancelled():
        writing.exception()
