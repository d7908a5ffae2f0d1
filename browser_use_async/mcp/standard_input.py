"""Standard input that this process can end: the thread that reads it cannot be cancelled."""

import asyncio
import contextlib
import os
import stat
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

_INPUT = 0  # its descriptor
_CHUNK = 65_536


@asynccontextmanager
async def closable_input() -> AsyncGenerator[None, None]:
    """Put a pipe in front of standard input, which ends when this context is left or cancelled."""
    if stat.S_ISREG(os.fstat(_INPUT).st_mode):
        yield  # a file never keeps its reader waiting
        return
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    # The server reads descriptor 0, which becomes the pipe; the real input is copied into it.
    source = os.fdopen(os.dup(_INPUT), "rb", buffering=0)
    incoming, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), source)
    read_end, write_end = os.pipe()
    os.dup2(read_end, _INPUT)
    os.close(read_end)
    outgoing, protocol = await loop.connect_write_pipe(
        asyncio.streams.FlowControlMixin, os.fdopen(write_end, "wb", buffering=0)
    )
    writer = asyncio.StreamWriter(outgoing, protocol, reader, loop)
    copying = asyncio.create_task(_copy(reader, writer))
    try:
        yield
    finally:
        copying.cancel()
        await asyncio.wait([copying])
        incoming.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        with contextlib.suppress(ConnectionError):  # the reader has gone
            while chunk := await reader.read(_CHUNK):
                writer.write(chunk)
                await writer.drain()
    finally:
        writer.close()
