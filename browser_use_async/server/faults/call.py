"""A call as a fault has it: its execution, its answer, its connection, and what comes later."""

import asyncio
import contextlib
import socket
import struct
from collections.abc import Awaitable, Callable, Coroutine

import attrs
from aiohttp import web

from browser_use_async.server.faults.task_lists import LateTaskStore
from browser_use_async.server.http.file_answer import FileAnswer
from browser_use_async.server.loops import BackgroundTasks

# SO_LINGER with a timeout of 0: close() sends RST instead of FIN.
_NO_LINGER = struct.pack("ii", 1, 0)


class ConnectionLostError(Exception):
    """The connection of a call ends, whatever the faults around this one would do."""

    def __init__(self, by: str, last: bytes = b"") -> None:
        super().__init__(by)
        self.by = by  # `fin` or `rst`
        self.last = last  # sent before


class Delays:
    """What the faults of one server have put off.

    Args:
        tasks: The tasks, which a fault hides from lists.
    """

    def __init__(self, tasks: LateTaskStore) -> None:
        self._tasks = tasks
        self.closing = asyncio.Event()
        self._later = BackgroundTasks("applies a fault later")

    async def sleep(self, seconds: float) -> None:
        """Sleep until the time has passed. If the server closes before, the connection ends."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.closing.wait()
        if self.closing.is_set():
            raise ConnectionLostError("fin")

    def start(self, seconds: float, work: Callable[[], Awaitable[object]]) -> None:
        """Do some work when the time has passed, unless the server closes before."""
        self._later.start(_do_later(seconds, work))

    def hide_task(self, task_id: str, seconds: float) -> None:
        """Hide a task from lists for some seconds."""

        async def show() -> None:
            self._tasks.hidden.discard(task_id)

        self._tasks.hidden.add(task_id)
        self.start(seconds, show)

    async def aclose(self) -> None:
        """Cancel what comes later, and end all delays."""
        self.closing.set()
        await self._later.aclose()


async def _do_later(seconds: float, work: Callable[[], Awaitable[object]]) -> None:
    await asyncio.sleep(seconds)
    with contextlib.suppress(ConnectionLostError):
        await work()


@attrs.frozen(eq=False, repr=False)
class Call:
    """A call that a fault applies to, with the faults inside of this one."""

    request: web.Request
    delays: Delays
    proceed: Callable[[], Coroutine[None, None, web.StreamResponse]]
    """Executes the call, or passes it to the next fault."""
    _count: Callable[[], None]

    async def fire(self, when: str = "before") -> None:
        """Count the fault as one that takes effect; `after` means after the call is executed."""
        if when == "after":
            await self.proceed()
        self._count()

    async def body_of(self, response: web.StreamResponse) -> bytes | None:
        """The body of a response, or None if it has none or one without an end."""
        if isinstance(response, FileAnswer):
            return await response.whole()
        if not isinstance(response, web.Response) or self.request.method == "HEAD":
            return None
        return bytes(response.body) if isinstance(response.body, bytes | bytearray) else None

    async def start(self, response: web.StreamResponse, length: int) -> web.StreamResponse:
        """Send the headers of a response, and return a stream for its body."""
        stream = web.StreamResponse(
            status=response.status, reason=response.reason, headers=response.headers
        )
        stream.content_length = length
        await stream.prepare(self.request)
        return stream


class _LostResponse(web.StreamResponse):
    """A response that is not sent, because the connection is closed."""

    async def prepare(self, request: web.BaseRequest) -> None:
        """Send nothing."""

    async def write_eof(self, data: bytes = b"") -> None:
        """Send nothing."""


def close_connection(request: web.Request, lost: ConnectionLostError) -> web.StreamResponse:
    """Close the connection of a request, and return a response for its handler to return."""
    transport = request.transport
    if transport is not None:  # else the client has closed it already
        assert isinstance(transport, asyncio.WriteTransport)
        if lost.last:
            transport.write(lost.last)
        if lost.by == "rst":
            connection: socket.socket = transport.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
            transport.abort()
        else:
            transport.close()
    answer = _LostResponse()
    answer.force_close()
    return answer
