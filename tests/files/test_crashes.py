"""A process that dies in the middle of a download."""

import asyncio
import contextlib
import random
import re
import signal
import sys
from pathlib import Path

import pytest

from tests.files.contents import listing
from tests.support.hygiene import KEY
from tests.support.patience import PATIENCE, until
from tests.support.storage import TASK, FakeStorage, StoredFile
from tests.support.wire import Connection, Request

NAME = "report.bin"
CONTENT = random.Random(2).randbytes(4_000_000)

PROGRAM = """
import asyncio, sys
from browser_use_async import BrowserUseSession

async def main():
    async with BrowserUseSession(sys.argv[1], base_url=sys.argv[2]) as session:
        await session.files.download_output_file(
            sys.argv[3], sys.argv[4], sys.argv[5], overwrite=True
        )

asyncio.run(main())
"""


async def _start(storage: FakeStorage, directory: Path) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", PROGRAM, KEY, storage.api.url, TASK, NAME, f"{directory}/")
    )


async def _at_least(directory: Path, size: int) -> int:
    """The size of the one file in a directory, as soon as it is large enough."""
    async with asyncio.timeout(PATIENCE):
        while True:
            sizes = [path.stat().st_size for path in listing(directory)]
            if sizes and sizes[0] >= size:
                return sizes[0]
            await asyncio.sleep(0.01)


async def test_a_killed_download_is_not_taken_for_the_file(session, storage, tmp_path):
    """Kill -9 leaves a hidden file, which the next download neither uses nor needs."""
    storage.keep(NAME, CONTENT)

    async def stop_at_three_quarters(
        connection: Connection, request: Request, file: StoredFile
    ) -> None:
        reply = file.reply(request)
        connection.send(reply[: len(reply) * 3 // 4])
        await connection.stall()

    storage.next = [stop_at_three_quarters]
    process = await _start(storage, tmp_path)
    await _at_least(tmp_path, 2_000_000)
    process.send_signal(signal.SIGKILL)
    await process.wait()
    (left,) = listing(tmp_path)
    before = left.read_bytes()

    path = await session.files.download_output_file(TASK, NAME, tmp_path)

    assert _is_temporary(left.name)
    assert path.read_bytes() == CONTENT
    assert storage.ranges == [None, None]
    assert listing(tmp_path) == sorted([left, path])
    assert left.read_bytes() == before


@pytest.mark.torture
async def test_killed_again_and_again(storage, tmp_path):
    """Whenever the process is killed, the file under the final name is complete or missing."""
    storage.keep(NAME, CONTENT)
    storage.behave = _slowly
    target = tmp_path / NAME
    draw = random.Random(3)

    for _ in range(4):
        process = await _start(storage, tmp_path)
        await _first_request(storage, len(storage.requests))
        await asyncio.sleep(draw.uniform(0.0, 0.15))
        with contextlib.suppress(ProcessLookupError):  # it ended before the kill
            process.send_signal(signal.SIGKILL)
        await process.wait()
        assert not target.exists() or target.read_bytes() == CONTENT
    process = await _start(storage, tmp_path)

    assert await process.wait() == 0
    assert target.read_bytes() == CONTENT
    names = [path.name for path in listing(tmp_path) if path != target]
    assert [name for name in names if not _is_temporary(name)] == []


def _is_temporary(name: str) -> bool:
    return re.fullmatch(r"\.browser-use-[0-9a-f]{16}\.part", name) is not None


async def _slowly(connection: Connection, request: Request, file: StoredFile) -> None:
    reply = file.reply(request)
    for start in range(0, len(reply), 200_000):
        connection.send(reply[start : start + 200_000])
        await asyncio.sleep(0.01)


async def _first_request(storage: FakeStorage, before: int) -> None:
    await until(lambda: len(storage.requests) > before)
