"""Connections to the shared database: the check at the start, and the listener."""

import asyncio
import json
import logging
import math
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import attrs
import psycopg

from browser_use_async.errors import ConfigurationError
from browser_use_async.postgres import connection as postgres
from browser_use_async.postgres.connection import (
    PASSING,
    UnusableServerError,
    first_line,
    literal,
)

SCHEMA = "browser_use_server"
"""The schema of all tables. There is one deployment in a database."""

CHANNEL = "browser_use_server"
"""The channel on which servers notify each other of changes."""

_logger = logging.getLogger(__name__)

_SECONDS = 5  # limit for an answer of the server
_WIDEST_CLOCK = timedelta(seconds=30)
_PAUSE = 0.3
_AFTERWARDS = 10.0  # seconds, longer than calls are repeated
_SILENCE = 5.0  # seconds after which a connection that listens is asked whether it is alive


def shown(address: str) -> str:
    """An address without its user and password."""
    parts = urlsplit(address)
    try:
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        port = ""
    return f"postgresql://{parts.hostname or ''}{port}{parts.path}"


@contextmanager
def _refusals(address: str) -> Generator[None]:
    """Convert errors to ConfigurationErrors that name the server."""
    try:
        yield
    except UnusableServerError as error:
        raise ConfigurationError(
            f"the PostgreSQL server {shown(address)} {error.problem}. {error.remedy}"
        ) from None
    except psycopg.Error as error:
        raise ConfigurationError(
            f"the PostgreSQL server {shown(address)} cannot be used: {first_line(error)}"
        ) from None


def connection_parameters(address: str) -> dict[str, Any]:
    """Return the parameters for libpq; settings in the address take precedence.

    Raises:
        ConfigurationError: The address is malformed.
    """
    with _refusals(address):
        return postgres.connection_parameters(
            address, schema=SCHEMA, application="browser-use-async server", seconds=_SECONDS
        )


async def connect(address: str) -> psycopg.AsyncConnection:
    """Open a connection in autocommit mode.

    Raises:
        ConfigurationError: The server cannot be reached, is too old or refuses.
    """
    with _refusals(address):
        return await postgres.connect_async(connection_parameters(address))


async def check_server(address: str) -> None:
    """Check at the start what would fail later.

    Raises:
        ConfigurationError: The server cannot be reached, is too old, delivers no notifications, or
            its clock and this one differ.
    """
    with _refusals(address):
        await asyncio.to_thread(_check, connection_parameters(address), address)


def _check(parameters: dict[str, Any], address: str) -> None:
    with postgres.connect(parameters) as connection:
        (there,) = connection.execute("SELECT clock_timestamp()").fetchone() or (datetime.now(UTC),)
        difference = datetime.now(UTC) - there
        if abs(difference) > _WIDEST_CLOCK:
            raise ConfigurationError(
                f"the clock of this machine and that of {shown(address)} differ by "
                f"{difference.total_seconds():.0f} seconds; set them by NTP"
            )
        postgres.check_notifications(connection, parameters)


@attrs.define(eq=False)
class Outage:
    """Says in the log when the database is away, and when it is back: one line each."""

    _is_on: bool = attrs.field(default=False, init=False)
    _lost_at: float | None = attrs.field(default=None, init=False)
    _ended_at: float = attrs.field(default=-math.inf, init=False)

    @property
    def is_told(self) -> bool:
        """Whether the log tells already why the database does not answer."""
        # Calls that began during an outage may fail when it has just ended.
        return self._is_on or time.monotonic() - self._ended_at < _AFTERWARDS

    def lost(self) -> None:
        """Record that a connection has ended; often another one can be made at once."""
        if self._lost_at is None:
            self._lost_at = time.monotonic()

    def began(self, cause: ConfigurationError) -> None:
        """Record that no connection can be made."""
        self.lost()
        if not self._is_on:
            self._is_on = True
            _logger.error("database away: %s", cause)

    def ended(self) -> None:
        """Record that a connection was made."""
        if self._is_on and self._lost_at is not None:
            self._ended_at = time.monotonic()
            _logger.warning("database back after %.0f s", self._ended_at - self._lost_at)
        self._is_on, self._lost_at = False, None


@attrs.frozen(eq=False, repr=False)
class Listener:
    """Calls a function with each announcement, of this server and of others.

    It is the one that connects again all the time, so it knows first when an outage begins or ends.
    """

    _address: str  # the address of the database
    _outage: Outage
    _heard: Callable[[str, str], None]  # called with the subject and the text of each announcement
    # Called when announcements may have been lost with the connection
    _missed: Callable[[], None]
    # Set when it first listens
    listening: asyncio.Event = attrs.field(factory=asyncio.Event, init=False)

    async def run(self) -> None:
        """Listen until cancelled."""
        while True:
            try:
                async with await connect(self._address) as connection:
                    await connection.execute(literal(f"LISTEN {CHANNEL}"))
                    self._outage.ended()
                    if self.listening.is_set():
                        self._missed()
                    self.listening.set()
                    await self._listen(connection)
            except ConfigurationError as error:
                self._outage.began(error)
            except PASSING as error:
                self._outage.lost()
                _logger.debug("the connection that listens is made again after %r", error)
            await asyncio.sleep(_PAUSE)

    async def _listen(self, connection: psycopg.AsyncConnection) -> None:
        while True:
            async for note in connection.notifies(timeout=_SILENCE):
                subject, news = json.loads(note.payload)
                self._heard(subject, news)
            await connection.execute("SELECT 1")
