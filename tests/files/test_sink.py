"""Bytes on their way to the disk: on the spot if it is quick, in a thread if it is not."""

import asyncio
import gc
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from browser_use_async.files.part_file import PartFile
from browser_use_async.files.sink import WRITE_BYTES, WRITE_CHUNKS, Sink
from tests.patience import until

PIECES = [bytes((number,)) * WRITE_BYTES for number in range(6)]


class Disk(PartFile):
    """A part on a disk that can be slow and can fail."""

    seconds = 0.0
    fails_at = 0

    def write(self, chunks: Sequence[bytes]) -> None:
        """Note the thread, take the time, fail or write."""
        self.threads.append(threading.get_ident())
        time.sleep(self.seconds)
        if len(self.threads) == self.fails_at:
            raise OSError(28, "No space left on device")
        super().write(chunks)

    @property
    def threads(self) -> list[int]:
        """The threads that wrote, in order."""
        return self.__dict__.setdefault("_threads", [])  # type: ignore[no-any-return]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    """A quick disk."""
    part = Disk.open(tmp_path / "file.bin", None)
    assert isinstance(part, Disk)
    yield part
    part.discard()


async def _write_all(sink: Sink) -> None:
    for piece in PIECES:
        await sink.take(piece)
    await sink.flush()


async def test_a_quick_disk_is_written_on_the_spot(disk: Disk) -> None:
    """No thread is needed, and every byte is there in order."""
    await _write_all(Sink(disk))

    assert disk.path.read_bytes() == b"".join(PIECES)
    assert disk.threads[0] == threading.get_ident()


async def test_a_slow_disk_makes_the_loop_wait_once(disk: Disk) -> None:
    """After the first slow write the others happen in threads, one at a time and in order."""
    disk.seconds = 0.02
    await _write_all(Sink(disk))

    assert disk.path.read_bytes() == b"".join(PIECES)
    assert disk.threads[0] == threading.get_ident()
    assert threading.get_ident() not in disk.threads[1:]


@pytest.mark.parametrize("number", [1, 2, 3, 6])
async def test_a_write_that_fails_is_told(disk: Disk, number: int) -> None:
    """Whether on the spot or in a thread, the error comes out before the end."""
    disk.seconds, disk.fails_at = 0.02, number

    with pytest.raises(OSError, match="No space"):
        await _write_all(Sink(disk))


async def test_nobody_has_to_ask_how_it_went(disk: Disk, caplog: pytest.LogCaptureFixture) -> None:
    """A failed write that nobody waits for, as after a cancellation, is not complained about."""
    disk.seconds, disk.fails_at = 0.02, 2
    sink = Sink(disk)
    await sink.take(PIECES[0])
    await sink.take(PIECES[1])
    del sink
    await until(lambda: len(disk.threads) == 2)
    await asyncio.sleep(0.05)
    gc.collect()

    assert len(disk.threads) == 2
    assert not caplog.records


async def test_small_pieces_are_collected(disk: Disk) -> None:
    """Single bytes are not written one by one, nor more at once than a system call takes."""
    sink = Sink(disk)
    for _ in range(WRITE_CHUNKS + 1):
        await sink.take(b"x")
    before = list(disk.threads)
    await sink.flush()

    assert len(before) == 1
    assert len(disk.threads) == 2
    assert disk.size == WRITE_CHUNKS + 1
