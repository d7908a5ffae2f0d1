"""What other servers have changed, as they tell it on a connection of its own."""

import asyncio
import json
import logging
from collections.abc import Callable
from contextlib import suppress

import psycopg

from browser_use_async.errors import ConfigurationError
from browser_use_async.postgres.connection import PASSING, literal
from browser_use_async.server.storage.postgres.connection import connect
from browser_use_async.server.storage.postgres.database import CHANNEL

_logger = logging.getLogger(__name__)
_PAUSE = 0.3
_SILENCE = 5.0  # seconds after which the connection is asked whether it is alive


class Listener:
    """Calls a function with each announcement, of this server and of others.

    Args:
        address: Of the database.
        heard: Called with the subject and the news.
        missed: Called when some may have been missed, because there was no connection.
    """

    def __init__(
        self, address: str, heard: Callable[[str, str], None], missed: Callable[[], None]
    ) -> None:
        self._address = address
        self._heard = heard
        self._missed = missed
        self._work: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Listen from now on."""
        listening = asyncio.Event()
        self._work = asyncio.get_running_loop().create_task(self._run(listening), name="listener")
        await listening.wait()

    async def aclose(self) -> None:
        """Listen no more."""
        if self._work is not None:
            self._work.cancel()
            await asyncio.gather(self._work, return_exceptions=True)

    async def _run(self, listening: asyncio.Event) -> None:
        while True:
            with suppress(ConfigurationError, *PASSING):
                async with await connect(self._address) as connection:
                    await connection.execute(literal(f"LISTEN {CHANNEL}"))
                    if listening.is_set():
                        self._missed()
                    listening.set()
                    await self._listen(connection)
            _logger.info("the connection that listens is made again")
            await asyncio.sleep(_PAUSE)

    async def _listen(self, connection: psycopg.AsyncConnection) -> None:
        while True:
            async for note in connection.notifies(timeout=_SILENCE):
                subject, news = json.loads(note.payload)
                self._heard(subject, news)
            await connection.execute("SELECT 1")
