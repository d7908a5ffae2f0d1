"""Connections to the database that servers share, which is checked once at the start."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import psycopg

from browser_use_async.errors import ConfigurationError
from browser_use_async.postgres import connection as postgres
from browser_use_async.postgres.connection import UnusableServerError, first_line

SCHEMA = "browser_use_server"
"""The schema of all tables. There is one deployment in a database."""

_SECONDS = 5  # for an answer of the server
_WIDEST_CLOCK = timedelta(seconds=30)


def shown(address: str) -> str:
    """An address without its user and password."""
    parts = urlsplit(address)
    try:
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        port = ""
    return f"postgresql://{parts.hostname or ''}{port}{parts.path}"


def connection_parameters(address: str) -> dict[str, Any]:
    """What libpq is given: the operator's own settings win.

    Raises:
        ConfigurationError: The address is malformed.
    """
    try:
        return postgres.connection_parameters(
            address, schema=SCHEMA, application="browser-use-async server", seconds=_SECONDS
        )
    except UnusableServerError as error:
        raise _unusable(error, address) from None


async def connect(address: str) -> psycopg.AsyncConnection:
    """One connection in autocommit mode.

    Raises:
        ConfigurationError: The server cannot be reached, is too old or refuses.
    """
    try:
        return await postgres.connect_async(connection_parameters(address))
    except UnusableServerError as error:
        raise _unusable(error, address) from None


async def check_server(address: str) -> None:
    """Find out at the start what would go wrong later.

    Raises:
        ConfigurationError: The server cannot be reached, is too old, delivers no notifications, or
            its clock and this one differ.
    """
    try:
        await asyncio.to_thread(_check, connection_parameters(address), address)
    except UnusableServerError as error:
        raise _unusable(error, address) from None
    except psycopg.Error as error:
        raise ConfigurationError(
            f"the PostgreSQL server {shown(address)} cannot be used: {first_line(error)}"
        ) from None


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


def _unusable(error: UnusableServerError, address: str) -> ConfigurationError:
    return ConfigurationError(
        f"the PostgreSQL server {shown(address)} {error.problem}. {error.remedy}"
    )
